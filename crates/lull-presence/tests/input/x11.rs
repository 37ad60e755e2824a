//! The X server's idle counter.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use lull_presence::{Config, Pace};
use lull_types::{Reading, Source};

use crate::{
    absent, clear,
    common::{Program, Screen, config},
    in_use, stopped_in_time, unknown, watch,
};

const X11: Source = Source::X11Idle;

#[test]
fn typing_and_pointing_are_use_and_a_second_without_them_is_not() {
    let screen = Screen::start();
    let finger = screen.finger();
    finger.press();
    let (_watch, heard) = watch(&config(&[("DISPLAY", screen.display())]));
    heard.wait_for(X11, in_use);
    let (_, Reading::Clear { for_ms }) = heard.wait_for(X11, clear) else { unreachable!() };
    assert!((1000..3000).contains(&for_ms), "idle for {for_ms} ms");

    let typed = Instant::now();
    finger.press();
    let (at, _) = heard.wait_after(typed, X11, in_use);
    println!("typing: heard after {:.2} ms", at.duration_since(typed).as_secs_f64() * 1000.0);

    heard.wait_for(X11, clear);
    let moved = Instant::now();
    finger.point(100, 100);
    let (at, _) = heard.wait_after(moved, X11, in_use);
    println!("pointing: heard after {:.2} ms", at.duration_since(moved).as_secs_f64() * 1000.0);
}

#[test]
fn who_goes_on_typing_is_in_use_all_the_time_and_makes_no_noise() {
    let screen = Screen::start();
    let finger = screen.finger();
    finger.press();
    let (_watch, heard) = watch(&config(&[("DISPLAY", screen.display())]));
    heard.wait_for(X11, in_use);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        finger.press();
        std::thread::sleep(Duration::from_millis(20));
    }
    let said = heard.since(began, X11);
    assert!(said.iter().all(|(_, reading)| in_use(reading)), "{said:?}");
    // At most the beats, one each 400 ms.
    assert!((1..=9).contains(&said.len()), "{} words in 3 s", said.len());
}

#[test]
fn a_beat_comes_however_calm_and_an_alert_one_comes_at_once() {
    let screen = Screen::start();
    let (watch, heard) = watch(&config(&[("DISPLAY", screen.display())]));
    heard.wait_for(X11, clear);
    watch.set_pace(Pace::Calm);
    heard.wait_for(X11, clear);
    assert!(heard.during(Duration::from_secs(2), X11).len() <= 1);
    let alert = Instant::now();
    watch.set_pace(Pace::Alert);
    let (at, _) = heard.wait_after(alert, X11, clear);
    assert!(at.duration_since(alert) < Duration::from_secs(2));
    // Input is an event at any pace.
    watch.set_pace(Pace::Calm);
    let finger = screen.finger();
    let typed = Instant::now();
    finger.press();
    let (at, _) = heard.wait_after(typed, X11, in_use);
    assert!(at.duration_since(typed) < Duration::from_secs(2), "{:?}", at.duration_since(typed));
}

/// Where a ring is lost, the touch is heard only at the next beat, seconds later.
#[test]
fn a_touch_rings_even_if_somebody_asked_for_the_counter_just_as_it_passed() {
    const TRIALS: u64 = 60;
    const STILL: Duration = Duration::from_millis(100);
    let screen = Screen::start();
    let finger = screen.finger();
    let (watch, heard) = watch(&Config { still_ms: 100, ..config(&[("DISPLAY", screen.display())]) });
    finger.press();
    for trial in 0..TRIALS {
        watch.set_pace(Pace::Alert);
        // A change of pace has the sensor ask, here from 2 ms before until 2 ms after the server itself would look.
        std::thread::sleep(STILL - Duration::from_micros(2000) + Duration::from_micros(trial % 20 * 200));
        let asked = Instant::now();
        watch.set_pace(Pace::Calm);
        heard.wait_after(asked, X11, clear);
        let touched = Instant::now();
        finger.press();
        let (at, _) = heard.wait_after(touched, X11, in_use);
        let took = at.duration_since(touched);
        assert!(took < Duration::from_secs(2), "touch {trial} was heard after {took:?}");
    }
}

#[test]
fn a_killed_server_is_unknown_at_once_and_stays_so() {
    let mut screen = Screen::start();
    let (_watch, heard) = watch(&config(&[("DISPLAY", screen.display())]));
    heard.wait_for(X11, clear);
    heard.wait_for(Source::FullScreen, clear);
    let killed = Instant::now();
    screen.program.kill();
    for source in [X11, Source::FullScreen] {
        let (at, reading) = heard.wait_after(killed, source, unknown);
        stopped_in_time(&format!("X server killed ({source:?}, {reading:?})"), killed, at);
    }
    // No longer than that: another test's server may take the number.
    let said = heard.during(Duration::from_millis(900), X11);
    assert!(!said.is_empty() && said.iter().all(unknown), "{said:?}");
}

