//! What the owner's own program feels of the hand-back: a process that asks another one something every 5 ms.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Result;
use lull_sandbox::Freezer;

use super::{
    clock::{ms, now_ns, sleep_until},
    lent::{Lent, Phase},
    part::{Part, Player, crowd, echoes},
    random::Random,
    screen::Screen,
    stop::Stage,
    watcher::Watcher,
};
use crate::machine;

/// How long after an input echoes are looked at, in nanoseconds.
const WINDOW_NS: u64 = 200_000_000;
/// How long the worker runs, or stands still, before an input.
const BEFORE: Duration = Duration::from_millis(120);

/// Round trips in the time after an input, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    /// Busy processes for each core.
    pub(super) load: usize,
    /// The worker was running and is frozen by the input.
    pub(super) handed_back: Vec<f64>,
    /// The worker has stood still for a while: nothing is lent.
    pub(super) not_lent: Vec<f64>,
    /// The worker runs, and goes on running.
    pub(super) lent: Vec<f64>,
}

/// What happens in one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    HandedBack,
    NotLent,
    Lent,
}

/// Runs so many rounds of each kind at each load, in turns.
pub(super) fn measure(model: &Path, screen: &Screen, rounds: usize) -> Result<Vec<Echoes>> {
    let freezer = Arc::new(Freezer::new());
    let watcher = Watcher::start(screen, &freezer)?;
    let mut finger = Player::start(Part::Finger, &[screen.display()])?;
    let mut probe = Player::start(Part::Probe, &[])?;
    let mut lent = Lent::start(model, &freezer)?;
    let mut random = Random(now_ns());
    let mut all = Vec::new();
    lent.feed(Phase::Prefill);
    for load in super::LOADS {
        lent.wait_until_at(Phase::Prefill)?;
        let busy = crowd(load * usize::from(machine::threads()))?;
        let mut echoes = Echoes { load, ..Echoes::default() };
        let mut stage =
            Stage { lent: &mut lent, watcher: &watcher, finger: &mut finger, freezer: &freezer, random: &mut random };
        for round in 0..rounds {
            for kind in [Round::HandedBack, Round::NotLent, Round::Lent] {
                let times = stage.round(&mut probe, kind)?;
                match kind {
                    Round::HandedBack => echoes.handed_back.extend(times),
                    Round::NotLent => echoes.not_lent.extend(times),
                    Round::Lent => echoes.lent.extend(times),
                }
            }
            eprint!("\recho: {load} busy per core: {} of {rounds}   ", round + 1);
        }
        eprintln!();
        drop(busy);
        all.push(echoes);
    }
    lent.let_rest();
    lent.kill()?;
    lent.wait_until_gone();
    Ok(all)
}

impl Stage<'_> {
    fn round(&mut self, probe: &mut Player, kind: Round) -> Result<Vec<f64>> {
        self.watcher.wait_until_clear()?;
        if kind == Round::NotLent {
            self.lent.freeze();
        }
        std::thread::sleep(BEFORE + Duration::from_millis(self.random.below(20)));
        probe.ask("forget")?;
        let input_ns = match kind {
            Round::HandedBack => self.touch()?.0,
            Round::NotLent | Round::Lent => self.touch_only()?,
        };
        sleep_until(input_ns + WINDOW_NS);
        let line = probe.ask("tell")?;
        if kind != Round::Lent {
            self.lent.thaw()?;
        }
        let heard = echoes(&line)?;
        let within = heard.iter().filter(|echo| (input_ns..input_ns + WINDOW_NS).contains(&echo.at_ns));
        Ok(within.map(|echo| ms(echo.took_ns)).collect())
    }
}
