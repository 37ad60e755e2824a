//! Other processes of the same user, and processes of one's own.

use std::{fs, path::PathBuf};

use super::{
    Attempt,
    Control::{Depends, Never, Succeeds},
    Stage, Stopped,
    calls::{at, at_mut, call, text},
    files::done,
    not,
};

/// Children that a fork bomb has when it counts as one.
const CHILDREN: usize = 100;
/// How long each of them lives at most, in seconds.
const CHILD_SECONDS: u32 = 10;
/// Threads that a thread bomb has when it counts as one: more than a worker may have.
const THREADS: usize = 700;
/// Bytes of a stack of one of these threads.
const STACK_BYTES: usize = 16 << 10;

pub(super) const ALL: &[Attempt] = &[
    Attempt { name: "read_the_parents_memory", control: Succeeds, act: readv_parent },
    Attempt { name: "write_to_the_parents_memory", control: Succeeds, act: writev_parent },
    Attempt { name: "open_the_parents_memory", control: Succeeds, act: |stage| of_parent(stage, "mem") },
    Attempt { name: "read_the_parents_environment", control: Succeeds, act: |stage| of_parent(stage, "environ") },
    Attempt {
        name: "read_the_parents_files",
        control: Succeeds,
        act: |stage| done(fs::read_dir(proc(stage.parent, "fd"))),
    },
    Attempt { name: "see_other_processes", control: Succeeds, act: |stage| of_parent(stage, "cmdline") },
    Attempt {
        name: "go_through_the_parents_root",
        control: Succeeds,
        act: |stage| done(fs::read_dir(proc(stage.parent, "root"))),
    },
    Attempt { name: "signal_the_parent", control: Succeeds, act: |stage| kill(stage.parent, libc::SIGURG) },
    Attempt { name: "stop_another_process", control: Succeeds, act: |stage| kill(stage.victim, libc::SIGCONT) },
    Attempt { name: "signal_all", control: Succeeds, act: |_| kill(-1, 0) },
    Attempt { name: "signal_a_thread_of_another", control: Succeeds, act: thread_signal },
    Attempt {
        name: "signal_by_tkill",
        control: Succeeds,
        act: |stage| done(call(libc::SYS_tkill, &[stage.victim as usize, libc::SIGCONT as usize])),
    },
    Attempt { name: "queue_a_signal", control: Succeeds, act: queue_signal },
    Attempt { name: "signal_by_a_files_owner", control: Succeeds, act: file_owner },
    Attempt { name: "trace_another_process", control: Succeeds, act: |stage| ptrace(stage.victim) },
    Attempt { name: "trace_the_parent", control: Succeeds, act: |stage| ptrace(stage.parent) },
    Attempt { name: "take_a_file_of_another", control: Succeeds, act: pidfd_getfd },
    Attempt { name: "slow_another_down", control: Succeeds, act: renice },
    Attempt { name: "bind_another_to_a_processor", control: Succeeds, act: bind },
    Attempt { name: "limit_another", control: Succeeds, act: limit },
    Attempt { name: "start_a_process", control: Succeeds, act: |_| child(libc::SIGCHLD as usize) },
    Attempt {
        name: "start_a_process_of_the_same_parent",
        control: Succeeds,
        act: |_| child((libc::CLONE_PARENT | libc::SIGCHLD) as usize),
    },
    Attempt { name: "start_a_process_the_new_way", control: Succeeds, act: clone3 },
    Attempt {
        name: "start_a_process_in_new_spaces",
        control: Succeeds,
        act: |_| child((libc::CLONE_NEWUSER | libc::CLONE_NEWNET | libc::SIGCHLD) as usize),
    },
    Attempt { name: "bomb_with_processes", control: Succeeds, act: fork_bomb },
    Attempt { name: "bomb_with_threads", control: Succeeds, act: thread_bomb },
    Attempt { name: "leave_the_session", control: Depends, act: leave_session },
    Attempt { name: "outlive_the_node", control: Succeeds, act: |_| prctl(libc::PR_SET_PDEATHSIG, 0) },
    Attempt { name: "adopt_orphans", control: Succeeds, act: |_| prctl(libc::PR_SET_CHILD_SUBREAPER, 1) },
    Attempt { name: "be_dumped_again", control: Succeeds, act: |_| prctl(libc::PR_SET_DUMPABLE, 1) },
    Attempt { name: "be_traced_by_anybody", control: Depends, act: |_| prctl(libc::PR_SET_PTRACER, usize::MAX) },
    Attempt { name: "take_back_idle_priority", control: Succeeds, act: reschedule },
    Attempt {
        name: "take_a_better_priority",
        control: Never,
        act: |_| done(call(libc::SYS_setpriority, &[0, 0, -5_isize as usize])),
    },
    Attempt {
        name: "find_a_process_by_its_scheduler",
        control: Succeeds,
        act: |stage| done(call(libc::SYS_sched_getscheduler, &[stage.victim as usize])),
    },
    Attempt { name: "find_a_process_by_its_affinity", control: Succeeds, act: affinity },
    Attempt {
        name: "hold_up_every_process",
        control: Succeeds,
        act: |_| done(call(libc::SYS_membarrier, &[libc::MEMBARRIER_CMD_GLOBAL as usize, 0])),
    },
    Attempt { name: "dump_what_it_knows", control: Succeeds, act: dump },
    Attempt { name: "open_more_files", control: Succeeds, act: many_files },
];

