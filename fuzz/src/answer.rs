//! One answer, followed by the node's own checks, with all that must hold of whatever they let through.

use lull_engine::{
    EngineInfo, GenerateRequest, Step, WorkerInfo,
    fuzzing::{Following, Heard},
    protocol::{FromWorker, TEXT_BYTES_MAX},
};
use lull_types::{Layers, Sampling};

/// The number of the answer.
pub(crate) const JOB: u64 = 1;
/// Tokens of the vocabulary.
pub(crate) const VOCABULARY: u32 = 16;
/// The longest prompt and answer, in tokens.
pub(crate) const CONTEXT: u32 = 32;
/// The longest answer, in tokens.
pub(crate) const TOKENS_MAX: u32 = 8;

/// The answer so far.
pub(crate) struct Followed {
    following: Following,
    prefix: u32,
    logprobs: Option<u8>,
    prefilled: bool,
    next: u32,
}

impl Followed {
    /// A fresh one; `kind` says how many tokens were there before, and whether probabilities are asked for.
    pub(crate) fn new(kind: u8) -> Self {
        let prefix = u32::from(kind % 4);
        let logprobs = [None, Some(0), Some(2)][usize::from(kind / 4) % 3];
        let sampling = Sampling { max_tokens: TOKENS_MAX, logprobs, ..Sampling::default() };
        let request = GenerateRequest { messages: Vec::new(), sampling, prefix: (0..prefix).collect() };
        let info = WorkerInfo {
            engine: EngineInfo { name: "fuzzed".into(), context: CONTEXT },
            build: "fuzzed".into(),
            context: CONTEXT,
            vocabulary: VOCABULARY,
            ends: vec![2],
            layers: Layers::new(),
            shortfalls: Vec::new(),
            pid: 1,
            loaded_in: std::time::Duration::ZERO,
        };
        let following = Following::new(JOB, &request, &info);
        Self { following, prefix, logprobs, prefilled: false, next: prefix }
    }

    /// Whether the answer goes on after this frame.
    pub(crate) fn goes_on(&mut self, frame: FromWorker) -> bool {
        match self.following.hear(frame) {
            Ok(Heard::Nothing) => true,
            Ok(Heard::Step(step)) => self.step(step),
            Ok(Heard::Failed(fault)) => {
                assert!(!fault.message.contains(char::is_control), "a fault holds control characters");
                false
            }
            Ok(Heard::Cancelled) => false,
            Err(what) => {
                assert!(what.len() < 400, "{} bytes of what a worker said are repeated", what.len());
                false
            }
        }
    }

    fn step(&mut self, step: Step) -> bool {
        match step {
            Step::Prefilled { prompt_tokens, .. } => {
                assert!(!std::mem::replace(&mut self.prefilled, true) && prompt_tokens < CONTEXT);
                true
            }
            Step::Token(token) => {
                assert!(self.prefilled && token.position == self.next && self.next < TOKENS_MAX);
                assert!(token.id < VOCABULARY && token.text.len() <= TEXT_BYTES_MAX);
                assert_eq!(token.logprob.is_some(), self.logprobs.is_some());
                assert!(token.top.len() <= usize::from(self.logprobs.unwrap_or(0)));
                let all = token.logprob.iter().chain(&token.top);
                assert!(all.into_iter().all(|of| of.id < VOCABULARY && of.logprob.is_finite()));
                self.next += 1;
                true
            }
            Step::Done { usage, tail, .. } => {
                assert!(self.prefilled && tail.len() <= TEXT_BYTES_MAX && usage.prompt_tokens < CONTEXT);
                let grown = self.next > self.prefix;
                assert!(usage.completion_tokens <= self.next && (!grown || usage.completion_tokens == self.next));
                false
            }
        }
    }
}
