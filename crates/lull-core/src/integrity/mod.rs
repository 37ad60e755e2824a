//! Which lenders give answers that are not the model's: the relay's judge.
//!
//! Feed [`Integrity::handle`] in the order things happen, perform the outputs, and send [`Input::Tick`] when
//! [`Integrity::next_deadline`] has passed. It asks the organisation's own nodes (*checkers*) to check lenders, and
//! says which lenders to quarantine. A quarantine ends only with [`Input::Released`].
//!
//! # What is seen
//! A check compares `n` token positions of one answer, `m` of which differ from what the checker computes after the
//! lender's own prefix. Honest machines differ now and then: floats add up in another order. With the seed fixed, over
//! 98 % of tokens were equal between honest servers (arXiv 2511.20621), hence [`CEILING`].
//!
//! # What is held against a lender
//! The *null* `p0` of a (model, lender's kind, checker's kind) is the most that an honest lender is thought to differ:
//! [`HEADROOM`] times the lower median of the lenders' rates plus [`MARGIN`], at most [`CEILING`]. Each lender has one
//! vote in that median, so fewer than half of a kind cannot raise it above what the others show. Under the null, `m`
//! is beta-binomial with mean `p0` and concentration [`CONCENTRATION`]: differences come in clumps, as some texts
//! have more near-ties than others. Each [`ALTERNATIVES`] entry says "a share of the answers differs by so much
//! more", and gives each check a likelihood ratio `L`. Its mean under the null is 1, and smaller for any machine that
//! differs less. For check number `k`, each alternative's score becomes `L * (score + 1 / (k * (k + 1)))`: a bet of
//! the k-th part of a stake of 1 that the cheating starts now, so years of good conduct are no credit to draw on. The
//! mean of the scores plus what is not yet bet is a supermartingale that starts at 1; Ville's inequality bounds the
//! chance that an honest lender *ever* reaches a score of `x` with one checker by `1 / x`, however often one looks
//! and however the checks are timed.
//!
//! # When it is enough
//! - [`CONFIRM`] with each of two checkers. Were one of them broken in any way, the other still holds the chance of
//!   convicting an honest lender to 1 in 1,000 for good; with both sound, it is about that squared.
//! - [`CONVICT`] with one checker, if there is no second: a chance of 1 in 10,000. A second one that gave no result
//!   for [`SECOND_WAIT_MS`] is no second one.
//! - A checker that finds guilty, and no other checker agrees, [`SUSPECT_LENDERS_MIN`] lenders and one in
//!   [`SUSPECT_ONE_IN`] of those it checked (the last [`RECENT_MAX`], or all) is itself not believed any more
//!   ([`Output::CheckerSuspect`]), and what it said is struck out.
//! - No more than [`QUARANTINES_SHARE`] of the lenders are quarantined within a day: what looks like more is most
//!   likely an update that changed the arithmetic, and a person decides ([`Output::Held`]).
//!
//! The bound needs what it assumes: no honest lender differs more than the null. `tests_simulation.rs` measures what
//! happens, and docs/integrity.md says what that means in practice. Scores are only added, multiplied and divided, so
//! they come out the same on every machine.

mod calibration;
mod choose;
mod evidence;
mod machine;
mod saved;

use lull_types::{ModelHash, NodeId};

use crate::Millis;

pub use evidence::{ALTERNATIVES, Alternative, Trail};
pub use machine::Integrity;
pub use saved::{Saved, SavedCell, SavedChecker, SavedLender};

/// How many times the lenders' median rate an honest lender may differ. In the simulation they reach this.
pub const HEADROOM: f64 = 2.0;
/// What an honest lender may differ beyond that, as a share of positions.
pub const MARGIN: f64 = 0.002;
/// The most that any honest lender is thought to differ, as a share of positions.
pub const CEILING: f64 = 0.03;
/// The null of a lender whose kind is the checker's, until enough lenders have shown theirs.
pub const PRIOR_SAME_KIND: f64 = 0.005;
/// The null of a lender of another kind, until enough lenders have shown theirs.
pub const PRIOR_OTHER_KIND: f64 = 0.01;
/// The null from which kinds count as unusually different.
pub const DIFFERS: f64 = 0.02;
/// How alike an honest machine's answers are: the beta-binomial's concentration, in positions.
pub const CONCENTRATION: f64 = 100.0;
/// The score from which a lender is checked more often.
pub const SUSPICIOUS: f64 = 20.0;
/// The score that convicts when two checkers reach it.
pub const CONFIRM: f64 = 1_000.0;
/// The score that convicts when there is only one checker.
pub const CONVICT: f64 = 10_000.0;
/// The most that one check multiplies a score by: no single answer says more.
pub const RATIO_MAX: f64 = 1e6;
/// Scores are not counted further.
pub const SCORE_MAX: f64 = 1e18;

