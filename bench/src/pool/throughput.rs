use std::{sync::Arc, time::Instant};

use anyhow::{Result, bail};
use lull_engine::scripted::Script;
use lull_node::{Node, NodeApi as _};
use lull_types::{ChatEvent, ChatRequest, Label, Message, Role, Sampling};

use super::{
    relay::{FRAMES, MODEL, Pool},
    row,
};
use crate::{Options, report::Report};

/// Nodes that ask, and jobs that each has under way.
const ASKERS: usize = 4;
const JOBS_EACH: usize = 4;
/// Nodes that lend, and jobs that each takes at once.
const LENDERS: usize = 4;
const SLOTS: u16 = 4;
/// Tokens of the answers whose frames are counted.
const LONG_TOKENS: u32 = 3_000;

async fn one(node: &Node, max_tokens: u32) -> Result<()> {
    let request = ChatRequest {
        model: MODEL.into(),
        messages: vec![Message { role: Role::User, content: "x".into() }],
        label: Label::default(),
        sampling: Sampling { temperature: 0.0, max_tokens, ..Sampling::default() },
    };
    let mut chat = node.chat(request).await?;
    while let Some(event) = chat.next().await {
        match event {
            ChatEvent::Failed(fault) => bail!("{fault}"),
            ChatEvent::Done { .. } => return Ok(()),
            _ => {}
        }
    }
    bail!("an answer broke off")
}

/// Runs `jobs` jobs with every asker's hands full.
async fn many(askers: &[Arc<Node>], jobs: usize, max_tokens: u32) -> Result<()> {
    let hands = askers.len() * JOBS_EACH;
    let mut tasks = tokio::task::JoinSet::new();
    for hand in 0..hands {
        let node = askers[hand % askers.len()].clone();
        tasks.spawn(async move {
            for _ in 0..jobs.div_ceil(hands) {
                one(&node, max_tokens).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Jobs per second of relay CPU, and relay CPU per token frame.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let (jobs, long) = if options.quick { (800, 16) } else { (6_000, 64) };
    let pool = Pool::start()?;
    let script = Script { length: 1_000_000, context: 8_192, ..Script::default() };
    let mut lenders = Vec::new();
    for at in 0..LENDERS {
        lenders.push(pool.lender(&format!("lender{at}"), &script, SLOTS).await?);
    }
    let mut askers = Vec::new();
    for at in 0..ASKERS {
        askers.push(pool.asker(&format!("asker{at}")).await?);
    }
    many(&askers, 64, 1).await?;
    eprintln!("throughput: {jobs} jobs of one token, then {long} answers of {LONG_TOKENS} tokens");
    let (cpu, start) = (pool.cpu_s()?, Instant::now());
    many(&askers, jobs, 1).await?;
    let (cpu, wall) = (pool.cpu_s()? - cpu, start.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a few thousand jobs")]
    let jobs = jobs as f64;
    report.rows.push(row("jobs_per_core", jobs / cpu, "jobs/s"));
    report.rows.push(row("jobs_per_second", jobs / wall, "jobs/s"));
    let frames = pool.counter(FRAMES)?;
    let cpu = pool.cpu_s()?;
    many(&askers, long, LONG_TOKENS).await?;
    let (cpu, frames) = (pool.cpu_s()? - cpu, pool.counter(FRAMES)? - frames);
    report.rows.push(row("cpu_us_per_frame", cpu * 1e6 / frames, "us"));
    report.notes.push(format!(
        "throughput: {} jobs under way at once; everything shares this machine's cores, so jobs_per_second is the \
         whole chain's (askers, relay, lenders, workers) and jobs_per_core counts the relay's CPU alone; \
         cpu_us_per_frame over {frames:.0} frames at full speed, where many share a datagram, \
         and cpu_us_per_frame_paced at one frame in 20 ms, where each has its own",
        ASKERS * JOBS_EACH
    ));
    for node in askers.into_iter().chain(lenders) {
        node.shutdown().await;
    }
    Ok(())
}
