//! logind: the lock screen, other people, sessions from elsewhere, sleep, inhibitors.

use std::time::{Duration, Instant};

use lull_presence::Watch;
use lull_types::Source;

use crate::{
    EVENT_MAX, POLLED_MAX, calmly, clear,
    common::{Bus, Heard, config},
    in_use, onset,
    stand_ins::Logind,
    unknown, unknown_for, used_by, watch,
};

const ALL: [Source; 4] = [Source::Sessions, Source::RemoteSessions, Source::Sleep, Source::SystemInhibitors];

fn someone_at_work() -> (Bus, Logind, Watch, Heard) {
    let bus = Bus::start();
    let logind = Logind::start(bus.address());
    logind.log_in("1", 1000, false, true);
    let (watch, heard) = watch(&config(&[("DBUS_SYSTEM_BUS_ADDRESS", bus.address()), ("XDG_SESSION_ID", "1")]));
    for source in ALL {
        heard.wait_for(source, clear);
    }
    (bus, logind, watch, heard)
}

#[test]
fn locking_is_clear_and_unlocking_is_use_for_one_beat() {
    let (_bus, logind, _watch, heard) = someone_at_work();
    let at = Instant::now();
    logind.lock("1", true);
    let said = heard.during(Duration::from_millis(900), Source::Sessions);
    assert!(!said.is_empty() && said.iter().all(clear), "{said:?}");
    assert!(heard.since(at, Source::Sessions).len() > 1);
    onset(&heard, EVENT_MAX, Source::Sessions, "unlocked", used_by("unlocked"), || logind.lock("1", false));
    let (began, _) = heard.wait_after(at, Source::Sessions, in_use);
    let (ended, _) = heard.wait_after(began, Source::Sessions, clear);
    assert!(ended.duration_since(began) >= Duration::from_millis(390), "use for one beat");
}

#[test]
fn an_unlock_whose_signal_was_lost_is_found() {
    let (_bus, logind, _watch, heard) = someone_at_work();
    let before = logind.service.asked("GetAll");
    logind.service.change(&Logind::path("1"), Logind::SESSION, "LockedHint", true);
    while logind.service.asked("GetAll") == before {
        heard.wait_for(Source::Sessions, clear);
    }
    // All is read again when anything is said.
    logind.service.set(&Logind::path("1"), "LockedHint", false);
    logind.service.signal(Logind::PATH, Logind::SERVICE, "UserNew", &());
    heard.wait_for(Source::Sessions, used_by("unlocked"));
}

#[test]
fn another_persons_session_on_the_screen_is_use() {
    let (_bus, logind, watch, heard) = someone_at_work();
    logind.log_in("2", 1001, false, false);
    let said = heard.during(Duration::from_millis(900), Source::Sessions);
    assert!(!said.is_empty() && said.iter().all(clear), "in the background: {said:?}");
    calmly(&watch);
    let other = || logind.activate("2", true);
    onset(&heard, EVENT_MAX, Source::Sessions, "another person", used_by("another person's session"), other);
    onset(&heard, EVENT_MAX, Source::Sessions, "back", clear, || logind.activate("2", false));
}

#[test]
fn someone_from_elsewhere_is_use_until_they_leave() {
    let (_bus, logind, watch, heard) = someone_at_work();
    calmly(&watch);
    let come = || logind.log_in("3", 1001, true, true);
    onset(&heard, EVENT_MAX, Source::RemoteSessions, "remote session", used_by("sshd"), come);
    onset(&heard, EVENT_MAX, Source::RemoteSessions, "it ends", clear, || logind.log_out("3"));
}

#[test]
fn going_to_sleep_is_use_and_waking_is_for_one_beat() {
    let (_bus, logind, _watch, heard) = someone_at_work();
    onset(&heard, EVENT_MAX, Source::Sleep, "going to sleep", used_by("going to sleep"), || logind.sleep(true));
    let said = heard.during(Duration::from_millis(900), Source::Sleep);
    assert!(!said.is_empty() && said.iter().all(in_use), "as long as it lasts: {said:?}");
    onset(&heard, EVENT_MAX, Source::Sleep, "woken", used_by("woken"), || logind.sleep(false));
    let (began, _) = heard.wait_for(Source::Sleep, used_by("woken"));
    let (ended, _) = heard.wait_after(began, Source::Sleep, clear);
    println!("awake again after {:?}", ended.duration_since(began));
    assert_eq!(logind.service.asked("Inhibit"), 0, "sleep is never held up");
}

