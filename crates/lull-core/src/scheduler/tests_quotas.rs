//! Quotas held against a book on paper: one line for each run that was taken on, added up anew whenever somebody asks.
//!
//! The bound, at every moment of a day: of each quota (of each person, where each has their own) no more counts than
//! its limit, or than counted already when it came to be, and beside that what runs settled above their leases since. A
//! lease holds the prompt and at most 512 tokens of the answer, so each run adds at most its `max_tokens` less those.

use super::{simulation::Dice, *};

/// Nodes, of which the first lend.
const NODES: u8 = 12;
const LENDERS: u8 = 4;
const STORIES: u64 = 30;
const STEPS: u64 = 3_000;
/// The most of an answer that a lease holds, in tokens (docs/policy.md).
const LEASED_ANSWER_MAX: u64 = 512;

type Id = (JobId, Epoch);

/// What one run counts for, by the rules in words: its lease until it is settled, what it used from then on, nothing if
/// it ended without a stream.
#[derive(Debug, Clone)]
struct Line {
    day: u64,
    user: String,
    groups: Vec<String>,
    model: String,
    lease: u64,
    /// What it used, and under which quotas that was heard.
    settled: Option<(u64, u64)>,
}

impl Line {
    fn counts(&self) -> u64 {
        self.settled.map_or(self.lease, |(used, _)| used)
    }

    fn above(&self, version: u64) -> u64 {
        self.settled.filter(|(_, under)| *under == version).map_or(0, |(used, _)| used.saturating_sub(self.lease))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Reserved(NodeId),
    Granted(NodeId),
    Running(NodeId),
}

#[derive(Debug)]
struct Live {
    by: u8,
    submit: Submit,
    stage: Stage,
}

/// A stream that is over and not settled.
#[derive(Debug)]
struct Open {
    id: Id,
    submit: Submit,
    /// Its job was forgotten: whatever it used, its lease stays.
    forgotten: bool,
}

#[derive(Debug, Clone, Default)]
struct Person {
    up: bool,
    user: String,
    /// Of the machine's invitation, and of whoever logged in: both count for quotas.
    groups: Vec<String>,
    more: Vec<String>,
}

#[derive(Debug, Default)]
struct Counts {
    taken_on: u64,
    over_quota: u64,
    probed: u64,
    came_back: BTreeMap<&'static str, u64>,
    settled: BTreeMap<&'static str, u64>,
    never_settled: u64,
    above_lease: u64,
    days: u64,
    policies: u64,
}

struct Office {
    now: Millis,
    dice: Dice,
    scheduler: Scheduler,
    rules: OrgRules,
    version: u64,
    day: u64,
    people: BTreeMap<u8, Person>,
    live: BTreeMap<Id, Live>,
    paper: BTreeMap<Id, Line>,
    open: Vec<Open>,
    /// When a job's last run ended, and which run that was.
    ended: BTreeMap<JobId, (Millis, u8, Submit)>,
    /// What counted already when the quotas came to be, by quota and person.
    at_first: BTreeMap<(usize, String), u64>,
    number: u64,
    counts: Counts,
}

fn concerns(quota: &Quota, line: &Line) -> bool {
    let group = quota.group.as_ref().is_none_or(|group| line.groups.iter().any(|of| of == group));
    let user = quota.user.as_ref().is_none_or(|user| *user == line.user);
    group && user && quota.model.as_ref().is_none_or(|model| *model == line.model)
}

impl Office {
    fn new(seed: u64) -> Self {
        let mut office = Self {
            now: Millis(0),
            dice: Dice(seed.wrapping_mul(2_654_435_761) | 1),
            scheduler: Scheduler::new(seed, (0..oracle::MODELS).map(oracle::model)),
            rules: OrgRules::default(),
            version: 0,
            day: 100,
            people: (1..=NODES).map(|n| (n, Person::default())).collect(),
            live: BTreeMap::new(),
            paper: BTreeMap::new(),
            open: Vec::new(),
            ended: BTreeMap::new(),
            at_first: BTreeMap::new(),
            number: 0,
            counts: Counts::default(),
        };
        office.new_day();
        office.new_rules();
        (1..=NODES).for_each(|n| office.arrive(n));
        office
    }

    fn next_job(&mut self) -> JobId {
        self.number += 1;
        JobId(u128::from(self.number).to_be_bytes())
    }

    fn today(&self) -> impl Iterator<Item = &Line> {
        self.paper.values().filter(|line| line.day == self.day)
    }

    /// All that counts for a quota today, added up line by line; of one person, if each has their own.
    fn counted(&self, quota: &Quota, user: &str) -> u64 {
        let lines = self.today().filter(|line| concerns(quota, line) && (!quota.each || line.user == user));
        lines.map(Line::counts).sum()
    }

