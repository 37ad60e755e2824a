use std::{collections::BTreeMap, collections::BTreeSet, collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use lull_core::{
    Millis,
    scheduler::{CatalogueEntry, Cut, Granted, Input, Load, OpenRefusal, Output, Scheduler, Team},
};
use lull_policy::OrgRules;
use lull_types::{Code, Epoch, Fault, JobId, NodeId, Usage};
use lull_wire::{
    Signed,
    control::{self, Found, FromRelay},
    identity::{DeviceChain, SealingCertificate},
    job::{Grant, StreamEnd},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use crate::{
    clock::{self, Clock},
    convert,
    fabric::Fabric,
    grant::Granter,
    ledger::Run,
    login::{self, Person},
    metrics::Metrics,
    orders::Standing,
    recorder::Record,
};

mod integrity;
mod orders;

pub(crate) use orders::Following;

/// Events that may wait for the actor; whoever brings more waits.
pub(crate) const EVENTS_MAX: usize = 8_192;
/// Events taken at once.
const EVENTS_BATCH: usize = 256;
/// The least time between two catalogues, in milliseconds; it grows by one for each node.
const CATALOGUE_PAUSE_MS: u64 = 100;
/// The most models in a catalogue.
const CATALOGUE_MODELS_MAX: usize = 512;

type RunId = (JobId, Epoch);

/// What happens at the relay.
#[derive(Debug)]
pub(crate) enum Event {
    /// A node said who it is.
    Up(Box<Arrival>),
    /// A connection ended.
    Down { node: NodeId, generation: u64 },
    /// A node said something else.
    Said { node: NodeId, generation: u64, input: Box<Input>, check: Option<u64> },
    /// A checker says what it has found.
    Checked { node: NodeId, generation: u64, check: u64, found: Option<Found> },
    /// An administrator lets a node back; whether it was kept away.
    Released { node: NodeId, reply: oneshot::Sender<bool> },
    /// A node opened a job's stream.
    Open { node: NodeId, job: JobId, epoch: Epoch, reply: oneshot::Sender<Result<Opened, StreamEnd>> },
    /// A job's stream ended.
    Finished { job: JobId, epoch: Epoch, lender_lost: bool },
    /// The ledger has settled a run.
    Settled { job: JobId, epoch: Epoch, usage: Usage },
    /// Whoever works at a node has logged in.
    Person { node: NodeId, generation: u64, person: Person },
    /// A node was shut out.
    Revoked { node: NodeId },
    /// What counts for everybody has changed.
    Orders(Box<Standing>),
    /// A node says which policy it follows, or why it cannot.
    Follows { node: NodeId, generation: u64, version: u64, fault: Option<Fault> },
    /// Someone wants to see the state.
    Snapshot(oneshot::Sender<Snapshot>),
    /// Someone wants to know how far the policy has come.
    Following(oneshot::Sender<Following>),
    /// No new jobs; answers when the running ones have ended.
    Drain(oneshot::Sender<()>),
    /// End what still runs.
    CutAll,
}

/// A node that has said who it is.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) node: NodeId,
    pub(crate) generation: u64,
    pub(crate) groups: Vec<String>,
    pub(crate) user: String,
    /// Whoever logged in there last, if that still counts.
    pub(crate) person: Option<Person>,
    pub(crate) chain: DeviceChain,
    pub(crate) sealing: Signed<SealingCertificate>,
}

/// Where a job's stream goes, and what may end it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) lender: NodeId,
    pub(crate) cut: oneshot::Receiver<StreamEnd>,
}

/// What is going on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) load: Load,
    pub(crate) models: Vec<CatalogueEntry>,
    pub(crate) connected: Vec<NodeId>,
    pub(crate) draining: bool,
}

struct Member {
    generation: u64,
    team: Team,
    chain: DeviceChain,
    sealing: Signed<SealingCertificate>,
    /// The policy that it follows, or cannot.
    follows: Option<(u64, Option<Fault>)>,
}

