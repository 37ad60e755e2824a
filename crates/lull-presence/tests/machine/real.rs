//! The sensors on this very machine: real programs, real work, and what watching costs.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use lull_presence::{Config, Pace, Watch};
use lull_types::Source;

use crate::{
    POLLED_MAX, clear,
    common::{Bus, Heard, Program, folder, plain_copy},
    config_in, in_use, onset,
    stand_ins::{GnomeSession, Logind, NetworkManager, UPower},
    used_by, watch,
};

#[test]
fn a_named_program_that_starts_is_seen() {
    let folder = folder();
    let program = folder.path().join("lull-test-talk");
    std::fs::rename(plain_copy("/bin/sleep", "coreutils", &folder), &program).unwrap();
    let (_watch, heard) = watch(&Config { apps: vec!["lull-test-talk".into()], ..Config::default() });
    heard.wait_for(Source::Apps, clear);
    let mut talk = None;
    onset(&heard, POLLED_MAX, Source::Apps, "named program", used_by("lull-test-talk"), || {
        talk = Some(Program::start("the program", "coreutils", Command::new(&program).arg("600")));
    });
    onset(&heard, POLLED_MAX, Source::Apps, "it ends", clear, || drop(talk.take()));
}

#[test]
fn a_program_that_computes_is_seen() {
    // The machine's other work does not matter here, as long as it leaves a core: that one core more is seen does.
    let limit = usual_work() + 0.5;
    let cores = std::thread::available_parallelism().unwrap().get() as f32;
    if limit + 0.3 > cores {
        println!("this machine has no core to spare ({limit:.1} of {cores}): not checked");
        return;
    }
    let (_watch, heard) = watch(&Config { other_cores_max: limit, ..Config::default() });
    heard.wait_for(Source::Load, clear);
    let mut busy = None;
    onset(&heard, POLLED_MAX, Source::Load, "busy loop", in_use, || {
        busy = Some(Program::start("sh", "dash", Command::new("sh").args(["-c", "while :; do :; done"])));
    });
}

/// What goes on here anyway, in cores.
fn usual_work() -> f32 {
    let (_watch, heard) = watch(&Config { other_cores_max: 0.0, ..Config::default() });
    std::thread::sleep(Duration::from_secs(3));
    let said = heard.since(Instant::now() - Duration::from_secs(2), Source::Load);
    let cores = |reading: &lull_types::Reading| match reading {
        lull_types::Reading::InUse { what } => what.split(' ').next().unwrap().parse().unwrap(),
        _ => 0.0,
    };
    said.iter().map(|(_, reading)| cores(reading)).fold(0.0, f32::max)
}

/// Where the kernel books the work of a program that runs as Lull's workers do. Prints it; nothing depends on it.
#[test]
#[ignore = "a measurement; run it alone"]
fn where_idle_work_is_booked() {
    let booked = || {
        let stat = std::fs::read_to_string("/proc/stat").unwrap();
        let ticks = |at: usize| stat.split_whitespace().nth(at).unwrap().parse::<u64>().unwrap();
        (ticks(1), ticks(2), ticks(3))
    };
    for how in [vec!["nice", "-n", "19", "chrt", "-i", "0"], vec!["chrt", "-i", "0"], vec!["nice", "-n", "19"]] {
        let mut command = Command::new(how[0]);
        command.args(&how[1..]).args(["sh", "-c", "while :; do :; done"]);
        let before = booked();
        let busy = Program::start("nice", "coreutils", &mut command);
        std::thread::sleep(Duration::from_secs(2));
        drop(busy);
        let after = booked();
        println!("{how:?}: user +{}, nice +{}, system +{}", after.0 - before.0, after.1 - before.1, after.2 - before.2);
    }
}

/// What all sensors together cost at rest, with every service there and answering.
#[test]
#[ignore = "a measurement of 70 s; run it alone"]
fn what_watching_costs() {
    let bus = Bus::start();
    let logind = Logind::start(bus.address());
    logind.log_in("1", 1000, false, true);
    let _services =
        (UPower::start(bus.address()), NetworkManager::start(bus.address()), GnomeSession::start(bus.address()));
    let environment = [
        ("DBUS_SYSTEM_BUS_ADDRESS", bus.address()),
        ("DBUS_SESSION_BUS_ADDRESS", bus.address()),
        ("XDG_SESSION_ID", "1"),
    ];
    let config = Config {
        apps: vec!["zoom".into(), "teams".into()],
        hot_celsius: Some(80),
        ..crate::common::config(&environment)
    };
    let (watch, heard) = watch(&config);
    heard.wait_for(Source::Sessions, clear);
    heard.wait_for(Source::Apps, clear);
    measure(&watch, Pace::Alert);
    measure(&watch, Pace::Calm);
}

fn measure(watch: &Watch, pace: Pace) {
    watch.set_pace(pace);
    std::thread::sleep(Duration::from_secs(3));
    let (before, began) = (spent(), Instant::now());
    std::thread::sleep(Duration::from_secs(30));
    let (after, took) = (spent(), began.elapsed());
    let mut all = 0.0;
    for (thread, us) in &after {
        let us = us - before.get(thread).copied().unwrap_or(0.0);
        if us > 0.0 {
            println!("{pace:?}: {} {:.4} % of a core", thread.1, us / took.as_secs_f64() / 1e4);
        }
        all += us;
    }
    println!("{pace:?}: all sensors {:.4} % of a core", all / took.as_secs_f64() / 1e4);
}

/// Processor time of this process's threads that belong to sensors, in microseconds.
fn spent() -> BTreeMap<(String, String), f64> {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let mut all = BTreeMap::new();
    for thread in threads {
        let read = |name: &str| std::fs::read_to_string(thread.path().join(name)).unwrap_or_default();
        let name = read("comm").trim().to_owned();
        let ns: f64 = read("schedstat").split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0.0);
        if name.starts_with("lull-") || name.starts_with("tokio") {
            all.insert((thread.file_name().to_string_lossy().into_owned(), name), ns / 1000.0);
        }
    }
    all
}

#[test]
fn a_change_of_pace_is_heard_at_once() {
    let root = folder();
    let (watch, heard) = watch(&config_in(&root));
    heard.wait_for(Source::Gpu, |_| true);
    watch.set_pace(Pace::Calm);
    std::thread::sleep(Duration::from_millis(600));
    let at = Instant::now();
    watch.set_pace(Pace::Alert);
    let (when, _) = heard.wait_after(at, Source::Clock, |_| true);
    assert!(when.duration_since(at) < Duration::from_secs(2), "{:?}", when.duration_since(at));
}

#[test]
fn every_source_is_heard_at_every_beat() {
    let root = folder();
    let config = Config { own_pids: Arc::new(Vec::new), hot_celsius: Some(70), ..config_in(&root) };
    let (watch, heard): (Watch, Heard) = watch(&config);
    for source in watch.sources() {
        heard.wait_for(*source, |_| true);
    }
    let at = Instant::now();
    std::thread::sleep(Duration::from_secs(3));
    for source in watch.sources() {
        let said = heard.since(at, *source).len();
        println!("{source:?}: {said} words in 3 s");
        assert!(said >= 3, "{source:?} said only {said} words in 3 s");
    }
}
