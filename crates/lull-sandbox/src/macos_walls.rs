//! macOS: Seatbelt, which denies what its profile does not allow, and limits. **Checked by the compiler
//! only: never run on macOS yet.**
//!
//! Seatbelt takes the place of namespaces and rules on files. It is no filter on system calls, and a process can take
//! on one profile only: what would be closed after loading cannot be. So both filters are shortfalls here. A worker on
//! the GPU (Metal) needs `iokit-open` for `AGXDeviceUserClient` and probably the service
//! `com.apple.MTLCompilerService`: not in this profile.
#![expect(unsafe_code, reason = "Seatbelt and the closing of foreign files have no safe binding")]

use std::{
    ffi::{CStr, CString, c_char, c_int},
    fs::File,
    io,
    net::{Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    ptr,
};

use lull_types::Layer;
use rustix::process::{Resource, Rlimit};

use crate::confine::{Confine, Report, no_foreign_environment};

/// Open files at once.
const FILES_MAX: u64 = 256;
/// A file that everybody may read.
const PUBLIC_FILE: &str = "/private/etc/hosts";

// In libSystem, which every program is linked with. `sandbox_init` is marked as deprecated, and what browsers use.
unsafe extern "C" {
    fn sandbox_init(profile: *const c_char, flags: u64, error: *mut *mut c_char) -> c_int;
    fn sandbox_free_error(error: *mut c_char);
}

/// A process behind its walls.
#[derive(Debug)]
pub(crate) struct Inside {
    model: PathBuf,
    scratch: PathBuf,
}

impl Inside {
    pub(crate) fn enter(wanted: &Confine, report: &mut Report) -> io::Result<Self> {
        // Seatbelt knows files by where they really are.
        let model = wanted.model.canonicalize()?;
        report.put_up(Layer::Descriptors, || descriptors(&wanted.keep).and_then(|()| no_foreign_environment()));
        report.put_up(Layer::Limits, || limits(wanted.memory_max));
        if report.is_wanted(Layer::Files) {
            seatbelt(&model, report);
        }
        for (layer, why) in [
            (Layer::NoNewPrivileges, "macOS has no such thing; Seatbelt lets no program start"),
            (Layer::NoCapabilities, "macOS has no capabilities"),
            (Layer::NoDump, "macOS lets the same user's debuggers in unless the worker is signed as hardened"),
            (Layer::OwnRoot, "macOS has no namespaces"),
            (Layer::OwnNetwork, "macOS has no namespaces"),
            (Layer::OwnIpc, "macOS has no namespaces"),
            (Layer::LoadFilter, "macOS has no filter on system calls that programs may use"),
        ] {
            report.lacks(layer, why);
        }
        Ok(Self { model, scratch: wanted.scratch.clone() })
    }

    pub(crate) fn model(&self) -> &Path {
        &self.model
    }

    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    pub(crate) fn seal(&mut self, report: &mut Report) -> io::Result<()> {
        report.lacks(Layer::RunFilter, "macOS takes a profile once: it cannot be made stricter after loading");
        Ok(())
    }
}

/// What a worker may do: read its model, look at itself, and ask how many processors there are.
fn profile(model: &Path) -> Result<String, String> {
    let path = model.to_str().ok_or("the path of the model must be valid Unicode")?;
    let path = path.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!(
        "(version 1)\n(deny default)\n(allow file-read* (subpath \"{path}\"))\n(allow sysctl-read)\n\
         (allow signal (target self))\n(allow process-info* (target self))\n"
    ))
}

/// Takes on the profile, then looks at what it stops.
fn seatbelt(model: &Path, report: &mut Report) {
    let taken = profile(model).and_then(|profile| take_on(&profile));
    let stopped = |what: &str, result: io::Result<()>| match (&taken, result) {
        (Err(why), _) => Err(why.clone()),
        (Ok(()), Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        (Ok(()), other) => Err(format!("Seatbelt took the profile, but {what}: {other:?}")),
    };
    report.put_up(Layer::Files, || stopped("files can be read", File::open(PUBLIC_FILE).map(drop)));
    let socket = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(drop);
    report.put_up(Layer::Ports, || stopped("sockets can be had", socket()));
    let signal = || {
        let parent = rustix::process::getppid().ok_or(io::ErrorKind::NotFound)?;
        Ok(rustix::process::test_kill_process(parent)?)
    };
    report.put_up(Layer::Scope, || stopped("others can be signalled", signal()));
}

fn take_on(profile: &str) -> Result<(), String> {
    let profile = CString::new(profile).map_err(|_| "the path of the model must hold no zero byte")?;
    let mut error = ptr::null_mut();
    // SAFETY: the text ends with a zero and lives through the call; 0 says that it is a profile and not a name.
    if unsafe { sandbox_init(profile.as_ptr(), 0, &raw mut error) } == 0 {
        return Ok(());
    }
    if error.is_null() {
        return Err("Seatbelt refuses the profile".into());
    }
    // SAFETY: the call gave a text, which is ours until it is given back, and is not used afterwards.
    let why = unsafe {
        let why = CStr::from_ptr(error).to_string_lossy().into_owned();
        sandbox_free_error(error);
        why
    };
    Err(format!("Seatbelt refuses the profile: {why}"))
}

fn descriptors(keep: &[i32]) -> Result<(), String> {
    let open = std::fs::read_dir("/dev/fd").map_err(|error| format!("/dev/fd cannot be read: {error}"))?;
    let open: Vec<i32> = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for fd in open.into_iter().filter(|fd| *fd > 2 && !keep.contains(fd)) {
        // SAFETY: whoever calls this owns the process and gives up every file that it does not name. One that was open
        // only to list the others is closed already; that fails and harms nothing in a process with one thread.
        unsafe { rustix::io::close(fd) };
    }
    Ok(())
}

fn limits(memory_max: Option<u64>) -> Result<(), String> {
    let mut bounds =
        vec![(Resource::Core, 0), (Resource::Fsize, 0), (Resource::Memlock, 0), (Resource::Nofile, FILES_MAX)];
    bounds.extend(memory_max.map(|bytes| (Resource::Data, bytes)));
    bounds.into_iter().try_for_each(|(resource, most)| {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        rustix::process::setrlimit(resource, limit).map_err(|error| format!("the limit {resource:?}: {error}"))
    })
}
