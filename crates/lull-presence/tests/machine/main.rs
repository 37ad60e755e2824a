//! The sensors of the machine itself: services on buses of the test's own, files and devices in trees of its own.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(unused_imports, reason = "screens are for the tests of input")]
#[path = "../common/mod.rs"]
mod common;
mod files;
mod logind;
mod real;
mod services;
#[path = "../common/stand_ins.rs"]
mod stand_ins;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use lull_presence::{Config, Pace, Watch};
use lull_types::{Reading, Source};

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

fn used_by(what: &str) -> impl Fn(&Reading) -> bool {
    move |reading| matches!(reading, Reading::InUse { what: said } if said.contains(what))
}

fn clear(reading: &Reading) -> bool {
    matches!(reading, Reading::Clear { .. })
}

fn unknown(reading: &Reading) -> bool {
    matches!(reading, Reading::Unknown { .. })
}

fn unknown_for(why: &str) -> impl Fn(&Reading) -> bool {
    move |reading| matches!(reading, Reading::Unknown { why: said } if said.contains(why))
}

fn absent(reading: &Reading) -> bool {
    matches!(reading, Reading::Absent)
}

/// A tree of files for a configuration's root.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = common::folder();
    files.iter().for_each(|(path, contents)| put(root.path(), path, contents));
    root
}

/// Writes a file, and its folders.
fn put(root: &Path, path: &str, contents: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, contents).unwrap();
}

/// A configuration that sees only this tree.
fn config_in(root: &tempfile::TempDir) -> Config {
    let no_bus = root.path().join("no-bus");
    let address = format!("unix:path={}", no_bus.display());
    Config { root: root.path().to_owned(), ..common::config(&[("DBUS_SYSTEM_BUS_ADDRESS", &address)]) }
}

/// What a source that is only asked at each beat may take: the promise for those is a second. Here is half a second
/// more for a test machine that does other things.
const POLLED_MAX: Duration = Duration::from_millis(1500);
/// What an event may take. The promise is 100 ms; the rest is for a test machine that does other things. At a calm pace
/// ([`calmly`]) nothing that is only asked at each beat is heard within it.
const EVENT_MAX: Duration = Duration::from_millis(1200);

/// Lets the sensors go at a calm pace, where only events are heard at once.
fn calmly(watch: &Watch) {
    watch.set_pace(Pace::Calm);
    // The change itself is a beat, and everything is asked once more.
    std::thread::sleep(Duration::from_millis(300));
}

/// Does something, and says how long it took to be heard.
fn onset(
    heard: &Heard,
    most: Duration,
    source: Source,
    what: &str,
    so: impl Fn(&Reading) -> bool,
    cause: impl FnOnce(),
) {
    let at = Instant::now();
    cause();
    let (when, reading) = heard.wait_after(at, source, so);
    let took = when.duration_since(at);
    println!("{what}: {reading:?} after {:.1} ms", took.as_secs_f64() * 1000.0);
    assert!(took <= most, "{what}: only after {took:?}");
}
