//! What the tests of the sensors share: screens and buses of their own, and someone who listens.

#![allow(dead_code, reason = "each test file uses its own part of it")]

mod bus;
pub(crate) mod desktop;
mod heard;
pub(crate) mod screen;

use std::{
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use lull_presence::{Config, Environment};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) use bus::Bus;
pub(crate) use heard::Heard;
pub(crate) use screen::Screen;

/// A hang guard: nothing here takes this long.
pub(crate) const GUARD: Duration = Duration::from_secs(20);

/// A program of the test's own, killed when dropped, stopped or not.
pub(crate) struct Program {
    child: Child,
    name: &'static str,
}

impl Program {
    /// Starts it with nothing of this process's environment but `PATH` and the given variables.
    pub(crate) fn start(name: &'static str, package: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::null());
        if std::env::var_os("LULL_TEST_NOISE").is_none() {
            command.stderr(Stdio::null());
        }
        let child = command.spawn().unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => panic!("{name} is not here; install Debian's package {package}"),
            _ => panic!("{name} does not start: {error}"),
        });
        Self { child, name }
    }

    /// Freezes it (`SIGSTOP`).
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (`SIGCONT`).
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, so that it clears up after itself, and waits.
    pub(crate) fn end(&mut self) {
        if self.child.try_wait().unwrap().is_some() {
            return;
        }
        self.go_on();
        self.signal(Signal::TERM);
        let began = std::time::Instant::now();
        while self.child.try_wait().unwrap().is_none() && began.elapsed() < GUARD {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until something is so, as long as the program lives.
    pub(crate) fn until<T>(&mut self, what: &str, mut so: impl FnMut() -> Option<T>) -> T {
        let began = std::time::Instant::now();
        loop {
            if let Some(found) = so() {
                return found;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended ({status}) before {what}; LULL_TEST_NOISE=1 shows what it says", self.name);
            }
            assert!(began.elapsed() < GUARD, "{}: {what} never came", self.name);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A short folder: socket paths have a limit. It is a valid `XDG_RUNTIME_DIR` (0700).
pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("lull-").tempdir_in("/tmp").unwrap()
}

/// A session's environment of these variables and no others.
pub(crate) fn environment(set: &[(&str, &str)]) -> Environment {
    Environment(set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

/// A configuration that knows this environment and nothing of the machine.
pub(crate) fn config(set: &[(&str, &str)]) -> Config {
    Config { environment: environment(set), ..Config::default() }
}

/// An existing program that carries file capabilities which some places refuse to start: a copy without them.
pub(crate) fn plain_copy(program: &str, package: &str, into: &TempDir) -> PathBuf {
    let to = into.path().join(Path::new(program).file_name().unwrap());
    std::fs::copy(program, &to).unwrap_or_else(|_| panic!("{program} is not here; install Debian's package {package}"));
    to
}
