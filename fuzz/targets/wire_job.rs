//! A job's own stream: the header that the relay reads, and what is inside the sealed frames.
#![no_main]

use lull_fuzz::{bounded, round_trip};
use lull_wire::{
    SecretKey,
    job::{AnswerFrame, Grant, JobHeader, Question, Receipt},
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, body)) = data.split_first() else { return };
    bounded(data.len(), || match kind % 5 {
        0 => {
            if let Some(header) = round_trip::<JobHeader>(body) {
                let _ = header.grant.claims();
                let _ = header.grant.open(&SecretKey::from_bytes(&[4; 32]).public());
            }
        }
        1 => drop(round_trip::<Question>(body)),
        2 => drop(round_trip::<AnswerFrame>(body)),
        3 => drop(round_trip::<Receipt>(body)),
        _ => drop(round_trip::<Grant>(body)),
    });
});
