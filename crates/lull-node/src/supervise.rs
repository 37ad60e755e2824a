//! One slot: the task that owns one worker process, starts it, replaces it and says when it dies.

use std::{path::PathBuf, time::Duration};

use lull_door::home;
use lull_engine::{GenerateRequest, Generation, Leash, Limits, Worker, WorkerSpec};
use lull_types::{Code, Fault, Label, ModelHash};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    confinement::{Confinement, Sandbox},
    fault::stopping,
    lender,
    programs::Programs,
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
    pub(crate) programs: Programs,
    pub(crate) threads: u16,
    /// The longest prompt and answer together, in tokens.
    pub(crate) context_max: u32,
    /// In bytes.
    pub(crate) memory_max: Option<u64>,
    pub(crate) scratch: PathBuf,
    /// What workers are held by.
    pub(crate) leash: Leash,
    /// What workers are confined by, and must be.
    pub(crate) sandbox: Sandbox,
}

/// Whether a job with this label has a worker process to itself. One that ran anything before is replaced first, and it
/// is ended afterwards, so that nothing of the job stays in memory. Labels of an organisation's own count as
/// confidential: what they mean is not known here.
pub(crate) fn is_alone(label: &Label) -> bool {
    *label != Label::public() && *label != Label::internal()
}

/// What a slot is told. It holds content, so it has no `Debug`.
pub(crate) enum Order {
    /// Have this model loaded.
    Warm(LocalModel),
    /// Answer with this model.
    Run(Run),
}

/// One answer to make.
pub(crate) struct Run {
    pub(crate) model: LocalModel,
    pub(crate) request: GenerateRequest,
    /// The job has a worker to itself, and is over when this is cancelled.
    pub(crate) alone: Option<CancellationToken>,
    pub(crate) reply: oneshot::Sender<Result<Generation, Fault>>,
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
    /// The worker was ended on purpose: it ran a job that had it to itself.
    Ended { model: ModelHash },
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
    let confinement = plan.sandbox.subscribe();
    let keeper = Keeper { index, plan, confinement, stance, lender, inbox, running: None };
    Slot { orders, task: tokio::spawn(keeper.run()) }
}

struct Keeper {
    index: usize,
    plan: Plan,
    confinement: watch::Receiver<Confinement>,
    stance: watch::Receiver<Stance>,
    lender: mpsc::WeakSender<lender::Command>,
    inbox: mpsc::Receiver<Order>,
    running: Option<Running>,
}

struct Running {
    model: ModelHash,
    worker: Worker,
    since: Instant,
    /// It has run a job.
    used: bool,
    /// It runs, or ran, a job that has it to itself; that is over when this is cancelled.
    alone: Option<CancellationToken>,
}

