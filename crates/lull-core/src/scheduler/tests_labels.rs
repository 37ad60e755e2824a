//! Whole pools in virtual time whose rules change while jobs wait, are reserved, granted and run: what the relay decides
//! is held against an oracle, and so is each machine's own decision when the relay lies.

use std::ops::AddAssign;

use lull_policy::{Here, Wanted};

use super::{
    oracle::{self, No},
    simulation::Dice,
    *,
};

#[path = "tests_labels_lies.rs"]
mod lies;
#[path = "tests_labels_watch.rs"]
mod watch;

/// Machines of a pool.
const MACHINES: usize = 24;
/// Jobs that are asked for in one pool.
const JOBS_PER_POOL: u64 = 2_500;
/// Pools of every day, and of a long campaign.
const POOLS: u64 = 40;
const POOLS_LONG: u64 = 400;
/// How long nothing but jobs' ends happens before nobody may wait who could be served, in milliseconds.
const QUIET_MS: u64 = 10_000;

type Id = (JobId, Epoch);

/// A machine: what it is, what of it is known, and the rules that it follows by now.
#[derive(Debug)]
struct Machine {
    node: NodeId,
    groups: Vec<String>,
    tier: Option<Tier>,
    dedicated: bool,
    models: Vec<OfferedModel>,
    slots: u16,
    /// Grows with each arrival, so that what was meant for an earlier one is known.
    arrivals: u64,
    up: bool,
    logged_in: bool,
    rules: Arc<OrgRules>,
    /// The number of the policy that it follows.
    follows: u64,
    /// The labels that it last offered.
    labels: BTreeSet<Label>,
    /// Those of them that still ask the same of a machine.
    surely: BTreeSet<Label>,
    paused_until: Millis,
    quarantined: bool,
    /// What it asked for when it went away.
    unfinished: Vec<Submit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Reserved(usize, ModelHash, Millis),
    Granted(usize, ModelHash),
    Running(usize, ModelHash),
}

impl Stage {
    fn at(self) -> Option<(usize, ModelHash)> {
        match self {
            Self::Waiting => None,
            Self::Reserved(at, hash, _) | Self::Granted(at, hash) | Self::Running(at, hash) => Some((at, hash)),
        }
    }
}

/// A run as the world knows it.
#[derive(Debug)]
struct Asked {
    by: usize,
    submit: Submit,
    stage: Stage,
    only: Option<usize>,
}

/// What came of it all.
#[derive(Debug, Default)]
struct Counts {
    jobs: u64,
    policies: u64,
    reserved: u64,
    granted: u64,
    ran: u64,
    /// Lenders that a scheduler chose which knows no rules, where the oracle says no.
    careless: u64,
    careless_forbidden: u64,
    /// Runs that new rules ended or moved, by what became of them.
    ended_by_rules: BTreeMap<&'static str, u64>,
    refused: BTreeMap<String, u64>,
    /// Reservations at machines that had not followed yet, which therefore declined or would have.
    machine_said_no: u64,
    submitter_said_no: u64,
    checked_for_starving: u64,
    /// Those who were behind more than a scheduler looks at.
    behind_too_many: u64,
}

enum Event {
    Ask(usize),
    Again(usize, Submit),
    Answer(usize, u64, Id),
    Open(Id),
    Finish(Id),
    Settle(Id, Usage),
    Follow(usize, u64),
    Policy,
    Leave(usize),
    Return(usize),
    Login(usize),
    Quarantine(usize, bool),
    Day(u64),
}

