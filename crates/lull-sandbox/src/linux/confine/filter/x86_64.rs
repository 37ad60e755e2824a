//! System calls that only x86-64 has: older forms of those on the list.

use super::{Allowed, none};

/// While loading.
pub(super) fn load(allowed: &mut Allowed) {
    allowed.freely(&[
        libc::SYS_access,
        libc::SYS_lstat,
        libc::SYS_mkdir,
        libc::SYS_readlink,
        libc::SYS_stat,
        libc::SYS_epoll_create,
    ]);
    let to_change = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND;
    allowed.when(libc::SYS_open, &[none(1, (to_change | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u32)]);
}

/// When it has loaded.
pub(super) fn run(allowed: &mut Allowed) {
    allowed.freely(&[libc::SYS_epoll_wait, libc::SYS_poll, libc::SYS_time]);
}
