//! The clocks of the lending machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lull_core::{Millis, lending::Now};
use tokio::time::Instant;

/// Wall clock, the clock that never goes back, and how far local time is from UTC.
pub(crate) fn now() -> Now {
    let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    Now { mono: mono(), unix_ms, utc_offset_s: jiff::Zoned::now().offset().seconds() }
}

/// When a deadline of the machine is reached.
pub(crate) fn instant_of(deadline: Millis) -> Instant {
    Instant::now() + Duration::from_millis(deadline.since(mono()))
}

/// Time asleep counts.
#[cfg(target_os = "linux")]
fn mono() -> Millis {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Millis(now.tv_sec.unsigned_abs() * 1_000 + now.tv_nsec.unsigned_abs() / 1_000_000)
}

/// Both systems' monotonic clocks go on in Rust's standard library while the machine sleeps, or the sleep is reported.
#[cfg(not(target_os = "linux"))]
fn mono() -> Millis {
    use std::sync::OnceLock;
    static BEGAN: OnceLock<std::time::Instant> = OnceLock::new();
    Millis(BEGAN.get_or_init(std::time::Instant::now).elapsed().as_millis() as u64)
}
