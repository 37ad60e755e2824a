//! What comes in at the door, and what its callers read there; the node's own bounds on a question.
#![no_main]

#[allow(dead_code, reason = "a part of it is needed here")]
#[path = "../../crates/lull-node/src/validate.rs"]
mod validate;

use lull_fuzz::{bounded_beyond, round_trip};
use lull_types::{ChatEvent, ChatRequest, Event, Fault, Request, Response, Sampling};

/// What any input may cost, in bytes. These messages name their kind inside, so serde keeps what it has not understood
/// yet, and believes a MiB of every list that has only begun: one for each of the 32 levels that a frame may have.
const BASE_BYTES: usize = 40 << 20;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, body)) = data.split_first() else { return };
    bounded_beyond(BASE_BYTES, data.len(), || match kind % 5 {
        0 => drop(round_trip::<Request>(body)),
        1 => {
            if let Some(asked) = round_trip::<ChatRequest>(body)
                && validate::check(&asked).is_ok()
            {
                assert_sound(&asked.sampling);
            }
        }
        2 => drop(round_trip::<Result<Response, Fault>>(body)),
        3 => drop(round_trip::<Event>(body)),
        _ => drop(round_trip::<ChatEvent>(body)),
    });
});

fn assert_sound(sampling: &Sampling) {
    assert!(sampling.temperature.is_finite() && sampling.top_p.is_finite() && sampling.min_p.is_finite());
    assert!(sampling.bias.len() <= Sampling::BIAS_MAX && sampling.bias.iter().all(|(_, bias)| bias.is_finite()));
    assert!(sampling.stop.len() <= Sampling::STOPS_MAX && sampling.stop.iter().all(|stop| !stop.is_empty()));
    assert!(sampling.max_tokens <= Sampling::MAX_TOKENS_MAX);
}
