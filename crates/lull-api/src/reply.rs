use lull_types::{Answered, FinishReason, JobId, Token, TokenLogprob, Usage};
use serde::Serialize;

/// What every part of one answer repeats.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) fingerprint: String,
}

impl Frame {
    pub(crate) fn new(job: JobId, by: &Answered, model: String, created: u64) -> Self {
        Self { id: format!("chatcmpl-{job}"), created, model, fingerprint: format!("fp_{}", by.model.short()) }
    }
}

/// A whole answer.
#[derive(Serialize)]
pub(crate) struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    system_fingerprint: &'a str,
    choices: [Choice<'a>; 1],
    usage: Counts,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    message: Said<'a>,
    logprobs: Option<Logprobs>,
    finish_reason: FinishReason,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: &'a str,
    refusal: Option<&'static str>,
}

impl<'a> Completion<'a> {
    pub(crate) fn new(
        frame: &'a Frame,
        content: &'a str,
        logprobs: Option<Vec<Likely>>,
        finish_reason: FinishReason,
        usage: Usage,
    ) -> Self {
        let message = Said { role: "assistant", content, refusal: None };
        let logprobs = logprobs.map(|content| Logprobs { content, refusal: None });
        Self {
            id: &frame.id,
            object: "chat.completion",
            created: frame.created,
            model: &frame.model,
            system_fingerprint: &frame.fingerprint,
            choices: [Choice { index: 0, message, logprobs, finish_reason }],
            usage: usage.into(),
        }
    }
}

/// A piece of a streamed answer.
#[derive(Serialize)]
pub(crate) struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    system_fingerprint: &'a str,
    choices: Vec<Piece<'a>>,
    /// Absent unless asked for; then null in all pieces but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Counts>>,
}

#[derive(Serialize)]
pub(crate) struct Piece<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: Option<Logprobs>,
    finish_reason: Option<FinishReason>,
}

#[derive(Serialize, Default)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

impl<'a> Piece<'a> {
    pub(crate) fn first() -> Self {
        let delta = Delta { role: Some("assistant"), content: Some("") };
        Self { index: 0, delta, logprobs: None, finish_reason: None }
    }

    pub(crate) fn text(content: &'a str, likely: Option<Likely>) -> Self {
        let logprobs = likely.map(|likely| Logprobs { content: vec![likely], refusal: None });
        Self { index: 0, delta: Delta { role: None, content: Some(content) }, logprobs, finish_reason: None }
    }

    pub(crate) fn last(finish: FinishReason) -> Self {
        Self { index: 0, delta: Delta::default(), logprobs: None, finish_reason: Some(finish) }
    }
}

impl<'a> Chunk<'a> {
    pub(crate) fn new(frame: &'a Frame, piece: Option<Piece<'a>>, usage: Option<Option<Usage>>) -> Self {
        Self {
            id: &frame.id,
            object: "chat.completion.chunk",
            created: frame.created,
            model: &frame.model,
            system_fingerprint: &frame.fingerprint,
            choices: piece.into_iter().collect(),
            usage: usage.map(|usage| usage.map(Counts::from)),
        }
    }
}

#[derive(Serialize)]
struct Counts {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u64,
}

impl From<Usage> for Counts {
    fn from(usage: Usage) -> Self {
        let Usage { prompt_tokens, completion_tokens } = usage;
        Self { prompt_tokens, completion_tokens, total_tokens: u64::from(prompt_tokens) + u64::from(completion_tokens) }
    }
}

#[derive(Serialize)]
struct Logprobs {
    content: Vec<Likely>,
    refusal: Option<&'static str>,
}

/// A token and how likely it was, with the alternatives.
#[derive(Debug, Serialize)]
pub(crate) struct Likely {
    #[serde(flatten)]
    token: Alternative,
    top_logprobs: Vec<Alternative>,
}

#[derive(Debug, Serialize)]
struct Alternative {
    token: String,
    logprob: f32,
    bytes: Vec<u8>,
}

impl From<&TokenLogprob> for Alternative {
    fn from(likely: &TokenLogprob) -> Self {
        // JSON knows no minus infinity; OpenAI writes -9999 for it.
        let logprob = if likely.logprob.is_finite() { likely.logprob } else { -9999.0 };
        Self { token: String::from_utf8_lossy(&likely.bytes).into_owned(), logprob, bytes: likely.bytes.clone() }
    }
}

impl Likely {
    pub(crate) fn of(token: &Token) -> Option<Self> {
        let own = token.logprob.as_ref()?;
        Some(Self { token: own.into(), top_logprobs: token.top.iter().map(Alternative::from).collect() })
    }
}
