//! The lender: owns the slots, answers reservations and lets granted jobs run.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use lull_models::DEMO_NAME;
use lull_seal::SealingKey;
use lull_types::{Code, Epoch, Fault, JobId, ModelHash, RanHere, Usage, WorkerState, WorkerView};
use lull_wire::{
    Signed,
    control::{FromNode, OFFERED_MODELS_MAX, Offer, OfferedModel, Reserve},
    job::{Grant, Outcome, Receipt, Side},
    random,
};
use quinn::{RecvStream, SendStream, VarInt};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{self, JoinError, JoinSet},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    booking::{Bookings, Run},
    confinement::Sandbox,
    identity::Identity,
    lend::{self, Alone, Ended, Permit, Stream},
    lending::Herd,
    link::LinkState,
    ran::{RanLog, energy_wh},
    rulebook::Rulebook,
    shelf::{LocalModel, Shelf},
    speed::Speed,
    stance::{Stance, yielding},
    supervise::{self, Note, Order, Plan, Slot, is_alone},
};

/// Commands that may wait for the lender.
pub(crate) const INBOX_MAX: usize = 64;
/// Streams beyond the slots that may be at their header; more are refused.
const UNCLAIMED_MAX: usize = 16;
/// A worker that lived for less died fast.
const FAST_DEATH: Duration = Duration::from_secs(30);
/// So many fast deaths in a row, and the model is not offered any more.
const FAST_DEATHS_MAX: u32 = 3;
/// The wait before a dead worker is started again; it doubles with each fast death.
const RESTART_FIRST: Duration = Duration::from_millis(200);
/// How long workers may take to be gone when the node stops.
const STOP_MAX: Duration = Duration::from_secs(5);

/// What the lender is told.
#[derive(Debug)]
pub(crate) enum Command {
    Reserve(Reserve),
    Release { job: JobId, epoch: Epoch },
    Stream { send: SendStream, receive: RecvStream },
    Claim { task: task::Id, grant: Signed<Grant>, reply: oneshot::Sender<Result<Permit, Fault>> },
    Slot { slot: usize, note: Note },
    Rescan { reply: oneshot::Sender<Result<(), Fault>> },
}

/// What the lender may look at.
pub(crate) struct Setup {
    pub(crate) home: PathBuf,
    /// How to start workers, or why none can.
    pub(crate) plan: Result<Plan, String>,
    /// Whether workers are confined as they must be.
    pub(crate) sandbox: Sandbox,
    /// What the organisation lets this machine do.
    pub(crate) rulebook: Rulebook,
    /// Whether this machine lends now.
    pub(crate) stance: watch::Receiver<Stance>,
    /// Where what ran here is written down.
    pub(crate) ran: RanLog,
    /// What the workers have computed so far.
    pub(crate) herd: Arc<Herd>,
    /// An estimate, for the log.
    pub(crate) watts_per_thread: f64,
    pub(crate) slots: u16,
    /// Whether the demo model belongs into the store.
    pub(crate) demo: bool,
    pub(crate) identity: watch::Receiver<Arc<Identity>>,
    pub(crate) link: watch::Receiver<LinkState>,
    pub(crate) sealing: Arc<SealingKey>,
    pub(crate) stop: CancellationToken,
}

/// What the lender shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct LenderView {
    /// New jobs may come.
    pub(crate) offering: bool,
    pub(crate) slots: u16,
    pub(crate) free: u16,
    pub(crate) running: usize,
    pub(crate) lent: u64,
    pub(crate) workers: Vec<WorkerView>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) speeds: BTreeMap<ModelHash, Speed>,
    /// Models whose workers die again and again.
    pub(crate) broken: BTreeMap<ModelHash, Fault>,
}

#[derive(Debug, Clone)]
struct WorkerCard {
    model: ModelHash,
    name: String,
    state: WorkerState,
    pid: Option<u32>,
    restarts: u32,
    last_fault: Option<Fault>,
}

