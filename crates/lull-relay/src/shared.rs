use std::sync::Arc;

use lull_net::Authority;
use lull_wire::{PublicKey, Signed, identity::RelayStatement};
use tokio::sync::{Notify, Semaphore, mpsc};

use crate::{
    actor::Event, fabric::LocalFabric, gate::Gate, ledger::Ledger, login::Logins, metrics::Metrics, recorder::Record,
};

/// What every connection's task needs. Nothing in it changes but through its own doors.
pub(crate) struct Shared {
    pub(crate) root: PublicKey,
    pub(crate) grant_key: PublicKey,
    pub(crate) statement: Signed<RelayStatement>,
    pub(crate) authority: Authority,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) fabric: Arc<LocalFabric>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) recorder: mpsc::Sender<Record>,
    pub(crate) metrics: Arc<Metrics>,
    /// Has the ledger asked at once what counts for everybody.
    pub(crate) look: Arc<Notify>,
    pub(crate) logins: Logins,
    pub(crate) gate: Gate,
    pub(crate) enrolments: Semaphore,
}
