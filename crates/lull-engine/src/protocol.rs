//! What a node and its worker say to each other over the pipe. Each side treats the other's frames as hostile.

use std::io::{ErrorKind, Read};

use lull_types::{Fault, FinishReason, Layers, Message, Sampling, Shortfall, Token, Usage};
use lull_wire::frame::{self, FrameError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{Confine, EngineInfo, Load};

/// Changed whenever node and worker of different builds could misunderstand each other.
pub const VERSION: u32 = 2;
/// The largest first frame to a worker, in bytes.
pub const CONFINE_BYTES_MAX: usize = 64 << 10;
/// The largest frame to a worker: a conversation with its prefix, in bytes.
pub const TO_WORKER_BYTES_MAX: usize = 64 << 20;
/// The largest frame from a worker: one token with alternatives, or a fault, in bytes.
pub const FROM_WORKER_BYTES_MAX: usize = 256 << 10;
/// The most text with one token, in bytes.
pub const TEXT_BYTES_MAX: usize = 16 << 10;
/// The longest sentence of a fault, in bytes.
pub const REASON_BYTES_MAX: usize = 2 << 10;
/// The largest vocabulary that is believed, in tokens.
pub const VOCABULARY_MAX: u32 = 4 << 20;
/// The longest context that is believed, in tokens.
pub const CONTEXT_MAX: u32 = 16 << 20;

/// From the node to its worker. The first one is [`ToWorker::Confine`], the second [`ToWorker::Load`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Put up the sandbox. Once only, before anything else.
    Confine(Confine),
    /// Load a model. Once only.
    Load(Load),
    /// Answer. Only after the answer before has ended.
    Generate(Box<Job>),
    /// Stop answering; the worker says [`FromWorker::Cancelled`] unless the answer has just ended.
    Cancel {
        /// Which answer.
        job: u64,
    },
    /// Exit in peace.
    Exit,
}

/// One answer to make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The node's number for it, ascending.
    pub job: u64,
    /// The conversation.
    pub messages: Vec<Message>,
    /// How to choose tokens.
    pub sampling: Sampling,
    /// The ids of the answer so far.
    pub prefix: Vec<u32>,
}

impl Drop for Job {
    /// A conversation does not stay in freed memory, which could be swapped out or dumped.
    fn drop(&mut self) {
        self.messages.iter_mut().for_each(|message| message.content.zeroize());
        self.prefix.zeroize();
    }
}

/// From a worker to its node, in this order: `Hello` when it is confined, after [`ToWorker::Load`] `Loaded` or `Failed`; for each job `Accepted`, `Prefilled`,
/// any number of `Token`s and one `Done`, or at any point `Failed` or `Cancelled` instead of what would follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// The process runs, and is confined as far as it can be before it has loaded.
    Hello {
        /// [`VERSION`].
        version: u32,
        /// The CPU it was built for, such as `x86-64-v3`.
        build: String,
        /// The layers that are up.
        layers: Layers,
        /// Those that could not be put up.
        shortfalls: Vec<Shortfall>,
    },
    /// The model is ready.
    Loaded {
        /// The engine.
        engine: EngineInfo,
        /// The longest prompt and answer together, in tokens.
        context: u32,
        /// Tokens of the vocabulary.
        vocabulary: u32,
        /// The tokens that end an answer.
        ends: Vec<u32>,
        /// The layers that are up now, until its end.
        layers: Layers,
    },
    /// The prompt is known; the prefill begins.
    Accepted {
        /// Which answer.
        job: u64,
        /// Tokens of the templated prompt.
        prompt_tokens: u32,
    },
    /// The prefill is over.
    Prefilled {
        /// Which answer.
        job: u64,
    },
    /// One more token.
    Token {
        /// Which answer.
        job: u64,
        /// The token.
        token: Token,
    },
    /// The answer is whole.
    Done {
        /// Which answer.
        job: u64,
        /// Why.
        finish: FinishReason,
        /// What it cost.
        usage: Usage,
        /// Text that was held back.
        tail: String,
    },
    /// The answer was stopped on the node's word.
    Cancelled {
        /// Which answer.
        job: u64,
    },
    /// Loading (`job` 0) or an answer failed.
    Failed {
        /// Which answer.
        job: u64,
        /// Why.
        fault: Fault,
    },
}

/// Reads one frame of a blocking pipe; `None` at a clean end between frames.
///
/// # Errors
/// Any [`FrameError`]; nothing is allocated for a length over `limit`.
pub fn read<T: DeserializeOwned>(reader: &mut impl Read, limit: usize) -> Result<Option<T>, FrameError> {
    let mut length = [0; frame::LENGTH_BYTES];
    let mut have = 0;
    while have < length.len() {
        match reader.read(&mut length[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(FrameError::Truncated),
            Ok(more) => have += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let bytes = u32::from_le_bytes(length) as usize;
    if bytes > limit {
        return Err(FrameError::TooLong { bytes, limit });
    }
    let mut body = Vec::with_capacity(bytes.min(64 << 10));
    reader.take(bytes as u64).read_to_end(&mut body)?;
    if body.len() < bytes {
        return Err(FrameError::Truncated);
    }
    frame::decode(&Zeroizing::new(body)).map(Some)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = frame::decode::<FromWorker>(&bytes);
            let _ = frame::decode::<ToWorker>(&bytes);
            let _ = read::<ToWorker>(&mut bytes.as_slice(), 200);
        }
    }

    #[test]
    fn frames_come_one_by_one_and_the_end_is_clean() {
        let bytes = [ToWorker::Exit, ToWorker::Cancel { job: 7 }].map(|m| frame::encode(&m, 100).unwrap()).concat();
        let mut reader = bytes.as_slice();
        assert_eq!(read(&mut reader, 100).unwrap(), Some(ToWorker::Exit));
        assert_eq!(read(&mut reader, 100).unwrap(), Some(ToWorker::Cancel { job: 7 }));
        assert!(read::<ToWorker>(&mut reader, 100).unwrap().is_none());
        assert!(matches!(read::<ToWorker>(&mut &bytes[..3], 100), Err(FrameError::Truncated)));
        assert!(matches!(read::<ToWorker>(&mut [0xff; 9].as_slice(), 100), Err(FrameError::TooLong { .. })));
    }
}
