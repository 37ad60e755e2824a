//! What the pool adds to a worker alone, and what the relay spends: one real relay process, real QUIC, nodes in this
//! process, and workers that write scripted tokens at a known pace, so that only the way is measured.

mod floor;
pub(crate) mod idle;
mod latency;
pub(crate) mod relay;
mod throughput;

use anyhow::Result;

use crate::{
    Options,
    report::{Report, Row},
};

/// Runs it.
///
/// # Errors
/// When something cannot be started, or a job fails.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut report = Report::new("pool");
    runtime.block_on(async {
        let floor = floor::echo_us().await?;
        latency::measure(options, floor, &mut report).await?;
        throughput::measure(options, &mut report).await?;
        idle::measure(options, &mut report).await
    })?;
    report.notes.push(
        "peer \"worker alone\": the same scripted worker through lull-engine, without node, relay and seal; rounds \
         alternate"
            .into(),
    );
    Ok(report)
}

pub(crate) fn row(metric: &str, value: f64, unit: &'static str) -> Row {
    Row { metric: metric.into(), engine: None, value, unit, peer: None, peer_value: None, ratio: None, limit: None }
}

/// The value below which this share of the sorted numbers lies.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index into a small sorted list"
)]
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}
