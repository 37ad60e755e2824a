//! Frames that are each well made, in any order and with any numbers: the lies that a worker's bytes hardly reach.
#![no_main]

#[path = "../src/answer.rs"]
mod answer;

use answer::{JOB, TOKENS_MAX, VOCABULARY};
use lull_engine::protocol::FromWorker;
use lull_fuzz::bounded;
use lull_types::{Code, Fault, FinishReason, Token, TokenLogprob, Usage};

/// Bytes that each frame is made from.
const BYTES: usize = 6;
/// Numbers at the edges.
const TELLING: [u32; 8] = [0, 1, TOKENS_MAX - 1, TOKENS_MAX, VOCABULARY - 1, VOCABULARY, u32::MAX - 1, u32::MAX];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, acts)) = data.split_first() else { return };
    bounded(data.len(), || {
        let mut answer = answer::Followed::new(*kind);
        let mut next = u32::from(kind % 4);
        for act in acts.as_chunks::<BYTES>().0 {
            if !answer.goes_on(frame(act, &mut next)) {
                break;
            }
        }
    });
});

/// Mostly as it should be, so that the tests go deep; each byte can make one thing wrong.
fn frame(&[what, job, a, b, c, d]: &[u8; BYTES], next: &mut u32) -> FromWorker {
    let job = if job < 250 { JOB } else { u64::from(job) - 250 };
    let number = |byte: u8, good: u32| if byte < 128 { good } else { TELLING[usize::from(byte) % TELLING.len()] };
    match what % 8 {
        0 => FromWorker::Accepted { job, prompt_tokens: number(a, 5) },
        1 => FromWorker::Prefilled { job },
        2..=4 => {
            let position = number(a, *next);
            *next = next.saturating_add(1);
            let id = number(b, u32::from(b) % VOCABULARY);
            let likely = |id| TokenLogprob { id, bytes: vec![c; usize::from(c)], logprob: logprob(c) };
            let logprob = (d % 2 == 1).then(|| likely(number(c, id)));
            let top = (0..d / 2 % 4).map(|_| likely(number(d, id))).collect();
            let text = "x".repeat(if a == 127 { 20_000 } else { usize::from(a) });
            FromWorker::Token { job, token: Token { position, id, text, logprob, top } }
        }
        5 => {
            let usage = Usage { prompt_tokens: number(a, 5), completion_tokens: number(b, *next) };
            FromWorker::Done { job, finish: FinishReason::Stop, usage, tail: "y".repeat(usize::from(c) * 80) }
        }
        6 => FromWorker::Cancelled { job },
        _ => {
            let code = [Code::Internal, Code::BadRequest, Code::Revoked, Code::Busy][usize::from(a) % 4];
            FromWorker::Failed { job, fault: Fault::new(code, "\u{7}z".repeat(usize::from(b) * 8)) }
        }
    }
}

fn logprob(byte: u8) -> f32 {
    match byte {
        0 => f32::NAN,
        1 => f32::INFINITY,
        2 => f32::NEG_INFINITY,
        3 => 1.0,
        other => -f32::from(other),
    }
}
