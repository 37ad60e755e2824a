//! System calls that no crate in use offers. The only unsafe code of Linux' floor.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, RawFd},
};

use rustix::thread::UnshareFlags;

/// The kernel's `struct sched_attr` as it was first defined, which every kernel takes.
#[repr(C)]
#[derive(Default)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// `IOPRIO_WHO_PROCESS`: one thread, whatever its name says.
const IOPRIO_WHO_PROCESS: libc::c_int = 1;
/// `IOPRIO_CLASS_IDLE`, where the kernel expects the class.
const IOPRIO_IDLE: libc::c_int = 3 << 13;

/// Has a thread run only where no other wants to.
pub(super) fn set_idle(thread: i32) -> io::Result<()> {
    set_scheduling(thread, SchedAttr { policy: libc::SCHED_IDLE as u32, ..SchedAttr::default() })
}

/// Has a thread run as programs usually do, more or less nicely.
pub(super) fn set_ordinary(thread: i32, nice: i32) -> io::Result<()> {
    set_scheduling(thread, SchedAttr { policy: libc::SCHED_OTHER as u32, nice, ..SchedAttr::default() })
}

/// Has the calling thread run as programs usually do, for so many nanoseconds at a time.
pub(super) fn set_own_slice(nice: i32, ns: u64) -> io::Result<()> {
    set_scheduling(0, SchedAttr { policy: libc::SCHED_OTHER as u32, nice, runtime: ns, ..SchedAttr::default() })
}

#[expect(unsafe_code, reason = "sched_setattr(2) has no safe binding")]
fn set_scheduling(thread: i32, mut attr: SchedAttr) -> io::Result<()> {
    attr.size = size_of::<SchedAttr>() as u32;
    // SAFETY: `attr` is a valid `struct sched_attr` of the size it states, and lives through the call, which reads it.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, thread, &raw const attr, 0_u32) };
    check(result)
}

/// Has a thread's disk accesses wait for those of all others.
#[expect(unsafe_code, reason = "ioprio_set(2) has no safe binding")]
pub(super) fn set_io_idle(thread: i32) -> io::Result<()> {
    // SAFETY: the call takes three numbers and touches no memory of this process.
    let result = unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, thread, IOPRIO_IDLE) };
    check(result)
}

/// Takes the memory of a process that has been killed, on the calling thread's time instead of its own.
#[expect(unsafe_code, reason = "process_mrelease(2) has no safe binding")]
pub(super) fn release_memory(process: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as it is borrowed. The memory that goes is another process', one that
    // can never run its own code again: the kernel refuses any other, and one that shares its memory with the living.
    let result = unsafe { libc::syscall(libc::SYS_process_mrelease, process.as_raw_fd(), 0_u32) };
    check(result)
}

/// Puts the calling thread into new namespaces. Never gives it a table of open files of its own.
#[expect(unsafe_code, reason = "unshare(2) can break what safe code believes about open files; these flags do not")]
pub(super) fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: what is shared about open files stays shared.
    unsafe { rustix::thread::unshare_unsafe(flags.difference(UnshareFlags::FILES)) }
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Closes every file of this process whose number is not among these.
#[expect(unsafe_code, reason = "close_range(2) has no safe binding: it closes what somebody may still hold")]
pub(super) fn close_all_but(keep: &[RawFd]) -> io::Result<()> {
    let mut kept: Vec<u32> = keep.iter().filter_map(|fd| u32::try_from(*fd).ok()).collect();
    kept.sort_unstable();
    kept.dedup();
    let mut first = 0;
    for kept in kept.into_iter().map(Some).chain([None]) {
        // Nothing lies between two that follow each other.
        let last = kept.map_or(Some(u32::MAX), |kept| kept.checked_sub(1));
        if let Some(last) = last.filter(|last| *last >= first) {
            // SAFETY: the call takes three numbers. Whoever calls this owns the process and gives up every file that
            // it does not name; a use of one of them fails then, and no other file is opened meanwhile.
            check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0_u32) })?;
        }
        first = kept.map_or(u32::MAX, |kept| kept + 1);
    }
    Ok(())
}