struct Running {
    run: Run,
    slot: usize,
    model: ModelHash,
    since: Instant,
    /// How long workers had stood still, and what they had computed, when it began.
    stood_still: Duration,
    cpu_us: u64,
    cancel: CancellationToken,
    /// The machine is its owner's again.
    yielded: CancellationToken,
}

/// The task that owns the slots.
pub(crate) struct Lender {
    setup: Setup,
    inbox: mpsc::Receiver<Command>,
    me: mpsc::WeakSender<Command>,
    view: watch::Sender<LenderView>,
    shelf: Arc<Shelf>,
    bookings: Bookings,
    slots: Vec<Slot>,
    cards: BTreeMap<usize, WorkerCard>,
    jobs: JoinSet<Option<Ended>>,
    running: BTreeMap<Run, (task::Id, Running)>,
    speeds: BTreeMap<ModelHash, Speed>,
    fast_deaths: BTreeMap<ModelHash, u32>,
    broken: BTreeMap<ModelHash, Fault>,
    restarts: BTreeMap<usize, (Instant, ModelHash)>,
    offered: Option<Offer>,
    /// When the relay is told what has changed: not at once, or it could follow a person's hands.
    offer_due: Option<Instant>,
    stance: Stance,
    session: Option<u64>,
    lent: u64,
}

impl Lender {
    pub(crate) fn new(
        setup: Setup,
        inbox: mpsc::Receiver<Command>,
        me: mpsc::WeakSender<Command>,
        view: watch::Sender<LenderView>,
    ) -> Self {
        let slots: Vec<Slot> = match &setup.plan {
            Ok(plan) => {
                let start = |slot| supervise::start(slot, plan.clone(), setup.stance.clone(), me.clone());
                (0..setup.slots.into()).map(start).collect()
            }
            Err(_) => Vec::new(),
        };
        let stance = *setup.stance.borrow();
        Self {
            bookings: Bookings::new(slots.len()),
            stance,
            setup,
            inbox,
            me,
            view,
            shelf: Arc::default(),
            slots,
            cards: BTreeMap::new(),
            jobs: JoinSet::new(),
            running: BTreeMap::new(),
            speeds: BTreeMap::new(),
            fast_deaths: BTreeMap::new(),
            broken: BTreeMap::new(),
            restarts: BTreeMap::new(),
            offered: None,
            offer_due: None,
            session: None,
            lent: 0,
        }
    }

