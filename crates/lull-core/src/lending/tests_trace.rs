//! An hour of a machine's life, a thousand times: an owner who comes and goes, sensors that beat as real ones do, and
//! everything that goes wrong with them.

use std::collections::BTreeMap;

use lull_types::{Reading, Reason, Signal, Source};

use super::{
    tests_oracle::{Counts, Hours, START, Watched, clear, said, schedule},
    *,
};

const SEEDS: u64 = 1_000;
const HOUR_MS: u64 = 3_600_000;
const MINUTE_MS: u64 = 60_000;

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.roll() % (to - from)
    }

    /// As long as things last that end by chance.
    fn lasts(&mut self, mean: u64) -> u64 {
        let share = (self.within(1, 1_000_000) as f64 / 1e6).ln();
        (-share * mean as f64) as u64 + 1
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll().is_multiple_of(n)
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.within(0, all.len() as u64) as usize]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Bump,
    Flicker,
    Die,
    Hang,
    Contradict,
    WallJump,
    Suspend,
    Hours,
    Forbid,
    Disagree,
    IdleLonger,
    WorkerGone,
    Pause,
    Finish,
    Reannounce,
}

const FAULTS: [Fault; 15] = [
    Fault::Bump,
    Fault::Flicker,
    Fault::Die,
    Fault::Hang,
    Fault::Contradict,
    Fault::WallJump,
    Fault::Suspend,
    Fault::Hours,
    Fault::Forbid,
    Fault::Disagree,
    Fault::IdleLonger,
    Fault::WorkerGone,
    Fault::Pause,
    Fault::Finish,
    Fault::Reannounce,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    Dead,
    Hung,
    Lying,
}

struct Sensor {
    source: Source,
    beat_at: u64,
    health: Health,
    well_at: u64,
    /// Until when its signal is in use, for sensors of anything but input.
    busy_until: u64,
    busy_at: u64,
    quiet_since: u64,
}

