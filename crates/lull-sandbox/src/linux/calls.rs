//! System calls that no crate in use offers. The only unsafe code of Linux' floor.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

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

fn check(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
