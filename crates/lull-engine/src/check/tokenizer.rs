use std::{collections::HashSet, path::Path};

use lull_types::Fault;
use serde_json::Value;

use super::{JSON_BYTES_MAX, TOKENIZER_BYTES_MAX, broken, json};

/// What `tokenizer.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    /// One more than the highest id.
    pub size: u32,
    /// Tokens beside the ordinary vocabulary.
    pub added: Vec<Added>,
    /// Whether the very first space of a text was put there by the tokeniser and is not text.
    pub strips_first_space: bool,
}

/// A token beside the ordinary vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Its id.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// Whether it is a control token, which writes nothing.
    pub special: bool,
}

/// The largest vocabulary that is believed, in tokens.
const TOKENS_MAX: u64 = 4 << 20;

pub(super) fn check(folder: &Path, names: &[String]) -> Result<Tokens, Fault> {
    let path = folder.join("tokenizer.json");
    if !names.iter().any(|name| name == "tokenizer.json") {
        return Err(broken(
            &path,
            "the file is missing; put the one that was published with the model beside the weights and import again \
             (a tokeniser rebuilt from GGUF metadata would differ from it)",
        ));
    }
    let tokenizer = json(&path, TOKENIZER_BYTES_MAX)?;
    let (texts, mut size) = vocabulary(&path, &tokenizer)?;
    let added = added(&path, &tokenizer)?;
    size = added.iter().map(|added| added.id + 1).max().unwrap_or(0).max(size);
    let mut steps = Vec::new();
    decoders(tokenizer.get("decoder").unwrap_or(&Value::Null), 0, &mut steps);
    let is = |step: &&Value, name: &str| step.get("type").and_then(Value::as_str) == Some(name);
    if !steps.iter().any(|step| is(step, "ByteLevel") || is(step, "ByteFallback")) {
        return Err(broken(
            &path,
            "it decodes neither by bytes (ByteLevel) nor with a fallback to bytes (ByteFallback)",
        ));
    }
    let strips = |step: &&Value| {
        let starts = step.get("start").and_then(Value::as_u64).unwrap_or(0) > 0;
        (is(step, "Strip") && starts && step.get("content").and_then(Value::as_str) == Some(" "))
            || (is(step, "Metaspace") && step.get("prepend_scheme").and_then(Value::as_str) != Some("never"))
    };
    let strips_first_space = steps.iter().any(strips);
    let known = |text: &str| texts.contains(text) || added.iter().any(|added| added.text == text);
    config(folder, names, known)?;
    Ok(Tokens { size, added, strips_first_space })
}

fn vocabulary<'a>(path: &Path, tokenizer: &'a Value) -> Result<(HashSet<&'a str>, u32), Fault> {
    let mut texts = HashSet::new();
    let mut highest = None;
    match tokenizer.pointer("/model/vocab") {
        Some(Value::Object(vocab)) => {
            for (text, id) in vocab {
                let id = id.as_u64().filter(|&id| id < TOKENS_MAX);
                highest =
                    highest.max(Some(id.ok_or_else(|| broken(path, "a token's id is not a number or too high"))?));
                texts.insert(text.as_str());
            }
        }
        Some(Value::Array(vocab)) if (vocab.len() as u64) < TOKENS_MAX => {
            texts.extend(vocab.iter().filter_map(|entry| entry.get(0).and_then(Value::as_str)));
            highest = (vocab.len() as u64).checked_sub(1);
        }
        _ => {}
    }
    match highest {
        Some(highest) => Ok((texts, highest as u32 + 1)),
        None => Err(broken(path, "it has no vocabulary; it is not a Hugging Face tokeniser")),
    }
}

fn added(path: &Path, tokenizer: &Value) -> Result<Vec<Added>, Fault> {
    let Some(list) = tokenizer.get("added_tokens").and_then(Value::as_array) else { return Ok(Vec::new()) };
    let each = |token: &Value| {
        Some(Added {
            id: token.get("id")?.as_u64().filter(|&id| id < TOKENS_MAX)? as u32,
            text: token.get("content")?.as_str()?.to_owned(),
            special: token.get("special").and_then(Value::as_bool).unwrap_or(false),
        })
    };
    let added: Option<Vec<Added>> = list.iter().map(each).collect();
    added.ok_or_else(|| broken(path, "an added token has no text or no proper id"))
}

/// How deep decoders may nest.
const DEPTH_MAX: u32 = 4;

fn decoders<'a>(decoder: &'a Value, depth: u32, steps: &mut Vec<&'a Value>) {
    match decoder.get("decoders").and_then(Value::as_array) {
        Some(list) if depth < DEPTH_MAX => list.iter().for_each(|step| decoders(step, depth + 1, steps)),
        _ => steps.push(decoder),
    }
}

fn config(folder: &Path, names: &[String], known: impl Fn(&str) -> bool) -> Result<(), Fault> {
    let path = folder.join("tokenizer_config.json");
    let config = json(&path, JSON_BYTES_MAX)?;
    let template = match config.get("chat_template") {
        Some(Value::String(template)) => !template.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        _ => names.iter().any(|name| name == "chat_template.jinja"),
    };
    if !template {
        return Err(broken(&path, "there is no chat template; this is not a chat model, or the file is incomplete"));
    }
    let end = config.get("eos_token").and_then(|token| token.as_str().or_else(|| token.get("content")?.as_str()));
    match end {
        None => Err(broken(&path, "it does not say which token ends an answer (eos_token)")),
        Some(end) if !known(end) => {
            let end: String = end.chars().take(40).collect();
            Err(broken(&path, format!("its eos_token \"{end}\" is not in tokenizer.json")))
        }
        Some(_) => Ok(()),
    }
}
