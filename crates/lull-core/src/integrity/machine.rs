use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lull_types::{ModelHash, NodeId};

use super::{
    CHECKER_GONE_MS, CHECKERS_MAX, CONFIRM, CONVICT, Checked, DAY_MS, Evidence, FOLLOW_UP_MS, FOLLOW_UPS_MAX, Input,
    LENDERS_MAX, MODELS_PER_NODE_MAX, MachineKind, Output, PER_HOUR_MAX, Policy, QUARANTINES_MIN, QUARANTINES_SHARE,
    RECENT_MAX, Role, SECOND_WAIT_MS, SUSPECT_LENDERS_MIN, SUSPECT_ONE_IN, SUSPICIOUS, Standing, TRAILS_MAX, Testimony,
    Trail,
    calibration::Calibration,
    choose::{Chooser, DUE},
    evidence::bounded,
};
use crate::Millis;

/// The judge's whole state.
#[derive(Debug)]
pub struct Integrity {
    pub(super) policy: Policy,
    pub(super) lenders: BTreeMap<NodeId, Lender>,
    pub(super) checkers: BTreeMap<NodeId, Checker>,
    pub(super) calibration: Calibration,
    pub(super) chooser: Chooser,
    /// When suspicious lenders are checked again.
    pub(super) follow_ups: BTreeSet<(Millis, NodeId)>,
    /// When lenders were quarantined, within the last day.
    pub(super) quarantines: VecDeque<Millis>,
}

#[derive(Debug, Default)]
pub(super) struct Lender {
    pub(super) up: bool,
    pub(super) seen: Millis,
    pub(super) kind: MachineKind,
    pub(super) models: Vec<ModelHash>,
    pub(super) jobs: u64,
    pub(super) checks: u32,
    /// What its jobs have earned it towards the next check: [`DUE`] is one check.
    pub(super) credit: u64,
    /// Jobs with each model since the last check.
    pub(super) served: BTreeMap<ModelHash, u64>,
    pub(super) in_flight: bool,
    pub(super) trails: BTreeMap<NodeId, Trail>,
    pub(super) suspected: Option<Suspicion>,
    pub(super) held: bool,
    pub(super) quarantined: Option<Evidence>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Suspicion {
    pub(super) since: Millis,
    pub(super) follow_ups: u32,
    /// The next check is due whatever was served.
    pub(super) urgent: bool,
}

#[derive(Debug, Default)]
pub(super) struct Checker {
    pub(super) up: bool,
    pub(super) seen: Millis,
    pub(super) kind: MachineKind,
    pub(super) models: Vec<ModelHash>,
    pub(super) suspect: bool,
    /// The lenders it checked last, the latest at the end.
    pub(super) recent: VecDeque<NodeId>,
}

impl Lender {
    fn is_due(&self) -> bool {
        let urgent = self.suspected.is_some_and(|suspicion| suspicion.urgent);
        self.up && !self.in_flight && self.quarantined.is_none() && (self.credit >= DUE || urgent)
    }

    /// How guilty `checker` finds it.
    pub(super) fn score(&self, checker: NodeId) -> f64 {
        self.trails.get(&checker).map_or(0.0, Trail::score)
    }

    /// Whether a checker other than `checker` finds it guilty.
    fn confirmed_beside(&self, checker: NodeId) -> bool {
        self.trails.iter().any(|(by, trail)| *by != checker && trail.score() >= CONFIRM)
    }

