use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lull_node::{Node, NodeApi as _, NodeOptions};
use lull_types::{LinkView, Request, Response};

use super::bounds;
use crate::{
    Options, machine,
    pool::{quantile, relay::Pool, row},
    report::{Report, Row},
};

/// Nodes that follow.
const NODES: u32 = 200;
/// Machines that join at the same time.
const AT_ONCE: usize = 16;
/// The longest that all nodes may take to connect.
const PATIENCE: Duration = Duration::from_secs(120);

async fn node(pool: &Pool, token: &lull_wire::Token, at: u32) -> Result<Arc<Node>> {
    let home = pool.org.path().join(format!("node{at}"));
    lull_node::enroll(&home, token, Some(format!("node{at}")), false).await?;
    // Nobody sits there, and it has no worker: what is measured is the organisation's word alone.
    let options = NodeOptions {
        dedicated: true,
        worker_dir: Some(pool.org.path().join("no-workers")),
        demo: false,
        ..NodeOptions::default()
    };
    let node = Node::start(&home, options).await?;
    let mut events = node.events();
    let up = async {
        loop {
            let Response::Status(status) = node.call(Request::Status).await? else { anyhow::bail!("no status") };
            if matches!(status.relay, LinkView::Up { .. }) {
                return Ok(());
            }
            let _ = events.recv().await;
        }
    };
    tokio::time::timeout(PATIENCE, up).await.context("a node did not connect")??;
    Ok(node)
}

async fn version(node: &Node) -> Result<u64> {
    let Response::Rules(rules) = node.call(Request::Rules).await? else { anyhow::bail!("no rules") };
    Ok(rules.policy.map_or(0, |policy| policy.version))
}

/// One push: how long the command took until the last node followed, and the share that it says itself, both in
/// milliseconds.
async fn push(pool: &Pool, nodes: &[Arc<Node>], round: u64) -> Result<(f64, f64)> {
    let file = pool.org.path().join("policy.toml");
    fs::write(&file, format!("[lend]\nidle_minutes = {round}\n[labels.confidential]\nlenders = [\"hr\"]\n"))?;
    let (program, dir) = (pool.program(), pool.org.dir());
    let began = Instant::now();
    let pushing = tokio::task::spawn_blocking(move || {
        let mut command = std::process::Command::new(program);
        command.arg("admin").arg("--dir").arg(dir).args(["policy", "push", "--json", "--wait", "60s"]).arg(file);
        command.output()
    });
    let output = pushing.await??;
    let took_ms = began.elapsed().as_secs_f64() * 1e3;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let count = |name: &str| said["reach"][name].as_u64().unwrap_or(0);
    let all = nodes.len() as u64;
    ensure!((count("connected"), count("following")) == (all, all), "not everybody follows: {said}");
    for node in nodes {
        ensure!(version(node).await? == round, "a node says that it follows, and does not");
    }
    Ok((took_ms, said["reach"]["took_ms"].as_f64().unwrap_or(f64::NAN)))
}

/// From the beginning of `lull admin policy push` until it has heard from every one of the nodes that they follow.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let rounds = if options.quick { 3 } else { 10 };
    let pool = Pool::start()?;
    let token = pool.token(NODES)?;
    let mut nodes = Vec::new();
    while nodes.len() < NODES as usize {
        let first = u32::try_from(nodes.len())?;
        let some = (first..NODES).take(AT_ONCE).map(|at| node(&pool, &token, at));
        for node in futures::future::join_all(some).await {
            nodes.push(node?);
        }
        eprint!("\rpolicy: {} of {NODES} nodes connected   ", nodes.len());
    }
    let (mut took, mut said) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let (took_ms, said_ms) = push(&pool, &nodes, round).await?;
        took.push(took_ms);
        said.push(said_ms);
        eprint!("\rpolicy: push {round} of {rounds}          ");
    }
    eprintln!();
    futures::future::join_all(nodes.iter().map(|node| node.shutdown())).await;
    let (sign_us, verify_us) = bounds::ed25519_us();
    let disk = bounds::kept_files(&pool.org.path().join("bound"), NODES as usize)?;
    let cores = f64::from(machine::threads());
    let limit = (sign_us + verify_us * f64::from(NODES) / cores) / 1e3 + disk.as_secs_f64() * 1e3;
    for (metric, value) in [
        ("policy_200_nodes", quantile(&took, 1.0)),
        ("policy_200_nodes_p50", quantile(&took, 0.5)),
        ("policy_200_nodes_after_the_ledger_p50", quantile(&said, 0.5)),
    ] {
        report.rows.push(Row { limit: Some(limit), ..row(metric, value, "ms") });
    }
    report.notes.push(format!(
        "policy_200_nodes: the slowest of {rounds} pushes to {NODES} real lull_node nodes in one process (each with a \
         home, a connection and a lending thread of its own), from the start of the process `lull admin policy push` \
         until it has heard from the last that it follows (asked every 20 ms); aim 2,000 ms; limit: one signature \
         ({sign_us:.0} us), {NODES} checks ({verify_us:.0} us each, on {cores} cores) and {NODES} files replaced and \
         synced ({:.0} ms), measured in this run",
        disk.as_secs_f64() * 1e3
    ));
    Ok(())
}
