use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use lull_types::{ModelHash, NodeId};

use super::{
    BURST_MAX, CHECK_MAX_MS, CHECKER_IN_FLIGHT_MAX, CONFIRM, CheckId, LOOK_AGAIN_MS, PROBATION_CHECKS,
    PROBATION_FACTOR, Policy,
    machine::{Checker, Lender},
};
use crate::Millis;

/// What one check costs a lender of what its jobs have earned.
pub(super) const DUE: u64 = 1_000_000;
/// Nobody saves up more than this: eight checks.
const CREDIT_MAX: u64 = 8 * DUE;
/// One in so many checks goes to any checker; the others to the lender's own two.
const STRANGER_ONE_IN: u64 = 8;
/// An hour, in milliseconds.
const HOUR_MS: u64 = 3_600_000;

/// Who is checked next, with which model, by whom.
#[derive(Debug)]
pub(super) struct Chooser {
    seed: u64,
    dice: Dice,
    due: BTreeSet<NodeId>,
    canaries: BTreeMap<CheckId, Canary>,
    next_check: u64,
    /// When all canaries so far would have gone out at an even pace.
    paced: Millis,
    /// Nothing is looked for before this.
    quiet_until: Millis,
}

/// A canary that is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Canary {
    pub(super) lender: NodeId,
    pub(super) checker: NodeId,
    pub(super) model: ModelHash,
    until: Millis,
}

