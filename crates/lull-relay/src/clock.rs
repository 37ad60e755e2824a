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
