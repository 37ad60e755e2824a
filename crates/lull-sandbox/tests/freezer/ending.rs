//! Ending a process gives its memory back, and nothing outlives its node.

use std::{
    env, fs,
    path::PathBuf,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use lull_sandbox::{Freezer, Method};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    process::{Pid, PidfdFlags, pidfd_open},
};

use crate::{
    every_way,
    spin::{GUARD, Spin, this_program, until, wait_for_line},
};

/// Memory of a process to be ended, in MiB.
const MIB: usize = 512;

/// Resident anonymous memory, in MiB; 0 when there is none or the process is gone.
pub(crate) fn resident_mib(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() >> 10)
}

/// As many busy programs as there are processors, and one more.
fn hogs() -> Vec<Spin> {
    (0..=thread::available_parallelism().unwrap().get()).map(|_| Spin::start(1, 0)).collect()
}

#[test]
fn the_end_gives_the_memory_back_though_others_are_busy() {
    let hogs = hogs();
    for freezer in every_way() {
        for frozen in [false, true] {
            let spin = Spin::start(2, MIB);
            let adopted = freezer.adopt(spin.pid()).unwrap();
            assert!(resident_mib(spin.pid()) >= MIB);
            if frozen {
                freezer.freeze();
            }
            let before_us = freezer.cpu_us();
            // Nobody waits for the child meanwhile.
            let ended = adopted.end();
            let left = resident_mib(spin.pid());
            println!("{}, frozen {frozen}: {ended:?}, {left} MiB left", freezer.method());
            assert!(ended.released && left < MIB / 8, "{ended:?}, {left} MiB left, {}", freezer.method());
            assert!(adopted.end().released, "a second time is no error");
            drop(adopted);
            assert!(freezer.pids().is_empty() && freezer.cpu_us() >= before_us, "what has run is not forgotten");
            freezer.thaw(freezer.ticket());
        }
    }
    drop(hogs);
}

#[test]
fn a_group_goes_with_its_freezer_and_left_overs_go_with_the_next() {
    let freezer = Freezer::new();
    let Method::Cgroup { folder } = freezer.method() else { return println!("not tested: {}", freezer.method()) };
    // Numbers of processes end well below these.
    let dead = folder.with_file_name("lull-workers-4194399");
    let others = folder.with_file_name("lull-others-4194399");
    fs::create_dir(&dead).unwrap();
    fs::create_dir(&others).unwrap();
    let second = Freezer::new();
    let gone = !dead.exists();
    let left = others.exists();
    fs::remove_dir(&others).unwrap();
    assert!(gone && left && folder.exists());
    assert_ne!(second.method(), freezer.method());
    // Frozen and forgotten: what is still in the group ends with it.
    let mut spin = Spin::start(1, 0);
    let adopted = freezer.adopt(spin.pid()).unwrap();
    freezer.freeze();
    drop(freezer);
    assert!(folder.exists(), "an adoption keeps it");
    drop(adopted);
    assert!(!folder.exists());
    spin.child.wait().unwrap();
}

/// The node of the next test: holds a worker, frozen, and says so.
#[test]
#[ignore = "not a test but a program"]
fn node() {
    let Ok(way) = env::var("LULL_NODE") else { return };
    let freezer = if way == "signals" { Freezer::signals_only() } else { Freezer::new() };
    let spin = Spin::start(2, 64);
    let _adopted = freezer.adopt(spin.pid()).unwrap();
    freezer.freeze();
    assert!(freezer.settled(GUARD));
    let folder = match freezer.method() {
        Method::Cgroup { folder } => folder,
        _ => PathBuf::from("/"),
    };
    println!("node: {} {}", spin.pid(), folder.display());
    loop {
        thread::park();
    }
}

#[test]
fn a_frozen_worker_dies_with_its_node() {
    for freezer in every_way() {
        let grouped = matches!(freezer.method(), Method::Cgroup { .. });
        let way = if grouped { "group" } else { "signals" };
        let mut node: Child =
            this_program("ending::node").env("LULL_NODE", way).stdout(Stdio::piped()).spawn().unwrap();
        let (said, _stdout) = wait_for_line(node.stdout.take().unwrap(), "node: ");
        let said = said.split("node: ").nth(1).unwrap().trim();
        let (worker, folder) = said.split_once(' ').unwrap();
        let worker = Pid::from_raw(worker.parse().unwrap()).unwrap();
        let process = pidfd_open(worker, PidfdFlags::empty()).unwrap();
        node.kill().unwrap();
        node.wait().unwrap();
        let guard = Timespec::try_from(GUARD).unwrap();
        let mut polled = [PollFd::new(&process, PollFlags::IN)];
        let died = rustix::event::poll(&mut polled, Some(&guard)).unwrap() > 0;
        assert!(died, "a worker frozen by {way} outlived its node");
        if grouped {
            until("the group of the dead node is cleared away", || {
                drop(Freezer::new());
                thread::sleep(Duration::from_millis(10));
                !PathBuf::from(folder).exists()
            });
        }
    }
}
