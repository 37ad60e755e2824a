//! What the relay can see: never a prompt, never an answer. Each search has a control that finds something.

#![cfg(target_os = "linux")]

use anyhow::{Context as _, Result, ensure};
use lull_node::{NodeApi as _, RemoteNode};
use lull_tests::{NodeRole, Org, Wiretap, files_hold, free_address, memory_holds, question};
use lull_types::ChatEvent;

/// How often a new marker is sent.
const ROUNDS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_marker_in_prompts_is_nowhere_but_at_its_submitter_and_lender() -> Result<()> {
    let behind = free_address()?;
    let wiretap = Wiretap::start(behind).await?;
    let mut org = Org::create_at("Acme", wiretap.address)?;
    // Every library at its most talkative: no level may hold content.
    org.log = "trace";
    let relay = org.relay_at(behind)?;
    let asker = org.node("reed-who-asks", NodeRole::Submitter)?;
    // No lender yet: the question waits at its submitter, and the relay knows of the job.
    let node = RemoteNode::connect(&asker.home).await?;
    let marker = marker(0);
    let mut waiting = node.chat(question(&format!("{marker} What is Lull?"))).await?;
    let first = waiting.next().await.context("the job is queued")?;
    ensure!(matches!(first, ChatEvent::Queued { .. }), "{first:?}");
    ensure!(memory_holds(asker.process.pid(), marker.as_bytes())?, "control: the submitter holds the question");
    ensure!(!memory_holds(relay.process.pid(), marker.as_bytes())?, "the relay's memory holds a waiting question");
    let lender = org.node("oak-who-lends", NodeRole::Dedicated)?;
    let mut answer = String::new();
    while let Some(event) = waiting.next().await {
        answer.push_str(event.text());
        ensure!(!matches!(event, ChatEvent::Failed(_)), "{event:?}");
        if event.is_last() {
            break;
        }
    }
    ensure!(answer.len() > 20, "an answer came: {answer}");
    let mut needles = vec![marker, answer.trim().chars().take(30).collect()];
    for round in 1..ROUNDS {
        let marker = self::marker(round);
        lull_tests::ask(&asker.home, question(&format!("What is {marker}?")), |_| {}).await?;
        needles.push(marker);
    }
    for needle in &needles {
        let bytes = needle.as_bytes();
        ensure!(!memory_holds(relay.process.pid(), bytes)?, "the relay's memory holds {needle}");
        ensure!(!files_hold(&org.dir(), bytes)?.0, "the organisation's files hold {needle}");
        ensure!(!relay.process.log().contains(needle.as_str()), "the relay's log holds {needle}");
        ensure!(!wiretap.holds(bytes), "the wire carries {needle} in the clear");
        for node in [&asker, &lender] {
            ensure!(!node.process.log().contains(needle.as_str()), "{}'s log holds {needle}", node.name);
            ensure!(!files_hold(&node.home, bytes)?.0, "{}'s files hold {needle}", node.name);
        }
    }
    ensure!(relay.process.log().contains("oak-who-lends"), "control: the relay logs a node's name");
    ensure!(memory_holds(relay.process.pid(), b"oak-who-lends")?, "control: the relay's memory can be searched");
    ensure!(files_hold(&org.dir().join("relay"), b"oak-who-lends")?.0, "control: the relay's files can be searched");
    let (datagrams, bytes) = wiretap.amount();
    ensure!(datagrams > 100 && bytes > 20_000, "control: only {datagrams} datagrams passed the wiretap");
    println!(
        "{} needles; {datagrams} datagrams, {bytes} bytes on the wires; found only where they belong",
        needles.len()
    );
    Ok(())
}

/// A word that occurs nowhere else. It is put together here so that the test's own text does not hold it.
fn marker(round: usize) -> String {
    let random: u64 = std::process::id().into();
    format!("zq{:x}marker{round}qz", random.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(round as u64))
}
