//! The tier that is shown is the one that the worker has.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use lull_tests::{NodeRole, Org, ask, question};
use lull_types::{Layer, StatusView, Tier};

#[tokio::test(flavor = "multi_thread")]
async fn the_status_shows_what_the_worker_is_confined_by() -> Result<()> {
    let org = Org::create("Acme")?;
    let _relay = org.relay()?;
    let lender = org.node("oak", NodeRole::Dedicated)?;
    let asker = org.node("reed", NodeRole::Submitter)?;
    ask(&asker.home, question("What is Lull?"), |_| {}).await?;

    let status: StatusView = serde_json::from_str(&org.programs.output(&lender.home, &["status", "--json"])?)?;
    let sandbox = &status.sandbox;
    let tier = sandbox.tier.with_context(|| format!("no tier: {}", sandbox.summary))?;
    ensure!(sandbox.required == Tier::Basic, "nobody asked for more: {sandbox:?}");
    let missing: Vec<Layer> = Layer::ALL.into_iter().filter(|layer| !sandbox.layers.contains(layer)).collect();
    let explained = |layer: &Layer| sandbox.shortfalls.iter().any(|shortfall| shortfall.layer == *layer);
    ensure!(missing.iter().all(explained), "each missing layer says what to change: {sandbox:?}");

    let shown = org.programs.output(&lender.home, &["status"])?;
    let line = shown.lines().find(|line| line.starts_with("sandbox ")).context("no line for the sandbox")?;
    let expected = format!("{tier}: {} of {} layers", sandbox.layers.len(), Layer::ALL.len());
    ensure!(line.contains(&expected), "{line}");

    // The kernel's own word, for what of it others may read.
    let pid = status.workers.iter().find_map(|worker| worker.pid).context("no worker runs")?;
    let kernel = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let says = |name: &str, value: &str| {
        kernel.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.trim() == value))
    };
    ensure!(says("Seccomp:", "2"), "system calls are filtered: {kernel}");
    ensure!(says("NoNewPrivs:", "1"), "nothing it starts gains rights: {kernel}");
    ensure!(says("CapEff:", "0000000000000000"), "it has no capabilities: {kernel}");
    Ok(())
}
