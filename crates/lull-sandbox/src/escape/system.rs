//! The kernel itself: its namespaces, its shared memory, its newer and less-tried parts.

use std::{
    fs::{self, File},
    os::fd::AsRawFd as _,
};

use super::{
    Attempt,
    Control::{Depends, Never, Succeeds},
    Stage, Stopped,
    calls::{at, at_mut, call, get, text},
    files::done,
    not,
};

pub(super) const ALL: &[Attempt] = &[
    Attempt { name: "read_sysv_shared_memory", control: Succeeds, act: shm },
    Attempt {
        name: "make_sysv_shared_memory",
        control: Succeeds,
        act: |_| done(call(libc::SYS_shmget, &[0, 4096, 0o600 | libc::IPC_CREAT as usize])),
    },
    Attempt { name: "read_a_sysv_queue", control: Succeeds, act: msg },
    Attempt {
        name: "read_a_sysv_semaphore",
        control: Succeeds,
        act: |stage| done(call(libc::SYS_semget, &[stage.sem_key as usize, 1, 0])),
    },
    Attempt { name: "read_a_posix_queue", control: Succeeds, act: mq },
    Attempt { name: "become_root_of_a_namespace", control: Succeeds, act: |_| unshare(libc::CLONE_NEWUSER) },
    Attempt { name: "mount_a_folder", control: Succeeds, act: mount },
    Attempt { name: "mount_over_home_by_the_new_calls", control: Succeeds, act: new_mount },
    Attempt { name: "change_the_root", control: Succeeds, act: chroot },
    Attempt { name: "see_the_mounts_again", control: Never, act: |stage| setns(stage, "mnt") },
    Attempt { name: "join_the_parents_network", control: Never, act: |stage| setns(stage, "net") },
    Attempt { name: "become_root", control: Never, act: |_| done(call(libc::SYS_setuid, &[0])) },
    Attempt {
        name: "become_another_group",
        control: Never,
        act: |_| done(call(libc::SYS_setgroups, &[1, at(&[0_u32])])),
    },
    Attempt { name: "give_back_capabilities", control: Never, act: |_| capset() },
    Attempt {
        name: "load_a_kernel_module",
        control: Never,
        act: |_| done(call(libc::SYS_finit_module, &[0, text(c""), 0])),
    },
    Attempt { name: "load_another_kernel", control: Never, act: |_| done(call(libc::SYS_kexec_load, &[0, 0, 0, 0])) },
    Attempt { name: "restart_the_machine", control: Never, act: |_| done(call(libc::SYS_reboot, &[0, 0, 0, 0])) },
    Attempt { name: "read_the_kernels_log", control: Never, act: |_| done(call(libc::SYS_syslog, &[2, 0, 0])) },
    Attempt {
        name: "set_the_clock",
        control: Never,
        act: |_| done(call(libc::SYS_clock_settime, &[0, at(&[0_u64, 0])])),
    },
    Attempt { name: "load_a_kernel_program", control: Depends, act: |_| bpf() },
    Attempt { name: "count_events", control: Depends, act: |_| perf() },
    Attempt { name: "use_io_uring", control: Depends, act: |_| io_uring() },
    Attempt { name: "keep_a_key", control: Succeeds, act: |_| add_key() },
    Attempt { name: "read_keys", control: Succeeds, act: |_| done(call(libc::SYS_keyctl, &[0, -4_isize as usize, 0])) },
    Attempt {
        name: "catch_page_faults",
        control: Succeeds,
        act: |_| done(call(libc::SYS_userfaultfd, &[1 | libc::O_CLOEXEC as usize])),
    },
    Attempt { name: "watch_files", control: Succeeds, act: watch },
    Attempt { name: "watch_all_files", control: Never, act: |_| done(call(libc::SYS_fanotify_init, &[0, 0])) },
    Attempt { name: "answer_for_its_own_filter", control: Succeeds, act: |_| listener() },
    Attempt { name: "ask_landlock_for_everything", control: Succeeds, act: landlock },
    Attempt { name: "send_an_open_file", control: Succeeds, act: send_file },
    Attempt {
        name: "freeze_the_worker_group",
        control: Depends,
        act: |_| done(File::options().write(true).open("/sys/fs/cgroup/cgroup.procs")),
    },
    Attempt { name: "change_kernel_settings", control: Never, act: |_| kernel_setting() },
    Attempt { name: "wake_the_machine_up_later", control: Depends, act: |_| done(File::open("/dev/rtc0")) },
];

/// What is written is what was there: tried by root, its control would change the machine otherwise.
fn kernel_setting() -> Result<String, Stopped> {
    let setting = "/proc/sys/kernel/core_pattern";
    let before = fs::read(setting)?;
    done(fs::write(setting, before))
}

fn shm(stage: &Stage) -> Result<String, Stopped> {
    let segment = call(libc::SYS_shmget, &[stage.shm_key as usize, 0, 0])?;
    let memory = call(libc::SYS_shmat, &[segment, 0, libc::SHM_RDONLY as usize])?;
    if get(memory, stage.secret.len()) == stage.secret.as_bytes() { Ok("the secret".into()) } else { Err(not("other")) }
}

fn msg(stage: &Stage) -> Result<String, Stopped> {
    let queue = call(libc::SYS_msgget, &[stage.msg_key as usize, 0])?;
    let mut message = [0_u64; 40];
    done(call(libc::SYS_msgrcv, &[queue, at_mut(&mut message), 256, 0, libc::IPC_NOWAIT as usize]))
}