impl Running {
    /// Whether it may take on such a job.
    fn suits(&self, model: &ModelHash, alone: bool) -> bool {
        self.model == *model && self.alone.is_none() && !(alone && self.used)
    }
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
                () = over(self.running.as_ref()) => {
                    self.forget().await;
                    continue;
                }
                Ok(()) = self.confinement.changed() => {
                    drop(self.confine().await);
                    continue;
                }
            };
            match order {
                Some(Order::Warm(model)) => drop(self.ensure(&model, false).await),
                Some(Order::Run(Run { model, request, alone, reply })) => {
                    let generation = match self.ensure(&model, alone.is_some()).await {
                        Ok(()) => self.generate(request, alone).await,
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

    async fn generate(
        &mut self,
        request: GenerateRequest,
        alone: Option<CancellationToken>,
    ) -> Result<Generation, Fault> {
        let Some(running) = &mut self.running else { return Err(stopping()) };
        (running.used, running.alone) = (true, alone);
        Ok(running.worker.generate(request).await)
    }

    /// Has this model loaded, in place of any other, in a process that suits the job.
    async fn ensure(&mut self, model: &LocalModel, alone: bool) -> Result<(), Fault> {
        if self.running.as_ref().is_some_and(|running| running.suits(&model.hash, alone)) {
            return Ok(());
        }
        self.confinement.borrow().refusal()?;
        let mut stance = self.stance.clone();
        let Stance { offering, kills, .. } = *stance.borrow_and_update();
        if !offering {
            return Err(yielding());
        }
        self.kill().await;
        self.note(Note::Loading { model: model.hash }).await;
        let spawned = tokio::select! {
            spawned = self.spawn(model) => spawned,
            () = given_back(&mut stance, kills) => Err(yielding()),
        };
        match spawned {
            Ok(worker) => {
                let pid = worker.info().pid;
                self.plan.sandbox.saw(worker.info());
                let (since, used) = (Instant::now(), false);
                self.running = Some(Running { model: model.hash, worker, since, used, alone: None });
                self.note(Note::Ready { model: model.hash, pid }).await;
                // The rules may have changed while it loaded.
                self.confine().await
            }
            Err(fault) => {
                if fault.code == Code::Unconfined {
                    self.plan.sandbox.refused(&fault.message);
                }
                self.note(Note::Died { model: model.hash, fault: fault.clone(), lived: Duration::ZERO }).await;
                Err(fault)
            }
        }
    }

    /// Starts a worker with this model: the fastest program for it, and where that cannot load it, the next.
    async fn spawn(&self, model: &LocalModel) -> Result<Worker, Fault> {
        let spec = |program: &PathBuf| WorkerSpec {
            program: program.clone(),
            model: model.folder.clone(),
            threads: self.plan.threads,
            context_max: model.context.min(self.plan.context_max),
            memory_max: self.plan.memory_max,
            scratch: self.plan.scratch.join(format!("slot-{}", self.index)),
            limits: Limits::default(),
            demand: self.confinement.borrow().demand(),
            leash: Some(self.plan.leash.clone()),
        };
        let mut programs = self.plan.programs.for_format(model.format).into_iter().peekable();
        while let Some(program) = programs.next() {
            let spec = spec(program);
            home::create_folders(&spec.scratch)?;
            match Worker::spawn(spec).await {
                Err(fault) if fault.code == Code::ModelBroken && programs.peek().is_some() => {
                    tracing::warn!(model = model.name, program = %program.display(), reason = fault.message, "another engine is tried");
                }
                spawned => return spawned,
            }
        }
        Err(Fault::new(Code::Internal, "there is no program to start"))
    }

    /// Ends a worker that is not confined as the rules demand now.
    async fn confine(&mut self) -> Result<(), Fault> {
        let Some(running) = &self.running else { return Ok(()) };
        let now = self.confinement.borrow_and_update().clone();
        if now.admits(&running.worker.info().layers) {
            return Ok(());
        }
        let why = now.refusal().err();
        let fault = why.unwrap_or_else(|| Fault::new(Code::Unconfined, "a worker was not confined as demanded"));
        let model = running.model;
        let lived = running.since.elapsed();
        self.kill().await;
        self.note(Note::Died { model, fault: fault.clone(), lived }).await;
        Err(fault)
    }

    /// Ends a worker whose job had it to itself.
    async fn forget(&mut self) {
        let model = self.running.as_ref().map(|running| running.model);
        self.kill().await;
        if let Some(model) = model {
            self.note(Note::Ended { model }).await;
        }
    }

    async fn bury(&mut self, fault: Fault) {
        if let Some(Running { model, since, .. }) = self.running.take() {
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

/// Resolves when the job that has the worker to itself is over.
async fn over(running: Option<&Running>) {
    match running.and_then(|running| running.alone.as_ref()) {
        Some(job) => job.cancelled().await,
        None => std::future::pending().await,
    }
}

async fn died(running: Option<&Running>) -> Fault {
    match running {
        Some(running) => running.worker.died().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_whose_meaning_is_not_known_is_guarded_like_the_most_guarded() {
        assert!(!is_alone(&Label::public()) && !is_alone(&Label::internal()));
        assert!(is_alone(&Label::confidential()) && is_alone(&"board-only".parse().unwrap()));
    }
}
