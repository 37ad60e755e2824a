//! The five states, one file each: what each shows, and where it goes from here.

mod lending;
mod off;
mod paused;
mod waiting;
mod yielding;

use lull_types::{LendingView, Until};

pub use lending::Lent;
pub use off::Off;
pub use paused::Paused;
pub use waiting::Waiting;
pub use yielding::Yielding;

use super::{Output, facts::Facts, senses::Forgiven};
use crate::Millis;

/// Whether this machine lends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not without a person's word.
    Off(Off),
    /// Not yet.
    Waiting(Waiting),
    /// Yes.
    Lending(Lent),
    /// Frozen, and not decided yet.
    Yielding(Yielding),
    /// Not until its owner says so, or the time they named has come.
    Paused(Paused),
}

/// A step from one state to the next.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) to: State,
    pub(super) outputs: Vec<Output>,
    /// Lending begins, or goes on after a yield.
    pub(super) begins: bool,
    /// What was only a bump.
    pub(super) forgives: Option<Forgiven>,
}

impl Turn {
    fn new(to: State, outputs: impl Into<Vec<Output>>) -> Self {
        Self { to, outputs: outputs.into(), begins: false, forgives: None }
    }

    /// Ends whatever runs, at once.
    fn end(facts: &Facts) -> Self {
        Self::new(State::at_rest(facts), [Output::Freeze, Output::Offer(false), Output::Kill])
    }
}

impl State {
    /// Where a machine is on which nothing runs.
    pub(super) fn at_rest(facts: &Facts) -> Self {
        if let Some(reason) = facts.off() {
            return Self::Off(Off { reason });
        }
        facts.paused().map_or_else(|| Self::Waiting(Waiting::look(facts, None)), Self::Paused)
    }

    /// The next step, if there is one now.
    pub(super) fn next(&self, facts: &Facts) -> Option<Turn> {
        match self {
            Self::Off(_) | Self::Paused(_) => self.stay_at_rest(facts),
            Self::Waiting(waiting) => waiting.next(facts),
            Self::Lending(lent) => lent.next(facts),
            Self::Yielding(yielding) => yielding.next(facts),
        }
    }

    fn stay_at_rest(&self, facts: &Facts) -> Option<Turn> {
        let to = Self::at_rest(facts);
        (to != *self).then(|| Turn::new(to, []))
    }

    /// When this state itself has to look again.
    pub(super) fn deadlines(&self, facts: &Facts) -> Vec<Millis> {
        match self {
            Self::Off(_) | Self::Paused(_) => Vec::new(),
            Self::Waiting(_) => Waiting::deadlines(facts),
            Self::Lending(_) => facts.hours_change_at().into_iter().collect(),
            Self::Yielding(yielding) => yielding.deadlines(facts),
        }
    }

    pub(super) fn view(&self, facts: &Facts, free_slots: u16, slots: u16) -> LendingView {
        let until = |at: Millis| Until { unix_ms: facts.unix_ms_at(at) };
        match self {
            Self::Off(Off { reason }) => LendingView::Off { reason: reason.clone(), words: reason.to_string() },
            Self::Waiting(Waiting { reason, until: at }) => {
                LendingView::Waiting { reason: reason.clone(), words: reason.to_string(), until: at.map(until) }
            }
            Self::Lending(lent) => {
                LendingView::Lending { words: lent.words(&facts.rules), free_slots, slots, finishing: lent.finishing }
            }
            Self::Yielding(Yielding { reason, decided_at, .. }) => LendingView::Yielding {
                reason: reason.clone(),
                words: reason.to_string(),
                until: Some(until(*decided_at)),
            },
            Self::Paused(paused) => paused.view(),
        }
    }
}
