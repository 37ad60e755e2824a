//! A worker's process: starting it, its frames, its last words, and what it died of.

use std::{
    collections::VecDeque,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc as blocking},
    time::Duration,
};

use lull_types::{Code, Fault};
use lull_wire::frame::{self, FrameError};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{ChildStdin, ChildStdout, Command},
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    Keeper, WorkerSpec, guard,
    leash::{Clock, Hold},
    protocol::{FROM_WORKER_BYTES_MAX, FromWorker, REASON_BYTES_MAX, ToWorker},
    template::EXIT_TEMPLATE,
};

/// Why the node wants to be rid of a worker.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It closed its pipe: it is dead or dying; its status and last words say why.
    Gone,
    /// The same while all that it did was to read a stranger's work.
    GoneReading(Part),
    /// It has told why it gives up.
    Said(Fault),
    /// It must be killed for this.
    Kill(Fault),
}

/// What of a model a worker reads at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its files, which are described by themselves.
    Files,
    /// Its chat template, which is a program.
    Template,
}

impl Trouble {
    pub(crate) fn breach(what: impl std::fmt::Display) -> Self {
        Self::Kill(Fault::new(
            Code::WorkerProtocol,
            format!("the worker broke its protocol and was killed: {what}; ask again"),
        ))
    }

    pub(crate) fn hung(doing: &str, bound: Duration) -> Self {
        let seconds = bound.as_secs_f32();
        Self::Kill(Fault::new(
            Code::WorkerHung,
            format!("the worker gave no sign for {seconds:.1} s while {doing} and was killed; ask again"),
        ))
    }
}

/// A worker process with its pipe.
#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    stdin: ChildStdin,
    frames: mpsc::Receiver<Result<FromWorker, FrameError>>,
    last_words: LastWords,
    hold: Hold,
    frozen: Option<watch::Receiver<bool>>,
    memory_max: Option<u64>,
    /// The size of the model's files, rounded up.
    pub(crate) model_mib: u32,
}

/// Frames that may wait for the node; after that the pipe fills and the worker waits.
const FRAMES_WAITING_MAX: usize = 16;
/// How long a dead worker's standard error may stay open.
const LAST_WORDS_WAIT: Duration = Duration::from_secs(1);

impl Child {
    /// Starts the process, and has it held if it is to be.
    pub(crate) async fn spawn(spec: &WorkerSpec) -> Result<Self, Fault> {
        let unusable = |what: &str, path: &std::path::Path, error: &dyn std::fmt::Display| {
            Fault::new(Code::Storage, format!("{what} {} cannot be used: {error}", path.display()))
        };
        std::fs::create_dir_all(&spec.scratch).map_err(|error| unusable("the folder", &spec.scratch, &error))?;
        let model_mib = folder_mib(&spec.model).map_err(|error| unusable("the model folder", &spec.model, &error))?;
        let keeper = spec.leash.as_ref().map(|leash| Arc::clone(&leash.keeper));
        let (mut process, hold) = spawn_from_a_lasting_thread(command(spec), keeper)
            .await
            .map_err(|error| unusable("the worker program", &spec.program, &error))?;
        // If it cannot be held it is killed here, by being dropped.
        let hold = hold?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            return Err(Fault::new(Code::Internal, "the worker was started without a pipe"));
        };
        Ok(Self {
            process,
            stdin,
            frames: read_frames(stdout),
            last_words: LastWords::listen(stderr),
            hold,
            frozen: spec.leash.as_ref().map(|leash| leash.frozen.clone()),
            memory_max: spec.memory_max,
            model_mib,
        })
    }

    /// Writes one frame; a worker that does not read within `bound` counts as hung.
    pub(crate) async fn send(&mut self, message: &ToWorker, bound: Duration) -> Result<(), Trouble> {
        let mut clock = self.clock();
        let written = frame::write(&mut self.stdin, message, crate::protocol::TO_WORKER_BYTES_MAX);
        match clock.within(bound, written).await {
            Some(Ok(())) => Ok(()),
            Some(Err(FrameError::TooLong { bytes, limit })) => {
                let text = format!("the conversation takes {bytes} bytes, and {limit} is the most; shorten it");
                Err(Trouble::Said(Fault::new(Code::BadRequest, text)))
            }
            Some(Err(_)) => Err(Trouble::Gone),
            None => Err(Trouble::hung("reading a request", bound)),
        }
    }

    /// The process' number, while it has not been waited for.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// A clock for what this worker does; it stops while the worker is frozen.
    pub(crate) fn clock(&self) -> Clock {
        Clock::start(self.frozen.as_ref())
    }

    /// The next frame. Can be dropped without losing one.
    pub(crate) async fn frame(&mut self) -> Result<FromWorker, Trouble> {
        match self.frames.recv().await {
            Some(Ok(frame)) => Ok(frame),
            Some(Err(FrameError::Io(_))) | None => Err(Trouble::Gone),
            Some(Err(error)) => Err(Trouble::breach(error)),
        }
    }

    /// The next frame, if it comes in time.
    pub(crate) async fn frame_within(&mut self, bound: Duration, doing: &str) -> Result<FromWorker, Trouble> {
        let mut clock = self.clock();
        clock.within(bound, self.frame()).await.unwrap_or_else(|| Err(Trouble::hung(doing, bound)))
    }

    /// Makes sure that the process is gone and says what it died of. One that is held has given its memory back then.
    pub(crate) async fn bury(mut self, trouble: Trouble) -> Fault {
        let killed = matches!(trouble, Trouble::Kill(_));
        let ended = self.end_if_held(&trouble).await;
        // Without its pipe a healthy worker exits by itself; a dead one is there already.
        drop(self.stdin);
        if killed && !ended {
            let _ = self.process.start_kill();
        }
        let exit_wait = if killed && ended { REAP_WAIT } else { GOODBYE_WAIT };
        let status = match timeout(exit_wait, self.process.wait()).await {
            Ok(status) => status.ok(),
            // Its memory is back; the rest of its dying may wait behind busier processes.
            Err(_) if ended => {
                tokio::spawn(async move { self.process.wait().await });
                None
            }
            Err(_) => {
                let _ = self.process.kill().await;
                None
            }
        };
        match trouble {
            Trouble::Kill(fault) | Trouble::Said(fault) => {
                self.last_words.task.abort();
                fault
            }
            Trouble::Gone | Trouble::GoneReading(_) => {
                let words = self.last_words.take().await;
                if let Trouble::GoneReading(part) = trouble
                    && let Some(fault) = died_of(part, status, &words)
                {
                    return fault;
                }
                autopsy(status, ended, &words, self.memory_max)
            }
        }
    }

    /// Has its keeper end the process, if it has one; whether that was so.
    async fn end_if_held(&mut self, trouble: &Trouble) -> bool {
        // Whoever has said its last may exit by itself, unless it stands still. Of one that has closed its pipe the
        // exit status is settled already.
        let is_frozen = self.frozen.as_ref().is_some_and(|frozen| *frozen.borrow());
        if self.hold.is_held() && matches!(trouble, Trouble::Said(_)) && !is_frozen {
            let closed = async { while self.frames.recv().await.is_some_and(|frame| frame.is_ok()) {} };
            let _ = timeout(GOODBYE_WAIT, closed).await;
        }
        self.hold.end().await
    }
}