/// Positions of one check that count; a larger check counts in proportion.
pub const POSITIONS_MAX: u32 = 256;
/// Lenders of a kind that must have shown their rate before it counts.
pub const CALIBRATION_LENDERS_MIN: usize = 5;
/// Positions at which a lender must have been checked to have shown its rate.
pub const CALIBRATION_POSITIONS_MIN: u32 = 256;
/// Positions after which a lender's older ones count half.
pub const CALIBRATION_POSITIONS_MAX: u32 = 1 << 14;
/// Lenders that vote on one null.
pub const CALIBRATION_LENDERS_MAX: usize = 512;
/// Nulls that are kept, one for each (model, lender's kind, checker's kind).
pub const CELLS_MAX: usize = 4_096;

/// How long a canary may take, in milliseconds.
pub const CHECK_MAX_MS: u64 = 600_000;
/// Canaries of one checker at once.
pub const CHECKER_IN_FLIGHT_MAX: usize = 2;
/// Canaries that may go out at once after a pause.
pub const BURST_MAX: u64 = 8;
/// The first checks of a lender, which come [`PROBATION_FACTOR`] times as often.
pub const PROBATION_CHECKS: u32 = 12;
/// How much more often a new lender is checked.
pub const PROBATION_FACTOR: u64 = 4;
/// How long after a suspicious check the next is due, in milliseconds.
pub const FOLLOW_UP_MS: u64 = 20 * 60_000;
/// How many further checks a suspicion is worth, until it is over.
pub const FOLLOW_UPS_MAX: u32 = 64;
/// How long nothing is looked for after nothing was found, in milliseconds.
pub const LOOK_AGAIN_MS: u64 = 10_000;
/// How long a second checker that gives no result is waited for, in milliseconds.
pub const SECOND_WAIT_MS: u64 = 7 * DAY_MS;
/// How long a checker that is gone still counts as one, in milliseconds.
pub const CHECKER_GONE_MS: u64 = DAY_MS;
/// The lenders that a checker checked last and that say whether it is sound.
pub const RECENT_MAX: usize = 24;
/// A checker is suspected for this many lenders that it alone finds guilty, and ...
pub const SUSPECT_LENDERS_MIN: usize = 4;
/// ... beyond these, one in so many of those it checked. Even with one cheat in ten and nobody else to confirm them, a
/// sound checker hardly gets there (docs/integrity.md).
pub const SUSPECT_ONE_IN: usize = 4;
/// Lenders that may be quarantined within a day in any case.
pub const QUARANTINES_MIN: usize = 3;
/// The share of lenders that may be quarantined within a day, in percent.
pub const QUARANTINES_SHARE: usize = 20;
/// A day, in milliseconds.
pub const DAY_MS: u64 = 24 * 3_600_000;

/// Lenders that are judged.
pub const LENDERS_MAX: usize = 20_000;
/// Checkers that are known.
pub const CHECKERS_MAX: usize = 64;
/// Checkers whose word on one lender is kept.
pub const TRAILS_MAX: usize = 8;
/// Models of one node that count.
pub const MODELS_PER_NODE_MAX: usize = 32;
/// The most canaries in an hour that a policy may ask for.
pub const PER_HOUR_MAX: u32 = 100_000;

/// What computes alike: engine and its version, instruction set, accelerator, put into one number by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MachineKind(pub u64);

/// Which canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(pub u64);

/// What a node is to the judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// One of the organisation's own dedicated nodes: it is believed, and not checked.
    Checker,
    /// Any other.
    Lender,
}

/// How much is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether canaries are asked for. What is reported is judged in any case.
    pub canaries: bool,
    /// Canaries for every thousand jobs of a lender, at most 1,000.
    pub per_thousand_jobs: u32,
    /// The most canaries in an hour, over all lenders, 1 to [`PER_HOUR_MAX`].
    pub per_hour_max: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { canaries: true, per_thousand_jobs: 20, per_hour_max: 1_200 }
    }
}