struct World {
    dice: Dice,
    watched: Watched,
    sensors: Vec<Sensor>,
    present: bool,
    flip_at: u64,
    input_at: u64,
    last_input: u64,
    faults: Vec<(u64, Fault)>,
    /// What ends a fault, and when.
    mend: Vec<(u64, Fault)>,
    rules: Rules,
    hours: Hours,
    /// Each fault, how often, and how often while lending.
    seen: BTreeMap<Fault, (u32, u32)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0xD134_2543_DE82_EF95) + 1);
        let watched = Watched::new();
        let t = START.mono.0;
        let mut sources = vec![Source::X11Idle];
        let others = [Source::MutterIdle, Source::Sessions, Source::Microphone, Source::Power, Source::Memory];
        sources.push(dice.of(&others));
        if dice.one_in(4) {
            sources.push(dice.of(&[Source::Sleep, Source::Clock, Source::Load]));
        }
        let sensor = |source| Sensor {
            source,
            beat_at: t,
            health: Health::Well,
            well_at: 0,
            busy_until: 0,
            busy_at: t + 20 * MINUTE_MS,
            quiet_since: t - HOUR_MS,
        };
        let mut faults: Vec<_> =
            (0..dice.within(3, 12)).map(|_| (t + dice.within(0, HOUR_MS), dice.of(&FAULTS))).collect();
        faults.sort_unstable();
        let heed = sources.iter().fold(0, |mask, source| mask | source.signal().bit());
        let rules = Rules { agreed: true, heed, idle_ms: dice.within(60, 240) * 1_000, ..Rules::default() };
        let sensors = sources.into_iter().map(sensor).collect();
        let flip_at = t + dice.lasts(2 * MINUTE_MS);
        let (mend, seen) = (Vec::new(), BTreeMap::new());
        let (present, input_at, last_input) = (true, t, t);
        Self { dice, watched, sensors, present, flip_at, input_at, last_input, faults, mend, rules, hours: None, seen }
    }

    fn t(&self) -> u64 {
        self.watched.now.mono.0
    }

    fn hand(&mut self, input: Input) {
        let hours = self.hours.clone();
        let outputs = self.watched.hand(input, &hours);
        self.react(&outputs);
    }

    /// What a node does with the outputs, as far as it comes back.
    fn react(&mut self, outputs: &[Output]) {
        let t = self.t();
        if outputs.iter().any(|output| matches!(output, Output::Pace(_))) {
            self.sensors.iter_mut().for_each(|sensor| sensor.beat_at = t);
        }
        if outputs.contains(&Output::Kill) {
            self.hand(Input::Jobs(0));
        }
        if outputs.contains(&Output::Offer(true)) && self.dice.one_in(2) {
            self.hand(Input::Jobs(1));
        }
    }

    fn hand_rules(&mut self, change: impl Fn(&mut Rules)) {
        self.rules.hours = schedule(&self.hours);
        change(&mut self.rules);
        self.hand(Input::Rules(self.rules.clone()));
    }

    fn speak(&mut self, index: usize) {
        let t = self.t();
        let last_input = self.last_input;
        let sensor = &mut self.sensors[index];
        if t >= sensor.well_at {
            sensor.health = Health::Well;
        }
        let input = sensor.source.signal() == Signal::Input;
        let reading = match sensor.health {
            Health::Hung => return,
            Health::Dead => Reading::unknown("the display is gone"),
            Health::Lying => clear(HOUR_MS),
            Health::Well if input && t - last_input < 300 => Reading::in_use(),
            Health::Well if input => clear(t - last_input),
            Health::Well if t < sensor.busy_until => Reading::InUse { what: "something".into() },
            Health::Well => clear(t - sensor.quiet_since.max(sensor.busy_until)),
        };
        let source = sensor.source;
        self.hand(said(source, reading));
    }

    fn beat(&mut self, index: usize) {
        let beat = if self.watched.machine.pace() == Pace::Alert { 400 } else { 5_000 };
        self.sensors[index].beat_at = self.t() + beat + self.dice.within(0, 30);
        self.speak(index);
    }

    /// Somebody touches the machine.
    fn touch(&mut self) {
        self.last_input = self.t();
        for index in 0..self.sensors.len() {
            if self.sensors[index].source.signal() == Signal::Input {
                self.speak(index);
            }
        }
    }

    fn occupy(&mut self, index: usize, ms: u64) {
        self.sensors[index].busy_until = self.t() + ms;
        self.speak(index);
        // Its end is an event as well.
        let end = self.t() + ms;
        self.sensors[index].beat_at = self.sensors[index].beat_at.min(end);
    }

    fn occupy_source(&mut self, source: Source, ms: u64) {
        if let Some(index) = self.sensors.iter().position(|sensor| sensor.source == source) {
            self.occupy(index, ms);
        }
    }

    fn sicken(&mut self, health: Health) {
        let index = self.dice.within(0, self.sensors.len() as u64) as usize;
        let well_at = self.t() + self.dice.lasts(MINUTE_MS);
        (self.sensors[index].health, self.sensors[index].well_at) = (health, well_at);
        if health != Health::Hung {
            self.speak(index);
        }
    }

    fn happen(&mut self, fault: Fault) {
        let lent = u32::from(self.watched.lends());
        let (times, lending) = self.seen.get(&fault).copied().unwrap_or_default();
        self.seen.insert(fault, (times + 1, lending + lent));
        let mend_at = self.t() + self.dice.lasts(3 * MINUTE_MS);
        match fault {
            Fault::Bump => self.touch(),
            Fault::Flicker => {
                let index = self.sensors.len() - 1;
                let ms = self.dice.within(1, 3_000);
                self.occupy(index, ms);
            }
            Fault::Die => self.sicken(Health::Dead),
            Fault::Hang => self.sicken(Health::Hung),
            Fault::Contradict => {
                self.touch();
                self.sensors[0].health = Health::Lying;
                self.sensors[0].well_at = self.t() + 20_000;
                self.speak(0);
            }
            Fault::WallJump => {
                let ms = self.dice.within(0, 24 * HOUR_MS) as i64 - 12 * HOUR_MS as i64;
                self.watched.now.unix_ms = self.watched.now.unix_ms.saturating_add_signed(ms);
                self.occupy_source(Source::Clock, 1_000);
                self.hand(Input::Tick);
            }
            Fault::Suspend => {
                let ms = self.dice.lasts(5 * MINUTE_MS);
                self.occupy_source(Source::Sleep, ms + 5_000);
                self.watched.late(ms);
                let t = self.t();
                self.sensors.iter_mut().for_each(|sensor| sensor.beat_at = sensor.beat_at.max(t));
            }
            Fault::Hours => {
                let from = self.dice.within(0, 1_440) as u16;
                let to = self.dice.within(0, 1_440) as u16;
                self.hours = Some(vec![(Window::DAILY, from, to)]);
                self.hand_rules(|_| {});
            }
            Fault::Forbid => self.hand_rules(|rules| rules.forbidden = Some(Reason::Organisation)),
            Fault::Disagree => self.hand_rules(|rules| rules.agreed = false),
            Fault::IdleLonger => self.hand_rules(|rules| rules.idle_ms += 200_000),
            Fault::WorkerGone => self.hand(Input::Worker(Err("its binary is gone".into()))),
            Fault::Pause => {
                let for_ms = if self.dice.one_in(2) { None } else { Some(self.dice.lasts(3 * MINUTE_MS)) };
                let until_unix_ms = for_ms.map(|ms| self.watched.now.unix_ms + ms);
                self.hand(Input::Pause { until_unix_ms, finish: false });
            }
            Fault::Finish => self.hand(Input::Pause { until_unix_ms: None, finish: true }),
            Fault::Reannounce => {
                let sources = self.sensors.iter().map(|sensor| sensor.source).collect();
                self.hand(Input::Sources(sources));
                let t = self.t();
                self.sensors.iter_mut().for_each(|sensor| sensor.beat_at = t + 20);
            }
        }
        self.mend.push((mend_at, fault));
    }

    fn mend(&mut self, fault: Fault) {
        match fault {
            Fault::Hours => {
                self.hours = None;
                self.hand_rules(|_| {});
            }
            Fault::Forbid => self.hand_rules(|rules| rules.forbidden = None),
            Fault::Disagree => self.hand_rules(|rules| rules.agreed = true),
            Fault::IdleLonger => self.hand_rules(|rules| rules.idle_ms -= 200_000),
            Fault::WorkerGone => self.hand(Input::Worker(Ok(()))),
            Fault::Pause | Fault::Finish => {
                self.hand(Input::Jobs(0));
                self.hand(Input::Resume);
            }
            _ => {}
        }
    }

    fn next_at(&self) -> u64 {
        let sensors = self.sensors.iter().flat_map(|sensor| [sensor.beat_at, sensor.busy_at]);
        let input = if self.present { self.input_at } else { u64::MAX };
        let faults = self.faults.first().map(|(at, _)| *at);
        let mends = self.mend.iter().map(|(at, _)| *at);
        let deadline = self.watched.machine.deadline().map(|at| at.0);
        sensors.chain([self.flip_at, input]).chain(faults).chain(mends).chain(deadline).min().unwrap()
    }

    fn step(&mut self) {
        let wait = self.next_at().saturating_sub(self.t());
        let outputs = self.watched.punctually(wait);
        self.react(&outputs);
        let t = self.t();
        if self.flip_at <= t {
            self.present = !self.present;
            self.flip_at = t + self.dice.lasts(if self.present { 2 * MINUTE_MS } else { 3 * MINUTE_MS });
            self.input_at = t;
        }
        if self.present && self.input_at <= t {
            self.input_at = t + self.dice.lasts(5_000);
            self.touch();
        }
        if self.faults.first().is_some_and(|(at, _)| *at <= t) {
            let (_, fault) = self.faults.remove(0);
            self.happen(fault);
        }
        if let Some(due) = self.mend.iter().position(|(at, _)| *at <= t) {
            let (_, fault) = self.mend.remove(due);
            self.mend(fault);
        }
        for index in 0..self.sensors.len() {
            if self.sensors[index].busy_at <= t {
                self.sensors[index].busy_at = t + self.dice.lasts(25 * MINUTE_MS);
                let ms = self.dice.lasts(MINUTE_MS);
                self.occupy(index, ms);
            }
            if self.sensors[index].beat_at <= t {
                self.beat(index);
            }
        }
    }

    fn live(mut self) -> (Counts, BTreeMap<Fault, (u32, u32)>) {
        self.hand(Input::Worker(Ok(())));
        let sources = self.sensors.iter().map(|sensor| sensor.source).collect();
        self.hand(Input::Sources(sources));
        self.hand_rules(|_| {});
        while self.t() < START.mono.0 + HOUR_MS {
            self.step();
        }
        (self.watched.counts, self.seen)
    }
}

