//! System calls, one by one: whether each gets past the filter and is looked at by the kernel. Their arguments are
//! such that nothing happens.

use super::{
    Control::{self, Depends, Never, Succeeds},
    Stopped,
    calls::call,
};

/// One system call, with arguments.
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) control: Control,
    number: libc::c_long,
    arguments: [usize; 6],
}

/// What points nowhere.
const BAD: usize = usize::MAX;
/// The working folder.
const HERE: usize = libc::AT_FDCWD as usize;

impl Call {
    /// Whether the kernel itself answers: with whatever, but not as the filter does.
    pub(super) fn reach(&self) -> Result<String, Stopped> {
        match call(self.number, &self.arguments) {
            Ok(_) => Ok("done".into()),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS)) => Err(error.into()),
            Err(error) => Ok(error.to_string()),
        }
    }
}

macro_rules! calls {
    ($($control:ident $name:literal $number:ident [$($argument:expr),*];)*) => {
        &[$(Call {
            name: $name,
            control: $control,
            number: libc::$number,
            arguments: six(&[$($argument),*]),
        }),*]
    };
}

const fn six(arguments: &[usize]) -> [usize; 6] {
    let mut all = [0; 6];
    let mut place = 0;
    while place < arguments.len() {
        all[place] = arguments[place];
        place += 1;
    }
    all
}

