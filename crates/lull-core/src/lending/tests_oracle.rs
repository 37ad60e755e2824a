//! A second opinion on when lending is forbidden, from what was said and not from what the machine made of it; and a
//! watcher that holds a machine to its rules, step by step.

use lull_types::{LendingView, Observation, Reading, Signal, Source};

use super::*;

/// Raw windows: days, from, to, as in [`Window::new`].
pub(super) type Hours = Option<Vec<(u8, u16, u16)>>;

pub(super) fn schedule(hours: &Hours) -> Schedule {
    let window = |(days, from, to): &(u8, u16, u16)| Window::new(*days, *from, *to).unwrap();
    hours.as_ref().map_or_else(Schedule::always, |windows| Schedule::weekly(windows.iter().map(window).collect()))
}

pub(super) fn said(source: Source, reading: Reading) -> Input {
    Input::Observed(Observation { source, reading })
}

pub(super) fn clear(for_ms: u64) -> Reading {
    Reading::Clear { for_ms }
}

const PEOPLE: [Signal; 8] = [
    Signal::Input,
    Signal::Session,
    Signal::Remote,
    Signal::Sleep,
    Signal::Film,
    Signal::Call,
    Signal::FullScreen,
    Signal::Clock,
];

/// All that one source ever said, thinned: times and words since it was announced last, and times of use for ever.
#[derive(Default)]
struct Heard {
    word: Option<(u64, Reading)>,
    used: Vec<u64>,
}

#[derive(Default)]
pub(super) struct Oracle {
    rules: Rules,
    hours: Hours,
    working: bool,
    jobs: usize,
    /// Ends at, finishes first.
    pause: Option<(u64, bool)>,
    announced: Vec<Source>,
    heard: Vec<(Source, Heard)>,
    alert_since: Option<u64>,
    onset: u64,
    pub(super) bumps: Vec<(u64, u64)>,
}

impl Oracle {
    fn hear(&mut self, now: Now, input: &Input, hours: &Hours) {
        let t = now.mono.0;
        match input {
            Input::Rules(rules) => (self.rules, self.hours) = (rules.clone(), hours.clone()),
            Input::Sources(sources) => {
                self.announced.clone_from(sources);
                self.heard.iter_mut().for_each(|(_, heard)| heard.word = None);
            }
            Input::Observed(Observation { source, reading }) => {
                if !self.heard.iter().any(|(known, _)| known == source) {
                    self.heard.push((*source, Heard::default()));
                }
                let (_, heard) = self.heard.iter_mut().find(|(known, _)| known == source).unwrap();
                if matches!(reading, Reading::InUse { .. }) {
                    heard.used.push(t);
                }
                heard.word = Some((t, reading.clone()));
            }
            Input::Worker(worker) => self.working = worker.is_ok(),
            Input::Jobs(jobs) => self.jobs = *jobs,
            Input::Pause { until_unix_ms, finish } => {
                let end = until_unix_ms.map_or(u64::MAX, |unix| t + unix.saturating_sub(now.unix_ms));
                self.pause = Some((end, *finish));
            }
            Input::Resume => self.pause = None,
            Input::Tick => {}
        }
    }

    fn is_open(&self, now: Now) -> bool {
        let Some(windows) = &self.hours else { return true };
        let local = now.unix_ms as i64 / 1_000 + i64::from(now.utc_offset_s);
        let (day, minute) = (local.div_euclid(86_400), local.rem_euclid(86_400) / 60);
        // 5 January 1970 was a Monday.
        let weekday = |day: i64| (day - 4).rem_euclid(7);
        windows.iter().any(|(days, from, to)| {
            let (from, to) = (i64::from(*from), i64::from(*to));
            let on = |day: i64| days >> weekday(day) & 1 == 1;
            if from < to {
                on(day) && (from..to).contains(&minute)
            } else {
                on(day) && minute >= from || on(day - 1) && minute < to
            }
        })
    }

    fn silent(&self, t: u64, word_at: u64) -> bool {
        let closely = self.alert_since.is_some_and(|since| t >= since + 1_000);
        t - word_at > if closely { 1_000 } else { 12_000 }
    }

