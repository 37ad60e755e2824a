//! One slot: the task that owns one worker process, starts it, replaces it and says when it dies.

use std::{path::PathBuf, time::Duration};

use lull_engine::{GenerateRequest, Generation, Leash, Limits, Worker, WorkerSpec};
use lull_types::{Fault, ModelHash};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, timeout},
};

use crate::{
    fault::stopping,
    home, lender,
    shelf::LocalModel,
    stance::{Stance, given_back, yielding},
};

/// Orders that may wait for a slot: the lender gives one per reservation, one per job and one per restart.
const ORDERS_MAX: usize = 8;
/// How long a killed worker may take to be gone before the next one starts beside it.
const KILL_MAX: Duration = Duration::from_secs(5);

/// How workers are started.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) threads: u16,
    /// The longest prompt and answer together, in tokens.
    pub(crate) context_max: u32,
    /// In bytes.
    pub(crate) memory_max: Option<u64>,
    pub(crate) scratch: PathBuf,
    /// What workers are held by.
    pub(crate) leash: Leash,
}

/// What a slot is told. It holds content, so it has no `Debug`.
pub(crate) enum Order {
    /// Have this model loaded.
    Warm(LocalModel),
    /// Answer with this model.
    Run { model: LocalModel, request: GenerateRequest, reply: oneshot::Sender<Result<Generation, Fault>> },
}

/// What a slot says.
#[derive(Debug)]
pub(crate) enum Note {
    /// The worker is being started.
    Loading { model: ModelHash },
    /// The worker is ready.
    Ready { model: ModelHash, pid: u32 },
    /// The worker is gone, or did not come up, after this time.
    Died { model: ModelHash, fault: Fault, lived: Duration },
}

/// The lender's end of a slot. When it is dropped the worker is killed and the task ends.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) task: JoinHandle<()>,
}

pub(crate) fn start(
    index: usize,
    plan: Plan,
    stance: watch::Receiver<Stance>,
    lender: mpsc::WeakSender<lender::Command>,
) -> Slot {
    let (orders, inbox) = mpsc::channel(ORDERS_MAX);
    let keeper = Keeper { index, plan, stance, lender, inbox, running: None };
    Slot { orders, task: tokio::spawn(keeper.run()) }
}

struct Keeper {
    index: usize,
    plan: Plan,
    stance: watch::Receiver<Stance>,
    lender: mpsc::WeakSender<lender::Command>,
    inbox: mpsc::Receiver<Order>,
    running: Option<Running>,
}

struct Running {
    model: ModelHash,
    worker: Worker,
    since: Instant,
}

impl Keeper {
    async fn run(mut self) {
        loop {
            let order = tokio::select! {
                order = self.inbox.recv() => order,
                fault = died(self.running.as_ref()) => {
                    self.bury(fault).await;
                    continue;
                }
            };
            match order {
                Some(Order::Warm(model)) => drop(self.ensure(&model).await),
                Some(Order::Run { model, request, reply }) => {
                    let generation = match self.ensure(&model).await {
                        Ok(()) => self.generate(request).await,
                        Err(fault) => Err(fault),
                    };
                    // Whoever asked may be gone; the generation ends with it.
                    drop(reply.send(generation));
                }
                None => break,
            }
        }
        self.kill().await;
    }

    async fn generate(&self, request: GenerateRequest) -> Result<Generation, Fault> {
        match &self.running {
            Some(running) => Ok(running.worker.generate(request).await),
            None => Err(stopping()),
        }
    }

    /// Has this model loaded, in place of any other.
    async fn ensure(&mut self, model: &LocalModel) -> Result<(), Fault> {
        if self.running.as_ref().is_some_and(|running| running.model == model.hash) {
            return Ok(());
        }
        let mut stance = self.stance.clone();
        let Stance { offering, kills, .. } = *stance.borrow_and_update();
        if !offering {
            return Err(yielding());
        }
        self.kill().await;
        self.note(Note::Loading { model: model.hash }).await;
        let spec = WorkerSpec {
            program: self.plan.program.clone(),
            model: model.folder.clone(),
            threads: self.plan.threads,
            context_max: model.context.min(self.plan.context_max),
            memory_max: self.plan.memory_max,
            scratch: self.plan.scratch.join(format!("slot-{}", self.index)),
            limits: Limits::default(),
            leash: Some(self.plan.leash.clone()),
        };
        let spawned = match home::create_folders(&spec.scratch) {
            Ok(()) => tokio::select! {
                spawned = Worker::spawn(spec) => spawned,
                () = given_back(&mut stance, kills) => Err(yielding()),
            },
            Err(fault) => Err(fault),
        };
        match spawned {
            Ok(worker) => {
                let pid = worker.info().pid;
                self.running = Some(Running { model: model.hash, worker, since: Instant::now() });
                self.note(Note::Ready { model: model.hash, pid }).await;
                Ok(())
            }
            Err(fault) => {
                self.note(Note::Died { model: model.hash, fault: fault.clone(), lived: Duration::ZERO }).await;
                Err(fault)
            }
        }
    }

    async fn bury(&mut self, fault: Fault) {
        if let Some(Running { model, worker: _, since }) = self.running.take() {
            self.note(Note::Died { model, fault, lived: since.elapsed() }).await;
        }
    }

    /// Ends the worker and waits until its memory is back.
    async fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.worker.kill();
            if timeout(KILL_MAX, running.worker.died()).await.is_err() {
                tracing::warn!(slot = self.index, "a killed worker is not gone yet");
            }
        }
    }

    async fn note(&self, note: Note) {
        if let Some(lender) = self.lender.upgrade() {
            // A lender that is gone has dropped this slot, too.
            let _ = lender.send(lender::Command::Slot { slot: self.index, note }).await;
        }
    }
}

async fn died(running: Option<&Running>) -> Fault {
    match running {
        Some(running) => running.worker.died().await,
        None => std::future::pending().await,
    }
}
