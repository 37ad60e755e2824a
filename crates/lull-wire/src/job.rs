//! A job's own stream, spliced by the relay: a header that the relay reads, then sealed frames that it cannot.

use lull_types::{
    Code, Epoch, Fault, FinishReason, JobId, Label, Message, ModelHash, NodeId, Pseudonym, Sampling, Token, Usage,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Document, Signed, identity::Membership};

/// The longest header, in bytes.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// The longest sealed question, in bytes, padding and seal included.
pub const QUESTION_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The longest sealed answer frame, in bytes, padding and seal included.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long a grant may wait for its stream, in seconds.
pub const GRANT_OPEN_S: u64 = 30;
/// How far two machines' clocks may differ, in seconds.
pub const CLOCK_SKEW_S: u64 = 300;

/// The relay's permission to use a reserved slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The job.
    pub job: JobId,
    /// The run.
    pub epoch: Epoch,
    /// The node that runs it.
    pub lender: NodeId,
    /// What the lender said when it accepted.
    #[serde(with = "serde_bytes")]
    pub nonce: [u8; 16],
    /// The exact model.
    pub model: ModelHash,
    /// Its class of data.
    pub label: Label,
    /// Who asks, as the lender may know it.
    pub pseudonym: Pseudonym,
    /// The X25519 key that the question must be sealed with.
    #[serde(with = "serde_bytes")]
    pub submitter_key: [u8; 32],
    /// When the permission ends, in seconds since 1970.
    pub not_after_s: u64,
}

impl Document for Grant {
    const DOMAIN: &'static str = "lull grant 1";
}

/// The first frame on a job's stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobHeader {
    /// The permission.
    pub grant: Signed<Grant>,
}

/// Inside the sealed frame from submitter to lender: the job itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The conversation.
    pub messages: Vec<Message>,
    /// How to choose tokens.
    pub sampling: Sampling,
    /// The token ids accepted so far; the answer goes on after them.
    pub prefix: Vec<u32>,
    /// Who asks, as root knows them: a lender believes nobody else about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asker: Option<Asker>,
}

/// Whoever asks, and their proof that it is them, for one grant only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// Leads to root.
    pub membership: Membership,
    /// The member key's signature over [`asker_proof`].
    #[serde(with = "serde_bytes")]
    pub proof: [u8; 64],
}

/// What whoever asks signs: the very grant that they were given.
#[must_use]
pub fn asker_proof(grant: &Signed<Grant>) -> Vec<u8> {
    [b"lull asker proof 1\0".as_slice(), grant.bytes()].concat()
}

/// A lender's word on what it answered, for whoever asked. Inside the seal: the relay never sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerStatement {
    /// The job.
    pub job: JobId,
    /// The run.
    pub epoch: Epoch,
    /// The exact model.
    pub model: ModelHash,
    /// SHA-256 of the whole answer: [`OutputHash`].
    #[serde(with = "serde_bytes")]
    pub output_sha256: [u8; 32],
}

impl Document for AnswerStatement {
    const DOMAIN: &'static str = "lull answer statement 2";
}

/// What [`AnswerStatement::output_sha256`] is made of: the ids of earlier runs, each token of this one with its text, why
/// it ended, and the text that was held back. Numbers are four little-endian bytes; each text and the list of ids come
/// after their length, so that no two answers are written alike.
#[derive(Debug, Clone)]
pub struct OutputHash(Sha256);

impl OutputHash {
    /// Of an answer that goes on after the tokens of earlier runs.
    #[must_use]
    pub fn after(prefix: &[u32]) -> Self {
        let mut hash = Self(Sha256::new());
        hash.length(prefix.len());
        prefix.iter().for_each(|id| hash.0.update(id.to_le_bytes()));
        hash
    }

    /// One more token.
    pub fn push(&mut self, token: &Token) {
        self.0.update([1]);
        self.0.update(token.id.to_le_bytes());
        self.text(&token.text);
    }

    /// The whole answer's.
    #[must_use]
    pub fn finish(mut self, finish: FinishReason, tail: &str) -> [u8; 32] {
        let why = match finish {
            FinishReason::Stop => 0,
            FinishReason::Length => 1,
        };
        self.0.update([2, why]);
        self.text(tail);
        self.0.finalize().into()
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.update(text);
    }

    fn length(&mut self, length: usize) {
        // Frames are far smaller than what would not fit.
        self.0.update(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }
}

/// Inside each sealed frame from lender to submitter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerFrame {
    /// The run it belongs to.
    pub epoch: Epoch,
    /// What it says.
    pub body: AnswerBody,
}

/// What an answer frame says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AnswerBody {
    /// The prompt is read; tokens follow. With no tokens and a machine it is a greeting: the lender has begun.
    Prefilled {
        /// The prompt's real length, in tokens.
        prompt_tokens: u32,
        /// What kind of machine the lender is, in a few words that name nobody; empty where it does not say.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        machine: String,
    },
    /// One token; its position is the next.
    Token(Token),
    /// The end.
    Done {
        /// Why.
        finish: FinishReason,
        /// Tokens read and made by this run and those before it.
        usage: Usage,
        /// Text held back for a stop string that never came.
        tail: String,
        /// The lender's signature on all of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signed: Option<Signed<AnswerStatement>>,
    },
    /// It will not go on.
    Failed(Fault),
}

/// One side's word on what a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The job.
    pub job: JobId,
    /// The run.
    pub epoch: Epoch,
    /// Who says so.
    pub node: NodeId,
    /// As what.
    pub side: Side,
    /// Tokens.
    pub usage: Usage,
    /// How it ended.
    pub outcome: Outcome,
}

impl Document for Receipt {
    const DOMAIN: &'static str = "lull receipt 1";
}

/// A node's part in a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// It asked.
    Submitter,
    /// It answered.
    Lender,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// With a whole answer.
    Completed,
    /// Whoever asked went away.
    Cancelled,
    /// Otherwise.
    Failed(Code),
}

/// Why the relay or a lender closes a job's stream, as QUIC's error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum StreamEnd {
    /// Whoever asked went away.
    Cancelled = 1,
    /// The lender went away.
    LenderLost = 2,
    /// The header or grant is wrong, over or used.
    Refused = 3,
    /// The relay shuts down.
    Draining = 4,
    /// The organisation's rules forbid it now.
    Forbidden = 5,
}

impl StreamEnd {
    /// The reason behind a QUIC error code; an unknown one counts as a lost lender.
    #[must_use]
    pub const fn of(code: u64) -> Self {
        match code {
            1 => Self::Cancelled,
            3 => Self::Refused,
            4 => Self::Draining,
            5 => Self::Forbidden,
            _ => Self::LenderLost,
        }
    }
}
