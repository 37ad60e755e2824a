use zeroize::Zeroizing;

use crate::SealError;

/// Sealed messages have lengths that are multiples of this, so that a length says little about a text.
pub const BUCKET_BYTES: usize = 64;

const LENGTH_BYTES: usize = 4;

/// Length, message, zeros up to a whole bucket (the seal's own 16 bytes not counted).
pub(crate) fn pad(message: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let length = u32::try_from(message.len()).map_err(|_| SealError::TooLong)?;
    let whole = (LENGTH_BYTES + message.len()).next_multiple_of(BUCKET_BYTES);
    let mut padded = Zeroizing::new(Vec::with_capacity(whole));
    padded.extend_from_slice(&length.to_le_bytes());
    padded.extend_from_slice(message);
    padded.resize(whole, 0);
    Ok(padded)
}

/// The message inside; the padding must be zeros and as short as it can be.
pub(crate) fn unpad(padded: &[u8]) -> Result<&[u8], SealError> {
    let (length, rest) = padded.split_first_chunk::<LENGTH_BYTES>().ok_or(SealError::Malformed)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (message, zeros) = rest.split_at_checked(length).ok_or(SealError::Malformed)?;
    let whole = padded.len() == (LENGTH_BYTES + length).next_multiple_of(BUCKET_BYTES);
    if !whole || zeros.iter().any(|&byte| byte != 0) {
        return Err(SealError::Malformed);
    }
    Ok(message)
}
