//! How fast the organisation's word arrives, and what joining costs: one real relay process, the real `lull admin`
//! command, real QUIC, and real nodes in this process.

mod bounds;
mod doors;
mod push;
mod revoke;

use anyhow::Result;

use crate::{Options, report::Report};

/// Runs it.
///
/// # Errors
/// When something cannot be started, or a node does not do what it was told.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut report = Report::new("trust");
    if let Some(load) = crate::machine::load() {
        report.notes.push(format!("load average at the start: {load:.2}"));
    }
    runtime.block_on(async {
        revoke::measure(options, &mut report).await?;
        push::measure(options, &mut report).await?;
        doors::measure(options, &mut report).await
    })?;
    let peer = "no peer: no other pool on this machine revokes, or signs its rules, so that it could be timed beside";
    report.notes.push(peer.into());
    Ok(report)
}
