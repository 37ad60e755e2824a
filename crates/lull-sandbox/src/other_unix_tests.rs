use std::process::{Child, Command};

use super::*;

/// Ends with the test, however that ends.
struct Busy(Child);

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The state that the system gives a process: `T` is stopped.
fn state(child: &Child) -> String {
    let shown = Command::new("ps").args(["-o", "stat=", "-p", &child.id().to_string()]).output().unwrap();
    String::from_utf8(shown.stdout).unwrap()
}

fn until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < RELEASE_MAX, "not in time");
    }
}

#[test]
fn signals_stop_continue_and_end() {
    hurry();
    let floor = Floor::best();
    let mut busy = Busy(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap());
    let child = &mut busy.0;
    let entry = floor.admit(child.id()).unwrap();
    entry.lower().unwrap();
    assert_eq!((floor.pids(), entry.pid(), floor.cpu_us()), (vec![child.id()], child.id(), 0));
    assert!(floor.method().to_string().contains("signals"));
    assert!(!floor.settled(Duration::ZERO));
    floor.stop();
    until(|| state(child).starts_with('T'));
    assert!(floor.settled(Duration::ZERO) && floor.go());
    until(|| state(child).starts_with('R'));
    floor.stop();
    assert!(entry.end().released);
    floor.forget(&entry);
    assert!(floor.pids().is_empty());
    assert!(!child.wait().unwrap().success());
    assert!(floor.admit(child.id()).is_err());
}