struct World {
    now: Millis,
    dice: Dice,
    scheduler: Scheduler,
    /// The same, told of no rule.
    careless: Scheduler,
    policy: Arc<OrgRules>,
    /// What the relay followed before it heard of that.
    before: Arc<OrgRules>,
    version: u64,
    machines: Vec<Machine>,
    runs: BTreeMap<Id, Asked>,
    avoid: BTreeMap<JobId, Vec<(usize, Millis)>>,
    events: BTreeMap<(Millis, u64), Event>,
    count: u64,
    jobs_left: u64,
    counts: Counts,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(2_654_435_761) | 1);
        let known = || (0..oracle::MODELS).map(oracle::model);
        let machines = (0..MACHINES).map(|at| Machine::new(at, &mut dice)).collect();
        let mut world = Self {
            now: Millis(0),
            dice,
            scheduler: Scheduler::new(seed, known()),
            careless: Scheduler::new(seed, known()),
            policy: Arc::default(),
            before: Arc::default(),
            version: 0,
            machines,
            runs: BTreeMap::new(),
            avoid: BTreeMap::new(),
            events: BTreeMap::new(),
            count: 0,
            jobs_left: JOBS_PER_POOL,
            counts: Counts::default(),
        };
        for at in 0..MACHINES {
            world.arrive(at);
            world.later(at as u64 * 50, Event::Ask(at));
        }
        world.later(0, Event::Policy);
        world.later(0, Event::Day(1));
        world
    }

    fn later(&mut self, ms: u64, event: Event) {
        self.count += 1;
        self.events.insert((self.now.plus(ms), self.count), event);
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice.roll(sides)
    }

    /// Goes on until then, or until nothing is left to happen.
    fn run(&mut self, until: Millis) {
        loop {
            let due = self.scheduler.next_deadline().map(|due| due.max(self.now));
            let next = self.events.first_key_value().map(|(key, _)| key.0);
            let Some(at) = due.into_iter().chain(next).min().filter(|at| *at <= until) else { break };
            self.now = at;
            match if next == Some(at) { self.events.pop_first() } else { None } {
                None => self.step(Input::Tick),
                Some((_, event)) => self.happen(event),
            }
        }
        self.now = self.now.max(until.min(Millis(u64::MAX / 2)));
    }

    /// All jobs asked for, everybody home, nothing new: then until the end.
    fn run_all(&mut self) {
        while self.jobs_left > 0 {
            self.run(self.now.plus(5_000));
        }
        let goes_on = |event: &Event| {
            !matches!(event, Event::Policy | Event::Leave(_) | Event::Quarantine(_, true) | Event::Day(_))
        };
        self.events.retain(|_, event| goes_on(event));
        self.run(self.now.plus(QUIET_MS));
        self.nobody_waits_in_vain();
        while let Some(at) =
            self.scheduler.next_deadline().into_iter().chain(self.events.keys().next().map(|key| key.0)).min()
        {
            self.run(at);
        }
        assert!(self.runs.is_empty(), "never ended: {:?}", self.runs);
        let load = self.scheduler.load();
        assert_eq!((load.waiting, load.held), (0, 0));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask(at) => self.ask(at),
            Event::Again(at, submit) => self.submit(at, submit, false),
            Event::Answer(at, arrivals, id) => self.answer(at, arrivals, id),
            Event::Open(id) => self.open(id),
            Event::Finish(id) => {
                let lender_lost = self.roll(20) == 0;
                self.finish(id, lender_lost);
            }
            Event::Settle((job, epoch), usage) => self.step(Input::Settled { job, epoch, usage }),
            Event::Follow(at, arrivals) => {
                if self.machines[at].up && self.machines[at].arrivals == arrivals {
                    self.follow(at);
                }
            }
            Event::Policy => self.new_policy(),
            Event::Leave(at) => {
                self.step(Input::NodeDown { node: self.machines[at].node });
                let away = 500 + self.roll(8_000);
                self.later(away, Event::Return(at));
            }
            Event::Return(at) => self.arrive(at),
            Event::Login(at) => self.log_in(at),
            Event::Quarantine(at, on) => {
                self.machines[at].quarantined = on;
                self.step(Input::Quarantined { node: self.machines[at].node, on });
                if on {
                    self.later(4_000, Event::Quarantine(at, false));
                }
            }
            Event::Day(day) => {
                self.step(Input::Day { day, used: Vec::new() });
                self.later(30_000, Event::Day(day + 1));
            }
        }
    }

    fn new_policy(&mut self) {
        self.policy = Arc::new(oracle::rules(&mut self.dice));
        self.version += 1;
        self.counts.policies += 1;
        self.step(Input::Rules(self.policy.clone()));
        for at in 0..MACHINES {
            let (lag, arrivals) = (self.roll(800), self.machines[at].arrivals);
            self.later(lag, Event::Follow(at, arrivals));
        }
        // Some last until the last of those who wait in vain are told so.
        let next = if self.roll(12) == 0 { NO_OFFER_WAIT_MS + 5_000 } else { 1_000 + self.roll(4_000) };
        self.later(next, Event::Policy);
        let (at, delay) = (self.roll(MACHINES as u64) as usize, self.roll(next));
        self.later(delay, Event::Quarantine(at, true));
    }

    fn arrive(&mut self, at: usize) {
        if self.roll(3) == 0 {
            self.machines[at].groups = oracle::groups(&mut self.dice);
        }
        let machine = &mut self.machines[at];
        machine.arrivals += 1;
        (machine.up, machine.logged_in) = (true, false);
        let (node, groups, user) = (machine.node, machine.groups.clone(), format!("user-{}", at % 6));
        let unfinished = std::mem::take(&mut machine.unfinished);
        let _ = self.careless.handle(self.now, Input::NodeUp { node, groups: groups.clone(), user: user.clone() });
        self.step(Input::NodeUp { node, groups, user });
        if self.roll(2) == 0 {
            self.log_in(at);
        } else {
            let later = self.roll(10_000);
            self.later(later, Event::Login(at));
        }
        self.follow(at);
        for submit in unfinished {
            self.again(at, submit);
        }
        let stay = 5_000 + self.roll(60_000);
        if self.jobs_left > 0 {
            self.later(stay, Event::Leave(at));
        }
    }

    fn log_in(&mut self, at: usize) {
        let groups = oracle::groups(&mut self.dice);
        let machine = &mut self.machines[at];
        if machine.up {
            machine.logged_in = true;
            let (node, user) = (machine.node, format!("user-{}", at % 3));
            self.step(Input::Person { node, user, groups });
        }
    }

    /// A machine follows the newest policy: it offers what that lets it, and ends what that forbids.
    fn follow(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        (machine.rules, machine.follows) = (self.policy.clone(), self.version);
        let labels = machine.rules.all_labels().into_iter();
        let takes = |label: &Label| {
            let takes = machine.rules.may_lend_here(label, &machine.groups, machine.tier, machine.dedicated).is_ok();
            let by_oracle = oracle::lending(&machine.rules, label, &machine.groups).is_empty()
                && oracle::hosting(&machine.rules, label, machine.tier, machine.dedicated).is_empty();
            assert_eq!(takes, by_oracle, "{label}: {machine:?}");
            takes
        };
        let labels: BTreeSet<Label> = labels.filter(takes).collect();
        (machine.labels, machine.surely) = (labels.clone(), labels.clone());
        let (node, models, slots) = (machine.node, machine.models.clone(), machine.slots);
        let careless = Offer { models: models.clone(), slots, labels: Label::all().into() };
        let _ = self.careless.handle(self.now, Input::Offer { node, offer: careless });
        self.step(Input::Offer { node, offer: Offer { models, slots, labels } });
        let running = self.runs.iter().filter(|(_, run)| matches!(run.stage, Stage::Running(of, _) if of == at));
        for id in running.map(|(id, _)| *id).collect::<Vec<_>>() {
            if !self.serves(at, id, true) {
                *self.counts.ended_by_rules.entry("ended by its machine").or_default() += 1;
                self.finish(id, false);
            }
        }
    }

    fn ask(&mut self, at: usize) {
        if self.jobs_left == 0 {
            return;
        }
        let pause = 200 + self.roll(2_800);
        self.later(pause, Event::Ask(at));
        if !self.machines[at].up {
            return;
        }
        self.jobs_left -= 1;
        self.counts.jobs += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.counts.jobs.to_be_bytes());
        let submit = Submit {
            job: JobId(id),
            epoch: Epoch(1),
            model: oracle::model(self.dice.roll(oracle::MODELS)),
            label: oracle::label(&mut self.dice),
            prompt_tokens: 1 + self.dice.roll(900) as u32,
            max_tokens: 1 + self.dice.roll(1_000) as u32,
            submitter_key: [0; 32],
            check: None,
        };
        self.ask_careless(at, &submit);
        let directed = self.roll(40) == 0;
        self.submit(at, submit, directed);
    }

    /// Where the job would have gone if nobody had told the scheduler of any rule.
    fn ask_careless(&mut self, at: usize, submit: &Submit) {
        let submitter = self.machines[at].node;
        let asked = Submit { label: Label::internal(), ..submit.clone() };
        let out = self.careless.handle(self.now, Input::Submit { submitter, submit: asked });
        for output in &out {
            let Output::Reserve(Reserve { lender, model, .. }) = output else { continue };
            let lender = self.machine_of(*lender);
            self.counts.careless += 1;
            let forbidden = !self.forbids(at, submit, Some((lender, *model))).is_empty();
            self.counts.careless_forbidden += u64::from(forbidden);
        }
        let _ = self.careless.handle(self.now, Input::Cancel { submitter, job: submit.job });
    }

    fn again(&mut self, at: usize, mut submit: Submit) {
        if self.roll(3) > 0 {
            submit.epoch = Epoch(submit.epoch.0 + 1);
            let delay = self.roll(300);
            self.later(delay, Event::Again(at, submit));
        }
    }

    /// A lender looks at what is to be reserved, by the rules that it follows.
    fn answer(&mut self, at: usize, arrivals: u64, (job, epoch): Id) {
        let machine = &self.machines[at];
        if !machine.up || machine.arrivals != arrivals {
            return;
        }
        let node = machine.node;
        let says = self.roll(30);
        let here = self.runs.get(&(job, epoch)).is_some_and(|run| run.stage.at().is_some_and(|(of, _)| of == at));
        let serves = !here || self.serves(at, (job, epoch), false);
        self.counts.machine_said_no += u64::from(!serves);
        match says {
            _ if !serves => self.step(Input::Declined { node, job, epoch, code: Code::Forbidden }),
            0 => {}
            1 => self.step(Input::Declined { node, job, epoch, code: Code::Busy }),
            _ => self.step(Input::Accepted { node, job, epoch, nonce: [1; 16] }),
        }
    }

    /// Whoever asked looks at whom they were given before they seal; the lender looks again before it opens.
    fn open(&mut self, id: Id) {
        let Some(run) = self.runs.get(&id) else { return };
        let Stage::Granted(lender, hash) = run.stage else { return };
        let (by, submit) = (run.by, run.submit.clone());
        let asker = &self.machines[by];
        let rules = &asker.rules;
        let seals = rules.may_ask(&submit.label, &submit.model, &asker.groups).is_ok()
            && rules.may_lend(&submit.label, &self.machines[lender].groups).is_ok()
            && rules.may_run(&submit.model, &hash).is_ok();
        if !seals {
            assert_ne!(asker.follows, self.version, "refused by whoever follows what the relay follows: {submit:?}");
            self.counts.submitter_said_no += 1;
            self.step(Input::Cancel { submitter: asker.node, job: id.0 });
            return;
        }
        let opened = self.scheduler.open(self.now, self.machines[by].node, id.0, id.1);
        assert_eq!(opened, Ok(self.machines[lender].node));
        self.runs.get_mut(&id).unwrap().stage = Stage::Running(lender, hash);
        if self.serves(lender, id, true) {
            self.counts.ran += 1;
            let length = 100 + self.roll(3_000);
            self.later(length, Event::Finish(id));
            let usage = Usage { prompt_tokens: submit.prompt_tokens, completion_tokens: submit.max_tokens / 2 };
            self.later(length + 50, Event::Settle(id, usage));
        } else {
            self.counts.machine_said_no += 1;
            self.finish(id, false);
        }
    }

    fn finish(&mut self, id: Id, lender_lost: bool) {
        if self.runs.contains_key(&id) {
            self.step(Input::Finished { job: id.0, epoch: id.1, lender_lost });
        }
    }

    /// The machine's own decision, which must be the oracle's by the rules that it follows.
    fn serves(&self, at: usize, id: Id, proved: bool) -> bool {
        let (machine, run) = (&self.machines[at], &self.runs[&id]);
        let Submit { label, model, .. } = &run.submit;
        let Some((_, hash)) = run.stage.at() else { return true };
        let asker = self.machines[run.by].groups.as_slice();
        let here = Here { groups: &machine.groups, tier: machine.tier, dedicated: machine.dedicated };
        let wanted = Wanted { label, model, hash: &hash, asker: proved.then_some(asker) };
        let said = machine.rules.may_serve(here, wanted);
        let mut no = oracle::lending(&machine.rules, label, &machine.groups);
        no.extend(oracle::hosting(&machine.rules, label, machine.tier, machine.dedicated));
        no.extend(oracle::running(&machine.rules, model, hash));
        if proved {
            // Whether somebody has logged in is the relay's to know.
            no.extend(oracle::asking(&machine.rules, label, model, asker, true));
        }
        match &said {
            Ok(()) => assert_eq!(no, [], "{label} {model}: {machine:?}"),
            Err(denied) => assert!(no.contains(&No::of(denied)), "{denied}, but the oracle: {no:?}"),
        }
        said.is_ok()
    }
}

