use std::sync::Arc;

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use lull_types::{Epoch, JobId, NodeId, Usage};
use lull_wire::job::Outcome;
use tokio::sync::mpsc;

use crate::{
    actor::Event,
    clock,
    ledger::{CheckedReceipt, Ledger, LedgerError, Run, Settlement},
    metrics::Metrics,
};

/// Records that may wait.
pub(crate) const RECORDS_MAX: usize = 4_096;
/// Changes that may be on their way to the disk at once.
const IN_FLIGHT_MAX: usize = 2_048;

/// Something to be written down for which nobody waits.
#[derive(Debug)]
pub(crate) enum Record {
    Granted(Run),
    Receipt(Box<CheckedReceipt>),
    Learned(String),
    Seen { node: NodeId, version: String },
    Quarantined { node: NodeId, why: String },
}

/// What was written.
enum Written {
    Done,
    Receipt(JobId, Epoch, Settlement),
}

/// Writes records in the order they come, many to a commit, until nobody can send any more.
pub(crate) async fn run(
    ledger: Arc<dyn Ledger>,
    mut records: mpsc::Receiver<Record>,
    events: mpsc::WeakSender<Event>,
    metrics: Arc<Metrics>,
) {
    let mut in_flight = FuturesUnordered::new();
    loop {
        tokio::select! {
            record = records.recv(), if in_flight.len() < IN_FLIGHT_MAX => match record {
                Some(record) => in_flight.push(write(&*ledger, record)),
                None => break,
            },
            Some(written) = in_flight.next() => told(written, &events, &metrics).await,
        }
    }
    while let Some(written) = in_flight.next().await {
        told(written, &events, &metrics).await;
    }
}

/// Enqueues at once, so that a grant is always written before its receipts.
fn write(ledger: &dyn Ledger, record: Record) -> BoxFuture<'_, Result<Written, LedgerError>> {
    match record {
        Record::Granted(run) => done(ledger.granted(run)),
        Record::Learned(model) => done(ledger.learned(model, clock::now_s())),
        Record::Quarantined { node, why } => done(ledger.quarantine(node, why, clock::now_s())),
        Record::Seen { node, version } => done(ledger.seen(node, version, clock::now_s())),
        Record::Receipt(receipt) => {
            let (job, epoch) = (receipt.receipt.job, receipt.receipt.epoch);
            let settled = ledger.settle(*receipt);
            Box::pin(async move { Ok(Written::Receipt(job, epoch, settled.await?)) })
        }
    }
}

fn done(change: BoxFuture<'_, Result<(), LedgerError>>) -> BoxFuture<'_, Result<Written, LedgerError>> {
    Box::pin(async move { change.await.map(|()| Written::Done) })
}

async fn told(written: Result<Written, LedgerError>, events: &mpsc::WeakSender<Event>, metrics: &Metrics) {
    match written {
        Ok(Written::Done) => {}
        Ok(Written::Receipt(job, epoch, settlement)) => {
            metrics.receipt(name(settlement));
            if let Settlement::Disputed { .. } = settlement {
                tracing::warn!(%job, %epoch, "the two sides of a run do not agree on what it came to");
            }
            match settlement {
                Settlement::Settled { usage, outcome } => {
                    metrics.settled(match outcome {
                        Outcome::Completed => "completed",
                        Outcome::Cancelled => "cancelled",
                        Outcome::Failed(_) => "failed",
                    });
                    settled(job, epoch, usage, events).await;
                }
                Settlement::Agreed { more: Some(usage) } | Settlement::Disputed { more: Some(usage) } => {
                    settled(job, epoch, usage, events).await;
                }
                _ => {}
            }
        }
        Err(error) => tracing::error!(%error, "a record was lost"),
    }
}

async fn settled(job: JobId, epoch: Epoch, usage: Usage, events: &mpsc::WeakSender<Event>) {
    if let Some(events) = events.upgrade() {
        let _ = events.send(Event::Settled { job, epoch, usage }).await;
    }
}

fn name(settlement: Settlement) -> &'static str {
    match settlement {
        Settlement::Settled { .. } => "settled",
        Settlement::Agreed { .. } => "agreed",
        Settlement::Disputed { .. } => "disputed",
        Settlement::Repeated => "repeated",
        Settlement::Foreign => "foreign",
    }
}
