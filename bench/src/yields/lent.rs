//! The real worker with a real model's weights, kept at work.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lull_engine::{Adopted, Demand, GenerateRequest, Keeper, Leash, Limits, Step, Worker, WorkerSpec, cpu};
use lull_sandbox::Freezer;
use lull_types::{Code, Fault, Layer, Layers, Message, Role, Sampling, Tier};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::watch, task::JoinHandle};

use crate::{machine, setup};

/// The longest prompt and answer together, in tokens: what the model was made for.
const CONTEXT: u32 = 2_048;
/// Tokens of a prompt that takes long to read.
const LONG: u32 = 1_900;
/// Tokens of one that does not.
const SHORT: u32 = 16;
/// A worker that is starved beside busy programs is not hung: nothing in this bench may take it for that.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// How long a worker alone on the machine may take to come to its work.
const PHASE_MAX: Duration = Duration::from_secs(180);
/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Something in between.
    Between = 0,
    /// Reading a prompt.
    Prefill,
    /// Writing an answer.
    Decode,
}

impl Phase {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Between => "between",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
        }
    }
}

/// A worker process that is held by a freezer.
pub(super) struct Lent {
    runtime: Runtime,
    worker: Arc<Worker>,
    phase: Arc<AtomicU8>,
    feeding: Option<JoinHandle<Result<()>>>,
    frozen: watch::Sender<bool>,
    freezer: Arc<Freezer>,
    _scratch: TempDir,
}

/// Lets lull-engine hold its worker by lull-sandbox, as a node does.
struct Hands(Arc<Freezer>);
struct Grip(lull_sandbox::Adopted);

impl Keeper for Hands {
    fn adopt(&self, pid: u32) -> Result<Box<dyn Adopted>, Fault> {
        let adopted = self.0.adopt(pid).map_err(|error| Fault::new(Code::Internal, error.to_string()))?;
        Ok(Box::new(Grip(adopted)))
    }
}

impl Adopted for Grip {
    fn end(&self) {
        self.0.end();
    }
}

impl Lent {
    pub(super) fn start(model: &Path, freezer: &Arc<Freezer>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (frozen, frozen_now) = watch::channel(false);
        let keeper: Arc<dyn Keeper> = Arc::new(Hands(Arc::clone(freezer)));
        let scratch = tempfile::tempdir()?;
        let spec = WorkerSpec {
            program: program()?,
            model: model.to_owned(),
            threads: machine::threads(),
            context_max: CONTEXT,
            memory_max: None,
            scratch: scratch.path().to_owned(),
            limits: Limits { prefill: PATIENCE, token: PATIENCE, stop: PATIENCE, ..Limits::default() },
            demand: demand(),
            leash: Some(Leash { keeper, frozen: frozen_now }),
        };
        let worker = Arc::new(runtime.block_on(Worker::spawn(spec))?);
        let phase = Arc::new(AtomicU8::new(Phase::Between as u8));
        Ok(Self { runtime, worker, phase, feeding: None, frozen, freezer: Arc::clone(freezer), _scratch: scratch })
    }

    pub(super) fn pid(&self) -> u32 {
        self.worker.info().pid
    }

    /// Keeps it at this from now on.
    pub(super) fn feed(&mut self, wanted: Phase) {
        if let Some(feeding) = self.feeding.take() {
            feeding.abort();
        }
        self.phase.store(Phase::Between as u8, SeqCst);
        let (worker, phase) = (Arc::clone(&self.worker), Arc::clone(&self.phase));
        self.feeding = Some(self.runtime.spawn(feed(worker, phase, wanted)));
    }

    /// Whether it is at this.
    pub(super) fn is_at(&self, wanted: Phase) -> bool {
        self.phase.load(SeqCst) == wanted as u8
    }

