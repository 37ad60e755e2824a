use std::marker::PhantomData;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{FrameError, PublicKey, SecretKey, frame};

/// Something that is signed. Its domain keeps a signature over one kind from counting for another.
pub trait Document: Serialize + DeserializeOwned {
    /// What kind of document this is, with its version.
    const DOMAIN: &'static str;
    /// The longest such document, in bytes.
    const BYTES_MAX: usize = 16 * 1024;
}

/// A signature does not hold, or what it covers is not the document it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signature on this {0} does not hold")]
pub struct BadSignature(pub &'static str);

/// A document's exact bytes and a signature over them: nothing needs a canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Signed<T> {
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
    #[serde(with = "serde_bytes")]
    signature: [u8; 64],
    #[serde(skip)]
    kind: PhantomData<fn() -> T>,
}

impl<T: Document> Signed<T> {
    /// Signs a document.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] for a document over [`Document::BYTES_MAX`].
    pub fn sign(document: &T, key: &SecretKey) -> Result<Self, FrameError> {
        let body = frame::encode(document, T::BYTES_MAX)?.split_off(frame::LENGTH_BYTES);
        let signature = key.sign(&covered::<T>(&body));
        Ok(Self { body, signature, kind: PhantomData })
    }

    /// The document, if `key` signed it.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn open(&self, key: &PublicKey) -> Result<T, BadSignature> {
        if self.body.len() > T::BYTES_MAX || !key.verifies(&covered::<T>(&self.body), &self.signature) {
            return Err(BadSignature(T::DOMAIN));
        }
        self.claims()
    }

    /// What the document says, *without* looking at its signature: only to find out which key to check it with.
    ///
    /// # Errors
    /// [`BadSignature`] when it says nothing.
    pub fn claims(&self) -> Result<T, BadSignature> {
        frame::decode(&self.body).map_err(|_| BadSignature(T::DOMAIN))
    }

    /// The exact bytes that were signed, to be bound into something else.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }
}

fn covered<T: Document>(body: &[u8]) -> Vec<u8> {
    [T::DOMAIN.as_bytes(), &[0], body].concat()
}
