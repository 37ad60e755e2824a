//! GNOME's idle monitor: the real one, and one that fails on demand.

use std::{
    os::unix::net::UnixListener,
    time::{Duration, Instant},
};

use lull_types::Source;

use crate::{
    absent, clear,
    common::{
        Bus, config,
        desktop::{Desktop, MutterFinger},
        folder,
    },
    in_use,
    stand_in::StandIn,
    stopped_in_time, unknown, watch,
};

const MUTTER: Source = Source::MutterIdle;
const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

#[test]
fn the_real_monitor_tells_typing_pointing_and_leaving() {
    let bus = Bus::start();
    let desktop = Desktop::mutter(&bus);
    let finger = MutterFinger::at(&bus);
    finger.press();
    let (_watch, heard) = watch(&config(&[
        (BUS, bus.address()),
        ("XDG_RUNTIME_DIR", desktop.folder()),
        ("WAYLAND_DISPLAY", desktop.socket()),
    ]));
    heard.wait_for(MUTTER, clear);
    // It has no protocol for it, and needs none.
    heard.wait_for(Source::WaylandIdle, absent);
    for (what, act) in [("typing", MutterFinger::press as fn(&_)), ("pointing", MutterFinger::push)] {
        let acted = Instant::now();
        act(&finger);
        let (at, _) = heard.wait_after(acted, MUTTER, in_use);
        println!("{what} (Mutter): heard after {:.2} ms", at.duration_since(acted).as_secs_f64() * 1000.0);
        heard.wait_for(MUTTER, clear);
    }
}

#[test]
fn a_killed_mutter_is_unknown_at_once_and_a_stopped_one_within_a_second() {
    let bus = Bus::start();
    let mut desktop = Desktop::mutter(&bus);
    let (_watch, heard) = watch(&config(&[(BUS, bus.address()), ("XDG_RUNTIME_DIR", desktop.folder())]));
    heard.wait_for(MUTTER, clear);
    heard.wait_for(Source::WaylandIdle, absent);
    let stopped = Instant::now();
    desktop.program.stop();
    let (at, _) = heard.wait_after(stopped, MUTTER, unknown);
    stopped_in_time("Mutter stopped", stopped, at);
    let (at, _) = heard.wait_after(stopped, Source::WaylandIdle, unknown);
    stopped_in_time("Mutter stopped (its Wayland socket)", stopped, at);
    let on = Instant::now();
    desktop.program.go_on();
    heard.wait_after(on, MUTTER, clear);
    let killed = Instant::now();
    desktop.program.kill();
    let (at, _) = heard.wait_after(killed, MUTTER, unknown);
    stopped_in_time("Mutter killed", killed, at);
    // A desktop that was there and is gone is not the same as none.
    assert!(heard.during(Duration::from_secs(3), MUTTER).iter().all(unknown));
}

#[test]
fn a_monitor_that_dies_is_unknown() {
    let bus = Bus::start();
    let monitor = StandIn::on(&bus);
    let (_watch, heard) = watch(&config(&[(BUS, bus.address())]));
    heard.wait_for(MUTTER, in_use);
    monitor.leave();
    heard.wait_for(MUTTER, clear);
    let touched = Instant::now();
    monitor.touch();
    heard.wait_after(touched, MUTTER, in_use);
    monitor.leave();
    heard.wait_for(MUTTER, clear);
    let died = Instant::now();
    drop(monitor);
    let (at, _) = heard.wait_after(died, MUTTER, unknown);
    stopped_in_time("a monitor dies", died, at);
    assert!(heard.during(Duration::from_secs(3), MUTTER).iter().all(unknown));
    let again = StandIn::on(&bus);
    again.leave();
    heard.wait_for(MUTTER, clear);
}

#[test]
fn a_monitor_that_accepts_and_never_answers_is_unknown() {
    let bus = Bus::start();
    let monitor = StandIn::on(&bus);
    monitor.leave();
    let (_watch, heard) = watch(&config(&[(BUS, bus.address())]));
    heard.wait_for(MUTTER, clear);
    let hung = Instant::now();
    monitor.hang();
    let (at, _) = heard.wait_after(hung, MUTTER, unknown);
    stopped_in_time("a monitor hangs", hung, at);
}

#[test]
fn a_monitor_that_contradicts_itself_is_unknown() {
    let bus = Bus::start();
    let monitor = StandIn::on(&bus);
    monitor.leave();
    let (_watch, heard) = watch(&config(&[(BUS, bus.address())]));
    heard.wait_for(MUTTER, clear);
    // Someone is here, it says, and: nobody has been here for an hour.
    let touched = Instant::now();
    monitor.lie(Duration::from_secs(3600));
    monitor.touch();
    let (at, reading) = heard.wait_after(touched, MUTTER, unknown);
    stopped_in_time(&format!("a monitor contradicts itself ({reading:?})"), touched, at);
    let between = heard.since(touched, MUTTER);
    assert!(between.iter().all(|(_, reading)| in_use(reading) || unknown(reading)), "{between:?}");
}

#[test]
fn a_bus_without_a_monitor_has_nothing_to_watch_until_one_comes() {
    let mut bus = Bus::start();
    let (_watch, heard) = watch(&config(&[(BUS, bus.address())]));
    let (_, reading) = heard.wait_for(MUTTER, |_| true);
    assert!(absent(&reading), "{reading:?}");
    let came = Instant::now();
    let monitor = StandIn::on(&bus);
    let (at, _) = heard.wait_after(came, MUTTER, in_use);
    println!("a monitor comes: heard after {:?}", at.duration_since(came));
    monitor.leave();
    heard.wait_for(MUTTER, clear);
    let killed = Instant::now();
    bus.program.kill();
    let (at, _) = heard.wait_after(killed, MUTTER, unknown);
    stopped_in_time("the bus is killed", killed, at);
}

#[test]
fn a_bus_that_accepts_and_never_answers_is_unknown() {
    let folder = folder();
    let socket = folder.path().join("bus");
    let _listener = UnixListener::bind(&socket).unwrap();
    let began = Instant::now();
    let (_watch, heard) = watch(&config(&[(BUS, &format!("unix:path={}", socket.display()))]));
    let (at, reading) = heard.wait_for(MUTTER, |_| true);
    assert!(unknown(&reading), "{reading:?}");
    stopped_in_time("a bus never answers", began, at);
}

#[test]
fn a_stopped_bus_is_unknown_within_a_second() {
    let bus = Bus::start();
    let monitor = StandIn::on(&bus);
    monitor.leave();
    let (_watch, heard) = watch(&config(&[(BUS, bus.address())]));
    heard.wait_for(MUTTER, clear);
    let stopped = Instant::now();
    bus.program.stop();
    let (at, _) = heard.wait_after(stopped, MUTTER, unknown);
    bus.program.go_on();
    stopped_in_time("the bus is stopped", stopped, at);
}