pub(super) const ALL: &[Call] = calls! {
    Succeeds "accept4" SYS_accept4 [BAD, 0, 0, 0];
    Succeeds "add_key" SYS_add_key [BAD, BAD, 0, 0, 0];
    Never "acct" SYS_acct [BAD];
    Succeeds "bind" SYS_bind [BAD, BAD, 16];
    Depends "bpf" SYS_bpf [0, BAD, 64];
    Succeeds "capget" SYS_capget [BAD, BAD];
    Succeeds "capset" SYS_capset [BAD, BAD];
    Succeeds "chdir" SYS_chdir [BAD];
    Succeeds "chroot" SYS_chroot [BAD];
    Succeeds "clock_adjtime" SYS_clock_adjtime [0, BAD];
    Succeeds "clock_settime" SYS_clock_settime [BAD, 0];
    Succeeds "clone3" SYS_clone3 [BAD, 64];
    Succeeds "close_range" SYS_close_range [BAD, 0, 0];
    Succeeds "connect" SYS_connect [BAD, BAD, 16];
    Succeeds "copy_file_range" SYS_copy_file_range [BAD, 0, BAD, 0, 1, 0];
    Never "delete_module" SYS_delete_module [BAD, 0];
    Succeeds "dup3" SYS_dup3 [BAD, 9, 0];
    Succeeds "execve" SYS_execve [BAD, 0, 0];
    Succeeds "execveat" SYS_execveat [BAD, BAD, 0, 0, 0];
    Succeeds "fallocate" SYS_fallocate [BAD, 0, 0, 1];
    Depends "fanotify_init" SYS_fanotify_init [BAD, 0];
    Succeeds "fchdir" SYS_fchdir [BAD];
    Succeeds "fchmod" SYS_fchmod [BAD, 0];
    Succeeds "fchmodat" SYS_fchmodat [HERE, BAD, 0];
    Succeeds "fchownat" SYS_fchownat [HERE, BAD, 0, 0, 0];
    Never "finit_module" SYS_finit_module [BAD, 0, 0];
    Succeeds "fsetxattr" SYS_fsetxattr [BAD, BAD, 0, 0, 0];
    Never "fsopen" SYS_fsopen [BAD, 0];
    Succeeds "ftruncate" SYS_ftruncate [BAD, 0];
    Succeeds "getpeername" SYS_getpeername [BAD, 0, 0];
    Succeeds "getpgid" SYS_getpgid [0];
    Succeeds "getsid" SYS_getsid [0];
    Succeeds "getsockopt" SYS_getsockopt [BAD, 0, 0, 0, 0];
    Succeeds "getxattr" SYS_getxattr [BAD, BAD, 0, 0];
    Never "init_module" SYS_init_module [BAD, 0, 0];
    Succeeds "inotify_init1" SYS_inotify_init1 [BAD];
    Succeeds "io_setup" SYS_io_setup [0, BAD];
    Depends "io_uring_enter" SYS_io_uring_enter [BAD, 0, 0, 0, 0, 0];
    Depends "io_uring_register" SYS_io_uring_register [BAD, 0, 0, 0];
    Depends "io_uring_setup" SYS_io_uring_setup [1, BAD];
    Succeeds "ioprio_set" SYS_ioprio_set [BAD, 0, 0];
    Succeeds "kcmp" SYS_kcmp [BAD, BAD, BAD, 0, 0];
    Never "kexec_load" SYS_kexec_load [0, 0, 0, 0];
    Succeeds "keyctl" SYS_keyctl [BAD, 0, 0];
    Succeeds "kill" SYS_kill [0, 0];
    Succeeds "linkat" SYS_linkat [HERE, BAD, HERE, BAD, 0];
    Succeeds "listen" SYS_listen [BAD, 1];
    Succeeds "mbind" SYS_mbind [1, 4096, BAD, 0, 0, 0];
    Succeeds "memfd_create" SYS_memfd_create [BAD, 0];
    Succeeds "migrate_pages" SYS_migrate_pages [BAD, 1, BAD, BAD];
    Succeeds "mknodat" SYS_mknodat [HERE, BAD, 0o010_600, 0];
    Succeeds "mlockall" SYS_mlockall [BAD];
    Depends "mount" SYS_mount [BAD, BAD, BAD, 0, 0];
    Depends "mount_setattr" SYS_mount_setattr [BAD, BAD, 0, BAD, 32];
    Depends "move_mount" SYS_move_mount [BAD, BAD, BAD, BAD, BAD];
    Succeeds "move_pages" SYS_move_pages [0, 1, BAD, 0, BAD, 0];
    Succeeds "mq_open" SYS_mq_open [BAD, 0, 0, 0];
    Succeeds "mq_unlink" SYS_mq_unlink [BAD];
    Succeeds "msgget" SYS_msgget [0x6c75, 0];
    Succeeds "name_to_handle_at" SYS_name_to_handle_at [HERE, BAD, BAD, BAD, 0];
    Succeeds "open_tree" SYS_open_tree [HERE, BAD, 0];
    Succeeds "openat2" SYS_openat2 [HERE, BAD, BAD, 24];
    Succeeds "perf_event_open" SYS_perf_event_open [BAD, 0, 0, BAD, 0];
    Succeeds "personality" SYS_personality [0xffff_ffff];
    Succeeds "pidfd_getfd" SYS_pidfd_getfd [BAD, 0, 0];
    Succeeds "pidfd_open" SYS_pidfd_open [BAD, 0];
    Succeeds "pidfd_send_signal" SYS_pidfd_send_signal [BAD, 0, 0, 0];
    Succeeds "pipe2" SYS_pipe2 [BAD, 0];
    Never "pivot_root" SYS_pivot_root [BAD, BAD];
    Succeeds "pkey_alloc" SYS_pkey_alloc [BAD, 0];
    Succeeds "process_madvise" SYS_process_madvise [BAD, BAD, 1, 0, 0];
    Succeeds "process_vm_readv" SYS_process_vm_readv [BAD, 0, 0, 0, 0, 0];
    Succeeds "process_vm_writev" SYS_process_vm_writev [BAD, 0, 0, 0, 0, 0];
    Depends "ptrace" SYS_ptrace [BAD, BAD, 0, 0];
    Succeeds "pwrite64" SYS_pwrite64 [BAD, 0, 0, 0];
    Depends "quotactl" SYS_quotactl [BAD, BAD, 0, BAD];
    Never "reboot" SYS_reboot [0, 0, 0, 0];
    Succeeds "renameat2" SYS_renameat2 [HERE, BAD, HERE, BAD, 0];
    Succeeds "request_key" SYS_request_key [BAD, BAD, 0, 0];
    Succeeds "rt_sigqueueinfo" SYS_rt_sigqueueinfo [BAD, 0, BAD];
    Succeeds "sched_setaffinity" SYS_sched_setaffinity [BAD, 8, BAD];
    Succeeds "sched_setattr" SYS_sched_setattr [BAD, BAD, 0];
    Succeeds "sched_setscheduler" SYS_sched_setscheduler [BAD, 0, BAD];
    Succeeds "semget" SYS_semget [0x6c75, 0, 0];
    Succeeds "sendmsg" SYS_sendmsg [BAD, BAD, 0];
    Succeeds "set_mempolicy" SYS_set_mempolicy [BAD, 0, 0];
    Never "setdomainname" SYS_setdomainname [BAD, 1];
    Succeeds "setfsuid" SYS_setfsuid [BAD];
    Never "sethostname" SYS_sethostname [BAD, 1];
    Succeeds "setitimer" SYS_setitimer [BAD, 0, 0];
    Succeeds "setns" SYS_setns [BAD, 0];
    Succeeds "setpgid" SYS_setpgid [BAD, 0];
    Succeeds "setpriority" SYS_setpriority [BAD, 0, 0];
    Succeeds "setresuid" SYS_setresuid [BAD, BAD, BAD];
    Succeeds "setsockopt" SYS_setsockopt [BAD, 0, 0, 0, 0];
    Succeeds "settimeofday" SYS_settimeofday [BAD, 0];
    Succeeds "shmget" SYS_shmget [0x6c75, 0, 0];
    Succeeds "signalfd4" SYS_signalfd4 [BAD, 0, 8, 0];
    Succeeds "socket" SYS_socket [BAD, 0, 0];
    Succeeds "splice" SYS_splice [BAD, 0, BAD, 0, 1, 0];
    Never "swapon" SYS_swapon [BAD, 0];
    Succeeds "symlinkat" SYS_symlinkat [BAD, HERE, BAD];
    Succeeds "sync" SYS_sync [];
    Never "syslog" SYS_syslog [2, 0, 0];
    Succeeds "timer_create" SYS_timer_create [BAD, 0, BAD];
    Succeeds "timerfd_create" SYS_timerfd_create [BAD, 0];
    Succeeds "tkill" SYS_tkill [BAD, 0];
    Succeeds "truncate" SYS_truncate [BAD, 0];
    Succeeds "umask" SYS_umask [0o022];
    Succeeds "umount2" SYS_umount2 [BAD, 0];
    Succeeds "unlinkat" SYS_unlinkat [HERE, BAD, 0];
    Succeeds "unshare" SYS_unshare [1];
    Succeeds "userfaultfd" SYS_userfaultfd [BAD];
    Succeeds "utimensat" SYS_utimensat [HERE, BAD, 0, 0];
    Never "vhangup" SYS_vhangup [];
    Succeeds "vmsplice" SYS_vmsplice [BAD, 0, 0, 0];
    Succeeds "waitid" SYS_waitid [BAD, 0, 0, 0, 0];
};
