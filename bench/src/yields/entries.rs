//! Proves what [`super::slices`] takes for granted: that a thread which comes onto a processor only to be taken into the
//! kernel's freezer runs no instruction of its program. A process notes the time without pause; it is frozen beside busy
//! programs, so that it gets its turn late; what it noted last must lie before every such entry.

use std::{fs::File, os::unix::fs::FileExt as _, time::Duration};

use anyhow::{Context as _, Result, ensure};
use lull_sandbox::Freezer;

use super::{
    clock::now_ns,
    part::{Part, Player, crowd},
    random::Random,
    recorder::Recorder,
    slices::{Window, judge},
};
use crate::machine;

/// How long an entry is waited for.
const SETTLE_MAX: Duration = Duration::from_secs(10);
/// Busy processes for each core, so that entries come late.
const LOAD: usize = 1;
/// The longest time between a thaw and the next freeze, in nanoseconds.
const APART_NS: u64 = 100_000_000;

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Entries {
    /// Freezes that say something.
    pub(super) freezes: u32,
    /// Entries after the order to freeze.
    pub(super) entries: u32,
    /// Freezes after which the program had noted a time later than its last work.
    pub(super) broken: u32,
}

/// Freezes so many times.
pub(super) fn measure(rounds: u32) -> Result<Entries> {
    let freezer = Freezer::new();
    let mut noter = Player::start(Part::Noter, &[])?;
    let place = noter.ask("where")?.parse().context("the bench's noter speaks in riddles")?;
    let memory = File::open(format!("/proc/{}/mem", noter.pid())).context("the noter's memory cannot be read")?;
    let held = freezer.adopt(noter.pid())?;
    let mut recorder = Recorder::new(noter.pid())?;
    let busy = crowd(LOAD * usize::from(machine::threads()))?;
    let mut random = Random(now_ns());
    let mut seen = Entries::default();
    for round in 0..rounds {
        std::thread::sleep(Duration::from_nanos(random.below(APART_NS)));
        recorder.take()?;
        let input_ns = now_ns();
        freezer.freeze();
        let frozen_ns = now_ns();
        ensure!(freezer.settled(SETTLE_MAX), "the noter has not come into the freezer within {SETTLE_MAX:?}");
        let take = recorder.take()?;
        let mut noted = [0; 8];
        memory.read_exact_at(&mut noted, place)?;
        let verdict = judge(&take.tapes, Window { input_ns, frozen_ns, end_ns: now_ns() });
        ensure!(freezer.thaw(freezer.ticket()), "the noter does not thaw");
        if take.lost == 0 {
            seen.freezes += 1;
            seen.entries += verdict.entries;
            seen.broken += u32::from(u64::from_ne_bytes(noted) > input_ns + verdict.work_ns);
        }
        eprint!("\rentries: {} of {rounds}   ", round + 1);
    }
    eprintln!();
    drop(busy);
    held.end();
    Ok(seen)
}
