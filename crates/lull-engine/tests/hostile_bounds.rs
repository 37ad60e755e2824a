//! No bytes make the checks of model files panic, or take more memory than a fixed share for each byte. A program of
//! its own, because it counts all memory that it takes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::alloc::System;

use cap::Cap;
use lull_engine::check::{self, Kind};
use proptest::{prelude::*, test_runner::TestRunner};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// What a check may take beside a share of the file, in bytes.
const SLACK: usize = 1 << 20;
/// What it may take for each byte of a file, in bytes.
const SHARE: usize = 100;

/// Checks bytes within a bound on memory; if they need more, the process aborts.
fn checked(kind: Kind, bytes: &[u8]) -> Result<(), String> {
    MEMORY.set_limit(MEMORY.allocated() + SLACK + SHARE * bytes.len()).unwrap();
    let result = check::bytes(kind, bytes);
    MEMORY.set_limit(usize::MAX).unwrap();
    result
}

fn demo(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../lull-models/demo/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn files() -> [(Kind, Vec<u8>); 4] {
    let tensors = demo("model.safetensors");
    let end = 8 + u64::from_le_bytes(tensors[..8].try_into().unwrap()) as usize;
    [
        (Kind::Gguf, demo("lull-demo.Q8_0.gguf")),
        (Kind::Safetensors, tensors[8..end].to_vec()),
        (Kind::Tokenizer, demo("tokenizer.json")),
        (Kind::Config, demo("config.json")),
    ]
}

#[test]
fn no_bytes_make_the_checks_panic_or_take_much() {
    // One test, because all share one count.
    for (kind, good) in files() {
        let header = good.len().min(32_000);
        if kind != Kind::Safetensors {
            checked(kind, &good).unwrap();
        }
        let mut runner =
            TestRunner::new(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() });
        let harm = prop::collection::vec((0..header, any::<u8>()), 0..8);
        let harm = (harm, 0..=good.len(), any::<bool>());
        let harmed = runner.run(&harm, |(harm, length, cut)| {
            let mut bytes = good.clone();
            harm.into_iter().for_each(|(at, byte)| bytes[at] = byte);
            if cut {
                bytes.truncate(length);
            }
            let said = checked(kind, &bytes).err().unwrap_or_default();
            prop_assert!(said.len() < 600, "{}", said);
            Ok(())
        });
        harmed.unwrap();
        runner
            .run(&prop::collection::vec(any::<u8>(), 0..2000), |bytes| {
                let _ = checked(kind, &bytes);
                let _ = checked(kind, &[b"GGUF\x03\0\0\0".as_slice(), &bytes].concat());
                Ok(())
            })
            .unwrap();
    }
    for json in
        ["[[],".repeat(1 << 18), "{\"a\":".repeat(1 << 18), format!("[{}1]", "1,".repeat(1 << 20)), "[".repeat(1 << 20)]
    {
        for kind in [Kind::Safetensors, Kind::Tokenizer, Kind::Config] {
            assert!(checked(kind, json.as_bytes()).is_err());
        }
    }
}
