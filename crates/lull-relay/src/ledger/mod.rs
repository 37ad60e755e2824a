//! What the relay keeps: who belongs, what ran, who used what. Never what was said.

mod audit;
mod org;
mod rows;
mod schema;
mod sqlite;
mod thread;

use futures::future::BoxFuture;
use lull_core::scheduler::Used;
use lull_types::{Epoch, JobId, ModelHash, NodeId, Usage};
use lull_wire::{
    Signed,
    identity::{Device, DeviceChain},
    job::{Outcome, Receipt},
};

use crate::login::Person;
pub use audit::{Audit, AuditRow, Deed};
pub(crate) use audit::{hex, in_transaction, note, read as audit};
pub use org::Orders;
pub(crate) use org::{policy, push_policy, release, user_of};
pub use rows::{NodeRow, UsageRow};
pub(crate) use sqlite::{create, nodes, open, revoke, usage};
pub use thread::SqliteLedger;

/// How long after its certificate ended a node may still renew it, in seconds.
pub const RENEW_LATE_MAX_S: u64 = 90 * 86_400;
/// How long single runs and receipts are kept, in days. The sums of each day stay.
pub const RUNS_KEPT_DAYS: u64 = 90;

/// The ledger could not read or write.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The database said no.
    #[error("the ledger failed: {0}")]
    Database(String),
    /// Its thread is gone: the relay is shutting down.
    #[error("the ledger is closed")]
    Closed,
}

/// A device that asks for a transport certificate; its chain has been followed to root.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The device.
    pub device: Device,
    /// Its chain.
    pub chain: DeviceChain,
    /// Now, in seconds since 1970.
    pub now_s: u64,
    /// When the certificate would end, in seconds since 1970.
    pub not_after_s: u64,
}

/// What the ledger says to an [`Enrolment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolled {
    /// A new member; its invitation has one use less.
    Joined,
    /// A member already.
    Renewed,
    /// Its invitation has no use left, or none for this name.
    Used,
    /// Its invitation ended, or it was away for too long.
    Expired,
    /// It was revoked.
    Revoked,
}

/// What the ledger knows of a node that connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It may come in, as what it joined as.
    Member {
        /// The invitation that it joined with.
        invitation: [u8; 16],
        /// The name that it joined under.
        name: String,
    },
    /// It was revoked.
    Revoked,
    /// It never enrolled here.
    Unknown,
}

/// A run that was granted.
#[derive(Debug, Clone)]
pub struct Run {
    /// The job.
    pub job: JobId,
    /// The run.
    pub epoch: Epoch,
    /// Who asked.
    pub submitter: NodeId,
    /// Who answers.
    pub lender: NodeId,
    /// Whose share it counts for.
    pub team: String,
    /// The model's name.
    pub model: String,
    /// The model's bytes.
    pub hash: ModelHash,
    /// When, in seconds since 1970.
    pub granted_s: u64,
}

/// A receipt whose signature has been checked against its node's key.
#[derive(Debug, Clone)]
pub struct CheckedReceipt {
    /// What it says.
    pub receipt: Receipt,
    /// As it was signed.
    pub signed: Signed<Receipt>,
    /// When it came, in seconds since 1970.
    pub received_s: u64,
}

/// What a receipt changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The run is settled, with what the receipt says.
    Settled {
        /// Tokens.
        usage: Usage,
        /// How it ended.
        outcome: Outcome,
    },
    /// The run was settled before; both words agree.
    Agreed {
        /// The larger counts of the two, if this word made them larger.
        more: Option<Usage>,
    },
    /// The run was settled before; the words differ, and the run is marked.
    Disputed {
        /// The larger counts of the two, if this word made them larger.
        more: Option<Usage>,
    },
    /// This side had spoken before; nothing changed.
    Repeated,
    /// No such run, or the node had no part in it; nothing changed.
    Foreign,
}

/// The relay's memory. Every future resolves after the change is safe on the disk, never before.
pub trait Ledger: Send + Sync + 'static {
    /// Counts an invitation's use, once per device, and writes the device down.
    fn enrol(&self, enrolment: Enrolment) -> BoxFuture<'_, Result<Enrolled, LedgerError>>;

    /// Whether a node may come in.
    fn standing(&self, node: NodeId) -> BoxFuture<'_, Result<Standing, LedgerError>>;

    /// A node was here, with this version of Lull.
    fn seen(&self, node: NodeId, version: String, now_s: u64) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// Shuts a node out at the word of `by`; false if it is not known.
    fn revoke(&self, node: NodeId, now_s: u64, by: String) -> BoxFuture<'_, Result<bool, LedgerError>>;

    /// What counts for everybody now.
    fn orders(&self) -> BoxFuture<'_, Result<Orders, LedgerError>>;

    /// A node asks with the member key of this id.
    fn member(&self, node: NodeId, member: NodeId) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// What was asked on a day, counted from 1970-01-01 in UTC.
    fn used(&self, day: u64) -> BoxFuture<'_, Result<Vec<Used>, LedgerError>>;

    /// Whoever works at a node has logged in.
    fn login(&self, node: NodeId, person: Person, now_s: u64) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// Whoever logged in last at a node.
    fn person(&self, node: NodeId) -> BoxFuture<'_, Result<Option<Person>, LedgerError>>;

    /// A node gets no job any more, and why.
    fn quarantine(&self, node: NodeId, why: String, now_s: u64) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// Every node that gets no job, and since when, in seconds since 1970.
    fn quarantined(&self) -> BoxFuture<'_, Result<Vec<(NodeId, u64)>, LedgerError>>;

    /// A run was granted.
    fn granted(&self, run: Run) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// Settles a run from one side's word: exactly once, whoever speaks first and however often.
    fn settle(&self, receipt: CheckedReceipt) -> BoxFuture<'_, Result<Settlement, LedgerError>>;

    /// A model was offered for the first time.
    fn learned(&self, model: String, now_s: u64) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// All models that were ever offered.
    fn models(&self) -> BoxFuture<'_, Result<Vec<String>, LedgerError>>;

    /// The audit log tells that `by` did this.
    fn note(&self, now_s: u64, by: String, deed: Deed) -> BoxFuture<'_, Result<(), LedgerError>>;

    /// How many times changes were brought to the disk since the start.
    fn commits(&self) -> u64;
}