fn mq(stage: &Stage) -> Result<String, Stopped> {
    let name = std::ffi::CString::new(stage.mq.as_str())?;
    done(call(libc::SYS_mq_open, &[text(&name), libc::O_RDONLY as usize, 0, 0]))
}

fn unshare(flags: i32) -> Result<String, Stopped> {
    done(call(libc::SYS_unshare, &[flags as usize]))
}

fn mount(stage: &Stage) -> Result<String, Stopped> {
    let place = std::ffi::CString::new(stage.scratch.to_string_lossy().into_owned())?;
    let made = unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS);
    // Within a namespace that it has already, it may need no new one.
    let mounted = call(libc::SYS_mount, &[text(c"x"), text(&place), text(c"tmpfs"), 0, 0]);
    done(mounted).or_else(|stopped| made.and(Err(stopped)))
}

fn new_mount(_: &Stage) -> Result<String, Stopped> {
    let made = unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS);
    done(call(libc::SYS_fsopen, &[text(c"tmpfs"), 0])).or_else(|stopped| made.and(Err(stopped)))
}

fn chroot(_: &Stage) -> Result<String, Stopped> {
    let made = unshare(libc::CLONE_NEWUSER);
    done(call(libc::SYS_chroot, &[text(c".")])).or_else(|stopped| made.and(Err(stopped)))
}

fn setns(stage: &Stage, kind: &str) -> Result<String, Stopped> {
    let space = File::open(format!("/proc/{}/ns/{kind}", stage.parent))?;
    done(call(libc::SYS_setns, &[space.as_raw_fd() as usize, 0]))
}

fn capset() -> Result<String, Stopped> {
    let (header, data) = ([0x2008_0522_u32, 0], [u32::MAX; 6]);
    done(call(libc::SYS_capset, &[at(&header), at(&data)]))
}

fn bpf() -> Result<String, Stopped> {
    // An array of one element.
    let attributes = [2_u32, 4, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    done(call(libc::SYS_bpf, &[0, at(&attributes), size_of_val(&attributes)]))
}

fn perf() -> Result<String, Stopped> {
    // A software event, the task clock, of itself and without the kernel.
    let mut attributes = [0_u64; 16];
    attributes[0] = 1 | 128 << 32;
    attributes[1] = 1;
    attributes[5] = 1 | 1 << 5 | 1 << 6;
    done(call(libc::SYS_perf_event_open, &[at(&attributes), 0, usize::MAX, usize::MAX, 0]))
}

fn io_uring() -> Result<String, Stopped> {
    let mut parameters = [0_u32; 30];
    done(call(libc::SYS_io_uring_setup, &[4, at_mut(&mut parameters)]))
}

fn add_key() -> Result<String, Stopped> {
    done(call(libc::SYS_add_key, &[text(c"user"), text(c"lull"), at(b"x"), 1, -2_isize as usize]))
}

fn watch(stage: &Stage) -> Result<String, Stopped> {
    let watch = call(libc::SYS_inotify_init1, &[0])?;
    let home = std::ffi::CString::new(stage.home.to_string_lossy().into_owned())?;
    done(call(libc::SYS_inotify_add_watch, &[watch, text(&home), libc::IN_OPEN as usize]))
}

/// A filter that asks a listener, which would be the attacker: it can say that a refused call be carried out.
fn listener() -> Result<String, Stopped> {
    call(libc::SYS_prctl, &[libc::PR_SET_NO_NEW_PRIVS as usize, 1, 0, 0, 0])?;
    // One instruction: allow all.
    let instructions = [u64::from(libc::BPF_RET as u16) | u64::from(libc::SECCOMP_RET_ALLOW) << 32];
    let program = [1_usize, at(&instructions)];
    let listen = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as usize;
    done(call(libc::SYS_seccomp, &[libc::SECCOMP_SET_MODE_FILTER as usize, listen, at(&program)]))
}

/// A rule set that allows everything, on top of the one that does not.
fn landlock(stage: &Stage) -> Result<String, Stopped> {
    let write = [1_u64 << 1];
    if let Ok(rules) = call(libc::SYS_landlock_create_ruleset, &[at(&write), 8, 0]) {
        let _ = call(libc::SYS_prctl, &[libc::PR_SET_NO_NEW_PRIVS as usize, 1, 0, 0, 0]);
        let _ = call(libc::SYS_landlock_restrict_self, &[rules, 0]);
    }
    done(fs::read_to_string(stage.home.join("secret")))
}

/// Passes an open file through a socket, as one would to a helper outside.
fn send_file(_: &Stage) -> Result<String, Stopped> {
    let mut pair = [0_i32; 2];
    call(libc::SYS_socketpair, &[libc::AF_UNIX as usize, libc::SOCK_STREAM as usize, 0, at_mut(&mut pair)])?;
    // Level SOL_SOCKET, kind SCM_RIGHTS, one descriptor: standard error.
    let control = [20_u64, 1 | 1 << 32, 2];
    let byte = [at(b"x"), 1];
    let message = [0, 0, at(&byte), 1, at(&control), size_of_val(&control), 0];
    done(call(libc::SYS_sendmsg, &[pair[0] as usize, at(&message), 0]))
}
