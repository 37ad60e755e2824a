//! What a worker needs that computes on processors: found with strace on the worker that is shipped, and what its
//! libraries may use beside that.

use super::{Allowed, bits, is, none, null, old};

/// Of the flags of a new thread, those that tell it from a process, or give it something of its own.
const CLONE_LOOKED_AT: u32 = THREAD
    | (libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_PTRACE
        | libc::CLONE_VFORK
        | libc::CLONE_PARENT
        | libc::CLONE_PIDFD) as u32;
const THREAD: u32 = (libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND) as u32;
/// What opens a file to read and for nothing else.
const OPEN_LOOKED_AT: u32 = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND | libc::O_TMPFILE) as u32;
/// The bits of `O_TMPFILE` that `O_DIRECTORY` does not have.
const OPEN_TO_READ: u32 = OPEN_LOOKED_AT & !(libc::O_DIRECTORY as u32);

/// While loading.
pub(super) fn load() -> Allowed {
    let mut allowed = run();
    allowed.freely(&[
        // Files, whose opening the rules on files narrow down.
        libc::SYS_faccessat,
        libc::SYS_getdents64,
        libc::SYS_newfstatat,
        libc::SYS_pread64,
        libc::SYS_readlinkat,
        libc::SYS_readv,
        libc::SYS_statx,
        libc::SYS_getcwd,
        libc::SYS_fadvise64,
        // To be told that it is there already.
        libc::SYS_mkdirat,
        // What tokio sets itself up with.
        libc::SYS_epoll_create1,
        libc::SYS_eventfd2,
        // What is known of this machine and process anyway.
        libc::SYS_sysinfo,
        libc::SYS_uname,
        libc::SYS_getuid,
        libc::SYS_geteuid,
        libc::SYS_getgid,
        libc::SYS_getegid,
        libc::SYS_getppid,
    ]);
    allowed.when(libc::SYS_openat, &[none(2, OPEN_TO_READ)]);
    // For tokio's signals; it has no way to another process.
    allowed.when(libc::SYS_socketpair, &[is(0, libc::AF_UNIX as u32)]);
    // Is it a terminal?
    allowed.when(libc::SYS_ioctl, &[is(1, libc::TCGETS as u32)]);
    allowed.when(libc::SYS_ioctl, &[is(1, libc::FIONBIO as u32)]);
    for command in [libc::F_GETFL, libc::F_SETFD, libc::F_DUPFD_CLOEXEC] {
        allowed.when(libc::SYS_fcntl, &[is(1, command as u32)]);
    }
    allowed.when(libc::SYS_prctl, &[is(0, libc::PR_GET_SECCOMP as u32)]);
    old::load(&mut allowed);
    allowed
}

/// When it has loaded.
pub(super) fn run() -> Allowed {
    let mut allowed = Allowed::default();
    allowed.freely(&[
        // The pipe, and what is open already.
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_lseek,
        // Memory.
        libc::SYS_brk,
        libc::SYS_mremap,
        libc::SYS_munmap,
        // Threads and waiting.
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_gettid,
        libc::SYS_getpid,
        libc::SYS_sched_yield,
        libc::SYS_getcpu,
        libc::SYS_epoll_ctl,
        libc::SYS_epoll_pwait,
        libc::SYS_ppoll,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
        // Signals of its own.
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        // Time and chance.
        libc::SYS_clock_getres,
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_gettimeofday,
        libc::SYS_nanosleep,
        libc::SYS_getrandom,
        libc::SYS_getrusage,
    ]);
    memory(&mut allowed);
    threads(&mut allowed);
    allowed.when(libc::SYS_clone, &[bits(0, CLONE_LOOKED_AT, THREAD)]);
    // How a process ends itself that has found a fault in itself.
    allowed.when(libc::SYS_tgkill, &[is(0, std::process::id())]);
    // A thread's name.
    allowed.when(libc::SYS_prctl, &[is(0, libc::PR_SET_NAME as u32)]);
    // The limits of its own, to read them.
    allowed.when(libc::SYS_prlimit64, &[is(0, 0), null(2)]);
    // Whether a file is open: Rust asks before it closes one.
    allowed.when(libc::SYS_fcntl, &[is(1, libc::F_GETFD as u32)]);
    // Tokio wakes itself. Without an address it goes nowhere else.
    allowed.when(libc::SYS_sendto, &[null(4)]);
    allowed.freely(&[libc::SYS_recvfrom]);
    old::run(&mut allowed);
    allowed
}

/// What threads need of each other. Nothing takes the number of another process: whether one is there is no business of
/// a worker.
fn threads(allowed: &mut Allowed) {
    for call in [libc::SYS_sched_getaffinity, libc::SYS_sched_getparam, libc::SYS_sched_getscheduler] {
        allowed.when(call, &[is(0, 0)]);
    }
    let how = !((libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) as u32);
    // Not those with an owner, which find out whose a number is.
    for wait in [
        libc::FUTEX_WAIT,
        libc::FUTEX_WAKE,
        libc::FUTEX_REQUEUE,
        libc::FUTEX_CMP_REQUEUE,
        libc::FUTEX_WAKE_OP,
        libc::FUTEX_WAIT_BITSET,
        libc::FUTEX_WAKE_BITSET,
    ] {
        allowed.when(libc::SYS_futex, &[bits(1, how, wait as u32)]);
    }
    // Barriers of its own threads; one for all processes would cost the whole machine.
    for barrier in [
        libc::MEMBARRIER_CMD_QUERY,
        libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED,
        libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
    ] {
        allowed.when(libc::SYS_membarrier, &[is(0, barrier as u32)]);
    }
}

/// Memory, but none that can be run, and none that the bound on data does not see: shared memory without a file, and
/// what grows as a stack does.
fn memory(allowed: &mut Allowed) {
    let (code, stack) = (none(2, libc::PROT_EXEC as u32), libc::MAP_GROWSDOWN as u32);
    allowed.when(libc::SYS_mmap, &[code, none(3, libc::MAP_SHARED as u32 | stack)]);
    allowed.when(libc::SYS_mmap, &[code, none(3, libc::MAP_ANONYMOUS as u32 | stack)]);
    allowed.when(libc::SYS_mprotect, &[code]);
    // Not to be shared with other processes where it is the same: how long that takes tells what they hold.
    for advice in [
        libc::MADV_NORMAL,
        libc::MADV_RANDOM,
        libc::MADV_SEQUENTIAL,
        libc::MADV_WILLNEED,
        libc::MADV_DONTNEED,
        libc::MADV_FREE,
        libc::MADV_HUGEPAGE,
        libc::MADV_NOHUGEPAGE,
    ] {
        allowed.when(libc::SYS_madvise, &[is(2, advice as u32)]);
    }
}
