//! Bytes from a hostile worker: the node reads frames off the pipe and follows one answer by them.
#![no_main]

#[path = "../src/answer.rs"]
mod answer;

use lull_engine::protocol::{self, FROM_WORKER_BYTES_MAX, FromWorker};
use lull_fuzz::{bounded, round_trip};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, body)) = data.split_first() else { return };
    bounded(data.len(), || {
        if kind % 2 == 0 {
            drop(round_trip::<FromWorker>(body));
            return;
        }
        let mut answer = answer::Followed::new(kind / 2);
        let mut pipe = body;
        while let Ok(Some(frame)) = protocol::read::<FromWorker>(&mut pipe, FROM_WORKER_BYTES_MAX) {
            if !answer.goes_on(frame) {
                break;
            }
        }
    });
});
