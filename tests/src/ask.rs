use std::path::Path;

use lull_node::{NodeApi as _, RemoteNode};
use lull_types::{
    Answered, ChatEvent, ChatRequest, Code, Fault, FinishReason, JobId, JobTimings, Label, Message, Role, Sampling,
    Usage,
};

/// A whole answer, and how it came.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its text.
    pub text: String,
    /// Its token ids.
    pub ids: Vec<u32>,
    /// The job.
    pub job: JobId,
    /// Who answered.
    pub by: Answered,
    /// Why it ended.
    pub finish: FinishReason,
    /// What it cost.
    pub usage: Usage,
    /// Where the time went.
    pub timings: JobTimings,
}

/// One greedy question to `lull-demo`.
#[must_use]
pub fn question(text: &str) -> ChatRequest {
    ChatRequest {
        model: "lull-demo".into(),
        messages: vec![Message { role: Role::User, content: text.into() }],
        label: Label::default(),
        sampling: Sampling { temperature: 0.0, ..Sampling::default() },
    }
}

/// A question whose answer goes on for about `tokens` tokens: the end-of-answer token is forbidden.
#[must_use]
pub fn long_question(text: &str, tokens: u32) -> ChatRequest {
    let mut request = question(text);
    request.sampling.max_tokens = tokens;
    request.sampling.bias = END_IDS.map(|id| (id, -100.0)).to_vec();
    request
}

/// The special tokens of `lull-demo`, which end an answer.
const END_IDS: [u32; 3] = [0, 1, 2];

/// Asks through the node at `home` and waits for the whole answer, showing each piece to `on_event` as it comes.
///
/// # Errors
/// What the node answers instead.
pub async fn ask(home: &Path, request: ChatRequest, mut on_event: impl FnMut(&ChatEvent)) -> Result<Answer, Fault> {
    let node = RemoteNode::connect(home).await?;
    let mut chat = node.chat(request).await?;
    let (mut text, mut ids, mut lender) = (String::new(), Vec::new(), None);
    while let Some(event) = chat.next().await {
        on_event(&event);
        text.push_str(event.text());
        match event {
            ChatEvent::Started { job, by } => lender = Some((job, by)),
            ChatEvent::Token(token) => ids.push(token.id),
            ChatEvent::Failed(fault) => return Err(fault),
            ChatEvent::Done { finish, usage, timings } => {
                let (job, by) = lender.ok_or_else(|| broken("an answer without a lender"))?;
                return Ok(Answer { text, ids, job, by, finish, usage, timings });
            }
            ChatEvent::Queued { .. } | ChatEvent::Tail { .. } => {}
        }
    }
    Err(broken("the answer broke off without a word"))
}

fn broken(text: &str) -> Fault {
    Fault::new(Code::Internal, text)
}

impl Answer {
    /// Tokens per second after the first one.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a speed for people")]
    pub fn speed(&self) -> Option<f64> {
        let rest_us = self.timings.total_us.checked_sub(self.timings.first_token_us).filter(|&us| us > 0)?;
        let later = self.usage.completion_tokens.checked_sub(1).filter(|&tokens| tokens > 0)?;
        Some(f64::from(later) / (rest_us as f64 / 1e6))
    }

    /// From asking to the first token, in milliseconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a time for people")]
    pub fn first_ms(&self) -> f64 {
        self.timings.first_token_us as f64 / 1e3
    }
}