    /// The first quota without room, and what is left of it.
    fn full(&self, asked: &Line) -> Option<(Quota, u64)> {
        self.rules.quotas.iter().filter(|quota| concerns(quota, asked)).find_map(|quota| {
            let left = quota.tokens_per_day.saturating_sub(self.counted(quota, &asked.user));
            (left < asked.lease).then(|| (quota.clone(), left))
        })
    }

    fn may_ask(&self, by: u8) -> bool {
        let groups = &self.people[&by].groups;
        self.rules.users.as_ref().is_none_or(|users| groups.iter().any(|group| users.contains(group)))
    }

    fn line(&self, by: u8, submit: &Submit) -> Line {
        let person = &self.people[&by];
        Line {
            day: self.day,
            user: person.user.clone(),
            groups: person.groups.iter().chain(&person.more).cloned().collect(),
            model: submit.model.clone(),
            lease: u64::from(submit.prompt_tokens) + u64::from(submit.max_tokens).min(LEASED_ANSWER_MAX),
            settled: None,
        }
    }

    fn step(&mut self, input: Input) -> Vec<Output> {
        let out = self.scheduler.handle(self.now, input);
        for output in &out {
            match output {
                Output::Reserve(Reserve { lender, submit, .. }) => {
                    self.stage((submit.job, submit.epoch), Stage::Reserved(*lender));
                }
                Output::Grant(Granted { lender, submit, .. }) => {
                    self.stage((submit.job, submit.epoch), Stage::Granted(*lender));
                }
                Output::Refused { job, epoch, .. } => self.end((*job, *epoch), "refused"),
                Output::Release { lender, job, epoch } => match self.live.get(&(*job, *epoch)).map(|live| live.stage) {
                    Some(Stage::Reserved(at)) if at == *lender => self.stage((*job, *epoch), Stage::Waiting),
                    Some(Stage::Granted(at)) if at == *lender => self.end((*job, *epoch), "never opened"),
                    _ => {}
                },
                Output::Cut { job, epoch, .. } => self.end((*job, *epoch), "cut"),
                Output::Queued { .. } | Output::Learned { .. } => {}
            }
        }
        out
    }

    fn stage(&mut self, id: Id, stage: Stage) {
        if let Some(live) = self.live.get_mut(&id) {
            live.stage = stage;
        }
    }

    /// A run is over. What had a stream keeps its lease until it is settled; all else counts for nothing.
    fn end(&mut self, id: Id, why: &'static str) {
        let Some(Live { by, submit, stage }) = self.live.remove(&id) else { return };
        self.ended.insert(id.0, (self.now, by, submit.clone()));
        if !matches!(stage, Stage::Running(_)) {
            self.paper.remove(&id);
            *self.counts.came_back.entry(why).or_default() += 1;
        } else if self.paper.get(&id).is_some_and(|line| line.settled.is_none()) {
            self.open.push(Open { id, submit, forgotten: false });
        }
    }

    /// Jobs that ended long ago are forgotten, and with them what they would have settled.
    fn forget(&mut self) {
        let live: BTreeSet<JobId> = self.live.keys().map(|id| id.0).collect();
        let gone = |job: &JobId, at: Millis| !live.contains(job) && self.now.since(at) >= ENDED_MEMORY_MS;
        let gone: BTreeSet<JobId> =
            self.ended.iter().filter(|(job, (at, ..))| gone(job, *at)).map(|(job, _)| *job).collect();
        self.ended.retain(|job, _| !gone.contains(job));
        self.open.iter_mut().filter(|open| gone.contains(&open.id.0)).for_each(|open| open.forgotten = true);
    }

    fn wait(&mut self, ms: u64) {
        let until = self.now.plus(ms);
        while let Some(due) = self.scheduler.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.step(Input::Tick);
            self.forget();
        }
        self.now = until;
        self.step(Input::Tick);
        self.forget();
    }

    fn new_day(&mut self) {
        self.counts.days += 1;
        self.day += 1;
        self.at_first.clear();
        let mut used = Vec::new();
        for _ in 0..self.dice.roll(4) {
            let (user, groups) = (format!("user-{}", self.dice.roll(6)), oracle::groups(&mut self.dice));
            let (model, tokens) = (oracle::model(self.dice.roll(oracle::MODELS)), self.dice.roll(9_000));
            let id = (self.next_job(), Epoch(1));
            let line = Line { day: self.day, user, groups, model, lease: tokens, settled: None };
            used.push(Used { user: line.user.clone(), groups: line.groups.clone(), model: line.model.clone(), tokens });
            self.paper.insert(id, line);
        }
        self.step(Input::Day { day: self.day, used });
        self.set_first();
    }

