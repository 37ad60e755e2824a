//! A GGUF file, as the store checks it and as the worker does: where either accepts it, its tensors lie within it.
#![no_main]

use std::io::Cursor;

use lull_engine::check::{self, Kind};
use lull_fuzz::{assert_gguf_fits, assert_short, bounded};
use lull_models::gguf_header;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (stored, checked) =
        bounded(data.len(), || (gguf_header(Cursor::new(data), data.len() as u64), check::bytes(Kind::Gguf, data)));
    if stored.is_ok() {
        assert_gguf_fits(data);
    }
    if checked.is_ok() {
        assert_gguf_fits(data);
    }
    assert_short(stored.err().map(|fault| fault.message));
    assert_short(checked.err());
});
