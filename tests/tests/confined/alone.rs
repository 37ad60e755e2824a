//! Confidential jobs share no process with any other job; others do.

use anyhow::{Context as _, Result, bail, ensure};
use lull_node::{NodeApi as _, RemoteNode};
use lull_tests::{Node, NodeRole, Org, children, long_question};
use lull_types::{ChatEvent, ChatRequest, Label, StatusView, WorkerState, WorkerView};

use crate::until;

/// Has a long answer begin, and says in which process it is made; then leaves.
async fn process_of(lender: &Node, asker: &Node, label: Label) -> Result<u32> {
    let request = ChatRequest { label, ..long_question("What is Lull?", 1900) };
    let mut chat = RemoteNode::connect(&asker.home).await?.chat(request).await?;
    loop {
        match chat.next().await.context("the answer ended early")? {
            ChatEvent::Token(_) => break,
            ChatEvent::Failed(fault) => bail!("{fault}"),
            _ => {}
        }
    }
    let busy = |worker: &WorkerView| worker.state == WorkerState::Busy;
    let status = until(&lender.home, "it answers", |status| status.workers.iter().any(busy)).await?;
    let pid = status.workers.iter().find(|worker| busy(worker)).and_then(|worker| worker.pid);
    drop(chat);
    let none = |status: &StatusView| !status.workers.iter().any(busy);
    until(&lender.home, "it has answered", none).await?;
    pid.context("no process")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_peoples_confidential_jobs_run_in_two_processes() -> Result<()> {
    let org = Org::create("Acme")?;
    let _relay = org.relay()?;
    let lender = org.node("oak", NodeRole::Dedicated)?;
    let (reed, fern) = (org.node("reed", NodeRole::Submitter)?, org.node("fern", NodeRole::Submitter)?);
    let public = process_of(&lender, &reed, Label::public()).await?;
    ensure!(process_of(&lender, &fern, Label::public()).await? == public, "public jobs share a process");
    let first = process_of(&lender, &reed, Label::confidential()).await?;
    let second = process_of(&lender, &fern, Label::confidential()).await?;
    let after = process_of(&lender, &fern, Label::public()).await?;
    let processes = std::collections::BTreeSet::from([public, first, second, after]);
    ensure!(processes.len() == 4, "none runs anything else: {processes:?}");
    ensure!(!children(lender.process.pid()).contains(&second), "it is ended after the job");
    Ok(())
}
