//! The parts that processes of their own play in a trial: this program started again under a hidden name.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use x11rb::{
    connection::Connection as _,
    protocol::{
        xproto::{ConnectionExt as _, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, MOTION_NOTIFY_EVENT},
        xtest::ConnectionExt as _,
    },
    rust_connection::RustConnection,
};

use super::clock::{now_ns, sleep_until};
use crate::engine::{self, Quantisation};

/// What the hidden names begin with.
const PREFIX: &str = "yield-part-";
/// A key that writes a letter.
const KEY: u8 = 38;
/// From one echo to the next.
const ECHO_EVERY: Duration = Duration::from_millis(5);
/// Echoes that are kept until somebody asks for them.
const ECHOES_MAX: usize = 100_000;

/// One of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Touches keyboard and pointer of a display, as a person would.
    Finger,
    /// Computes for ever, as any program of the owner's might.
    Busy,
    /// A program of the owner's that asks another one something every 5 ms.
    Probe,
    /// The one that is asked.
    Echo,
    /// Notes the time in its memory without pause, and tells where.
    Noter,
    /// Makes the model and ends: for whoever may write to the cache, before the bench is run by one who may not.
    Model,
}

impl Part {
    const ALL: [Self; 6] = [Self::Finger, Self::Busy, Self::Probe, Self::Echo, Self::Noter, Self::Model];

    const fn name(self) -> &'static str {
        match self {
            Self::Finger => "finger",
            Self::Busy => "busy",
            Self::Probe => "probe",
            Self::Echo => "echo",
            Self::Noter => "noter",
            Self::Model => "model",
        }
    }
}

/// Plays a part if the first argument says so; `None` if it does not.
pub(crate) fn play(arguments: &[String]) -> Option<Result<()>> {
    let name = arguments.first()?.strip_prefix(PREFIX)?;
    let part = Part::ALL.into_iter().find(|part| part.name() == name)?;
    Some(match part {
        Part::Finger => finger(arguments.get(1).map_or("", String::as_str)),
        Part::Busy => busy(),
        Part::Probe => probe(),
        Part::Echo => echo(),
        Part::Noter => noter(),
        Part::Model => engine::make(Quantisation::Q8).map(drop),
    })
}

/// A process that plays a part. Killed when dropped, and when this process dies.
pub(super) struct Player {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Player {
    pub(super) fn start(part: Part, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(format!("{PREFIX}{}", part.name())).args(arguments);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = process.stdin.take().context("no pipe")?;
        let answers = BufReader::new(process.stdout.take().context("no pipe")?);
        let mut player = Self { process, orders, answers };
        player.line().with_context(|| format!("the bench's {} did not start", part.name()))?;
        Ok(player)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Says one word and hears one line.
    pub(super) fn ask(&mut self, word: &str) -> Result<String> {
        writeln!(self.orders, "{word}")?;
        self.line()
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "it ended: {}", self.process.wait()?);
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A round trip between two processes of the owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Echo {
    /// When it was asked, in nanoseconds.
    pub(super) at_ns: u64,
    /// How long until it was answered.
    pub(super) took_ns: u64,
}

/// Reads what a probe answers.
pub(super) fn echoes(line: &str) -> Result<Vec<Echo>> {
    let pairs = line.split_whitespace().map(|pair| {
        let (at_ns, took_ns) = pair.split_once(':')?;
        Some(Echo { at_ns: at_ns.parse().ok()?, took_ns: took_ns.parse().ok()? })
    });
    pairs.collect::<Option<_>>().context("the bench's probe speaks in riddles")
}

/// Says that it is there; from then on this process dies with the bench.
fn ready() -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    println!("ready");
    Ok(())
}

/// For each line: takes the time, touches the display, waits until the server has done it, and tells the time.
fn finger(display: &str) -> Result<()> {
    let (server, screen) = RustConnection::connect(Some(display))?;
    let root = server.setup().roots.get(screen).context("the X server has no screen")?.root;
    ready()?;
    for (round, line) in std::io::stdin().lines().enumerate() {
        line?;
        let at = i16::try_from(round % 600)?;
        let before = now_ns();
        // Now the keyboard, now the pointer.
        if round % 2 == 0 {
            server.xtest_fake_input(KEY_PRESS_EVENT, KEY, 0, root, 0, 0, 0)?.ignore_error();
            server.xtest_fake_input(KEY_RELEASE_EVENT, KEY, 0, root, 0, 0, 0)?.ignore_error();
        } else {
            server.xtest_fake_input(MOTION_NOTIFY_EVENT, 0, 0, root, at, at, 0)?.ignore_error();
        }
        server.flush()?;
        server.get_input_focus()?.reply()?;
        println!("{before}");
    }
    Ok(())
}

fn busy() -> Result<()> {
    ready()?;
    let mut number = 1_u64;
    loop {
        number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}

fn echo() -> Result<()> {
    ready()?;
    let (mut input, mut output) = (std::io::stdin(), std::io::stdout());
    let mut byte = [0];
    while input.read(&mut byte)? > 0 {
        output.write_all(&byte)?;
        output.flush()?;
    }
    Ok(())
}

fn probe() -> Result<()> {
    let mut other = Player::start(Part::Echo, &[])?;
    let kept = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&kept);
    ready()?;
    std::thread::spawn(move || -> Result<()> {
        let mut due = now_ns();
        loop {
            due = (due + u64::try_from(ECHO_EVERY.as_nanos())?).max(now_ns());
            sleep_until(due);
            let at_ns = now_ns();
            other.orders.write_all(b"!")?;
            let mut byte = [0];
            other.answers.read_exact(&mut byte)?;
            let took_ns = now_ns() - at_ns;
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < ECHOES_MAX {
                kept.push(Echo { at_ns, took_ns });
            }
        }
    });
    for line in std::io::stdin().lines() {
        line?;
        let echoes = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
        let words: Vec<String> = echoes.iter().map(|echo| format!("{}:{}", echo.at_ns, echo.took_ns)).collect();
        println!("{}", words.join(" "));
    }
    bail!("nobody listens any more")
}

fn noter() -> Result<()> {
    static NOTED: AtomicU64 = AtomicU64::new(0);
    ready()?;
    std::thread::spawn(|| {
        loop {
            NOTED.store(now_ns(), Relaxed);
        }
    });
    for line in std::io::stdin().lines() {
        line?;
        println!("{}", NOTED.as_ptr().addr());
    }
    Ok(())
}

/// As many busy processes as it says.
pub(super) fn crowd(size: usize) -> Result<Vec<Player>> {
    (0..size).map(|_| Player::start(Part::Busy, &[])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_are_read_or_refused() {
        assert_eq!(echoes("").unwrap(), []);
        assert_eq!(echoes("5:7 6:8").unwrap(), [Echo { at_ns: 5, took_ns: 7 }, Echo { at_ns: 6, took_ns: 8 }]);
        assert!(echoes("5:7 6").is_err());
    }

    #[test]
    fn only_hidden_names_are_parts() {
        assert!(play(&["engine".into()]).is_none());
        assert!(play(&["yield-part-nobody".into()]).is_none());
        assert!(play(&[]).is_none());
    }
}