#[test]
fn keeping_the_system_from_idling_is_use_and_waiting_for_sleep_is_not() {
    let (_bus, logind, watch, heard) = someone_at_work();
    logind.inhibited(&[("sleep", "NetworkManager", "delay"), ("sleep", "UPower", "block")]);
    let said = heard.during(Duration::from_millis(900), Source::SystemInhibitors);
    assert!(!said.is_empty() && said.iter().all(clear), "{said:?}");
    calmly(&watch);
    let film = || logind.inhibited(&[("sleep", "UPower", "delay"), ("sleep:idle", "Player", "block")]);
    onset(&heard, EVENT_MAX, Source::SystemInhibitors, "film", used_by("Player"), film);
    onset(&heard, EVENT_MAX, Source::SystemInhibitors, "it ends", clear, || logind.inhibited(&[]));
}

#[test]
fn without_logind_or_its_bus_nothing_is_known() {
    let bus = Bus::start();
    let (_watch, heard) = watch(&config(&[("DBUS_SYSTEM_BUS_ADDRESS", bus.address())]));
    let (_other, nowhere) = watch(&config(&[("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")]));
    for source in ALL {
        heard.wait_for(source, unknown_for("no logind"));
        nowhere.wait_for(source, unknown_for("no logind"));
    }
}

#[test]
fn a_silent_logind_is_noticed_in_time_and_a_returning_one_is_heard() {
    let (bus, logind, _watch, heard) = someone_at_work();
    onset(&heard, POLLED_MAX, Source::Sleep, "silent logind", unknown, || logind.service.fall_silent());
    for source in ALL {
        heard.wait_for(source, unknown_for("does not answer"));
    }
    drop(logind);
    let logind = Logind::start(bus.address());
    logind.log_in("1", 1000, false, true);
    for source in ALL {
        heard.wait_for(source, clear);
    }
}

#[test]
fn a_logind_or_bus_that_vanishes_is_noticed_at_once() {
    let (mut bus, logind, _watch, heard) = someone_at_work();
    onset(&heard, EVENT_MAX, Source::Sessions, "logind gone", unknown, || drop(logind));
    let _logind = Logind::start(bus.address());
    heard.wait_for(Source::Sessions, clear);
    onset(&heard, EVENT_MAX, Source::Sessions, "bus gone", unknown, || bus.program.kill());
}

#[test]
fn a_bus_that_is_stopped_is_noticed_in_time() {
    let (bus, _logind, _watch, heard) = someone_at_work();
    onset(&heard, POLLED_MAX, Source::RemoteSessions, "stopped bus", unknown, || bus.program.stop());
    bus.program.go_on();
    heard.wait_for(Source::RemoteSessions, clear);
}

#[test]
fn an_answer_of_another_kind_is_not_believed() {
    let (_bus, logind, _watch, heard) = someone_at_work();
    logind.service.set(&Logind::path("1"), "Active", "yes");
    logind.service.signal(Logind::PATH, Logind::SERVICE, "UserNew", &());
    heard.wait_for(Source::Sessions, unknown_for("cannot be read"));
}

#[test]
fn a_signal_from_someone_else_is_not_believed() {
    let (bus, logind, _watch, heard) = someone_at_work();
    logind.sleep(true);
    heard.wait_for(Source::Sleep, in_use);
    let stranger = crate::stand_ins::StandIn::start(bus.address(), "org.example.Stranger");
    let at = Instant::now();
    stranger.signal(Logind::PATH, Logind::SERVICE, "PrepareForSleep", &false);
    std::thread::sleep(Duration::from_millis(900));
    let said = heard.since(at, Source::Sleep);
    assert!(!said.is_empty() && said.iter().all(|(_, reading)| used_by("going to sleep")(reading)), "{said:?}");
}
