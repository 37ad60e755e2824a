//! How fast a machine is its owner's again: real input on a real X server, a real worker at its work, and the kernel's
//! own records of when each of its threads ran.

mod clock;
mod echo;
mod entries;
mod figures;
mod floor;
mod lent;
mod memory;
mod part;
mod random;
mod record;
mod recorder;
mod rest;
mod rows;
mod screen;
mod slices;
mod spare;
mod stop;
mod watcher;

use std::time::Instant;

use anyhow::Result;

pub(crate) use part::play;

use screen::Screen;

use crate::{
    Options,
    engine::{self, Quantisation},
    machine,
    report::Report,
};

/// Busy processes for each core.
const LOADS: [usize; 3] = [0, 1, 2];
/// Trials of each of the six kinds: over 2,000 in all.
const TRIALS: usize = 340;
const TRIALS_QUICK: usize = 20;
/// Kills of our way at each load, and of each other way.
const KILLS: (usize, usize) = (30, 2);
const KILLS_QUICK: (usize, usize) = (3, 1);
/// Rounds of the echo at each load; each gives about 40 echoes of each kind.
const ECHO_ROUNDS: usize = 20;
const ECHO_ROUNDS_QUICK: usize = 10;
/// Wake-ups of the floor at each load.
const WAKE_UPS: usize = 2_000;
const WAKE_UPS_QUICK: usize = 300;
/// Freezes that prove what an entry is.
const ENTRIES: u32 = 40;
const ENTRIES_QUICK: u32 = 30;
/// How long each pace is watched at rest, in seconds.
const REST_S: u64 = 20;
const REST_QUICK_S: u64 = 10;

/// Everything that was measured.
struct Measured {
    load_at_start: Option<f64>,
    method: String,
    rest: (Vec<rest::Cost>, usize),
    floors: Vec<(usize, Vec<f64>)>,
    entries: entries::Entries,
    stops: Vec<stop::Condition>,
    echoes: Vec<echo::Echoes>,
    kills: Vec<memory::Kills>,
    munmap_ms: f64,
    took_s: u64,
}

/// Runs it.
///
/// # Errors
/// When something cannot be started, or the kernel does not tell what must be known.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let began = Instant::now();
    let mut report = Report::new("yield");
    let load_at_start = machine::load();
    eprintln!("load average at the start: {}", load_at_start.map_or_else(|| "unknown".into(), |load| load.to_string()));
    let of = |full, quick| if options.quick { quick } else { full };
    let model = engine::make(Quantisation::Q8)?.folder;
    let rest = rest::measure(&Screen::start()?, if options.quick { REST_QUICK_S } else { REST_S })?;
    let floors = LOADS.map(|load| Ok((load, floor::two_wake_ups(of(WAKE_UPS, WAKE_UPS_QUICK), load)?)));
    let floors = floors.into_iter().collect::<Result<_>>()?;
    let entries = entries::measure(if options.quick { ENTRIES_QUICK } else { ENTRIES })?;
    let stops = stop::measure(&model, &Screen::start()?, of(TRIALS, TRIALS_QUICK))?;
    let echoes = echo::measure(&model, &Screen::start()?, of(ECHO_ROUNDS, ECHO_ROUNDS_QUICK))?;
    let (ours, others) = if options.quick { KILLS_QUICK } else { KILLS };
    let kills = memory::measure(&model, ours, others)?;
    let own = kills.iter().flat_map(|kills| &kills.own).max();
    let munmap_ms = memory::floor(own.copied().unwrap_or(0))?;
    let method = lull_sandbox::Freezer::new().method().to_string();
    let took_s = began.elapsed().as_secs();
    let measured = Measured { load_at_start, method, rest, floors, entries, stops, echoes, kills, munmap_ms, took_s };
    rows::add(&mut report, &measured);
    Ok(report)
}
