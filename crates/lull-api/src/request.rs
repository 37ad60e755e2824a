use std::collections::BTreeMap;

use lull_types::{ChatRequest, Label};
use serde::Deserialize;

use crate::{
    error::ApiError,
    fields::{Fields, OBJECT, Plain},
    messages, params,
};

/// The longest name of a model, in bytes.
const MODEL_BYTES_MAX: usize = 256;
/// The longest `user`, in bytes.
const USER_BYTES_MAX: usize = 512;
/// The most that is repeated of what a JSON reader says, in characters.
const ERROR_CHARS_MAX: usize = 200;
/// OpenAI's bounds of `metadata`: pairs, and bytes of key and value.
const METADATA_MAX: (usize, usize, usize) = (16, 64, 512);
/// What OpenAI has and Lull not yet, and why.
const NOT_YET: [(&str, &str); 17] = [
    ("tools", "the model cannot call tools."),
    ("tool_choice", "the model cannot call tools."),
    ("parallel_tool_calls", "the model cannot call tools."),
    ("functions", "the model cannot call functions."),
    ("function_call", "the model cannot call functions."),
    ("modalities", "answers are text."),
    ("audio", "answers are text."),
    ("prediction", "there is no speculative decoding."),
    ("reasoning_effort", "models reason as they were trained."),
    ("verbosity", "models answer as they were trained."),
    ("service_tier", "there is one tier."),
    ("web_search_options", "models do not search."),
    ("prompt_cache_key", "prompts are not cached."),
    ("prompt_cache_retention", "prompts are not cached."),
    ("safety_identifier", "use \"user\"."),
    ("moderation", "answers are not moderated."),
    ("best_of", "there is one answer."),
];

/// A chat completion, as it was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) chat: ChatRequest,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
}

/// Reads a request's body. Every field is understood or refused by name.
pub(crate) fn parse(body: &[u8], label: Label) -> Result<Asked, ApiError> {
    let text = std::str::from_utf8(body).map_err(|_| ApiError::malformed("The body is not UTF-8."))?;
    let mut fields = Fields::parse(text, "").map_err(|error| {
        // A body that is one long text would come back whole.
        let error: String = error.to_string().chars().take(ERROR_CHARS_MAX).collect();
        ApiError::malformed(format!("The body is not the JSON object it should be: {error}."))
    })?;
    let model: String = fields.need("model")?;
    if model.is_empty() || model.len() > MODEL_BYTES_MAX {
        let message = format!("\"model\" has {} bytes; 1 to {MODEL_BYTES_MAX} are possible.", model.len());
        return Err(ApiError::invalid("model", message));
    }
    let messages = messages::take(&mut fields)?;
    let sampling = params::sampling(&mut fields)?;
    let stream = fields.take("stream")?.unwrap_or(false);
    let include_usage = stream_options(&mut fields, stream)?;
    without_effect(&mut fields)?;
    NOT_YET.iter().try_for_each(|(name, why)| fields.refuse(name, why))?;
    fields.finish()?;
    Ok(Asked { chat: ChatRequest { model, messages, label, sampling }, stream, include_usage })
}

fn stream_options(fields: &mut Fields<'_>, stream: bool) -> Result<bool, ApiError> {
    let Some(text) = fields.raw("stream_options") else { return Ok(false) };
    if !stream {
        return Err(ApiError::invalid("stream_options", "\"stream_options\" needs \"stream\": true."));
    }
    let mut options =
        Fields::parse(text, "stream_options.").map_err(|_| ApiError::mistyped("stream_options", OBJECT))?;
    let include_usage = options.take("include_usage")?.unwrap_or(false);
    if options.take("include_obfuscation")? == Some(true) {
        let message = "Padding is not supported here: the stream does not leave this machine.";
        return Err(ApiError::unsupported("stream_options.include_obfuscation", message));
    }
    options.finish()?;
    Ok(include_usage)
}

