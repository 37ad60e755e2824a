use std::collections::{BTreeMap, VecDeque};

use lull_types::{ModelHash, NodeId};

use super::{
    CHECKERS_MAX, Evidence, Integrity, LENDERS_MAX, MachineKind, RECENT_MAX, SCORE_MAX, TRAILS_MAX, Trail,
    choose::DUE,
    machine::{Checker, Lender},
};
use crate::Millis;

/// What the judge must not forget, as plain data. Who is there, canaries that are out and what is due are not part of
/// it: they come anew.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Saved {
    /// The number of the next canary.
    pub next_check: u64,
    /// Every lender, by node.
    pub lenders: Vec<SavedLender>,
    /// Every checker, by node.
    pub checkers: Vec<SavedChecker>,
    /// What honest machines were seen to differ.
    pub cells: Vec<SavedCell>,
    /// When lenders were quarantined within the last day, the latest at the end.
    pub quarantines: Vec<Millis>,
}

/// A lender's record.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedLender {
    /// The lender.
    pub node: NodeId,
    /// When it was last there.
    pub seen: Millis,
    /// Its kind.
    pub kind: MachineKind,
    /// Jobs it has served since it was first seen or last released.
    pub jobs: u64,
    /// Answers of it that were compared in that time.
    pub checks: u32,
    /// What each checker has seen of it.
    pub trails: Vec<(NodeId, Trail)>,
    /// It was said that it would be quarantined, were there not so many.
    pub held: bool,
    /// Why it is quarantined, if it is.
    pub quarantined: Option<Evidence>,
}

/// A checker's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedChecker {
    /// The checker.
    pub node: NodeId,
    /// When it was last there.
    pub seen: Millis,
    /// Its kind.
    pub kind: MachineKind,
    /// It is not believed any more.
    pub suspect: bool,
    /// The lenders it checked last, the latest at the end.
    pub recent: Vec<NodeId>,
}

/// What one lender showed to checkers of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedCell {
    /// With which model.
    pub model: ModelHash,
    /// The lender's kind.
    pub lender_kind: MachineKind,
    /// The checker's kind.
    pub checker_kind: MachineKind,
    /// The lender.
    pub lender: NodeId,
    /// Token positions compared; older ones count half.
    pub positions: u32,
    /// How many of these differed.
    pub different: u32,
}

impl Integrity {
    /// What must not be forgotten.
    #[must_use]
    pub fn saved(&self) -> Saved {
        Saved {
            next_check: self.chooser.next_check(),
            lenders: self.lenders.iter().map(|(node, lender)| saved_lender(*node, lender)).collect(),
            checkers: self.checkers.iter().map(|(node, checker)| saved_checker(*node, checker)).collect(),
            cells: self
                .calibration
                .counts()
                .map(|((model, lender_kind, checker_kind), lender, positions, different)| SavedCell {
                    model,
                    lender_kind,
                    checker_kind,
                    lender,
                    positions,
                    different,
                })
                .collect(),
            quarantines: self.quarantines.iter().copied().collect(),
        }
    }

    /// One lender's part of [`Self::saved`], for a ledger that writes what has changed.
    #[must_use]
    pub fn saved_lender(&self, node: NodeId) -> Option<SavedLender> {
        self.lenders.get(&node).map(|lender| saved_lender(node, lender))
    }

    /// A judge that goes on from what was saved. `seed` should be the one it had; time must go on, too. What is out of
    /// its bounds is cut to them, and a score that is no number counts as none.
    #[must_use]
    pub fn restore(seed: u64, saved: Saved) -> Self {
        let mut judge = Self::new(seed);
        judge.chooser.number_from(saved.next_check);
        for record in saved.lenders.into_iter().take(LENDERS_MAX) {
            judge.lenders.insert(record.node, restored_lender(record));
        }
        for record in saved.checkers.into_iter().take(CHECKERS_MAX) {
            let skip = record.recent.len().saturating_sub(RECENT_MAX);
            let checker = Checker {
                seen: record.seen,
                kind: record.kind,
                suspect: record.suspect,
                recent: record.recent.into_iter().skip(skip).collect::<VecDeque<_>>(),
                ..Checker::default()
            };
            judge.checkers.insert(record.node, checker);
        }
        judge.calibration.restore(saved.cells.into_iter().map(|cell| {
            ((cell.model, cell.lender_kind, cell.checker_kind), cell.lender, cell.positions, cell.different)
        }));
        // More than there are lenders cannot have been quarantined.
        judge.quarantines = saved.quarantines.into_iter().take(LENDERS_MAX).collect();
        judge
    }
}

fn saved_lender(node: NodeId, lender: &Lender) -> SavedLender {
    SavedLender {
        node,
        seen: lender.seen,
        kind: lender.kind,
        jobs: lender.jobs,
        checks: lender.checks,
        trails: lender.trails.iter().map(|(checker, trail)| (*checker, *trail)).collect(),
        held: lender.held,
        quarantined: lender.quarantined.clone(),
    }
}

fn saved_checker(node: NodeId, checker: &Checker) -> SavedChecker {
    SavedChecker {
        node,
        seen: checker.seen,
        kind: checker.kind,
        suspect: checker.suspect,
        recent: checker.recent.iter().copied().collect(),
    }
}

fn restored_lender(record: SavedLender) -> Lender {
    let mut quarantined = record.quarantined;
    if let Some(evidence) = &mut quarantined {
        let number = |figure: f64, most: f64| if figure.is_finite() { figure.clamp(0.0, most) } else { 0.0 };
        evidence.null = number(evidence.null, 1.0);
        evidence.by.truncate(TRAILS_MAX);
        for by in &mut evidence.by {
            by.score = number(by.score, SCORE_MAX);
        }
    }
    let trails = record.trails.into_iter().take(TRAILS_MAX).map(|(checker, trail)| (checker, trail.sound()));
    let mut lender = Lender {
        seen: record.seen,
        kind: record.kind,
        jobs: record.jobs,
        checks: record.checks,
        credit: DUE,
        trails: trails.collect::<BTreeMap<_, _>>(),
        held: record.held,
        quarantined,
        ..Lender::default()
    };
    if lender.quarantined.is_none() {
        lender.suspect(record.seen);
    }
    lender
}