impl Machine {
    fn new(at: usize, dice: &mut Dice) -> Self {
        // A name can stand for other bytes elsewhere, and for several here.
        let offers = 1 + dice.roll(4);
        let models = (0..offers).map(|_| {
            let (name, speed) = (dice.roll(oracle::MODELS), 5.0 + dice.roll(60) as f32);
            OfferedModel {
                name: oracle::model(name),
                hash: oracle::bytes(name, dice.roll(oracle::BYTES)),
                context: if dice.roll(4) == 0 { 256 } else { 4_096 },
                decode_tps: Some(speed),
                prefill_tps: Some(speed * 10.0),
            }
        });
        let models = models.collect();
        Self {
            node: node(at as u8 + 1),
            groups: oracle::groups(dice),
            tier: oracle::tier(dice),
            dedicated: dice.roll(3) == 0,
            models,
            slots: dice.roll(5) as u16,
            arrivals: 0,
            up: false,
            logged_in: false,
            rules: Arc::default(),
            follows: 0,
            labels: BTreeSet::new(),
            surely: BTreeSet::new(),
            paused_until: Millis(0),
            quarantined: false,
            unfinished: Vec::new(),
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        let Self { jobs, policies, reserved, granted, ran, careless, careless_forbidden, .. } = more;
        self.jobs += jobs;
        self.policies += policies;
        self.reserved += reserved;
        self.granted += granted;
        self.ran += ran;
        self.careless += careless;
        self.careless_forbidden += careless_forbidden;
        for (what, count) in more.ended_by_rules {
            *self.ended_by_rules.entry(what).or_default() += count;
        }
        for (why, count) in more.refused {
            *self.refused.entry(why).or_default() += count;
        }
        self.machine_said_no += more.machine_said_no;
        self.submitter_said_no += more.submitter_said_no;
        self.checked_for_starving += more.checked_for_starving;
        self.behind_too_many += more.behind_too_many;
    }
}

fn pools(seeds: impl Iterator<Item = u64>) -> Counts {
    let mut all = Counts::default();
    for seed in seeds {
        let mut world = World::new(seed);
        world.run_all();
        all += world.counts;
    }
    println!("{all:#?}");
    // A test that nothing was at stake in shows nothing.
    assert!(all.ran * 10 > all.jobs * 3, "too few ran");
    assert!(all.careless_forbidden * 4 > all.careless, "rules hardly ever mattered");
    for why in
        ["Label", "Login", "User", "Asker", "Name", "nowhere: Lender", "nowhere: Site", "nowhere: Bytes", "quota"]
    {
        assert!(all.refused.get(why).is_some_and(|count| *count >= 20), "hardly ever refused for {why}");
    }
    for what in ["waiting", "reserved", "granted", "running", "ended by its machine"] {
        assert!(all.ended_by_rules.get(what).is_some_and(|count| *count >= 50), "hardly ever ended while {what}");
    }
    assert!(all.machine_said_no > 100 && all.submitter_said_no > 20, "nobody was ahead of anybody");
    assert!(all.checked_for_starving > all.jobs && all.behind_too_many * 100 < all.checked_for_starving);
    all
}

#[test]
fn no_job_goes_where_it_may_not_and_none_waits_that_could_go() {
    let all = pools(1..=POOLS);
    assert!(all.jobs >= 100_000);
}

/// `cargo test -p lull-core --release -- --ignored --nocapture million`
#[test]
#[ignore = "a long campaign: a million jobs"]
fn a_million_jobs_go_where_they_may() {
    let all = pools(1_000..1_000 + POOLS_LONG);
    assert!(all.jobs >= 1_000_000);
}
