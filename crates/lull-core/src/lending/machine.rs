use lull_types::LendingView;

use super::{
    Input, Now, Output, Pace, State,
    facts::Facts,
    state::{Paused, Turn},
};
use crate::Millis;

/// The most steps that one input can cause: frozen, decided, at rest, begun, and one to see that there is no more.
const STEPS_MAX: usize = 5;

/// The lending machine: see [the module](super).
#[derive(Debug, Clone)]
pub struct Lending {
    facts: Facts,
    state: State,
    shown: LendingView,
}

impl Lending {
    /// A machine that lends nothing and knows nothing: no rules, no sources, no worker.
    #[must_use]
    pub fn new(now: Now) -> Self {
        let facts = Facts::new(now);
        let state = State::at_rest(&facts);
        let shown = state.view(&facts, 0, 0);
        Self { facts, state, shown }
    }

    /// Takes in what happened, and says what is to be done, in this order.
    #[must_use]
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Output> {
        self.facts.advance(now);
        self.facts.take(input);
        let mut outputs = Vec::new();
        for _ in 0..STEPS_MAX {
            let Some(turn) = self.state.next(&self.facts) else { break };
            self.go(turn, &mut outputs);
        }
        let pace = self.pace_wanted();
        if self.facts.set_pace(pace) {
            outputs.push(Output::Pace(pace));
        }
        let shown = self.view(0, 0);
        if shown != self.shown {
            self.shown = shown;
            outputs.push(Output::Changed);
        }
        outputs
    }

    fn go(&mut self, turn: Turn, outputs: &mut Vec<Output>) {
        if turn.begins {
            self.facts.begun = Some(self.facts.mono());
        }
        self.facts.forgiven = turn.forgives.or(self.facts.forgiven);
        self.state = turn.to;
        outputs.extend(turn.outputs);
    }

    fn pace_wanted(&self) -> Pace {
        let alert = match self.state {
            State::Lending(_) | State::Yielding(_) => true,
            State::Waiting(_) => self.facts.begins_soon(),
            State::Off(_) | State::Paused(_) => false,
        };
        if alert { Pace::Alert } else { Pace::Calm }
    }

    /// When to send [`Input::Tick`] if nothing else happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        let common = self.facts.silence_at().into_iter().chain(self.facts.pause_ends_at());
        common.chain(self.state.deadlines(&self.facts)).filter(|at| *at > self.facts.mono()).min()
    }

    /// Where it is.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What is shown to a person, with what the machine itself does not know: the slots.
    #[must_use]
    pub fn view(&self, free_slots: u16, slots: u16) -> LendingView {
        self.state.view(&self.facts, free_slots, slots)
    }

    /// The signals, as a mask, of which any word against lending must freeze at once, before it is handled here.
    #[must_use]
    pub const fn armed(&self) -> u32 {
        if matches!(self.state, State::Lending(_)) { self.facts.rules.heed } else { 0 }
    }

    /// How closely sensors are to look now; new sensors are to be told.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        self.facts.pace()
    }

    /// The owner's pause, to be kept over a restart: in force, remembered while off, or waiting for a job to end.
    #[must_use]
    pub fn paused(&self) -> Option<Paused> {
        self.facts.paused()
    }
}
