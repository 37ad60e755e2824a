//! Whether this machine lends now: the one decision about its owner's machine.
//!
//! Feed [`Lending::handle`] in the order things happen, perform its outputs in order, and send [`Input::Tick`] when
//! [`Lending::deadline`] has passed. A late tick never lets anything lend that an early one would not have.
//!
//! # What is known
//! - A signal's verdict is the worst of its sources: in use or unknown beat clear, and clear beats absent. Unknown is:
//!   a source that was announced and has not spoken; one whose last word is older than [`STALE_ALERT_MS`] or
//!   [`STALE_CALM_MS`] (until it speaks again); one that says it was clear at a time at which it itself had said *in
//!   use*; and a signal that no announced source speaks to. All sources absent is clear, but for [`lull_types::Signal::Input`].
//! - Contradictions are held against a source's own *in use* only: one that was blind may well know afterwards for how
//!   long nobody was there. One that contradicts itself is believed again once its words fit its own past, which the
//!   next real use brings about.
//! - A source that was not announced is never relied on, and what it says against lending counts while it is fresh:
//!   whoever froze because of its word learns from here when to thaw.
//! - The owner is away for as long as the least sure source of input says, as of its word (a word is not stretched into
//!   the future), and for no longer than since the end of any use by a person ([`PERSON`]). Other signals do not
//!   restart these minutes.
//!
//! # What follows
//! - Lending begins when it is agreed to and not forbidden, a worker can run, nobody paused, it is within hours, the
//!   owner is away for long enough, everything heeded is clear, all of it has been watched closely for more than
//!   [`STALE_ALERT_MS`],
//!   and the last beginning is `settle_ms` ago. A thaw is a beginning.
//! - Anything against it freezes first, then withdraws the offer, and is then decided: at `grace_ms` at the latest, and
//!   at once when memory is short, the owner paused, or input goes on for longer than `bump_ms`. What was only a bump
//!   thaws, and does not restart the idle minutes; everything else is killed.
//! - `Off` (forbidden, not agreed, no worker) is shown before a pause, which is remembered beneath it; a pause wins over
//!   everything that could lend. Both end lending at once.
//! - A pause's end and everything else is measured on the clock that never goes back; only hours follow the wall clock.
//!   Times shown follow it too, when it is set.

mod facts;
mod machine;
mod rules;
mod schedule;
mod senses;
pub mod state;

use lull_types::{Observation, Source};

pub use machine::Lending;
pub use rules::{BUMP_MS, GRACE_MS, HEED_ALL, IDLE_MS, Rules, SETTLE_MS};
pub use schedule::{Schedule, Window};
pub use senses::{CONTRADICTION_MS, PERSON, STALE_ALERT_MS, STALE_CALM_MS};
pub use state::State;

use crate::Millis;

/// How long before lending may begin everything is watched closely, in milliseconds.
pub const ALERT_BEFORE_MS: u64 = 3_000;
/// How far the wall clock may wander before times that are shown follow it, in milliseconds.
pub const WALL_STEP_MS: u64 = 2_000;

/// This moment, on every clock that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since this machine started, the time it slept included. It never goes back.
    pub mono: Millis,
    /// The wall clock, in milliseconds since 1970.
    pub unix_ms: u64,
    /// What local time is ahead of UTC, in seconds.
    pub utc_offset_s: i32,
}

/// How closely sensors look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pace {
    /// Nothing is lent and nothing soon will be.
    Calm,
    /// While lending, and shortly before.
    Alert,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The rules are these from now on.
    Rules(Rules),
    /// These sources will be heard, and nothing that was heard before counts: until each has spoken, its signal is
    /// unknown.
    Sources(Vec<Source>),
    /// A source has spoken.
    Observed(Observation),
    /// Whether a worker can run here; if not, why.
    Worker(Result<(), String>),
    /// The owner pauses.
    Pause {
        /// Until when, in milliseconds since 1970; `None`: until they resume. One that is over is no pause.
        until_unix_ms: Option<u64>,
        /// After the jobs that run now.
        finish: bool,
    },
    /// The owner resumes.
    Resume,
    /// So many jobs run now, frozen ones included.
    Jobs(usize),
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Stop every worker where it is. It may be stopped already.
    Freeze,
    /// Let frozen workers go on.
    Thaw,
    /// End every worker and give its memory back. They are frozen, or there are none.
    Kill,
    /// Take jobs, or take no more. `true` also means that nothing is to be held frozen.
    Offer(bool),
    /// Sensors are to look so closely from now on.
    Pace(Pace),
    /// The view is another.
    Changed,
}

#[cfg(test)]
mod tests_examples;
#[cfg(test)]
mod tests_oracle;
#[cfg(test)]
mod tests_property;
#[cfg(test)]
mod tests_trace;
