use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// Nothing here takes this long; it only keeps a broken run from hanging.
const HANG: Duration = Duration::from_secs(120);

/// Where the built programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The folder with `lull`.
    pub bin: PathBuf,
    /// The folder with the inference workers.
    pub workers: PathBuf,
}

fn lull() -> String {
    format!("lull{}", env::consts::EXE_SUFFIX)
}

impl Programs {
    /// Beside the running test or demo, with workers from `LULL_WORKER_DIR`.
    ///
    /// # Errors
    /// When they have not been built: the sentence says how.
    pub fn find() -> Result<Self> {
        let own = env::current_exe()?;
        let folders = own.ancestors().skip(1).take(2).map(Path::to_path_buf);
        let bin = folders.into_iter().find(|folder| folder.join(lull()).exists());
        let bin = bin.context("the program `lull` is not built: run this through ./x")?;
        let workers = env::var_os("LULL_WORKER_DIR").context("LULL_WORKER_DIR is not set: run this through ./x")?;
        Ok(Self { bin, workers: workers.into() })
    }

    /// The command `lull` for one home.
    #[must_use]
    pub fn lull(&self, home: &Path) -> Command {
        let mut command = Command::new(self.bin.join(lull()));
        command.env("LULL_HOME", home).env("LULL_WORKER_DIR", &self.workers).env("LULL_LOG_FORMAT", "json");
        command.env_remove("LULL_MODEL").stdin(Stdio::null());
        command
    }

    /// Runs `lull` to its end and returns what it printed.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn output(&self, home: &Path, args: &[&str]) -> Result<String> {
        let output = self.lull(home).args(args).output()?;
        if !output.status.success() {
            bail!("lull {} failed: {}", args.first().unwrap_or(&""), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// A program that runs on; its standard error goes to a file, line by line. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    log: PathBuf,
}

impl Process {
    /// Starts a program and writes what it says to `log`, after what is already there.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take().context("standard error is piped")?;
        let mut file = fs::OpenOptions::new().create(true).append(true).open(log)?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = writeln!(file, "{line}");
                let _ = sender.send(line);
            }
        });
        Ok(Self { child, lines, log: log.to_path_buf() })
    }

    /// Waits for a line that contains `part`.
    ///
    /// # Errors
    /// When the program ends first, or never says it.
    pub fn wait_for(&self, part: &str) -> Result<String> {
        let until = Instant::now() + HANG;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(part) => return Ok(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => bail!("no \"{part}\" within {HANG:?}: {}", self.log_tail()),
                Err(RecvTimeoutError::Disconnected) => bail!("it ended before \"{part}\": {}", self.log_tail()),
            }
        }
    }

    /// The process's number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let from = log.lines().count().saturating_sub(8);
        log.lines().skip(from).collect::<Vec<_>>().join("\n")
    }

    /// Ends it without a chance to say goodbye.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Errors
    /// When it does not stop in time; it is killed then.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        signal(self.pid(), "TERM")?;
        let until = Instant::now() + HANG;
        while Instant::now() < until {
            // The line reader's end tells that the process is gone; what it said before is read on the way.
            match self.lines.recv_timeout(Duration::from_millis(200)) {
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(self.child.wait()?),
            }
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
        }
        self.kill()?;
        bail!("it did not stop within {HANG:?}")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by name.
///
/// # Errors
/// When there is no such process.
pub fn signal(pid: u32, name: &str) -> Result<()> {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status()?;
    if status.success() { Ok(()) } else { bail!("process {pid} cannot be signalled") }
}

/// The processes that a process has started and that still run (Linux).
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of_task = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks
        .map(of_task)
        .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}
