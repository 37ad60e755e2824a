//! `tokenizer_config.json` and the chat template, from whichever file holds it.

use std::{collections::HashSet, fs::File, io::Read, path::Path};

use lull_types::Fault;
use serde_json::Value;

use super::{broken, has, json, shown};
use crate::template::{Chat, TEMPLATE_BYTES_MAX};

/// Checks both, given the texts of all tokens; gives what renders a conversation.
pub(super) fn check(folder: &Path, names: &[String], texts: &HashSet<String>) -> Result<Chat, Fault> {
    let path = folder.join("tokenizer_config.json");
    let config = json::read(&path, json::SETTINGS)?;
    let template = match template(folder, names, &config)? {
        Some(template) if !template.trim().is_empty() => template,
        _ => {
            let what = "there is no chat template; this is not a chat model, or the file is incomplete";
            return Err(broken(&path, what));
        }
    };
    if template.len() > TEMPLATE_BYTES_MAX {
        return Err(broken(&path, format!("its chat template is longer than {} KiB", TEMPLATE_BYTES_MAX >> 10)));
    }
    let token = |name: &str| match config.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(token) => match token.as_str().or_else(|| token.get("content")?.as_str()) {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(broken(&path, format!("its {name} is not a token"))),
        },
    };
    if config.get("model_max_length").is_some_and(|length| !length.is_null() && !length.is_number()) {
        return Err(broken(&path, "its model_max_length is not a number"));
    }
    let eos_token = token("eos_token")?;
    match &eos_token {
        None => return Err(broken(&path, "it does not say which token ends an answer (eos_token)")),
        Some(end) if !texts.contains(end) => {
            return Err(broken(&path, format!("its eos_token \"{}\" is not in tokenizer.json", shown(end))));
        }
        Some(_) => {}
    }
    Ok(Chat { template, bos_token: token("bos_token")?, eos_token, unk_token: token("unk_token")? })
}

/// The template, in the order in which mistral.rs looks for it.
fn template(folder: &Path, names: &[String], config: &Value) -> Result<Option<String>, Fault> {
    if has(names, "chat_template.jinja") {
        return text(&folder.join("chat_template.jinja")).map(Some);
    }
    let path = folder.join("tokenizer_config.json");
    match config.get("chat_template") {
        None | Some(Value::Null) if has(names, "chat_template.json") => {
            let path = folder.join("chat_template.json");
            let file = json::read(&path, json::SETTINGS)?;
            let template = file.get("chat_template").and_then(Value::as_str);
            template.map(|text| Some(text.to_owned())).ok_or_else(|| broken(&path, "it holds no chat template"))
        }
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(template)) => Ok(Some(template.clone())),
        Some(Value::Array(list)) => of_list(list).map_err(|what| broken(&path, what)),
        Some(_) => Err(broken(&path, "its chat template is neither a text nor a list of texts")),
    }
}

/// The template of a list that is for ordinary conversations.
fn of_list(list: &[Value]) -> Result<Option<String>, &'static str> {
    let mut found = None;
    for entry in list {
        let texts = entry.as_object().filter(|entry| entry.values().all(Value::is_string));
        let entry = texts.ok_or("an entry of its list of chat templates is not a table of texts")?;
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        if let Some(name) = text("name") {
            found = Some(text("template").ok_or("an entry of its list of chat templates has no template")?);
            if name == "default" {
                break;
            }
        } else if let Some(template) = text("default") {
            found = Some(template);
            break;
        }
    }
    Ok(found.map(str::to_owned))
}

fn text(path: &Path) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(TEMPLATE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| broken(path, format!("it cannot be read: {error}")))?;
    String::from_utf8(bytes).map_err(|_| broken(path, "it is not text"))
}
