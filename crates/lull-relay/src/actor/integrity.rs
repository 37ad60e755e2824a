//! Who checks whom, and what follows from it: the pure judge's decisions, performed.

use std::collections::BTreeMap;

use lull_core::{
    integrity::{self, CheckId, Checked, Evidence, Integrity, Output, Policy, Role},
    scheduler::{self, Input},
};
use lull_policy::Checks;
use lull_types::{Label, ModelHash, NodeId};
use lull_wire::control::{Found, FromRelay};

use super::{Actor, RunId};
use crate::recorder::Record;

/// Runs whose lender is remembered until they end.
const SERVING_MAX: usize = 65_536;

/// What the judge needs of the relay's world.
#[derive(Debug)]
pub(crate) struct Bench {
    seed: u64,
    pub(super) judge: Integrity,
    checks: Checks,
    rules: std::sync::Arc<lull_policy::OrgRules>,
    /// Checks that are out: who asks whom, and whether they have.
    out: BTreeMap<u64, Out>,
    /// What each node offers, by name.
    offers: BTreeMap<NodeId, BTreeMap<ModelHash, String>>,
    /// The labels that each node takes.
    labels: BTreeMap<NodeId, Vec<Label>>,
    serving: BTreeMap<RunId, (NodeId, ModelHash)>,
}

#[derive(Debug, Clone, Copy)]
struct Out {
    checker: NodeId,
    lender: NodeId,
    model: ModelHash,
    begun: bool,
}

impl Bench {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            judge: Integrity::new(seed),
            checks: Checks::default(),
            rules: std::sync::Arc::default(),
            out: BTreeMap::new(),
            offers: BTreeMap::new(),
            labels: BTreeMap::new(),
            serving: BTreeMap::new(),
        }
    }

    fn role(&self, node: NodeId) -> Role {
        let by = self.checks.by.as_ref();
        if by.is_some_and(|by| by.contains(&node.to_string())) { Role::Checker } else { Role::Lender }
    }

    fn up(&self, node: NodeId) -> integrity::Input {
        let models = self.offers.get(&node).map(|models| models.keys().copied().collect()).unwrap_or_default();
        integrity::Input::NodeUp { node, role: self.role(node), kind: integrity::MachineKind::default(), models }
    }
}

impl Actor {
    /// Nodes that were found out before this relay began, and when. It sees to it that they get no job.
    pub(crate) fn quarantined_before(&mut self, nodes: &[(NodeId, u64)], now_s: u64) {
        let lately = nodes.iter().filter(|(_, since_s)| now_s.saturating_sub(*since_s) < integrity::DAY_MS / 1_000);
        let quarantines = lately.map(|_| self.clock.now()).collect();
        let known = |(node, _): &(NodeId, u64)| integrity::SavedLender {
            node: *node,
            seen: self.clock.now(),
            kind: integrity::MachineKind::default(),
            jobs: 0,
            checks: 0,
            trails: Vec::new(),
            held: false,
            quarantined: Some(Evidence { at: self.clock.now(), jobs: 0, confirmed: false, null: 0.0, by: Vec::new() }),
        };
        let lenders = nodes.iter().map(known).collect();
        let saved = integrity::Saved { lenders, quarantines, ..integrity::Saved::default() };
        self.bench.judge = Integrity::restore(self.bench.seed, saved);
        for (node, _) in nodes {
            self.input(Input::Quarantined { node: *node, on: true });
        }
    }

    /// The rules for checks are new.
    pub(super) fn follow_checks(&mut self, rules: &std::sync::Arc<lull_policy::OrgRules>) {
        self.bench.rules = rules.clone();
        self.bench.checks = rules.checks.clone();
        let usual = Policy::default();
        let policy = Policy {
            canaries: rules.checks.by.is_some(),
            per_thousand_jobs: rules.checks.per_thousand_jobs.map_or(usual.per_thousand_jobs, u32::from),
            per_hour_max: rules.checks.per_hour.unwrap_or(usual.per_hour_max),
        };
        self.judge(integrity::Input::Policy(policy));
        for node in self.bench.offers.keys().copied().collect::<Vec<_>>() {
            let up = self.bench.up(node);
            self.judge(up);
        }
    }

    /// A node offers something else than before.
    pub(super) fn offered(&mut self, node: NodeId, offer: &scheduler::Offer) {
        let models = offer.models.iter().filter(|_| offer.slots > 0);
        self.bench.offers.insert(node, models.map(|model| (model.hash, model.name.clone())).collect());
        self.bench.labels.insert(node, offer.labels.iter().cloned().collect());
        let up = self.bench.up(node);
        self.judge(up);
    }

    pub(super) fn gone(&mut self, node: NodeId) {
        self.bench.offers.remove(&node);
        self.bench.labels.remove(&node);
        self.judge(integrity::Input::NodeDown { node });
    }

    /// A run has a lender.
    pub(super) fn serves(&mut self, run: RunId, lender: NodeId, model: ModelHash) {
        self.bench.serving.insert(run, (lender, model));
        // Grants that nobody opened stay behind; they must not keep later runs from counting.
        while self.bench.serving.len() > SERVING_MAX {
            self.bench.serving.pop_first();
        }
    }

