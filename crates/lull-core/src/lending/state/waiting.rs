use lull_types::Reason;

use super::{Lent, State, Turn};
use crate::{
    Millis,
    lending::{ALERT_BEFORE_MS, Output, facts::Facts},
};

/// How far a forecast may move before it is shown anew, in milliseconds: each beat of a sensor moves it a little.
const FORECAST_SLACK_MS: u64 = 2_000;

/// It would lend if something were different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What.
    pub reason: Reason,
    /// When it may lend if nothing else happens, on the clock that never goes back.
    pub until: Option<Millis>,
}

impl Waiting {
    /// What there is to wait for now. A forecast that has hardly moved is kept.
    pub(super) fn look(facts: &Facts, before: Option<&Self>) -> Self {
        let reason = facts.wait().unwrap_or(Reason::JustLeft);
        let until = facts.earliest().filter(|at| *at > facts.mono());
        let shown = before.and_then(|before| before.until);
        let until = match (until, shown) {
            (Some(at), Some(shown)) if at.0.abs_diff(shown.0) < FORECAST_SLACK_MS => Some(shown),
            _ => until,
        };
        Self { reason, until }
    }

    pub(super) fn next(&self, facts: &Facts) -> Option<Turn> {
        let rest = State::at_rest(facts);
        if !matches!(rest, State::Waiting(_)) {
            return Some(Turn::new(rest, []));
        }
        if facts.wait().is_none() {
            let to = State::Lending(Lent { away_since: facts.away_since(), finishing: false });
            return Some(Turn { begins: true, ..Turn::new(to, [Output::Offer(true)]) });
        }
        let now = Self::look(facts, Some(self));
        (now != *self).then(|| Turn::new(State::Waiting(now), []))
    }

    pub(super) fn deadlines(facts: &Facts) -> Vec<Millis> {
        let earliest = facts.earliest();
        let alert = earliest.map(|at| Millis(at.0.saturating_sub(ALERT_BEFORE_MS)));
        let known = [earliest, alert, facts.hours_change_at(), facts.watched_closely_at().map(|at| at.plus(1))];
        known.into_iter().flatten().chain([facts.settled_at(), facts.away_at()]).collect()
    }
}
