//! Our own rendering of chat templates gives the tokens that mistral.rs' own gives.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use either::Either;
use lull_engine::{check, template::Template};
use lull_types::{Message, Role};
use mistralrs::{DeviceMapSetting, GgufModelBuilder, Model, Request, TokenSource, core::TokenizationRequest};
use serde_json::{Value, json};
use tokio::sync::mpsc;

const ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../lull-engine/tests/templates");
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../lull-models/demo");
const GGUF: &str = "lull-demo.Q8_0.gguf";

/// The demo model with another template.
fn write(folder: &Path, template: Option<&str>) {
    for name in [GGUF, "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(Path::new(DEMO).join(name), folder.join(name)).unwrap();
    }
    if let Some(template) = template {
        let path = folder.join("tokenizer_config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config["chat_template"] = json!(template);
        fs::write(path, config.to_string()).unwrap();
    }
}

async fn load(folder: &Path) -> Model {
    let id = folder.to_string_lossy();
    let builder = GgufModelBuilder::new(&id, vec![GGUF])
        .with_tok_model_id(&id)
        .with_token_source(TokenSource::None)
        .with_force_cpu()
        .with_device_mapping(DeviceMapSetting::dummy());
    builder.build().await.unwrap()
}

/// What is to be tokenised: a conversation, through mistral.rs' own template, or a text.
enum Text<'a> {
    Conversation(&'a [Message]),
    Rendered(String),
}

async fn ids(model: &Model, text: Text<'_>) -> Option<Vec<u32>> {
    let entry = |name: &str, text: &str| (name.to_owned(), Either::Left(text.to_owned()));
    let turn = |message: &Message| {
        let role = match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        [entry("role", role), entry("content", &message.content)].into_iter().collect()
    };
    let (response, mut answer) = mpsc::channel(1);
    let request = Request::Tokenize(TokenizationRequest {
        text: match text {
            Text::Conversation(messages) => Either::Left(messages.iter().map(turn).collect()),
            Text::Rendered(text) => Either::Right(text),
        },
        tools: None,
        add_generation_prompt: true,
        add_special_tokens: true,
        enable_thinking: None,
        reasoning_effort: None,
        response,
    });
    model.inner().get_sender(None).unwrap().send(request).await.unwrap();
    answer.recv().await.unwrap().ok()
}

/// A folder that is taken away again. This workspace has no crate for that: another one would have the whole engine
/// built anew for the tests.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lull-templates-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn conversations() -> Vec<Vec<Message>> {
    let of = |turns: &[(Role, &str)]| {
        turns.iter().map(|&(role, content)| Message { role, content: content.into() }).collect::<Vec<_>>()
    };
    use Role::{Assistant, System, User};
    vec![
        of(&[(User, "What is Lull?")]),
        of(&[
            (User, "  a\n\nb  "),
            (Assistant, "<think>\nhm\n</think>\n\nSo it is."),
            (User, "Grüße, 你好 🌙 <|im_end|>"),
        ]),
        of(&[(System, "Be brief.\n"), (User, "{{ 7 * 7 }} & 'x' \"y\" <b>"), (Assistant, ""), (User, "\t")]),
        of(&[(Assistant, "first"), (System, "late"), (User, "")]),
        of(&[(User, "one"), (User, "two")]),
        of(&[]),
    ]
}

#[tokio::test]
async fn a_template_renders_as_in_mistral_rs() {
    let mut templates: Vec<Option<String>> = vec![None];
    for entry in fs::read_dir(ENGINE).unwrap() {
        templates.push(Some(fs::read_to_string(entry.unwrap().path()).unwrap()));
    }
    assert!(templates.len() > 8);
    let (mut same, mut refused) = (0, 0);
    for (number, template) in templates.into_iter().enumerate() {
        let folder = Scratch::new(&number.to_string());
        write(&folder.0, template.as_deref());
        let model = load(&folder.0).await;
        let ours = Template::new(check::folder(&folder.0).unwrap().chat, || panic!("late")).unwrap();
        for messages in conversations() {
            let theirs = ids(&model, Text::Conversation(&messages)).await;
            match (theirs, ours.render(&messages)) {
                (None, Err(_)) => refused += 1,
                (Some(theirs), Ok(text)) => {
                    assert_eq!(ids(&model, Text::Rendered(text.clone())).await, Some(theirs), "{text}");
                    same += 1;
                }
                (theirs, ours) => panic!("{template:?} with {messages:?}: {theirs:?}, {ours:?}"),
            }
        }
    }
    println!("{same} renderings the same, {refused} refused by both");
    assert!(same > 30 && refused > 5, "{same}, {refused}");
}
