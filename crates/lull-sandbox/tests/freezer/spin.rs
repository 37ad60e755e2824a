//! A busy program with many threads, which is this very test executable started anew: so that the tests are one file
//! that any user can run.

use std::{
    env,
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::FileExt as _,
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Signal, set_parent_process_death_signal};
use tempfile::TempDir;

/// What the program is to be, in its environment: `THREADS,MIB,STAMPS`.
const VARIABLE: &str = "LULL_SPIN";
/// What it says when all its threads run.
const READY: &str = "spin: ready";
/// Threads that can write stamps.
const STAMPS_MAX: usize = 64;
/// How long something may take before the test gives up: a guard against hanging, not a promise.
pub(crate) const GUARD: Duration = Duration::from_secs(60);

/// A running one. Dropping it kills it.
pub(crate) struct Spin {
    pub(crate) child: Child,
    pub(crate) stdin: ChildStdin,
    _stdout: BufReader<ChildStdout>,
    stamps: File,
    threads: usize,
    _folder: TempDir,
}

impl Spin {
    /// Starts one with so many threads that only compute, and one that starts short threads without end.
    pub(crate) fn start(threads: usize, mib: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stamps");
        let stamps = File::options().create_new(true).read(true).write(true).open(&path).unwrap();
        stamps.set_len((STAMPS_MAX * 8) as u64).unwrap();
        let mut child = this_program("spin::program")
            .env(VARIABLE, format!("{threads},{mib},{}", path.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = wait_for_line(child.stdout.take().unwrap(), READY).1;
        Self { child, stdin, _stdout: stdout, stamps, threads, _folder: folder }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The last instant at which each thread was seen computing, in nanoseconds of the monotonic clock.
    pub(crate) fn stamps(&self) -> Vec<u64> {
        let mut bytes = [0; STAMPS_MAX * 8];
        self.stamps.read_exact_at(&mut bytes, 0).unwrap();
        let all = bytes.chunks_exact(8).map(|stamp| u64::from_ne_bytes(stamp.try_into().unwrap()));
        all.take(self.threads + 1).collect()
    }

    /// Has it start one more computing thread, as soon as it can.
    pub(crate) fn ask_for_a_thread(&mut self) {
        self.stdin.write_all(b"t").unwrap();
        self.threads += 1;
    }

    /// Waits until every thread has computed since.
    pub(crate) fn wait_until_all_move(&self) {
        let before = self.stamps();
        until("every thread computes", || self.stamps().iter().zip(&before).all(|(now, before)| now > before));
    }

    /// Whether no thread computes any more. To be asked when they stand still: it watches for a while.
    pub(crate) fn stands_still(&self) -> bool {
        let before = self.stamps();
        let watched = Instant::now();
        while watched.elapsed() < Duration::from_millis(200) {
            thread::sleep(Duration::from_millis(5));
            if self.stamps() != before {
                return false;
            }
        }
        true
    }
}

impl Drop for Spin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn until(what: &str, mut met: impl FnMut() -> bool) {
    let start = Instant::now();
    while !met() {
        assert!(start.elapsed() < GUARD, "not in time: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// This executable, to run one of the programs that are written as ignored tests.
pub(crate) fn this_program(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
    command
}

/// Reads lines until one holds this; gives that line.
pub(crate) fn wait_for_line(from: ChildStdout, what: &str) -> (String, BufReader<ChildStdout>) {
    let mut from = BufReader::new(from);
    let mut line = String::new();
    while !line.contains(what) {
        line.clear();
        assert!(from.read_line(&mut line).unwrap() > 0, "the program ended before it said {what:?}");
    }
    (line, from)
}

fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn stamp(stamps: &File, at: usize) {
    stamps.write_all_at(&now_ns().to_ne_bytes(), (at * 8) as u64).unwrap();
}

fn compute(stamps: Arc<File>, at: usize) {
    thread::spawn(move || {
        let mut x = 1_u64;
        loop {
            (0..2000).for_each(|i| x = std::hint::black_box(x.wrapping_mul(31).wrapping_add(i)));
            stamp(&stamps, at);
        }
    });
}

#[test]
#[ignore = "not a test but the busy program"]
fn program() {
    let Ok(asked) = env::var(VARIABLE) else { return };
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    let mut asked = asked.splitn(3, ',');
    let mut number = || asked.next().unwrap().parse::<usize>().unwrap();
    let (threads, mib) = (number(), number());
    let stamps = Arc::new(File::options().write(true).open(PathBuf::from(asked.next().unwrap())).unwrap());
    let memory = vec![1_u8; mib << 20];
    (0..threads).for_each(|at| compute(Arc::clone(&stamps), at));
    if threads > 0 {
        let stamps = Arc::clone(&stamps);
        thread::spawn(move || {
            loop {
                let stamps = Arc::clone(&stamps);
                thread::spawn(move || stamp(&stamps, threads)).join().unwrap();
            }
        });
    }
    println!("{READY}");
    let mut next = threads + 1;
    for byte in std::io::stdin().lock().bytes().map_while(Result::ok) {
        if byte == b't' {
            compute(Arc::clone(&stamps), next);
            next += 1;
        }
    }
    drop(memory);
}
