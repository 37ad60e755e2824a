//! What a node and the relay say to each other on the control stream, and the conversation of joining.
#![no_main]

use lull_fuzz::{bounded, round_trip};
use lull_wire::{
    control::{FromNode, FromRelay},
    enrol::{EnrolRequest, EnrolResponse},
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, body)) = data.split_first() else { return };
    bounded(data.len(), || match kind % 4 {
        0 => drop(round_trip::<FromNode>(body)),
        1 => drop(round_trip::<FromRelay>(body)),
        2 => drop(round_trip::<EnrolRequest>(body)),
        _ => drop(round_trip::<EnrolResponse>(body)),
    });
});