    fn source_forbids(&self, t: u64, heard: &Heard) -> Option<&'static str> {
        let Some((at, reading)) = &heard.word else { return Some("a source that has not spoken") };
        match reading {
            _ if self.silent(t, *at) => Some("a silent source"),
            Reading::InUse { .. } => Some("use"),
            Reading::Unknown { .. } => Some("an unknown"),
            Reading::Clear { for_ms }
                if heard.used.last().is_some_and(|used| at - (*for_ms).min(*at) + 1_500 < *used) =>
            {
                Some("a contradiction")
            }
            _ => None,
        }
    }

    fn signal_forbids(&self, t: u64, signal: Signal) -> Option<&'static str> {
        let mine: Vec<_> = self.announced.iter().filter(|source| source.signal() == signal).collect();
        let silence = Heard::default();
        let of = |source: &Source| self.heard.iter().find(|(known, _)| known == source).map_or(&silence, |(_, h)| h);
        if mine.is_empty() {
            return Some("a signal without sources");
        }
        if signal == Signal::Input && mine.iter().all(|s| matches!(of(s).word, Some((_, Reading::Absent)))) {
            return Some("no screen");
        }
        let strangers = self.heard.iter().filter(|(source, _)| source.signal() == signal && !mine.contains(&source));
        let fresh = |heard: &&Heard| heard.word.as_ref().is_some_and(|(at, _)| !self.silent(t, *at));
        let strangers = strangers.map(|(_, heard)| heard).filter(fresh);
        mine.iter().map(|source| of(source)).chain(strangers).find_map(|heard| self.source_forbids(t, heard))
    }

    fn bumped(&self, source: Source, at: u64) -> bool {
        source.signal() == Signal::Input && self.bumps.iter().any(|(from, to)| (*from..=*to).contains(&at))
    }

    fn presence_forbids(&self, t: u64) -> Option<&'static str> {
        let people = self.heard.iter().filter(|(source, _)| {
            PEOPLE.contains(&source.signal()) && self.rules.heed >> (source.signal() as u32) & 1 == 1
        });
        for (source, heard) in people {
            if heard.used.last().is_some_and(|at| t < at + self.rules.idle_ms && !self.bumped(*source, *at)) {
                return Some("use a moment ago");
            }
            let Some((at, Reading::Clear { for_ms })) = heard.word else { continue };
            let since = at - for_ms.min(at);
            if source.signal() == Signal::Input && for_ms < self.rules.idle_ms && !self.bumped(*source, since) {
                return Some("input a moment ago");
            }
        }
        None
    }

    /// What forbids that anything runs at this moment, finishing a job included.
    pub(super) fn forbids(&self, now: Now) -> Option<&'static str> {
        let t = now.mono.0;
        if self.rules.forbidden.is_some() || !self.rules.agreed || !self.working {
            return Some("off");
        }
        if self.pause.is_some_and(|(end, finish)| t < end && !(finish && self.jobs > 0)) {
            return Some("a pause");
        }
        if !self.is_open(now) {
            return Some("hours");
        }
        let heeded = Signal::ALL.into_iter().filter(|signal| self.rules.heed >> (*signal as u32) & 1 == 1);
        heeded.map(|signal| self.signal_forbids(t, signal)).find_map(|why| why).or_else(|| self.presence_forbids(t))
    }

    /// Input at any moment after this one, as far as anything said tells.
    fn input_after(&self, moment: u64) -> bool {
        let inputs = self.heard.iter().filter(|(source, _)| source.signal() == Signal::Input);
        self.rules.heeds(Signal::Input)
            && inputs.map(|(_, heard)| heard).any(|heard| {
                let idle = matches!(heard.word, Some((at, Reading::Clear { for_ms })) if at - for_ms.min(at) > moment);
                idle || heard.used.last().is_some_and(|at| *at > moment)
            })
    }
}

/// What happened, for tests that must not be empty.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) handled: u64,
    pub(super) begins: u64,
    pub(super) yields: u64,
    pub(super) thaws: u64,
    pub(super) kills: u64,
    pub(super) lent_ms: u64,
}

/// A machine and its watcher.
pub(super) struct Watched {
    pub(super) machine: Lending,
    pub(super) oracle: Oracle,
    pub(super) now: Now,
    pub(super) counts: Counts,
    begun: Option<u64>,
    frozen: bool,
    shown: LendingView,
    pace: Pace,
}

/// Long after the machine started, so that its owner can have been away for hours. A Wednesday, 8 o'clock.
pub(super) const START: Now =
    Now { mono: Millis(100_000_000), unix_ms: 1_767_744_000_000 + 8 * 3_600_000, utc_offset_s: 0 };

impl Watched {
    pub(super) fn new() -> Self {
        let machine = Lending::new(START);
        let shown = machine.view(0, 0);
        Self {
            machine,
            oracle: Oracle::default(),
            now: START,
            counts: Counts::default(),
            begun: None,
            frozen: false,
            shown,
            pace: Pace::Calm,
        }
    }

    pub(super) fn lends(&self) -> bool {
        matches!(self.machine.state(), State::Lending(_))
    }

    fn pass(&mut self, ms: u64) {
        if self.lends() {
            self.counts.lent_ms += ms;
        }
        self.now.mono = self.now.mono.plus(ms);
        self.now.unix_ms += ms;
    }

