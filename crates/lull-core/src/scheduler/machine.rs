use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lull_types::{Code, Epoch, JobId, ModelHash, NodeId, Usage};

use super::{
    CatalogueEntry, Cut, DECLINE_AVOID_MS, DECLINE_PAUSE_MS, DECLINES_MAX, DEMO_MODEL, ENDED_MEMORY_MAX,
    ENDED_MEMORY_MS, GRANT_OPEN_MAX_MS, Granted, Input, JOBS_PER_NODE_MAX, KNOWN_MODELS_MAX, LINE_SCAN_MAX, Load,
    NO_OFFER_WAIT_MS, Offer, OpenRefusal, Output, RESERVE_MAX_MS, RUN_MAX_MS, Refusal, Reserve, Submit, Team,
    WAIT_MAX_MS, WAITING_MAX,
    budget::Budget,
    fair::{Fair, cost},
    fleet::{Fleet, Need, answer_estimate},
    waiting::{Place, Waiting},
};
use crate::Millis;

mod rules;

/// The scheduler's whole state.
#[derive(Debug)]
pub struct Scheduler {
    fleet: Fleet,
    jobs: BTreeMap<JobId, Job>,
    /// Live runs by the nodes they concern, as submitter or lender.
    by_node: BTreeMap<NodeId, BTreeSet<(JobId, Epoch)>>,
    asked_by: BTreeMap<NodeId, usize>,
    waiting: Waiting,
    fair: Fair,
    budget: Budget,
    known: BTreeSet<String>,
    run_timers: BTreeSet<(Millis, JobId, Epoch)>,
    pauses: BTreeSet<(Millis, NodeId)>,
    ended: VecDeque<(Millis, JobId)>,
    next_place: Place,
    held: usize,
    catalogue_version: u64,
}

#[derive(Debug)]
struct Job {
    submitter: NodeId,
    team: Team,
    latest: Epoch,
    runs: BTreeMap<Epoch, Run>,
    /// When its last run ended.
    ended: Millis,
    /// Lenders that declined or were lost, and until when they are not asked.
    avoid: Vec<(NodeId, Millis)>,
    /// What each run was charged, until its real cost is known.
    charged: BTreeMap<Epoch, u64>,
    /// What each run has of the day's quotas: a guess until its real cost is known.
    leases: BTreeMap<Epoch, Lease>,
    /// The last run whose lender went away between grant and stream.
    lost: Option<Epoch>,
}

/// Tokens of a day's quotas that are kept for a run.
#[derive(Debug)]
struct Lease {
    day: u64,
    /// Whoever asked, as quotas count them: somebody else may have logged in there since.
    user: String,
    groups: Vec<String>,
    model: String,
    /// The longest answer, in tokens.
    max_tokens: u32,
    tokens: u64,
    /// Somebody has said what it really used.
    settled: bool,
}

#[derive(Debug)]
struct Run {
    submit: Submit,
    since: Millis,
    place: Place,
    declines: u32,
    deadline: Millis,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Reserved(NodeId, ModelHash),
    Granted(NodeId, ModelHash),
    Running(NodeId, ModelHash),
}

impl State {
    fn lender(self) -> Option<NodeId> {
        match self {
            Self::Waiting => None,
            Self::Reserved(lender, _) | Self::Granted(lender, _) | Self::Running(lender, _) => Some(lender),
        }
    }

    /// The bytes that it runs on.
    fn model(self) -> Option<ModelHash> {
        match self {
            Self::Waiting => None,
            Self::Reserved(_, model) | Self::Granted(_, model) | Self::Running(_, model) => Some(model),
        }
    }
}

type RunId = (JobId, Epoch);