impl Chooser {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            dice: Dice(seed),
            due: BTreeSet::new(),
            canaries: BTreeMap::new(),
            next_check: 0,
            paced: Millis(0),
            quiet_until: Millis(0),
        }
    }

    /// The number of the next canary.
    pub(super) const fn next_check(&self) -> u64 {
        self.next_check
    }

    /// Canaries are numbered from here on, so that no result of an earlier run is taken for one of this run.
    pub(super) fn number_from(&mut self, next_check: u64) {
        self.next_check = next_check;
    }

    /// Something has changed, so that looking for a canary may lead to one.
    pub(super) fn look_again(&mut self) {
        self.quiet_until = Millis(0);
    }

    /// Every lender that is due.
    pub(super) fn due(&self) -> Vec<NodeId> {
        self.due.iter().copied().collect()
    }

    pub(super) fn set_due(&mut self, node: NodeId, due: bool) {
        if due {
            self.due.insert(node);
        } else {
            self.due.remove(&node);
        }
    }

    /// A lender's credit after `jobs` more: on average the policy's share of a check each, at random, so that nobody
    /// can count up to the next one.
    pub(super) fn earn(&mut self, policy: Policy, lender: &Lender, jobs: u32) -> u64 {
        let factor = if lender.checks < PROBATION_CHECKS { PROBATION_FACTOR } else { 1 };
        let share = (u64::from(policy.per_thousand_jobs) * factor).min(1_000) * (DUE / 1_000);
        if share == 0 || !policy.canaries {
            return lender.credit;
        }
        let earned = u64::from(jobs).saturating_mul(self.dice.roll(2 * share + 1));
        lender.credit.saturating_add(earned).min(CREDIT_MAX)
    }

    pub(super) fn canary(&self, check: CheckId) -> Option<&Canary> {
        self.canaries.get(&check)
    }

    /// A canary is not out any more.
    pub(super) fn ended(&mut self, check: CheckId) -> Option<Canary> {
        self.canaries.remove(&check)
    }

    /// All canaries of one checker are not out any more.
    pub(super) fn ended_of(&mut self, checker: NodeId) -> Vec<Canary> {
        let ended = self.canaries.values().filter(|canary| canary.checker == checker).copied().collect();
        self.canaries.retain(|_, canary| canary.checker != checker);
        ended
    }

    /// The next canary that took too long.
    pub(super) fn expired(&mut self, now: Millis) -> Option<Canary> {
        let first = self.canaries.first_entry().filter(|first| first.get().until <= now)?;
        Some(first.remove())
    }

    pub(super) fn next_deadline(&self, policy: Policy) -> Option<Millis> {
        let expiry = self.canaries.first_key_value().map(|(_, canary)| canary.until);
        let look = (policy.canaries && !self.due.is_empty())
            .then(|| self.quiet_until.max(Millis(self.paced.0.saturating_sub(burst_ms(policy)))));
        expiry.into_iter().chain(look).min()
    }

    /// The next canary to send, if one may be sent now.
    pub(super) fn choose(
        &mut self,
        now: Millis,
        policy: Policy,
        lenders: &BTreeMap<NodeId, Lender>,
        checkers: &BTreeMap<NodeId, Checker>,
    ) -> Option<(CheckId, Canary)> {
        if self.due.is_empty() || now < self.quiet_until || self.paced.since(now) > burst_ms(policy) {
            return None;
        }
        let turn = self.dice.roll(u64::MAX);
        let mut order: Vec<_> = self
            .due
            .iter()
            .filter_map(|node| lenders.get(node).map(|lender| (*node, lender)))
            .map(|(node, lender)| {
                let urgent = lender.suspected.is_some_and(|suspicion| suspicion.urgent);
                ((!urgent, Reverse(lender.credit / DUE), mixed(turn, node)), node, lender)
            })
            .collect();
        order.sort_unstable_by_key(|entry| entry.0);
        let found = order.iter().find_map(|(_, node, lender)| {
            let (checker, model) = self.checker_for(*node, lender, checkers)?;
            Some(Canary { lender: *node, checker, model, until: now.plus(CHECK_MAX_MS) })
        });
        let Some(canary) = found else {
            self.quiet_until = now.plus(LOOK_AGAIN_MS);
            return None;
        };
        self.paced = self.paced.max(now).plus(gap_ms(policy));
        let check = CheckId(self.next_check);
        self.next_check = self.next_check.wrapping_add(1);
        self.canaries.insert(check, canary);
        Some((check, canary))
    }

    /// Two checkers, always the same while they are there, check a lender, so that what each finds adds up. A lender
    /// under suspicion gets the one that is closest to confirming it.
    fn checker_for(
        &mut self,
        node: NodeId,
        lender: &Lender,
        checkers: &BTreeMap<NodeId, Checker>,
    ) -> Option<(NodeId, ModelHash)> {
        let shares = |checker: &Checker| checker.models.iter().any(|model| lender.models.contains(model));
        let mut able: Vec<(NodeId, &Checker)> = checkers
            .iter()
            .filter(|(id, checker)| **id != node && checker.up && !checker.suspect && shares(checker))
            .map(|(id, checker)| (*id, checker))
            .collect();
        able.sort_unstable_by_key(|(id, _)| mixed(mixed(self.seed, node), *id));
        let stranger = self.dice.roll(STRANGER_ONE_IN) == 0;
        if lender.suspected.is_some() {
            let undecided = |id: NodeId| lender.score(id) < CONFIRM;
            if able.iter().any(|(id, _)| undecided(*id)) {
                able.retain(|(id, _)| undecided(*id));
            }
            if !stranger {
                able.sort_by(|a, b| lender.score(b.0).total_cmp(&lender.score(a.0)));
                able.truncate(1);
            }
        } else if !stranger {
            able.truncate(2);
        }
        able.retain(|(id, _)| {
            self.canaries.values().filter(|canary| canary.checker == *id).count() < CHECKER_IN_FLIGHT_MAX
        });
        let (id, checker) = *able.get(self.dice.index(able.len())?)?;
        Some((id, self.model_for(lender, checker)?))
    }

    /// A model that both have, each as likely as the lender has served it since its last check.
    fn model_for(&mut self, lender: &Lender, checker: &Checker) -> Option<ModelHash> {
        let both: Vec<(ModelHash, u64)> = lender
            .models
            .iter()
            .filter(|model| checker.models.contains(model))
            .map(|model| (*model, lender.served.get(model).copied().unwrap_or(0).saturating_add(1)))
            .collect();
        let all = both.iter().fold(0_u64, |all, (_, weight)| all.saturating_add(*weight));
        let mut left = self.dice.roll(all.max(1));
        for (model, weight) in &both {
            if left < *weight {
                return Some(*model);
            }
            left -= weight;
        }
        both.first().map(|(model, _)| *model)
    }
}

/// How far apart canaries are on average, in milliseconds.
fn gap_ms(policy: Policy) -> u64 {
    (HOUR_MS / u64::from(policy.per_hour_max.max(1))).max(1)
}

/// How far ahead of an even pace canaries may be, in milliseconds.
fn burst_ms(policy: Policy) -> u64 {
    gap_ms(policy) * (BURST_MAX - 1)
}

/// A number generator that anyone can repeat (splitmix64).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        finish(self.0) % sides.max(1)
    }

    fn index(&mut self, of: usize) -> Option<usize> {
        let of = u64::try_from(of).ok().filter(|of| *of > 0)?;
        usize::try_from(self.roll(of)).ok()
    }
}

/// A number that depends on `seed` and `node` alone and looks random.
fn mixed(seed: u64, node: NodeId) -> u64 {
    node.0.iter().fold(seed, |sum, byte| finish(sum.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ u64::from(*byte)))
}

fn finish(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
