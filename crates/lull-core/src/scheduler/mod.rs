//! Which lender runs which job, and when: the relay's one decision.
//!
//! Feed [`Scheduler::handle`] and [`Scheduler::open`] in the order things happen, perform the outputs in order, and
//! send [`Input::Tick`] when [`Scheduler::next_deadline`] has passed. A submit that was taken on ends in exactly one
//! [`Output::Grant`] or [`Output::Refused`], unless its submitter cancels it or goes away first.

mod budget;
mod fair;
mod fleet;
mod machine;
mod waiting;

use std::{collections::BTreeSet, sync::Arc};

use lull_policy::{OrgRules, Quota};
use lull_types::{Code, Epoch, JobId, Label, ModelHash, NodeId, Usage};

pub use fair::{ANSWER_WEIGHT, PROMPT_WEIGHT, Team};
pub use fleet::{ANSWER_ESTIMATE_MAX, DECODE_TPS_DEFAULT, PREFILL_TPS_DEFAULT, SLOTS_PER_NODE_MAX};
pub use machine::Scheduler;

/// The model whose name is always known.
pub const DEMO_MODEL: &str = "lull-demo";
/// How long a job waits while no node offers its model, in milliseconds.
pub const NO_OFFER_WAIT_MS: u64 = 30_000;
/// How long a job waits in all, in milliseconds.
pub const WAIT_MAX_MS: u64 = 120_000;
/// How long a lender may take to answer a reservation, in milliseconds.
pub const RESERVE_MAX_MS: u64 = 3_000;
/// How long a granted slot is kept for its stream, in milliseconds.
pub const GRANT_OPEN_MAX_MS: u64 = 30_000;
/// How long a run may stream, in milliseconds.
pub const RUN_MAX_MS: u64 = 6 * 3_600_000;
/// How long a lender that declined a job is not asked for that job again, in milliseconds.
pub const DECLINE_AVOID_MS: u64 = 2_000;
/// How long a lender that declined or did not answer gets no job at all, in milliseconds.
pub const DECLINE_PAUSE_MS: u64 = 500;
/// How many lenders may decline a run before it is refused.
pub const DECLINES_MAX: u32 = 8;
/// The most jobs of one node that wait or run.
pub const JOBS_PER_NODE_MAX: usize = 256;
/// The most jobs that wait in all.
pub const WAITING_MAX: usize = 100_000;
/// How long an ended job is remembered, in milliseconds: its epochs stay used, its lost lenders stay avoided.
pub const ENDED_MEMORY_MS: u64 = 600_000;
/// The most ended jobs that are remembered.
pub const ENDED_MEMORY_MAX: usize = 65_536;
/// The most model names that are known.
pub const KNOWN_MODELS_MAX: usize = 4_096;
/// How many jobs of one line are looked at to find one that a free lender may take.
pub const LINE_SCAN_MAX: usize = 32;

/// What a node can do now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Offer {
    /// The models it can run.
    pub models: Vec<OfferedModel>,
    /// Jobs it takes at once in all; 0 lends nothing. At most [`SLOTS_PER_NODE_MAX`] count.
    pub slots: u16,
    /// The labels whose jobs it takes, by its own reading of the rules.
    pub labels: BTreeSet<Label>,
}

/// A model that a node can run.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedModel {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub hash: ModelHash,
    /// Its context here, in tokens.
    pub context: u32,
    /// Generated tokens per second, if measured.
    pub decode_tps: Option<f32>,
    /// Prompt tokens per second, if measured.
    pub prefill_tps: Option<f32>,
}

/// A job that looks for a lender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// The job.
    pub job: JobId,
    /// The run, numbered by the submitter.
    pub epoch: Epoch,
    /// The model's name.
    pub model: String,
    /// Its class of data.
    pub label: Label,
    /// The prompt's estimated length, in tokens.
    pub prompt_tokens: u32,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
    /// The submitter's key for this run: carried, not read.
    pub submitter_key: [u8; 32],
    /// The one lender that it may go to: the organisation checks its answers. Nobody has signed in for such a run, and
    /// it takes nothing of anybody's quota; every other rule counts.
    pub check: Option<NodeId>,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A node has said who it is. It offers nothing yet.
    NodeUp {
        /// The node.
        node: NodeId,
        /// Its groups.
        groups: Vec<String>,
        /// Whoever works at it, as quotas count them.
        user: String,
    },
    /// Whoever works at a node has logged in: for quotas and shares they count as this person from now on.
    Person {
        /// The node.
        node: NodeId,
        /// Their name.
        user: String,
        /// Their provider's groups. They open no label: lenders believe root alone.
        groups: Vec<String>,
    },
    /// The organisation's rules are new. What they forbid ends.
    Rules(Arc<OrgRules>),
    /// The day (UTC, counted from 1970), and what was used of it before this scheduler began.
    Day {
        /// The day. Told again, it changes nothing.
        day: u64,
        /// Counted as used.
        used: Vec<Used>,
    },
    /// A node's new offer; the old one is void.
    Offer {
        /// The node.
        node: NodeId,
        /// What it can do.
        offer: Offer,
    },
    /// A node is gone.
    NodeDown {
        /// The node.
        node: NodeId,
    },
    /// A node asks for a lender.
    Submit {
        /// Who asks.
        submitter: NodeId,
        /// For what.
        submit: Submit,
    },
    /// A lender takes a reserved job.
    Accepted {
        /// The lender.
        node: NodeId,
        /// The job.
        job: JobId,
        /// The run.
        epoch: Epoch,
        /// The lender's nonce.
        nonce: [u8; 16],
    },
    /// A lender does not take a reserved job.
    Declined {
        /// The lender.
        node: NodeId,
        /// The job.
        job: JobId,
        /// The run.
        epoch: Epoch,
        /// Why.
        code: Code,
    },
    /// A run's stream has ended at both sides.
    Finished {
        /// The job.
        job: JobId,
        /// The run.
        epoch: Epoch,
        /// It ended because the lender went away.
        lender_lost: bool,
    },
    /// What a run really cost is known.
    Settled {
        /// The job.
        job: JobId,
        /// The run.
        epoch: Epoch,
        /// Tokens.
        usage: Usage,
    },
    /// A submitter gives up all runs of a job.
    Cancel {
        /// Who asks.
        submitter: NodeId,
        /// The job.
        job: JobId,
    },
    /// A node gets no job any more, or may have some again.
    Quarantined {
        /// The node.
        node: NodeId,
        /// Whether it is kept away from jobs.
        on: bool,
    },
    /// Time has passed.
    Tick,
}

