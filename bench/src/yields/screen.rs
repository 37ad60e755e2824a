//! An X server of the bench's own, without a screen to look at.

use std::{
    io::{BufRead as _, BufReader, ErrorKind},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use lull_presence::Environment;

/// Killed when dropped.
pub(super) struct Screen {
    process: Child,
    display: String,
}

impl Screen {
    pub(super) fn start() -> Result<Self> {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp", "-ac", "-noreset"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let process = match command.spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(error).context("Xvfb is not here; install Debian's package xvfb");
            }
            other => other.context("Xvfb does not start")?,
        };
        let mut screen = Self { process, display: String::new() };
        let output = screen.process.stdout.take().context("no pipe")?;
        let mut number = String::new();
        BufReader::new(output).read_line(&mut number)?;
        ensure!(!number.trim().is_empty(), "Xvfb ended without a display; try it by hand: Xvfb -displayfd 1");
        screen.display = format!(":{}", number.trim());
        Ok(screen)
    }

    /// For `DISPLAY`.
    pub(super) fn display(&self) -> &str {
        &self.display
    }

    /// The server's process.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A session that has this screen and nothing else.
    pub(super) fn environment(&self) -> Environment {
        Environment([("DISPLAY".to_owned(), self.display.clone())].into())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
