/** A tool and what is typed or pasted into it. */
export type Tool = { name: string; code: string };

/** Copy and paste for tools that speak chat completions, which is what the local API has. */
export function snippets(base: string, model: string): Tool[] {
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
    {
      name: "llm",
      code: `# extra-openai-models.yaml in the folder of llm
- model_id: lull
  model_name: ${model}
  api_base: "${base}"
  api_key_name: lull

# then
llm keys set lull
llm -m lull "Hello"`,
    },
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
      name: "LangChain",
      code: `from langchain_openai import ChatOpenAI

llm = ChatOpenAI(base_url="${base}", api_key="YOUR_KEY", model="${model}")
print(llm.invoke("Hello").content)`,
    },
  ];
}
