use lull_types::{Reason, Signal};

use super::Schedule;

/// How long a yield may stay undecided, in milliseconds.
pub const GRACE_MS: u64 = 5_000;
/// For how long input may go on and still be a bump, in milliseconds.
pub const BUMP_MS: u64 = 2_000;
/// At least so long between two beginnings of lending, in milliseconds.
pub const SETTLE_MS: u64 = 180_000;
/// How long an owner is away before their machine lends, unless they chose otherwise, in milliseconds.
pub const IDLE_MS: u64 = 300_000;
/// Every signal matters.
pub const HEED_ALL: u32 = {
    let mut mask = 0;
    let mut next = 0;
    while next < Signal::ALL.len() {
        mask |= Signal::ALL[next].bit();
        next += 1;
    }
    mask
};

/// What is in force on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Why it may not lend at all: the organisation does not want it, or the rules are broken.
    pub forbidden: Option<Reason>,
    /// Its owner agreed.
    pub agreed: bool,
    /// How long its owner must be away, in milliseconds; 0 for a dedicated machine.
    pub idle_ms: u64,
    /// When it may lend.
    pub hours: Schedule,
    /// The signals that matter, as a mask of [`Signal::bit`]; 0 for a dedicated machine.
    pub heed: u32,
    /// How long a yield may stay undecided, in milliseconds: [`GRACE_MS`].
    pub grace_ms: u64,
    /// For how long input may go on and still be a bump, in milliseconds: [`BUMP_MS`].
    pub bump_ms: u64,
    /// At least so long between two beginnings of lending, in milliseconds: [`SETTLE_MS`].
    pub settle_ms: u64,
}

impl Rules {
    /// Whether a signal matters.
    #[must_use]
    pub const fn heeds(&self, signal: Signal) -> bool {
        self.heed & signal.bit() != 0
    }
}

impl Default for Rules {
    /// Not agreed to yet, and everything matters.
    fn default() -> Self {
        Self {
            forbidden: None,
            agreed: false,
            idle_ms: IDLE_MS,
            hours: Schedule::always(),
            heed: HEED_ALL,
            grace_ms: GRACE_MS,
            bump_ms: BUMP_MS,
            settle_ms: SETTLE_MS,
        }
    }
}
