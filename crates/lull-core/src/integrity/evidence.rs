use super::{CONCENTRATION, POSITIONS_MAX, RATIO_MAX, SCORE_MAX};
use crate::Millis;

/// One way to cheat that is looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alternative {
    /// By how much more than the null the answers differ, as a share of positions.
    pub extra: f64,
    /// In what share of the answers.
    pub share: f64,
}

/// The ways to cheat that are looked for. What lies between them is found as well, a little later.
pub const ALTERNATIVES: [Alternative; 5] = [
    Alternative { extra: 0.015, share: 0.95 },
    Alternative { extra: 0.06, share: 0.95 },
    Alternative { extra: 0.3, share: 0.95 },
    Alternative { extra: 0.06, share: 0.2 },
    Alternative { extra: 0.3, share: 0.1 },
];

/// The most that an alternative may differ, as a share of positions.
const RATE_MAX: f64 = 0.9;

/// What one checker has seen of one lender.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Trail {
    /// Answers compared.
    pub checks: u32,
    /// Token positions in them.
    pub positions: u64,
    /// How many of these differed.
    pub different: u64,
    /// When the last was compared.
    pub last: Millis,
    /// The score of each of [`ALTERNATIVES`].
    pub scores: [f64; ALTERNATIVES.len()],
}

impl Trail {
    /// Takes one more check, held against the null `p0`.
    pub(super) fn add(&mut self, now: Millis, positions: u32, different: u32, p0: f64) {
        self.checks = self.checks.saturating_add(1);
        self.positions = self.positions.saturating_add(u64::from(positions));
        self.different = self.different.saturating_add(u64::from(different));
        self.last = now;
        let stake = 1.0 / (f64::from(self.checks) * (f64::from(self.checks) + 1.0));
        for (score, alternative) in self.scores.iter_mut().zip(ALTERNATIVES) {
            *score = ((*score + stake) * ratio(positions, different, p0, alternative)).min(SCORE_MAX);
        }
    }

    /// An honest lender ever reaches this with a chance of at most 1 in so many.
    #[must_use]
    pub fn score(&self) -> f64 {
        self.scores.iter().sum::<f64>() / f64::from(u8::try_from(ALTERNATIVES.len()).unwrap_or(u8::MAX))
    }

    /// The same with every figure in its bounds, for what comes from outside.
    pub(super) fn sound(mut self) -> Self {
        self.different = self.different.min(self.positions);
        for score in &mut self.scores {
            *score = if score.is_finite() { score.clamp(0.0, SCORE_MAX) } else { 0.0 };
        }
        self
    }
}

/// A check's figures within [`POSITIONS_MAX`], in proportion; `None` if they make no sense.
pub(super) fn bounded(positions: u32, different: u32) -> Option<(u32, u32)> {
    if positions == 0 || different > positions {
        return None;
    }
    if positions <= POSITIONS_MAX {
        return Some((positions, different));
    }
    let scaled = u64::from(different) * u64::from(POSITIONS_MAX) / u64::from(positions);
    Some((POSITIONS_MAX, u32::try_from(scaled).ok()?))
}

/// How much likelier a check is if the lender cheats in this way than if it is as honest as `p0` allows.
fn ratio(positions: u32, different: u32, p0: f64, alternative: Alternative) -> f64 {
    let p1 = (p0 + alternative.extra).min(RATE_MAX);
    let rising = |p1: f64, p0: f64, times: u32| {
        (0..times)
            .map(f64::from)
            .fold(1.0, |product, i| product * ((CONCENTRATION * p1 + i) / (CONCENTRATION * p0 + i)))
    };
    let answer = rising(p1, p0, different) * rising(1.0 - p1, 1.0 - p0, positions - different);
    (1.0 - alternative.share) + alternative.share * answer.min(RATIO_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chance of `different` among `positions` under a beta-binomial of mean `p`.
    fn chance(positions: u32, different: u32, p: f64) -> f64 {
        let (a, b) = (CONCENTRATION * p, CONCENTRATION * (1.0 - p));
        let mut chance = 1.0;
        for i in 0..positions {
            let i = f64::from(i);
            let (over, under) = if i < f64::from(different) {
                ((a + i) * (f64::from(positions) - i), i + 1.0)
            } else {
                (b + i - f64::from(different), 1.0)
            };
            chance *= over / under / (a + b + i);
        }
        chance
    }

    #[test]
    fn a_check_of_an_honest_lender_adds_nothing_on_average_and_of_a_better_one_less() {
        for p0 in [0.002, 0.01, 0.03] {
            for positions in [1, 16, 100, POSITIONS_MAX] {
                for alternative in ALTERNATIVES {
                    let mean = |p: f64| -> f64 {
                        (0..=positions).map(|m| chance(positions, m, p) * ratio(positions, m, p0, alternative)).sum()
                    };
                    assert!(mean(p0) < 1.0 + 1e-9, "{p0} {positions} {alternative:?}: {}", mean(p0));
                    assert!(mean(p0 / 2.0) < mean(p0), "{p0} {positions} {alternative:?}");
                    // Only what one check may say at most keeps it below 1.
                    let cut = ratio(positions, positions, p0, alternative) >= RATIO_MAX * 0.1;
                    assert!(cut || mean(p0) > 1.0 - 1e-9, "{p0} {positions} {alternative:?}: {}", mean(p0));
                }
            }
        }
    }

    #[test]
    fn more_differences_never_say_less() {
        for alternative in ALTERNATIVES {
            for m in 0..100 {
                assert!(ratio(100, m + 1, 0.005, alternative) >= ratio(100, m, 0.005, alternative));
            }
        }
    }

    #[test]
    fn good_conduct_is_no_credit() {
        let mut trail = Trail::default();
        (0..1_000).for_each(|_| trail.add(Millis(0), 100, 0, 0.005));
        assert!(trail.score() < 1e-3);
        (0..3).for_each(|_| trail.add(Millis(0), 100, 60, 0.005));
        assert!(trail.score() > 1e4, "{}", trail.score());
    }

    #[test]
    fn figures_from_outside_stay_in_their_bounds() {
        assert_eq!(bounded(0, 0), None);
        assert_eq!(bounded(3, 4), None);
        assert_eq!(bounded(u32::MAX, u32::MAX), Some((POSITIONS_MAX, POSITIONS_MAX)));
        assert_eq!(bounded(1_000, 20), Some((POSITIONS_MAX, 5)));
        let odd = Trail { scores: [f64::NAN, f64::INFINITY, -1.0, 1e300, 2.0], ..Trail::default() };
        assert_eq!(odd.sound().scores, [0.0, 0.0, 0.0, SCORE_MAX, 2.0]);
    }
}
