//! What the wall clock does: hours that end by themselves, and a clock that is set in the middle of an answer.
//!
//! Only an administrator may set a machine's clock, so the node of these tests gets one of its own from libfaketime, which
//! stands between it and the system's library. The kernel's word that the clock was set is missing then: the sensor finds
//! out at its own beat.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use lull_types::{LendingView, Reason, Signal};
use tempfile::TempDir;

use crate::{
    desk::{Asking, Desk, TOLD_MAX, WHEN_ASKED, is_about},
    stage,
};

const HOUR_S: i64 = 3_600;
const MINUTE_MS: u64 = 60_000;
/// The second of the minute at which the clock of a node with hours starts: it begins to lend within ten seconds, and
/// then nobody has to wait for long.
const STARTS_AT_S: i64 = 35;
/// Hours that are written into the rules end no sooner: the node looks at them every two seconds.
const HOURS_MIN: Duration = Duration::from_secs(6);
/// Until so shortly before they end nothing else may be shown: asking takes its time on a busy machine.
const SHORTLY: Duration = Duration::from_secs(1);

/// A wall clock of one process's own.
struct Clock {
    folder: TempDir,
    offset_s: i64,
}

impl Clock {
    /// It goes so many seconds before the real one, or after it.
    fn start(offset_s: i64) -> Self {
        let mut clock = Self { folder: stage::folder(), offset_s };
        clock.set(offset_s);
        clock
    }

    fn set(&mut self, offset_s: i64) {
        self.offset_s = offset_s;
        // The library reads it whenever somebody asks for the time: it must never find half a word.
        let new = self.folder.path().join("new");
        fs::write(&new, format!("{offset_s:+}")).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::try_from(real.as_millis()).unwrap().saturating_add_signed(self.offset_s * 1_000)
    }

    /// What a process needs to live by it.
    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".into()),
            // Only the wall clock is set, as it is on a real machine; not the one that never stops, nor files' times.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("NO_FAKE_STAT", "1".into()),
            ("TZ", "UTC".into()),
        ]
    }
}

/// What the library shares with a process that was killed stays behind, and would meet a later one of the same number.
impl Drop for Clock {
    fn drop(&mut self) {
        for file in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let pid = ["faketime_shm_", "sem.faketime_sem_"].iter().find_map(|prefix| name.strip_prefix(prefix));
            if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                // Somebody else's are theirs to remove.
                let _ = fs::remove_file(file.path());
            }
        }
    }
}

/// Where Debian has it, on any processor: the one for programs with threads. The other one reads its file without a lock,
/// and now and then tells a thread the real time in between.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten();
    let mut found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|path| path.exists()).expect("libfaketime is not here; install Debian's package faketime")
}

fn is_outside_hours(shown: &LendingView) -> bool {
    let (LendingView::Waiting { reason, .. } | LendingView::Yielding { reason, .. }) = shown else { return false };
    *reason == Reason::OutsideHours
}

#[test]
fn hours_end_by_themselves() {
    let real_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let clock = Clock::start(STARTS_AT_S - real_s.rem_euclid(60));
    let desk = Desk::at("other_cores = 0\n", &clock.environment());
    let _asking = Asking::begin(&desk);
    desk.until_it_lends();
    let work = desk.busy_worker();

    let hours_min = u64::try_from(HOURS_MIN.as_millis()).unwrap();
    let end_ms = (clock.now_ms() + hours_min).next_multiple_of(MINUTE_MS);
    let end = Instant::now() + Duration::from_millis(end_ms - clock.now_ms());
    let of_day = |ms: u64| format!("{:02}:{:02}", ms / MINUTE_MS / 60 % 24, ms / MINUTE_MS % 60);
    let hours = format!("{}-{}", of_day(end_ms - 10 * MINUTE_MS), of_day(end_ms));
    fs::write(desk.rules(), format!("[lend]\nhours = [\"{hours}\"]\n")).unwrap();
    let before_ns = work.cpu_ns();
    desk.keeps_lending_for((end - SHORTLY).saturating_duration_since(Instant::now()));
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
    assert!(work.cpu_ns() > before_ns, "the worker computes until then");
    work.stands_still("outside hours", end, WHEN_ASKED);
    let shown = desk.until("the end of the hours", is_outside_hours);
    println!("hours {hours}: told after at most {:?}: {}", end.elapsed(), shown.words());
    assert!(end.elapsed() < TOLD_MAX, "the reason came late");
    fs::remove_file(desk.rules()).unwrap();
    desk.until_it_lends();
}

#[test]
fn the_clock_is_set_in_the_middle_of_an_answer() {
    let mut clock = Clock::start(0);
    let desk = Desk::at("other_cores = 0\n", &clock.environment());
    let _asking = Asking::begin(&desk);
    desk.stops_for(Signal::Clock, WHEN_ASKED, || clock.set(HOUR_S));
    // It lends by itself again, and would do no job: by its clock every grant of the relay's has run out.
    desk.until_it_lends();
    clock.set(0);
    desk.until("the clock put right", |shown| is_about(shown, Signal::Clock));
    desk.stops_for(Signal::Clock, WHEN_ASKED, || clock.set(-HOUR_S));
    desk.until_it_lends();
    desk.busy_worker();
}
