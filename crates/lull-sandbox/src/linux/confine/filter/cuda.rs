//! What a worker needs beside that when it computes on an NVIDIA GPU: its driver loads libraries with code in them,
//! makes code, talks to devices and shares memory under descriptors. Put together from what is known of the driver;
//! never run on such a machine.

use super::{Allowed, cpu, is};

/// While loading.
pub(super) fn load() -> Allowed {
    let mut allowed = cpu::load();
    driver(&mut allowed);
    allowed
}

/// When it has loaded: the driver opens devices and files later, too, so little can be taken away.
pub(super) fn run() -> Allowed {
    load()
}

fn driver(allowed: &mut Allowed) {
    // In place of those that look at arguments.
    allowed.freely(&[
        // Libraries are mapped with their code, and kernels are compiled to code.
        libc::SYS_mmap,
        libc::SYS_mprotect,
        // Every device call is an ioctl; the rules on files say which devices.
        libc::SYS_ioctl,
        // Devices are opened to write.
        libc::SYS_openat,
    ]);
    allowed.freely(&[
        libc::SYS_memfd_create,
        libc::SYS_ftruncate,
        libc::SYS_fallocate,
        libc::SYS_mlock,
        libc::SYS_munlock,
        libc::SYS_mincore,
        libc::SYS_msync,
        libc::SYS_pipe2,
        libc::SYS_dup,
        libc::SYS_dup3,
        libc::SYS_pwrite64,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_get_priority_max,
        libc::SYS_sched_get_priority_min,
        libc::SYS_getpriority,
        libc::SYS_get_mempolicy,
        libc::SYS_set_mempolicy,
        libc::SYS_mbind,
        libc::SYS_fstatfs,
        libc::SYS_statfs,
        libc::SYS_timerfd_create,
        libc::SYS_timerfd_settime,
    ]);
    allowed.when(libc::SYS_fcntl, &[is(1, libc::F_SETFL as u32)]);
    allowed.when(libc::SYS_fcntl, &[is(1, libc::F_ADD_SEALS as u32)]);
    allowed.when(libc::SYS_fcntl, &[is(1, libc::F_GET_SEALS as u32)]);
    #[cfg(target_arch = "x86_64")]
    allowed.freely(&[libc::SYS_open]);
}
