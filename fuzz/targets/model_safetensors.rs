//! A safetensors file, as the store checks it and as the worker does: where it is accepted, its tensors lie within it.
#![no_main]

use lull_engine::check::{self, Kind};
use lull_fuzz::{assert_safetensors_fits, assert_short, bounded};
use lull_models::safetensors_header;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (stored, checked) = bounded(data.len(), || {
        let header = data.get(8..).unwrap_or_default();
        let length = data.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        let header = usize::try_from(length).ok().and_then(|length| header.get(..length)).unwrap_or(header);
        (safetensors_header(data, data.len() as u64), check::bytes(Kind::Safetensors, header))
    });
    if stored.is_ok() {
        assert_safetensors_fits(data);
    }
    assert_short(stored.err().map(|fault| fault.message));
    assert_short(checked.err());
});
