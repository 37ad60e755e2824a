use lull_types::{Message, Role};
use serde_json::value::RawValue;

use crate::{
    error::ApiError,
    fields::{Fields, OBJECT},
};

/// The most messages of one conversation.
const MESSAGES_MAX: usize = 4096;
/// The most parts of one message.
const PARTS_MAX: usize = 1024;
/// What a message's content must be, in an error's words.
const CONTENT: &str = "a text or a list of parts";

/// The conversation in `messages`.
pub(crate) fn take(fields: &mut Fields<'_>) -> Result<Vec<Message>, ApiError> {
    let text = fields.raw("messages").ok_or_else(|| ApiError::missing("messages"))?;
    let raw: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|_| ApiError::mistyped("messages", "a list of messages"))?;
    if raw.is_empty() || raw.len() > MESSAGES_MAX {
        let message = format!("\"messages\" has {} messages; 1 to {MESSAGES_MAX} are possible.", raw.len());
        return Err(ApiError::invalid("messages", message));
    }
    raw.iter().enumerate().map(|(number, raw)| message(number, raw.get())).collect()
}

fn message(number: usize, text: &str) -> Result<Message, ApiError> {
    let at = format!("messages[{number}]");
    let mut fields = Fields::parse(text, &format!("{at}.")).map_err(|_| ApiError::mistyped(&at, OBJECT))?;
    let name: String = fields.need("role")?;
    let role = match name.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => {
            let message = "Messages of tools are not supported yet.";
            return Err(ApiError::unsupported(&fields.path("role"), message));
        }
        _ => {
            let message = "A role is one of \"system\", \"developer\", \"user\" and \"assistant\".";
            return Err(ApiError::invalid(&fields.path("role"), message));
        }
    };
    let content = content(&mut fields)?;
    fields.refuse("name", "names of speakers do not reach the model")?;
    if role == Role::Assistant {
        // What a client got from an answer it may send back as it is.
        for name in ["tool_calls", "function_call", "audio", "refusal"] {
            fields.refuse(name, "an assistant's message is text only")?;
        }
        if fields.take::<Vec<serde::de::IgnoredAny>>("annotations")?.is_some_and(|list| !list.is_empty()) {
            let path = fields.path("annotations");
            return Err(ApiError::unsupported(&path, "Annotations are not supported yet."));
        }
    }
    fields.finish()?;
    Ok(Message { role, content })
}

fn content(fields: &mut Fields<'_>) -> Result<String, ApiError> {
    let at = fields.path("content");
    let text = fields.raw("content").ok_or_else(|| ApiError::missing(&at))?;
    if !text.starts_with('[') {
        return serde_json::from_str(text).map_err(|_| ApiError::mistyped(&at, CONTENT));
    }
    let parts: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| ApiError::mistyped(&at, CONTENT))?;
    if parts.is_empty() || parts.len() > PARTS_MAX {
        let message = format!("\"{at}\" has {} parts; 1 to {PARTS_MAX} are possible.", parts.len());
        return Err(ApiError::invalid(&at, message));
    }
    let mut whole = String::new();
    for (number, part) in parts.iter().enumerate() {
        let at = format!("{at}[{number}]");
        let mut fields = Fields::parse(part.get(), &format!("{at}.")).map_err(|_| ApiError::mistyped(&at, OBJECT))?;
        let kind: String = fields.need("type")?;
        if kind != "text" {
            let message = "Only parts of the type \"text\" are supported yet.";
            return Err(ApiError::unsupported(&fields.path("type"), message));
        }
        whole += &fields.need::<String>("text")?;
        fields.finish()?;
    }
    Ok(whole)
}
