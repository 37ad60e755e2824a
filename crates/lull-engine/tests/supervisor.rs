//! A worker that dies, panics, hangs or eats memory costs one answer, is named with its reason, and is replaced.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use common::{Answered, answer, asked, collect, greedy, scripted_program, spec};
use lull_engine::{
    Demand, Limits, Step, Worker, WorkerSpec,
    scripted::{Mishap, Script, What, When},
};
use lull_types::{Code, Fault, FinishReason, Layer, Layers, Sampling, Tier};
use tempfile::TempDir;

/// Short enough for tests, long enough for a busy machine.
fn impatient() -> Limits {
    let short = Duration::from_millis(400);
    Limits {
        load: short,
        load_per_mib: Duration::ZERO,
        tokenize: short,
        prefill: short,
        prefill_per_token: Duration::ZERO,
        token: short,
        stop: Duration::from_secs(5),
        ..Limits::default()
    }
}

fn scripted(folder: &Path, script: &Script) -> WorkerSpec {
    script.write(folder).unwrap();
    spec(scripted_program(), folder, folder)
}

fn mishap(at: When, what: What) -> Script {
    Script { mishap: Some(Mishap { at, what }), ..Script::default() }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn is_gone(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

/// Asks a worker with a mishap: what came of the answer, and what the worker died of.
async fn lose(at: When, what: What) -> (usize, Fault) {
    let folder = folder();
    let hangs = what == What::Hang;
    let mut spec = scripted(folder.path(), &mishap(at, what));
    spec.limits = if hangs { impatient() } else { Limits::default() };
    spec.memory_max = Some(400 << 20);
    let worker = Worker::spawn(spec.clone()).await.unwrap();
    let mut generation = worker.generate(asked("a question", greedy(50), &[])).await;
    let mut tokens = 0;
    let fault = loop {
        match generation.next().await {
            Some(Ok(Step::Token(_))) => tokens += 1,
            Some(Ok(_)) => {}
            Some(Err(fault)) => break fault,
            None => panic!("the answer ended without a fault"),
        }
    };
    assert!(generation.next().await.is_none());
    assert_eq!(worker.died().await, fault);
    assert!(is_gone(worker.info().pid), "the process must be reaped");
    // A fresh one answers.
    Script::default().write(folder.path()).unwrap();
    let fresh = Worker::spawn(spec).await.unwrap();
    assert_eq!(answer(&fresh, asked("a question", greedy(5), &[])).await.unwrap().ids().len(), 5);
    (tokens, fault)
}

#[tokio::test]
async fn a_panic_is_named_by_its_place_and_never_quotes() {
    let (tokens, fault) = lose(When::Token(3), What::Panic).await;
    assert_eq!((tokens, fault.code), (3, Code::WorkerDied));
    assert!(fault.message.contains("scripted.rs") && !fault.message.contains("CONTENT"), "{fault}");
}

#[tokio::test]
async fn an_abort_is_named_by_its_signal() {
    let (tokens, fault) = lose(When::Token(2), What::Abort).await;
    assert_eq!((tokens, fault.code), (2, Code::WorkerDied));
    assert!(fault.message.contains("signal 6"), "{fault}");
}

#[tokio::test]
async fn an_exit_is_named_by_its_status() {
    let (_, fault) = lose(When::Token(0), What::Exit(9)).await;
    assert_eq!(fault.code, Code::WorkerDied);
    assert!(fault.message.contains("status 9") && fault.message.contains("told to exit"), "{fault}");
}

#[tokio::test]
async fn too_much_memory_is_named() {
    let (tokens, fault) = lose(When::Token(1), What::Memory).await;
    assert_eq!((tokens, fault.code), (1, Code::WorkerMemory), "{fault}");
    assert!(fault.message.contains("400 MiB"), "{fault}");
}

#[tokio::test]
async fn a_hang_is_noticed_wherever_it_is() {
    for (at, doing, expected) in [
        (When::Tokenize, "reading a request", 0),
        (When::Token(0), "reading a prompt", 0),
        (When::Token(2), "computing a token", 2),
    ] {
        let (tokens, fault) = lose(at, What::Hang).await;
        assert_eq!((tokens, fault.code), (expected, Code::WorkerHung));
        assert!(fault.message.contains(doing), "{fault}");
    }
}

#[tokio::test]
async fn a_worker_that_cannot_load_says_why() {
    let folder = folder();
    for (what, code, says) in [
        (What::Fault, Code::Internal, "a fault from the script"),
        (What::Panic, Code::ModelBroken, "cannot be loaded"),
        (What::Hang, Code::WorkerHung, "loading its model"),
        (What::Abort, Code::ModelBroken, "nest too deeply"),
        (What::Exit(7), Code::WorkerDied, "status 7"),
        (What::Memory, Code::WorkerMemory, "400 MiB"),
    ] {
        let hangs = what == What::Hang;
        let mut spec = scripted(folder.path(), &mishap(When::Load, what));
        spec.limits = if hangs { impatient() } else { Limits::default() };
        spec.memory_max = Some(400 << 20);
        let fault = Worker::spawn(spec).await.unwrap_err();
        assert_eq!(fault.code, code, "{fault}");
        assert!(fault.message.contains(says), "{fault}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let folder = folder();
    let mut spec = scripted(folder.path(), &Script::default());
    spec.program = "/nonexistent/worker".into();
    let fault = Worker::spawn(spec.clone()).await.unwrap_err();
    assert!(fault.code == Code::Storage && fault.message.contains("/nonexistent/worker"), "{fault}");
    spec.program = scripted_program();
    spec.model = "/nonexistent/model".into();
    let fault = Worker::spawn(spec.clone()).await.unwrap_err();
    assert!(fault.code == Code::Storage && fault.message.contains("/nonexistent/model"), "{fault}");
    // A program that is no worker.
    spec.model = folder.path().into();
    spec.program = "/bin/true".into();
    assert_eq!(Worker::spawn(spec).await.unwrap_err().code, Code::WorkerDied);
}

#[tokio::test]
async fn a_fault_of_one_answer_leaves_the_worker_well() {
    let folder = folder();
    let worker = Worker::spawn(scripted(folder.path(), &mishap(When::Token(2), What::Fault))).await.unwrap();
    for _ in 0..2 {
        let fault = answer(&worker, asked("a question", greedy(50), &[])).await.unwrap_err();
        assert_eq!(fault.code, Code::Internal);
    }
    let bad = Sampling { temperature: 9.0, ..greedy(50) };
    assert_eq!(answer(&worker, asked("a question", bad, &[])).await.unwrap_err().code, Code::BadRequest);
    let fault = answer(&worker, asked(&"long ".repeat(1000), greedy(50), &[])).await.unwrap_err();
    assert_eq!(fault.code, Code::ContextExceeded, "{fault}");
    assert_eq!(answer(&worker, asked("a question", greedy(2), &[])).await.unwrap().ids().len(), 2);
    worker.shutdown().await;
}

#[tokio::test]
async fn whoever_goes_away_stops_the_worker_within_one_token() {
    let pace = Duration::from_millis(150);
    let folder = folder();
    let script = Script { pace_us: pace.as_micros() as u64, length: 4000, ..Script::default() };
    let worker = Worker::spawn(scripted(folder.path(), &script)).await.unwrap();
    for _ in 0..3 {
        let mut first = worker.generate(asked("a question", greedy(4000), &[])).await;
        while !matches!(first.next().await, Some(Ok(Step::Token(_)))) {}
        let gone = Instant::now();
        drop(first);
        let mut second = worker.generate(asked("another question", greedy(1), &[])).await;
        assert!(matches!(second.next().await, Some(Ok(Step::Prefilled { .. }))));
        assert!(gone.elapsed() < pace * 2, "the worker went on for {:?}", gone.elapsed());
        assert_eq!(collect(second).await.unwrap().ids().len(), 1);
    }
    worker.shutdown().await;
}

#[tokio::test]
async fn answers_wait_for_each_other() {
    let folder = folder();
    let worker = Worker::spawn(scripted(folder.path(), &Script::default())).await.unwrap();
    let first = worker.generate(asked("one", greedy(20), &[])).await;
    let second = worker.generate(asked("two", greedy(20), &[])).await;
    let (first, second) = tokio::join!(collect(first), collect(second));
    assert_ne!(first.unwrap().ids(), second.unwrap().ids());
}

#[tokio::test]
async fn killing_a_worker_ends_its_answer() {
    let folder = folder();
    let script = Script { pace_us: 1000, length: 4000, ..Script::default() };
    let mut worker = Worker::spawn(scripted(folder.path(), &script)).await.unwrap();
    let mut generation = worker.generate(asked("a question", greedy(4000), &[])).await;
    while !matches!(generation.next().await, Some(Ok(Step::Token(_)))) {}
    worker.kill();
    assert_eq!(collect(generation).await.unwrap_err().code, Code::WorkerDied);
    assert_eq!(worker.died().await.code, Code::WorkerDied);
    assert!(is_gone(worker.info().pid));
    let late = worker.generate(asked("a question", greedy(1), &[])).await;
    assert_eq!(collect(late).await.unwrap_err().code, Code::WorkerDied);
}

#[tokio::test]
async fn a_continued_answer_is_the_same_answer() {
    let folder = folder();
    let script = Script { length: 40, ..Script::default() };
    let worker = Worker::spawn(scripted(folder.path(), &script)).await.unwrap();
    for sampling in [greedy(100), Sampling { seed: 5, max_tokens: 100, logprobs: Some(2), ..Sampling::default() }] {
        let whole = answer(&worker, asked("a question", sampling.clone(), &[])).await.unwrap();
        assert_eq!(whole.finish, FinishReason::Stop);
        let ids = whole.ids();
        for cut in 0..=ids.len() {
            let Answered { tokens, finish, usage, tail } =
                answer(&worker, asked("a question", sampling.clone(), &ids[..cut])).await.unwrap();
            assert_eq!((tokens.as_slice(), finish), (&whole.tokens[cut..], whole.finish), "after {cut}");
            assert_eq!((usage, tail), (whole.usage, whole.tail.clone()), "after {cut}");
        }
    }
    worker.shutdown().await;
}

/// A worker that lacks a layer that is demanded is given no model, and one that lacks another works.
#[tokio::test]
async fn a_missing_layer_that_is_demanded_means_no_worker() {
    let folder = folder();
    let full: Demand = Tier::Full.into();
    for layer in Tier::Full.layers() {
        let script = Script { lacks: Layers::from([*layer]), ..mishap(When::Load, What::Exit(9)) };
        let spec = WorkerSpec { demand: full.clone(), ..scripted(folder.path(), &script) };
        let fault = Worker::spawn(spec).await.unwrap_err();
        if *layer == Layer::RunFilter {
            // Put up after loading, so that it is missed only then.
            assert_eq!(fault.code, Code::WorkerDied, "{fault}");
            let spec =
                WorkerSpec { demand: full.clone(), ..scripted(folder.path(), &Script { mishap: None, ..script }) };
            assert_eq!(Worker::spawn(spec).await.unwrap_err().code, Code::Unconfined);
        } else {
            assert_eq!(fault.code, Code::Unconfined, "{layer}: {fault}");
            assert!(fault.message.contains(&format!("{layer} (its script says so)")), "{fault}");
        }
    }
    let script = Script { lacks: Layers::from([Layer::Ports]), ..Script::default() };
    let worker = Worker::spawn(WorkerSpec { demand: full, ..scripted(folder.path(), &script) }).await.unwrap();
    assert_eq!(worker.info().shortfalls.len(), 1);
    assert_eq!(Tier::of(&worker.info().layers), Some(Tier::Full));
    let skipped = Demand { skip: Layers::from([Layer::OwnRoot]), ..Tier::Full.into() };
    let spec = WorkerSpec { demand: skipped, ..scripted(folder.path(), &Script::default()) };
    assert_eq!(Worker::spawn(spec).await.unwrap_err().code, Code::Unconfined);
}
