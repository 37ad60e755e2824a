use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lull_core::Millis;

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// The day since 1970.
pub(crate) fn day_of(now_s: u64) -> u64 {
    now_s / 86_400
}

/// How long a wait for a moment of the day lasts before the clock is looked at again: it may be set, or the machine may
/// have slept.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Resolves when the wall clock shows that moment, in seconds since 1970.
pub(crate) async fn reached(at_s: u64) {
    loop {
        let left = Duration::from_secs(at_s.saturating_sub(now_s()));
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK_EVERY)).await;
    }
}

/// The clock that the scheduler goes by: it counts from the relay's start and never goes back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Millis {
        Millis(u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// When a moment of this clock comes, for a timer.
    pub(crate) fn instant(self, at: Millis) -> Instant {
        self.0 + Duration::from_millis(at.0)
    }
}
