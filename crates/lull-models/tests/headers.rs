//! Header parsers meet mutated files: they never panic and never allocate what a file claims.

#![cfg(test)]

#[path = "support/mod.rs"]
#[expect(dead_code, reason = "each test binary uses a part")]
mod support;

use std::{alloc::System, io::Cursor};

use lull_models::{gguf_header, safetensors_header};
use proptest::prelude::*;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::{Gguf, SAFETENSORS_HEADER, safetensors};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// All that may be allocated for a file of some hundred bytes, in bytes: mostly the read buffer.
const ALLOCATED_MAX: usize = 256 << 10;

#[derive(Debug, Clone)]
enum Mutation {
    Set(usize, u8),
    Number(usize, u64),
    Cut(usize),
    Insert(usize, Vec<u8>),
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let telling = prop_oneof![
        any::<u64>(),
        Just(u64::MAX),
        Just(u64::MAX / 2),
        Just(1 << 63),
        Just(1 << 40),
        Just(u64::from(u32::MAX)),
        0_u64..300
    ];
    let one = prop_oneof![
        4 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        4 => (any::<usize>(), telling).prop_map(|(at, number)| Mutation::Number(at, number)),
        1 => any::<usize>().prop_map(Mutation::Cut),
        1 => (any::<usize>(), proptest::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
    ];
    proptest::collection::vec(one, 1..5)
}

fn mutate(mut file: Vec<u8>, header: usize, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        let place = |at: &usize| at % header.min(file.len()).max(1);
        match mutation {
            _ if file.len() < 16 => {}
            Mutation::Set(at, byte) => {
                let at = place(at);
                file[at] = *byte;
            }
            Mutation::Number(at, number) => {
                let at = place(at).min(file.len() - 8);
                file[at..at + 8].copy_from_slice(&number.to_le_bytes());
            }
            Mutation::Cut(at) => file.truncate(place(at)),
            Mutation::Insert(at, bytes) => {
                let at = place(at);
                file.splice(at..at, bytes.iter().copied());
            }
        }
    }
    file
}

/// One test, so that no other thread's allocations are counted.
#[test]
fn mutated_headers_are_judged_in_little_memory() {
    let config = ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() };
    let (gguf, tensors) = (Gguf::default().bytes(), safetensors(SAFETENSORS_HEADER, 96));
    let (gguf_end, tensors_end) = (gguf.len() - 544, tensors.len() - 96);
    let mut judged = [0; 2];
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let counted = std::cell::RefCell::new(&mut judged);
    runner
        .run(&mutations(), |mutations| {
            let file = mutate(gguf.clone(), gguf_end, &mutations);
            let region = Region::new(ALLOCATOR);
            let verdict = gguf_header(Cursor::new(&file), file.len() as u64);
            prop_assert!(region.change().bytes_allocated < ALLOCATED_MAX, "{:?}", region.change());
            counted.borrow_mut()[usize::from(verdict.is_ok())] += 1;
            let file = mutate(tensors.clone(), tensors_end, &mutations);
            let region = Region::new(ALLOCATOR);
            let verdict = safetensors_header(Cursor::new(&file), file.len() as u64);
            prop_assert!(region.change().bytes_allocated < ALLOCATED_MAX, "{:?}", region.change());
            counted.borrow_mut()[usize::from(verdict.is_ok())] += 1;
            Ok(())
        })
        .unwrap();
    assert!(judged[0] > 10_000 && judged[1] > 100, "both verdicts occur: {judged:?}");
}
