//! Windows: a job object whose processes run at idle priority. There is no documented way to suspend a process, so to
//! freeze is to end every worker. Written to the same shape as the other floors; not yet run on Windows.
#![expect(unsafe_code, reason = "job objects have no safe binding")]

use std::{
    io,
    os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use windows_sys::Win32::{
    Foundation::{FILETIME, HANDLE, WAIT_OBJECT_0},
    System::{
        JobObjects::{
            AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
            JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
            TerminateJobObject,
        },
        Threading::{
            GetProcessTimes, IDLE_PRIORITY_CLASS, NORMAL_PRIORITY_CLASS, OpenProcess,
            PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SET_INFORMATION, PROCESS_SET_QUOTA, PROCESS_SYNCHRONIZE,
            PROCESS_TERMINATE, SetPriorityClass, TerminateProcess, WaitForSingleObject,
        },
    },
};

use crate::{Ended, Method, RELEASE_MAX};

/// Exit status of a worker that was ended.
const EXIT_ENDED: u32 = 9;

/// Nothing: thread priorities above the usual are not for a program that only watches.
pub(crate) fn hurry() {}

#[derive(Debug)]
pub(crate) struct Entry {
    pid: u32,
    process: OwnedHandle,
    cpu_us: AtomicU64,
}

impl Entry {
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn lower(&self) -> io::Result<()> {
        // SAFETY: the handle is open for as long as the entry lives.
        check(unsafe { SetPriorityClass(self.raw(), IDLE_PRIORITY_CLASS) })
    }

    pub(crate) fn end(&self) -> Ended {
        let start = Instant::now();
        self.cpu_us();
        let wait_ms = u32::try_from(RELEASE_MAX.as_millis()).unwrap_or(u32::MAX);
        // SAFETY: the handle is open for as long as the entry lives. What fails here has ended already.
        let released = unsafe {
            SetPriorityClass(self.raw(), NORMAL_PRIORITY_CLASS);
            TerminateProcess(self.raw(), EXIT_ENDED);
            WaitForSingleObject(self.raw(), wait_ms) == WAIT_OBJECT_0
        };
        Ended { took: start.elapsed(), released }
    }

    fn has_ended(&self) -> bool {
        // SAFETY: the handle is open for as long as the entry lives.
        unsafe { WaitForSingleObject(self.raw(), 0) == WAIT_OBJECT_0 }
    }

    fn cpu_us(&self) -> u64 {
        let mut times = [FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 }; 4];
        let [began, ended, kernel, user] = &mut times;
        // SAFETY: the handle is open, and the four times live through the call, which fills them.
        if unsafe { GetProcessTimes(self.raw(), began, ended, kernel, user) } != 0 {
            let us = |time: &FILETIME| (u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime)) / 10;
            self.cpu_us.fetch_max(us(&times[2]) + us(&times[3]), SeqCst);
        }
        self.cpu_us.load(SeqCst)
    }

    fn raw(&self) -> HANDLE {
        self.process.as_raw_handle()
    }
}

#[derive(Debug)]
pub(crate) struct Floor {
    /// Processes in it end with it, and so with the node.
    job: Option<OwnedHandle>,
    held: ArcSwap<Vec<Arc<Entry>>>,
    past_us: AtomicU64,
}

impl Floor {
    pub(crate) fn best() -> Self {
        Self { job: job().ok(), held: ArcSwap::default(), past_us: AtomicU64::new(0) }
    }

    pub(crate) fn signals(_why: String) -> Self {
        Self { job: None, held: ArcSwap::default(), past_us: AtomicU64::new(0) }
    }

    pub(crate) fn method(&self) -> Method {
        Method::End
    }

    pub(crate) fn admit(&self, pid: u32) -> io::Result<Arc<Entry>> {
        let rights = PROCESS_QUERY_LIMITED_INFORMATION
            | PROCESS_SET_INFORMATION
            | PROCESS_SET_QUOTA
            | PROCESS_SYNCHRONIZE
            | PROCESS_TERMINATE;
        // SAFETY: the call takes numbers and gives a handle of our own, or none.
        let process = own(unsafe { OpenProcess(rights, 0, pid) })?;
        let entry = Arc::new(Entry { pid, process, cpu_us: AtomicU64::new(0) });
        if let Some(job) = &self.job {
            // SAFETY: both handles are open.
            check(unsafe { AssignProcessToJobObject(job.as_raw_handle(), entry.raw()) })?;
        }
        self.held.rcu(|held| held.iter().chain([&entry]).cloned().collect::<Vec<_>>());
        Ok(entry)
    }

    pub(crate) fn forget(&self, entry: &Arc<Entry>) {
        self.held.rcu(|held| held.iter().filter(|other| !Arc::ptr_eq(other, entry)).cloned().collect::<Vec<_>>());
        self.past_us.fetch_add(entry.cpu_us(), SeqCst);
    }

    pub(crate) fn stop(&self) {
        if let Some(job) = &self.job {
            // SAFETY: the handle is open. Without processes in it nothing happens.
            unsafe { TerminateJobObject(job.as_raw_handle(), EXIT_ENDED) };
        }
        self.held.load().iter().for_each(|entry| self.stop_one(entry));
    }

    pub(crate) fn stop_one(&self, entry: &Entry) {
        // SAFETY: the handle is open for as long as the entry lives. It fails where the process has ended.
        unsafe { TerminateProcess(entry.raw(), EXIT_ENDED) };
    }

    /// What has ended does not go on; new workers may.
    pub(crate) fn go(&self) -> bool {
        true
    }

    pub(crate) fn settled(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        self.held.load().iter().all(|entry| {
            let left = deadline.saturating_duration_since(Instant::now()).as_millis();
            // SAFETY: the handle is open for as long as the entry lives.
            entry.has_ended()
                || unsafe { WaitForSingleObject(entry.raw(), u32::try_from(left).unwrap_or(u32::MAX)) } == WAIT_OBJECT_0
        })
    }

    pub(crate) fn cpu_us(&self) -> u64 {
        self.held.load().iter().map(|entry| entry.cpu_us()).sum::<u64>() + self.past_us.load(SeqCst)
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.held.load().iter().map(|entry| entry.pid()).collect()
    }
}

/// A job object whose processes end when its last handle is closed.
fn job() -> io::Result<OwnedHandle> {
    // SAFETY: neither attributes nor a name are given; the call gives a handle of our own, or none.
    let job = own(unsafe { CreateJobObjectW(ptr::null(), ptr::null()) })?;
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    let size = size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>() as u32;
    // SAFETY: the handle is open, and `limits` is of the kind and size that is stated and lives through the call.
    check(unsafe {
        SetInformationJobObject(
            job.as_raw_handle(),
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            size,
        )
    })?;
    Ok(job)
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
