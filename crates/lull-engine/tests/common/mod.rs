//! What the tests of workers share.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::{Path, PathBuf};

use lull_engine::{
    GenerateRequest, Generation, Limits, Step, Worker, WorkerSpec,
    cpu::{self, EngineKind},
};
use lull_types::{Fault, FinishReason, Message, Role, Sampling, Tier, Token, Usage};

/// The scripted worker of this very build.
pub(crate) fn scripted_program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_lull-worker-scripted"))
}

/// The variable that says which engine's worker the tests of real workers drive.
const ENGINE: &str = "LULL_TEST_ENGINE";

/// Which one: mistral.rs unless something else is said.
pub(crate) fn engine() -> EngineKind {
    match std::env::var(ENGINE).as_deref() {
        Ok("llama") => EngineKind::Llama,
        Ok("mistral") | Err(_) => EngineKind::Mistral,
        Ok(other) => panic!("{ENGINE} is {other}, and there are mistral and llama"),
    }
}

/// The real worker, from `LULL_WORKER_DIR`.
pub(crate) fn real_program() -> PathBuf {
    let dir = std::env::var_os("LULL_WORKER_DIR")
        .expect("LULL_WORKER_DIR does not name the folder of the worker: run ./x build-worker, then ./x test");
    cpu::program_for_this_cpu(Path::new(&dir), engine()).expect("a worker: run ./x build-worker")
}

/// The folder of the demo model.
pub(crate) fn demo() -> PathBuf {
    std::env::var_os("LULL_DEMO_DIR")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../lull-models/demo")), PathBuf::from)
}

pub(crate) fn spec(program: PathBuf, model: &Path, scratch: &Path) -> WorkerSpec {
    WorkerSpec {
        program,
        model: model.to_owned(),
        threads: 2,
        context_max: 4096,
        memory_max: None,
        scratch: scratch.to_owned(),
        limits: Limits::default(),
        demand: Tier::Basic.into(),
        leash: None,
    }
}

pub(crate) fn asked(question: &str, sampling: Sampling, prefix: &[u32]) -> GenerateRequest {
    let messages = vec![Message { role: Role::User, content: question.into() }];
    GenerateRequest { messages, sampling, prefix: prefix.to_vec() }
}

pub(crate) fn greedy(max_tokens: u32) -> Sampling {
    Sampling { temperature: 0.0, max_tokens, ..Sampling::default() }
}

/// An answer that came to its end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answered {
    pub(crate) tokens: Vec<Token>,
    pub(crate) finish: FinishReason,
    pub(crate) usage: Usage,
    pub(crate) tail: String,
}

impl Answered {
    pub(crate) fn ids(&self) -> Vec<u32> {
        self.tokens.iter().map(|token| token.id).collect()
    }

    pub(crate) fn text(&self) -> String {
        self.tokens.iter().map(|token| token.text.as_str()).collect::<String>() + &self.tail
    }
}

pub(crate) async fn collect(mut generation: Generation) -> Result<Answered, Fault> {
    let mut tokens = Vec::new();
    while let Some(step) = generation.next().await {
        match step? {
            Step::Prefilled { .. } => {}
            Step::Token(token) => tokens.push(token),
            Step::Done { finish, usage, tail } => return Ok(Answered { tokens, finish, usage, tail }),
        }
    }
    panic!("an answer without an end")
}

pub(crate) async fn answer(worker: &Worker, request: GenerateRequest) -> Result<Answered, Fault> {
    collect(worker.generate(request).await).await
}
