//! Real processes are frozen, thawed and ended: with a control group where there is one, and with signals.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod confined;
mod ending;
mod gate;
mod spin;

use std::{fs, time::Duration};

use lull_sandbox::{Freezer, Method};
use spin::{GUARD, Spin, until};

/// Every way that there is here. `LULL_TEST_CGROUP=1` says that a control group must be one of them.
pub(crate) fn every_way() -> Vec<Freezer> {
    let best = Freezer::new();
    let has_group = matches!(best.method(), Method::Cgroup { .. });
    assert!(has_group || std::env::var_os("LULL_TEST_CGROUP").is_none(), "{}", best.method());
    if !has_group {
        println!("not tested: {}", best.method());
    }
    let mut ways = vec![Freezer::signals_only()];
    ways.extend(has_group.then_some(best));
    ways
}

/// What the kernel may still count when it has said that all stand still: the last thread's way off the processor. Far
/// less than busy threads take in the time that they are watched.
const LEAVING_US_MAX: u64 = 2_000;

/// Field `field` of every thread's `stat`, counted as proc(5) does, from 4.
fn of_every_thread(pid: u32, field: usize) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    // A thread may end meanwhile.
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    stats.map(|stat| stat.rsplit_once(')').unwrap().1.split_whitespace().nth(field - 3).unwrap().to_owned()).collect()
}

#[test]
fn a_freeze_stops_every_thread_and_a_thaw_continues() {
    for freezer in every_way() {
        let spin = Spin::start(3, 0);
        let _adopted = freezer.adopt(spin.pid()).unwrap();
        assert_eq!(freezer.pids(), [spin.pid()]);
        spin.wait_until_all_move();
        let ran = freezer.cpu_us();
        until("processor time is counted", || freezer.cpu_us() > ran);
        for _ in 0..3 {
            freezer.freeze();
            freezer.freeze();
            assert!(freezer.is_frozen() && freezer.settled(GUARD), "{}", freezer.method());
            let cpu_us = freezer.cpu_us();
            assert!(spin.stands_still(), "{}", freezer.method());
            let more_us = freezer.cpu_us() - cpu_us;
            assert!(more_us < LEAVING_US_MAX, "{more_us} us, {}", freezer.method());
            assert!(freezer.thaw(freezer.ticket()) && !freezer.is_frozen());
            spin.wait_until_all_move();
        }
        assert!(!freezer.settled(Duration::from_millis(5)), "busy threads do not stand still");
    }
}

#[test]
fn a_process_adopted_while_frozen_is_frozen() {
    for freezer in every_way() {
        freezer.freeze();
        let spin = Spin::start(2, 0);
        let _adopted = freezer.adopt(spin.pid()).unwrap();
        assert!(freezer.settled(GUARD), "{}", freezer.method());
        assert!(spin.stands_still(), "{}", freezer.method());
        assert!(freezer.thaw(freezer.ticket()));
        spin.wait_until_all_move();
    }
}

#[test]
fn threads_started_later_are_frozen_and_low_like_the_first() {
    for freezer in every_way() {
        let mut spin = Spin::start(1, 0);
        let _adopted = freezer.adopt(spin.pid()).unwrap();
        freezer.freeze();
        assert!(freezer.settled(GUARD));
        // Comes to life only with the thaw.
        spin.ask_for_a_thread();
        assert!(spin.stands_still());
        assert!(freezer.thaw(freezer.ticket()));
        spin.wait_until_all_move();
        freezer.freeze();
        assert!(freezer.settled(GUARD));
        assert!(spin.stands_still());
        let (nice, policy) = (of_every_thread(spin.pid(), 19), of_every_thread(spin.pid(), 41));
        assert!(policy.len() >= 4, "main, test, two that compute: {policy:?}");
        assert!(policy.iter().all(|policy| policy == "5"), "SCHED_IDLE is 5: {policy:?}");
        assert!(nice.iter().all(|nice| nice == "19"), "{nice:?}");
    }
}

#[test]
fn what_cannot_be_held_is_refused() {
    for freezer in every_way() {
        let own = freezer.adopt(std::process::id()).unwrap_err();
        assert!(own.to_string().contains("itself"), "{own}");
        assert!(freezer.adopt(0).is_err());
        assert!(freezer.adopt(u32::MAX).is_err());
        let mut spin = Spin::start(0, 0);
        spin.child.kill().unwrap();
        spin.child.wait().unwrap();
        assert!(freezer.adopt(spin.pid()).is_err(), "a process that is gone");
        assert!(freezer.pids().is_empty());
    }
}

#[test]
fn whoever_is_in_a_hurry_keeps_its_priority() {
    std::thread::spawn(|| {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        lull_sandbox::hurry();
        assert_eq!(nice(), before);
        assert_eq!(rustix::thread::current_timer_slack().unwrap(), 1_000);
        let policy = fs::read_to_string("/proc/thread-self/stat").unwrap();
        assert_eq!(policy.rsplit_once(')').unwrap().1.split_whitespace().nth(38), Some("0"), "SCHED_OTHER is 0");
    })
    .join()
    .unwrap();
}
