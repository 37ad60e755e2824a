//! Hostile model files and templates, each through the real worker process: it ends within its bound with a sentence
//! that says why, and the node that started it goes on. Deterministic: the same cases in every run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod gguf;
mod json;
mod safetensors;
mod templates;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use common::{answer, asked, engine, greedy, real_program, spec};
use corpus::{Base, Case, Expect};
use lull_engine::{Limits, Worker, WorkerSpec, cpu::EngineKind};
use lull_types::{Code, Fault};

/// Workers at a time.
const AT_ONCE: usize = 2;
/// The most memory of one worker for data, in bytes. The demo model takes a twentieth of it.
const MEMORY_MAX: u64 = 768 << 20;

fn limits() -> Limits {
    Limits {
        hello: Duration::from_secs(20),
        load: Duration::from_secs(20),
        load_per_mib: Duration::ZERO,
        tokenize: Duration::from_secs(5),
        prefill: Duration::from_secs(30),
        prefill_per_token: Duration::ZERO,
        token: Duration::from_secs(20),
        stop: Duration::from_secs(5),
    }
}

/// The longest that one case may take with these limits, and then some for a busy machine.
const CASE_MAX: Duration = Duration::from_secs(120);

/// What became of a case.
#[derive(Debug)]
enum Outcome {
    Refused(Fault),
    Answered,
}

impl Outcome {
    /// Who stopped it, for the summary.
    fn by(&self) -> &'static str {
        let Self::Refused(fault) = self else { return "answered all the same" };
        match fault.code {
            Code::WorkerMemory => "out of its memory",
            Code::WorkerDied => "worker died",
            Code::WorkerHung => "worker hung",
            Code::BadRequest => "refused by the template",
            _ if fault.message.contains(" cannot load the model") => "refused by the engine",
            _ if fault.message.starts_with("the model's files cannot be loaded") => "the engine panicked",
            _ if fault.message.starts_with("the model's chat template") => "refused by the template's bounds",
            _ if fault.message.starts_with("the engine") => "the engine failed at an answer",
            _ => "refused by our check",
        }
    }
}

async fn run(case: &Case, base: &Base, scratch: &Path) -> Outcome {
    let folder = tempfile::tempdir_in(scratch).unwrap();
    base.write(case, folder.path());
    let started = Instant::now();
    let outcome = match Worker::spawn(hostile_spec(folder.path(), scratch)).await {
        Err(fault) => Outcome::Refused(fault),
        Ok(worker) => {
            let question = if case.letters > 0 { "a".repeat(case.letters) } else { "What is Lull?".into() };
            match answer(&worker, asked(&question, greedy(2), &[])).await {
                Err(fault) => Outcome::Refused(fault),
                Ok(_) => Outcome::Answered,
            }
        }
    };
    assert!(started.elapsed() < CASE_MAX, "{} took {:?}", case.name, started.elapsed());
    outcome
}

fn hostile_spec(folder: &Path, scratch: &Path) -> WorkerSpec {
    WorkerSpec { threads: 1, memory_max: Some(MEMORY_MAX), limits: limits(), ..spec(real_program(), folder, scratch) }
}

/// What is wrong with an outcome.
fn fault_in(case: &Case, outcome: &Outcome) -> Option<String> {
    let fault = match (outcome, case.expect) {
        (Outcome::Answered, Expect::Anything | Expect::Slow) => return None,
        // A template may make a long text of a short question.
        (Outcome::Refused(fault), Expect::Anything) if fault.code == Code::ContextExceeded => return None,
        // Only mistral.rs looks into these.
        (Outcome::Answered, _) if engine() == EngineKind::Llama && case.name.starts_with("processor_config") => {
            return None;
        }
        (Outcome::Answered, _) => return Some("it was answered".into()),
        (Outcome::Refused(fault), _) => fault,
    };
    let codes: &[Code] = match case.expect {
        Expect::Slow => &[Code::WorkerHung, Code::ModelBroken, Code::WorkerMemory],
        Expect::BadRequest => &[Code::BadRequest],
        Expect::Broken => &[Code::ModelBroken],
        Expect::Refused | Expect::Anything => &[
            Code::ModelBroken,
            Code::Unsupported,
            Code::WorkerMemory,
            Code::WorkerDied,
            Code::Internal,
            Code::BadRequest,
        ],
        Expect::Dies => &[Code::ModelBroken],
    };
    let text = &fault.message;
    if !codes.contains(&fault.code) {
        return Some(format!("its code is not one of {codes:?}: {fault}"));
    }
    if text.trim().is_empty() || text.contains('\n') || text.len() > 1000 {
        return Some(format!("that is no sentence: {fault}"));
    }
    if fault.code == Code::Internal && case.expect != Expect::Anything {
        return Some(format!("the file's fault is called Lull's own: {fault}"));
    }
    None
}

/// Runs all cases and says what became of them.
async fn drive(kind: &str, cases: Vec<Case>, at_least: usize) {
    let count = cases.iter().filter(|case| !matches!(case.expect, Expect::Anything | Expect::Slow)).count();
    let scratch = tempfile::tempdir().unwrap();
    let base = Arc::new(Base::new(scratch.path()));
    let (started, all) = (Instant::now(), cases.len());
    let waiting = Arc::new(Mutex::new(cases.into_iter()));
    let mut runners = Vec::new();
    for _ in 0..AT_ONCE {
        let (waiting, base, scratch) = (Arc::clone(&waiting), Arc::clone(&base), PathBuf::from(scratch.path()));
        runners.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            loop {
                let case = waiting.lock().unwrap().next();
                let Some(case) = case else { return seen };
                let started = Instant::now();
                let outcome = run(&case, &base, &scratch).await;
                seen.push((case, outcome, started.elapsed()));
            }
        }));
    }
    let (mut sums, mut wrong) = (BTreeMap::new(), Vec::new());
    for runner in runners {
        for (case, outcome, took) in runner.await.unwrap() {
            *sums.entry(outcome.by()).or_insert(0) += 1;
            if std::env::var_os("LULL_TELL").is_some() {
                println!("{}: {outcome:?} after {:.2} s", case.name, took.as_secs_f32());
            }
            wrong.extend(fault_in(&case, &outcome).map(|what| format!("{}: {what}", case.name)));
        }
    }
    println!("{kind}: {all} cases, {count} of them surely hostile, in {:.1} s", started.elapsed().as_secs_f32());
    sums.iter().for_each(|(by, sum)| println!("{kind}: {sum:5} {by}"));
    assert!(wrong.is_empty(), "{kind}: {} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= at_least, "only {count} hostile cases");
}

#[tokio::test]
async fn hostile_gguf_files() {
    drive("gguf", gguf::cases(), 200).await;
}

#[tokio::test]
async fn hostile_safetensors_files() {
    drive("safetensors", safetensors::cases(), 60).await;
}

#[tokio::test]
async fn hostile_tokenizers_and_configs() {
    drive("json", json::cases(), 60).await;
}

#[tokio::test]
async fn hostile_templates() {
    drive("templates", templates::cases(), 40).await;
}
