//! What other programs compute: the kernel's account of processor time, less what Lull's own workers used.
//!
//! Work at a lower priority than usual (`nice`) is not counted: it is background work by its owner's own word. The
//! kernel books a worker's own time there too when it runs at nice 19, which `SCHED_IDLE` alone does not bring about
//! (`account_user_time` in the kernel looks at nice only). Where a worker's time was booked is not known here, so it is
//! taken from `nice` first and only what is left over from the rest: never twice, and on doubt the others' work comes
//! out too large rather than too small.

use std::{
    collections::VecDeque,
    convert::Infallible,
    time::{Duration, Instant},
};

use lull_types::{Reading, Source};
use tokio::time::sleep;

use super::file::{Reread, number, words};
use crate::{Pace, voice::Voice};

/// In use is decided on the latest stretch of at least this length.
const SHORT: Duration = Duration::from_millis(350);
/// Clear is decided on the latest stretch of at least this length.
const LONG: Duration = Duration::from_millis(950);
/// Clear below this part of the limit.
const QUIET: f32 = 0.7;
/// Readings kept.
const KEPT_MAX: usize = 16;

/// Processor time since the machine started, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    usual: u64,
    nice: u64,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    ticks: Ticks,
    own_us: u64,
}

/// Watches `/proc/stat`.
pub(crate) async fn watch(mut voice: Voice) -> Result<Infallible, String> {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let mut file = Reread::new(voice.config.root.join("proc/stat"), 512);
    let mut window = Window { samples: VecDeque::new(), max: voice.config.other_cores_max, busy: false };
    loop {
        let own_us = (voice.config.own_cpu_us)();
        let path = file.path();
        let text = file.read().map_err(|error| format!("{path} cannot be read ({error})"))?;
        let at = Instant::now();
        let ticks = parse(text, per_second).ok_or_else(|| format!("{path} says nothing that is understood"))?;
        match window.look(Sample { at, ticks, own_us }) {
            Some(reading) => {
                voice.say(Source::Load, reading);
                voice.beat().await;
            }
            None => sleep(Pace::Alert.beat()).await,
        }
    }
}

/// The latest samples, and what was made of them.
struct Window {
    samples: VecDeque<Sample>,
    max: f32,
    busy: bool,
}

impl Window {
    /// Takes a sample; `None` until there is something to compare it with.
    fn look(&mut self, now: Sample) -> Option<Reading> {
        let shares = self.since(&now, SHORT).map(|short| (short, self.since(&now, LONG).unwrap_or(short)));
        self.samples.push_back(now);
        while self.samples.len() > KEPT_MAX {
            self.samples.pop_front();
        }
        let (short, long) = shares?;
        // Not only the latest stretch: a pause between two bursts is not the end.
        self.busy = if self.busy { short.max(long) >= self.max * QUIET } else { short > self.max };
        Some(if self.busy {
            Reading::InUse { what: format!("{:.1} cores", short.max(long)) }
        } else {
            Reading::Clear { for_ms: 0 }
        })
    }

    /// Cores that others used since the latest sample that is at least so old.
    fn since(&self, now: &Sample, age: Duration) -> Option<f32> {
        let old = self.samples.iter().rev().find(|old| now.at.duration_since(old.at) >= age)?;
        Some(cores(old, now))
    }
}

fn cores(old: &Sample, now: &Sample) -> f32 {
    let usual = now.ticks.usual.saturating_sub(old.ticks.usual);
    let nice = now.ticks.nice.saturating_sub(old.ticks.nice);
    let own = now.own_us.saturating_sub(old.own_us);
    let others_us = usual.saturating_sub(own.saturating_sub(nice));
    let elapsed = now.at.duration_since(old.at).as_secs_f64().max(0.001);
    (Duration::from_micros(others_us).as_secs_f64() / elapsed) as f32
}

