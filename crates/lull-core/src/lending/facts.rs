use lull_types::{Reason, Signal};

use super::{
    ALERT_BEFORE_MS, Input, Now, Pace, Rules, WALL_STEP_MS,
    senses::{Forgiven, STALE_ALERT_MS, STALE_CALM_MS, Senses},
    state::Paused,
};
use crate::Millis;

/// Everything that a decision rests on.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) now: Now,
    pub(super) rules: Rules,
    pub(super) jobs: usize,
    pub(super) senses: Senses,
    pub(super) pause: Option<Pause>,
    /// When lending last began or went on after a yield.
    pub(super) begun: Option<Millis>,
    pub(super) forgiven: Option<Forgiven>,
    worker: Result<(), String>,
    /// Since when everything is watched closely.
    alert_since: Option<Millis>,
    /// What the wall clock is ahead of the one that never goes back, in milliseconds.
    wall_ahead_ms: i128,
}

/// The owner's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pause {
    /// When it ends, and what the wall clock shows then.
    until: Option<(Millis, u64)>,
    /// After the jobs that run now.
    pub(super) finish: bool,
}

impl Facts {
    pub(super) fn new(now: Now) -> Self {
        Self {
            now,
            rules: Rules::default(),
            jobs: 0,
            senses: Senses::default(),
            pause: None,
            begun: None,
            forgiven: None,
            worker: Err("it has not been tried yet".to_owned()),
            alert_since: None,
            wall_ahead_ms: ahead_ms(now),
        }
    }

    /// Time passes. What falls silent and what ends with it does so before anything new is heard.
    pub(super) fn advance(&mut self, now: Now) {
        self.now = Now { mono: now.mono.max(self.now.mono), ..now };
        let moved = ahead_ms(self.now) - self.wall_ahead_ms;
        if moved.unsigned_abs() > u128::from(WALL_STEP_MS) {
            self.wall_ahead_ms += moved;
            if let Some(Pause { until: Some((_, shown)), .. }) = &mut self.pause {
                *shown = unix_ms(i128::from(*shown) + moved);
            }
        }
        if self.pause_ends_at().is_some_and(|end| end <= self.mono()) {
            self.pause = None;
        }
        self.senses.age(self.mono(), self.stale_ms());
    }

    pub(super) fn take(&mut self, input: Input) {
        match input {
            Input::Rules(rules) => self.rules = rules,
            Input::Sources(sources) => self.senses.announce(sources),
            Input::Observed(observed) => self.senses.hear(self.now.mono, observed),
            Input::Worker(worker) => self.worker = worker,
            Input::Pause { until_unix_ms, finish } => self.pause_until(until_unix_ms, finish),
            Input::Resume => self.pause = None,
            Input::Jobs(jobs) => self.jobs = jobs,
            Input::Tick => {}
        }
    }

    fn pause_until(&mut self, until_unix_ms: Option<u64>, finish: bool) {
        let end = |unix_ms: u64| (self.mono().plus(unix_ms.saturating_sub(self.now.unix_ms)), unix_ms);
        let until = until_unix_ms.map(end);
        let over = until.is_some_and(|(end, _)| end <= self.mono());
        self.pause = (!over).then_some(Pause { until, finish });
    }

    pub(super) const fn mono(&self) -> Millis {
        self.now.mono
    }

    pub(super) fn pause_ends_at(&self) -> Option<Millis> {
        self.pause?.until.map(|(end, _)| end)
    }

    /// The owner's pause as it is shown and kept, whether or not it has come into force.
    pub(super) fn paused(&self) -> Option<Paused> {
        self.pause.map(|pause| Paused { until_unix_ms: pause.until.map(|(_, shown)| shown) })
    }

    /// What the wall clock will show at a moment.
    pub(super) fn unix_ms_at(&self, moment: Millis) -> u64 {
        unix_ms(i128::from(moment.0) + self.wall_ahead_ms)
    }

    pub(super) const fn pace(&self) -> Pace {
        if self.alert_since.is_some() { Pace::Alert } else { Pace::Calm }
    }

    /// Sensors look so closely from now on. Says whether that is new.
    pub(super) fn set_pace(&mut self, pace: Pace) -> bool {
        let new = self.pace() != pace;
        if new {
            self.alert_since = (pace == Pace::Alert).then_some(self.now.mono);
        }
        new
    }

    fn stale_ms(&self) -> u64 {
        if self.watched_closely() { STALE_ALERT_MS } else { STALE_CALM_MS }
    }

