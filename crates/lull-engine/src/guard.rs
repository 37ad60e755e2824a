//! What a worker process does to itself before anything else: it takes its pipe away from the libraries, dies with its
//! node, leaves no dump, and lets no panic say what it was working on.

use std::{
    any::Any,
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

use lull_types::{Code, Fault};

/// Exit status: the other side broke the protocol.
pub const EXIT_PROTOCOL: i32 = 4;
/// Exit status: the model could not be loaded; the reason went over the pipe.
pub const EXIT_LOAD: i32 = 3;
/// What every line of ours on standard error begins with. The node quotes no other line: a library's may hold content.
pub const SAYS: &str = "lull-worker: ";
/// Exit status: the sandbox could not be put up or closed.
pub const EXIT_SANDBOX: i32 = 5;
/// The longest text of a panic that is passed on while loading, in characters.
const PANIC_CHARS_MAX: usize = 300;

/// How the system refuses a thread or memory, at the end of a panic's text.
const OUT_OF_MEMORY: [&str; 2] = ["(os error 11)", "(os error 12)"];

static CATCHING: AtomicBool = AtomicBool::new(false);

/// The two ends of the pipe to the node.
#[derive(Debug)]
pub struct Pipe {
    /// From the node.
    pub reader: File,
    /// To the node.
    pub writer: File,
}

/// To be called first in `main`. Gives the pipe; from then on, what libraries print goes to standard error.
///
/// # Errors
/// When the system refuses; the worker must not start then.
pub fn begin() -> io::Result<Pipe> {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
        if !CATCHING.load(Ordering::Acquire) {
            exit(101, &format!("panicked at {place}"));
        }
    }));
    platform::confine()?;
    platform::take_pipe()
}

/// Bounds the memory of this process for data, in bytes, for good. The sandbox does so, too; this is for workers that
/// are not confined.
///
/// # Errors
/// When the system refuses.
pub fn bound_memory(bytes: u64) -> io::Result<()> {
    platform::bound_memory(bytes)
}

/// Runs what may panic, and gives nothing for a panic; what it says is lost, for it may quote what was worked on.
pub(crate) fn surviving<T>(run: impl FnOnce() -> T) -> Option<T> {
    CATCHING.store(true, Ordering::Release);
    let result = catch_unwind(AssertUnwindSafe(run));
    CATCHING.store(false, Ordering::Release);
    result.ok()
}

/// Whether a panic is caught now; a hook that ends the process leaves it alone then.
#[must_use]
pub fn is_catching() -> bool {
    CATCHING.load(Ordering::Acquire)
}

/// Runs what may panic; a panic becomes a [`Code::ModelBroken`], or [`Code::WorkerMemory`], with its own words.
///
/// # Errors
/// What `load` gives, or its panic.
pub fn catching<T>(load: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    CATCHING.store(true, Ordering::Release);
    let result = catch_unwind(AssertUnwindSafe(load));
    CATCHING.store(false, Ordering::Release);
    result.unwrap_or_else(|panic| {
        let words = words(panic.as_ref());
        if OUT_OF_MEMORY.iter().any(|refusal| words.contains(refusal)) {
            return Err(Fault::new(Code::WorkerMemory, format!("the worker may not have the memory to load: {words}")));
        }
        Err(Fault::new(Code::ModelBroken, format!("the model's files cannot be loaded: {words}")))
    })
}

/// Ends the process with a line that the node can read.
pub fn exit(status: i32, why: &str) -> ! {
    eprintln!("{SAYS}{why}");
    std::process::exit(status)
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.unwrap_or("the engine gave up without a reason").chars().map(plain).take(PANIC_CHARS_MAX).collect()
}

#[cfg(unix)]
mod platform {
    use std::{fs::File, io};

    use rustix::process::{Resource, Rlimit, Signal};

    use super::Pipe;

    pub(super) fn confine() -> io::Result<()> {
        rustix::process::setrlimit(Resource::Core, at_most(0))?;
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        Ok(())
    }

    pub(super) fn bound_memory(bytes: u64) -> io::Result<()> {
        Ok(rustix::process::setrlimit(Resource::Data, at_most(bytes))?)
    }

    const fn at_most(bytes: u64) -> Rlimit {
        Rlimit { current: Some(bytes), maximum: Some(bytes) }
    }

    pub(super) fn take_pipe() -> io::Result<Pipe> {
        let reader = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?);
        let writer = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?);
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
        Ok(Pipe { reader, writer })
    }
}

#[cfg(not(unix))]
mod platform {
    use std::{fs::File, io};

    use super::Pipe;

    pub(super) fn confine() -> io::Result<()> {
        Ok(())
    }

    pub(super) fn bound_memory(_bytes: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(windows)]
    pub(super) fn take_pipe() -> io::Result<Pipe> {
        use std::os::windows::io::AsHandle;
        let reader = File::from(io::stdin().as_handle().try_clone_to_owned()?);
        let writer = File::from(io::stdout().as_handle().try_clone_to_owned()?);
        Ok(Pipe { reader, writer })
    }

    #[cfg(not(windows))]
    pub(super) fn take_pipe() -> io::Result<Pipe> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