    /// A quota that a few runs reach.
    fn tight(dice: &mut Dice) -> Quota {
        let quota = oracle::quota(dice);
        Quota { tokens_per_day: quota.tokens_per_day / (1 + dice.roll(12)), ..quota }
    }

    fn new_rules(&mut self) {
        self.counts.policies += 1;
        self.rules = OrgRules {
            quotas: (0..self.dice.roll(6)).map(|_| Self::tight(&mut self.dice)).collect(),
            ..OrgRules::default()
        };
        if self.dice.roll(3) == 0 {
            self.rules.users = Some((0..6).map(|_| oracle::group(self.dice.roll(oracle::GROUPS))).collect());
        }
        self.step(Input::Rules(Arc::new(self.rules.clone())));
        self.set_first();
    }

    fn users(&self) -> BTreeSet<String> {
        self.today().map(|line| line.user.clone()).collect()
    }

    /// Each quota that there is, with each person who has one of their own.
    fn kept(&self) -> Vec<((usize, String), Quota)> {
        let mut kept = Vec::new();
        for (at, quota) in self.rules.quotas.iter().enumerate() {
            let users = if quota.each { self.users() } else { [String::new()].into() };
            kept.extend(users.into_iter().map(|user| ((at, user), quota.clone())));
        }
        kept
    }

    /// Notes what counts when quotas or a day are new. What settles from now on is told apart from what did before.
    fn set_first(&mut self) {
        self.version += 1;
        self.at_first =
            self.kept().into_iter().map(|(key, quota)| (key.clone(), self.counted(&quota, &key.1))).collect();
    }

    fn arrive(&mut self, n: u8) {
        let person = Person {
            up: true,
            user: format!("user-{}", self.dice.roll(6)),
            groups: oracle::groups(&mut self.dice),
            more: Vec::new(),
        };
        self.step(Input::NodeUp { node: node(n), groups: person.groups.clone(), user: person.user.clone() });
        self.people.insert(n, person);
        if n <= LENDERS {
            let any = |model: u64| OfferedModel {
                name: oracle::model(model),
                hash: oracle::bytes(model, 0),
                context: u32::MAX,
                decode_tps: None,
                prefill_tps: None,
            };
            let models = (0..oracle::MODELS).map(any).collect();
            self.step(Input::Offer { node: node(n), offer: Offer { models, slots: 6, labels: Label::all().into() } });
        }
    }

    fn leave(&mut self, n: u8) {
        self.people.get_mut(&n).unwrap().up = false;
        for id in self.live.keys().copied().collect::<Vec<_>>() {
            let live = &self.live[&id];
            match live.stage {
                _ if live.by == n => self.end(id, "its node went"),
                Stage::Reserved(at) if at == node(n) => self.stage(id, Stage::Waiting),
                Stage::Granted(at) if at == node(n) => self.end(id, "its lender went"),
                _ => {}
            }
        }
        self.step(Input::NodeDown { node: node(n) });
    }

    fn log_in(&mut self, n: u8) {
        let (user, more) = (format!("user-{}", self.dice.roll(6)), oracle::groups(&mut self.dice));
        let person = self.people.get_mut(&n).unwrap();
        if person.up {
            (person.user, person.more) = (user.clone(), more.clone());
            self.step(Input::Person { node: node(n), user, groups: more });
        }
    }

    /// Somebody asks; the answer must be the one on paper.
    fn ask(&mut self, by: u8, submit: Submit) {
        let id = (submit.job, submit.epoch);
        let line = self.line(by, &submit);
        let expected = self.full(&line).filter(|_| self.may_ask(by));
        if self.may_ask(by) && expected.is_none() {
            self.paper.insert(id, line);
            self.live.insert(id, Live { by, submit: submit.clone(), stage: Stage::Waiting });
            self.counts.taken_on += 1;
        }
        let out = self.step(Input::Submit { submitter: node(by), submit });
        let said = match refusal(&out) {
            Some(Refusal::Quota { quota, left }) => Some((*quota, left)),
            Some(Refusal::Denied(_)) => return assert!(!self.may_ask(by)),
            None => None,
            Some(other) => panic!("{other:?}"),
        };
        assert_eq!(said, expected, "what the scheduler counts is not what is on paper");
        self.counts.over_quota += u64::from(said.is_some());
    }