/// The one owner of the scheduler's state.
pub(crate) struct Actor {
    pub(crate) clock: Clock,
    pub(crate) scheduler: Scheduler,
    pub(crate) fabric: Arc<dyn Fabric>,
    pub(crate) granter: Granter,
    pub(crate) recorder: mpsc::Sender<Record>,
    pub(crate) metrics: Arc<Metrics>,
    members: BTreeMap<NodeId, Member>,
    revoked: BTreeSet<NodeId>,
    words: orders::Words,
    /// The rules, for whoever else must know them.
    pub(crate) rules: watch::Sender<Arc<OrgRules>>,
    bench: integrity::Bench,
    /// The day that quotas count for, from 1970-01-01 in UTC.
    day: u64,
    streams: BTreeMap<RunId, oneshot::Sender<StreamEnd>>,
    catalogue: Bytes,
    catalogue_version: u64,
    catalogue_sent: Millis,
    draining: Option<oneshot::Sender<()>>,
    is_draining: bool,
}

impl Actor {
    pub(crate) fn new(
        scheduler: Scheduler,
        fabric: Arc<dyn Fabric>,
        granter: Granter,
        recorder: mpsc::Sender<Record>,
        metrics: Arc<Metrics>,
        seed: u64,
    ) -> Self {
        let mut this = Self {
            clock: Clock::start(),
            scheduler,
            fabric,
            granter,
            recorder,
            metrics,
            members: BTreeMap::new(),
            revoked: BTreeSet::new(),
            words: orders::Words::default(),
            rules: watch::Sender::default(),
            bench: integrity::Bench::new(seed),
            day: 0,
            streams: BTreeMap::new(),
            catalogue: Bytes::new(),
            catalogue_version: 0,
            catalogue_sent: Millis(0),
            draining: None,
            is_draining: false,
        };
        this.catalogue = this.encode_catalogue();
        this
    }

