//! tokenizer.json and config.json, as the worker checks them before any engine reads them.
#![no_main]

use lull_engine::check::{self, Kind};
use lull_fuzz::{assert_short, bounded};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bounded(data.len(), || {
        assert_short(check::bytes(Kind::Tokenizer, data).err());
        assert_short(check::bytes(Kind::Config, data).err());
    });
});
