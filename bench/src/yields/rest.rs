//! What watching costs while nothing happens.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use lull_presence::{Config, Pace, Sink, Watch};
use rustix::time::{ClockId, clock_gettime};

use super::{screen::Screen, watcher};

/// Until everything that starts has started.
const SETTLE: Duration = Duration::from_secs(3);

/// What one pace costs, in percent of one core.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) pace: &'static str,
    /// All threads of this process.
    pub(super) own: f64,
    /// The X server, which has nothing to do but answer.
    pub(super) server: f64,
    /// Observations for each second.
    pub(super) heard: f64,
}

/// Watches with all sensors there are, at both paces, for so long each; and how many sources spoke.
pub(super) fn measure(screen: &Screen, seconds: u64) -> Result<(Vec<Cost>, usize)> {
    let heard = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&heard);
    let sink: Sink = Arc::new(move |_| {
        counter.fetch_add(1, Relaxed);
    });
    let watch = Watch::start(&watcher::config(screen, Config::default().still_ms), &sink)?;
    let mut costs = Vec::new();
    for (name, pace) in [("alert", Pace::Alert), ("calm", Pace::Calm)] {
        watch.set_pace(pace);
        std::thread::sleep(SETTLE);
        eprint!("\rrest: {name}, {seconds} s   ");
        let before = (own_cpu_ns(), cpu_ns(screen.pid())?, heard.load(Relaxed));
        let began = Instant::now();
        std::thread::sleep(Duration::from_secs(seconds));
        let after = (own_cpu_ns(), cpu_ns(screen.pid())?, heard.load(Relaxed));
        let passed = began.elapsed().as_secs_f64();
        let percent = |before: u64, after: u64| after.saturating_sub(before) as f64 / 1e9 / passed * 100.0;
        costs.push(Cost {
            pace: name,
            own: percent(before.0, after.0),
            server: percent(before.1, after.1),
            heard: (after.2 - before.2) as f64 / passed,
        });
    }
    eprintln!();
    Ok((costs, watch.sources().len()))
}

/// Processor time of this process, in nanoseconds.
fn own_cpu_ns() -> u64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(spent.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(spent.tv_nsec).unwrap_or(0)
}

/// Processor time of another process' threads, in nanoseconds. Threads that have ended are not counted.
fn cpu_ns(process: u32) -> Result<u64> {
    let folder = format!("/proc/{process}/task");
    let mut spent = 0;
    for thread in fs::read_dir(&folder).with_context(|| format!("{folder} cannot be read"))? {
        // A thread may end while this looks.
        let schedstat = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        spent += schedstat.split_whitespace().next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(spent)
}
