//! Whole fleets in virtual time. `everyday_*` run with every `cargo test`; `long_*` take minutes and are for
//! `cargo test --release -p lull-core --lib integrity::tests_simulation::long -- --ignored --nocapture`,
//! where `LULL_INTEGRITY_SEEDS` says how many years of how many fleets.

use std::collections::BTreeMap;

use lull_types::{ModelHash, NodeId};

use super::*;

/// An hour, in milliseconds.
const HOUR_MS: u64 = 3_600_000;
/// How often lenders' jobs are told of, in milliseconds.
const STEP_MS: u64 = 3 * HOUR_MS;
/// When those that behave at first stop doing so, in days.
const SLEEP_DAYS: u64 = 60;
/// How alike an honest machine's answers are in the simulation: a little more than the judge assumes.
const CLUMPS: f64 = 150.0;
/// The longest until a broken checker is not believed any more, in days.
const SUSPECT_DAYS_MAX: u64 = 60;
/// Kinds of machines, the first being the checkers' own most often.
const KINDS: u64 = 3;
/// Models in the pool.
const MODELS: u8 = 3;

/// How a lender cheats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cheat {
    /// It alters one token in fifty.
    OneInFifty,
    /// It answers with a cheaper model: 10 to 60 % of positions differ.
    CheaperModel,
    /// Its answers have nothing to do with the question.
    Garbage,
    /// It answers with a cheaper model one time in ten: 30 % of positions differ.
    TenthOfJobs,
    /// It behaves for [`SLEEP_DAYS`] and alters one token in fifty from then on.
    Sleeper,
    /// It answers with a cheaper model (30 %) whenever one of its models is asked for.
    OneModel,
}

const CHEATS: [Cheat; 6] =
    [Cheat::OneInFifty, Cheat::CheaperModel, Cheat::Garbage, Cheat::TenthOfJobs, Cheat::Sleeper, Cheat::OneModel];

impl Cheat {
    /// Jobs from the first cheated one within which every such lender is quarantined at the default policy.
    const fn jobs_max(self) -> u64 {
        match self {
            Self::OneInFifty => ONE_IN_FIFTY_JOBS_MAX,
            Self::CheaperModel => CHEAPER_MODEL_JOBS_MAX,
            Self::Garbage => GARBAGE_JOBS_MAX,
            Self::TenthOfJobs => TENTH_OF_JOBS_JOBS_MAX,
            Self::Sleeper => SLEEPER_JOBS_MAX,
            Self::OneModel => ONE_MODEL_JOBS_MAX,
        }
    }
}

// Measured (docs/integrity.md), with room.
const ONE_IN_FIFTY_JOBS_MAX: u64 = 4_000;
const CHEAPER_MODEL_JOBS_MAX: u64 = 300;
const GARBAGE_JOBS_MAX: u64 = 300;
const TENTH_OF_JOBS_JOBS_MAX: u64 = 5_000;
const SLEEPER_JOBS_MAX: u64 = 8_000;
const ONE_MODEL_JOBS_MAX: u64 = 1_500;

/// A checker that breaks.
#[derive(Debug, Clone, Copy)]
struct Broken {
    from_day: u64,
    /// In what share of its checks it computes something else, in percent.
    share: u64,
    /// The share of positions that then differ.
    rate: f64,
}

#[derive(Debug, Clone, Copy)]
struct Fleet {
    seed: u64,
    lenders: u16,
    checkers: u8,
    cheats_percent: u64,
    days: u64,
    broken: Option<Broken>,
    /// How many times as much, or as little, as the others of its kind an honest lender may differ.
    spread: f64,
}

/// A number generator that anyone can repeat (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }

    fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap()) / f64::from(u32::MAX)
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Between the two, each factor as likely as any other.
    fn factor(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }
}

struct Machine {
    kind: MachineKind,
    models: Vec<ModelHash>,
    /// How often it differs, beside others of its kind.
    factor: f64,
    jobs_per_day: u64,
    up: bool,
    cheat: Option<Cheat>,
    /// By how much a cheaper model's answers differ, as a share of positions.
    cheaper: f64,
    /// Jobs since it first cheated.
    cheated_jobs: u64,
    quarantined: bool,
}

struct World {
    fleet: Fleet,
    dice: Dice,
    judge: Integrity,
    now: Millis,
    machines: BTreeMap<NodeId, Machine>,
    checkers: Vec<(NodeId, MachineKind)>,
    base: BTreeMap<(ModelHash, MachineKind, MachineKind), f64>,
    tally: Tally,
}

