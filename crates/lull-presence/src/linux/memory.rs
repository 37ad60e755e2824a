//! Whether memory is short: what the kernel has left, and how much of the time some program waited for memory.

use std::{convert::Infallible, io, time::Instant};

use lull_types::{Reading, Source};

use super::file::{Reread, number, words};
use crate::voice::Voice;

/// Short of memory below this part of all.
const LEFT_PERCENT: u64 = 5;
/// Short of memory below this, in KiB.
const LEFT_KIB: u64 = 512 * 1024;
/// Short of memory when some program waited for it so much of the time, in percent, since the last beat or over the
/// last 10 s.
const WAITED_PERCENT: f64 = 10.0;

/// Watches `/proc/meminfo` and `/proc/pressure/memory`. Where the kernel has no pressure, the first alone speaks.
pub(crate) async fn watch(mut voice: Voice) -> Result<Infallible, String> {
    let mut info = Reread::new(voice.config.root.join("proc/meminfo"), 512);
    let mut pressure = Reread::new(voice.config.root.join("proc/pressure/memory"), 512);
    let mut before: Option<(Instant, u64)> = None;
    loop {
        let path = info.path();
        let text = info.read().map_err(|error| format!("{path} cannot be read ({error})"))?;
        let left = parse_info(text).ok_or_else(|| format!("{path} says nothing that is understood"))?;
        let path = pressure.path();
        let waited = match pressure.read() {
            Ok(text) => {
                let stall = parse_pressure(text).ok_or_else(|| format!("{path} says nothing that is understood"))?;
                let now = Instant::now();
                let last = before.replace((now, stall.total_us));
                let share = last.map_or(0.0, |(at, total_us)| {
                    let us = now.duration_since(at).as_secs_f64() * 1e6;
                    stall.total_us.saturating_sub(total_us) as f64 / us.max(1000.0) * 100.0
                });
                share.max(stall.percent)
            }
            Err(error) if has_no_pressure(&error) => 0.0,
            Err(error) => return Err(format!("{path} cannot be read ({error})")),
        };
        voice.say(Source::Memory, judge(left, waited));
        voice.beat().await;
    }
}

/// The kernel was built or started without it.
fn has_no_pressure(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::Unsupported)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    all_kib: u64,
    available_kib: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Stall {
    percent: f64,
    total_us: u64,
}

fn judge(left: Left, waited: f64) -> Reading {
    if left.available_kib < LEFT_KIB || left.available_kib < left.all_kib / 100 * LEFT_PERCENT {
        return Reading::InUse { what: format!("{} MiB left", left.available_kib / 1024) };
    }
    if waited >= WAITED_PERCENT {
        return Reading::InUse { what: format!("programs wait for it {:.0} % of the time", waited.min(100.0)) };
    }
    Reading::Clear { for_ms: 0 }
}

fn parse_info(text: &[u8]) -> Option<Left> {
    let kib = |name: &[u8]| {
        let mut lines = text.split(|byte| *byte == b'\n');
        let mut words = words(lines.find(|line| line.starts_with(name))?).skip(1);
        let kib = number(words.next()?)?;
        (words.next()? == b"kB").then_some(kib)
    };
    let left = Left { all_kib: kib(b"MemTotal:")?, available_kib: kib(b"MemAvailable:")? };
    (left.all_kib >= left.available_kib).then_some(left)
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, the total in microseconds.
fn parse_pressure(text: &[u8]) -> Option<Stall> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.starts_with(b"some "))?;
    let value = |name: &[u8]| words(line).find_map(|word| word.strip_prefix(name));
    let percent: f64 = number(value(b"avg10=")?)?;
    (0.0..=100.0).contains(&percent).then_some(())?;
    Some(Stall { percent, total_us: number(value(b"total=")?)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIB: u64 = 1024 * 1024;

    #[test]
    fn little_left_or_much_waiting_is_short() {
        let left = |all: u64, available_kib: u64| Left { all_kib: all * GIB, available_kib };
        assert_eq!(judge(left(8, GIB), 0.0), Reading::Clear { for_ms: 0 });
        assert_eq!(judge(left(8, GIB / 2 - 1024), 0.0), Reading::InUse { what: "511 MiB left".to_owned() });
        assert!(judge(left(64, 3 * GIB), 0.0).forbids(), "less than 5 %");
        assert!(!judge(left(64, 4 * GIB), 9.9).forbids());
        assert!(judge(left(64, 4 * GIB), 10.0).forbids());
    }

    #[test]
    fn the_kernels_lines_are_read() {
        let info = b"MemTotal:  8000 kB\nMemFree: 1 kB\nMemAvailable:   4000 kB\n";
        assert_eq!(parse_info(info), Some(Left { all_kib: 8000, available_kib: 4000 }));
        for broken in ["", "MemTotal: 1 kB", "MemTotal: 1 kB\nMemAvailable: 2 kB", "MemTotal: 9 kB\nMemAvailable: 2 MB"]
        {
            assert_eq!(parse_info(broken.as_bytes()), None, "{broken}");
        }
        let pressure = b"some avg10=1.50 avg60=0.00 avg300=0.00 total=77\nfull avg10=0.00 total=0\n";
        assert_eq!(parse_pressure(pressure), Some(Stall { percent: 1.5, total_us: 77 }));
        for broken in [
            "",
            "some avg10=x total=1",
            "some avg10=NaN total=1",
            "some avg10=-1 total=1",
            "some avg10=1",
            "full avg10=0 total=0",
        ] {
            assert_eq!(parse_pressure(broken.as_bytes()), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn no_contents_break_it(bytes: Vec<u8>, all: u64, available_kib: u64, waited: f64) {
            let _ = (parse_info(&bytes), parse_pressure(&bytes));
            let _ = judge(Left { all_kib: all, available_kib }, waited);
        }
    }
}
