/** A tool and what is typed or pasted into it. */
export type Tool = { name: string; code: string };

/** Copy and paste for tools that speak chat completions, which is what the local API has. `YOUR_KEY` is to be replaced. */
export function snippets(base: string, model: string): Tool[] {
  return [...inCode(base, model), ...inEditors(base, model), ...inServers(base, model)];
}

function inCode(base: string, model: string): Tool[] {
  return [
    {
      name: "curl",
      code: `curl ${base}/chat/completions \\
  -H "Authorization: Bearer YOUR_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "${model}",
    "messages": [{"role": "user", "content": "Hello"}]
  }'`,
    },
    {
      name: "Python",
      code: `from openai import OpenAI

client = OpenAI(base_url="${base}", api_key="YOUR_KEY")
answer = client.chat.completions.create(
    model="${model}",
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`,
    },
    {
      name: "JavaScript",
      code: `import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${base}", apiKey: "YOUR_KEY" });
const answer = await client.chat.completions.create({
  model: "${model}",
  messages: [{ role: "user", content: "Hello" }],
});
console.log(answer.choices[0].message.content);`,
    },
  ];
}

function inEditors(base: string, model: string): Tool[] {
  return [
    {
      name: "Continue",
      code: `# config.yaml
models:
  - name: Lull
    provider: openai
    model: ${model}
    apiBase: ${base}
    apiKey: YOUR_KEY`,
    },
    {
      name: "VS Code (Cline)",
      code: `API Provider:  OpenAI Compatible
Base URL:      ${base}
API Key:       YOUR_KEY
Model ID:      ${model}`,
    },
    {
      name: "Zed",
      code: `// settings.json; Zed asks for the key (YOUR_KEY) under agent: open settings
"language_models": {
  "openai_compatible": {
    "Lull": {
      "api_url": "${base}",
      "available_models": [
        { "name": "${model}", "display_name": "Lull", "max_tokens": 32768 }
      ]
    }
  }
}`,
    },
    {
      name: "aider",
      code: `export OPENAI_API_BASE=${base}
export OPENAI_API_KEY=YOUR_KEY
aider --model openai/${model}`,
    },
  ];
}

function inServers(base: string, model: string): Tool[] {
  return [
    {
      name: "Open WebUI",
      code: `# Admin Panel > Settings > Connections > OpenAI API > Add
URL:  ${base}
Key:  YOUR_KEY

# or, before its first start
OPENAI_API_BASE_URL=${base} OPENAI_API_KEY=YOUR_KEY open-webui serve`,
    },
    {
      name: "LiteLLM",
      code: `# config.yaml
model_list:
  - model_name: lull
    litellm_params:
      model: openai/${model}
      api_base: ${base}
      api_key: YOUR_KEY`,
    },
  ];
}
