//! Attempts to get out: what a taken-over worker would try, as code inside the very program that is confined. Each one
//! is run without walls as well, where it must succeed: else nothing is shown by its failing.
//!
//! For tests: it needs a stage that somebody has set outside ([`Stage`]).

mod calls;
mod code;
mod files;
mod ipc;
mod memory;
mod processes;
mod sockets;
mod system;
mod table;

use std::{
    io::{Read as _, Write as _},
    path::PathBuf,
};

use lull_types::Layers;
use serde::{Deserialize, Serialize};

pub use ipc::Ipc;

use crate::{Confine, enter};

/// What is prepared outside, to be found or not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stage {
    /// The model's folder. It holds `model.bin`, and a link `out` to a secret outside.
    pub model: PathBuf,
    /// The scratch folder.
    pub scratch: PathBuf,
    /// Layers that are not to be put up.
    pub skip: Layers,
    /// The most memory, in bytes.
    pub memory_max: u64,
    /// A folder of the user's with `secret`, `.ssh/id_ed25519`, `.bashrc`, and the listening sockets `bus` and `x11`.
    pub home: PathBuf,
    /// What the secrets say.
    pub secret: String,
    /// The name of a listening abstract socket.
    pub abstract_name: String,
    /// A listening TCP port on this machine.
    pub tcp: u16,
    /// A UDP port on this machine that somebody reads.
    pub udp: u16,
    /// The process that has set the stage, and where in its memory the secret is.
    pub parent: i32,
    /// See `parent`.
    pub parent_address: u64,
    /// Another process of the same user, and a file that is open there.
    pub victim: i32,
    /// See `victim`.
    pub victim_file: i32,
    /// The number of a secret file that was left open across the start.
    pub inherited: i32,
    /// A name in `/dev/shm` of a file with the secret.
    pub shm: String,
    /// System V shared memory that begins with the secret.
    pub shm_key: i32,
    /// A System V message queue with messages.
    pub msg_key: i32,
    /// A System V semaphore.
    pub sem_key: i32,
    /// The name of a POSIX message queue with messages.
    pub mq: String,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It got what it wanted.
    Succeeded(String),
    /// It did not, and how it was stopped.
    Stopped(String),
}

/// One line that is printed for each attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Which.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// Whether an attempt can succeed without walls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// It must.
    Succeeds,
    /// Only on some systems: other architectures, older kernels, other settings.
    Depends,
    /// No ordinary user may do it anywhere: tried, but not counted.
    Never,
}

/// One way to try.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// What it is called.
    pub name: &'static str,
    /// Whether it can succeed without walls.
    pub control: Control,
    pub(crate) act: fn(&Stage) -> Result<String, Stopped>,
}

/// The name under which all of the [system calls](system_calls) are tried, one line for each.
pub const SYSTEM_CALLS: &str = "system_calls";
/// The most of a stage that is read, in bytes.
const STAGE_BYTES_MAX: u64 = 64 << 10;

/// How an attempt was stopped.
#[derive(Debug)]
pub(crate) struct Stopped(String);

impl<E: std::error::Error> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// The attempt did what it did, but not what it was for.
fn not(what: impl Into<String>) -> Stopped {
    Stopped(what.into())
}

/// All attempts.
#[must_use]
pub fn attempts() -> Vec<Attempt> {
    [files::ALL, sockets::ALL, processes::ALL, code::ALL, memory::ALL, system::ALL].concat()
}

/// All system calls that are tried, each with whether it reaches the kernel when an ordinary user makes it.
#[must_use]
pub fn system_calls() -> Vec<(&'static str, Control)> {
    table::ALL.iter().map(|call| (call.name, call.control)).collect()
}

/// Without walls: the control.
const UNCONFINED: &str = "--unconfined";
/// Before the second filter is put up.
const LOADING: &str = "--loading";

/// The program: `--unconfined|--loading|--running NAME`, with a [`Stage`] as JSON on standard input. It prints
/// [`Told`]s as lines of JSON and gives the exit status: 2 when it never came as far as the attempt.
///
/// `--loading` tries before the second filter is put up, `--running` after.
pub fn program(arguments: &[String]) -> i32 {
    match try_one(arguments) {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("escape: {why}");
            2
        }
    }
}

fn try_one(arguments: &[String]) -> Result<(), String> {
    let [how, name] = arguments else { return Err("say how to be confined, and which attempt to make".into()) };
    let mut text = String::new();
    std::io::stdin().take(STAGE_BYTES_MAX).read_to_string(&mut text).map_err(|error| error.to_string())?;
    let mut stage: Stage = serde_json::from_str(&text).map_err(|error| format!("the stage: {error}"))?;
    if how != UNCONFINED {
        let mut confined = enter(&Confine {
            model: stage.model.clone(),
            scratch: stage.scratch.clone(),
            skip: stage.skip.clone(),
            memory_max: Some(stage.memory_max),
            ..Confine::default()
        })
        .map_err(|error| format!("cannot be confined: {error}"))?;
        if !confined.shortfalls().is_empty() {
            return Err(format!("not confined as it should be: {:?}", confined.shortfalls()));
        }
        if how != LOADING {
            confined.seal().map_err(|error| format!("cannot be sealed: {error}"))?;
        }
        stage.model = confined.model().to_owned();
    }
    if name == SYSTEM_CALLS {
        table::ALL.iter().try_for_each(|call| tell(call.name, call.reach()))
    } else {
        let all = attempts();
        let attempt = all.iter().find(|attempt| attempt.name == name).ok_or_else(|| format!("there is no {name}"))?;
        let harmful = how == UNCONFINED && attempt.control == Control::Never && rustix::process::geteuid().is_root();
        tell(
            name,
            if harmful { Err(not("not tried as root: it would change the machine")) } else { (attempt.act)(&stage) },
        )
    }
}

fn tell(name: &str, outcome: Result<String, Stopped>) -> Result<(), String> {
    let outcome = match outcome {
        Ok(what) => Outcome::Succeeded(what),
        Err(Stopped(how)) => Outcome::Stopped(how),
    };
    let line = line(name, outcome)?;
    std::io::stdout().write_all(line.as_bytes()).map_err(|error| error.to_string())
}

fn line(name: &str, outcome: Outcome) -> Result<String, String> {
    let told = Told { name: name.into(), outcome };
    Ok(serde_json::to_string(&told).map_err(|error| error.to_string())? + "\n")
}
