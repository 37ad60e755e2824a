//! The people's side: gives each question a job of its own and hands it what the relay says about it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use lull_types::{ChatEvent, ChatRequest, Code, Epoch, Fault, JobId, Label};
use lull_wire::{
    Signed,
    control::{FromNode, JOBS_PER_NODE_MAX},
    identity::{DeviceChain, SealingCertificate},
    job::Grant,
    random,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    checks::{CHECKS_MAX, Check},
    link::LinkState,
    rulebook::Rulebook,
    turns,
    used::UsedTally,
    validate,
};

/// Questions and messages that may wait for the submitter.
pub(crate) const INBOX_MAX: usize = 64;
/// Messages of the relay about one job that may wait for it. Only a relay that says needless things reaches this.
const JOB_INBOX_MAX: usize = 16;
/// Events that may wait for whoever asked; after that the lender waits, too.
pub(crate) const EVENTS_MAX: usize = 64;

/// What the submitter is told. It holds content, so it has no `Debug`.
pub(crate) enum Command {
    Ask {
        request: Box<ChatRequest>,
        reply: oneshot::Sender<Result<mpsc::Receiver<ChatEvent>, Fault>>,
    },
    Relay {
        job: JobId,
        message: FromRelay,
    },
    /// The relay wants a lender checked.
    Check {
        check: u64,
        model: String,
        label: Label,
    },
}

/// What the relay says about a job.
#[derive(Debug)]
pub(crate) enum FromRelay {
    Queued { ahead: u32 },
    Granted(Box<Granted>),
    Refused { epoch: Epoch, reason: Fault },
}

/// A grant, with the lender's proofs.
#[derive(Debug, Clone)]
pub(crate) struct Granted {
    pub(crate) grant: Signed<Grant>,
    pub(crate) lender: DeviceChain,
    pub(crate) sealing: Signed<SealingCertificate>,
}

/// What the submitter shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SubmitterView {
    pub(crate) running: usize,
    pub(crate) asked: u64,
}

/// What every job may look at.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    pub(crate) link: watch::Receiver<LinkState>,
    pub(crate) rulebook: Rulebook,
    pub(crate) stop: CancellationToken,
}

/// The task that knows which jobs there are.
pub(crate) struct Submitter {
    sight: Sight,
    used: UsedTally,
    inbox: mpsc::Receiver<Command>,
    view: watch::Sender<SubmitterView>,
    jobs: BTreeMap<JobId, mpsc::Sender<FromRelay>>,
    tasks: JoinSet<JobId>,
    checking: Arc<AtomicUsize>,
}

/// One check that is under way, until this is dropped, however it ends.
struct Turn(Arc<AtomicUsize>);

impl Turn {
    fn take(checking: Arc<AtomicUsize>) -> Self {
        checking.fetch_add(1, Ordering::Relaxed);
        Self(checking)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Submitter {
    pub(crate) fn new(
        sight: Sight,
        used: UsedTally,
        inbox: mpsc::Receiver<Command>,
        view: watch::Sender<SubmitterView>,
    ) -> Self {
        Self { sight, used, inbox, view, jobs: BTreeMap::new(), tasks: JoinSet::new(), checking: Arc::default() }
    }

    /// Runs until the node stops, and every job has been told.
    pub(crate) async fn run(mut self) {
        let stop = self.sight.stop.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = self.tasks.join_next() => self.forget(ended.ok()),
                command = self.inbox.recv() => match command {
                    Some(command) => self.handle(command),
                    None => break,
                },
            }
        }
        self.inbox.close();
        while self.tasks.join_next().await.is_some() {}
    }

    fn handle(&mut self, command: Command) {
        match command {
            // Whoever asked may be gone already.
            Command::Ask { request, reply } => drop(reply.send(self.ask(*request))),
            Command::Check { check, model, label } => self.check(check, model, label),
            Command::Relay { job, message } => {
                let Some(inbox) = self.jobs.get(&job) else { return };
                if inbox.try_send(message).is_err() {
                    tracing::debug!(%job, "a message about a job that takes no more was dropped");
                }
            }
        }
    }

    fn ask(&mut self, request: ChatRequest) -> Result<mpsc::Receiver<ChatEvent>, Fault> {
        validate::check(&request)?;
        self.sight.rulebook.may_ask(&request.label, &request.model)?;
        if self.tasks.len() >= JOBS_PER_NODE_MAX {
            let text = format!("{JOBS_PER_NODE_MAX} questions are under way from this machine; wait for one to end");
            return Err(Fault::new(Code::Busy, text));
        }
        let job = JobId(random());
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let (inbox, messages) = mpsc::channel(JOB_INBOX_MAX);
        let (model, tally) = (request.model.clone(), self.used.clone());
        let driver = turns::Driver::new(job, request, self.sight.clone(), events, messages);
        self.jobs.insert(job, inbox);
        self.tasks.spawn(async move {
            let used = driver.run().await;
            tally.count(jiff::Zoned::now().date(), model, used).await;
            job
        });
        self.view.send_modify(|view| view.asked += 1);
        self.show();
        Ok(receiver)
    }

    fn check(&mut self, check: u64, model: String, label: Label) {
        if self.checking.load(Ordering::Relaxed) >= CHECKS_MAX {
            tracing::debug!(check, "as many lenders as may be are being checked");
            if let Some(session) = self.sight.link.borrow().session() {
                session.say(FromNode::Checked { check, found: None });
            }
            return;
        }
        let job = JobId(random());
        let (inbox, messages) = mpsc::channel(JOB_INBOX_MAX);
        self.jobs.insert(job, inbox);
        let check = Check { job, check, model, label, sight: self.sight.clone(), messages };
        let (checking, stop) = (self.checking.clone(), self.sight.stop.clone());
        let turn = Turn::take(checking);
        self.tasks.spawn(async move {
            let _turn = turn;
            tokio::select! {
                () = check.run() => {}
                () = stop.cancelled() => {}
            }
            job
        });
    }

    fn forget(&mut self, ended: Option<JobId>) {
        match ended {
            Some(job) => drop(self.jobs.remove(&job)),
            // A job that panicked cannot say which it was; its inbox is closed.
            None => self.jobs.retain(|_, inbox| !inbox.is_closed()),
        }
        self.show();
    }

    fn show(&self) {
        let running = self.tasks.len();
        self.view.send_if_modified(|view| std::mem::replace(&mut view.running, running) != running);
    }
}
