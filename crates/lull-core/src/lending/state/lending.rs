use lull_types::Reason;

use super::{State, Turn, Yielding};
use crate::{
    Millis,
    lending::{Output, Rules, facts::Facts},
};

/// It lends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lent {
    /// Since when its owner is away, bumps not counted.
    pub away_since: Millis,
    /// Its owner pauses after the jobs that run now: no more are taken.
    pub finishing: bool,
}

impl Lent {
    pub(super) fn next(&self, facts: &Facts) -> Option<Turn> {
        let paused = facts.pause.is_some_and(|pause| !pause.finish || facts.jobs == 0);
        if paused || facts.off().is_some() {
            return Some(Turn::end(facts));
        }
        if let Some(reason) = facts.against(facts.forgiven) {
            let to = State::Yielding(Yielding::begin(facts, reason, self.away_since));
            return Some(Turn::new(to, [Output::Freeze, Output::Offer(false)]));
        }
        let finishing = facts.pause.is_some();
        (finishing != self.finishing)
            .then(|| Turn::new(State::Lending(Self { finishing, ..*self }), [Output::Offer(!finishing)]))
    }

    pub(super) fn words(&self, rules: &Rules) -> String {
        if self.finishing {
            return Reason::Finishing.to_string();
        }
        match (rules.idle_ms, rules.heed) {
            (0, 0) => "this machine is dedicated to lending".to_owned(),
            (0, _) => "nothing is in the way".to_owned(),
            (idle_ms, _) if idle_ms < 60_000 => {
                format!("you have been away for {} s; nothing is in the way", idle_ms.div_ceil(1_000))
            }
            (idle_ms, _) => format!("you have been away for {} min; nothing is in the way", idle_ms / 60_000),
        }
    }
}
