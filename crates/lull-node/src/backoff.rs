use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait while the relay was there a short time ago, so that a restarted relay soon has everybody back.
const RECENT_MAX: Duration = Duration::from_secs(2);
/// How long "a short time ago" lasts.
const RECENT: Duration = Duration::from_secs(5 * 60);
/// How long a connection must have been up for the next loss to count as a first one.
const STABLE: Duration = Duration::from_secs(10);
/// The least wait after another machine took over with the same identity; at most twice as long.
const REPLACED: Duration = Duration::from_secs(60);
/// The longest wait of all.
const LONG_MAX: Duration = Duration::from_secs(60);

/// How long to wait before the next try, growing with each one that fails.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait. `absent` is how long the relay has been away, `random` a number in [0, 1): the wait lies between
    /// half of its bound and the whole of it, so that many nodes do not come at one moment.
    pub(crate) fn next(&mut self, absent: Duration, random: f64) -> Duration {
        let most = if absent < RECENT { RECENT_MAX } else { LONG_MAX };
        let bound = FIRST.saturating_mul(1 << self.tries.min(16)).min(most);
        self.tries = self.tries.saturating_add(1);
        bound.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }

    /// Tells how long a connection was up that is over now: one that ended at once is no better than a failed try.
    pub(crate) fn was_up(&mut self, lasted: Duration) {
        if lasted >= STABLE {
            *self = Self::default();
        }
    }

    /// The wait after another machine took over with the same identity: two that throw each other out must not do so
    /// all the time.
    pub(crate) fn replaced(random: f64) -> Duration {
        REPLACED.mul_f64(1.0 + random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_that_was_just_here_is_asked_at_least_every_two_seconds() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..20).map(|_| backoff.next(Duration::from_secs(20), 0.999).as_millis()).collect();
        assert!(waits.is_sorted(), "{waits:?}");
        assert!(waits[0] <= 100 && waits.iter().all(|wait| *wait <= 2000), "{waits:?}");
    }

    #[test]
    fn only_a_connection_that_lasted_makes_the_next_loss_a_first_one() {
        let next = |lasted: Duration| {
            let mut backoff = Backoff { tries: 5 };
            backoff.was_up(lasted);
            backoff.next(Duration::ZERO, 0.0)
        };
        assert_eq!(next(Duration::from_millis(80)), Duration::from_secs(1), "the bound's half");
        assert_eq!(next(Duration::from_secs(3600)), FIRST / 2);
    }

    #[test]
    fn whoever_was_replaced_waits_a_minute_or_two() {
        let waits = [0.0, 0.5, 1.0].map(|random| Backoff::replaced(random).as_secs());
        assert_eq!(waits, [60, 90, 120]);
    }

    #[test]
    fn a_relay_long_away_is_asked_once_a_minute() {
        let mut backoff = Backoff::default();
        let last = (0..20).map(|_| backoff.next(Duration::from_secs(3600), 0.0)).last().unwrap();
        assert_eq!(last, Duration::from_secs(30));
    }
}
