//! From the kill until the worker's memory is back with the system.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lull_sandbox::Freezer;
use rustix::process::{Pid, Signal, kill_process};

use super::{
    figures::max,
    lent::{Lent, Phase},
    part::crowd,
};
use crate::machine;

/// The least that a worker must have of its own to be worth the measurement, in bytes.
const WORTH_BYTES: u64 = 1 << 30;
/// The share of the worker's own memory that it may still hold when its memory counts as back.
const REST_SHARE: f64 = 0.01;
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long memory is waited for; a kill that takes longer is counted with this.
pub(super) const BACK_MAX: Duration = Duration::from_secs(30);
/// How long a worker is frozen before it is killed, as in a node's grace period, only shorter.
const GRACE: Duration = Duration::from_millis(200);

/// Which way a worker is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As a node does: frozen first, then killed, and its memory taken by `process_mrelease`.
    Ours,
    /// The same without freezing.
    Unfrozen,
    /// Only killed.
    KillOnly,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Ours, Self::Unfrozen, Self::KillOnly];
}

/// Kills of one kind.
#[derive(Debug)]
pub(super) struct Kills {
    pub(super) way: Way,
    /// Busy processes for each core.
    pub(super) load: usize,
    /// How long until the memory was back, in milliseconds.
    pub(super) back_ms: Vec<f64>,
    /// How much of its own each worker had, in bytes.
    pub(super) own: Vec<u64>,
    /// And of files.
    pub(super) files: Vec<u64>,
    /// By how much of the worker's own memory the system's available memory had grown shortly after: about 1 on a
    /// machine where nobody else takes or gives any.
    pub(super) grown: Vec<f64>,
}

/// Runs all kills: `ours` of our way, `others` of each other way, at each load.
pub(super) fn measure(model: &Path, ours: usize, others: usize) -> Result<Vec<Kills>> {
    let mut all = Vec::new();
    for load in super::LOADS {
        for way in Way::ALL {
            let mut kills = Kills { way, load, back_ms: vec![], own: vec![], files: vec![], grown: vec![] };
            for round in 0..if way == Way::Ours { ours } else { others } {
                kills.one(model)?;
                eprint!("\rmemory: {way:?}, {load} busy per core: {} done   ", round + 1);
            }
            eprintln!("slowest {:.0} ms", max(&kills.back_ms));
            all.push(kills);
        }
    }
    Ok(all)
}

impl Kills {
    fn one(&mut self, model: &Path) -> Result<()> {
        let freezer = Arc::new(Freezer::new());
        let mut lent = Lent::start(model, &freezer)?;
        lent.feed(Phase::Decode);
        lent.wait_until_at(Phase::Decode)?;
        let busy = crowd(self.load * usize::from(machine::threads()))?;
        if self.way == Way::Ours {
            lent.freeze();
            std::thread::sleep(GRACE);
        }
        lent.let_rest();
        let (own, files) = lent.resident()?;
        ensure!(own >= WORTH_BYTES, "the worker has only {} MiB of its own, of files {}", own >> 20, files >> 20);
        let before = available()?;
        let (pid, rest) = (lent.pid(), (own as f64 * REST_SHARE) as u64);
        let began = Instant::now();
        if self.way == Way::KillOnly {
            let process = Pid::from_raw(i32::try_from(pid)?).context("the worker has no process")?;
            kill_process(process, Signal::KILL)?;
        } else {
            lent.kill()?;
        }
        while held(pid) > rest && began.elapsed() < BACK_MAX {
            std::thread::sleep(LOOK_EVERY);
        }
        self.back_ms.push(began.elapsed().min(BACK_MAX).as_secs_f64() * 1e3);
        self.own.push(own);
        self.files.push(files);
        drop(busy);
        lent.wait_until_gone();
        std::thread::sleep(GRACE);
        self.grown.push((available()? as f64 - before as f64) / own as f64);
        Ok(())
    }
}

/// What this process itself takes to give as much back, in milliseconds.
pub(super) fn floor(bytes: u64) -> Result<f64> {
    let memory = vec![1_u8; usize::try_from(bytes)?];
    std::hint::black_box(&memory);
    let began = Instant::now();
    drop(memory);
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// What programs could have now, in bytes.
fn available() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).context("no MemAvailable")?;
    let kib: u64 = line.split_whitespace().next().context("no MemAvailable")?.parse()?;
    Ok(kib << 10)
}

/// What a process that is being killed still has of its own, in bytes. A thread that is a zombie has let go of its memory;
/// one that has let go of it but is no zombie yet is just giving it back, so that all of it counts as still there.
fn held(pid: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let texts = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    texts.map(|text| held_by(&text)).max().unwrap_or(0)
}

/// The same from one thread's `status`.
fn held_by(status: &str) -> u64 {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    match field("State:") {
        Some(state) if state.starts_with(['Z', 'X']) => return 0,
        _ => {}
    }
    let kib = field("RssAnon:").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_held_until_a_thread_is_a_zombie() {
        assert_eq!(held_by("Name:\tx\nState:\tR (running)\nRssAnon:\t    2048 kB\n"), 2 << 20);
        assert_eq!(held_by("Name:\tx\nState:\tD (disk sleep)\n"), u64::MAX);
        assert_eq!(held_by("Name:\tx\nState:\tZ (zombie)\n"), 0);
        let own = held(std::process::id());
        assert!(own > 0 && own < u64::MAX, "{own}");
        assert_eq!(held(u32::MAX), 0);
    }
}
