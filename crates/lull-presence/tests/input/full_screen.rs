//! Windows that fill the screen.

use std::time::{Duration, Instant};

use lull_types::{Reading, Source};
use x11rb::{
    COPY_DEPTH_FROM_PARENT,
    connection::Connection as _,
    protocol::xproto::{
        AtomEnum, ConfigureWindowAux, ConnectionExt as _, CreateWindowAux, PropMode, Window, WindowClass,
    },
    wrapper::ConnectionExt as _,
};

use crate::{
    clear,
    common::{Screen, config, screen::Finger},
    in_use, watch,
};

const FULL: Source = Source::FullScreen;

/// A mapped window of a program named "player", with a title that nobody may learn.
fn window(finger: &Finger, width: u16, height: u16, class: WindowClass) -> Window {
    let server = &finger.server;
    let window = server.generate_id().unwrap();
    let depth = if class == WindowClass::INPUT_ONLY { 0 } else { COPY_DEPTH_FROM_PARENT };
    let aux = CreateWindowAux::new();
    server.create_window(depth, window, finger.root, 0, 0, width, height, 0, class, 0, &aux).unwrap();
    let text = AtomEnum::STRING;
    server.change_property8(PropMode::REPLACE, window, AtomEnum::WM_CLASS, text, b"mpv\0player\0").unwrap();
    server.change_property8(PropMode::REPLACE, window, AtomEnum::WM_NAME, text, b"a private title").unwrap();
    server.map_window(window).unwrap();
    finger.sync();
    window
}

fn atom(finger: &Finger, name: &str) -> u32 {
    finger.server.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
}

fn set(finger: &Finger, window: Window, name: &str, kind: AtomEnum, value: &[u32]) {
    let name = atom(finger, name);
    finger.server.change_property32(PropMode::REPLACE, window, name, kind, value).unwrap();
    finger.sync();
}

#[test]
fn without_a_window_manager_a_window_that_covers_the_screen_is_full() {
    let screen = Screen::start();
    let finger = screen.finger();
    let (_watch, heard) = watch(&config(&[("DISPLAY", screen.display())]));
    heard.wait_for(FULL, clear);
    window(&finger, 640, 480, WindowClass::INPUT_ONLY);
    let small = window(&finger, 640, 470, WindowClass::INPUT_OUTPUT);
    let said = heard.during(Duration::from_secs(1), FULL);
    assert!(said.len() >= 2 && said.iter().all(clear), "{said:?}");

    let began = Instant::now();
    finger.server.configure_window(small, &ConfigureWindowAux::new().height(480)).unwrap();
    finger.sync();
    let (at, reading) = heard.wait_after(began, FULL, in_use);
    println!("full screen: heard after {:.1} ms", at.duration_since(began).as_secs_f64() * 1000.0);
    assert_eq!(reading, Reading::InUse { what: "player".to_owned() });

    let ended = Instant::now();
    finger.server.unmap_window(small).unwrap();
    finger.sync();
    heard.wait_after(ended, FULL, clear);
}

#[test]
fn a_window_that_never_rests_does_not_keep_beats_from_coming() {
    let screen = Screen::start();
    let finger = screen.finger();
    let (_watch, heard) = watch(&config(&[("DISPLAY", screen.display())]));
    heard.wait_for(FULL, clear);
    let window = window(&finger, 100, 100, WindowClass::INPUT_OUTPUT);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        let x = i32::try_from(began.elapsed().as_millis() % 100).unwrap();
        finger.server.configure_window(window, &ConfigureWindowAux::new().x(x)).unwrap();
        finger.sync();
    }
    let said = heard.since(began, FULL);
    assert!((5..=9).contains(&said.len()), "{} words in 3 s", said.len());
}

#[test]
fn with_a_window_manager_the_active_windows_own_word_counts() {
    let screen = Screen::start();
    let finger = screen.finger();
    let manager = window(&finger, 1, 1, WindowClass::INPUT_OUTPUT);
    for window in [finger.root, manager] {
        set(&finger, window, "_NET_SUPPORTING_WM_CHECK", AtomEnum::WINDOW, &[manager]);
    }
    let (_watch, heard) = watch(&config(&[("DISPLAY", screen.display())]));
    heard.wait_for(FULL, clear);
    let film = window(&finger, 320, 200, WindowClass::INPUT_OUTPUT);
    // The desktop's own background covers the screen and is nobody's film.
    let desktop = window(&finger, 640, 480, WindowClass::INPUT_OUTPUT);
    set(&finger, finger.root, "_NET_ACTIVE_WINDOW", AtomEnum::WINDOW, &[film]);
    let said = heard.during(Duration::from_secs(1), FULL);
    assert!(said.len() >= 2 && said.iter().all(clear), "{said:?}");

    let full = [atom(&finger, "_NET_WM_STATE_FOCUSED"), atom(&finger, "_NET_WM_STATE_FULLSCREEN")];
    let began = Instant::now();
    set(&finger, film, "_NET_WM_STATE", AtomEnum::ATOM, &full);
    let (at, reading) = heard.wait_after(began, FULL, in_use);
    println!("full screen: heard after {:.1} ms", at.duration_since(began).as_secs_f64() * 1000.0);
    assert_eq!(reading, Reading::InUse { what: "player".to_owned() });

    let left = Instant::now();
    set(&finger, finger.root, "_NET_ACTIVE_WINDOW", AtomEnum::WINDOW, &[desktop]);
    heard.wait_after(left, FULL, clear);
    let back = Instant::now();
    set(&finger, finger.root, "_NET_ACTIVE_WINDOW", AtomEnum::WINDOW, &[film]);
    heard.wait_after(back, FULL, in_use);
    let ended = Instant::now();
    set(&finger, film, "_NET_WM_STATE", AtomEnum::ATOM, &[]);
    heard.wait_after(ended, FULL, clear);

    // The manager ends: what covers the screen counts again.
    let gone = Instant::now();
    finger.server.destroy_window(manager).unwrap();
    finger.sync();
    heard.wait_after(gone, FULL, in_use);
}
