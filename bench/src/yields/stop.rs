//! From a real input to the last instant at which any thread of the worker is on a processor.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use lull_sandbox::Freezer;

use super::{
    clock::{ms, now_ns, sleep_until},
    figures::{Trial, Trials, Void, max},
    lent::{Lent, Phase},
    part::{Part, Player, crowd},
    random::Random,
    recorder::Recorder,
    screen::Screen,
    slices::{Window, judge},
    watcher::{Stopped, Watcher},
};
use crate::machine;

/// How long the threads are recorded after an input, in nanoseconds: whatever comes later than a miss is a miss.
const WINDOW_NS: u64 = 150_000_000;
/// When it is first asked after an input how much processor time the worker has had, in nanoseconds: it must not have
/// more at the end of the window.
const ACCOUNT_NS: u64 = 100_000_000;
/// How much longer a trial lasts at most until the kernel says that every thread is in its freezer.
const SETTLE_MAX: Duration = Duration::from_millis(100);
/// The X server tells of a touch only if its idle counter has been above the sensor's threshold, not just at it: a touch
/// in the very millisecond in which it gets there is not told. A node lends only minutes later.
const AFTER_CLEAR: Duration = Duration::from_millis(3);
/// The longest wait before an input, in nanoseconds, so that it comes at any moment of the worker's work.
const PHASE_MAX_NS: u64 = 50_000_000;
/// How often a trial that says nothing is repeated before the bench gives up, for each one that is wanted.
const VOID_MAX: usize = 4;

/// Trials of one kind.
pub(super) struct Condition {
    pub(super) phase: Phase,
    /// Busy processes for each core.
    pub(super) load: usize,
    pub(super) trials: Trials,
}

/// Everything that a trial needs.
pub(super) struct Stage<'a> {
    pub(super) lent: &'a mut Lent,
    pub(super) watcher: &'a Watcher,
    pub(super) finger: &'a mut Player,
    pub(super) freezer: &'a Freezer,
    pub(super) random: &'a mut Random,
}

/// Runs all trials with one worker.
pub(super) fn measure(model: &Path, screen: &Screen, trials: usize) -> Result<Vec<Condition>> {
    let freezer = Arc::new(Freezer::new());
    let watcher = Watcher::start(screen, &freezer)?;
    let mut finger = Player::start(Part::Finger, &[screen.display()])?;
    let mut lent = Lent::start(model, &freezer)?;
    let mut recorder = Recorder::new(lent.pid())?;
    let mut random = Random(now_ns());
    let mut conditions = Vec::new();
    for phase in [Phase::Decode, Phase::Prefill] {
        lent.feed(phase);
        for load in super::LOADS {
            let mut stage = Stage {
                lent: &mut lent,
                watcher: &watcher,
                finger: &mut finger,
                freezer: &freezer,
                random: &mut random,
            };
            let trials = stage.condition(&mut recorder, phase, load, trials)?;
            conditions.push(Condition { phase, load, trials });
        }
    }
    lent.let_rest();
    lent.kill()?;
    lent.wait_until_gone();
    Ok(conditions)
}

impl Stage<'_> {
    fn condition(&mut self, recorder: &mut Recorder, phase: Phase, load: usize, wanted: usize) -> Result<Trials> {
        let mut trials = Trials::default();
        let size = load * usize::from(machine::threads());
        self.lent.wait_until_at(phase)?;
        let mut busy = crowd(size)?;
        let mut tried = 0;
        while trials.good.len() < wanted {
            ensure!(
                tried < wanted * VOID_MAX + 20,
                "too many trials of {} say nothing: {}",
                phase.name(),
                Void::ALL.map(|why| format!("{} {}", trials.voided(why), why.words())).join(", ")
            );
            tried += 1;
            if !self.lent.is_at(phase) {
                // Beside busy programs it would take minutes to come to its work again.
                busy.clear();
                self.lent.wait_until_at(phase)?;
                busy = crowd(size)?;
            }
            trials.add(self.trial(recorder, phase)?);
            eprint!("\rstop: {}, {load} busy per core: {} of {wanted}   ", phase.name(), trials.good.len());
        }
        let slowest = |figure: fn(&Trial) -> f64| max(&trials.of(figure));
        eprintln!("latest {:.1} ms, at work {:.1} ms", slowest(|trial| trial.any_ms), slowest(|trial| trial.work_ms));
        Ok(trials)
    }

    fn trial(&mut self, recorder: &mut Recorder, phase: Phase) -> Result<Result<Trial, Void>> {
        self.watcher.wait_until_clear()?;
        std::thread::sleep(AFTER_CLEAR + Duration::from_nanos(self.random.below(PHASE_MAX_NS)));
        recorder.find_threads()?;
        let before = recorder.take()?;
        let wants = self.lent.wants_to_run();
        let was_at = self.lent.is_at(phase);
        let (input_ns, stopped) = self.touch()?;
        sleep_until(input_ns + ACCOUNT_NS);
        let account_us = self.freezer.cpu_us();
        sleep_until(input_ns + WINDOW_NS);
        let settled = self.freezer.settled(SETTLE_MAX);
        let is_at = self.lent.is_at(phase);
        let take = recorder.take()?;
        let window = Window { input_ns, frozen_ns: stopped.frozen_ns, end_ns: now_ns() };
        let crept_us = self.freezer.cpu_us() - account_us;
        let changed = recorder.find_threads()?;
        self.lent.thaw()?;
        let verdict = judge(&take.tapes, window);
        let voids = [
            (take.lost + before.lost > 0, Void::Lost),
            (changed, Void::Threads),
            (!was_at || !is_at || !(wants || verdict.before_ns > 0), Void::Phase),
            (stopped.seen_ns < input_ns, Void::Early),
        ];
        if let Some((_, void)) = voids.into_iter().find(|(void, _)| *void) {
            return Ok(Err(void));
        }
        Ok(Ok(Trial {
            any_ms: ms(verdict.any_ns),
            work_ms: ms(verdict.work_ns),
            noticed: stopped.noticed,
            seen_ms: ms(stopped.seen_ns.saturating_sub(input_ns)),
            frozen_ms: ms(stopped.frozen_ns.saturating_sub(input_ns)),
            ran: verdict.on_at_input > 0,
            settled,
            crept_us,
        }))
    }

    /// The owner comes back; when, and what came of it.
    pub(super) fn touch(&mut self) -> Result<(u64, Stopped)> {
        self.watcher.arm();
        let input_ns = self.touch_only()?;
        Ok((input_ns, self.watcher.wait_until_frozen()))
    }

    /// The owner comes back, and nothing follows from it.
    pub(super) fn touch_only(&mut self) -> Result<u64> {
        self.finger.ask("touch")?.parse().context("the bench's finger speaks in riddles")
    }
}