/// What came of one or more fleets.
#[derive(Debug, Default)]
struct Tally {
    caught: BTreeMap<Cheat, Vec<u64>>,
    missed: BTreeMap<Cheat, Vec<u64>>,
    honest: u64,
    honest_days: u64,
    wronged: Vec<NodeId>,
    held: u64,
    unconfirmed: u64,
    suspects: Vec<(NodeId, Millis)>,
    false_suspects: u64,
    differing_kinds: u64,
    canaries: u64,
    jobs: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        for (cheat, jobs) in other.caught {
            self.caught.entry(cheat).or_default().extend(jobs);
        }
        for (cheat, jobs) in other.missed {
            self.missed.entry(cheat).or_default().extend(jobs);
        }
        self.honest += other.honest;
        self.honest_days += other.honest_days;
        self.wronged.extend(other.wronged);
        self.held += other.held;
        self.unconfirmed += other.unconfirmed;
        self.suspects.extend(other.suspects);
        self.false_suspects += other.false_suspects;
        self.differing_kinds += other.differing_kinds;
        self.canaries += other.canaries;
        self.jobs += other.jobs;
    }

    fn print(&mut self) {
        println!("| cheat | lenders | jobs until quarantine: p50 | p99 | max | not caught |");
        for cheat in CHEATS {
            let missed = self.missed.get(&cheat).cloned().unwrap_or_default();
            let jobs = self.caught.entry(cheat).or_default();
            jobs.sort_unstable();
            let at = |share: usize| jobs.get((jobs.len() * share / 100).min(jobs.len().saturating_sub(1))).copied();
            println!(
                "| {cheat:?} | {} | {} | {} | {} | {missed:?} |",
                jobs.len() + missed.len(),
                at(50).unwrap_or(0),
                at(99).unwrap_or(0),
                at(100).unwrap_or(0)
            );
        }
        println!(
            "honest: {} lenders, {} lender-years, {} wrongly quarantined; held {}, by one checker {}, suspects {} and wrongly {}, \
             differing kinds {}; {} canaries for {} jobs",
            self.honest,
            self.honest_days / 365,
            self.wronged.len(),
            self.held,
            self.unconfirmed,
            self.suspects.len(),
            self.false_suspects,
            self.differing_kinds,
            self.canaries,
            self.jobs
        );
    }

    /// Of each kind of cheats that have served as many jobs as it takes, all but `most_late` percent are quarantined
    /// within `times` that many.
    fn assert_caught(&self, times: u64, most_late: usize) {
        for cheat in CHEATS {
            let jobs = || [&self.caught, &self.missed].into_iter().filter_map(|by| by.get(&cheat)).flatten();
            let late: Vec<_> = jobs().filter(|jobs| **jobs > times * cheat.jobs_max()).collect();
            assert!(late.len() * 100 <= jobs().count() * most_late, "{cheat:?}: not within {late:?} jobs");
        }
    }

    /// At most one in a thousand honest lenders is quarantined in a year.
    fn assert_fair(&self) {
        let wronged = u64::try_from(self.wronged.len()).unwrap();
        assert!(wronged * 1_000 * 365 <= self.honest_days, "{wronged} in {} days", self.honest_days);
    }
}

fn lender_id(number: u16) -> NodeId {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    NodeId(id)
}

impl World {
    fn new(fleet: Fleet) -> Self {
        let mut dice = Dice(fleet.seed.wrapping_mul(0x1234_5678_9abc_def1));
        let checkers: Vec<_> = (0..fleet.checkers)
            .map(|number| (NodeId([0xc0 + number; 16]), MachineKind(u64::from(number) % KINDS)))
            .collect();
        let mut world = Self {
            fleet,
            judge: Integrity::new(dice.next()),
            dice,
            now: Millis(0),
            machines: BTreeMap::new(),
            checkers,
            base: BTreeMap::new(),
            tally: Tally::default(),
        };
        for (node, kind) in world.checkers.clone() {
            let models = (0..MODELS).map(|model| ModelHash([model; 32])).collect();
            world.step(Input::NodeUp { node, role: Role::Checker, kind, models });
        }
        let mut cheats = usize::try_from(fleet.seed).unwrap();
        for number in 0..fleet.lenders {
            let machine = world.machine(number, &mut cheats);
            world.machines.insert(lender_id(number), machine);
        }
        let nodes: Vec<NodeId> = world.machines.keys().copied().collect();
        nodes.into_iter().for_each(|node| world.up(node));
        world
    }

