use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use lull_node::{NodeApi as _, RemoteNode};
use lull_types::{LendingView, LinkView, Request, Response, StatusView, WorkerState};

use crate::{output, output::Failure};

pub(crate) async fn run(home: &Path, json: bool) -> Result<(), Failure> {
    let node = RemoteNode::connect(home).await?;
    let Response::Status(status) = node.call(Request::Status).await? else {
        return Err(Failure::new(1, "the node gave an answer that does not fit the question"));
    };
    if json { output::json(&status) } else { show(&status) }
}

fn show(status: &StatusView) -> Result<(), Failure> {
    output::line(&headline(status))?;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.into(), value]);
    row("machine", format!("{} ({}), {}", status.name, status.node.short(), groups(&status.groups)));
    row("organisation", status.org.clone());
    row("relay", relay(&status.relay));
    row("sandbox", format!("tier {}: {}", status.sandbox.tier, status.sandbox.summary));
    for worker in &status.workers {
        let state = match worker.state {
            WorkerState::Loading => "loading",
            WorkerState::Idle => "ready",
            WorkerState::Busy => "answering",
            WorkerState::Down => "down",
        };
        let again =
            if worker.restarts > 0 { format!(", started again {}", times(worker.restarts)) } else { String::new() };
        let why = worker.last_fault.as_ref().map(|fault| format!(", last fault: {fault}")).unwrap_or_default();
        row("worker", format!("{}: {state}{again}{why}", worker.model));
    }
    row("local API", status.api.clone().unwrap_or_else(|| "not open".into()));
    row("jobs", format!("{} answered here, {} asked from here since the start", status.jobs_lent, status.jobs_asked));
    row("version", status.version.clone());
    output::table(&rows)
}

fn times(count: u32) -> String {
    if count == 1 { "once".into() } else { format!("{count} times") }
}

/// State and reason in one line.
fn headline(status: &StatusView) -> String {
    match &status.lending {
        LendingView::Off { reason } => format!("Not lending: {reason}"),
        LendingView::Lending { reason, free_slots, slots } => {
            format!("Lending: {reason} ({free_slots} of {slots} slots free)")
        }
    }
}

fn groups(groups: &[String]) -> String {
    if groups.is_empty() { "no groups".into() } else { format!("groups {}", groups.join(", ")) }
}

fn relay(link: &LinkView) -> String {
    match link {
        LinkView::Up { relay, certificate_until_s } => {
            let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            let hours = certificate_until_s.saturating_sub(now_s) / 3600;
            format!("connected to {relay}; the certificate lasts {hours} h and renews itself")
        }
        LinkView::Down { relay, reason } => format!("not connected to {relay}: {reason}"),
    }
}