    fn ask_anything(&mut self) {
        let by = 1 + self.dice.roll(u64::from(NODES)) as u8;
        if !self.people[&by].up {
            return;
        }
        let again = self.pick(|office| {
            office.ended.values().filter(|(_, of, _)| *of == by).map(|(.., submit)| submit.clone()).collect()
        });
        let mut submit = Submit {
            job: self.next_job(),
            epoch: Epoch(1),
            model: oracle::model(self.dice.roll(oracle::MODELS)),
            label: Label::internal(),
            prompt_tokens: 1 + self.dice.roll(1_500) as u32,
            max_tokens: 1 + self.dice.roll(2_000) as u32,
            submitter_key: [0; 32],
            check: None,
        };
        if let Some(again) = again.filter(|_| self.dice.roll(3) == 0) {
            // Grows over all jobs, so that no epoch is a job's second.
            (submit.job, submit.epoch) = (again.job, Epoch(self.number as u32));
        }
        self.ask(by, submit);
    }

    /// Far more than any quota has: the refusal says what is left.
    fn probe(&mut self) {
        let by = 1 + self.dice.roll(u64::from(NODES)) as u8;
        let submit = Submit {
            prompt_tokens: u32::MAX,
            model: oracle::model(self.dice.roll(oracle::MODELS)),
            ..submit(1, 1, "")
        };
        let submit = Submit { job: self.next_job(), ..submit };
        if self.people[&by].up && self.full(&self.line(by, &submit)).is_some() {
            self.counts.probed += 1;
            self.ask(by, submit);
        }
    }

    fn pick<T>(&mut self, of: impl Fn(&Self) -> Vec<T>) -> Option<T> {
        let mut all = of(self);
        if all.is_empty() {
            return None;
        }
        let at = self.dice.roll(all.len() as u64) as usize;
        Some(all.swap_remove(at))
    }

    fn any_live(&mut self, stage: impl Fn(Stage) -> bool) -> Option<(Id, u8, Stage)> {
        self.pick(|office| {
            office
                .live
                .iter()
                .filter(|(_, live)| stage(live.stage))
                .map(|(id, live)| (*id, live.by, live.stage))
                .collect()
        })
    }

    fn settle(&mut self, id: Id, submit: &Submit, heard: bool, when: &'static str) {
        // A rough estimate of the prompt may have been too high, and an answer is as long as it is.
        let prompt_tokens = submit.prompt_tokens - self.dice.roll(u64::from(submit.prompt_tokens / 4) + 1) as u32;
        let completion_tokens = self.dice.roll(u64::from(submit.max_tokens) + 1) as u32;
        let usage = Usage { prompt_tokens, completion_tokens };
        // Both sides may speak, in any order, and one of them may lie: the larger word counts, within the bound.
        let mut words = vec![usage];
        if self.dice.roll(3) == 0 {
            let lie = Usage { completion_tokens: u32::MAX, ..usage };
            words.push([usage, Usage::default(), lie][self.dice.roll(3) as usize]);
            words.rotate_left(self.dice.roll(2) as usize);
        }
        let line = self.paper.get_mut(&id).unwrap();
        if heard && line.settled.is_none() {
            let word = |usage: &Usage| {
                u64::from(usage.prompt_tokens) + u64::from(usage.completion_tokens.min(submit.max_tokens))
            };
            let used = words.iter().map(word).max().unwrap();
            line.settled = Some((used, self.version));
            self.counts.above_lease += u64::from(used > line.lease);
            let longer = u64::from(submit.max_tokens).saturating_sub(LEASED_ANSWER_MAX);
            assert!(line.above(self.version) <= longer, "more above its lease than its answer may be longer");
        }
        *self.counts.settled.entry(when).or_default() += 1;
        for usage in words {
            self.step(Input::Settled { job: id.0, epoch: id.1, usage });
        }
    }

    fn settle_one(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let at = self.dice.roll(self.open.len() as u64) as usize;
        let Open { id, submit, forgotten } = self.open.swap_remove(at);
        if self.dice.roll(20) == 0 {
            self.counts.never_settled += 1;
        } else {
            let late = if self.paper[&id].day == self.day { "the same day" } else { "a day later" };
            self.settle(id, &submit, !forgotten, if forgotten { "too late" } else { late });
        }
    }

