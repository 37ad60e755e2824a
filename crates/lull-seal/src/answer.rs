use chacha20poly1305::{ChaCha20Poly1305, KeyInit, aead::Aead, aead::Payload};
use lull_wire::{
    frame::{self, LENGTH_BYTES},
    job::{ANSWER_BYTES_MAX, AnswerFrame},
};
use zeroize::Zeroizing;

use crate::{
    SealError,
    padding::{pad, unpad},
};

pub(crate) type AnswerKey = Zeroizing<[u8; 32]>;

/// Authenticated with a frame that others follow.
const MORE: &[u8] = b"more";
/// Authenticated with the last frame, so that an answer cut short is not taken for a whole one.
const LAST: &[u8] = b"last";
const SEAL_BYTES: usize = 16;

/// Counts frames: each key and each number is used once.
struct Counter(Option<u64>);

impl Counter {
    fn advance(&mut self, last: bool) -> Result<chacha20poly1305::Nonce, SealError> {
        let now = self.0.ok_or(SealError::AfterLast)?;
        self.0 = if last { None } else { now.checked_add(1) };
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&now.to_be_bytes());
        Ok(nonce.into())
    }
}

/// Seals a lender's answer, frame by frame.
pub struct AnswerSealer {
    cipher: ChaCha20Poly1305,
    counter: Counter,
}

/// Opens an answer, frame by frame, in order.
pub struct AnswerOpener {
    cipher: ChaCha20Poly1305,
    counter: Counter,
}

impl AnswerSealer {
    pub(crate) fn new(key: &AnswerKey) -> Self {
        Self { cipher: ChaCha20Poly1305::new((&**key).into()), counter: Counter(Some(0)) }
    }

    /// The next frame, whole, its length in front.
    ///
    /// # Errors
    /// [`SealError::TooLong`] over the bound of a frame; [`SealError::AfterLast`] once one was sealed as last.
    pub fn seal(&mut self, frame: &AnswerFrame, last: bool) -> Result<Vec<u8>, SealError> {
        let limit = ANSWER_BYTES_MAX - SEAL_BYTES - crate::BUCKET_BYTES;
        let plain = Zeroizing::new(frame::encode(frame, limit).map_err(|_| SealError::TooLong)?);
        let padded = pad(&plain[LENGTH_BYTES..])?;
        let nonce = self.counter.advance(last)?;
        let aad = if last { LAST } else { MORE };
        let sealed = self.cipher.encrypt(&nonce, Payload { msg: &padded, aad }).map_err(|_| SealError::TooLong)?;
        let length = u32::try_from(sealed.len()).map_err(|_| SealError::TooLong)?;
        Ok([&length.to_le_bytes(), sealed.as_slice()].concat())
    }
}

impl AnswerOpener {
    pub(crate) fn new(key: &AnswerKey) -> Self {
        Self { cipher: ChaCha20Poly1305::new((&**key).into()), counter: Counter(Some(0)) }
    }

    /// The next frame, from a body without its length, and whether it is the last.
    ///
    /// # Errors
    /// [`SealError::Broken`] for anything but the very next frame; [`SealError::AfterLast`] after the last.
    pub fn open(&mut self, body: &[u8]) -> Result<(AnswerFrame, bool), SealError> {
        let now = Counter(self.counter.0).advance(false)?;
        let attempt = |aad| self.cipher.decrypt(&now, Payload { msg: body, aad }).ok();
        let (padded, last) = match attempt(MORE) {
            Some(plain) => (Zeroizing::new(plain), false),
            None => (Zeroizing::new(attempt(LAST).ok_or(SealError::Broken)?), true),
        };
        self.counter.advance(last)?;
        let frame = frame::decode(unpad(&padded)?).map_err(|_| SealError::Malformed)?;
        Ok((frame, last))
    }
}

impl std::fmt::Debug for AnswerSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnswerSealer")
    }
}

impl std::fmt::Debug for AnswerOpener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnswerOpener")
    }
}