impl Scheduler {
    /// A scheduler with no node. `seed` decides who is first among equals; `known` are models offered before.
    #[must_use]
    pub fn new(seed: u64, known: impl IntoIterator<Item = String>) -> Self {
        let mut known: BTreeSet<String> = known.into_iter().take(KNOWN_MODELS_MAX).collect();
        known.insert(DEMO_MODEL.to_owned());
        Self {
            fleet: Fleet::new(seed),
            jobs: BTreeMap::new(),
            by_node: BTreeMap::new(),
            asked_by: BTreeMap::new(),
            waiting: Waiting::default(),
            fair: Fair::default(),
            budget: Budget::default(),
            known,
            run_timers: BTreeSet::new(),
            pauses: BTreeSet::new(),
            ended: VecDeque::new(),
            next_place: 0,
            held: 0,
            catalogue_version: 0,
        }
    }

    /// Takes one step.
    #[must_use]
    pub fn handle(&mut self, now: Millis, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::NodeUp { node, groups, user } => self.node_up(now, node, groups, user, &mut out),
            Input::Person { node, user, groups } => self.fleet.log_in(node, user, groups),
            Input::Rules(rules) => self.rules(now, rules, &mut out),
            Input::Day { day, used } => self.day(day, used),
            Input::Offer { node, offer } => self.offer(now, node, offer, &mut out),
            Input::NodeDown { node } => self.node_down(now, node, &mut out),
            Input::Submit { submitter, submit } => self.submit(now, submitter, submit, &mut out),
            Input::Accepted { node, job, epoch, nonce } => self.accepted(now, node, (job, epoch), nonce, &mut out),
            Input::Declined { node, job, epoch, code } => {
                if self.is_reserved_at((job, epoch), node) {
                    self.declined(now, (job, epoch), code, &mut out);
                }
            }
            Input::Finished { job, epoch, lender_lost } => self.finished(now, (job, epoch), lender_lost, &mut out),
            Input::Settled { job, epoch, usage } => self.settled((job, epoch), usage),
            Input::Cancel { submitter, job } => self.cancel(now, submitter, job, &mut out),
            Input::Quarantined { node, on } => self.quarantined(now, node, on, &mut out),
            Input::Tick => {}
        }
        self.tick(now, &mut out);
        out
    }

    /// A submitter opens a granted run's stream: the lender to connect it to. A grant opens one stream, once.
    ///
    /// # Errors
    /// [`OpenRefusal`].
    pub fn open(&mut self, now: Millis, submitter: NodeId, job: JobId, epoch: Epoch) -> Result<NodeId, OpenRefusal> {
        let entry = self.jobs.get_mut(&job).filter(|entry| entry.submitter == submitter).ok_or(OpenRefusal::Refused)?;
        let Some(run) = entry.runs.get_mut(&epoch) else {
            return Err(if entry.lost == Some(epoch) { OpenRefusal::LenderLost } else { OpenRefusal::Refused });
        };
        let State::Granted(lender, model) = run.state else { return Err(OpenRefusal::Refused) };
        if run.deadline <= now {
            return Err(OpenRefusal::Refused);
        }
        run.state = State::Running(lender, model);
        self.set_deadline((job, epoch), now.plus(RUN_MAX_MS));
        Ok(lender)
    }

    /// When [`Input::Tick`] is due, if ever.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        let run = self.run_timers.first().map(|timer| timer.0);
        let pause = self.pauses.first().map(|timer| timer.0);
        run.into_iter().chain(pause).min()
    }

    /// All known models, by name.
    #[must_use]
    pub fn catalogue(&self) -> Vec<CatalogueEntry> {
        let mut entries: BTreeMap<String, CatalogueEntry> =
            self.fleet.catalogue().into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        for name in &self.known {
            entries.entry(name.clone()).or_insert_with(|| CatalogueEntry {
                name: name.clone(),
                hash: None,
                lenders: 0,
                context: None,
                decode_tps: None,
            });
        }
        entries.into_values().collect()
    }

    /// Grows whenever [`Self::catalogue`] may have changed.
    #[must_use]
    pub const fn catalogue_version(&self) -> u64 {
        self.catalogue_version
    }

    /// The groups of a node that is up.
    #[must_use]
    pub fn groups(&self, node: NodeId) -> Option<&[String]> {
        self.fleet.groups(node)
    }

    /// What is going on, in numbers.
    #[must_use]
    pub fn load(&self) -> Load {
        Load { nodes: self.fleet.len(), waiting: self.waiting.len(), held: self.held, teams: self.fair.len() }
    }

    fn node_up(&mut self, now: Millis, node: NodeId, groups: Vec<String>, user: String, out: &mut Vec<Output>) {
        if self.fleet.groups(node).is_some() {
            self.node_down(now, node, out);
        }
        self.fleet.join(node, groups, user);
    }

    fn offer(&mut self, now: Millis, node: NodeId, offer: Offer, out: &mut Vec<Output>) {
        let names: Vec<String> = offer.models.iter().map(|model| model.name.clone()).collect();
        if !self.fleet.offer(node, offer) {
            return;
        }
        self.catalogue_version += 1;
        for name in &names {
            if !self.known.contains(name) && self.known.len() < KNOWN_MODELS_MAX {
                self.known.insert(name.clone());
                out.push(Output::Learned { model: name.clone() });
            }
        }
        self.dispatch(now, &names, out);
    }

    fn node_down(&mut self, now: Millis, node: NodeId, out: &mut Vec<Output>) {
        self.fleet.leave(node);
        self.pauses.retain(|(_, paused)| *paused != node);
        self.catalogue_version += 1;
        let mut models = Vec::new();
        for run in self.by_node.get(&node).cloned().unwrap_or_default() {
            let Some(job) = self.jobs.get_mut(&run.0) else { continue };
            let Some(state) = job.runs.get(&run.1).map(|run| run.state) else { continue };
            if job.submitter == node {
                models.extend(self.drop_run(now, run, Cut::Cancelled, out));
                continue;
            }
            match state {
                State::Waiting => {}
                State::Reserved(..) => models.extend(self.requeue(now, run, out)),
                State::Granted(..) => {
                    job.lost = Some(run.1);
                    self.end_run(now, run);
                }
                State::Running(..) => models.extend(self.drop_run(now, run, Cut::LenderLost, out)),
            }
        }
        self.dispatch_each(now, models, out);
    }

    fn submit(&mut self, now: Millis, submitter: NodeId, submit: Submit, out: &mut Vec<Output>) {
        let (job, epoch) = (submit.job, submit.epoch);
        let refused = |why| Output::Refused { submitter, job, epoch, why };
        let Some(groups) = self.fleet.groups(submitter).map(<[String]>::to_vec) else { return };
        let team = Team::of(submitter, &groups);
        if let Some(known) = self.jobs.get(&job) {
            if known.submitter == submitter && known.runs.contains_key(&epoch) {
                return;
            }
            if known.submitter != submitter || epoch <= known.latest {
                out.push(refused(Refusal::BadEpoch));
                return;
            }
        }
        if let Some(why) = self.refusal(submitter, &submit) {
            out.push(refused(why));
            return;
        }
        let entry = self.jobs.entry(job).or_insert_with(|| Job {
            submitter,
            team: team.clone(),
            latest: epoch,
            runs: BTreeMap::new(),
            ended: now,
            avoid: Vec::new(),
            charged: BTreeMap::new(),
            leases: BTreeMap::new(),
            lost: None,
        });
        entry.latest = epoch;
        let (team, model) = (entry.team.clone(), submit.model.clone());
        let place = self.next_place;
        self.next_place += 1;
        let deadline = now.plus(NO_OFFER_WAIT_MS);
        let ahead = u32::try_from(self.waiting.len_of(&model)).unwrap_or(u32::MAX);
        entry.runs.insert(epoch, Run { submit, since: now, place, declines: 0, deadline, state: State::Waiting });
        self.run_timers.insert((deadline, job, epoch));
        self.lease((job, epoch));
        self.by_node.entry(submitter).or_default().insert((job, epoch));
        *self.asked_by.entry(submitter).or_default() += 1;
        self.waiting.push(&model, &team, place, (job, epoch));
        self.fair.joined(&team);
        self.dispatch(now, &[model], out);
        if self.run((job, epoch)).is_some_and(|run| run.state == State::Waiting) {
            // A run before it may have lost the one lender that could take it: that is avoided for a while only.
            self.look_again(now, (job, epoch));
            out.push(Output::Queued { submitter, job, ahead });
        }
    }

    fn refusal(&self, submitter: NodeId, submit: &Submit) -> Option<Refusal> {
        if submit.epoch.0 == 0 {
            Some(Refusal::BadEpoch)
        } else if let Some(denied) = self.denied(submitter, submit) {
            Some(denied)
        } else if !self.known.contains(&submit.model) && !self.fleet.offers(&submit.model) {
            Some(Refusal::ModelUnknown)
        } else if self.asked_by.get(&submitter).is_some_and(|jobs| *jobs >= JOBS_PER_NODE_MAX) {
            Some(Refusal::TooManyJobs)
        } else if self.waiting.len() >= WAITING_MAX {
            Some(Refusal::QueueFull)
        } else if self.fleet.too_long(&submit.model, submit.prompt_tokens) {
            Some(Refusal::ContextExceeded)
        } else {
            self.not_allowed(submitter, submit)
        }
    }

    fn accepted(&mut self, now: Millis, node: NodeId, id: RunId, nonce: [u8; 16], out: &mut Vec<Output>) {
        let held = self.run(id).filter(|run| run.state.lender() == Some(node));
        let Some(&Run { state: State::Reserved(_, model), ref submit, since, .. }) = held else {
            // A second yes to what it holds anyway changes nothing; any other is told that there is nothing to hold.
            if held.is_none() {
                out.push(Output::Release { lender: node, job: id.0, epoch: id.1 });
            }
            return;
        };
        let (submit, waited_ms) = (submit.clone(), now.since(since));
        let Some(job) = self.jobs.get_mut(&id.0) else { return };
        if let Some(run) = job.runs.get_mut(&id.1) {
            run.state = State::Granted(node, model);
        }
        out.push(Output::Grant(Granted { lender: node, submitter: job.submitter, model, nonce, submit, waited_ms }));
        self.set_deadline(id, now.plus(GRANT_OPEN_MAX_MS));
    }

    fn is_reserved_at(&self, id: RunId, node: NodeId) -> bool {
        self.run(id).is_some_and(|run| matches!(run.state, State::Reserved(lender, _) if lender == node))
    }

    fn declined(&mut self, now: Millis, id: RunId, code: Code, out: &mut Vec<Output>) {
        let Some(job) = self.jobs.get_mut(&id.0) else { return };
        let Some(run) = job.runs.get_mut(&id.1) else { return };
        let Some(lender) = run.state.lender() else { return };
        run.declines += 1;
        let enough = run.declines >= DECLINES_MAX;
        job.avoid(now, lender);
        self.fleet.pause(lender, now.plus(DECLINE_PAUSE_MS));
        self.pauses.insert((now.plus(DECLINE_PAUSE_MS), lender));
        if code == Code::ContextExceeded {
            self.refuse(now, id, Refusal::ContextExceeded, out);
        } else if enough {
            self.refuse(now, id, Refusal::Declined, out);
        } else if let Some(model) = self.requeue(now, id, out) {
            self.dispatch(now, &[model], out);
        }
    }

    /// Puts a reserved run back to its place in line: its model, unless its time is over.
    fn requeue(&mut self, now: Millis, id: RunId, out: &mut Vec<Output>) -> Option<String> {
        self.let_go(id);
        let job = self.jobs.get_mut(&id.0)?;
        let charged = job.charged.remove(&id.1).unwrap_or(0);
        self.fair.recharge(&job.team, charged, 0);
        let run = job.runs.get_mut(&id.1)?;
        run.state = State::Waiting;
        let (model, place, since) = (run.submit.model.clone(), run.place, run.since);
        self.waiting.push(&model, &job.team, place, id);
        self.fair.joined(&job.team);
        if since.plus(WAIT_MAX_MS) <= now {
            self.refuse(now, id, Refusal::Busy, out);
            return None;
        }
        self.look_again(now, id);
        Some(model)
    }

    /// Sets when a waiting run is looked at again: when one of its bounds is reached, or when a lender that it avoids
    /// may be asked again.
    fn look_again(&mut self, now: Millis, id: RunId) {
        let Some(job) = self.jobs.get(&id.0) else { return };
        let Some(run) = job.runs.get(&id.1) else { return };
        let bounds = [run.since.plus(NO_OFFER_WAIT_MS), run.since.plus(WAIT_MAX_MS)];
        let again = job.avoid.iter().map(|(_, until)| *until).chain(bounds).filter(|at| *at > now).min();
        self.set_deadline(id, again.unwrap_or(now));
    }

    fn finished(&mut self, now: Millis, id: RunId, lender_lost: bool, out: &mut Vec<Output>) {
        let Some(job) = self.jobs.get_mut(&id.0) else { return };
        let Some(State::Running(lender, _)) = job.runs.get(&id.1).map(|run| run.state) else { return };
        if lender_lost {
            job.avoid(now, lender);
        }
        self.end_run(now, id);
        let models = self.fleet.models_of(lender);
        self.dispatch(now, &models, out);
    }

    fn settled(&mut self, id: RunId, usage: Usage) {
        let Some(job) = self.jobs.get_mut(&id.0) else { return };
        if let Some(charged) = job.charged.remove(&id.1) {
            self.fair.recharge(&job.team, charged, cost(usage.prompt_tokens, usage.completion_tokens));
        }
        self.give_back(id, usage);
    }

    fn cancel(&mut self, now: Millis, submitter: NodeId, job: JobId, out: &mut Vec<Output>) {
        let Some(entry) = self.jobs.get(&job).filter(|entry| entry.submitter == submitter) else { return };
        let mut models = Vec::new();
        for epoch in entry.runs.keys().copied().collect::<Vec<_>>() {
            models.extend(self.drop_run(now, (job, epoch), Cut::Cancelled, out));
        }
        self.dispatch_each(now, models, out);
    }

    /// Ends a run before its time, and tells whoever holds something for it. The models that its slot can run now are
    /// for the caller to [`dispatch`](Self::dispatch), once all that ends with it has ended: no slot goes to a run that
    /// is about to be dropped too.
    #[must_use]
    fn drop_run(&mut self, now: Millis, id: RunId, why: Cut, out: &mut Vec<Output>) -> Vec<String> {
        let Some(run) = self.run(id) else { return Vec::new() };
        let (job, epoch) = id;
        let state = run.state;
        match state {
            State::Waiting => {}
            State::Reserved(lender, _) | State::Granted(lender, _) => out.push(Output::Release { lender, job, epoch }),
            State::Running(..) => out.push(Output::Cut { job, epoch, why }),
        }
        if let (State::Running(lender, _), Cut::LenderLost, Some(entry)) = (state, why, self.jobs.get_mut(&job)) {
            entry.avoid(now, lender);
        }
        self.end_run(now, id);
        state.lender().map(|lender| self.fleet.models_of(lender)).unwrap_or_default()
    }

    fn refuse(&mut self, now: Millis, id: RunId, why: Refusal, out: &mut Vec<Output>) {
        let Some(job) = self.jobs.get(&id.0) else { return };
        out.push(Output::Refused { submitter: job.submitter, job: id.0, epoch: id.1, why });
        let lender = job.runs.get(&id.1).and_then(|run| run.state.lender());
        self.end_run(now, id);
        if let Some(lender) = lender {
            let models = self.fleet.models_of(lender);
            self.dispatch(now, &models, out);
        }
    }

    /// Removes a run from wherever it is, and frees the slot it holds.
    fn end_run(&mut self, now: Millis, id: RunId) {
        self.let_go(id);
        let Some(job) = self.jobs.get_mut(&id.0) else { return };
        let Some(run) = job.runs.remove(&id.1) else { return };
        // What never had a stream has used nothing; what had one is settled by its receipts.
        if !matches!(run.state, State::Running(..)) {
            self.give_back(id, Usage::default());
        }
        let Some(job) = self.jobs.get_mut(&id.0) else { return };
        self.run_timers.remove(&(run.deadline, id.0, id.1));
        if self.waiting.remove(&run.submit.model, &job.team, run.place) {
            self.fair.left(&job.team);
        }
        unlink(&mut self.by_node, job.submitter, id);
        if let Some(jobs) = self.asked_by.get_mut(&job.submitter) {
            *jobs -= 1;
            if *jobs == 0 {
                self.asked_by.remove(&job.submitter);
            }
        }
        if job.runs.is_empty() {
            job.ended = now;
            self.ended.push_back((now, id.0));
        }
    }

    /// Frees the slot that a run holds at a lender.
    fn let_go(&mut self, id: RunId) {
        let Some(job) = self.jobs.get(&id.0) else { return };
        let Some(lender) = job.runs.get(&id.1).and_then(|run| run.state.lender()) else { return };
        if lender != job.submitter {
            unlink(&mut self.by_node, lender, id);
        }
        self.fleet.free_slot(lender);
        self.held -= 1;
    }

    /// [`Self::dispatch`] where many runs have named their models: each is looked at once.
    fn dispatch_each(&mut self, now: Millis, mut models: Vec<String>, out: &mut Vec<Output>) {
        models.sort_unstable();
        models.dedup();
        self.dispatch(now, &models, out);
    }

    /// Gives free slots to waiting jobs of these models, the team that has had least first.
    fn dispatch(&mut self, now: Millis, models: &[String], out: &mut Vec<Output>) {
        while let Some((id, lender, model)) = self.next_match(now, models) {
            self.reserve(now, id, lender, model, out);
        }
    }

    fn next_match(&mut self, now: Millis, models: &[String]) -> Option<(RunId, NodeId, ModelHash)> {
        let mut teams: Vec<(u64, &String, Team)> = models
            .iter()
            .filter(|model| self.fleet.has_free(model))
            .flat_map(|model| self.waiting.teams(model).map(move |team| (model, team.clone())))
            .map(|(model, team)| (self.fair.counter(&team), model, team))
            .collect();
        teams.sort_unstable();
        for (_, model, team) in teams {
            let line: Vec<RunId> = self.waiting.line(model, &team).take(LINE_SCAN_MAX).collect();
            for id in line {
                if let Some((lender, hash)) = self.lender_for(now, id) {
                    return Some((id, lender, hash));
                }
            }
        }
        None
    }

    fn lender_for(&mut self, now: Millis, id: RunId) -> Option<(NodeId, ModelHash)> {
        let job = self.jobs.get_mut(&id.0)?;
        job.avoid.retain(|(_, until)| *until > now);
        let avoid: Vec<NodeId> = job.avoid.iter().map(|(node, _)| *node).collect();
        let submit = &job.runs.get(&id.1)?.submit;
        self.fleet.choose(&Need {
            model: &submit.model,
            label: &submit.label,
            prompt_tokens: submit.prompt_tokens,
            max_tokens: submit.max_tokens,
            avoid: &avoid,
            only: submit.check,
        })
    }

    fn reserve(&mut self, now: Millis, id: RunId, lender: NodeId, model: ModelHash, out: &mut Vec<Output>) {
        let Some(job) = self.jobs.get_mut(&id.0) else { return };
        let Some(run) = job.runs.get_mut(&id.1) else { return };
        run.state = State::Reserved(lender, model);
        let submit = run.submit.clone();
        if self.waiting.remove(&submit.model, &job.team, run.place) {
            self.fair.left(&job.team);
        }
        let charge = cost(submit.prompt_tokens, answer_estimate(submit.max_tokens));
        job.charged.insert(id.1, charge);
        self.fair.recharge(&job.team, 0, charge);
        self.held += 1;
        self.fleet.take_slot(lender);
        self.by_node.entry(lender).or_default().insert(id);
        out.push(Output::Reserve(Reserve { lender, submitter: job.submitter, model, submit }));
        self.set_deadline(id, now.plus(RESERVE_MAX_MS));
    }

    fn tick(&mut self, now: Millis, out: &mut Vec<Output>) {
        while let Some(&(at, node)) = self.pauses.first() {
            if at > now {
                break;
            }
            self.pauses.pop_first();
            if self.fleet.resume(now, node) {
                let models = self.fleet.models_of(node);
                self.dispatch(now, &models, out);
            }
        }
        while let Some(&(at, job, epoch)) = self.run_timers.first() {
            if at > now {
                break;
            }
            self.run_due(now, (job, epoch), out);
        }
        self.forget(now);
    }

    fn run_due(&mut self, now: Millis, id: RunId, out: &mut Vec<Output>) {
        let Some(run) = self.run(id) else { return };
        let (job, epoch) = id;
        match run.state {
            State::Waiting => {
                let waited_ms = now.since(run.since);
                if let Some(why) = self.nowhere(id).filter(|_| waited_ms >= NO_OFFER_WAIT_MS) {
                    self.refuse(now, id, why, out);
                } else if waited_ms >= WAIT_MAX_MS {
                    self.refuse(now, id, Refusal::Busy, out);
                } else {
                    let model = run.submit.model.clone();
                    self.look_again(now, id);
                    self.dispatch(now, &[model], out);
                }
            }
            State::Reserved(lender, _) => {
                out.push(Output::Release { lender, job, epoch });
                self.declined(now, id, Code::Timeout, out);
            }
            state @ (State::Granted(..) | State::Running(..)) => {
                let why = if matches!(state, State::Running(..)) { Cut::TooLong } else { Cut::Cancelled };
                let models = self.drop_run(now, id, why, out);
                self.dispatch(now, &models, out);
            }
        }
    }

    fn forget(&mut self, now: Millis) {
        while let Some(&(at, job)) = self.ended.front() {
            if now.since(at) < ENDED_MEMORY_MS && self.ended.len() <= ENDED_MEMORY_MAX {
                break;
            }
            self.ended.pop_front();
            // It may have been taken up again, and ended again later.
            if self.jobs.get(&job).is_some_and(|entry| entry.runs.is_empty() && entry.ended == at) {
                self.jobs.remove(&job);
            }
        }
        self.fair.prune();
    }

    fn run(&self, id: RunId) -> Option<&Run> {
        self.jobs.get(&id.0)?.runs.get(&id.1)
    }

    fn set_deadline(&mut self, id: RunId, deadline: Millis) {
        let Some(run) = self.jobs.get_mut(&id.0).and_then(|job| job.runs.get_mut(&id.1)) else { return };
        self.run_timers.remove(&(run.deadline, id.0, id.1));
        run.deadline = deadline;
        self.run_timers.insert((deadline, id.0, id.1));
    }
}

impl Job {
    fn avoid(&mut self, now: Millis, lender: NodeId) {
        self.avoid.retain(|(node, _)| *node != lender);
        self.avoid.push((lender, now.plus(DECLINE_AVOID_MS)));
    }
}

fn unlink(by_node: &mut BTreeMap<NodeId, BTreeSet<RunId>>, node: NodeId, id: RunId) {
    if let Some(runs) = by_node.get_mut(&node) {
        runs.remove(&id);
        if runs.is_empty() {
            by_node.remove(&node);
        }
    }
}