    fn machine(&mut self, number: u16, cheats: &mut usize) -> Machine {
        let dice = &mut self.dice;
        let kind = match dice.roll(100) {
            0..60 => MachineKind(0),
            60..88 => MachineKind(1),
            88..99 => MachineKind(2),
            _ => MachineKind(1_000 + u64::from(number)),
        };
        let first = dice.roll(u64::from(MODELS));
        let models = (0..=dice.roll(u64::from(MODELS)))
            .map(|more| ModelHash([u8::try_from((first + more) % u64::from(MODELS)).unwrap(); 32]))
            .collect();
        let jobs = [8, 16, 32, 64, 300][usize::try_from(dice.roll(5)).unwrap()];
        let cheat = (dice.roll(100) < self.fleet.cheats_percent).then(|| {
            *cheats += 1;
            CHEATS[*cheats % CHEATS.len()]
        });
        Machine {
            kind,
            models,
            factor: dice.factor(1.0 / self.fleet.spread, self.fleet.spread),
            jobs_per_day: jobs,
            up: false,
            cheat,
            cheaper: dice.between(0.1, 0.6),
            cheated_jobs: 0,
            quarantined: false,
        }
    }

    fn up(&mut self, node: NodeId) {
        let machine = self.machines.get_mut(&node).unwrap();
        machine.up = true;
        let (kind, models) = (machine.kind, machine.models.clone());
        self.step(Input::NodeUp { node, role: Role::Lender, kind, models });
    }

    fn cheats_now(&self, machine: &Machine) -> bool {
        match machine.cheat {
            None => false,
            Some(Cheat::Sleeper) => self.now.0 >= SLEEP_DAYS * DAY_MS,
            Some(_) => true,
        }
    }