    /// Runs until the node stops, and its workers are gone.
    pub(crate) async fn run(mut self) {
        let mut confinement = self.setup.sandbox.subscribe();
        let mut rules = self.setup.rulebook.clone();
        if let Err(fault) = self.look().await {
            tracing::error!(code = %fault.code, reason = fault.message, "the models on this machine cannot be read");
        }
        self.link_changed();
        let stop = self.setup.stop.clone();
        loop {
            self.show();
            let restarts = self.restarts.values().map(|(at, _)| *at);
            let timer = self.bookings.next_end().into_iter().chain(restarts).chain(self.offer_due).min();
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = self.jobs.join_next_with_id() => self.job_over(ended),
                Some(command) = self.inbox.recv() => self.handle(command).await,
                Ok(()) = self.setup.stance.changed() => self.stance_changed(Instant::now()),
                Ok(()) = self.setup.link.changed() => self.link_changed(),
                Ok(()) = confinement.changed() => self.confinement_changed(),
                () = rules.changed() => {
                    // The relay waits for it: it cannot know what new rules mean for this machine.
                    self.offered = None;
                    self.offer();
                }
                () = at(timer) => self.time_passed(Instant::now()),
            }
        }
        self.leave().await;
    }

    async fn handle(&mut self, command: Command) {
        match command {
            Command::Reserve(reserve) => self.reserve(reserve),
            Command::Release { job, epoch } => {
                self.bookings.release((job, epoch));
                if let Some((_, running)) = self.running.get(&(job, epoch)) {
                    running.cancel.cancel();
                }
            }
            Command::Stream { send, receive } => self.stream(Stream { send, receive }),
            // A stream that is over does not wait for its permit.
            Command::Claim { task, grant, reply } => drop(reply.send(self.claim(task, &grant))),
            Command::Slot { slot, note } => self.note(slot, note),
            Command::Rescan { reply } => {
                self.broken.clear();
                self.fast_deaths.clear();
                let looked = self.look().await;
                // Who hears that it is done must see what is new.
                self.show();
                // Whoever asked may be gone.
                drop(reply.send(looked));
            }
        }
    }

    /// Looks at the store, and has the demo model loaded if there is nothing else to do.
    async fn look(&mut self) -> Result<(), Fault> {
        let lends = self.setup.plan.is_ok();
        self.shelf = Arc::new(Shelf::look(&self.setup.home, lends && self.setup.demo).await?);
        self.warm_demo();
        self.offer();
        Ok(())
    }

    fn warm_demo(&mut self) {
        let free = !self.slots.is_empty() && self.bookings.is_empty(0) && !self.bookings.is_held(0);
        let demo = self.shelf.usable().find(|model| model.name == DEMO_NAME).cloned();
        if let Some(demo) = demo.filter(|_| free && self.stance.offering) {
            self.warm(0, demo);
        }
    }

    fn stance_changed(&mut self, now: Instant) {
        let stance = *self.setup.stance.borrow_and_update();
        let before = std::mem::replace(&mut self.stance, stance);
        if stance.kills != before.kills {
            self.running.values().for_each(|(_, running)| running.yielded.cancel());
            self.bookings.release_all();
            self.restarts.clear();
        }
        if stance.offering != before.offering {
            self.offer_due = Some(now + stance.jitter());
            self.warm_demo();
        }
    }

    /// Nothing is offered that would be refused.
    fn confinement_changed(&mut self) {
        self.warm_demo();
        self.offer();
    }

    fn warm(&mut self, slot: usize, model: LocalModel) {
        self.bookings.warm(Instant::now(), slot, model.hash);
        // A slot that has so much to do that it takes no more needs no warming.
        drop(self.slots[slot].orders.try_send(Order::Warm(model)));
    }

    fn reserve(&mut self, reserve: Reserve) {
        let (job, epoch) = (reserve.job, reserve.epoch);
        let answer = match self.accept(reserve) {
            Ok(nonce) => FromNode::Accept { job, epoch, nonce },
            Err(reason) => {
                tracing::debug!(%job, code = %reason.code, "a reservation was declined");
                FromNode::Decline { job, epoch, reason }
            }
        };
        self.say(answer);
    }

    fn accept(&mut self, reserve: Reserve) -> Result<[u8; 16], Fault> {
        if let Err(why) = &self.setup.plan {
            return Err(Fault::new(Code::Forbidden, format!("this machine does not lend: {why}")));
        }
        self.setup.sandbox.now().refusal()?;
        if !self.stance.offering {
            return Err(yielding());
        }
        if let Some(fault) = self.broken.get(&reserve.model) {
            return Err(fault.clone());
        }
        let unknown = || Fault::new(Code::ModelUnknown, "this machine does not have the model any more");
        let model = self.shelf.by_hash(&reserve.model).ok_or_else(unknown)?.clone();
        self.setup.rulebook.may_serve(&reserve.label, &model.name, &model.hash, None)?;
        let nonce = random();
        let slot = self.bookings.book(Instant::now(), reserve, nonce)?;
        self.restarts.remove(&slot);
        drop(self.slots[slot].orders.try_send(Order::Warm(model)));
        Ok(nonce)
    }

    fn stream(&mut self, mut stream: Stream) {
        if self.jobs.len() >= self.slots.len() + UNCLAIMED_MAX {
            let code = VarInt::from_u32(lull_wire::job::StreamEnd::Refused as u32);
            // Both fail only on a stream that is over anyway.
            let _ = stream.send.reset(code);
            let _ = stream.receive.stop(code);
            return;
        }
        self.jobs.spawn(lend::lend(stream, self.me.clone(), self.setup.sealing.clone()));
    }

    fn claim(&mut self, task: task::Id, signed: &Signed<Grant>) -> Result<Permit, Fault> {
        self.setup.sandbox.now().refusal()?;
        if !self.stance.offering {
            return Err(yielding());
        }
        let (grant_key, me) = {
            let identity = self.setup.identity.borrow();
            (identity.statement.grant_key, identity.device.node)
        };
        let claimed = self.bookings.claim(signed, &grant_key, me, crate::clock::now_s())?;
        let Some(model) = self.shelf.by_hash(&claimed.grant.model).cloned() else {
            self.bookings.end(Instant::now(), claimed.slot);
            return Err(Fault::new(Code::ModelUnknown, "the model was removed from this machine"));
        };
        if let Err(fault) = self.setup.rulebook.may_serve(&claimed.grant.label, &model.name, &model.hash, None) {
            self.bookings.end(Instant::now(), claimed.slot);
            return Err(fault);
        }
        let (cancel, yielded) = (self.setup.stop.child_token(), CancellationToken::new());
        let run = (claimed.grant.job, claimed.grant.epoch);
        let running = Running {
            run,
            slot: claimed.slot,
            model: model.hash,
            since: Instant::now(),
            stood_still: self.stance.stood_still,
            cpu_us: self.setup.herd.freezer().cpu_us(),
            cancel: cancel.clone(),
            yielded: yielded.clone(),
        };
        self.running.insert(run, (task, running));
        let orders = self.slots[claimed.slot].orders.clone();
        let stance = self.setup.stance.clone();
        let alone = is_alone(&claimed.grant.label).then(Alone::new);
        let (rulebook, identity) = (self.setup.rulebook.clone(), self.setup.identity.borrow().clone());
        Ok(Permit { claimed, model, orders, cancel, yielded, stance, alone, rulebook, identity })
    }

    fn job_over(&mut self, ended: Result<(task::Id, Option<Ended>), JoinError>) {
        let task = ended.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let Some(run) = self.running.iter().find(|(_, (id, _))| *id == task).map(|(run, _)| *run) else { return };
        let beside = self.running.len();
        let Some((_, running)) = self.running.remove(&run) else { return };
        let (slot, model, (job, epoch)) = (running.slot, running.model, running.run);
        self.bookings.end(Instant::now(), slot);
        let Ok((_, Some(Ended { usage, outcome, measured }))) = ended else { return };
        self.write_down(&running, beside, usage, outcome);
        if outcome == Outcome::Completed {
            self.lent += 1;
            self.fast_deaths.remove(&model);
        }
        self.speeds.entry(model).or_default().learn(&measured);
        let receipt = {
            let identity = self.setup.identity.borrow();
            let node = identity.device.node;
            Signed::sign(&Receipt { job, epoch, node, side: Side::Lender, usage, outcome }, &identity.key)
        };
        match receipt {
            Ok(receipt) => self.say(FromNode::Receipt(receipt)),
            Err(error) => tracing::error!(%job, %error, "a receipt could not be signed"),
        }
        self.offer();
    }

    /// For this machine's owner. Jobs that run beside each other share what was computed equally.
    fn write_down(&self, running: &Running, beside: usize, usage: Usage, outcome: Outcome) {
        let computed = self.setup.herd.freezer().cpu_us().saturating_sub(running.cpu_us);
        let computed = Duration::from_micros(computed) / u32::try_from(beside).unwrap_or(u32::MAX).max(1);
        let stood_still = self.stance.stood_still.saturating_sub(running.stood_still);
        let name = self.shelf.by_hash(&running.model).map_or_else(|| running.model.short(), |model| model.name.clone());
        self.setup.ran.append(RanHere {
            id: 0,
            ended_unix_ms: crate::clock::now_s() * 1_000,
            model: name,
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            ran_ms: running.since.elapsed().saturating_sub(stood_still).as_millis() as u64,
            energy_wh: energy_wh(computed, self.setup.watts_per_thread),
            outcome: match outcome {
                Outcome::Completed => "completed".into(),
                Outcome::Cancelled => "cancelled".into(),
                Outcome::Failed(code) => code.as_str().into(),
            },
        });
    }

    fn note(&mut self, slot: usize, note: Note) {
        match note {
            Note::Loading { model } => {
                let card = self.card(slot, model);
                (card.state, card.pid) = (WorkerState::Loading, None);
            }
            Note::Ready { model, pid } => {
                tracing::info!(slot, pid, "a worker is ready");
                self.bookings.warm(Instant::now(), slot, model);
                let card = self.card(slot, model);
                (card.state, card.pid) = (WorkerState::Idle, Some(pid));
            }
            Note::Ended { model } => self.worker_ended(slot, model),
            Note::Died { model, fault, lived } => self.worker_died(slot, model, fault, lived),
        }
    }

    fn card(&mut self, slot: usize, model: ModelHash) -> &mut WorkerCard {
        let name = self.shelf.by_hash(&model).map_or_else(|| model.short(), |model| model.name.clone());
        let fresh = WorkerCard { model, name, state: WorkerState::Down, pid: None, restarts: 0, last_fault: None };
        let card = self.cards.entry(slot).or_insert_with(|| fresh.clone());
        if card.model != model {
            *card = fresh;
        }
        card
    }

    /// The next one is there before it is asked for, if nobody has asked for another meanwhile.
    fn worker_ended(&mut self, slot: usize, model: ModelHash) {
        tracing::debug!(slot, "a worker was ended after the job that had it to itself");
        self.bookings.unloaded(slot, model);
        self.cards.remove(&slot);
        let wanted = self.stance.offering && !self.bookings.is_held(slot);
        if let Some(model) = self.shelf.by_hash(&model).filter(|_| wanted).cloned() {
            self.warm(slot, model);
        }
    }

    fn worker_died(&mut self, slot: usize, model: ModelHash, fault: Fault, lived: Duration) {
        self.bookings.unloaded(slot, model);
        if fault.code == Code::Yielding || !self.stance.offering {
            // It was ended, which says nothing about the model.
            self.cards.remove(&slot);
            return;
        }
        tracing::warn!(slot, code = %fault.code, "a worker died; `lull status` says why");
        let card = self.card(slot, model);
        (card.state, card.pid) = (WorkerState::Down, None);
        card.last_fault = Some(fault.clone());
        if fault.code == Code::Unconfined {
            // It says nothing about the model, and is looked into by whoever watches the sandbox.
            self.offer();
            return;
        }
        let deaths = self.fast_deaths.entry(model).or_default();
        *deaths = if lived < FAST_DEATH { *deaths + 1 } else { 0 };
        if *deaths >= FAST_DEATHS_MAX || fault.code == Code::ModelBroken {
            tracing::error!(%model, "a model's workers die again and again: it is not offered any more");
            self.broken.insert(model, fault);
            self.offer();
        } else {
            let wait = RESTART_FIRST * (1 << *deaths);
            self.restarts.insert(slot, (Instant::now() + wait, model));
        }
    }

    fn time_passed(&mut self, now: Instant) {
        self.bookings.expire(now);
        if self.offer_due.take_if(|due| *due <= now).is_some() {
            self.offer();
        }
        let due: BTreeSet<usize> =
            self.restarts.iter().filter(|(_, (at, _))| *at <= now).map(|(slot, _)| *slot).collect();
        for slot in due {
            let Some((_, model)) = self.restarts.remove(&slot) else { continue };
            self.card(slot, model).restarts += 1;
            let wanted = !self.broken.contains_key(&model) && !self.bookings.is_held(slot) && self.stance.offering;
            if let Some(model) = self.shelf.by_hash(&model).filter(|_| wanted).cloned() {
                self.warm(slot, model);
            }
        }
    }

    fn link_changed(&mut self) {
        let session = self.setup.link.borrow_and_update().session().map(|session| session.id);
        if session != self.session {
            self.session = session;
            self.bookings.release_all();
            self.offered = None;
            self.offer();
        }
    }

    /// Tells the relay what can be lent, if that has changed by enough to matter.
    fn offer(&mut self) {
        if self.offer_due.is_some() {
            return;
        }
        let offer = self.current_offer();
        if self.session.is_some() && self.offered.as_ref().is_none_or(|before| differs(before, &offer)) {
            self.say(FromNode::Offer(offer.clone()));
            self.offered = Some(offer);
        }
    }

    fn current_offer(&self) -> Offer {
        let open = self.stance.offering && self.setup.sandbox.now().verdict().is_ok();
        let Some(plan) = self.setup.plan.as_ref().ok().filter(|_| open) else {
            return Offer::default();
        };
        let mut names = BTreeSet::new();
        let models =
            self.shelf.usable().filter(|model| !self.broken.contains_key(&model.hash) && names.insert(&model.name));
        let models = models.filter(|model| self.setup.rulebook.may_run(&model.name, &model.hash));
        let offered = |model: &LocalModel| {
            let Speed { decode_tps, prefill_tps } = self.speeds.get(&model.hash).copied().unwrap_or_default();
            let context = model.context.min(plan.context_max);
            OfferedModel { name: model.name.clone(), hash: model.hash, context, decode_tps, prefill_tps }
        };
        let models = models.take(OFFERED_MODELS_MAX).map(offered).collect();
        let slots = u16::try_from(self.bookings.slots()).unwrap_or(u16::MAX);
        Offer { models, slots, labels: self.setup.rulebook.labels() }
    }

    fn say(&self, message: FromNode) {
        if let Some(session) = self.setup.link.borrow().session() {
            session.say(message);
        }
    }

    fn show(&self) {
        let busy: BTreeSet<usize> = self.running.values().map(|(_, running)| running.slot).collect();
        let count = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let worker = |(slot, card): (&usize, &WorkerCard)| WorkerView {
            model: card.name.clone(),
            state: match card.state {
                WorkerState::Idle | WorkerState::Loading if self.stance.frozen => WorkerState::Frozen,
                WorkerState::Idle if busy.contains(slot) => WorkerState::Busy,
                state => state,
            },
            pid: card.pid,
            restarts: card.restarts,
            last_fault: card.last_fault.clone(),
        };
        let view = LenderView {
            offering: self.stance.offering && self.setup.plan.is_ok(),
            slots: count(self.bookings.slots()),
            free: count(self.bookings.free()),
            running: self.running.len(),
            lent: self.lent,
            workers: self.cards.iter().map(worker).collect(),
            shelf: self.shelf.clone(),
            speeds: self.speeds.clone(),
            broken: self.broken.clone(),
        };
        self.view.send_if_modified(|shown| std::mem::replace(shown, view.clone()) != view);
    }

    /// Stops every answer, then every worker.
    async fn leave(mut self) {
        self.inbox.close();
        let stopping = async {
            while self.jobs.join_next().await.is_some() {}
            for Slot { orders, task } in self.slots.drain(..) {
                drop(orders);
                // A slot that panicked has dropped, and so killed, its worker.
                let _ = task.await;
            }
        };
        if timeout(STOP_MAX, stopping).await.is_err() {
            tracing::warn!("some workers are not gone yet; they end with this process");
        }
    }
}

/// Whether the relay should hear of it: speeds matter only when they change by more than a tenth.
fn differs(before: &Offer, after: &Offer) -> bool {
    let speed = |before: Option<f32>, after: Option<f32>| match (before, after) {
        (Some(before), Some(after)) => (before - after).abs() > before / 10.0,
        (before, after) => before.is_some() != after.is_some(),
    };
    let model = |(before, after): (&OfferedModel, &OfferedModel)| {
        (&before.name, before.hash, before.context) != (&after.name, after.hash, after.context)
            || speed(before.decode_tps, after.decode_tps)
            || speed(before.prefill_tps, after.prefill_tps)
    };
    before.slots != after.slots
        || before.labels != after.labels
        || before.models.len() != after.models.len()
        || before.models.iter().zip(&after.models).any(model)
}

async fn at(timer: Option<Instant>) {
    match timer {
        Some(timer) => sleep_until(timer).await,
        None => std::future::pending().await,
    }
}