    /// Runs until nobody can send events any more.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        let mut batch = Vec::with_capacity(EVENTS_BATCH);
        let timer = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(timer);
        loop {
            if let Some(due) = self.next_due() {
                timer.as_mut().reset(Instant::from_std(self.clock.instant(due)));
            }
            tokio::select! {
                count = events.recv_many(&mut batch, EVENTS_BATCH) => {
                    if count == 0 {
                        return;
                    }
                    for event in batch.drain(..) {
                        self.event(event);
                    }
                }
                () = &mut timer, if self.next_due().is_some() => {
                    self.input(Input::Tick);
                    self.judge(lull_core::integrity::Input::Tick);
                }
            }
            self.look_at_the_day();
            self.send_catalogue();
            if self.streams.is_empty()
                && let Some(reply) = self.draining.take()
            {
                let _ = reply.send(());
            }
        }
    }

    fn next_due(&self) -> Option<Millis> {
        let stale = self.scheduler.catalogue_version() != self.catalogue_version;
        // A millisecond more: the clock's moment is rounded down.
        let tick = self.scheduler.next_deadline().map(|at| at.plus(1));
        let check = self.bench.judge.next_deadline().map(|at| at.plus(1));
        tick.into_iter().chain(check).chain(stale.then(|| self.catalogue_due())).min()
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Up(arrival) => self.up(*arrival),
            Event::Down { node, generation } => {
                if self.is_current(node, generation) {
                    self.down(node);
                }
            }
            Event::Said { node, generation, input, check } => {
                if self.is_current(node, generation) {
                    self.said(*input, check);
                }
            }
            Event::Checked { node, generation, check, found } => {
                if self.is_current(node, generation) {
                    self.checked(node, check, found);
                }
            }
            // Whoever asked may be gone already.
            Event::Released { node, reply } => drop(reply.send(self.release(node))),
            Event::Person { node, generation, person } => {
                if self.is_current(node, generation) {
                    let Person { user, groups, .. } = person;
                    self.input(Input::Person { node, user, groups });
                }
            }
            Event::Open { node, job, epoch, reply } => self.open(node, (job, epoch), reply),
            Event::Finished { job, epoch, lender_lost } => {
                self.streams.remove(&(job, epoch));
                self.input(Input::Finished { job, epoch, lender_lost });
                self.served((job, epoch));
            }
            Event::Settled { job, epoch, usage } => self.input(Input::Settled { job, epoch, usage }),
            Event::Revoked { node } => {
                self.revoked.insert(node);
                self.shut_out(node);
            }
            Event::Orders(standing) => self.follow(*standing),
            Event::Follows { node, generation, version, fault } => {
                if self.is_current(node, generation) {
                    self.follows(node, version, fault);
                }
            }
            Event::Following(reply) => {
                let _ = reply.send(self.following());
            }
            Event::Snapshot(reply) => {
                let _ = reply.send(self.snapshot());
            }
            Event::Drain(reply) => {
                self.is_draining = true;
                self.draining = Some(reply);
                let fault = Fault::new(Code::RelayDraining, "the relay restarts: come back in a moment");
                self.fabric.broadcast(encode(&FromRelay::Goodbye(fault)));
            }
            Event::CutAll => {
                for (_, cut) in std::mem::take(&mut self.streams) {
                    let _ = cut.send(StreamEnd::Draining);
                }
            }
        }
    }

    fn is_current(&self, node: NodeId, generation: u64) -> bool {
        self.members.get(&node).is_some_and(|member| member.generation == generation)
    }

    fn up(&mut self, arrival: Arrival) {
        let Arrival { node, generation, groups, user, person, chain, sealing } = arrival;
        if self.revoked.contains(&node) {
            self.shut_out(node);
            return;
        }
        if self.members.get(&node).is_some_and(|member| member.generation > generation) {
            return;
        }
        let team = Team::of(node, &groups);
        self.members.insert(node, Member { generation, team, chain, sealing, follows: None });
        self.greet(node);
        self.input(Input::NodeUp { node, groups, user });
        if let Some(person) = person {
            self.send(node, &login::told(&person));
            self.input(Input::Person { node, user: person.user, groups: person.groups });
        }
        self.fabric.send(node, self.catalogue.clone());
    }

    fn down(&mut self, node: NodeId) {
        self.members.remove(&node);
        self.gone(node);
        self.input(Input::NodeDown { node });
    }

    fn shut_out(&mut self, node: NodeId) {
        self.down(node);
        self.fabric.close(node, convert::revoked());
    }

    fn said(&mut self, mut input: Input, check: Option<u64>) {
        if self.is_draining
            && let Input::Submit { submitter, submit } = &input
        {
            let reason = Fault::new(Code::RelayDraining, "the relay restarts: ask again in a moment");
            self.refuse(*submitter, submit.job, submit.epoch, reason);
            return;
        }
        match (&mut input, check) {
            (Input::Submit { submitter, submit }, Some(check)) => match self.direct(*submitter, check) {
                Some(lender) => submit.check = Some(lender),
                None => {
                    let reason = Fault::new(Code::BadRequest, "this check is not asked for, or not any more");
                    return self.refuse(*submitter, submit.job, submit.epoch, reason);
                }
            },
            (Input::Offer { node, offer }, _) => self.offered(*node, offer),
            _ => {}
        }
        self.input(input);
    }

    fn open(&mut self, node: NodeId, id: RunId, reply: oneshot::Sender<Result<Opened, StreamEnd>>) {
        let answer = match self.scheduler.open(self.clock.now(), node, id.0, id.1) {
            Ok(lender) => {
                let (end, cut) = oneshot::channel();
                self.streams.insert(id, end);
                Ok(Opened { lender, cut })
            }
            Err(OpenRefusal::LenderLost) => Err(StreamEnd::LenderLost),
            Err(OpenRefusal::Refused) => Err(StreamEnd::Refused),
        };
        if reply.send(answer).is_err() {
            self.streams.remove(&id);
            self.input(Input::Finished { job: id.0, epoch: id.1, lender_lost: false });
        }
    }

    fn input(&mut self, input: Input) {
        let mut outputs = VecDeque::from(self.scheduler.handle(self.clock.now(), input));
        while let Some(output) = outputs.pop_front() {
            if let Some(more) = self.perform(output) {
                outputs.extend(self.scheduler.handle(self.clock.now(), more));
            }
        }
    }

    /// Does what the scheduler decided; sometimes that leads to one more input.
    fn perform(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Reserve(reserve) => {
                let message = FromRelay::Reserve(self.granter.reservation(&reserve));
                self.send(reserve.lender, &message);
                None
            }
            Output::Grant(granted) => self.grant(&granted),
            Output::Queued { submitter, job, ahead } => {
                self.send(submitter, &FromRelay::Queued { job, ahead });
                None
            }
            Output::Refused { submitter, job, epoch, why } => {
                self.refuse(submitter, job, epoch, convert::refusal(why));
                None
            }
            Output::Release { lender, job, epoch } => {
                self.send(lender, &FromRelay::Release { job, epoch });
                None
            }
            Output::Cut { job, epoch, why } => {
                if let Some(cut) = self.streams.remove(&(job, epoch)) {
                    let _ = cut.send(match why {
                        Cut::Cancelled => StreamEnd::Cancelled,
                        Cut::LenderLost => StreamEnd::LenderLost,
                        Cut::TooLong => StreamEnd::Refused,
                        Cut::Forbidden => StreamEnd::Forbidden,
                    });
                }
                None
            }
            Output::Learned { model } => {
                if self.recorder.try_send(Record::Learned(model)).is_err() {
                    tracing::warn!("a new model's name was not written down: the ledger is behind");
                }
                None
            }
        }
    }

    fn grant(&mut self, granted: &Granted) -> Option<Input> {
        let (job, epoch) = (granted.submit.job, granted.submit.epoch);
        let member = self.members.get(&granted.lender)?;
        let team = self.members.get(&granted.submitter)?.team.to_string();
        let run = Run {
            job,
            epoch,
            submitter: granted.submitter,
            lender: granted.lender,
            team,
            model: granted.submit.model.clone(),
            hash: granted.model,
            granted_s: clock::now_s(),
        };
        let signed: Option<Signed<Grant>> = self.granter.grant(granted);
        // What cannot be written down is not granted: nobody could settle it.
        let recorded = signed.is_some() && self.recorder.try_send(Record::Granted(run)).is_ok();
        let Some(grant) = signed.filter(|_| recorded) else {
            self.metrics.unrecorded.inc();
            let reason = Fault::new(Code::Storage, "the relay's ledger cannot keep up: try again in a moment");
            self.refuse(granted.submitter, job, epoch, reason);
            return Some(Input::Cancel { submitter: granted.submitter, job });
        };
        self.metrics.granted.inc();
        self.metrics.grant_seconds.observe(Duration::from_millis(granted.waited_ms).as_secs_f64());
        let (lender, sealing) = (member.chain.clone(), member.sealing.clone());
        self.send(granted.submitter, &FromRelay::Granted { grant, lender, sealing });
        self.serves((job, epoch), granted.lender, granted.model);
        tracing::debug!(%job, %epoch, lender = %granted.lender, waited_ms = granted.waited_ms, "granted");
        None
    }

    fn refuse(&self, submitter: NodeId, job: JobId, epoch: Epoch, reason: Fault) {
        self.metrics.refused(reason.code);
        tracing::debug!(%job, %epoch, code = %reason.code, "refused");
        self.send(submitter, &FromRelay::Refused { job, epoch, reason });
    }

    fn send(&self, node: NodeId, message: &FromRelay) {
        self.fabric.send(node, encode(message));
    }

    fn catalogue_due(&self) -> Millis {
        self.catalogue_sent.plus(CATALOGUE_PAUSE_MS + self.members.len() as u64)
    }

    fn send_catalogue(&mut self) {
        let version = self.scheduler.catalogue_version();
        let now = self.clock.now();
        if version == self.catalogue_version || now < self.catalogue_due() {
            return;
        }
        (self.catalogue_version, self.catalogue_sent) = (version, now);
        let catalogue = self.encode_catalogue();
        if catalogue != self.catalogue {
            self.catalogue = catalogue;
            self.fabric.broadcast(self.catalogue.clone());
        }
    }

    fn encode_catalogue(&self) -> Bytes {
        let mut models = self.scheduler.catalogue();
        // When there are too many, those that somebody offers come first.
        if models.len() > CATALOGUE_MODELS_MAX {
            models.sort_by_key(|model| model.lenders == 0);
            models.truncate(CATALOGUE_MODELS_MAX);
        }
        encode(&FromRelay::Catalogue(models.into_iter().map(convert::catalogue_model).collect()))
    }

    fn snapshot(&self) -> Snapshot {
        let mut models = self.scheduler.catalogue();
        models.truncate(CATALOGUE_MODELS_MAX);
        let connected = self.members.keys().copied().collect();
        Snapshot { load: self.scheduler.load(), models, connected, draining: self.is_draining }
    }
}

/// A message as its frame. Every message of the relay's own making fits.
pub(crate) fn encode(message: &FromRelay) -> Bytes {
    lull_wire::frame::encode(message, control::BYTES_MAX).map_or_else(
        |error| {
            tracing::error!(%error, "a message of the relay's own does not fit its frame");
            Bytes::new()
        },
        Bytes::from,
    )
}
