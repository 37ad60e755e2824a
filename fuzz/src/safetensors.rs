//! A second reader of safetensors.

use serde_json::Value;

/// A file whose header was accepted: every tensor lies within it.
///
/// # Panics
/// When one does not.
pub fn assert_safetensors_fits(file: &[u8]) {
    let (length, rest) = file.split_first_chunk().expect("an accepted file has a length");
    let (header, data) = rest.split_at(usize::try_from(u64::from_le_bytes(*length)).expect("within the file"));
    let header: Value = serde_json::from_slice(header).expect("an accepted header is JSON");
    for (name, tensor) in header.as_object().expect("a table").iter().filter(|(name, _)| *name != "__metadata__") {
        let at = |index: usize| tensor["data_offsets"][index].as_u64().expect("a number");
        assert!(at(0) <= at(1) && at(1) <= data.len() as u64, "{name} lies beyond the file");
    }
}

/// What is said of a broken file: one sentence, and not the file.
///
/// # Panics
/// When it is longer than that.
pub fn assert_short(said: Option<String>) {
    let bytes = said.map_or(0, |said| said.len());
    assert!(bytes < 8192, "a sentence of {bytes} bytes");
}
