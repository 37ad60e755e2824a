//! Where a layer that the rules demand is missing, no job runs, and it says why.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use lull_tests::{NodeRole, Org, ask, children, question};
use lull_types::{Code, LendingView, Tier};
use tokio::time::timeout;

use crate::{ERROR_MAX, dedicated, no_worker, until};

/// Eight lenders, each without another of the layers that every tier demands, and one that asks.
#[tokio::test(flavor = "multi_thread")]
async fn without_any_one_layer_no_job_is_accepted() -> Result<()> {
    let org = Org::create("Acme")?;
    let _relay = org.relay()?;
    let asker = org.node("reed", NodeRole::Submitter)?;
    let mut lenders = Vec::new();
    for layer in Tier::Basic.layers() {
        let enrolled = org.enroll(&format!("no-{}", layer.name().replace('_', "-")))?;
        lenders.push((*layer, dedicated(&org, &enrolled, &["--sandbox-skip", layer.name()])?));
    }
    ensure!(lenders.len() == 8, "eight layers, {} lenders", lenders.len());
    for (layer, lender) in &lenders {
        let wish = |status: &_| no_worker(status).contains(layer.name());
        let status = until(&lender.home, &format!("{} is not lending for want of {layer}", lender.name), wish).await?;
        ensure!(status.sandbox.tier.is_none() && !status.sandbox.layers.contains(layer), "{:?}", status.sandbox);
    }

    let asked = timeout(ERROR_MAX, ask(&asker.home, question("What is Lull?"), |_| {}));
    match asked.await.context("whoever asks waits for ever")? {
        Err(fault) => ensure!(matches!(fault.code, Code::NoLender | Code::Unconfined), "{fault}"),
        Ok(answer) => bail!("{} answered", answer.by.name),
    }
    for (layer, lender) in &lenders {
        let status = until(&lender.home, "its status", |_| true).await?;
        ensure!(status.jobs_lent == 0 && no_worker(&status).contains(layer.name()), "{layer}: {status:?}");
        ensure!(children(lender.process.pid()).is_empty(), "{layer}: no worker is left, or tried again and again");
        let shown = org.programs.output(&lender.home, &["status"])?;
        let headline = shown.lines().next().unwrap_or_default();
        ensure!(headline.starts_with("Not lending: ") && headline.contains(layer.name()), "{headline}");
    }
    Ok(())
}

fn rule(file: &Path, tier: &str) -> Result<()> {
    let fresh = file.with_extension("new");
    fs::write(&fresh, format!("[sandbox]\ntier = \"{tier}\"\n"))?;
    Ok(fs::rename(fresh, file)?)
}

/// IT asks for a better sandbox than there is, then for less, then for more again; nothing is restarted.
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_counts_at_once_and_without_a_restart() -> Result<()> {
    let org = Org::create("Acme")?;
    let _relay = org.relay()?;
    let asker = org.node("reed", NodeRole::Submitter)?;
    let rules = org.path().join("policy.toml");
    rule(&rules, "full")?;
    let enrolled = org.enroll("oak")?;
    let further = ["--sandbox-skip", "own_root", "--machine-rules", rules.to_str().context("a path in UTF-8")?];
    let lender = dedicated(&org, &enrolled, &further)?;

    let lacks_root = |status: &_| no_worker(status).contains("own_root");
    let status = until(&lender.home, "it does not lend below tier full", lacks_root).await?;
    ensure!(status.sandbox.required == Tier::Full && status.sandbox.tier < Some(Tier::Full), "{:?}", status.sandbox);
    let asked = timeout(ERROR_MAX, ask(&asker.home, question("What is Lull?"), |_| {}));
    let refused = asked.await.context("whoever asks waits for ever")?;
    ensure!(refused.as_ref().is_err_and(|fault| fault.code == Code::NoLender), "{refused:?}");

    rule(&rules, "basic")?;
    let lends = |status: &lull_types::StatusView| matches!(status.lending, LendingView::Lending { .. });
    until(&lender.home, "it lends at tier basic", lends).await?;
    ask(&asker.home, question("What is Lull?"), |_| {}).await?;
    let workers = children(lender.process.pid());
    ensure!(!workers.is_empty(), "a worker answered");

    rule(&rules, "full")?;
    let status = until(&lender.home, "it does not lend any more", lacks_root).await?;
    ensure!(status.jobs_lent == 1, "{status:?}");
    let gone = |status: &lull_types::StatusView| status.workers.iter().all(|worker| worker.pid.is_none());
    until(&lender.home, "its worker is ended", gone).await?;
    Ok(())
}