/// How long a worker that closed its pipe may take to exit.
const GOODBYE_WAIT: Duration = Duration::from_secs(5);
/// How long a worker that has been ended and has given its memory back is waited for before its end is told.
const REAP_WAIT: Duration = Duration::from_millis(250);

/// What a worker says of itself, checked. Its words go to people, so nothing but text may be in them.
///
/// # Errors
/// A breach when the code is not a worker's to give.
pub(crate) fn believable(mut fault: Fault) -> Result<Fault, Trouble> {
    let own = [
        Code::BadRequest,
        Code::Unsupported,
        Code::ContextExceeded,
        Code::ModelBroken,
        Code::WorkerMemory,
        Code::Internal,
    ];
    if !own.contains(&fault.code) || fault.message.len() > REASON_BYTES_MAX {
        return Err(Trouble::breach("it gave a reason that is not a worker's to give"));
    }
    fault.message = fault.message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Ok(fault)
}

/// What a part of a model did, if that is what the worker died of.
fn died_of(part: Part, status: Option<ExitStatus>, words: &[String]) -> Option<Fault> {
    #[cfg(unix)]
    let signal = status.and_then(|status| std::os::unix::process::ExitStatusExt::signal(&status));
    #[cfg(not(unix))]
    let signal = None;
    let starved = words.iter().any(|line| line.starts_with(OUT_OF_MEMORY));
    let what = match part {
        Part::Files if matches!(signal, Some(ABORTED | SEGMENT)) && !starved => {
            "model's files nest too deeply or refer to themselves"
        }
        // An honest model may be too large for this machine.
        Part::Files => return None,
        Part::Template if starved => "model's chat template took more memory than it may have",
        Part::Template if status.and_then(|status| status.code()) == Some(EXIT_TEMPLATE) => {
            "model's chat template did not end within its time"
        }
        Part::Template if matches!(signal, Some(ABORTED | SEGMENT)) => {
            "model's chat template nests too deeply or refers to itself"
        }
        Part::Template => return None,
    };
    let text = format!("the {what}, and the worker ended with it; import another build of the model");
    Some(Fault::new(Code::ModelBroken, text))
}

/// How a stack that is used up ends a process, by system: SIGABRT or SIGSEGV.
const ABORTED: i32 = 6;
const SEGMENT: i32 = 11;

/// `ended`: whether the node has killed it, too.
fn autopsy(status: Option<ExitStatus>, ended: bool, words: &[String], memory_max: Option<u64>) -> Fault {
    let again = "ask again";
    if words.iter().any(|line| line.starts_with(OUT_OF_MEMORY)) {
        let limit = memory_max.map_or_else(String::new, |bytes| format!(" than its limit of {} MiB", bytes >> 20));
        return Fault::new(Code::WorkerMemory, format!("the worker needed more memory{limit}; {again}"));
    }
    let how = match status {
        None => "did not exit and was killed".into(),
        Some(status) => describe(status, ended),
    };
    let said = words.last().map_or_else(String::new, |line| format!(": {}", line.trim_start_matches(guard::SAYS)));
    Fault::new(Code::WorkerDied, format!("the worker {how}{said}; {again}"))
}