/// Names the seed of a life that went wrong.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was seed {}", self.0);
        }
    }
}

#[derive(Default)]
struct Sum {
    counts: Counts,
    lent: u64,
    thawed: u64,
    faults: BTreeMap<Fault, (u32, u32)>,
}

impl Sum {
    fn add(&mut self, counts: Counts, faults: BTreeMap<Fault, (u32, u32)>) {
        self.lent += u64::from(counts.begins > 0);
        self.thawed += u64::from(counts.thaws > 0);
        self.counts.handled += counts.handled;
        self.counts.begins += counts.begins;
        self.counts.yields += counts.yields;
        self.counts.thaws += counts.thaws;
        self.counts.kills += counts.kills;
        self.counts.lent_ms += counts.lent_ms;
        for (fault, (times, lending)) in faults {
            let (all, all_lending) = self.faults.entry(fault).or_default();
            (*all, *all_lending) = (*all + times, *all_lending + lending);
        }
    }
}

#[test]
fn an_hour_of_a_thousand_lives_never_lends_when_it_must_not() {
    let threads = 2;
    let lives = |first: u64| {
        let mut sum = Vec::new();
        for seed in (first..SEEDS).step_by(threads) {
            let named = Seed(seed);
            sum.push(World::new(seed).live());
            drop(named);
        }
        sum
    };
    let all = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads as u64).map(|first| scope.spawn(move || lives(first))).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let mut sum = Sum::default();
    all.into_iter().for_each(|(counts, faults)| sum.add(counts, faults));
    let Sum { counts, lent, thawed, faults } = sum;
    println!("{SEEDS} hours: {lent} lent, {thawed} thawed after a bump; {counts:?}");
    println!("faults (times, of them while lending): {faults:?}");
    assert!(lent > SEEDS * 7 / 10, "only {lent} of {SEEDS} hours lent at all");
    assert!(counts.lent_ms > SEEDS * 2 * MINUTE_MS, "they lent for only {} ms", counts.lent_ms);
    assert!(counts.yields > SEEDS && thawed > SEEDS / 50, "hardly any yields ({}) or thaws ({thawed})", counts.yields);
    for fault in FAULTS {
        let (times, lending) = faults.get(&fault).copied().unwrap_or_default();
        assert!(times > 100 && lending > 20, "{fault:?} hardly happened: {times} times, {lending} while lending");
    }
}