    fn step(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for output in self.judge.handle(self.now, input) {
                inputs.extend(self.perform(output));
            }
        }
    }

    fn perform(&mut self, output: Output) -> Vec<Input> {
        match output {
            Output::Canary { check, checker, lender, model } => {
                assert!(!self.machines[&lender].quarantined, "a canary for a quarantined lender");
                self.tally.canaries += 1;
                // Some canaries come to nothing, some of those without a word.
                return match self.dice.roll(50) {
                    0 => Vec::new(),
                    1 => vec![Input::Failed { check }],
                    _ => self.answer(check, checker, lender, model),
                };
            }
            Output::Quarantine { lender, evidence } => {
                let cheats = self.cheats_now(&self.machines[&lender]);
                let machine = self.machines.get_mut(&lender).unwrap();
                assert!(!machine.quarantined, "quarantined twice");
                machine.quarantined = true;
                match machine.cheat.filter(|_| cheats) {
                    Some(cheat) => {
                        if machine.cheated_jobs > cheat.jobs_max() {
                            println!("late: {cheat:?} {:?} factor {} {evidence:?}", machine.kind, machine.factor);
                        }
                        self.tally.caught.entry(cheat).or_default().push(machine.cheated_jobs)
                    }
                    None => {
                        println!("wronged: {:?} factor {} {evidence:?}", machine.kind, machine.factor);
                        self.tally.wronged.push(lender);
                    }
                }
                self.tally.unconfirmed += u64::from(!evidence.confirmed);
            }
            Output::Held { .. } => self.tally.held += 1,
            Output::CheckerSuspect { checker, quarantined, .. } => {
                // The organisation's people see which it is.
                if self.fleet.broken.is_none() || checker != self.checkers[0].0 {
                    self.tally.false_suspects += 1;
                    return vec![Input::Released { node: checker }];
                }
                for node in &quarantined {
                    self.machines.get_mut(node).unwrap().quarantined = false;
                }
                self.tally.suspects.push((checker, self.now));
                return quarantined.into_iter().map(|node| Input::Released { node }).collect();
            }
            Output::KindDiffers { .. } => self.tally.differing_kinds += 1,
            Output::Unknown { .. } => panic!("a small fleet is known"),
        }
        Vec::new()
    }

    fn answer(&mut self, check: CheckId, checker: NodeId, lender: NodeId, model: ModelHash) -> Vec<Input> {
        let checker_kind = self.checkers.iter().find(|known| known.0 == checker).unwrap().1;
        let cheats = self.cheats_now(&self.machines[&lender]);
        let dice = &mut self.dice;
        let machine = self.machines.get_mut(&lender).unwrap();
        let base = *self.base.entry((model, machine.kind, checker_kind)).or_insert_with(|| {
            if machine.kind == checker_kind { dice.factor(0.000_1, 0.001) } else { dice.factor(0.001, 0.005) }
        });
        let tenth = if dice.roll(10) == 0 { 0.3 } else { 0.0 };
        let one_model = if model == machine.models[0] { 0.3 } else { 0.0 };
        let extra = match machine.cheat.filter(|_| cheats) {
            None => 0.0,
            Some(Cheat::OneInFifty | Cheat::Sleeper) => 0.02,
            Some(Cheat::CheaperModel) => machine.cheaper,
            Some(Cheat::Garbage) => 0.97,
            Some(Cheat::TenthOfJobs) => tenth,
            Some(Cheat::OneModel) => one_model,
        };
        let broken = self.fleet.broken.filter(|broken| {
            checker == self.checkers[0].0 && self.now.0 >= broken.from_day * DAY_MS && dice.roll(100) < broken.share
        });
        let extra = broken.map_or(extra, |broken| extra.max(broken.rate));
        let positions = 32 + u32::try_from(dice.roll(129)).unwrap();
        let rate = base * machine.factor;
        let mut honest = 0.0;
        let mut different = 0;
        for seen in 0..positions {
            // Polya's urn: beta-binomial, as differences come in clumps.
            let differs = dice.unit() < CLUMPS.mul_add(rate, honest) / (CLUMPS + f64::from(seen));
            honest += f64::from(u8::from(differs));
            different += u32::from(differs || dice.unit() < extra);
        }
        machine.cheated_jobs += u64::from(cheats);
        vec![
            Input::Checked(Checked { check: Some(check), lender, checker, model, positions, different }),
            Input::Served { lender, model, jobs: 1 },
        ]
    }

    fn run(mut self) -> Tally {
        let nodes: Vec<NodeId> = self.machines.keys().copied().collect();
        let days = self.fleet.days;
        while self.now.0 < days * DAY_MS {
            for node in &nodes {
                self.serve(*node);
            }
            let end = self.now.plus(STEP_MS);
            while let Some(due) = self.judge.next_deadline().filter(|due| *due < end) {
                self.now = self.now.max(due);
                self.step(Input::Tick);
            }
            self.now = end;
        }
        for machine in self.machines.values() {
            match machine.cheat {
                None => {
                    self.tally.honest += 1;
                    self.tally.honest_days += days;
                }
                Some(cheat) if !machine.quarantined => {
                    self.tally.missed.entry(cheat).or_default().push(machine.cheated_jobs);
                }
                Some(_) => {}
            }
        }
        self.tally
    }

    fn serve(&mut self, node: NodeId) {
        let cheats = self.cheats_now(&self.machines[&node]);
        let machine = self.machines.get_mut(&node).unwrap();
        if machine.quarantined {
            return;
        }
        if self.dice.roll(10) == 0 {
            machine.up = !machine.up;
            if machine.up {
                self.up(node);
            } else {
                self.step(Input::NodeDown { node });
            }
        }
        let machine = self.machines.get_mut(&node).unwrap();
        let each_day = STEP_MS * machine.jobs_per_day * 2;
        let jobs = self.dice.roll(each_day / DAY_MS + 1);
        if !machine.up || jobs == 0 {
            return;
        }
        let model = machine.models[usize::try_from(self.dice.roll(8)).unwrap() % machine.models.len()];
        machine.cheated_jobs += if cheats { jobs } else { 0 };
        self.tally.jobs += jobs;
        self.step(Input::Served { lender: node, model, jobs: u32::try_from(jobs).unwrap() });
    }
}

fn run_all(fleets: impl IntoIterator<Item = Fleet>) -> Tally {
    let mut all = Tally::default();
    fleets.into_iter().for_each(|fleet| all.add(World::new(fleet).run()));
    all.print();
    all
}

const EVERYDAY: Fleet =
    Fleet { seed: 1, lenders: 200, checkers: 4, cheats_percent: 10, days: 120, broken: None, spread: HEADROOM };

#[test]
fn everyday_every_cheat_is_caught_and_no_honest_lender() {
    let all = run_all((1..=4).map(|seed| Fleet { seed, ..EVERYDAY }));
    all.assert_caught(1, 0);
    all.assert_fair();
    assert_eq!(all.false_suspects, 0);
    assert!(CHEATS.iter().all(|cheat| all.caught.contains_key(cheat)), "each kind was there");
}

/// Ways in which a checker breaks: it is grossly wrong from some day on, or now and then.
const BREAKAGES: [Broken; 2] =
    [Broken { from_day: 30, share: 100, rate: 0.3 }, Broken { from_day: 30, share: 20, rate: 0.3 }];
