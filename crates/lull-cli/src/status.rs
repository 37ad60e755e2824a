use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use jiff::Zoned;
use lull_node::{NodeApi as _, RemoteNode};
use lull_types::{LendingView, LinkView, Request, Response, StatusView, WorkerState};

use crate::{output, output::Failure, when};

pub(crate) async fn run(home: &Path, json: bool) -> Result<(), Failure> {
    let node = RemoteNode::connect(home).await?;
    let Response::Status(status) = node.call(Request::Status).await? else {
        return Err(Failure::new(1, "the node gave an answer that does not fit the question"));
    };
    if json { output::json(&status) } else { show(&status) }
}

fn show(status: &StatusView) -> Result<(), Failure> {
    output::line(&headline(&status.lending, &Zoned::now()))?;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.into(), value]);
    row("machine", format!("{} ({}), {}", status.name, status.node.short(), groups(&status.groups)));
    row("organisation", status.org.clone());
    row("relay", relay(&status.relay));
    row("sandbox", status.sandbox.summary.clone());
    for worker in &status.workers {
        let state = match worker.state {
            WorkerState::Loading => "loading",
            WorkerState::Frozen => "frozen",
            WorkerState::Idle => "ready",
            WorkerState::Busy => "answering",
            WorkerState::Down => "down",
        };
        let again =
            if worker.restarts > 0 { format!(", started again {}", times(worker.restarts)) } else { String::new() };
        let why = worker.last_fault.as_ref().map(|fault| format!(", last fault: {fault}")).unwrap_or_default();
        let process = worker.pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
        row("worker", format!("{}: {state}{process}{again}{why}", worker.model));
    }
    row("local API", status.api.clone().unwrap_or_else(|| "not open".into()));
    row("jobs", format!("{} answered here, {} asked from here since the start", status.jobs_lent, status.jobs_asked));
    row("version", status.version.clone());
    output::table(&rows)
}

fn times(count: u32) -> String {
    if count == 1 { "once".into() } else { format!("{count} times") }
}

/// What is happening, why, and until when, in one line.
pub(crate) fn headline(lending: &LendingView, now: &Zoned) -> String {
    match lending {
        LendingView::Off { words, .. } => format!("Not lending: {words}"),
        LendingView::Waiting { words, until: None, .. } => format!("Waiting to lend: {words}"),
        LendingView::Waiting { words, until: Some(until), .. } => {
            format!("Waiting to lend: {words}; not before {}", when::coming(*until, now))
        }
        LendingView::Lending { words, finishing: true, .. } => format!("Finishing: {words}"),
        LendingView::Lending { words, free_slots, slots, finishing: false } => {
            format!("Lending: {words} ({free_slots} of {slots} slots free)")
        }
        LendingView::Yielding { words, until: None, .. } => format!("Yielding: {words}; its workers stand still"),
        LendingView::Yielding { words, until: Some(until), .. } => {
            format!("Yielding: {words}; its workers stand still, and end at {}", when::coming(*until, now))
        }
        LendingView::Paused { until: None, words } => format!("Paused until you resume (lull resume): {words}"),
        LendingView::Paused { until: Some(until), words } => {
            format!("Paused until {}: {words}", when::coming(*until, now))
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

#[cfg(test)]
mod tests {
    use lull_types::{Reason, Signal, Until};

    use super::*;

    #[test]
    fn every_state_says_what_why_and_until_when() {
        let now: Zoned = "2026-11-20T14:00:00+01:00[Europe/Berlin]".parse().unwrap();
        let after = |s: u64| Some(Until { unix_ms: now.timestamp().as_millisecond().unsigned_abs() + s * 1_000 });
        let words = |reason: &Reason| reason.to_string();
        let off = |reason: Reason| LendingView::Off { words: words(&reason), reason };
        let waiting = |reason: Reason, until| LendingView::Waiting { words: words(&reason), reason, until };
        let call = || Reason::InUse { signal: Signal::Call, what: "Firefox".into() };
        let typing = || Reason::InUse { signal: Signal::Input, what: String::new() };
        let yielding = |until| LendingView::Yielding { words: words(&typing()), reason: typing(), until };
        let paused = |until| LendingView::Paused { until, words: words(&Reason::Paused) };
        let lending =
            |words: &str, finishing| LendingView::Lending { words: words.into(), free_slots: 1, slots: 2, finishing };
        for (view, line) in [
            (off(Reason::NotAgreed), "Not lending: lending is off on this machine; `lull lend on` agrees to it"),
            (off(Reason::Organisation), "Not lending: the organisation does not want this machine to lend"),
            (waiting(call(), None), "Waiting to lend: a microphone or camera is in use (Firefox)"),
            (
                waiting(Reason::JustLeft, after(240)),
                "Waiting to lend: waiting to be sure that you are away; not before 14:04 (in 4 min)",
            ),
            (lending("nobody is here", false), "Lending: nobody is here (1 of 2 slots free)"),
            (lending(&words(&Reason::Finishing), true), "Finishing: pausing after the job that runs now"),
            (
                yielding(after(5)),
                "Yielding: you are using this machine; its workers stand still, and end at 14:00:05 (in 5 s)",
            ),
            (yielding(None), "Yielding: you are using this machine; its workers stand still"),
            (paused(after(16 * 3_600)), "Paused until tomorrow 06:00 (in 16 h): paused by you"),
            (paused(None), "Paused until you resume (lull resume): paused by you"),
        ] {
            assert_eq!(headline(&view, &now), line);
        }
    }
}
