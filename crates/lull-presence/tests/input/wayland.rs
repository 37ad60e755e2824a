//! `ext-idle-notify-v1` on a real compositor, compositors without it, and the X server beside them.

use std::{
    os::unix::net::UnixListener,
    time::{Duration, Instant},
};

use lull_types::Source;

use crate::{
    absent, clear,
    common::{
        Bus, Screen, config,
        desktop::{Desktop, KwinFinger},
        folder,
        screen::Finger,
    },
    in_use,
    stand_in::StandIn,
    stopped_in_time, unknown, watch,
};

const WAYLAND: Source = Source::WaylandIdle;
const X11: Source = Source::X11Idle;

#[test]
fn typing_and_pointing_are_use_and_a_second_without_them_is_not() {
    let desktop = Desktop::kwin();
    let mut finger = KwinFinger::at(&desktop);
    // Found in the folder, without its name being told.
    let (_watch, heard) = watch(&config(&[("XDG_RUNTIME_DIR", desktop.folder())]));
    heard.wait_for(WAYLAND, clear);
    for (what, act) in [("typing", KwinFinger::press as fn(&mut _)), ("pointing", KwinFinger::push)] {
        let acted = Instant::now();
        act(&mut finger);
        let (at, _) = heard.wait_after(acted, WAYLAND, in_use);
        println!("{what} (KWin): heard after {:.2} ms", at.duration_since(acted).as_secs_f64() * 1000.0);
        heard.wait_for(WAYLAND, clear);
    }
}

#[test]
fn a_stopped_compositor_is_unknown_within_a_second_and_a_killed_one_at_once() {
    let mut desktop = Desktop::kwin();
    let (_watch, heard) =
        watch(&config(&[("XDG_RUNTIME_DIR", desktop.folder()), ("WAYLAND_DISPLAY", desktop.socket())]));
    heard.wait_for(WAYLAND, clear);
    let stopped = Instant::now();
    desktop.program.stop();
    let (at, _) = heard.wait_after(stopped, WAYLAND, unknown);
    stopped_in_time("KWin stopped", stopped, at);
    let on = Instant::now();
    desktop.program.go_on();
    heard.wait_after(on, WAYLAND, clear);
    let killed = Instant::now();
    desktop.program.kill();
    let (at, _) = heard.wait_after(killed, WAYLAND, unknown);
    stopped_in_time("KWin killed", killed, at);
}

#[test]
fn typing_into_a_wayland_window_is_missed_by_the_x_server_beside_it_and_not_by_us() {
    let desktop = Desktop::kwin_with_x();
    let mut finger = KwinFinger::at(&desktop);
    let display = desktop.display.clone().unwrap();
    let mut set = vec![
        ("XDG_RUNTIME_DIR", desktop.folder()),
        ("WAYLAND_DISPLAY", desktop.socket()),
        ("DISPLAY", display.as_str()),
    ];
    if let Some(authority) = &desktop.authority {
        set.push(("XAUTHORITY", authority.as_str()));
    }
    let cookie = desktop.authority.as_ref().map(|file| cookie_in(&std::fs::read(file).unwrap()));
    let x = Finger::on(&display, cookie.as_deref());
    let (_watch, heard) = watch(&config(&set));
    heard.wait_for(WAYLAND, clear);
    heard.wait_for(X11, clear);
    let before = x.idle_ms();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        finger.press();
        std::thread::sleep(Duration::from_millis(50));
    }
    let after = x.idle_ms();
    let ended = Instant::now();
    // The X server has not noticed two seconds of typing: its counter simply went on.
    assert!(after >= before + 1900, "the X server's idle time went from {before} to {after} ms");
    assert!(heard.since(began, X11).iter().all(|(_, reading)| clear(reading)));
    // We have.
    let (at, _) = heard.wait_after(began, WAYLAND, in_use);
    println!("native typing: heard after {:.2} ms", at.duration_since(began).as_secs_f64() * 1000.0);
    let said = heard.since(at, WAYLAND);
    assert!(said.iter().filter(|(when, _)| *when < ended).all(|(_, reading)| in_use(reading)), "{said:?}");
}

#[test]
fn a_desktop_that_says_nothing_about_input_is_unknown_and_so_is_the_x_server_there() {
    let (desktop, screen) = (Desktop::weston(), Screen::start());
    let set = [("XDG_RUNTIME_DIR", desktop.folder()), ("DISPLAY", screen.display())];
    {
        let (_watch, heard) = watch(&config(&set));
        let (_, reading) = heard.wait_for(WAYLAND, |_| true);
        assert!(unknown(&reading), "{reading:?}");
        let said = heard.during(Duration::from_secs(3), X11);
        assert!(said.len() >= 5 && !said.iter().any(clear) && unknown(said.last().unwrap()), "{said:?}");
        println!("{said:?}");
    }
    // With Mutter's monitor beside it, both are believed: it sees all input.
    let bus = Bus::start();
    let monitor = StandIn::on(&bus);
    let bus_address = bus.address();
    let (_watch, heard) = watch(&config(&[set[0], set[1], ("DBUS_SESSION_BUS_ADDRESS", bus_address)]));
    heard.wait_for(WAYLAND, absent);
    heard.wait_for(X11, clear);
    let died = Instant::now();
    drop(monitor);
    for source in [Source::MutterIdle, WAYLAND, X11] {
        let (at, reading) = heard.wait_after(died, source, unknown);
        stopped_in_time(&format!("the monitor dies ({source:?}, {reading:?})"), died, at);
    }
}

#[test]
fn a_compositor_that_accepts_and_never_answers_is_unknown() {
    let folder = folder();
    let _listener = UnixListener::bind(folder.path().join("wayland-0")).unwrap();
    let screen = Screen::start();
    let began = Instant::now();
    let set = [("XDG_RUNTIME_DIR", folder.path().to_str().unwrap()), ("DISPLAY", screen.display())];
    let (_watch, heard) = watch(&config(&set));
    let (at, reading) = heard.wait_for(WAYLAND, |_| true);
    assert!(unknown(&reading), "{reading:?}");
    stopped_in_time("a compositor never answers", began, at);
    let said = heard.during(Duration::from_secs(2), X11);
    assert!(!said.is_empty() && !said.iter().any(clear), "{said:?}");
}

#[test]
fn a_socket_left_behind_is_no_desktop_and_a_named_one_is() {
    let folder = folder();
    drop(UnixListener::bind(folder.path().join("wayland-0")).unwrap());
    std::fs::write(folder.path().join("wayland-0.lock"), "").unwrap();
    let screen = Screen::start();
    let set = [("XDG_RUNTIME_DIR", folder.path().to_str().unwrap()), ("DISPLAY", screen.display())];
    {
        let (_watch, heard) = watch(&config(&set));
        let (_, reading) = heard.wait_for(WAYLAND, |_| true);
        assert!(absent(&reading), "{reading:?}");
        heard.wait_for(X11, clear);
    }
    let (_watch, heard) = watch(&config(&[set[0], set[1], ("WAYLAND_DISPLAY", "wayland-0")]));
    let (_, reading) = heard.wait_for(WAYLAND, |_| true);
    assert!(unknown(&reading), "{reading:?}");
    let said = heard.during(Duration::from_secs(2), X11);
    assert!(!said.is_empty() && !said.iter().any(clear), "{said:?}");
}

/// The first cookie in an authority file.
fn cookie_in(file: &[u8]) -> Vec<u8> {
    let mut rest = &file[2..];
    let mut last = &rest[..0];
    for _ in 0..4 {
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        (last, rest) = rest[2..].split_at(length);
    }
    last.to_vec()
}