    /// Waits until it is.
    pub(super) fn wait_until_at(&self, wanted: Phase) -> Result<()> {
        let began = Instant::now();
        while !self.is_at(wanted) {
            let fed = self.feeding.as_ref().is_some_and(|feeding| !feeding.is_finished());
            ensure!(fed, "the worker has given up: {}", self.runtime.block_on(self.worker.died()));
            ensure!(began.elapsed() < PHASE_MAX, "the worker has not come to its {} in time", wanted.name());
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Whether any of its threads is on a processor or waits for one.
    pub(super) fn wants_to_run(&self) -> bool {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.pid())) else { return false };
        threads.flatten().any(|thread| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('R'))
        })
    }

    /// Its memory that is really there, in bytes: its own, and of files.
    pub(super) fn resident(&self) -> Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib << 10)
        };
        let figures = || Some((field("RssAnon:")?, field("RssFile:")? + field("RssShmem:")?));
        figures().context("the worker's memory is not told")
    }

    /// Freezes it as an input does.
    pub(super) fn freeze(&self) {
        self.freezer.freeze();
        self.frozen.send_replace(true);
    }

    /// Has it go on.
    pub(super) fn thaw(&self) -> Result<()> {
        ensure!(self.freezer.thaw(self.freezer.ticket()), "the worker does not thaw");
        self.frozen.send_replace(false);
        Ok(())
    }

    /// Ends it as a node does. Returns at once: the rest happens on the runtime's own thread, as in a node.
    pub(super) fn kill(&mut self) -> Result<()> {
        Arc::get_mut(&mut self.worker).context("the worker is still being fed")?.kill();
        Ok(())
    }

    /// Has it do nothing any more, so that nothing but this holds it.
    pub(super) fn let_rest(&mut self) {
        if let Some(feeding) = self.feeding.take() {
            feeding.abort();
            let _ = self.runtime.block_on(feeding);
        }
    }

    /// Waits until the node's side knows that it is gone.
    pub(super) fn wait_until_gone(&self) {
        self.runtime.block_on(self.worker.died());
    }
}

/// Asks for one answer after the other.
async fn feed(worker: Arc<Worker>, phase: Arc<AtomicU8>, wanted: Phase) -> Result<()> {
    let now = |at: Phase| phase.store(at as u8, SeqCst);
    loop {
        let mut generation = worker.generate(request(&worker, wanted)).await;
        if wanted == Phase::Prefill {
            now(Phase::Prefill);
        }
        while let Some(step) = generation.next().await {
            match step? {
                Step::Prefilled { .. } => now(Phase::Between),
                Step::Token(_) if wanted == Phase::Decode => now(Phase::Decode),
                // The prompt is read: the next one.
                Step::Token(_) | Step::Done { .. } => break,
            }
        }
        now(Phase::Between);
    }
}

fn request(worker: &Worker, wanted: Phase) -> GenerateRequest {
    let length = if wanted == Phase::Prefill { LONG } else { SHORT };
    // Each byte is a token, and the end of an answer is made impossible.
    let content = (0..length).map(|at| char::from(b'a' + (at * 7 % 26) as u8)).collect();
    let sampling = Sampling {
        temperature: 0.0,
        max_tokens: CONTEXT - length - 1,
        bias: worker.info().ends.iter().map(|&end| (end, -1e9)).collect(),
        ..Sampling::default()
    };
    GenerateRequest { messages: vec![Message { role: Role::User, content }], sampling, prefix: Vec::new() }
}

/// All of the sandbox, but that the kernel's records of a process that leaves no dump are for nobody but root.
fn demand() -> Demand {
    let mut required: Layers = Tier::Full.layers().iter().copied().collect();
    required.remove(&Layer::NoDump);
    Demand { required, skip: Layers::from([Layer::NoDump]) }
}

fn program() -> Result<PathBuf> {
    let folder = match std::env::var_os("LULL_WORKER_DIR") {
        Some(folder) => folder.into(),
        None => setup::cache()?.join("bin"),
    };
    Ok(cpu::program_for_this_cpu(&folder, cpu::EngineKind::Mistral)?)
}
