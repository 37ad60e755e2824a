use lull_types::{Reason, Signal};

use super::{Lent, State, Turn};
use crate::{
    Millis,
    lending::{CONTRADICTION_MS, Output, facts::Facts, senses::Forgiven},
};

/// Frozen because of something that may have been nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yielding {
    /// What happened.
    pub reason: Reason,
    /// When.
    pub since: Millis,
    /// When it is decided at the latest.
    pub decided_at: Millis,
    away_since: Millis,
}

impl Yielding {
    pub(super) fn begin(facts: &Facts, reason: Reason, away_since: Millis) -> Self {
        let since = facts.mono();
        Self { reason, since, decided_at: since.plus(facts.rules.grace_ms), away_since }
    }

    pub(super) fn next(&self, facts: &Facts) -> Option<Turn> {
        let paused = facts.pause.is_some_and(|pause| !pause.finish || facts.jobs == 0);
        if paused || facts.off().is_some() {
            return Some(Turn::end(facts));
        }
        if facts.in_use(Signal::Memory) || self.is_more_than_a_bump(facts) {
            return Some(Turn::new(State::at_rest(facts), [Output::Kill]));
        }
        (facts.mono() >= self.decided_at).then(|| self.decide(facts))
    }

    fn decide(&self, facts: &Facts) -> Turn {
        let bump = self.bump(facts);
        // A grace that is not longer than a bump forgives nothing: it cannot know what is still to come.
        let early = facts.mono() <= self.bump_ends_at(facts);
        if early || facts.against(Some(bump)).is_some() || !facts.is_settled() {
            return Turn::new(State::at_rest(facts), [Output::Kill]);
        }
        let finishing = facts.pause.is_some();
        let to = State::Lending(Lent { away_since: self.away_since, finishing });
        let outputs = if finishing { vec![Output::Thaw] } else { vec![Output::Thaw, Output::Offer(true)] };
        Turn { to, outputs, begins: true, forgives: Some(bump) }
    }

    fn bump_ends_at(&self, facts: &Facts) -> Millis {
        self.since.plus(facts.rules.bump_ms)
    }

    fn is_more_than_a_bump(&self, facts: &Facts) -> bool {
        let end = self.bump_ends_at(facts);
        let still = facts.mono() > end && facts.in_use(Signal::Input);
        still || facts.last_input().is_some_and(|at| at > end)
    }

    /// What is forgiven if nothing more comes. Words place the same input a little earlier or later, by what they took
    /// to get here; input that was really later than a bump is known by the time of the decision.
    fn bump(&self, facts: &Facts) -> Forgiven {
        Forgiven {
            from: Millis(self.since.0.saturating_sub(CONTRADICTION_MS)),
            until: self.bump_ends_at(facts).plus(CONTRADICTION_MS),
            away_since: self.away_since,
        }
    }

    pub(super) fn deadlines(&self, facts: &Facts) -> Vec<Millis> {
        vec![self.decided_at, self.bump_ends_at(facts).plus(1)]
    }
}
