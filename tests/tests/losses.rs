//! Processes that die: a clear word now, nothing lost, everybody back.

#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use lull_node::{NodeApi as _, RemoteNode};
use lull_tests::{Node, NodeRole, Org, Relay, ask, children, long_question, question, signal};
use lull_types::{ChatEvent, Code, Fault, LinkView, Request, Response};

/// Starts a long answer and returns it after its third token.
async fn midway(asker: &Node) -> Result<lull_node::Chat> {
    let mut chat = RemoteNode::connect(&asker.home).await?.chat(long_question("What is Lull?", 1900)).await?;
    let mut tokens = 0;
    while tokens < 3 {
        match chat.next().await.context("the answer ended early")? {
            ChatEvent::Token(_) => tokens += 1,
            ChatEvent::Failed(fault) => bail!("{fault}"),
            _ => {}
        }
    }
    Ok(chat)
}

async fn end(mut chat: lull_node::Chat) -> Result<Fault> {
    while let Some(event) = chat.next().await {
        match event {
            ChatEvent::Failed(fault) => return Ok(fault),
            ChatEvent::Done { usage, .. } => bail!("the answer ended whole after {} tokens", usage.completion_tokens),
            _ => {}
        }
    }
    bail!("no last word")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_costs_one_answer() -> Result<()> {
    let org = Org::create("Acme")?;
    let _relay = org.relay()?;
    let lender = org.node("oak", NodeRole::Dedicated)?;
    let asker = org.node("reed", NodeRole::Submitter)?;
    ask(&asker.home, question("What is Lull?"), |_| {}).await?;
    let chat = midway(&asker).await?;
    let workers = children(lender.process.pid());
    ensure!(!workers.is_empty(), "the lender has a worker");
    workers.iter().try_for_each(|&pid| signal(pid, "KILL"))?;
    let fault = end(chat).await?;
    ensure!(fault.code == Code::WorkerDied, "{fault}");
    ensure!(fault.message.len() > 20, "a sentence for people: {fault}");
    let answer = ask(&asker.home, question("What is a node?"), |_| {}).await?;
    ensure!(answer.by.name == "oak", "a fresh worker answers");
    ensure!(children(lender.process.pid()).iter().all(|pid| !workers.contains(pid)), "and it is another process");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_lender_is_a_clear_error_and_leaves_no_worker() -> Result<()> {
    let org = Org::create("Acme")?;
    let _relay = org.relay()?;
    let mut lender = org.node("oak", NodeRole::Dedicated)?;
    let asker = org.node("reed", NodeRole::Submitter)?;
    ask(&asker.home, question("What is Lull?"), |_| {}).await?;
    let workers = children(lender.process.pid());
    let chat = midway(&asker).await?;
    lender.process.kill()?;
    let fault = end(chat).await?;
    ensure!(fault.code == Code::LenderLost, "{fault}");
    ensure!(!workers.is_empty(), "the lender had a worker");
    let gone = |pid: &u32| !std::path::Path::new(&format!("/proc/{pid}")).exists();
    ensure!(workers.iter().all(gone), "a killed node leaves no worker behind");
    Ok(())
}

async fn back(nodes: &[&Node]) -> Result<Duration> {
    let start = Instant::now();
    for node in nodes {
        let door = RemoteNode::connect(&node.home).await?;
        loop {
            if let Response::Status(status) = door.call(Request::Status).await?
                && matches!(status.relay, LinkView::Up { .. })
            {
                break;
            }
            ensure!(start.elapsed() < Duration::from_secs(60), "{} does not come back", node.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(start.elapsed())
}

/// Nodes that the relay itself counts as connected.
fn connected(relay: &Relay) -> Result<u64> {
    let metrics = ureq::get(format!("{}/metrics", relay.admin)).call()?.body_mut().read_to_string()?;
    let line = metrics.lines().find(|line| line.starts_with("lull_relay_nodes "));
    Ok(line.and_then(|line| line.split_whitespace().last()).and_then(|value| value.parse().ok()).unwrap_or(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_relay_has_everybody_back_and_its_ledger_whole() -> Result<()> {
    let org = Org::create("Acme")?;
    let mut relay = org.relay()?;
    let lenders = [org.node("oak", NodeRole::Dedicated)?, org.node("birch", NodeRole::Dedicated)?];
    let asker = org.node("reed", NodeRole::Submitter)?;
    for text in ["What is Lull?", "What is a node?", "What is a grant?"] {
        ask(&asker.home, question(text), |_| {}).await?;
    }
    let nodes = [&lenders[0], &lenders[1], &asker];
    for how in ["killed", "stopped"] {
        let before = org.admin(&["usage", "--json"])?;
        if how == "killed" {
            relay.process.kill()?;
        } else {
            relay.process.stop()?;
        }
        let usage = org.admin(&["usage", "--json"])?;
        ensure!(usage == before, "{how}: the ledger lost something: {usage} after {before}");
        relay = org.relay()?;
        let restarted = Instant::now();
        while connected(&relay)? < nodes.len() as u64 {
            ensure!(restarted.elapsed() < Duration::from_secs(60), "{how}: nodes do not come back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("relay {how}: every node back {:.2} s after it listens again", restarted.elapsed().as_secs_f64());
        back(&nodes).await?;
        ask(&asker.home, question("What is Lull?"), |_| {}).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_machine_is_cut_off_and_stays_out() -> Result<()> {
    let org = Org::create("Acme")?;
    let relay = org.relay()?;
    let _lender = org.node("oak", NodeRole::Dedicated)?;
    let mut asker = org.node("reed", NodeRole::Submitter)?;
    ask(&asker.home, question("What is Lull?"), |_| {}).await?;
    let chat = midway(&asker).await?;
    let rows: serde_json::Value = serde_json::from_str(&org.admin(&["nodes", "--json"])?)?;
    let found = rows.as_array().context("rows")?.iter().find(|row| row["name"] == "reed").context("reed is listed")?;
    let id = found["node"].as_str().context("an id")?.to_owned();
    org.admin(&["revoke", &id])?;
    let fault = end(chat).await?;
    println!("the running answer ended with: {fault}");
    for again in [false, true] {
        if again {
            asker.process.stop()?;
            asker = org
                .start(&lull_tests::Enrolled { name: "reed".into(), home: asker.home.clone() }, NodeRole::Submitter)?;
        }
        let refused = ask(&asker.home, question("What is Lull?"), |_| {}).await.err().context("it must be refused")?;
        ensure!(refused.code == Code::Revoked, "{refused}");
    }
    ensure!(connected(&relay)? == 1, "only the lender is connected");
    Ok(())
}