/// What a checker found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// The canary that this answers. `None`: a spot check, of an answer that was drawn before anybody had seen it.
    pub check: Option<CheckId>,
    /// Who was checked.
    pub lender: NodeId,
    /// Who checked.
    pub checker: NodeId,
    /// The model.
    pub model: ModelHash,
    /// Token positions that were compared.
    pub positions: u32,
    /// How many of them differ, each after the lender's own prefix.
    pub different: u32,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A node is there, or offers something else than before.
    NodeUp {
        /// The node.
        node: NodeId,
        /// What it is, by the organisation's rules and never by its own word.
        role: Role,
        /// Its kind.
        kind: MachineKind,
        /// The models it runs; the first [`MODELS_PER_NODE_MAX`] count.
        models: Vec<ModelHash>,
    },
    /// A node is gone.
    NodeDown {
        /// The node.
        node: NodeId,
    },
    /// A lender has served jobs, canaries among them.
    Served {
        /// The lender.
        lender: NodeId,
        /// With which model.
        model: ModelHash,
        /// How many.
        jobs: u32,
    },
    /// A checker has compared an answer.
    Checked(Checked),
    /// A canary led to no comparison: no answer, or the checker could not compute.
    Failed {
        /// Which.
        check: CheckId,
    },
    /// How much is checked from now on.
    Policy(Policy),
    /// A person has looked at a quarantined lender or a suspected checker, and lets it back.
    Released {
        /// The node.
        node: NodeId,
    },
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Have a checker ask a lender a question of its own stock, like anybody, and compare the answer.
    Canary {
        /// To be named in the result.
        check: CheckId,
        /// Who asks.
        checker: NodeId,
        /// Who is asked.
        lender: NodeId,
        /// With which model.
        model: ModelHash,
    },
    /// Give this lender no job until it is released.
    Quarantine {
        /// The lender.
        lender: NodeId,
        /// Why.
        evidence: Evidence,
    },
    /// This lender would be quarantined, but so many were within a day that a person must look. Said once.
    Held {
        /// The lender.
        lender: NodeId,
        /// Why.
        evidence: Evidence,
    },
    /// This checker finds many lenders guilty, and nobody agrees with it: it is not asked or believed.
    CheckerSuspect {
        /// The checker.
        checker: NodeId,
        /// Lenders it found guilty.
        against: usize,
        /// Of how many it checked last.
        of: usize,
        /// Lenders whose quarantine rests on its word alone: a person may want to release them.
        quarantined: Vec<NodeId>,
    },
    /// Machines of two kinds differ more than is usual for honest ones, so what they hide is harder to see. Said once.
    KindDiffers {
        /// With which model.
        model: ModelHash,
        /// The lenders' kind.
        lender: MachineKind,
        /// The checkers' kind.
        checker: MachineKind,
        /// The share of positions up to which such a lender counts as honest.
        null: f64,
    },
    /// This node is one too many to be known here ([`LENDERS_MAX`], [`CHECKERS_MAX`]): it is not judged, not believed.
    Unknown {
        /// The node.
        node: NodeId,
    },
}

/// Why a lender is quarantined, as plain figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// When.
    pub at: Millis,
    /// Jobs the lender has served since it was first seen or last released.
    pub jobs: u64,
    /// Two checkers agree; otherwise there was only one.
    pub confirmed: bool,
    /// The share of positions at which an honest one would differ at most, in the check that decided.
    pub null: f64,
    /// What each checker that is believed has found.
    pub by: Vec<Testimony>,
}

/// What one checker has found about one lender.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Testimony {
    /// The checker.
    pub checker: NodeId,
    /// Answers it compared.
    pub checks: u32,
    /// Token positions in them.
    pub positions: u64,
    /// How many differed.
    pub different: u64,
    /// The score: an honest lender ever reaches this with a chance of at most 1 in so many.
    pub score: f64,
}

/// What is known about a lender.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Jobs it has served since it was first seen or last released.
    pub jobs: u64,
    /// Answers of it that were compared in that time.
    pub checks: u32,
    /// It is checked more often for now.
    pub suspicious: bool,
    /// Why it is quarantined, if it is.
    pub quarantined: Option<Evidence>,
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_property;
#[cfg(test)]
mod tests_simulation;
