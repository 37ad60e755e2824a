//! The node's side of a worker: start it, ask it, stop it, and hear why it died. Each frame from it is hostile until
//! checked, and nothing that it does or leaves undone can harm the node.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use lull_types::{Code, Fault, FinishReason, Layers, Message, Sampling, Shortfall, Token, Usage};
use tokio::sync::{Notify, mpsc, watch};

use crate::{
    Demand, EngineInfo, Leash, Limits,
    child::Child,
    pump::{Asked, Command, Pump},
};

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSpec {
    /// The worker's program; see [`crate::cpu::program_for_this_cpu`].
    pub program: PathBuf,
    /// The folder of a stored model.
    pub model: PathBuf,
    /// How many threads may compute.
    pub threads: u16,
    /// The longest prompt and answer together, in tokens.
    pub context_max: u32,
    /// The most memory for data, in bytes.
    pub memory_max: Option<u64>,
    /// An empty folder. A library may look for one, but can write nothing there; the sandbox may put a root folder on it.
    pub scratch: PathBuf,
    /// How long what may take.
    pub limits: Limits,
    /// What it must be confined by.
    pub demand: Demand,
    /// Who holds the process; without one it can be killed, but not frozen.
    pub leash: Option<Leash>,
}

/// What a worker is, once it has loaded its model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerInfo {
    /// The engine in it.
    pub engine: EngineInfo,
    /// The CPU it was built for, such as `x86-64-v3`.
    pub build: String,
    /// The longest prompt and answer together, in tokens.
    pub context: u32,
    /// Tokens of the vocabulary.
    pub vocabulary: u32,
    /// The ids that end an answer, ascending.
    pub ends: Vec<u32>,
    /// What it is confined by.
    pub layers: Layers,
    /// What it could not be confined by.
    pub shortfalls: Vec<Shortfall>,
    /// The process.
    pub pid: u32,
    /// From the start of the process to the loaded model.
    pub loaded_in: Duration,
}

/// A running worker process with its model loaded. Dropping it kills the process.
#[derive(Debug)]
pub struct Worker {
    info: WorkerInfo,
    commands: mpsc::Sender<Command>,
    kill: Arc<Notify>,
    end: watch::Receiver<Option<Fault>>,
}

/// One answer to ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateRequest {
    /// The conversation.
    pub messages: Vec<Message>,
    /// How to choose tokens.
    pub sampling: Sampling,
    /// The ids of the answer so far; the next token's position is their number.
    pub prefix: Vec<u32>,
}

/// What comes of an answer, in this order: `Prefilled`, any number of `Token`s, `Done`.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The model has read the prompt.
    Prefilled {
        /// Tokens of the templated prompt, the prefix not counted.
        prompt_tokens: u32,
        /// How long it took, time frozen not counted.
        took: Duration,
    },
    /// One more token.
    Token(Token),
    /// The answer is whole.
    Done {
        /// Why.
        finish: FinishReason,
        /// What it cost.
        usage: Usage,
        /// Text that was held back and belongs after the last token.
        tail: String,
    },
}

/// An answer in the making. Dropping it stops the worker within one token; the worker then takes the next.
#[derive(Debug)]
pub struct Generation {
    steps: mpsc::Receiver<Result<Step, Fault>>,
    end: watch::Receiver<Option<Fault>>,
    over: bool,
}

/// Steps that may wait for a slow reader; after that the worker waits too.
const STEPS_WAITING_MAX: usize = 64;
/// Answers that may wait for the worker to be free.
const COMMANDS_WAITING_MAX: usize = 16;

impl Worker {
    /// Starts a worker and has it load its model.
    ///
    /// # Errors
    /// [`Code::ModelBroken`], [`Code::WorkerDied`], [`Code::WorkerMemory`], [`Code::WorkerHung`] or
    /// [`Code::WorkerProtocol`] with the reason; [`Code::Unconfined`] when it is not confined as demanded; [`Code::Storage`] when the program or the model cannot be read; what
    /// the [`crate::Keeper`] says when it cannot hold the process.
    pub async fn spawn(spec: WorkerSpec) -> Result<Self, Fault> {
        let started = Instant::now();
        let mut child = Child::spawn(&spec).await?;
        let info = match child.start(&spec, started).await {
            Ok(info) => info,
            Err(trouble) => return Err(child.bury(trouble).await),
        };
        let (commands, inbox) = mpsc::channel(COMMANDS_WAITING_MAX);
        let (end_sender, end) = watch::channel(None);
        let kill = Arc::new(Notify::new());
        let pump = Pump::new(child, info.clone(), spec.limits, inbox);
        let killed = Arc::clone(&kill);
        tokio::spawn(async move {
            let fault = pump.run(&killed).await;
            end_sender.send_replace(Some(fault));
        });
        Ok(Self { info, commands, kill, end })
    }

    /// What it is.
    #[must_use]
    pub const fn info(&self) -> &WorkerInfo {
        &self.info
    }

    /// Asks for an answer. If the worker has one in the making, this one waits.
    pub async fn generate(&self, request: GenerateRequest) -> Generation {
        let (sender, steps) = mpsc::channel(STEPS_WAITING_MAX);
        // If the worker is gone the channel closes, and `next` says why.
        let _ = self.commands.send(Command::Generate(Asked { request, steps: sender })).await;
        Generation { steps, end: self.end.clone(), over: false }
    }

    /// Resolves when the process is gone, with the reason.
    pub async fn died(&self) -> Fault {
        end_of(self.end.clone()).await
    }

    /// Lets the answer in the making end, then has the process exit, or kills it if it does not.
    pub async fn shutdown(self) {
        let _ = self.commands.send(Command::Exit).await;
        end_of(self.end.clone()).await;
    }

    /// Kills the process now, frozen or not. [`Worker::died`] resolves once it is gone; for a process that is held, once
    /// its memory is back, while what is left of it may still be on its way out beside busier ones.
    pub fn kill(&mut self) {
        self.kill.notify_one();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill.notify_one();
    }
}

impl Generation {
    /// The next step; `None` after `Done` or a fault.
    pub async fn next(&mut self) -> Option<Result<Step, Fault>> {
        if self.over {
            return None;
        }
        let step = match self.steps.recv().await {
            Some(step) => step,
            None => Err(end_of(self.end.clone()).await),
        };
        self.over = !matches!(step, Ok(Step::Prefilled { .. } | Step::Token(_)));
        Some(step)
    }
}

async fn end_of(mut end: watch::Receiver<Option<Fault>>) -> Fault {
    match end.wait_for(Option::is_some).await {
        Ok(fault) => fault.clone(),
        Err(_) => None,
    }
    .unwrap_or_else(|| Fault::new(Code::WorkerDied, "the worker went down with the node"))
}