fn proc(pid: i32, name: &str) -> PathBuf {
    format!("/proc/{pid}/{name}").into()
}

fn of_parent(stage: &Stage, name: &str) -> Result<String, Stopped> {
    done(
        fs::File::open(proc(stage.parent, name))
            .and_then(|mut file| std::io::copy(&mut std::io::Read::take(&mut file, 0), &mut std::io::sink())),
    )
}

fn kill(pid: i32, signal: i32) -> Result<String, Stopped> {
    done(call(libc::SYS_kill, &[pid as usize, signal as usize]))
}

fn vectors(stage: &Stage, bytes: &[u8]) -> ([usize; 2], [usize; 2]) {
    ([at(bytes), bytes.len()], [stage.parent_address as usize, bytes.len()])
}

fn readv_parent(stage: &Stage) -> Result<String, Stopped> {
    let mut bytes = vec![0_u8; stage.secret.len()];
    let (_, theirs) = vectors(stage, &bytes);
    let mine = [at_mut(bytes.as_mut_slice()), bytes.len()];
    call(libc::SYS_process_vm_readv, &[stage.parent as usize, at(&mine), 1, at(&theirs), 1, 0])?;
    if bytes == stage.secret.as_bytes() { Ok("the secret".into()) } else { Err(not("something else was read")) }
}

fn writev_parent(stage: &Stage) -> Result<String, Stopped> {
    // The same that is there.
    let (mine, theirs) = vectors(stage, stage.secret.as_bytes());
    done(call(libc::SYS_process_vm_writev, &[stage.parent as usize, at(&mine), 1, at(&theirs), 1, 0]))
}

fn thread_signal(stage: &Stage) -> Result<String, Stopped> {
    let victim = stage.victim as usize;
    done(call(libc::SYS_tgkill, &[victim, victim, libc::SIGCONT as usize]))
}

fn queue_signal(stage: &Stage) -> Result<String, Stopped> {
    let mut info = [0_i32; 32];
    info[2] = libc::SI_QUEUE;
    done(call(libc::SYS_rt_sigqueueinfo, &[stage.victim as usize, libc::SIGCONT as usize, at(&info)]))
}

fn file_owner(stage: &Stage) -> Result<String, Stopped> {
    done(call(libc::SYS_fcntl, &[0, libc::F_SETOWN as usize, stage.victim as usize]))
}

fn ptrace(pid: i32) -> Result<String, Stopped> {
    done(call(libc::SYS_ptrace, &[libc::PTRACE_SEIZE as usize, pid as usize, 0, 0]))
}

fn pidfd_getfd(stage: &Stage) -> Result<String, Stopped> {
    let process = call(libc::SYS_pidfd_open, &[stage.victim as usize, 0])?;
    done(call(libc::SYS_pidfd_getfd, &[process, stage.victim_file as usize, 0]))
}

