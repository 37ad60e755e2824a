//! What confining a worker costs: the same worker with and without its sandbox, in turns.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use lull_engine::{Demand, cpu};
use lull_types::{Layer, Layers, Tier};

use crate::{
    Options,
    engine::{self, Ours, Quantisation, Run as _},
    machine,
    report::{Report, Row},
    setup, stats,
};

/// Tokens of the prompt and of the answer.
const PROMPT: u32 = 128;
const ANSWER: u32 = 65;
/// The longest prompt and answer together, in tokens.
const CONTEXT: u32 = 512;
/// Rounds of decode; each has both workers in it.
const ROUNDS: usize = 10;
const ROUNDS_QUICK: usize = 3;
/// Rounds of starts.
const STARTS: usize = 60;
const STARTS_QUICK: usize = 15;
const PEER: &str = "without sandbox";

/// What was measured with and without, round by round.
#[derive(Default)]
struct Pair {
    with: Vec<f64>,
    without: Vec<f64>,
}

/// Runs it.
///
/// # Errors
/// When a worker cannot be started, or is not confined as it should be.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("sandbox");
    let load = machine::load().map_or_else(|| "unknown".into(), |load| format!("{load:.2}"));
    let of = |full, quick| if options.quick { quick } else { full };
    let program = program()?;
    let (decode, prefill, layers) = speeds(&program, of(ROUNDS, ROUNDS_QUICK))?;
    let starts = starts(&program, of(STARTS, STARTS_QUICK))?;
    report.rows.push(row("decode_ratio_sandboxed", "tok/s", &decode));
    report.rows.push(row("prefill_ratio_sandboxed", "tok/s", &prefill));
    let added: Vec<f64> = starts.with.iter().zip(&starts.without).map(|(with, without)| with - without).collect();
    report.rows.push(Row { value: stats::median(&added), limit: Some(0.0), ..row("spawn_added", "ms", &starts) });
    report.rows.push(row("spawn", "ms", &starts));
    let tier = Tier::of(&layers).map_or("none", Tier::name);
    let names: Vec<&str> = layers.iter().map(|layer| layer.name()).collect();
    report.notes.push(format!(
        "load average at the start {load}; tier {tier}: {}; {} threads, random 1.1B weights, Q8_0, prompt {PROMPT} and \
         answer {ANSWER} tokens; spawn = start of the process to the loaded demo model",
        names.join(", "),
        machine::threads()
    ));
    Ok(report)
}

fn bare() -> Demand {
    Demand { required: Layers::new(), skip: Layer::ALL.into() }
}

fn speeds(program: &Path, rounds: usize) -> Result<(Pair, Pair, Layers)> {
    let model = engine::make(Quantisation::Q8)?.folder;
    let start = |demand| Ours::start(program, &model, machine::threads(), CONTEXT, demand);
    let (mut confined, mut free) = (start(Tier::Basic.into())?, start(bare())?);
    ensure!(free.layers().is_empty(), "the worker without a sandbox has one: {:?}", free.layers());
    let layers = confined.layers().clone();
    let (mut decode, mut prefill) = (Pair::default(), Pair::default());
    // The first round fills caches and is not counted.
    for round in 0..=rounds {
        let speed = (confined.run(PROMPT, ANSWER)?, free.run(PROMPT, ANSWER)?);
        eprintln!("round {round}: decode {:.1} with, {:.1} without, tok/s", speed.0.decode, speed.1.decode);
        if round > 0 {
            decode.add(speed.0.decode, speed.1.decode);
            prefill.add(speed.0.prefill, speed.1.prefill);
        }
    }
    Ok((decode, prefill, layers))
}

/// Milliseconds from the start of a process to the loaded demo model.
fn starts(program: &Path, rounds: usize) -> Result<Pair> {
    let model = setup::sources().join("crates/lull-models/demo");
    let mut pair = Pair::default();
    for round in 0..=rounds {
        let ms = |demand| Ok::<_, anyhow::Error>(Ours::start(program, &model, 1, CONTEXT, demand)?.loaded_in_s() * 1e3);
        let (with, without) = (ms(Tier::Basic.into())?, ms(bare())?);
        if round > 0 {
            pair.add(with, without);
        }
    }
    Ok(pair)
}

impl Pair {
    fn add(&mut self, with: f64, without: f64) {
        self.with.push(with);
        self.without.push(without);
    }
}

fn row(metric: &str, unit: &'static str, pair: &Pair) -> Row {
    Row {
        metric: metric.into(),
        engine: None,
        value: stats::median(&pair.with),
        unit,
        peer: Some(PEER),
        peer_value: Some(stats::median(&pair.without)),
        ratio: Some(stats::ratio(&pair.with, &pair.without)),
        limit: None,
    }
}

fn program() -> Result<PathBuf> {
    let folder = match std::env::var_os("LULL_WORKER_DIR") {
        Some(folder) => folder.into(),
        None => setup::cache()?.join("bin"),
    };
    cpu::program_for_this_cpu(&folder, cpu::EngineKind::Mistral)
        .context("the worker is not built: run ./x build-worker")
}