/// It is slightly wrong from some day on, or was so from the first.
const SLIGHT: [Broken; 2] =
    [Broken { from_day: 30, share: 100, rate: 0.03 }, Broken { from_day: 0, share: 100, rate: 0.03 }];
/// By how many times more jobs cheats may serve while a checker is broken.
const BESIDE_BROKEN: u64 = 2;

#[test]
fn everyday_a_broken_checker_is_found_and_harms_nobody() {
    for broken in BREAKAGES {
        let all = run_all((1..=2).map(|seed| Fleet { seed, broken: Some(broken), ..EVERYDAY }));
        all.assert_caught(BESIDE_BROKEN, 0);
        assert_eq!(all.wronged, [], "{broken:?}");
        assert_eq!(all.suspects.len(), 2, "{broken:?}");
        let late = |at: Millis| at.since(Millis(broken.from_day * DAY_MS)) > SUSPECT_DAYS_MAX * DAY_MS;
        assert!(!all.suspects.iter().any(|(_, at)| late(*at)), "{broken:?}: {:?}", all.suspects);
    }
}

/// Where honest lenders differ as much as cheats would, that may count as the kind's own way: nobody is harmed, subtle
/// cheats are found later, and it is told.
#[test]
fn everyday_a_slightly_broken_checker_harms_nobody() {
    for broken in SLIGHT {
        let all = run_all((1..=2).map(|seed| Fleet { seed, broken: Some(broken), ..EVERYDAY }));
        assert_eq!(all.wronged, []);
        assert!(!all.suspects.is_empty() || all.differing_kinds >= 2);
    }
}

#[test]
fn everyday_one_checker_alone_catches_them_too() {
    let all = run_all((1..=2).map(|seed| Fleet { seed, checkers: 1, ..EVERYDAY }));
    all.assert_caught(1, 0);
    all.assert_fair();
    assert!(all.unconfirmed > 0);
}

#[test]
#[ignore = "minutes; see the top of this file"]
fn long_a_year_of_large_fleets() {
    let all = run_all((1..=seeds()).map(|seed| Fleet { seed, lenders: 1_000, days: 365, ..EVERYDAY }));
    all.assert_caught(1, 0);
    all.assert_fair();
}

#[test]
#[ignore = "minutes; see the top of this file"]
fn long_a_year_beside_broken_checkers() {
    for broken in BREAKAGES.into_iter().chain(SLIGHT) {
        println!("{broken:?}");
        let fleet = Fleet { lenders: 300, days: 365, broken: Some(broken), ..EVERYDAY };
        let all = run_all((1..=seeds()).map(|seed| Fleet { seed, ..fleet }));
        let days = |(_, at): &(NodeId, Millis)| at.since(Millis(broken.from_day * DAY_MS)) / DAY_MS;
        println!("days until suspected: {:?}", all.suspects.iter().map(days).collect::<Vec<_>>());
        all.assert_fair();
        if broken.from_day > 0 {
            all.assert_caught(BESIDE_BROKEN, 0);
            assert_eq!(all.suspects.len(), usize::try_from(seeds()).unwrap());
        }
    }
}

/// What happens where the assumptions do not hold: printed for docs/integrity.md, not promised.
#[test]
#[ignore = "minutes; see the top of this file"]
fn long_beyond_what_is_assumed() {
    for spread in [3.0, 4.0] {
        println!("honest lenders differ up to {spread} times as much as most");
        run_all((1..=seeds()).map(|seed| Fleet { seed, lenders: 300, days: 365, spread, ..EVERYDAY }));
    }
    for cheats_percent in [30, 45] {
        println!("{cheats_percent} % cheat");
        run_all((1..=seeds()).map(|seed| Fleet { seed, lenders: 300, days: 365, cheats_percent, ..EVERYDAY }));
    }
}

/// Where a kind has only a handful of machines, what is usual for it is known less well: one in a hundred may take
/// longer.
#[test]
#[ignore = "minutes; see the top of this file"]
fn long_a_year_of_small_fleets() {
    for (lenders, checkers) in [(8, 1), (8, 2), (30, 2), (30, 1)] {
        println!("{lenders} lenders, {checkers} checkers");
        let fleet = Fleet { lenders, checkers, days: 365, ..EVERYDAY };
        let all = run_all((1..=20 * seeds()).map(|seed| Fleet { seed, ..fleet }));
        all.assert_caught(1, 1);
        all.assert_fair();
    }
}

/// How many fleets the long versions try.
fn seeds() -> u64 {
    std::env::var("LULL_INTEGRITY_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(20)
}