/// The first line: user, nice, system, idle, iowait, irq, softirq, steal, and two that are part of user and nice.
fn parse(text: &[u8], per_second: u64) -> Option<Ticks> {
    let line = text.split(|byte| *byte == b'\n').next()?;
    let mut words = words(line);
    if words.next()? != b"cpu" {
        return None;
    }
    let mut next = || {
        let ticks = number::<u64>(words.next()?)?;
        ticks.checked_mul(1_000_000).map(|us| us / per_second)
    };
    let (user, nice, system, _idle, _iowait) = (next()?, next()?, next()?, next()?, next()?);
    let (irq, softirq, steal) = (next()?, next()?, next()?);
    let usual = user.checked_add(system)?.checked_add(irq)?.checked_add(softirq)?.checked_add(steal)?;
    Some(Ticks { usual, nice })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HZ: u64 = 100;

    fn run(steps: &[(u64, u64, u64)]) -> Vec<Option<Reading>> {
        let mut window = Window { samples: VecDeque::new(), max: 0.6, busy: false };
        let (begin, mut usual, mut nice, mut own) = (Instant::now(), 0, 0, 0);
        let mut at = begin;
        let look = |step: &(u64, u64, u64)| {
            usual += step.0 * 1000;
            nice += step.1 * 1000;
            own += step.2 * 1000;
            let sample = Sample { at, ticks: Ticks { usual, nice }, own_us: own };
            at += Duration::from_millis(400);
            window.look(sample)
        };
        steps.iter().map(look).collect()
    }

    fn said(readings: &[Option<Reading>]) -> String {
        let letter = |reading: &Option<Reading>| match reading {
            None => '-',
            Some(Reading::InUse { .. }) => 'B',
            Some(_) => 'c',
        };
        readings.iter().map(letter).collect()
    }

    #[test]
    fn one_busy_core_is_seen_within_two_beats_and_forgotten_when_it_was_quiet() {
        let (idle, half, busy) = ((4, 0, 0), (200, 0, 0), (400, 0, 0));
        assert_eq!(said(&run(&[idle, idle, half, busy, busy, idle, idle, idle])), "-ccBBBcc");
    }

    #[test]
    fn our_own_work_is_not_other_programs_work_wherever_it_is_booked() {
        let at_nice = (10, 400, 400);
        assert_eq!(said(&run(&[at_nice; 4])), "-ccc");
        let as_usual = (410, 0, 400);
        assert_eq!(said(&run(&[as_usual; 4])), "-ccc");
        let partly = (110, 300, 400);
        assert_eq!(said(&run(&[partly; 4])), "-ccc");
        // Ours at nice 19 and another program beside it: nothing is subtracted a second time.
        assert_eq!(said(&run(&[(400, 400, 400); 4])), "-BBB");
        // Another program's background work does not hide other work, and does not count itself.
        assert_eq!(said(&run(&[(0, 800, 0); 4])), "-ccc");
    }

    #[test]
    fn a_worker_that_ended_takes_nothing_with_it() {
        let mut window = Window { samples: VecDeque::new(), max: 0.6, busy: false };
        let begin = Instant::now();
        let sample = |beat: u32, usual: u64, own_us| Sample {
            at: begin + beat * Duration::from_millis(400),
            ticks: Ticks { usual, nice: 0 },
            own_us,
        };
        assert_eq!(window.look(sample(0, 0, 9_000_000)), None);
        assert!(window.look(sample(1, 400_000, 0)).unwrap().forbids());
    }

    #[test]
    fn the_kernels_line_is_read() {
        let line = b"cpu  100 20 3 999 999 4 5 6 7 8\ncpu0 1 1 1 1\n";
        assert_eq!(parse(line, HZ), Some(Ticks { usual: 1_180_000, nice: 200_000 }));
        for broken in
            ["", "cpu", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 6 7", "cpu 1 2 3 4 5 6 7 x", "cpu -1 2 3 4 5 6 7 8"]
        {
            assert_eq!(parse(broken.as_bytes(), HZ), None, "{broken}");
        }
        let large = format!("cpu {0} {0} {0} {0} {0} {0} {0} {0}", u64::MAX);
        assert_eq!(parse(large.as_bytes(), HZ), None);
    }

    proptest! {
        #[test]
        fn no_contents_break_it(bytes: Vec<u8>, numbers: Vec<u64>) {
            let _ = parse(&bytes, HZ);
            let line = numbers.iter().fold("cpu".to_owned(), |line, number| format!("{line} {number}"));
            let _ = parse(line.as_bytes(), HZ);
        }
    }
}
