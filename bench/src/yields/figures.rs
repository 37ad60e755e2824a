//! Trials that count and trials that do not, and what is said of those that do.

/// What a worker may still do after its owner's input, at most, in milliseconds.
pub(super) const MISS_MS: f64 = 100.0;

/// Why a trial says nothing. It is counted and repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Void {
    /// The kernel had no room for its records.
    Lost,
    /// The worker has started or ended a thread, whose records are not whole.
    Threads,
    /// The worker was not doing what it should have been doing at the input.
    Phase,
    /// The sensor spoke before the input: of something else.
    Early,
}

impl Void {
    pub(super) const ALL: [Self; 4] = [Self::Lost, Self::Threads, Self::Phase, Self::Early];

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Lost => "records lost",
            Self::Threads => "threads came or went",
            Self::Phase => "the worker was not at it",
            Self::Early => "frozen before the input",
        }
    }
}

/// One trial that counts, in milliseconds after the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trial {
    /// The last instant at which any thread was on a processor for whatever reason.
    pub(super) any_ms: f64,
    /// The same without entries into the kernel's freezer.
    pub(super) work_ms: f64,
    /// Whether the sensor noticed the input at all; the bench froze the worker itself otherwise, after a long while.
    pub(super) noticed: bool,
    /// When the sensor's word had arrived.
    pub(super) seen_ms: f64,
    /// When the call that freezes had returned.
    pub(super) frozen_ms: f64,
    /// Whether any thread was on a processor at the input.
    pub(super) ran: bool,
    /// Whether the kernel said in the end that all stand still.
    pub(super) settled: bool,
    /// Processor time that the worker got although all should have stood still: between two readings of the kernel's own
    /// accounts, the first after the last instant above.
    pub(super) crept_us: u64,
}

/// All trials of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Trials {
    pub(super) good: Vec<Trial>,
    void: Vec<Void>,
}

impl Trials {
    pub(super) fn add(&mut self, trial: Result<Trial, Void>) {
        match trial {
            Ok(trial) => self.good.push(trial),
            Err(void) => self.void.push(void),
        }
    }

    pub(super) fn voided(&self, why: Void) -> usize {
        self.void.iter().filter(|void| **void == why).count()
    }

    pub(super) fn extend(&mut self, other: &Self) {
        self.good.extend_from_slice(&other.good);
        self.void.extend_from_slice(&other.void);
    }

    /// One figure of every trial.
    pub(super) fn of(&self, figure: impl Fn(&Trial) -> f64) -> Vec<f64> {
        self.good.iter().map(figure).collect()
    }

    /// How many were later than they may ever be.
    pub(super) fn misses(&self, figure: impl Fn(&Trial) -> f64) -> usize {
        self.good.iter().filter(|trial| figure(trial) > MISS_MS).count()
    }

    /// The share in which the worker was on a processor at the input.
    pub(super) fn ran_share(&self) -> f64 {
        self.good.iter().filter(|trial| trial.ran).count() as f64 / self.good.len().max(1) as f64
    }
}

/// The smallest value that at least this share of the values does not exceed (nearest rank); NaN if there are none.
pub(super) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

/// The largest; NaN if there are none.
pub(super) fn max(values: &[f64]) -> f64 {
    quantile(values, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(any_ms: f64) -> Trial {
        Trial {
            any_ms,
            work_ms: any_ms / 2.0,
            noticed: true,
            seen_ms: 0.0,
            frozen_ms: 0.0,
            ran: any_ms > 1.0,
            settled: true,
            crept_us: 0,
        }
    }

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|share| quantile(&values, share)), [100.0, 198.0, 200.0]);
        assert_eq!((quantile(&[7.0], 0.0), quantile(&[7.0], 0.99), max(&[3.0, 9.0, 4.0])), (7.0, 7.0, 9.0));
        assert!(quantile(&[], 0.5).is_nan());
        // One in a hundred may be worse, not one more.
        let mut values = vec![1.0; 98];
        values.extend([50.0, 60.0]);
        assert_eq!(quantile(&values, 0.99), 50.0);
    }

    #[test]
    fn void_trials_are_counted_and_never_judged() {
        let mut trials = Trials::default();
        trials.add(Ok(trial(0.4)));
        trials.add(Err(Void::Lost));
        trials.add(Err(Void::Lost));
        trials.add(Ok(trial(150.0)));
        trials.add(Ok(trial(MISS_MS)));
        let mut all = Trials::default();
        all.add(Err(Void::Phase));
        all.extend(&trials);
        assert_eq!(Void::ALL.map(|why| all.voided(why)), [2, 0, 1, 0]);
        assert_eq!(all.of(|trial| trial.any_ms), [0.4, 150.0, 100.0]);
        assert_eq!((all.misses(|trial| trial.any_ms), all.misses(|trial| trial.work_ms)), (1, 0));
        assert!((all.ran_share() - 2.0 / 3.0).abs() < 1e-9);
    }
}