    fn happen(&mut self) {
        let n = 1 + self.dice.roll(u64::from(NODES)) as u8;
        match self.dice.roll(100) {
            0..=29 => self.ask_anything(),
            30..=49 => {
                if let Some(((job, epoch), _, Stage::Reserved(node))) =
                    self.any_live(|stage| matches!(stage, Stage::Reserved(_)))
                {
                    let declines = self.dice.roll(6) == 0;
                    let code = if self.dice.roll(3) == 0 { Code::ContextExceeded } else { Code::Busy };
                    if declines {
                        self.stage((job, epoch), Stage::Waiting);
                        self.step(Input::Declined { node, job, epoch, code });
                    } else {
                        self.step(Input::Accepted { node, job, epoch, nonce: [0; 16] });
                    }
                }
            }
            50..=64 => {
                if let Some((id, by, Stage::Granted(lender))) =
                    self.any_live(|stage| matches!(stage, Stage::Granted(_)))
                {
                    assert_eq!(self.scheduler.open(self.now, node(by), id.0, id.1), Ok(lender));
                    self.stage(id, Stage::Running(lender));
                }
            }
            65..=76 => {
                if let Some((id, ..)) = self.any_live(|stage| matches!(stage, Stage::Running(_))) {
                    let submit = self.live[&id].submit.clone();
                    // Receipts can be here before the end of the stream is.
                    if self.dice.roll(6) == 0 {
                        self.settle(id, &submit, true, "before its end");
                    }
                    self.end(id, "finished");
                    let lender_lost = self.dice.roll(3) == 0;
                    self.step(Input::Finished { job: id.0, epoch: id.1, lender_lost });
                }
            }
            77..=88 => self.settle_one(),
            89..=91 => {
                if let Some(((job, _), by, _)) = self.any_live(|_| true) {
                    for id in self.live.keys().filter(|id| id.0 == job).copied().collect::<Vec<_>>() {
                        self.end(id, "cancelled");
                    }
                    self.step(Input::Cancel { submitter: node(by), job });
                }
            }
            92 | 93 if self.people[&n].up => self.leave(n),
            92 | 93 => self.arrive(n),
            94 | 95 => self.log_in(n),
            96 => self.new_rules(),
            97 => drop(self.step(Input::Day { day: self.day, used: Vec::new() })),
            98 if self.dice.roll(3) == 0 => self.new_day(),
            98 => self.wait(5_000),
            _ => {
                let long = [4_000, 31_000, 130_000, ENDED_MEMORY_MS - 60_000][self.dice.roll(4) as usize];
                self.wait(long);
            }
        }
    }

    /// The bound at the head of this file.
    fn within_bounds(&self) {
        for (key, quota) in self.kept() {
            let lines = self.today().filter(|line| concerns(&quota, line) && (!quota.each || line.user == key.1));
            let above: u64 = lines.map(|line| line.above(self.version)).sum();
            let most = quota.tokens_per_day.max(self.at_first.get(&key).copied().unwrap_or(0)) + above;
            let counted = self.counted(&quota, &key.1);
            assert!(counted <= most, "{counted} of at most {most} for {key:?}: {quota:?}");
        }
    }

    /// Everything comes to its end; then only what was settled, or never will be, counts.
    fn close(&mut self) {
        self.wait(RUN_MAX_MS + WAIT_MAX_MS);
        assert!(self.live.is_empty(), "never ended: {:?}", self.live);
        while !self.open.is_empty() {
            self.settle_one();
        }
        for _ in 0..50 {
            self.probe();
        }
        self.new_rules();
        for _ in 0..50 {
            self.probe();
        }
    }
}

#[test]
fn quotas_count_what_is_on_paper() {
    let mut all = Counts::default();
    for seed in 1..=STORIES {
        let mut office = Office::new(seed);
        for step in 0..STEPS {
            let pause = office.dice.roll(300);
            office.wait(pause);
            office.happen();
            office.within_bounds();
            if step % 4 == 0 {
                office.probe();
            }
        }
        office.close();
        let Counts { taken_on, over_quota, probed, came_back, settled, never_settled, above_lease, days, policies } =
            office.counts;
        all.taken_on += taken_on;
        all.over_quota += over_quota;
        all.probed += probed;
        all.never_settled += never_settled;
        all.above_lease += above_lease;
        all.days += days;
        all.policies += policies;
        for (why, count) in came_back {
            *all.came_back.entry(why).or_default() += count;
        }
        for (when, count) in settled {
            *all.settled.entry(when).or_default() += count;
        }
    }
    println!("{all:#?}");
    for why in ["refused", "never opened", "cancelled", "its node went", "its lender went"] {
        assert!(all.came_back.get(why).is_some_and(|count| *count >= 50), "no lease came back because it was {why}");
    }
    for when in ["the same day", "a day later", "before its end", "too late"] {
        assert!(all.settled.get(when).is_some_and(|count| *count >= 50), "hardly any settled {when}");
    }
    assert!(all.probed > 1_000 && all.over_quota - all.probed > 300 && all.above_lease > 500, "nothing was at stake");
}
