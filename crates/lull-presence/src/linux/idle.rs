//! What an idle counter may say, and when it contradicts itself.

use std::time::{Duration, Instant};

use lull_types::Reading;

use crate::voice::ANSWER_MAX;

/// Less than this since the last touch is in use.
pub(super) const ACTIVE: Duration = Duration::from_secs(1);
/// How far a counter may run ahead of this process's clock before it counts as broken.
const SLACK: Duration = Duration::from_secs(1);
/// How far a counter's answer may lie behind this process's clock without anyone having touched anything: as long as an
/// answer may take.
const BEHIND: Duration = ANSWER_MAX;

/// A counter of the time since the last touch, as last heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Idle {
    at: Instant,
    idle: Duration,
}

impl Idle {
    /// What was first heard is taken as it is.
    pub(super) const fn first(now: Instant, idle: Duration) -> Self {
        Self { at: now, idle }
    }

    /// Someone touched something just now.
    pub(super) const fn touched(&mut self, now: Instant) {
        *self = Self::first(now, Duration::ZERO);
    }

    /// The counter says something new.
    ///
    /// # Errors
    /// When it cannot be so: nobody can have been away for longer than since they were last known to be here.
    pub(super) fn heard(&mut self, now: Instant, idle: Duration) -> Result<(), String> {
        let most = self.idle + now.saturating_duration_since(self.at);
        if idle > most + SLACK {
            return Err(format!("it says idle for {} ms, but {} ms is possible", idle.as_millis(), most.as_millis()));
        }
        *self = Self::first(now, idle);
        Ok(())
    }

    /// Whether someone touched something since it was last heard, by what the counter says now.
    pub(super) fn fell(&self, now: Instant, idle: Duration) -> bool {
        idle + BEHIND < self.idle + now.saturating_duration_since(self.at)
    }

    /// As it was last heard.
    pub(super) const fn idle(&self) -> Duration {
        self.idle
    }

    /// The word that follows from what was heard last, by the time that has passed since.
    pub(super) fn reading(&self, now: Instant) -> Reading {
        self.reading_after(ACTIVE, now)
    }

    /// The same where another time than [`ACTIVE`] divides in use from clear.
    pub(super) fn reading_after(&self, active: Duration, now: Instant) -> Reading {
        if self.idle < active {
            return Reading::in_use();
        }
        let idle = self.idle + now.saturating_duration_since(self.at);
        Reading::Clear { for_ms: u64::try_from(idle.as_millis()).unwrap_or(u64::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_counter_grows_with_time_and_falls_at_will() {
        let start = Instant::now();
        let mut idle = Idle::first(start, 5000 * MS);
        assert_eq!(idle.heard(start + 400 * MS, 5400 * MS), Ok(()));
        assert_eq!(idle.reading(start + 500 * MS), Reading::Clear { for_ms: 5500 });
        assert_eq!(idle.heard(start + 800 * MS, Duration::ZERO), Ok(()));
        assert_eq!(idle.reading(start + 800 * MS), Reading::in_use());
    }

    #[test]
    fn a_counter_that_fell_tells_of_a_touch() {
        let start = Instant::now();
        let idle = Idle::first(start, 60_000 * MS);
        assert!(!idle.fell(start + 5000 * MS, 64_990 * MS));
        assert!(idle.fell(start + 5000 * MS, 3000 * MS));
    }

    #[test]
    fn idle_only_by_the_clock_is_not_idle() {
        let start = Instant::now();
        let idle = Idle::first(start, 900 * MS);
        assert_eq!(idle.reading(start + 5000 * MS), Reading::in_use());
    }

    #[test]
    fn long_idle_right_after_a_touch_is_a_contradiction() {
        let start = Instant::now();
        let mut idle = Idle::first(start, 5000 * MS);
        idle.touched(start + 100 * MS);
        assert!(idle.heard(start + 500 * MS, 5500 * MS).is_err());
        assert_eq!(idle.heard(start + 500 * MS, 400 * MS), Ok(()));
    }
}
