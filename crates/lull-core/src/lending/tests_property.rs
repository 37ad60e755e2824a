//! No sequence of inputs may ever lend while anything forbids it.

use std::cell::Cell;

use lull_types::{Reading, Reason, Source};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::{
    tests_oracle::{Counts, Hours, Watched, clear, said, schedule},
    *,
};

const SOURCES: [Source; 9] = [
    Source::X11Idle,
    Source::MutterIdle,
    Source::Sessions,
    Source::Microphone,
    Source::Camera,
    Source::Power,
    Source::Memory,
    Source::Load,
    Source::Clock,
];

#[derive(Debug, Clone)]
enum Act {
    Say(Source, Reading),
    /// Time passes, with every announced source honest and punctual, and nobody there.
    Peace(u64),
    /// Time passes in silence; ticks come as asked for.
    Silence(u64),
    /// Time passes, and even ticks do not come.
    Late(u64),
    Bump(u64),
    Rules(Box<Rules>, Hours),
    Announce(Vec<Source>),
    Worker(bool),
    Pause(Option<u64>, bool),
    Resume,
    Jobs(usize),
    WallJump(i64),
}

fn reading() -> impl Strategy<Value = Reading> {
    prop_oneof![
        Just(Reading::Absent),
        prop_oneof![Just(0), 0..5_000_u64, 5_000..100_000_u64, Just(90_000_000)].prop_map(clear),
        Just(Reading::in_use()),
        Just(Reading::unknown("it does not answer")),
    ]
}

fn rules() -> impl Strategy<Value = (Box<Rules>, Hours)> {
    let heeded = proptest::sample::subsequence(SOURCES.to_vec(), 0..=4);
    let hours = prop_oneof![
        6 => Just(None),
        1 => Just(Some(vec![])),
        2 => (1..128_u8, 0..1_440_u16, 0..1_441_u16).prop_map(|window| Some(vec![window])),
    ];
    let idle = prop_oneof![Just(0), Just(3_000), Just(20_000)];
    let settle = prop_oneof![Just(0), Just(4_000), Just(30_000)];
    let grace = prop_oneof![Just(0), Just(GRACE_MS)];
    let limits = (idle, settle, grace, prop_oneof![Just(0), Just(BUMP_MS)]);
    (limits, heeded, hours, 0..12_u8).prop_map(|((idle_ms, settle_ms, grace_ms, bump_ms), heeded, hours, odd)| {
        let heed = heeded.iter().fold(0, |mask, source| mask | source.signal().bit());
        let forbidden = (odd == 0).then_some(Reason::Organisation);
        let hours_in_force = schedule(&hours);
        let agreed = odd != 1;
        let rules = Rules { forbidden, agreed, idle_ms, hours: hours_in_force, heed, grace_ms, bump_ms, settle_ms };
        (Box::new(rules), hours)
    })
}

fn act() -> impl Strategy<Value = Act> {
    let announced = proptest::sample::subsequence(SOURCES.to_vec(), 0..=SOURCES.len());
    prop_oneof![
        6 => (proptest::sample::select(SOURCES.to_vec()), reading()).prop_map(|(source, word)| Act::Say(source, word)),
        8 => (200..12_000_u64).prop_map(Act::Peace),
        2 => prop_oneof![0..1_500_u64, 1_500..15_000_u64].prop_map(Act::Silence),
        2 => prop_oneof![0..1_500_u64, 1_500..400_000_u64].prop_map(Act::Late),
        4 => (0..3_000_u64).prop_map(Act::Bump),
        2 => rules().prop_map(|(rules, hours)| Act::Rules(rules, hours)),
        1 => announced.prop_map(Act::Announce),
        1 => any::<bool>().prop_map(Act::Worker),
        1 => (proptest::option::of(0..40_000_u64), any::<bool>()).prop_map(|(ms, finish)| Act::Pause(ms, finish)),
        2 => Just(Act::Resume),
        1 => (0..3_usize).prop_map(Act::Jobs),
        1 => prop_oneof![-90_000_000..90_000_000_i64, -3_000..3_000_i64].prop_map(Act::WallJump),
    ]
}

