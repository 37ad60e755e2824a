use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::{FutureExt as _, future::BoxFuture};
use lull_core::scheduler::Used;
use lull_store::rusqlite::{self, Connection, TransactionBehavior};
use lull_types::NodeId;
use tokio::sync::{mpsc, oneshot};

use super::{
    CheckedReceipt, Enrolled, Enrolment, Ledger, LedgerError, Orders, Run, Settlement, Standing, audit, audit::Deed,
    org, sqlite,
};
use crate::{clock, login::Person};

/// Changes that may wait for the disk; whoever brings more waits.
const QUEUE_MAX: usize = 4_096;
/// Changes that share one commit.
const BATCH_MAX: usize = 1_024;

/// A change, done inside the shared transaction; what it returns is called once the disk has it.
type Change = Box<dyn FnOnce(&Connection) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), LedgerError>) + Send>;

/// The embedded ledger: SQLite on a thread of its own. Changes that come at the same time share one commit.
#[derive(Debug)]
pub struct SqliteLedger {
    changes: mpsc::Sender<Change>,
    commits: Arc<AtomicU64>,
    thread: std::sync::Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl SqliteLedger {
    /// Opens the ledger at `path`.
    ///
    /// # Errors
    /// [`lull_store::StoreError`] when the file is damaged, newer or not to be had; [`LedgerError`] otherwise.
    pub fn open(path: &Path) -> Result<Self, crate::RelayError> {
        let db = sqlite::open(path)?;
        db.set_prepared_statement_cache_capacity(64);
        sqlite::prune(&db, clock::now_s()).map_err(fault)?;
        let (changes, queue) = mpsc::channel(QUEUE_MAX);
        let commits = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&commits);
        let thread = std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || work(db, queue, &counter))
            .map_err(|error| LedgerError::Database(error.to_string()))?;
        Ok(Self { changes, commits, thread: std::sync::Mutex::new(Some(thread)) })
    }

    /// Enqueues a change at once, so that the order of calls is the order of changes, and resolves after its commit.
    pub(crate) fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, LedgerError>> {
        let (reply, answer) = oneshot::channel();
        let change: Change = Box::new(move |db| {
            let result = in_savepoint(db, change);
            Box::new(move |committed| {
                let _ = reply.send(committed.and_then(|()| result.map_err(fault)));
            })
        });
        let queued = self.changes.try_send(change);
        async move {
            match queued {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(change)) => {
                    self.changes.send(change).await.map_err(|_| LedgerError::Closed)?;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return Err(LedgerError::Closed),
            }
            answer.await.map_err(|_| LedgerError::Closed)?
        }
        .boxed()
    }

    /// Brings what was queued to the disk and ends the thread. Later changes fail.
    pub(crate) async fn close(self: Arc<Self>) {
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        let _ = self.change(|_| Ok(())).await;
        let Some(this) = Arc::into_inner(self) else { return };
        drop(this.changes);
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
fn fault(error: rusqlite::Error) -> LedgerError {
    LedgerError::Database(error.to_string())
}

/// One change that fails does not take the others of its batch along.
fn in_savepoint<T>(db: &Connection, change: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    db.prepare_cached("SAVEPOINT change")?.execute([])?;
    let result = change(db);
    if result.is_err() {
        db.prepare_cached("ROLLBACK TO change")?.execute([])?;
    }
    db.prepare_cached("RELEASE change")?.execute([])?;
    result
}

fn work(mut db: Connection, mut queue: mpsc::Receiver<Change>, commits: &AtomicU64) {
    let mut answers = Vec::new();
    while let Some(first) = queue.blocking_recv() {
        let committed = commit(&mut db, first, &mut queue, &mut answers);
        if let Err(error) = &committed {
            tracing::error!(%error, changes = answers.len(), "the ledger could not be written");
        } else {
            commits.fetch_add(1, Ordering::Relaxed);
        }
        for answer in answers.drain(..) {
            answer(committed.clone());
        }
    }
}

fn commit(
    db: &mut Connection,
    first: Change,
    queue: &mut mpsc::Receiver<Change>,
    answers: &mut Vec<Answer>,
) -> Result<(), LedgerError> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    answers.push(first(&transaction));
    while answers.len() < BATCH_MAX
        && let Ok(change) = queue.try_recv()
    {
        answers.push(change(&transaction));
    }
    transaction.commit().map_err(fault)
}

impl Ledger for SqliteLedger {
    fn enrol(&self, enrolment: Enrolment) -> BoxFuture<'_, Result<Enrolled, LedgerError>> {
        self.change(move |db| sqlite::enrol(db, &enrolment))
    }

    fn standing(&self, node: NodeId) -> BoxFuture<'_, Result<Standing, LedgerError>> {
        self.change(move |db| sqlite::standing(db, node))
    }

    fn seen(&self, node: NodeId, version: String, now_s: u64) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.change(move |db| sqlite::seen(db, node, &version, now_s))
    }

    fn revoke(&self, node: NodeId, now_s: u64, by: String) -> BoxFuture<'_, Result<bool, LedgerError>> {
        self.change(move |db| sqlite::revoke(db, node, now_s, &by))
    }

    fn orders(&self) -> BoxFuture<'_, Result<Orders, LedgerError>> {
        self.change(org::orders)
    }

    fn member(&self, node: NodeId, member: NodeId) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.change(move |db| org::member(db, node, member))
    }

    fn used(&self, day: u64) -> BoxFuture<'_, Result<Vec<Used>, LedgerError>> {
        self.change(move |db| org::used(db, day))
    }

    fn login(&self, node: NodeId, person: Person, now_s: u64) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.change(move |db| org::login(db, node, &person, now_s))
    }

    fn person(&self, node: NodeId) -> BoxFuture<'_, Result<Option<Person>, LedgerError>> {
        self.change(move |db| org::person(db, node))
    }

    fn quarantine(&self, node: NodeId, why: String, now_s: u64) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.change(move |db| org::quarantine(db, node, &why, now_s))
    }

    fn quarantined(&self) -> BoxFuture<'_, Result<Vec<(NodeId, u64)>, LedgerError>> {
        self.change(org::quarantined)
    }

    fn granted(&self, run: Run) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.change(move |db| sqlite::granted(db, &run))
    }

    fn settle(&self, receipt: CheckedReceipt) -> BoxFuture<'_, Result<Settlement, LedgerError>> {
        self.change(move |db| sqlite::settle(db, &receipt))
    }

    fn learned(&self, model: String, now_s: u64) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.change(move |db| sqlite::learned(db, &model, now_s))
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<String>, LedgerError>> {
        self.change(sqlite::models)
    }

    fn note(&self, now_s: u64, by: String, deed: Deed) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.change(move |db| audit::append(db, now_s, &by, &deed))
    }

    fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}