#[test]
fn a_stopped_server_is_unknown_within_a_second_and_seen_again_when_it_goes_on() {
    let screen = Screen::start();
    let (_watch, heard) = watch(&config(&[("DISPLAY", screen.display())]));
    heard.wait_for(X11, clear);
    heard.wait_for(Source::FullScreen, clear);
    let stopped = Instant::now();
    screen.program.stop();
    for source in [X11, Source::FullScreen] {
        let (at, reading) = heard.wait_after(stopped, source, unknown);
        stopped_in_time(&format!("X server stopped ({source:?}, {reading:?})"), stopped, at);
    }
    let said = heard.during(Duration::from_secs(3), X11);
    assert!(said.len() >= 3 && said.iter().all(unknown), "{said:?}");
    let on = Instant::now();
    screen.program.go_on();
    heard.wait_after(on, X11, clear);
}

#[test]
fn a_server_that_never_answers_is_unknown_from_the_start() {
    let screen = Screen::start();
    screen.program.stop();
    let began = Instant::now();
    let (_watch, heard) = watch(&config(&[("DISPLAY", screen.display())]));
    let (at, reading) = heard.wait_for(X11, |_| true);
    assert!(unknown(&reading), "{reading:?}");
    stopped_in_time("X server stopped from the start", began, at);
}

#[test]
fn without_a_display_there_is_nothing_to_watch() {
    let (_watch, heard) = watch(&config(&[]));
    for source in [X11, Source::WaylandIdle, Source::MutterIdle, Source::FullScreen] {
        let (_, reading) = heard.wait_for(source, |_| true);
        assert!(absent(&reading), "{source:?}: {reading:?}");
    }
    assert!(heard.during(Duration::from_secs(2), X11).len() >= 3, "absence is said at every beat, too");
}

#[test]
fn a_display_that_leads_nowhere_is_unknown() {
    for display in [":31999", "nonsense"] {
        let (_watch, heard) = watch(&config(&[("DISPLAY", display)]));
        let (_, reading) = heard.wait_for(X11, |_| true);
        assert!(unknown(&reading), "{display}: {reading:?}");
    }
}

#[test]
fn a_guarded_server_is_seen_with_its_cookie_and_unknown_without() {
    let screen = Screen::guarded();
    let display = ("DISPLAY", screen.display());
    {
        let (_watch, heard) = watch(&config(&[display, ("XAUTHORITY", screen.authority().unwrap())]));
        heard.wait_for(X11, clear);
        screen.finger().press();
        heard.wait_for(X11, in_use);
    }
    let (_watch, heard) = watch(&config(&[display, ("XAUTHORITY", "/nowhere")]));
    let (_, reading) = heard.wait_for(X11, |_| true);
    assert!(unknown(&reading), "{reading:?}");
}

/// Prints how long it takes from a key on the X server to the sensor's word.
#[test]
#[ignore = "a measurement: cargo test -p lull-presence --test input -- --ignored --nocapture latency"]
fn latency() {
    // Four at a time: each trial waits for a second of idleness.
    const SCREENS: u64 = 4;
    const TRIALS: u64 = 60;
    for busy in [0, 4] {
        let spin = || Program::start("sh", "dash", Command::new("sh").args(["-c", "while :; do :; done"]));
        let loops: Vec<_> = (0..busy).map(|_| spin()).collect();
        let screens: Vec<_> = (0..SCREENS).map(|screen| std::thread::spawn(move || trials(screen, TRIALS))).collect();
        let mut took: Vec<f64> = screens.into_iter().flat_map(|screen| screen.join().unwrap()).collect();
        drop(loops);
        took.sort_by(f64::total_cmp);
        let at = |percent: usize| took[(took.len() - 1) * percent / 100];
        let (p50, p90, p99, max) = (at(50), at(90), at(99), at(100));
        let late = took.iter().filter(|ms| **ms > 100.0).count();
        let of = took.len();
        println!(
            "{busy} busy loops: {of} trials, p50 {p50:.2} ms, p90 {p90:.2}, p99 {p99:.2}, max {max:.2}, {late} > 100 ms"
        );
    }
}

/// Milliseconds from the key to the word.
fn trials(screen: u64, trials: u64) -> Vec<f64> {
    let server = Screen::start();
    let finger = server.finger();
    let (_watch, heard) = watch(&config(&[("DISPLAY", server.display())]));
    let one = |trial: u64| {
        heard.wait_for(X11, clear);
        // Anywhere between two beats, and every tenth time at once.
        std::thread::sleep(Duration::from_millis(if trial.is_multiple_of(10) {
            0
        } else {
            (trial * 37 + screen * 101) % 400
        }));
        let typed = Instant::now();
        finger.press();
        // A server too busy to answer is unknown, which stops lending as well.
        let (at, _) = heard.wait_after(typed, X11, Reading::forbids);
        at.duration_since(typed).as_secs_f64() * 1000.0
    };
    (0..trials).map(one).collect()
}
