use std::collections::BTreeMap;

use lull_types::{ModelHash, NodeId};

use super::{
    CALIBRATION_LENDERS_MAX, CALIBRATION_LENDERS_MIN, CALIBRATION_POSITIONS_MAX, CALIBRATION_POSITIONS_MIN, CEILING,
    CELLS_MAX, DIFFERS, HEADROOM, MARGIN, MachineKind, PRIOR_OTHER_KIND, PRIOR_SAME_KIND,
};

/// Before a lender has been checked much, its rate is drawn towards this many positions ...
const PRIOR_POSITIONS: f64 = 100.0;
/// ... of which this many differ: towards differing much, as too low a null would convict honest ones.
const PRIOR_DIFFERENT: f64 = 1.0;
/// Checks of one cell after which its null is computed again, once many lenders vote.
const COMPUTE_EVERY: u32 = 16;

/// What compares: a model, the lender's kind, the checker's kind.
pub(super) type CellId = (ModelHash, MachineKind, MachineKind);

/// How much honest machines differ, learnt from what most lenders show.
#[derive(Debug, Default)]
pub(super) struct Calibration {
    cells: BTreeMap<CellId, Cell>,
}

#[derive(Debug, Default)]
struct Cell {
    counts: BTreeMap<NodeId, (u32, u32)>,
    /// The null, once enough lenders have shown their rates.
    null: Option<f64>,
    /// Checks since the null was computed.
    stale: u32,
    /// That it is high was said.
    told: bool,
}

impl Calibration {
    /// The most that an honest lender differs, as a share of positions.
    pub(super) fn null(&self, id: CellId) -> f64 {
        let prior = if id.1 == id.2 { PRIOR_SAME_KIND } else { PRIOR_OTHER_KIND };
        self.cells.get(&id).and_then(|cell| cell.null).unwrap_or(prior)
    }

    /// Takes one check into account; says so once when it shows that honest ones differ unusually much.
    pub(super) fn add(&mut self, id: CellId, lender: NodeId, positions: u32, different: u32) -> Option<f64> {
        // An answer that has nothing to do with the model's says nothing about rounding.
        if different.saturating_mul(3) > positions || (self.cells.len() >= CELLS_MAX && !self.cells.contains_key(&id)) {
            return None;
        }
        let cell = self.cells.entry(id).or_default();
        if cell.counts.len() >= CALIBRATION_LENDERS_MAX && !cell.counts.contains_key(&lender) {
            return None;
        }
        let count = cell.counts.entry(lender).or_default();
        count.0 = count.0.saturating_add(positions);
        count.1 = count.1.saturating_add(different);
        if count.0 > CALIBRATION_POSITIONS_MAX {
            *count = (count.0 / 2, count.1 / 2);
        }
        cell.stale += 1;
        if cell.stale >= COMPUTE_EVERY || cell.counts.len() <= usize::try_from(COMPUTE_EVERY).unwrap_or(0) {
            cell.compute();
        }
        let high = cell.null.filter(|null| *null >= DIFFERS && !cell.told);
        cell.told |= high.is_some();
        high
    }

    /// A lender has no vote any more.
    pub(super) fn forget(&mut self, lender: NodeId) {
        for cell in self.cells.values_mut() {
            if cell.counts.remove(&lender).is_some() {
                cell.compute();
            }
        }
        self.cells.retain(|_, cell| !cell.counts.is_empty());
    }

    /// What was learnt with checkers of this kind is void.
    pub(super) fn forget_checkers(&mut self, kind: MachineKind) {
        self.cells.retain(|id, _| id.2 != kind);
    }

    /// Every count: cell, lender, positions, different.
    pub(super) fn counts(&self) -> impl Iterator<Item = (CellId, NodeId, u32, u32)> + '_ {
        self.cells.iter().flat_map(|(id, cell)| {
            cell.counts.iter().map(|(lender, (positions, different))| (*id, *lender, *positions, *different))
        })
    }

    /// Takes back what [`Self::counts`] said, within the same bounds.
    pub(super) fn restore(&mut self, counts: impl Iterator<Item = (CellId, NodeId, u32, u32)>) {
        for (id, lender, positions, different) in counts {
            if self.cells.len() >= CELLS_MAX && !self.cells.contains_key(&id) {
                continue;
            }
            let cell = self.cells.entry(id).or_default();
            if cell.counts.len() < CALIBRATION_LENDERS_MAX {
                let positions = positions.min(CALIBRATION_POSITIONS_MAX);
                cell.counts.insert(lender, (positions, different.min(positions)));
            }
        }
        for cell in self.cells.values_mut() {
            cell.compute();
            cell.told = cell.null.is_some_and(|null| null >= DIFFERS);
        }
    }
}

impl Cell {
    fn compute(&mut self) {
        self.stale = 0;
        let mut rates: Vec<f64> = self
            .counts
            .values()
            .filter(|(positions, _)| *positions >= CALIBRATION_POSITIONS_MIN)
            .map(|(positions, different)| {
                (f64::from(*different) + PRIOR_DIFFERENT) / (f64::from(*positions) + PRIOR_POSITIONS)
            })
            .collect();
        rates.sort_by(f64::total_cmp);
        self.null = (rates.len() >= CALIBRATION_LENDERS_MIN)
            .then(|| (HEADROOM * rates[(rates.len() - 1) / 2] + MARGIN).min(CEILING));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: CellId = (ModelHash([1; 32]), MachineKind(1), MachineKind(2));

    fn learn(rates: &[u32]) -> Calibration {
        let mut calibration = Calibration::default();
        for (lender, different) in (0..).zip(rates) {
            let _ = calibration.add(ID, NodeId([lender; 16]), 1_000, *different);
        }
        calibration
    }

    #[test]
    fn a_minority_cannot_teach_a_high_rate() {
        let honest = learn(&[2, 2, 2, 2, 2]).null(ID);
        let beset = learn(&[2, 2, 2, 2, 2, 300, 300, 300, 300]).null(ID);
        assert_eq!(honest, beset);
        assert!((HEADROOM * 0.002..HEADROOM * 0.003 + MARGIN).contains(&honest), "{honest}");
    }

    #[test]
    fn not_even_a_majority_teaches_more_than_the_ceiling() {
        assert_eq!(learn(&[300; 9]).null(ID), CEILING);
        assert_eq!(learn(&[400; 9]).null(ID), PRIOR_OTHER_KIND, "garbage is not rounding");
    }

    #[test]
    fn few_lenders_teach_nothing_and_kinds_are_apart() {
        assert_eq!(learn(&[9; CALIBRATION_LENDERS_MIN - 1]).null(ID), PRIOR_OTHER_KIND);
        let learnt = learn(&[9; CALIBRATION_LENDERS_MIN]);
        assert!(learnt.null(ID) > PRIOR_OTHER_KIND);
        assert_eq!(learnt.null((ID.0, ID.1, ID.1)), PRIOR_SAME_KIND);
    }

    #[test]
    fn a_high_rate_is_said_once() {
        let mut calibration = learn(&[20; CALIBRATION_LENDERS_MIN - 1]);
        assert!(calibration.add(ID, NodeId([9; 16]), 1_000, 20).is_some());
        assert!(calibration.add(ID, NodeId([9; 16]), 1_000, 20).is_none());
    }
}
