//! Frames from a node to its worker, as the worker reads them off its pipe.
#![no_main]

use lull_engine::protocol::{self, ToWorker};
use lull_fuzz::{bounded, round_trip};

/// The longest frame that is believed here, in bytes: small, so that the bound itself is met.
const BYTES_MAX: usize = 4096;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, body)) = data.split_first() else { return };
    bounded(data.len(), || {
        if kind % 2 == 0 {
            drop(round_trip::<ToWorker>(body));
        } else {
            let mut pipe = body;
            while let Ok(Some(_)) = protocol::read::<ToWorker>(&mut pipe, BYTES_MAX) {}
        }
    });
});
