use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use lull_engine::scripted::Script;
use lull_node::{Chat, Node, NodeApi as _};
use lull_types::{ChatEvent, ChatRequest, Label, Message, Request, Response, Role, Sampling, WorkerState};

use super::bounds;
use crate::{
    Options,
    pool::{
        quantile,
        relay::{MODEL, Pool},
        row,
    },
    report::{Report, Row},
};

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// From one scripted token to the next, in microseconds.
const PACE_US: u64 = 1_000;

/// When the streams of a machine that was cut off ended, in milliseconds after the command began.
struct Cut {
    asker_ms: f64,
    lender_ms: f64,
}

/// An answer without end that has begun.
async fn begun(node: &Node) -> Result<Chat> {
    let request = ChatRequest {
        model: MODEL.into(),
        messages: vec![Message { role: Role::User, content: "talk".into() }],
        label: Label::default(),
        sampling: Sampling { temperature: 0.0, max_tokens: 900_000, ..Sampling::default() },
    };
    let mut chat = node.chat(request).await?;
    while let Some(event) = chat.next().await {
        match event {
            ChatEvent::Token(_) => return Ok(chat),
            ChatEvent::Failed(fault) => bail!("{fault}"),
            _ => {}
        }
    }
    bail!("an answer broke off")
}

async fn ended(mut chat: Chat, began: Instant) -> Result<f64> {
    while let Some(event) = chat.next().await {
        match event {
            ChatEvent::Failed(_) => return Ok(began.elapsed().as_secs_f64() * 1e3),
            ChatEvent::Done { .. } => bail!("an endless answer ended"),
            _ => {}
        }
    }
    bail!("an answer ended without a word")
}

async fn works(node: &Node) -> Result<bool> {
    let Response::Status(status) = node.call(Request::Status).await? else { bail!("no status") };
    Ok(status.workers.iter().any(|worker| worker.state == WorkerState::Busy))
}

async fn idle(node: &Node, began: Instant) -> Result<f64> {
    let mut events = node.events();
    while works(node).await? {
        let _ = tokio::time::timeout(Duration::from_millis(5), events.recv()).await;
    }
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// Revokes one of two machines between which an answer streams.
async fn cut(pool: &Pool, asker: &Node, lender: &Node, revoked: &Node) -> Result<Cut> {
    let chat = begun(asker).await?;
    while !works(lender).await? {}
    let (program, dir, node) = (pool.program(), pool.org.dir(), revoked.id().to_string());
    let began = Instant::now();
    let command = tokio::task::spawn_blocking(move || {
        std::process::Command::new(program).arg("admin").arg("--dir").arg(dir).args(["revoke", &node]).output()
    });
    let streams = async { tokio::try_join!(ended(chat, began), idle(lender, began)) };
    let (asker_ms, lender_ms) =
        tokio::time::timeout(PATIENCE, streams).await.context("a revoked machine's streams went on")??;
    let output = command.await??;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(Cut { asker_ms, lender_ms })
}

/// From the beginning of `lull admin revoke` to the end of the streams at both ends.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let rounds = if options.quick { 4 } else { 20 };
    let script = Script { length: 1_000_000, pace_us: PACE_US, context: 1_000_000, ..Script::default() };
    let pool = Pool::start()?;
    let limit = bounds::command_ms(&pool.program())?;
    let (mut asked, mut lent) = (Vec::new(), Vec::new());
    let lender: Arc<Node> = pool.lender("lender", &script, 1).await?;
    for round in 0..rounds {
        let asker = pool.asker(&format!("asker{round}")).await?;
        asked.push(cut(&pool, &asker, &lender, &asker).await?);
        asker.shutdown().await;
        eprint!("\rrevoke: asker {} of {rounds}   ", round + 1);
    }
    lender.shutdown().await;
    let asker = pool.asker("asker").await?;
    for round in 0..rounds {
        let lender = pool.lender(&format!("lender{round}"), &script, 1).await?;
        lent.push(cut(&pool, &asker, &lender, &lender).await?);
        lender.shutdown().await;
        eprint!("\rrevoke: lender {} of {rounds}   ", round + 1);
    }
    eprintln!();
    asker.shutdown().await;
    let all: Vec<f64> = asked.iter().chain(&lent).map(|cut| cut.asker_ms.max(cut.lender_ms)).collect();
    let mut tell = |metric: &str, times: &[f64]| {
        for (name, share) in [("p50", 0.5), ("max", 1.0)] {
            let value = quantile(times, share);
            report.rows.push(Row { limit: Some(limit), ..row(&format!("{metric}_{name}"), value, "ms") });
        }
    };
    tell("revoke_live", &all);
    for (who, cuts) in [("asker", &asked), ("lender", &lent)] {
        tell(&format!("revoke_{who}_ends_at_asker"), &cuts.iter().map(|cut| cut.asker_ms).collect::<Vec<_>>());
        tell(&format!("revoke_{who}_ends_at_lender"), &cuts.iter().map(|cut| cut.lender_ms).collect::<Vec<_>>());
    }
    report.notes.push(format!(
        "revoke_live: {rounds} askers and {rounds} lenders revoked under a live answer of 1,000 tokens/s, from the \
         start of the process `lull admin revoke` until both ends are over (the chat's last event; no worker busy, \
         looked at with each event and every 5 ms); aim 1,000 ms; limit: `lull --version`, the same process doing \
         nothing"
    ));
    Ok(())
}