/// A machine among sources, and since when each honestly knows of nobody.
struct World {
    watched: Watched,
    announced: Vec<Source>,
    quiet_since: u64,
}

impl World {
    fn hand(&mut self, input: Input) {
        self.watched.hand(input, &None);
    }

    fn beat(&mut self) {
        let idle = self.watched.now.mono.0 - self.quiet_since;
        for source in self.announced.clone() {
            self.hand(said(source, clear(idle)));
        }
    }

    fn peace(&mut self, ms: u64) {
        for _ in 0..ms / 400 {
            self.beat();
            self.watched.punctually(400);
        }
        self.beat();
        self.watched.punctually(ms % 400);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Say(source, reading) => {
                if reading == Reading::in_use() {
                    self.quiet_since = self.watched.now.mono.0;
                }
                self.hand(said(source, reading));
            }
            Act::Peace(ms) => self.peace(ms),
            Act::Silence(ms) => drop(self.watched.punctually(ms)),
            Act::Late(ms) => self.watched.late(ms),
            Act::Bump(ms) => {
                let input: Vec<_> =
                    self.announced.iter().copied().filter(|s| s.signal() == SOURCES[0].signal()).collect();
                self.quiet_since = self.watched.now.mono.0;
                input.iter().for_each(|source| self.hand(said(*source, Reading::in_use())));
                self.watched.punctually(ms);
                self.peace(6_000);
            }
            Act::Rules(rules, hours) => drop(self.watched.hand(Input::Rules(*rules), &hours)),
            Act::Announce(sources) => {
                self.announced.clone_from(&sources);
                self.hand(Input::Sources(sources));
            }
            Act::Worker(works) => self.hand(Input::Worker(if works { Ok(()) } else { Err("no engine".into()) })),
            Act::Pause(ms, finish) => {
                let until_unix_ms = ms.map(|ms| self.watched.now.unix_ms + ms);
                self.hand(Input::Pause { until_unix_ms, finish });
            }
            Act::Resume => self.hand(Input::Resume),
            Act::Jobs(jobs) => self.hand(Input::Jobs(jobs)),
            Act::WallJump(ms) => {
                self.watched.now.unix_ms = self.watched.now.unix_ms.saturating_add_signed(ms);
                self.hand(Input::Tick);
            }
        }
    }
}

fn run(first: (Box<Rules>, Hours), acts: Vec<Act>) -> Counts {
    let watched = Watched::new();
    let quiet_since = watched.now.mono.0 - 80_000_000;
    let mut world = World { watched, announced: SOURCES.to_vec(), quiet_since };
    world.hand(Input::Worker(Ok(())));
    world.hand(Input::Sources(SOURCES.to_vec()));
    world.act(Act::Rules(first.0, first.1));
    world.act(Act::Peace(2_000));
    acts.into_iter().for_each(|act| world.act(act));
    world.watched.counts
}

#[test]
fn nothing_that_can_happen_lends_while_anything_forbids_it() {
    let sum = Cell::new(Counts::default());
    let lent = Cell::new(0);
    let cases = 400;
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let strategy = (rules(), proptest::collection::vec(act(), 1..40));
    TestRunner::new(config)
        .run(&strategy, |(first, acts)| {
            let counts = run(first, acts);
            let so_far = sum.get();
            sum.set(Counts {
                handled: so_far.handled + counts.handled,
                begins: so_far.begins + counts.begins,
                yields: so_far.yields + counts.yields,
                thaws: so_far.thaws + counts.thaws,
                kills: so_far.kills + counts.kills,
                lent_ms: so_far.lent_ms + counts.lent_ms,
            });
            lent.set(lent.get() + u32::from(counts.begins > 0));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    println!("{cases} cases, {} of them lent; {:?}", lent.get(), sum.get());
    assert!(lent.get() > cases / 4, "hardly any case lent: {}", lent.get());
    assert!(sum.get().thaws > 20 && sum.get().yields > 100, "hardly anything happened: {:?}", sum.get());
}