fn describe(status: ExitStatus, ended: bool) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return match signal {
            9 if ended => "closed its pipe and was ended, or the machine ran out of memory (signal 9)".into(),
            9 => "was killed from outside (signal 9), perhaps because the machine ran out of memory".into(),
            signal => format!("died of signal {signal}"),
        };
    }
    status.code().map_or_else(|| "exited".into(), |code| format!("exited with status {code}"))
}

fn command(spec: &WorkerSpec) -> Command {
    let mut command = Command::new(&spec.program);
    command
        .env_clear()
        .envs(["HF_HOME", "HOME", "TMPDIR", "TMP", "TEMP"].map(|name| (name, &spec.scratch)))
        .env("RAYON_NUM_THREADS", spec.threads.max(1).to_string())
        .env("TOKIO_WORKER_THREADS", "1")
        .current_dir(&spec.scratch)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(root) = std::env::var_os("SystemRoot") {
        command.env("SystemRoot", root);
    }
    command
}

/// A process, and whether it is held as it should be.
type Spawned = (tokio::process::Child, Result<Hold, Fault>);

/// On Linux a worker dies with the *thread* that started it; so that thread must last as long as the node.
async fn spawn_from_a_lasting_thread(
    mut command: Command,
    keeper: Option<Arc<dyn Keeper>>,
) -> std::io::Result<Spawned> {
    type Work = Box<dyn FnOnce() + Send>;
    static THREAD: OnceLock<blocking::Sender<Work>> = OnceLock::new();
    let thread = THREAD.get_or_init(|| {
        let (sender, work) = blocking::channel::<Work>();
        std::thread::spawn(move || work.into_iter().for_each(|work| work()));
        sender
    });
    let runtime = Handle::current();
    let (answer, spawned) = oneshot::channel();
    let work: Work = Box::new(move || {
        let _entered = runtime.enter();
        let spawned = command.spawn().map(|process| {
            let adopted = keeper.zip(process.id()).map(|(keeper, pid)| keeper.adopt(pid));
            (process, adopted.transpose().map(Hold::new))
        });
        let _ = answer.send(spawned);
    });
    let lost = || std::io::Error::other("the thread that starts workers has ended");
    thread.send(work).map_err(|_| lost())?;
    spawned.await.map_err(|_| lost())?
}

/// The size of a model folder's files, in MiB, rounded up.
fn folder_mib(folder: &std::path::Path) -> std::io::Result<u32> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        // Follows links: a stored model may be one.
        bytes += std::fs::metadata(entry?.path()).map_or(0, |metadata| metadata.len());
    }
    Ok(u32::try_from(bytes >> 20).unwrap_or(u32::MAX).saturating_add(1))
}

fn read_frames(mut stdout: ChildStdout) -> mpsc::Receiver<Result<FromWorker, FrameError>> {
    let (sender, frames) = mpsc::channel(FRAMES_WAITING_MAX);
    tokio::spawn(async move {
        while let Some(frame) = frame::read(&mut stdout, FROM_WORKER_BYTES_MAX).await.transpose() {
            let over = frame.is_err();
            if sender.send(frame).await.is_err() || over {
                break;
            }
        }
    });
    frames
}

/// What Rust writes when an allocation fails.
const OUT_OF_MEMORY: &str = "memory allocation of ";
/// Lines of a worker's own that are kept.
const WORDS_MAX: usize = 8;
/// Bytes of a line that are kept.
const LINE_BYTES_MAX: usize = 300;

/// The last lines of standard error that are the worker's own words; a library's line may hold content and is dropped.
#[derive(Debug)]
struct LastWords {
    lines: Arc<Mutex<VecDeque<String>>>,
    task: JoinHandle<()>,
}

impl LastWords {
    fn listen(mut stderr: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&lines);
        let task = tokio::spawn(async move {
            let (mut chunk, mut line) = ([0; 4096], Vec::new());
            while let Ok(1..) = stderr.read(&mut chunk).await.inspect(|&bytes| {
                for &byte in &chunk[..bytes] {
                    if byte == b'\n' {
                        keep(&kept, &std::mem::take(&mut line));
                    } else if line.len() < LINE_BYTES_MAX {
                        line.push(byte);
                    }
                }
            }) {}
            keep(&kept, &line);
        });
        Self { lines, task }
    }

    async fn take(mut self) -> Vec<String> {
        if timeout(LAST_WORDS_WAIT, &mut self.task).await.is_err() {
            self.task.abort();
        }
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

fn keep(lines: &Mutex<VecDeque<String>>, line: &[u8]) {
    let line: String = String::from_utf8_lossy(line).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.starts_with(guard::SAYS) || line.starts_with(OUT_OF_MEMORY) {
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == WORDS_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}
