//! Windows: a job object that bounds memory and processes, mitigation policies, and the lowest integrity level, all put
//! up by the process itself. **Checked by the compiler only: never run on Windows yet.**
//!
//! What it cannot give itself is AppContainer (LPAC): that is decided when a process is started, with
//! `PROC_THREAD_ATTRIBUTE_SECURITY_CAPABILITIES`, so the node would have to, and grant the container's SID the model
//! folder. Without it a worker can read what its user can, and reach the network: files, ports and both filters are
//! shortfalls here, and no tier is reached.
#![expect(unsafe_code, reason = "job objects, mitigation policies and tokens have no safe binding")]

use std::{
    io,
    os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle},
    path::{Path, PathBuf},
    ptr,
};

use lull_types::Layer;
use windows_sys::Win32::{
    Foundation::HANDLE,
    Security::{
        SID, SID_AND_ATTRIBUTES, SID_IDENTIFIER_AUTHORITY, SetTokenInformation, TOKEN_ADJUST_DEFAULT,
        TOKEN_MANDATORY_LABEL, TokenIntegrityLevel,
    },
    System::{
        JobObjects::{
            AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_ACTIVE_PROCESS,
            JOB_OBJECT_LIMIT_PROCESS_MEMORY, JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation,
            SetInformationJobObject,
        },
        Threading::{
            GetCurrentProcess, OpenProcessToken, PROCESS_MITIGATION_POLICY, ProcessChildProcessPolicy,
            ProcessDynamicCodePolicy, ProcessExtensionPointDisablePolicy, ProcessImageLoadPolicy,
            ProcessSystemCallDisablePolicy, SetProcessMitigationPolicy,
        },
    },
};

use crate::confine::{Confine, Report, no_foreign_environment};

/// What can be switched on for a running process: no code that is made at run time, no library that others put in, none
/// from the network or of low integrity, no windows.
const POLICIES: [(PROCESS_MITIGATION_POLICY, u32); 4] = [
    (ProcessDynamicCodePolicy, 1),
    (ProcessExtensionPointDisablePolicy, 1),
    (ProcessImageLoadPolicy, 0b11),
    (ProcessSystemCallDisablePolicy, 1),
];
/// `SE_GROUP_INTEGRITY`.
const GROUP_INTEGRITY: u32 = 0x20;
/// `SECURITY_MANDATORY_UNTRUSTED_RID`: below "low".
const UNTRUSTED: u32 = 0;

/// A process behind its walls.
#[derive(Debug)]
pub(crate) struct Inside {
    model: PathBuf,
    scratch: PathBuf,
    /// Its limits hold for as long as a process is in it, and then some.
    _job: Option<OwnedHandle>,
}

impl Inside {
    pub(crate) fn enter(wanted: &Confine, report: &mut Report) -> io::Result<Self> {
        // Handles are not inherited there unless they are meant to be.
        report.put_up(Layer::Descriptors, no_foreign_environment);
        let mut job = None;
        report.put_up(Layer::Limits, || {
            job = Some(limits(wanted.memory_max).map_err(|error| format!("no job object: {error}"))?);
            Ok(())
        });
        report.put_up(Layer::NoNewPrivileges, || {
            let all = POLICIES.into_iter().chain([(ProcessChildProcessPolicy, 1)]);
            let set = |(policy, flags)| mitigate(policy, flags).map_err(|error| format!("policy {policy}: {error}"));
            all.into_iter().try_for_each(set)?;
            lower_integrity().map_err(|error| format!("the integrity level cannot be lowered: {error}"))
        });
        let container = "it takes an AppContainer, which only the node could start the worker in";
        for layer in [Layer::OwnRoot, Layer::OwnNetwork, Layer::OwnIpc, Layer::Files, Layer::Ports, Layer::Scope] {
            report.lacks(layer, container);
        }
        report.lacks(Layer::NoDump, "Windows keeps no debugger of the same user out");
        report.lacks(Layer::NoCapabilities, "the token keeps its user's privileges");
        report.lacks(Layer::LoadFilter, "Windows has no filter on system calls beyond those for windows");
        Ok(Self { model: wanted.model.clone(), scratch: wanted.scratch.clone(), _job: job })
    }

    pub(crate) fn model(&self) -> &Path {
        &self.model
    }

    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    pub(crate) fn seal(&mut self, report: &mut Report) -> io::Result<()> {
        report.lacks(Layer::RunFilter, "Windows has no filter on system calls beyond those for windows");
        Ok(())
    }
}

/// One process, and so much memory.
fn limits(memory_max: Option<u64>) -> io::Result<OwnedHandle> {
    // SAFETY: neither attributes nor a name are given; the call gives a handle of our own, or none.
    let job = own(unsafe { CreateJobObjectW(ptr::null(), ptr::null()) })?;
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_ACTIVE_PROCESS;
    limits.BasicLimitInformation.ActiveProcessLimit = 1;
    if let Some(bytes) = memory_max {
        limits.BasicLimitInformation.LimitFlags |= JOB_OBJECT_LIMIT_PROCESS_MEMORY;
        limits.ProcessMemoryLimit = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    // SAFETY: the handles are open, and `limits` is of the kind and size that is stated and lives through the call.
    unsafe {
        check(SetInformationJobObject(
            job.as_raw_handle(),
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>() as u32,
        ))?;
        check(AssignProcessToJobObject(job.as_raw_handle(), GetCurrentProcess()))?;
    }
    Ok(job)
}

fn mitigate(policy: PROCESS_MITIGATION_POLICY, flags: u32) -> io::Result<()> {
    // SAFETY: each of these policies is four bytes of flags, which live through the call.
    check(unsafe { SetProcessMitigationPolicy(policy, (&raw const flags).cast(), size_of::<u32>()) })
}

/// From now on the process may write to nothing that is not marked as untrusted.
fn lower_integrity() -> io::Result<()> {
    let mut token = ptr::null_mut();
    // SAFETY: the handle of the process needs no closing; the call gives a handle of our own, or none.
    check(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_DEFAULT, &raw mut token) })?;
    let token = own(token)?;
    // S-1-16-0.
    let mut sid = SID {
        Revision: 1,
        SubAuthorityCount: 1,
        IdentifierAuthority: SID_IDENTIFIER_AUTHORITY { Value: [0, 0, 0, 0, 0, 16] },
        SubAuthority: [UNTRUSTED],
    };
    let label =
        TOKEN_MANDATORY_LABEL { Label: SID_AND_ATTRIBUTES { Sid: (&raw mut sid).cast(), Attributes: GROUP_INTEGRITY } };
    let size = (size_of::<TOKEN_MANDATORY_LABEL>() + size_of::<SID>()) as u32;
    // SAFETY: the handle is open; the label, and what it points to, are whole and live through the call.
    check(unsafe { SetTokenInformation(token.as_raw_handle(), TokenIntegrityLevel, (&raw const label).cast(), size) })
}

fn own(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is not null, has just been given to us, and nobody else closes it.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
