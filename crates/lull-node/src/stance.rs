//! What the machine's lending state means for its lender. A level, not an event: only the latest counts.

use std::time::Duration;

use lull_types::{Code, Fault};
use rand::Rng as _;
use tokio::sync::watch;

/// The longest wait before the relay hears that a person's machine lends, so that it learns *available or not* and not
/// to the second when somebody left.
const BEGIN_JITTER_MAX: Duration = Duration::from_secs(10);
/// The longest wait before the relay hears that it does not lend any more; until then the lender itself declines.
const END_JITTER_MAX: Duration = Duration::from_secs(2);

/// Whether jobs may come, run, or go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stance {
    /// New jobs may come.
    pub(crate) offering: bool,
    /// The workers stand still.
    pub(crate) frozen: bool,
    /// For how long they did so before, in all.
    pub(crate) stood_still: Duration,
    /// How often all workers have been ended to give the machine back.
    pub(crate) kills: u64,
    /// Nobody sits at this machine: the relay may know at once.
    pub(crate) dedicated: bool,
}

impl Stance {
    /// Nothing may run.
    pub(crate) const fn closed(dedicated: bool) -> Self {
        Self { offering: false, frozen: false, stood_still: Duration::ZERO, kills: 0, dedicated }
    }

    /// How long the relay is not told yet.
    pub(crate) fn jitter(&self) -> Duration {
        let longest = match (self.dedicated, self.offering) {
            (true, _) => return Duration::ZERO,
            (false, true) => BEGIN_JITTER_MAX,
            (false, false) => END_JITTER_MAX,
        };
        longest.mul_f64(rand::rng().random())
    }
}

/// Resolves when the workers have been ended for the owner's sake more than `kills` times.
pub(crate) async fn given_back(stance: &mut watch::Receiver<Stance>, kills: u64) {
    if stance.wait_for(|now| now.kills != kills).await.is_err() {
        // The node is stopping, which ends whoever waits here by itself.
        std::future::pending::<()>().await;
    }
}

/// What whoever asks is told.
pub(crate) fn yielding() -> Fault {
    Fault::new(
        Code::Yielding,
        "the owner of that machine is back, so it is theirs again; ask again for another machine",
    )
}