/// What somebody used of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Who.
    pub user: String,
    /// In these groups.
    pub groups: Vec<String>,
    /// Of which model.
    pub model: String,
    /// Prompt and answer tokens together.
    pub tokens: u64,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Ask a lender to keep a slot.
    Reserve(Reserve),
    /// Sign the grant and send it to the submitter.
    Grant(Granted),
    /// Tell the submitter that its job waits.
    Queued {
        /// Who asked.
        submitter: NodeId,
        /// The job.
        job: JobId,
        /// Jobs before it for the same model.
        ahead: u32,
    },
    /// Tell the submitter that there will be no lender.
    Refused {
        /// Who asked.
        submitter: NodeId,
        /// The job.
        job: JobId,
        /// The run.
        epoch: Epoch,
        /// Why.
        why: Refusal,
    },
    /// Tell a lender that a reservation or grant is void.
    Release {
        /// The lender.
        lender: NodeId,
        /// The job.
        job: JobId,
        /// The run.
        epoch: Epoch,
    },
    /// End a running stream at both sides.
    Cut {
        /// The job.
        job: JobId,
        /// The run.
        epoch: Epoch,
        /// Why.
        why: Cut,
    },
    /// A model was offered that nobody knew.
    Learned {
        /// Its name.
        model: String,
    },
}

/// Why a stream is ended from the relay's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Its submitter gave it up or went away.
    Cancelled,
    /// Its lender went away.
    LenderLost,
    /// It ran for longer than any run may.
    TooLong,
    /// The organisation's rules forbid it now.
    Forbidden,
}

/// A slot to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserve {
    /// The lender.
    pub lender: NodeId,
    /// Who asks.
    pub submitter: NodeId,
    /// The exact model.
    pub model: ModelHash,
    /// What for.
    pub submit: Submit,
}

/// A lender that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The lender.
    pub lender: NodeId,
    /// Who asked.
    pub submitter: NodeId,
    /// The exact model.
    pub model: ModelHash,
    /// What the lender said.
    pub nonce: [u8; 16],
    /// What for.
    pub submit: Submit,
    /// How long it waited, in milliseconds.
    pub waited_ms: u64,
}

/// Why there is no lender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody ever offered this model.
    ModelUnknown,
    /// The model is known, and nobody offered it in time.
    NoOffer,
    /// Every lender that was asked declined.
    Declined,
    /// Every slot stayed busy.
    Busy,
    /// Too many jobs wait.
    QueueFull,
    /// This submitter has too many jobs.
    TooManyJobs,
    /// The prompt is far too long for every lender.
    ContextExceeded,
    /// The epoch is not after those before it, or the job is another node's.
    BadEpoch,
    /// The organisation's rules do not let this be asked.
    Denied(Box<lull_policy::Denied>),
    /// The model is offered, and no machine that offers it may see this label: why one of them may not.
    LabelNowhere(Box<lull_policy::Denied>),
    /// A quota of this day is used up.
    Quota {
        /// Which.
        quota: Box<Quota>,
        /// What is left of it, in tokens.
        left: u64,
    },
}

/// A model that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogueEntry {
    /// Its name.
    pub name: String,
    /// Its bytes at one of the nodes that offer it.
    pub hash: Option<ModelHash>,
    /// Nodes that offer it now.
    pub lenders: u32,
    /// The largest context offered, in tokens.
    pub context: Option<u32>,
    /// The fastest measured, in tokens per second.
    pub decode_tps: Option<f32>,
}

/// Why a stream is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenRefusal {
    /// No such grant, not this node's, over, or used already.
    Refused,
    /// The lender went away after the grant.
    LenderLost,
}

/// What is going on, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Nodes that are up.
    pub nodes: usize,
    /// Jobs that wait for a lender.
    pub waiting: usize,
    /// Runs that are reserved, granted or running.
    pub held: usize,
    /// Teams that are accounted for.
    pub teams: usize,
}

#[cfg(test)]
mod tests;