    /// For so long that every source that is not silent has spoken since.
    fn was_watched_closely(&self) -> bool {
        self.watched_closely_at().is_some_and(|at| at < self.mono())
    }

    fn watched_closely(&self) -> bool {
        self.watched_closely_at().is_some_and(|at| at <= self.mono())
    }

    pub(super) fn watched_closely_at(&self) -> Option<Millis> {
        self.alert_since.map(|since| since.plus(STALE_ALERT_MS))
    }

    /// When the next heeded source counts as silent.
    pub(super) fn silence_at(&self) -> Option<Millis> {
        let limit = |at: Millis| {
            let calm = at.plus(STALE_CALM_MS + 1);
            self.watched_closely_at().map_or(calm, |closely| at.plus(STALE_ALERT_MS + 1).max(closely).min(calm))
        };
        self.senses.silence_at(self.rules.heed, limit)
    }

    /// Why it is off, if it is.
    pub(super) fn off(&self) -> Option<Reason> {
        if let Some(reason) = &self.rules.forbidden {
            return Some(reason.clone());
        }
        if !self.rules.agreed {
            return Some(Reason::NotAgreed);
        }
        self.worker.as_ref().err().map(|why| Reason::NoWorker { why: why.clone() })
    }

    /// What is in the way of going on, most important first.
    pub(super) fn against(&self, forgiven: Option<Forgiven>) -> Option<Reason> {
        if let Some(reason) = self.signal_in_the_way() {
            return Some(reason);
        }
        if !self.rules.hours.is_open(self.now) {
            return Some(Reason::OutsideHours);
        }
        (!self.is_away(forgiven)).then_some(Reason::JustLeft)
    }

    /// What is in the way of beginning, most important first.
    pub(super) fn wait(&self) -> Option<Reason> {
        match self.against(self.forgiven) {
            None | Some(Reason::JustLeft) if !self.is_settled() => Some(Reason::Settling),
            None if self.rules.heed != 0 && !self.was_watched_closely() => Some(Reason::JustLeft),
            reason => reason,
        }
    }

    fn signal_in_the_way(&self) -> Option<Reason> {
        self.senses.in_the_way(self.rules.heed)
    }

    fn is_away(&self, forgiven: Option<Forgiven>) -> bool {
        let mut presences = self.senses.presences(self.mono(), self.rules.heed, forgiven);
        presences.all(|presence| presence.ago_ms >= self.rules.idle_ms)
    }

    /// Since when nobody was there.
    pub(super) fn away_since(&self) -> Millis {
        let presences = self.senses.presences(self.mono(), self.rules.heed, self.forgiven);
        presences.map(|presence| presence.at).max().unwrap_or(Millis(0))
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled_at() <= self.mono()
    }

    pub(super) fn settled_at(&self) -> Millis {
        self.begun.map_or(Millis(0), |begun| begun.plus(self.rules.settle_ms))
    }

    /// When its owner will have been away for long enough.
    pub(super) fn away_at(&self) -> Millis {
        self.away_since().plus(self.rules.idle_ms)
    }

    /// When its hours begin or end next.
    pub(super) fn hours_change_at(&self) -> Option<Millis> {
        self.rules.hours.changes_in(self.now).map(|wait| self.mono().plus(wait))
    }

    /// When lending may begin if nothing else happens; `None` where that is not known.
    pub(super) fn earliest(&self) -> Option<Millis> {
        if self.signal_in_the_way().is_some() {
            return None;
        }
        let open = if self.rules.hours.is_open(self.now) { self.mono() } else { self.hours_change_at()? };
        Some(open.max(self.settled_at()).max(self.away_at()))
    }

    /// Lending may begin so soon that everything is to be watched closely.
    pub(super) fn begins_soon(&self) -> bool {
        self.earliest().is_some_and(|at| at <= self.mono().plus(ALERT_BEFORE_MS))
    }

    /// A heeded signal says, for certain, that it is in use.
    pub(super) fn in_use(&self, signal: Signal) -> bool {
        self.rules.heeds(signal) && self.senses.is_in_use(signal)
    }

    /// The last moment at which there was input, where that matters.
    pub(super) fn last_input(&self) -> Option<Millis> {
        if self.rules.heeds(Signal::Input) { self.senses.last_input() } else { None }
    }
}

fn ahead_ms(now: Now) -> i128 {
    i128::from(now.unix_ms) - i128::from(now.mono.0)
}

fn unix_ms(exact: i128) -> u64 {
    u64::try_from(exact.max(0)).unwrap_or(u64::MAX)
}
