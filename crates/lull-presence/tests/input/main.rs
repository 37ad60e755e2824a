//! The sensors of input and of the screen, on real servers of the test's own: X, Mutter, KWin, Weston.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;
mod full_screen;
mod mutter;
mod stand_in;
mod wayland;
mod x11;

use lull_presence::{Config, Watch};
use lull_types::Reading;

use common::Heard;

/// Sensors at work, and who hears them.
fn watch(config: &Config) -> (Watch, Heard) {
    let heard = Heard::default();
    let watch = Watch::start(config, &heard.sink()).unwrap();
    (watch, heard)
}

fn in_use(reading: &Reading) -> bool {
    matches!(reading, Reading::InUse { .. })
}

fn clear(reading: &Reading) -> bool {
    matches!(reading, Reading::Clear { .. })
}

fn unknown(reading: &Reading) -> bool {
    matches!(reading, Reading::Unknown { .. })
}

fn absent(reading: &Reading) -> bool {
    matches!(reading, Reading::Absent)
}

/// The promise: whatever happens to a sensor, the machine stops lending within a second. Here is half a second more
/// for a test machine that does other things.
const STOPPED_MAX: std::time::Duration = std::time::Duration::from_millis(1500);

/// Says how long it took, and that it was not too long.
fn stopped_in_time(what: &str, fault: std::time::Instant, heard: std::time::Instant) {
    let took = heard.saturating_duration_since(fault);
    println!("{what}: unknown after {:.1} ms", took.as_secs_f64() * 1000.0);
    assert!(took <= STOPPED_MAX, "{what}: unknown only after {took:?}");
}
