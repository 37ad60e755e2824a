use lull_types::{ModelView, StatusView};
use serde::Serialize;

use crate::{Lang, words};

/// A model that every dedicated node has.
const DEMO_MODEL: &str = "lull-demo";
/// What stands where the key belongs.
const KEY: &str = "YOUR_KEY";

/// How other programs reach the pool through this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectPage {
    /// The address for other programs; `None`: it is not open.
    pub base_url: Option<String>,
    /// What to know: how to get a key, or what to do where the address is not open.
    pub note: &'static str,
    /// To be copied; none while the address is not open.
    pub snippets: Vec<Snippet>,
}

/// A text to copy into a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// Which tool.
    pub title: &'static str,
    /// The text.
    pub code: String,
}

/// The page from the node's word and the models that it knows.
#[must_use]
pub fn connect(lang: Lang, status: &StatusView, models: &[ModelView]) -> ConnectPage {
    let Some(base) = status.api.as_deref().filter(|base| is_plain(base)) else {
        return ConnectPage { base_url: None, note: words::connect_closed(lang), snippets: Vec::new() };
    };
    let usable = models.iter().find(|model| model.lenders > 0 && is_plain(&model.name));
    let model = usable.map_or(DEMO_MODEL, |model| &model.name);
    let snippet = |title, code| Snippet { title, code };
    let snippets = vec![
        snippet(words::snippet_shell(lang), format!("export OPENAI_BASE_URL={base}\nexport OPENAI_API_KEY={KEY}\n")),
        snippet(words::snippet_curl(lang), curl(base, model)),
        snippet(words::snippet_python(lang), python(base, model)),
        snippet(words::snippet_javascript(lang), javascript(base, model)),
    ];
    ConnectPage { base_url: Some(base.into()), note: words::connect_key(lang), snippets }
}

/// Whether a text means itself in a shell and in a quoted string: a model's name is somebody else's choice.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
}

fn curl(base: &str, model: &str) -> String {
    format!(
        "curl {base}/chat/completions \\\n  -H 'Authorization: Bearer {KEY}' \\\n  \
         -H 'Content-Type: application/json' \\\n  \
         -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'\n"
    )
}

fn python(base: &str, model: &str) -> String {
    format!(
        "from openai import OpenAI\n\nclient = OpenAI(base_url=\"{base}\", api_key=\"{KEY}\")\n\
         answer = client.chat.completions.create(\n    model=\"{model}\",\n    \
         messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}],\n)\nprint(answer.choices[0].message.content)\n"
    )
}

fn javascript(base: &str, model: &str) -> String {
    format!(
        "import OpenAI from \"openai\";\n\nconst client = new OpenAI({{ baseURL: \"{base}\", apiKey: \"{KEY}\" }});\n\
         const answer = await client.chat.completions.create({{\n  model: \"{model}\",\n  \
         messages: [{{ role: \"user\", content: \"Hello\" }}],\n}});\nconsole.log(answer.choices[0].message.content);\n"
    )
}
