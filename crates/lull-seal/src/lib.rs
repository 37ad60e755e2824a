//! Sealing: a question that only the granted lender can open, and an answer that only its submitter can.
//! Used by nodes only. The relay must never be able to depend on it.
//!
//! HPKE (RFC 9180) in *auth* mode, X25519-HKDF-SHA256 with ChaCha20-Poly1305: the grant names the submitter's
//! ephemeral key, so a question sealed by anybody else does not open. The grant's bytes are HPKE's `info`, so a
//! question moved to another job, run, model or label does not open either. Answers use a key exported from the same
//! exchange, with a counter as nonce.

mod answer;
#[doc(hidden)]
pub mod fuzzing;
mod keys;
mod padding;
mod question;

pub use answer::{AnswerOpener, AnswerSealer};
pub use keys::{EphemeralKey, SealingKey};
pub use padding::BUCKET_BYTES;
pub use question::{open_question, seal_question};

/// Something sealed does not open, or cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not sealed for this key, by this key, for this grant, in this order; or changed on the way.
    #[error("the seal does not hold")]
    Broken,
    /// Opened, but not the message that belongs here.
    #[error("the sealed message is malformed")]
    Malformed,
    /// Over the bound of its kind.
    #[error("the message is too long to seal")]
    TooLong,
    /// Something came after the frame that was authenticated as the last.
    #[error("a frame came after the last one")]
    AfterLast,
}

#[cfg(test)]
mod tests;
