//! Prefill and decode of our worker, beside llama.cpp and beside mistral.rs without us between.

mod model;
mod runner;

use std::path::{Path, PathBuf};

use anyhow::Result;
use lull_types::Tier;
pub(crate) use runner::{Ours, Run};
use runner::{Peer, Speeds};

use crate::{
    Options, machine,
    report::{Report, Row},
    setup::{self, BASELINE, LLAMA_V3, LLAMA_V4, V3, WorkerBuild},
    stats,
};
use model::Made;
pub(crate) use model::{Quantisation, make};

/// llama.cpp's bindings for Python, and its version.
const LLAMA_PACKAGE: &str = "llama-cpp-python==0.3.36";
const LLAMA: &str = "llama-cpp-python";
const DIRECT: &str = "mistralrs-direct";
/// Tokens of the prompt.
const PROMPT: u32 = 128;
/// Tokens of the answer.
const ANSWER: u32 = 33;
/// The longest prompt and answer together, in tokens.
const CONTEXT: u32 = 512;
const ROUNDS: usize = 5;
const ROUNDS_QUICK: usize = 2;

/// Above this load average before the start, numbers say little.
const LOAD_MAX: f64 = 0.7;

/// Who is measured: a name, and something that runs.
type Contender = (&'static str, Box<dyn Run>);

pub(crate) fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("engine");
    let threads = machine::threads();
    let builds = builds(options, &mut report)?;
    let direct = V3.make_direct()?;
    let python = setup::python_with(LLAMA_PACKAGE, "llama_cpp")?;
    if let Some(load) = machine::load().filter(|&load| load > LOAD_MAX) {
        report.notes.push(format!(
            "the machine was busy with other work (load {load:.1}): llama.cpp's threads, which wait for each other at \
             every layer, lose most by that; measure again when it is idle"
        ));
    }
    let mut bandwidth = machine::memory_bandwidth();
    let mut measured = Vec::new();
    for quantisation in [Quantisation::Q8, Quantisation::Q4KM] {
        let made = model::make(quantisation)?;
        let mut contenders = contenders(&made, threads, &python, &direct, &builds)?;
        let rounds = if options.quick { ROUNDS_QUICK } else { ROUNDS };
        measured.push((quantisation, made.bytes_per_token, measure(&mut contenders, rounds)?));
        // The limit is what the machine can do, not what other work left of it at one moment.
        bandwidth = bandwidth.max(machine::memory_bandwidth());
    }
    for (quantisation, bytes_per_token, speeds) in measured {
        report.rows.extend(rows(quantisation.name(), &speeds, bandwidth / bytes_per_token as f64));
    }
    report.notes.push(format!(
        "{threads} threads, prompt {PROMPT} tokens, answer {ANSWER}; random weights in the shape of a 1.1B Llama; the \
         decode limit is the measured memory bandwidth ({:.1} GB/s) by the bytes read per token",
        bandwidth / 1e9
    ));
    Ok(report)
}

/// Everybody with this model loaded; the two peers first.
fn contenders(
    made: &Made,
    threads: u16,
    python: &Path,
    direct: &Path,
    builds: &[(&'static str, PathBuf)],
) -> Result<Vec<Contender>> {
    let script = setup::sources().join("bench/peers/llama_cpp.py");
    let numbers = [threads.to_string(), CONTEXT.to_string()];
    let mut contenders: Vec<Contender> = vec![
        (LLAMA, Box::new(Peer::start(python, &[&script, &made.gguf], &numbers)?)),
        (DIRECT, Box::new(Peer::start(direct, &[&made.folder], &numbers)?)),
    ];
    for (engine, program) in builds {
        contenders.push((engine, Box::new(Ours::start(program, &made.folder, threads, CONTEXT, Tier::Basic.into())?)));
    }
    Ok(contenders)
}

/// The builds of the worker that this machine can measure.
fn builds(options: &Options, report: &mut Report) -> Result<Vec<(&'static str, PathBuf)>> {
    let mut builds = Vec::new();
    let mut add = |build: &WorkerBuild| -> Result<()> {
        builds.push((build.engine, build.make()?));
        Ok(())
    };
    // The first is the one that a node starts here.
    if lull_engine::cpu::has_v4() {
        add(&LLAMA_V4)?;
    }
    if lull_engine::cpu::has_v3() {
        add(&LLAMA_V3)?;
        add(&V3)?;
    }
    if options.quick && !BASELINE.is_made() {
        report.notes.push("worker-baseline is not measured: it is not built, and --quick does not build it".into());
    } else {
        add(&BASELINE)?;
    }
    Ok(builds)
}

/// Runs everybody in turn, so that whatever slows the machine down slows everybody down.
fn measure(contenders: &mut [Contender], rounds: usize) -> Result<Vec<(&'static str, Vec<Speeds>)>> {
    let mut speeds: Vec<(&'static str, Vec<Speeds>)> = contenders.iter().map(|(name, _)| (*name, vec![])).collect();
    // The first round fills caches and is not counted.
    for round in 0..=rounds {
        for ((name, contender), (_, speeds)) in contenders.iter_mut().zip(&mut speeds) {
            let speed = contender.run(PROMPT, ANSWER)?;
            eprintln!("round {round} {name}: prefill {:.1}, decode {:.1} tok/s", speed.prefill, speed.decode);
            if round > 0 {
                speeds.push(speed);
            }
        }
    }
    Ok(speeds)
}

fn rows(quantisation: &str, speeds: &[(&'static str, Vec<Speeds>)], decode_limit: f64) -> Vec<Row> {
    let of = |name: &str, pick: fn(&Speeds) -> f64| -> Vec<f64> {
        speeds
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, all)| all.iter().map(pick).collect())
            .unwrap_or_default()
    };
    let row = |metric: String, engine: &str, peer: &'static str, pick: fn(&Speeds) -> f64, limit: Option<f64>| {
        let (ours, theirs) = (of(engine, pick), of(peer, pick));
        Row {
            metric,
            engine: Some(engine.to_owned()),
            value: stats::median(&ours),
            unit: "tok/s",
            peer: Some(peer),
            peer_value: Some(stats::median(&theirs)),
            ratio: Some(stats::ratio(&ours, &theirs)),
            limit,
        }
    };
    let mut rows = Vec::new();
    // Ours first: the first row of a metric is the one that counts here.
    for (engine, _) in speeds.iter().skip(2).chain(&speeds[1..2]) {
        rows.push(row(format!("decode_{quantisation}"), engine, LLAMA, |speed| speed.decode, Some(decode_limit)));
        rows.push(row(format!("prefill_{quantisation}"), engine, LLAMA, |speed| speed.prefill, None));
    }
    if speeds.iter().any(|(name, _)| *name == V3.engine) {
        let through = format!("decode_through_worker_{quantisation}");
        rows.push(row(through, V3.engine, DIRECT, |speed| speed.decode, Some(decode_limit)));
    }
    rows
}