fn renice(stage: &Stage) -> Result<String, Stopped> {
    done(call(libc::SYS_setpriority, &[0, stage.victim as usize, 19]))
}

fn bind(stage: &Stage) -> Result<String, Stopped> {
    let mask = [1_u64];
    done(call(libc::SYS_sched_setaffinity, &[stage.victim as usize, 8, at(&mask)]))
}

fn affinity(stage: &Stage) -> Result<String, Stopped> {
    let mut mask = [0_u64; 16];
    done(call(libc::SYS_sched_getaffinity, &[stage.victim as usize, 128, at_mut(&mut mask)]))
}

fn limit(stage: &Stage) -> Result<String, Stopped> {
    let files = [512_u64, 512];
    done(call(libc::SYS_prlimit64, &[stage.victim as usize, libc::RLIMIT_NOFILE as usize, at(&files), 0]))
}

fn child(flags: usize) -> Result<String, Stopped> {
    match call(libc::SYS_clone, &[flags, 0, 0, 0, 0])? {
        0 => end(),
        child => Ok(format!("process {child}")),
    }
}

fn clone3(_: &Stage) -> Result<String, Stopped> {
    let mut arguments = [0_u64; 8];
    arguments[4] = libc::SIGCHLD as u64;
    match call(libc::SYS_clone3, &[at(&arguments), size_of_val(&arguments)])? {
        0 => end(),
        child => Ok(format!("process {child}")),
    }
}

fn end() -> ! {
    loop {
        let _ = call(libc::SYS_exit_group, &[0]);
    }
}

fn fork_bomb(_: &Stage) -> Result<String, Stopped> {
    let mut children = Vec::new();
    let mut why = None;
    while children.len() < CHILDREN {
        match call(libc::SYS_clone, &[libc::SIGCHLD as usize, 0, 0, 0, 0]) {
            // Holds still until it is killed; where nobody may do that, it goes by itself.
            Ok(0) => {
                let _ = call(libc::SYS_prctl, &[libc::PR_SET_PDEATHSIG as usize, libc::SIGKILL as usize]);
                for _ in 0..CHILD_SECONDS {
                    let _ = call(libc::SYS_nanosleep, &[at(&[1_u64, 0]), 0]);
                }
                end()
            }
            Ok(child) => children.push(child),
            Err(error) => {
                why = Some(error);
                break;
            }
        }
    }
    children.iter().for_each(|child| _ = kill(*child as i32, libc::SIGKILL));
    why.map_or_else(|| Ok(format!("{CHILDREN} processes")), |error| Err(error.into()))
}

fn thread_bomb(_: &Stage) -> Result<String, Stopped> {
    for _ in 0..THREADS {
        std::thread::Builder::new().stack_size(STACK_BYTES).spawn(std::thread::park)?;
    }
    Ok(format!("{THREADS} threads"))
}

fn leave_session(_: &Stage) -> Result<String, Stopped> {
    done(call(libc::SYS_setsid, &[]))
}

fn prctl(what: i32, value: usize) -> Result<String, Stopped> {
    done(call(libc::SYS_prctl, &[what as usize, value, 0, 0, 0]))
}

fn reschedule(_: &Stage) -> Result<String, Stopped> {
    // Size, policy, flags, nice, priority: ordinary, though no better than it is.
    let attributes = [48_u32, 0, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0];
    done(call(libc::SYS_sched_setattr, &[0, at(&attributes), 0]))
}

/// Asks for dumps again: whether one is written is the system's.
fn dump(_: &Stage) -> Result<String, Stopped> {
    let size = [1_u64, 1];
    done(call(libc::SYS_prlimit64, &[0, libc::RLIMIT_CORE as usize, at(&size), 0]))
}

fn many_files(_: &Stage) -> Result<String, Stopped> {
    for _ in 0..400 {
        call(libc::SYS_dup, &[0])?;
    }
    let _ = text(c"");
    Ok("400 files".into())
}
