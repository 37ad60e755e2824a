use lull_wire::{
    Document, SecretKey, Signed,
    frame::{self, LENGTH_BYTES},
};
use serde::{Serialize, de::DeserializeOwned};

/// The longest frame that a target writes, in bytes.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// A frame's body as a value, if it is one; what it says must survive being written and read again.
///
/// # Panics
/// When it does not.
pub fn round_trip<T: Serialize + DeserializeOwned>(body: &[u8]) -> Option<T> {
    let value: T = frame::decode(body).ok()?;
    let written = frame::encode(&value, FRAME_BYTES_MAX).expect("what was read can be written");
    let read: T = frame::decode(&written[LENGTH_BYTES..]).expect("what was written can be read");
    let again = frame::encode(&read, FRAME_BYTES_MAX).expect("what was read can be written");
    // Bytes instead of values: a number that is none equals nothing.
    assert_eq!(written, again, "a value changed on its way");
    Some(value)
}

#[derive(Serialize)]
struct Raw<'a> {
    #[serde(with = "serde_bytes")]
    body: &'a [u8],
    #[serde(with = "serde_bytes")]
    signature: [u8; 64],
}

/// Any bytes, properly signed as a document of this kind, as one who holds `key` could send them.
pub fn raw_signed<T: Document>(body: &[u8], key: &SecretKey) -> Signed<T> {
    let covered = [T::DOMAIN.as_bytes(), &[0], body].concat();
    let raw = Raw { body, signature: key.sign(&covered) };
    let frame = frame::encode(&raw, FRAME_BYTES_MAX).expect("bytes can be written");
    frame::decode(&frame[LENGTH_BYTES..]).expect("a signed document has this shape")
}
