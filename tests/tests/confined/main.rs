//! What a person, their IT and whoever asks see of the sandbox: real nodes, real workers. Run as root by `./x test e2e`
//! and as an ordinary user by `./x test owner`.

#![cfg(target_os = "linux")]

mod alone;
mod doctor;
mod refused;
mod shown;

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};
use lull_node::{NodeApi as _, RemoteNode};
use lull_tests::{Enrolled, Node, Org};
use lull_types::{LendingView, Reason, Request, Response, StatusView};

/// Nothing here takes this long; it only keeps a broken run from hanging.
const HANG: Duration = Duration::from_secs(90);
/// The longest wait for an error where nobody lends: the relay waits for a known model for 30 s.
const ERROR_MAX: Duration = Duration::from_secs(60);

async fn status(door: &RemoteNode) -> Result<StatusView> {
    match door.call(Request::Status).await? {
        Response::Status(status) => Ok(*status),
        other => anyhow::bail!("no status: {other:?}"),
    }
}

/// Waits, event by event, until the node's status is as wished.
async fn until(home: &Path, what: &str, wish: impl Fn(&StatusView) -> bool) -> Result<StatusView> {
    let door = RemoteNode::connect(home).await?;
    let mut events = door.events();
    let waiting = async {
        loop {
            let now = status(&door).await?;
            if wish(&now) {
                return Ok(now);
            }
            // A change between the two is seen at the next event, or after a second.
            let _ = tokio::time::timeout(Duration::from_secs(1), events.recv()).await;
        }
    };
    tokio::time::timeout(HANG, waiting).await.with_context(|| format!("never: {what}"))?
}

/// Why it does not lend, if that is for want of a worker; else empty.
fn no_worker(status: &StatusView) -> &str {
    match &status.lending {
        LendingView::Off { reason: Reason::NoWorker { why }, .. } => why,
        _ => "",
    }
}

fn dedicated(org: &Org, enrolled: &Enrolled, further: &[&str]) -> Result<Node> {
    org.start_with(enrolled, |command| {
        command.arg("--dedicated").args(further);
    })
}
