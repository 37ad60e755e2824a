//! One frame: a length as four little-endian bytes, then that many bytes of MessagePack with named fields.
//! Named fields let an old reader skip what a newer writer adds.

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

/// Why bytes are not a frame, or a value does not fit one.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Longer than this boundary allows.
    #[error("a frame of {bytes} bytes is over the limit of {limit}")]
    TooLong {
        /// The length that was announced or needed.
        bytes: usize,
        /// The limit of this boundary.
        limit: usize,
    },
    /// The bytes ended inside a frame.
    #[error("the connection ended inside a frame")]
    Truncated,
    /// The bytes are not the message that belongs here.
    #[error("not a valid message: {0}")]
    Malformed(String),
    /// Reading or writing failed.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
}

/// The bytes of the length in front of each frame.
pub const LENGTH_BYTES: usize = 4;

/// A value as one frame, its length in front.
///
/// # Errors
/// [`FrameError::TooLong`] when its body is over `limit` bytes.
pub fn encode<T: Serialize>(value: &T, limit: usize) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; LENGTH_BYTES];
    value
        .serialize(&mut rmp_serde::Serializer::new(&mut frame).with_struct_map())
        .map_err(|error| FrameError::Malformed(error.to_string()))?;
    let bytes = frame.len() - LENGTH_BYTES;
    let length = u32::try_from(bytes).ok().filter(|_| bytes <= limit).ok_or(FrameError::TooLong { bytes, limit })?;
    frame[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// A frame's body, without its length, as a value. Bytes left over are an error.
///
/// # Errors
/// [`FrameError::Malformed`]; the text names a field or a type, never a value.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    let mut rest = body;
    let mut reader = rmp_serde::Deserializer::new(&mut rest);
    reader.set_max_depth(DEPTH_MAX);
    let value = T::deserialize(&mut reader).map_err(|error| FrameError::Malformed(describe(&error)))?;
    let rest = rest.len();
    if rest > 0 {
        return Err(FrameError::Malformed(format!("{rest} bytes left over")));
    }
    Ok(value)
}

/// How deep values may nest.
const DEPTH_MAX: usize = 32;

/// What is wrong, without quoting content: serde's texts may hold a value.
fn describe(error: &rmp_serde::decode::Error) -> String {
    use rmp_serde::decode::Error;
    match error {
        Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) => "the bytes end too soon".into(),
        Error::TypeMismatch(marker) => format!("a field has the wrong type ({marker:?})"),
        Error::OutOfRange => "a number is out of range".into(),
        Error::LengthMismatch(_) => "a list has the wrong length".into(),
        Error::DepthLimitExceeded => format!("nested deeper than {DEPTH_MAX}"),
        Error::Utf8Error(_) => "a text is not UTF-8".into(),
        Error::Uncategorized(_) | Error::Syntax(_) => "a field is missing, unknown or of the wrong kind".into(),
    }
}

/// Reads one frame's body; `None` at a clean end between frames.
///
/// # Errors
/// Any [`FrameError`]; nothing is allocated for a length over `limit`.
pub async fn read_bytes<R: AsyncRead + Unpin>(reader: &mut R, limit: usize) -> Result<Option<Vec<u8>>, FrameError> {
    let mut length = [0; LENGTH_BYTES];
    let mut have = 0;
    while have < LENGTH_BYTES {
        match reader.read(&mut length[have..]).await? {
            0 if have == 0 => return Ok(None),
            0 => return Err(FrameError::Truncated),
            more => have += more,
        }
    }
    let bytes = u32::from_le_bytes(length) as usize;
    if bytes > limit {
        return Err(FrameError::TooLong { bytes, limit });
    }
    // Grown as bytes arrive: a peer that announces much and sends nothing costs nothing.
    let mut body = Vec::with_capacity(bytes.min(64 * 1024));
    reader.take(bytes as u64).read_to_end(&mut body).await?;
    if body.len() < bytes {
        return Err(FrameError::Truncated);
    }
    Ok(Some(body))
}

/// Reads one frame as a value; `None` at a clean end between frames. Its bytes do not stay in freed memory.
///
/// # Errors
/// Any [`FrameError`].
pub async fn read<T: DeserializeOwned, R: AsyncRead + Unpin>(
    reader: &mut R,
    limit: usize,
) -> Result<Option<T>, FrameError> {
    read_bytes(reader, limit).await?.map(|body| decode(&Zeroizing::new(body))).transpose()
}

/// Writes one value as a frame and flushes it. Its bytes do not stay in freed memory.
///
/// # Errors
/// [`FrameError::TooLong`] or [`FrameError::Io`].
pub async fn write<T: Serialize, W: AsyncWrite + Unpin>(
    writer: &mut W,
    value: &T,
    limit: usize,
) -> Result<(), FrameError> {
    writer.write_all(&Zeroizing::new(encode(value, limit)?)).await?;
    writer.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test]
    async fn a_frame_survives_and_the_end_is_clean() {
        let frame = encode(&("hello", 7_u32), 100).unwrap();
        let mut reader = frame.as_slice();
        assert_eq!(read(&mut reader, 100).await.unwrap(), Some(("hello".to_owned(), 7_u32)));
        assert!(read::<u8, _>(&mut reader, 100).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_lying_length_costs_nothing() {
        let mut reader: &[u8] = &[0xff, 0xff, 0xff, 0x7f, 1, 2];
        assert!(matches!(read_bytes(&mut reader, 1000).await, Err(FrameError::TooLong { .. })));
        let mut reader: &[u8] = &[9, 0, 0, 0, 1, 2];
        assert!(matches!(read_bytes(&mut reader, 1000).await, Err(FrameError::Truncated)));
        let mut reader: &[u8] = &[9, 0];
        assert!(matches!(read_bytes(&mut reader, 1000).await, Err(FrameError::Truncated)));
    }

    #[test]
    fn left_over_bytes_are_an_error() {
        let mut body = encode(&1_u8, 10).unwrap().split_off(LENGTH_BYTES);
        body.push(0);
        assert!(decode::<u8>(&body).is_err());
    }

    #[test]
    fn an_error_never_quotes_content() {
        let body = encode(&"MARKER-in-a-prompt", 100).unwrap().split_off(LENGTH_BYTES);
        let error = decode::<lull_types::NodeId>(&body).unwrap_err().to_string();
        assert!(!error.contains("MARKER"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_fail(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode::<crate::control::FromNode>(&body);
            let _ = decode::<crate::control::FromRelay>(&body);
            let _ = decode::<crate::job::JobHeader>(&body);
        }
    }
}
