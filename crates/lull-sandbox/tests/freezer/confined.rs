//! A process that has confined itself, or is just doing so, is held like any other.

use std::{
    env,
    process::{Command, Stdio},
};

use lull_sandbox::Freezer;

use crate::{
    LEAVING_US_MAX,
    ending::resident_mib,
    every_way, of_every_thread,
    spin::{GUARD, until, wait_for_line},
};

/// Memory of the program, in MiB.
const SPIN_MIB: usize = 64;

/// Freezes, thaws and ends one that is adopted before or after it has confined itself.
fn hold(freezer: &Freezer, at_once: bool) {
    let program = env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples/inmate");
    assert!(program.exists(), "{} is missing: cargo build -p lull-sandbox --examples", program.display());
    let scratch = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.env_clear().arg("--spin").arg(scratch.path()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let early = at_once.then(|| freezer.adopt(child.id()).unwrap());
    let (line, _stdout) = wait_for_line(child.stdout.take().unwrap(), "RunFilter");
    assert!(line.contains("OwnRoot") && line.contains("NoDump"), "{line}");
    let adopted = early.unwrap_or_else(|| freezer.adopt(child.id()).unwrap());
    let (nice, policy) = (of_every_thread(child.id(), 19), of_every_thread(child.id(), 41));
    assert!(policy.len() == 2 && policy.iter().all(|policy| policy == "5"), "SCHED_IDLE is 5: {policy:?}");
    assert!(nice.iter().all(|nice| nice == "19"), "{nice:?}");
    let ran = freezer.cpu_us();
    until("processor time is counted", || freezer.cpu_us() > ran);
    freezer.freeze();
    assert!(freezer.settled(GUARD), "{}", freezer.method());
    let still = freezer.cpu_us();
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(freezer.cpu_us() - still < LEAVING_US_MAX, "{}", freezer.method());
    assert!(freezer.thaw(freezer.ticket()));
    until("it goes on", || freezer.cpu_us() > still + LEAVING_US_MAX);
    freezer.freeze();
    let ended = adopted.end();
    assert!(ended.released, "{ended:?}, {}", freezer.method());
    let left = resident_mib(child.id());
    assert!(left < SPIN_MIB / 8, "{left} MiB left, {}", freezer.method());
    freezer.thaw(freezer.ticket());
    child.wait().unwrap();
    println!("{}, adopted at once {at_once}: {ended:?}", freezer.method());
}

#[test]
fn a_confined_process_is_held_like_any_other() {
    for freezer in every_way() {
        hold(&freezer, false);
        // The race is with each step of confining: as many tries as cost little.
        (0..4).for_each(|_| hold(&freezer, true));
    }
}
