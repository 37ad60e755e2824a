//! The body of a chat completion, as any tool may send it. These files of lull-api are built right here: the whole
//! crate brings the node's tree with it, which would take minutes more.
#![no_main]
#![allow(dead_code, reason = "a part of the crate is here")]

#[path = "../../crates/lull-api/src/error.rs"]
mod error;
#[path = "../../crates/lull-api/src/fields.rs"]
mod fields;
#[path = "../../crates/lull-api/src/messages.rs"]
mod messages;
#[path = "../../crates/lull-api/src/params.rs"]
mod params;
#[path = "../../crates/lull-api/src/request.rs"]
mod request;
#[path = "../../crates/lull-node/src/validate.rs"]
mod validate;

use lull_fuzz::bounded;
use lull_types::{Label, Sampling};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    bounded(data.len(), || match request::parse(data, Label::default()) {
        Ok(asked) => {
            assert!(!asked.chat.messages.is_empty());
            assert_sound(&asked.chat.sampling);
            assert!(!asked.include_usage || asked.stream);
            // The node bounds it once more, and must not know less than the API does.
            if asked.chat.model.len() <= lull_wire::control::MODEL_NAME_BYTES_MAX {
                let judged = validate::check(&asked.chat);
                assert!(judged.is_ok(), "the API lets through what the node refuses: {judged:?}");
            }
        }
        Err(error) => {
            assert!(error.status.is_client_error());
            let json: serde_json::Value = serde_json::from_str(&error.json()).expect("an error is JSON");
            assert!(json["error"]["message"].is_string());
            assert!(error.json().len() < 4096, "an error of {} bytes", error.json().len());
        }
    });
});

fn assert_sound(sampling: &Sampling) {
    assert!((0.0..=2.0).contains(&sampling.temperature) && (0.0..=1.0).contains(&sampling.min_p));
    assert!(sampling.top_p > 0.0 && sampling.top_p <= 1.0);
    assert!(sampling.bias.len() <= Sampling::BIAS_MAX);
    assert!(sampling.bias.iter().all(|(_, bias)| (-100.0..=100.0).contains(bias)));
    assert!(sampling.stop.len() <= Sampling::STOPS_MAX);
    assert!((1..=Sampling::MAX_TOKENS_MAX).contains(&sampling.max_tokens));
    assert!(sampling.logprobs.is_none_or(|top| top <= Sampling::LOGPROBS_MAX));
}