    /// A run's stream has ended.
    pub(super) fn served(&mut self, run: RunId) {
        if let Some((lender, model)) = self.bench.serving.remove(&run) {
            self.judge(integrity::Input::Served { lender, model, jobs: 1 });
        }
    }

    /// A checker asks for a lender: the one it is to check, and itself after that. None when it is not asked to check,
    /// or not any more.
    pub(super) fn direct(&mut self, submitter: NodeId, check: u64) -> Option<NodeId> {
        let out = self.bench.out.get_mut(&check).filter(|out| out.checker == submitter)?;
        let lender = if out.begun { out.checker } else { out.lender };
        out.begun = true;
        Some(lender)
    }

    /// A checker has compared, or could not.
    pub(super) fn checked(&mut self, checker: NodeId, check: u64, found: Option<Found>) {
        // Anybody may name any number: only the checker that was asked ends a check.
        if self.bench.out.get(&check).is_none_or(|out| out.checker != checker) {
            return;
        }
        let Some(out) = self.bench.out.remove(&check) else { return };
        let (check, Out { lender, model, .. }) = (CheckId(check), out);
        let input = match found.filter(|found| found.positions > 0 && found.different <= found.positions) {
            Some(Found { positions, different }) => {
                tracing::debug!(%lender, %checker, positions, different, "an answer was checked");
                let check = Some(check);
                integrity::Input::Checked(Checked { check, lender, checker, model, positions, different })
            }
            None => integrity::Input::Failed { check },
        };
        self.judge(input);
    }

    /// Somebody has looked at a quarantined lender or a checker that is not believed, and lets it back. Whether it was
    /// either.
    pub(super) fn release(&mut self, node: NodeId) -> bool {
        let was = self.bench.judge.is_quarantined(node) || self.bench.judge.suspects().any(|other| other == node);
        self.judge(integrity::Input::Released { node });
        self.input(Input::Quarantined { node, on: false });
        was
    }

    pub(super) fn judge(&mut self, input: integrity::Input) {
        for output in self.bench.judge.handle(self.clock.now(), input) {
            match output {
                Output::Canary { check, checker, lender, model } => {
                    self.canary(check, Out { checker, lender, model, begun: false })
                }
                Output::Quarantine { lender, evidence } => self.quarantine(lender, &evidence),
                Output::Held { lender, evidence } => {
                    let evidence = words(&evidence);
                    tracing::error!(%lender, evidence, "a node should be quarantined, and so many were today that a person must look");
                }
                Output::CheckerSuspect { checker, against, of, .. } => {
                    tracing::error!(%checker, against, of, "a checker finds many nodes guilty and none agrees with it: it is not believed");
                }
                Output::KindDiffers { model, null, .. } => {
                    tracing::warn!(%model, null, "machines differ more than is usual for honest ones");
                }
                Output::Unknown { node } => tracing::warn!(%node, "one node too many to be checked"),
            }
        }
    }

    fn canary(&mut self, check: CheckId, out: Out) {
        let name = self.bench.offers.get(&out.lender).and_then(|models| models.get(&out.model)).cloned();
        let Some((model, label)) = name.and_then(|name| self.label_for(out, &name).map(|label| (name, label))) else {
            return self.judge(integrity::Input::Failed { check });
        };
        self.bench.out.insert(check.0, out);
        // As many as the judge has out; what it has forgotten is of no use.
        while self.bench.out.len() > OUT_MAX {
            self.bench.out.pop_first();
        }
        self.send(out.checker, &FromRelay::Check { check: check.0, model, label });
    }

    /// A label that both may have to do with: checks obey labels like everything else.
    fn label_for(&self, out: Out, model: &str) -> Option<Label> {
        let takes = |node: NodeId, label: &Label| self.bench.labels.get(&node).is_some_and(|all| all.contains(label));
        let may_ask = |label: &Label| {
            let groups = self.scheduler.groups(out.checker).unwrap_or_default();
            self.bench.rules.may_ask(label, model, groups).is_ok()
        };
        [Label::internal(), Label::public()]
            .into_iter()
            .find(|label| takes(out.lender, label) && takes(out.checker, label) && may_ask(label))
    }

    fn quarantine(&mut self, lender: NodeId, evidence: &Evidence) {
        let why = words(evidence);
        tracing::error!(%lender, why, "a node gives answers that are not the model's: it gets no job until it is released");
        self.input(Input::Quarantined { node: lender, on: true });
        if self.recorder.try_send(Record::Quarantined { node: lender, why }).is_err() {
            tracing::error!(%lender, "a quarantine was not written down: the ledger is behind");
        }
    }
}

/// Checks that may be out.
const OUT_MAX: usize = 4_096;

/// The figures on which a quarantine rests.
fn words(evidence: &Evidence) -> String {
    let by = evidence.by.iter().map(|testimony| {
        let integrity::Testimony { checker, checks, positions, different, .. } = testimony;
        format!("{different} of {positions} tokens in {checks} answers differ, says {}", checker.short())
    });
    let null = evidence.null * 100.0;
    format!("{}; an honest machine differs in at most {null:.1} %", by.collect::<Vec<_>>().join("; "))
}