    pub(super) fn suspect(&mut self, now: Millis) {
        let suspicious = self.trails.values().any(|trail| trail.score() >= SUSPICIOUS);
        let fresh = Suspicion { since: now, follow_ups: 0, urgent: false };
        self.suspected = if suspicious { self.suspected.or(Some(fresh)) } else { None };
    }
}

impl Integrity {
    /// A judge that knows nobody. `seed` decides who is checked when and by whom; give it the same one each time.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            policy: Policy::default(),
            lenders: BTreeMap::new(),
            checkers: BTreeMap::new(),
            calibration: Calibration::default(),
            chooser: Chooser::new(seed),
            follow_ups: BTreeSet::new(),
            quarantines: VecDeque::new(),
        }
    }

    /// Takes one step.
    #[must_use]
    pub fn handle(&mut self, now: Millis, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::NodeUp { node, role, kind, models } => self.node_up(now, node, role, kind, models, &mut out),
            Input::NodeDown { node } => self.node_down(now, node),
            Input::Served { lender, model, jobs } => self.served(lender, model, jobs),
            Input::Checked(checked) => self.checked(now, checked, &mut out),
            Input::Failed { check } => {
                if let Some(canary) = self.chooser.ended(check) {
                    self.failed(now, canary.lender);
                }
            }
            Input::Policy(policy) => {
                self.policy = Policy {
                    per_thousand_jobs: policy.per_thousand_jobs.min(1_000),
                    per_hour_max: policy.per_hour_max.clamp(1, PER_HOUR_MAX),
                    ..policy
                };
            }
            Input::Released { node } => self.released(node),
            Input::Tick => {}
        }
        self.tick(now, &mut out);
        out
    }

    /// When [`Input::Tick`] is due, if ever.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        let follow_up = self.follow_ups.first().map(|due| due.0);
        follow_up.into_iter().chain(self.chooser.next_deadline(self.policy)).min()
    }

    /// Whether a lender must get no job.
    #[must_use]
    pub fn is_quarantined(&self, lender: NodeId) -> bool {
        self.lenders.get(&lender).is_some_and(|lender| lender.quarantined.is_some())
    }

    /// Every quarantined lender, with the reason.
    pub fn quarantined(&self) -> impl Iterator<Item = (NodeId, &Evidence)> {
        self.lenders.iter().filter_map(|(node, lender)| lender.quarantined.as_ref().map(|evidence| (*node, evidence)))
    }

    /// Every checker that is not believed.
    pub fn suspects(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.checkers.iter().filter(|(_, checker)| checker.suspect).map(|(node, _)| *node)
    }

    /// What is known about a lender.
    #[must_use]
    pub fn standing(&self, lender: NodeId) -> Option<Standing> {
        self.lenders.get(&lender).map(|lender| Standing {
            jobs: lender.jobs,
            checks: lender.checks,
            suspicious: lender.suspected.is_some(),
            quarantined: lender.quarantined.clone(),
        })
    }

    fn node_up(
        &mut self,
        now: Millis,
        node: NodeId,
        role: Role,
        kind: MachineKind,
        mut models: Vec<ModelHash>,
        out: &mut Vec<Output>,
    ) {
        self.node_down(now, node);
        models.truncate(MODELS_PER_NODE_MAX);
        // Whoever is quarantined is nobody's judge.
        if role == Role::Checker && !self.is_quarantined(node) {
            if !make_room(&mut self.checkers, node, CHECKERS_MAX, |checker| {
                (!checker.up && !checker.suspect).then_some(checker.seen)
            }) {
                out.push(Output::Unknown { node });
                return;
            }
            let checker = self.checkers.entry(node).or_default();
            (checker.up, checker.seen, checker.kind, checker.models) = (true, now, kind, models);
        } else {
            let free = |lender: &Lender| (!lender.up && lender.quarantined.is_none()).then_some(lender.seen);
            if !make_room(&mut self.lenders, node, LENDERS_MAX, free) {
                out.push(Output::Unknown { node });
                return;
            }
            let lender = self.lenders.entry(node).or_insert_with(|| Lender { credit: DUE, ..Lender::default() });
            (lender.up, lender.seen, lender.kind, lender.models) = (true, now, kind, models);
            lender.served.retain(|model, _| lender.models.contains(model));
        }
        self.refresh(node);
        self.chooser.look_again();
    }

    fn node_down(&mut self, now: Millis, node: NodeId) {
        if let Some(checker) = self.checkers.get_mut(&node).filter(|checker| checker.up) {
            (checker.up, checker.seen) = (false, now);
        }
        if let Some(lender) = self.lenders.get_mut(&node).filter(|lender| lender.up) {
            (lender.up, lender.seen) = (false, now);
        }
        self.refresh(node);
    }

    fn served(&mut self, node: NodeId, model: ModelHash, jobs: u32) {
        let Some(lender) = self.lenders.get_mut(&node) else { return };
        lender.jobs = lender.jobs.saturating_add(u64::from(jobs));
        if lender.models.contains(&model) {
            let served = lender.served.entry(model).or_default();
            *served = served.saturating_add(u64::from(jobs));
        }
        lender.credit = self.chooser.earn(self.policy, lender, jobs);
        self.refresh(node);
    }

    /// Whether a lender is due is looked at again.
    pub(super) fn refresh(&mut self, node: NodeId) {
        let due = self.lenders.get(&node).is_some_and(Lender::is_due);
        self.chooser.set_due(node, due);
    }

    fn checked(&mut self, now: Millis, checked: Checked, out: &mut Vec<Output>) {
        if let Some(check) = checked.check {
            let right = |canary: &super::choose::Canary| {
                (canary.lender, canary.checker, canary.model) == (checked.lender, checked.checker, checked.model)
            };
            if !self.chooser.canary(check).is_some_and(right) {
                return;
            }
            let _ = self.chooser.ended(check);
            if let Some(lender) = self.lenders.get_mut(&checked.lender) {
                lender.in_flight = false;
            }
            self.refresh(checked.lender);
            self.chooser.look_again();
        }
        let Some((positions, different)) = bounded(checked.positions, checked.different) else { return };
        let is_checker = self.checkers.get(&checked.lender).is_some_and(|checker| checker.up);
        let (Some(lender), Some(checker)) =
            (self.lenders.get_mut(&checked.lender), self.checkers.get_mut(&checked.checker))
        else {
            return;
        };
        if lender.quarantined.is_some() || checker.suspect || is_checker || checked.lender == checked.checker {
            return;
        }
        let cell = (checked.model, lender.kind, checker.kind);
        let null = self.calibration.null(cell);
        lender.checks = lender.checks.saturating_add(1);
        make_trail(&mut lender.trails, checked.checker).add(now, positions, different, null);
        // Lenders that are under suspicion already come too often to say anything about the checker.
        if lender.suspected.is_none() {
            checker.recent.retain(|other| *other != checked.lender);
            checker.recent.push_back(checked.lender);
        }
        if checker.recent.len() > RECENT_MAX {
            checker.recent.pop_front();
        }
        if let Some(null) = self.calibration.add(cell, checked.lender, positions, different) {
            out.push(Output::KindDiffers { model: cell.0, lender: cell.1, checker: cell.2, null });
        }
        self.look_at_checker(now, checked, out);
        self.judge(now, checked.lender, null, out);
        self.follow_up(now, checked.lender);
        self.refresh(checked.lender);
    }

    /// A canary came to nothing. Its lender has half of it to earn again, so that not answering puts nothing off for
    /// long, and one that cannot answer does not take every turn.
    fn failed(&mut self, now: Millis, node: NodeId) {
        let Some(lender) = self.lenders.get_mut(&node) else { return };
        lender.in_flight = false;
        lender.credit = lender.credit.max(DUE / 2);
        self.follow_up(now, node);
        self.refresh(node);
    }

    /// Suspicious lenders are checked again soon, whatever they serve, but not for ever.
    fn follow_up(&mut self, now: Millis, node: NodeId) {
        let Some(lender) = self.lenders.get_mut(&node).filter(|lender| lender.quarantined.is_none()) else { return };
        lender.suspect(now);
        let Some(suspicion) = &mut lender.suspected else { return };
        if suspicion.follow_ups < FOLLOW_UPS_MAX && self.policy.canaries {
            suspicion.follow_ups += 1;
            self.follow_ups.insert((now.plus(FOLLOW_UP_MS), node));
        }
    }

    /// A checker that finds many lenders guilty all by itself is more likely broken than they are.
    fn look_at_checker(&mut self, now: Millis, checked: Checked, out: &mut Vec<Output>) {
        let id = checked.checker;
        let odd = |lender: &Lender| lender.score(id) >= CONFIRM && !lender.confirmed_beside(id);
        if !self.lenders.get(&checked.lender).is_some_and(odd) {
            return;
        }
        let Some(checker) = self.checkers.get_mut(&id) else { return };
        // The last ones show quickly that it is broken; all of them show it if it is so only now and then, as those
        // it found guilty are then left to other checkers.
        let last: Vec<&Lender> = checker.recent.iter().filter_map(|node| self.lenders.get(node)).collect();
        let all = self.lenders.values().filter(|lender| lender.trails.contains_key(&id)).collect();
        let counted =
            [last, all].map(|some: Vec<&Lender>| (some.iter().filter(|lender| odd(lender)).count(), some.len()));
        let broken = counted.into_iter().find(|(against, of)| *against >= SUSPECT_LENDERS_MIN + of / SUSPECT_ONE_IN);
        let Some((against, of)) = broken else { return };
        checker.suspect = true;
        checker.recent.clear();
        self.calibration.forget_checkers(checker.kind);
        for canary in self.chooser.ended_of(id) {
            self.failed(now, canary.lender);
        }
        let mut quarantined = Vec::new();
        for (node, lender) in &mut self.lenders {
            let struck = lender.trails.remove(&id).is_some();
            match &lender.quarantined {
                None => lender.suspect(now),
                Some(evidence) if struck && !evidence.confirmed => quarantined.push(*node),
                Some(_) => {}
            }
        }
        self.chooser.due().into_iter().for_each(|node| self.refresh(node));
        out.push(Output::CheckerSuspect { checker: id, against, of, quarantined });
    }

    fn judge(&mut self, now: Millis, node: NodeId, null: f64, out: &mut Vec<Output>) {
        let Some(lender) = self.lenders.get(&node) else { return };
        let against: Vec<(NodeId, f64)> =
            lender.trails.iter().map(|(by, trail)| (*by, trail.score())).filter(|by| by.1 >= CONFIRM).collect();
        let confirmed = match against[..] {
            [] => return,
            [(by, score)] if score >= CONVICT && !self.has_second(now, lender, by) => false,
            [_] => return,
            _ => true,
        };
        let by = lender.trails.iter().map(|(checker, trail)| Testimony {
            checker: *checker,
            checks: trail.checks,
            positions: trail.positions,
            different: trail.different,
            score: trail.score(),
        });
        let evidence = Evidence { at: now, jobs: lender.jobs, confirmed, null, by: by.collect() };
        self.quarantine(now, node, evidence, out);
    }

    /// Whether a checker other than `first` could say something about this lender before long.
    fn has_second(&self, now: Millis, lender: &Lender, first: NodeId) -> bool {
        let since = lender.suspected.map_or(now, |suspicion| suspicion.since);
        let silent = |id: &NodeId| {
            now.since(since) >= SECOND_WAIT_MS && lender.trails.get(id).is_none_or(|trail| trail.last < since)
        };
        self.checkers.iter().any(|(id, checker)| {
            *id != first
                && !checker.suspect
                && (checker.up || now.since(checker.seen) < CHECKER_GONE_MS)
                && checker.models.iter().any(|model| lender.models.contains(model))
                && !silent(id)
        })
    }

    fn quarantine(&mut self, now: Millis, node: NodeId, evidence: Evidence, out: &mut Vec<Output>) {
        while self.quarantines.front().is_some_and(|at| now.since(*at) >= DAY_MS) {
            self.quarantines.pop_front();
        }
        let most = (self.lenders.len() * QUARANTINES_SHARE / 100).max(QUARANTINES_MIN);
        let Some(lender) = self.lenders.get_mut(&node) else { return };
        if self.quarantines.len() >= most {
            if !std::mem::replace(&mut lender.held, true) {
                out.push(Output::Held { lender: node, evidence });
            }
            return;
        }
        self.quarantines.push_back(now);
        lender.suspected = None;
        lender.quarantined = Some(evidence.clone());
        self.calibration.forget(node);
        out.push(Output::Quarantine { lender: node, evidence });
    }

    fn released(&mut self, node: NodeId) {
        if let Some(checker) = self.checkers.get_mut(&node) {
            checker.suspect = false;
            checker.recent.clear();
        }
        if let Some(lender) = self.lenders.get_mut(&node).filter(|lender| lender.quarantined.is_some()) {
            let before = std::mem::take(lender);
            *lender = Lender {
                up: before.up,
                seen: before.seen,
                kind: before.kind,
                models: before.models,
                in_flight: before.in_flight,
                credit: DUE,
                ..Lender::default()
            };
        }
        self.refresh(node);
    }

    fn tick(&mut self, now: Millis, out: &mut Vec<Output>) {
        while let Some(due) = self.follow_ups.first().copied().filter(|due| due.0 <= now) {
            self.follow_ups.remove(&due);
            if let Some(suspicion) = self.lenders.get_mut(&due.1).and_then(|lender| lender.suspected.as_mut()) {
                suspicion.urgent = true;
                self.refresh(due.1);
            }
        }
        while let Some(canary) = self.chooser.expired(now) {
            self.failed(now, canary.lender);
        }
        if !self.policy.canaries {
            return;
        }
        while let Some((check, canary)) = self.chooser.choose(now, self.policy, &self.lenders, &self.checkers) {
            if let Some(lender) = self.lenders.get_mut(&canary.lender) {
                lender.credit = lender.credit.saturating_sub(DUE);
                lender.in_flight = true;
                lender.served.clear();
                if let Some(suspicion) = &mut lender.suspected {
                    suspicion.urgent = false;
                }
            }
            self.refresh(canary.lender);
            out.push(Output::Canary { check, checker: canary.checker, lender: canary.lender, model: canary.model });
        }
    }
}

/// Room for one more entry: if there is none, what is least recent among what may go goes.
fn make_room<T>(
    known: &mut BTreeMap<NodeId, T>,
    node: NodeId,
    most: usize,
    free: impl Fn(&T) -> Option<Millis>,
) -> bool {
    if known.len() < most || known.contains_key(&node) {
        return true;
    }
    let oldest = known.iter().filter_map(|(node, entry)| free(entry).map(|seen| (seen, *node))).min();
    oldest.is_some_and(|(_, node)| known.remove(&node).is_some())
}

/// What `checker` has seen; if there is no room for it, what says least goes.
fn make_trail(trails: &mut BTreeMap<NodeId, Trail>, checker: NodeId) -> &mut Trail {
    if trails.len() >= TRAILS_MAX && !trails.contains_key(&checker) {
        let least = trails.iter().min_by(|a, b| a.1.score().total_cmp(&b.1.score())).map(|(node, _)| *node);
        least.and_then(|node| trails.remove(&node));
    }
    trails.entry(checker).or_default()
}