    /// Lets time pass, and ticks when the machine asks for it: nothing may be forbidden while it lends in between.
    pub(super) fn punctually(&mut self, ms: u64) -> Vec<Output> {
        let end = self.now.mono.plus(ms);
        let mut outputs = Vec::new();
        while let Some(at) = self.machine.deadline().filter(|at| *at <= end) {
            // After `late` it may have passed.
            if at > self.now.mono {
                self.pass(at.0 - self.now.mono.0 - 1);
                self.hold_between();
                self.pass(1);
            }
            outputs.extend(self.hand(Input::Tick, &None));
            assert!(self.machine.deadline().is_none_or(|next| next > self.now.mono), "a deadline that has passed");
        }
        self.pass(end.0 - self.now.mono.0);
        outputs
    }

    fn hold_between(&self) {
        if self.lends() {
            assert_eq!(self.oracle.forbids(self.now), None, "before a tick at {:?}: {:?}", self.now, self.machine);
        }
    }

    /// Lets time pass without a tick.
    pub(super) fn late(&mut self, ms: u64) {
        self.pass(ms);
    }

    pub(super) fn hand(&mut self, input: Input, hours: &Hours) -> Vec<Output> {
        let (was_lending, was_yielding) = (self.lends(), matches!(self.machine.state(), State::Yielding(_)));
        self.oracle.hear(self.now, &input, hours);
        let outputs = self.machine.handle(self.now, input);
        self.counts.handled += 1;
        for output in &outputs {
            self.hold_output(*output, was_yielding);
        }
        self.hold_state(was_lending, was_yielding, &outputs);
        outputs
    }

    fn hold_output(&mut self, output: Output, was_yielding: bool) {
        let t = self.now.mono.0;
        match output {
            Output::Freeze => {
                if !self.frozen && !was_yielding {
                    self.oracle.onset = t;
                }
                self.frozen = true;
            }
            Output::Kill => {
                assert!(self.frozen, "killed what was not frozen at {t}");
                self.frozen = false;
                self.counts.kills += 1;
            }
            Output::Thaw => {
                assert!(was_yielding && self.frozen, "thawed what was not yielding at {t}");
                let bump_end = self.oracle.onset + self.oracle.rules.bump_ms;
                assert!(!self.oracle.input_after(bump_end), "thawed after more than a bump at {t}");
                self.oracle.bumps.push((self.oracle.onset.saturating_sub(1_500), bump_end + 1_500));
                self.frozen = false;
                self.counts.thaws += 1;
                self.begin();
            }
            Output::Offer(true) => assert!(!self.frozen, "offered what is frozen at {t}"),
            Output::Offer(false) => {
                let finishing = matches!(self.machine.state(), State::Lending(lent) if lent.finishing);
                assert!(self.frozen || finishing, "withdrew before it froze at {t}");
            }
            Output::Pace(pace) => {
                assert_ne!(pace, self.pace, "the same pace again");
                self.pace = pace;
                self.oracle.alert_since = (pace == Pace::Alert).then_some(t);
            }
            Output::Changed => assert_ne!(self.machine.view(0, 0), self.shown, "nothing has changed at {t}"),
        }
    }

    fn begin(&mut self) {
        let t = self.now.mono.0;
        let settle = self.oracle.rules.settle_ms;
        assert!(self.begun.is_none_or(|before| t - before >= settle), "began at {:?} and again at {t}", self.begun);
        self.begun = Some(t);
        self.counts.begins += 1;
    }

    fn hold_state(&mut self, was_lending: bool, was_yielding: bool, outputs: &[Output]) {
        let lends = self.lends();
        let froze = outputs.contains(&Output::Freeze);
        if lends && !was_lending && !was_yielding {
            self.begin();
        }
        if was_lending && !lends {
            assert_eq!(outputs.first(), Some(&Output::Freeze), "did not freeze first: {outputs:?}");
            self.counts.yields += u64::from(matches!(self.machine.state(), State::Yielding(_)));
        }
        if was_lending && lends {
            assert!(!froze, "lending again in the same instant: {outputs:?}");
        }
        if lends {
            assert!(!self.frozen, "lends what is frozen");
            assert_eq!(self.oracle.forbids(self.now), None, "lends at {:?}: {:?}", self.now, self.machine);
        }
        let heed = self.oracle.rules.heed;
        assert_eq!(self.machine.armed(), if lends { heed } else { 0 });
        assert_eq!(self.machine.pace(), self.pace, "a pace that nobody was told");
        let view = self.machine.view(0, 0);
        assert!(!view.words().trim().is_empty(), "no reason: {view:?}");
        let told = outputs.contains(&Output::Changed);
        assert_eq!(view != self.shown, told, "Changed does not say whether the view changed: {view:?}");
        self.shown = view;
    }
}
