//! From the kill until the worker's memory is back with the system.

use std::{
    ops::RangeInclusive,
    os::fd::OwnedFd,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lull_sandbox::Freezer;
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use super::{
    figures::max,
    lent::{Lent, Phase},
    part::crowd,
    spare::Spare,
};
use crate::machine;

/// The least that a worker must have of its own to be worth the measurement, in bytes.
const WORTH_BYTES: u64 = 1 << 30;
/// The share of the worker's own memory by which what the system can give must have grown.
pub(super) const BACK_SHARE: f64 = 0.98;
/// By what share of the worker's own memory it may have grown when the worker is gone; anything else means that another
/// program took or gave memory meanwhile, and the kill says nothing. The kernel's own for the worker, such as its page
/// tables, comes back as well.
pub(super) const GROWN_SHARE: RangeInclusive<f64> = 0.985..=1.05;
/// How often a kill that says nothing is repeated before the bench gives up, for each one that is wanted.
const VOID_MAX: usize = 3;
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long memory is waited for; a kill that takes longer is counted with this.
pub(super) const BACK_MAX: Duration = Duration::from_secs(30);
/// How long the worker is waited for when nothing else runs any more.
const GONE_MAX: Duration = Duration::from_secs(60);
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
    /// How long until the worker's last thread had ended, in milliseconds.
    pub(super) gone_ms: Vec<f64>,
    /// How much of its own each worker had, in bytes.
    pub(super) own: Vec<u64>,
    /// And of files.
    pub(super) files: Vec<u64>,
    /// By how much of the worker's own memory what the system can give had grown when it was gone.
    pub(super) grown: Vec<f64>,
    /// Kills that say nothing.
    pub(super) void: usize,
}

/// Runs all kills: `ours` of our way, `others` of each other way, at each load.
pub(super) fn measure(model: &Path, ours: usize, others: usize) -> Result<Vec<Kills>> {
    let mut all = Vec::new();
    for load in super::LOADS {
        for way in Way::ALL {
            let mut kills = Kills::none(way, load);
            let wanted = if way == Way::Ours { ours } else { others };
            while kills.back_ms.len() < wanted {
                kills.one(model)?;
                ensure!(
                    kills.void <= VOID_MAX * wanted,
                    "other programs take and give too much memory: close them and measure again"
                );
                eprint!("\rmemory: {way:?}, {load} busy per core: {} done   ", kills.back_ms.len());
            }
            eprintln!("slowest {:.0} ms", max(&kills.back_ms));
            all.push(kills);
        }
    }
    Ok(all)
}

impl Kills {
    fn none(way: Way, load: usize) -> Self {
        let (back_ms, gone_ms, own, files, grown) = Default::default();
        Self { way, load, back_ms, gone_ms, own, files, grown, void: 0 }
    }

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
        let pid = Pid::from_raw(i32::try_from(lent.pid())?).context("the worker has no process")?;
        let worker = pidfd_open(pid, PidfdFlags::empty())?;
        let mut spare = Spare::open()?;
        let before = spare.bytes()?;
        let began = Instant::now();
        if self.way == Way::KillOnly {
            pidfd_send_signal(&worker, Signal::KILL)?;
        } else {
            lent.kill()?;
        }
        let enough = before + (own as f64 * BACK_SHARE) as u64;
        while spare.bytes()? < enough && began.elapsed() < BACK_MAX {
            std::thread::sleep(LOOK_EVERY);
        }
        let back = began.elapsed().min(BACK_MAX);
        wait_until_ended(&worker, BACK_MAX.saturating_sub(began.elapsed()))?;
        let gone = began.elapsed().min(BACK_MAX);
        drop(busy);
        lent.wait_until_gone();
        wait_until_ended(&worker, GONE_MAX)?;
        std::thread::sleep(GRACE);
        let grown = (spare.bytes()? as f64 - before as f64) / own as f64;
        if !GROWN_SHARE.contains(&grown) {
            self.void += 1;
            return Ok(());
        }
        self.back_ms.push(back.as_secs_f64() * 1e3);
        self.gone_ms.push(gone.as_secs_f64() * 1e3);
        self.own.push(own);
        self.files.push(files);
        self.grown.push(grown);
        Ok(())
    }
}

/// Until its last thread is a zombie. Nothing below `/proc/PID` is read meanwhile: whoever reads there holds the memory for
/// a moment, and if the worker lets go of it just then, it is the reader who gives it back.
fn wait_until_ended(worker: &OwnedFd, at_most: Duration) -> Result<()> {
    let at_most = Timespec::try_from(at_most)?;
    rustix::event::poll(&mut [PollFd::new(worker, PollFlags::IN)], Some(&at_most))?;
    Ok(())
}

/// What this process itself takes to give as much back, in milliseconds.
pub(super) fn floor(bytes: u64) -> Result<f64> {
    let memory = vec![1_u8; usize::try_from(bytes)?];
    std::hint::black_box(&memory);
    let began = Instant::now();
    drop(memory);
    Ok(began.elapsed().as_secs_f64() * 1e3)
}
