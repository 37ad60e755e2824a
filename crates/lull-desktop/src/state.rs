use jiff::Zoned;
use lull_types::{Fault, RanHere, StatusView, WorkerState};

use crate::{Lang, clock};

/// The most jobs that the tray asks the log for: enough to count a day.
pub const RAN_ASKED_MAX: u32 = 1_000;

/// Everything that the tray shows.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// In which language.
    pub lang: Lang,
    /// What is known of the node.
    pub node: Node,
    /// What ran here lately; `None`: not asked yet.
    pub ran: Option<Ran>,
    /// What the person asked for last and did not get.
    pub failed: Option<Fault>,
}

/// What is known of the node.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Nothing yet.
    Unheard,
    /// It answers; this is its last word.
    Answering(Box<StatusView>),
    /// This machine belongs to no organisation yet, so that there is no node.
    NotJoined,
    /// It does not answer; what it said before counts for nothing.
    Silent,
}

/// When the newest jobs here ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ran {
    /// In milliseconds since 1970, at most [`RAN_ASKED_MAX`] of them.
    ended_unix_ms: Vec<u64>,
}

impl State {
    /// Nothing known yet.
    #[must_use]
    pub const fn new(lang: Lang) -> Self {
        Self { lang, node: Node::Unheard, ran: None, failed: None }
    }

    /// The node's last word, if it answers.
    #[must_use]
    pub fn status(&self) -> Option<&StatusView> {
        match &self.node {
            Node::Answering(status) => Some(status),
            Node::Unheard | Node::NotJoined | Node::Silent => None,
        }
    }
}

impl Ran {
    /// From the newest jobs of the log.
    #[must_use]
    pub fn of(jobs: &[RanHere]) -> Self {
        let newest = jobs.iter().take(RAN_ASKED_MAX as usize);
        Self { ended_unix_ms: newest.map(|job| job.ended_unix_ms).collect() }
    }

    /// How many ended on the calendar day of `now`.
    #[must_use]
    pub fn today(&self, now: &Zoned) -> usize {
        let today = |ms: &&u64| clock::local(**ms, now).is_some_and(|at| at.date() == now.date());
        self.ended_unix_ms.iter().filter(today).count()
    }

    /// Whether there may be more of today than are counted here.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.ended_unix_ms.len() >= RAN_ASKED_MAX as usize
    }
}

/// How many jobs this machine answers now.
pub(crate) fn busy(status: &StatusView) -> usize {
    status.workers.iter().filter(|worker| worker.state == WorkerState::Busy).count()
}