/// What changes nothing in an answer by OpenAI's own definition, or asks for what is so anyway.
fn without_effect(fields: &mut Fields<'_>) -> Result<(), ApiError> {
    if fields.take::<u64>("n")?.is_some_and(|count| count != 1) {
        return Err(ApiError::unsupported("n", "Only one answer at a time is supported yet: \"n\" must be 1."));
    }
    if fields.take::<String>("user")?.is_some_and(|user| user.len() > USER_BYTES_MAX) {
        return Err(ApiError::invalid("user", format!("\"user\" has at most {USER_BYTES_MAX} bytes.")));
    }
    if fields.take::<bool>("store")? == Some(true) {
        return Err(ApiError::unsupported("store", "Answers are not stored: \"store\" must be false."));
    }
    let (pairs, key, value) = METADATA_MAX;
    let fits = |metadata: &BTreeMap<String, String>| {
        metadata.len() <= pairs && metadata.iter().all(|(name, text)| name.len() <= key && text.len() <= value)
    };
    if fields.take("metadata")?.is_some_and(|metadata| !fits(&metadata)) {
        let message = format!("\"metadata\" has at most {pairs} texts of {value} bytes under names of {key} bytes.");
        return Err(ApiError::invalid("metadata", message));
    }
    response_format(fields)
}

fn response_format(fields: &mut Fields<'_>) -> Result<(), ApiError> {
    #[derive(Deserialize)]
    struct Format {
        r#type: String,
    }
    impl Plain for Format {
        const EXPECTED: &'static str = "an object such as {\"type\": \"text\"}";
    }
    match fields.take::<Format>("response_format")? {
        Some(format) if format.r#type != "text" => Err(ApiError::unsupported(
            "response_format",
            "\"response_format\" is not supported yet, except for {\"type\": \"text\"}.",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use lull_types::Sampling;
    use proptest::prelude::*;

    use super::*;

    const BODY: &str = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],
        "temperature":0.5,"top_p":1,"top_k":3,"min_p":0.1,"frequency_penalty":1,"presence_penalty":1,"seed":-7,
        "repetition_penalty":1.1,"logit_bias":{"1":-1},"max_tokens":5,"stop":["x"],"logprobs":true,"top_logprobs":2,
        "stream":true,"stream_options":{"include_usage":true},"n":1,"user":"u","metadata":{"a":"b"},"store":false}"#;

    fn within_bounds(sampling: &Sampling) -> bool {
        (0.0..=2.0).contains(&sampling.temperature)
            && (f32::MIN_POSITIVE..=1.0).contains(&sampling.top_p)
            && (0.0..=1.0).contains(&sampling.min_p)
            && (-2.0..=2.0).contains(&sampling.frequency_penalty)
            && (-2.0..=2.0).contains(&sampling.presence_penalty)
            && (0.01..=100.0).contains(&sampling.repetition_penalty)
            && sampling.bias.iter().all(|(_, bias)| (-100.0..=100.0).contains(bias))
            && (1..=Sampling::MAX_TOKENS_MAX).contains(&sampling.max_tokens)
            && sampling.stop.len() <= Sampling::STOPS_MAX
            && sampling.logprobs.is_none_or(|top| top <= Sampling::LOGPROBS_MAX)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_mutated_body_is_refused_or_within_bounds(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), "[ -~]{0,3}", 0_usize..4), 0..3)
        ) {
            let mut body = BODY.to_owned();
            for (at, text, cut) in changes {
                let at = at.index(body.len());
                body.replace_range(at..(at + cut).min(body.len()), &text);
            }
            if let Ok(asked) = parse(body.as_bytes(), Label::default()) {
                prop_assert!(within_bounds(&asked.chat.sampling), "{body}");
            }
        }

        #[test]
        fn any_bytes_are_judged(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body, Label::default());
        }
    }

    #[test]
    fn a_body_that_is_one_text_does_not_come_back_whole() {
        let body = format!("\"{}\"", "a".repeat(100_000));
        let error = parse(body.as_bytes(), Label::default()).unwrap_err().json();
        assert!(error.len() < 500, "{} bytes", error.len());
    }

    #[test]
    fn the_body_without_changes_is_sound() {
        assert!(parse(BODY.as_bytes(), Label::default()).is_ok());
    }
}
