use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use lull_engine::{GenerateRequest, Limits, Step, Worker, WorkerSpec, scripted::Script};
use lull_node::{Node, NodeApi as _};
use lull_types::{ChatEvent, ChatRequest, Label, Message, Role, Sampling, Tier};

use super::{
    quantile,
    relay::{FRAMES, MODEL, Pool},
    row,
};
use crate::{
    Options,
    report::{Report, Row},
};

/// From one scripted token to the next.
const PACE: Duration = Duration::from_millis(20);
/// Tokens of an answer.
const TOKENS: u32 = 64;

/// When the tokens of one answer came, in milliseconds after asking.
type Times = Vec<f64>;

fn request() -> ChatRequest {
    ChatRequest {
        model: MODEL.into(),
        messages: vec![Message { role: Role::User, content: "How long does the way take?".into() }],
        label: Label::default(),
        sampling: Sampling { temperature: 0.0, max_tokens: TOKENS, ..Sampling::default() },
    }
}

async fn pooled(node: &Arc<Node>) -> Result<Times> {
    let start = Instant::now();
    let mut chat = node.chat(request()).await?;
    let mut times = Vec::new();
    while let Some(event) = chat.next().await {
        match event {
            ChatEvent::Token(_) => times.push(start.elapsed().as_secs_f64() * 1e3),
            ChatEvent::Failed(fault) => bail!("{fault}"),
            ChatEvent::Done { .. } => return Ok(times),
            _ => {}
        }
    }
    bail!("an answer broke off")
}

async fn alone(worker: &Worker) -> Result<Times> {
    let start = Instant::now();
    let ChatRequest { messages, sampling, .. } = request();
    let mut generation = worker.generate(GenerateRequest { messages, sampling, prefix: Vec::new() }).await;
    let mut times = Vec::new();
    while let Some(step) = generation.next().await {
        if let Step::Token(_) = step? {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(times)
}

fn gaps(rounds: &[Times]) -> Vec<f64> {
    rounds.iter().flat_map(|times| times.windows(2).map(|pair| pair[1] - pair[0])).collect()
}

fn firsts(rounds: &[Times]) -> Vec<f64> {
    rounds.iter().filter_map(|times| times.first().copied()).collect()
}

/// Time to first token and gaps between tokens: through the pool, and from the worker alone, in turns.
pub(crate) async fn measure(options: &Options, echo_us: f64, report: &mut Report) -> Result<()> {
    let rounds = if options.quick { 15 } else { 60 };
    let pace_us = u64::try_from(PACE.as_micros())?;
    let script = Script { pace_us, length: TOKENS, ..Script::default() };
    let pool = Pool::start()?;
    let lender = pool.lender("lender", &script, 1).await?;
    let asker = pool.asker("asker").await?;
    let spec = WorkerSpec {
        program: pool.worker(),
        model: pool.org.path().join("lender-script"),
        threads: 1,
        context_max: 4096,
        memory_max: None,
        scratch: pool.org.path().join("scratch"),
        limits: Limits::default(),
        demand: Tier::Basic.into(),
        leash: None,
    };
    let worker = Worker::spawn(spec).await?;
    pooled(&asker).await?;
    alone(&worker).await?;
    let (mut through, mut direct) = (Vec::new(), Vec::new());
    let (cpu, frames) = (pool.cpu_s()?, pool.counter(FRAMES)?);
    for round in 0..rounds {
        through.push(pooled(&asker).await?);
        direct.push(alone(&worker).await?);
        eprint!("\rlatency: round {} of {rounds}   ", round + 1);
    }
    eprintln!();
    let (cpu, frames) = (pool.cpu_s()? - cpu, pool.counter(FRAMES)? - frames);
    report.rows.push(row("cpu_us_per_frame_paced", cpu * 1e6 / frames, "us"));
    // From submit to the first token a job crosses the loopback eight times: submit, reserve, accept, grant, and the
    // stream's two hops each way.
    let hops_ms = echo_us * 4.0 / 1e3;
    let (first, first_alone, gap, gap_alone) = (firsts(&through), firsts(&direct), gaps(&through), gaps(&direct));
    report.rows.push(added("ttft_added_p50", &first, &first_alone, 0.50, Some(hops_ms)));
    report.rows.push(added("ttft_added_p99", &first, &first_alone, 0.99, Some(hops_ms)));
    report.rows.push(added("gap_added_p50", &gap, &gap_alone, 0.50, Some(0.0)));
    report.rows.push(added("gap_added_p99", &gap, &gap_alone, 0.99, Some(0.0)));
    report.notes.push(format!(
        "latency: {rounds} answers of {TOKENS} tokens at {} ms each way; limit of ttft_added = 4 QUIC round trips on \
         loopback, {echo_us:.0} us each here",
        PACE.as_millis()
    ));
    worker.shutdown().await;
    asker.shutdown().await;
    lender.shutdown().await;
    Ok(())
}

fn added(metric: &str, pool: &[f64], alone: &[f64], share: f64, limit: Option<f64>) -> Row {
    let (pool, alone) = (quantile(pool, share), quantile(alone, share));
    Row {
        peer: Some("worker alone"),
        peer_value: Some(alone),
        ratio: Some(pool / alone),
        limit,
        ..row(metric, pool - alone, "ms")
    }
}
