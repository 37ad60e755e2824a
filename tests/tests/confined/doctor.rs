//! `lull doctor` on a machine that works, one that cannot, and one that has not begun.

use anyhow::{Context as _, Result, ensure};
use lull_tests::{NodeRole, Org, Programs};
use lull_types::{Finding, Health, LendingView};

use crate::{dedicated, no_worker, until};

fn doctor(programs: &Programs, home: &std::path::Path) -> Result<(Vec<Finding>, Option<i32>)> {
    let output = programs.lull(home).args(["doctor", "--json"]).output()?;
    let findings = serde_json::from_slice(&output.stdout).context("findings as JSON")?;
    Ok((findings, output.status.code()))
}

fn health(findings: &[Finding], check: &str) -> Option<Health> {
    findings.iter().filter(|finding| finding.check == check).map(|finding| finding.health).max()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_finds_what_is_broken_and_nothing_else() -> Result<()> {
    let org = Org::create("Acme")?;
    let relay = org.relay()?;
    let fresh = org.path().join("fresh");
    let (findings, exit) = doctor(&org.programs, &fresh)?;
    ensure!(health(&findings, "enrolled") == Some(Health::Broken) && exit == Some(1), "{findings:?}");
    ensure!(!fresh.exists(), "looking changes nothing");

    let oak = org.node("oak", NodeRole::Dedicated)?;
    until(&oak.home, "it lends", |status| matches!(status.lending, LendingView::Lending { .. })).await?;
    let (findings, exit) = doctor(&org.programs, &oak.home)?;
    let broken: Vec<&Finding> = findings.iter().filter(|finding| finding.health == Health::Broken).collect();
    ensure!(broken.is_empty() && exit == Some(0), "{broken:?}");
    for check in
        ["rules", "enrolled", "node", "relay", "worker", "sandbox", "freeze", "models", "disk", "swap", "dumps"]
    {
        ensure!(health(&findings, check).is_some(), "nothing about {check}: {findings:?}");
    }
    ensure!(health(&findings, "relay") == Some(Health::Good), "{findings:?}");

    let elm = dedicated(&org, &org.enroll("elm")?, &["--sandbox-skip", "files"])?;
    until(&elm.home, "it does not lend", |status| no_worker(status).contains("files")).await?;
    let (findings, exit) = doctor(&org.programs, &elm.home)?;
    ensure!(health(&findings, "sandbox") == Some(Health::Broken) && exit == Some(1), "{findings:?}");
    let names_it = |finding: &Finding| finding.check == "layer" && finding.found.contains("files");
    ensure!(findings.iter().any(names_it), "{findings:?}");

    // Without a node it asks the worker's program itself, which leaves nothing out.
    drop((oak, relay));
    let (findings, exit) = doctor(&org.programs, &org.path().join("oak"))?;
    ensure!(health(&findings, "node") == Some(Health::Attention), "{findings:?}");
    ensure!(health(&findings, "sandbox") < Some(Health::Broken) && exit == Some(0), "{findings:?}");
    Ok(())
}
