//! UPower, NetworkManager, and those who keep a desktop session from idling.

use std::{path::Path, time::Duration};

use lull_presence::{Config, Watch};
use lull_types::Source;

use crate::{
    EVENT_MAX, POLLED_MAX, absent, calmly, clear,
    common::{Bus, Heard, config, folder},
    in_use, onset, put,
    stand_ins::{GnomeSession, NetworkManager, PowerManagement, StandIn, UPower},
    unknown, unknown_for, used_by, watch,
};

fn system(bus: &Bus, root: &Path) -> (Watch, Heard) {
    let config = config(&[("DBUS_SYSTEM_BUS_ADDRESS", bus.address())]);
    watch(&Config { root: root.to_owned(), ..config })
}

fn session(bus: &Bus) -> (Watch, Heard) {
    watch(&config(&[("DBUS_SESSION_BUS_ADDRESS", bus.address()), ("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")]))
}

#[test]
fn upower_says_at_once_that_the_machine_was_unplugged() {
    let (bus, root) = (Bus::start(), folder());
    let upower = UPower::start(bus.address());
    let (watch, heard) = system(&bus, root.path());
    heard.wait_for(Source::Power, clear);
    calmly(&watch);
    onset(&heard, EVENT_MAX, Source::Power, "unplugged", in_use, || upower.on_battery(true));
    onset(&heard, EVENT_MAX, Source::Power, "plugged in", clear, || upower.on_battery(false));
}

#[test]
fn a_battery_that_either_sees_counts() {
    let (bus, root) = (Bus::start(), folder());
    let supply = |name: &str, value: &str| put(root.path(), &format!("sys/class/power_supply/{name}"), value);
    supply("BAT0/type", "Battery\n");
    supply("BAT0/status", "Discharging\n");
    supply("AC/type", "Mains\n");
    supply("AC/online", "0\n");
    let upower = UPower::start(bus.address());
    let (_watch, heard) = system(&bus, root.path());
    heard.wait_for(Source::Power, in_use);
    onset(&heard, POLLED_MAX, Source::Power, "the kernel sees the wall", clear, || supply("AC/online", "1\n"));
    onset(&heard, EVENT_MAX, Source::Power, "UPower sees a battery", in_use, || upower.on_battery(true));
}

#[test]
fn a_silent_upower_is_unknown_and_one_that_left_is_not_missed() {
    let (bus, root) = (Bus::start(), folder());
    std::fs::create_dir_all(root.path().join("sys/class/power_supply")).unwrap();
    let upower = UPower::start(bus.address());
    let (_watch, heard) = system(&bus, root.path());
    heard.wait_for(Source::Power, clear);
    onset(&heard, POLLED_MAX, Source::Power, "silent UPower", unknown_for("UPower"), || upower.0.fall_silent());
    drop(upower);
    heard.wait_for(Source::Power, absent);
    let upower = UPower::start(bus.address());
    heard.wait_for(Source::Power, clear);
    upower.on_battery(true);
    heard.wait_for(Source::Power, in_use);
}

#[test]
fn without_upower_the_kernel_speaks_and_without_both_nothing_is_known() {
    let (mut bus, root) = (Bus::start(), folder());
    let upower = UPower::start(bus.address());
    let (_watch, heard) = system(&bus, root.path());
    heard.wait_for(Source::Power, clear);
    onset(&heard, EVENT_MAX, Source::Power, "UPower gone, no list of supplies", unknown, || drop(upower));
    std::fs::create_dir_all(root.path().join("sys/class/power_supply")).unwrap();
    heard.wait_for(Source::Power, absent);
    bus.program.kill();
    let said = heard.during(Duration::from_millis(900), Source::Power);
    assert!(said.last().is_some_and(absent), "the kernel still speaks: {said:?}");
}

#[test]
fn networkmanagers_word_is_followed() {
    let (bus, root) = (Bus::start(), folder());
    let network = NetworkManager::start(bus.address());
    let (watch, heard) = system(&bus, root.path());
    heard.wait_for(Source::Network, clear);
    calmly(&watch);
    for (metered, so) in [(1, true), (4, false), (3, true), (2, false)] {
        let expected = move |reading: &lull_types::Reading| if so { in_use(reading) } else { clear(reading) };
        onset(&heard, EVENT_MAX, Source::Network, &format!("Metered {metered}"), expected, || network.metered(metered));
    }
    onset(&heard, EVENT_MAX, Source::Network, "Metered 0", unknown_for("lend.metered"), || network.metered(0));
    onset(&heard, EVENT_MAX, Source::Network, "State 20", unknown_for("not connected"), || network.state(20));
    onset(&heard, EVENT_MAX, Source::Network, "Metered 77", unknown, || network.metered(77));
}

#[test]
fn a_silent_or_missing_networkmanager_is_unknown() {
    let (bus, root) = (Bus::start(), folder());
    let (_watch, heard) = system(&bus, root.path());
    heard.wait_for(Source::Network, unknown_for("`lend.metered = true`"));
    let network = NetworkManager::start(bus.address());
    heard.wait_for(Source::Network, clear);
    onset(&heard, POLLED_MAX, Source::Network, "silent NetworkManager", unknown, || network.0.fall_silent());
    drop(network);
    let network = NetworkManager::start(bus.address());
    heard.wait_for(Source::Network, clear);
    onset(&heard, EVENT_MAX, Source::Network, "NetworkManager gone", unknown, || drop(network));
}

#[test]
fn gnome_says_who_keeps_the_session_awake() {
    let bus = Bus::start();
    let gnome = GnomeSession::start(bus.address());
    let (_watch, heard) = session(&bus);
    let source = Source::SessionInhibitors;
    heard.wait_for(source, clear);
    onset(&heard, EVENT_MAX, source, "GNOME film", in_use, || gnome.inhibit(Some("org.gnome.Totem")));
    heard.wait_for(source, used_by("Totem"));
    onset(&heard, EVENT_MAX, source, "it ends", clear, || gnome.inhibit(None));
    onset(&heard, POLLED_MAX, source, "silent GNOME", unknown, || gnome.0.fall_silent());
}

#[test]
fn kde_says_that_the_session_is_kept_awake() {
    let mut bus = Bus::start();
    let (_watch, heard) = session(&bus);
    let source = Source::SessionInhibitors;
    heard.wait_for(source, absent);
    let desktop = PowerManagement::start(bus.address());
    heard.wait_for(source, clear);
    onset(&heard, EVENT_MAX, source, "KDE film", in_use, || desktop.inhibit(true));
    onset(&heard, EVENT_MAX, source, "it ends", clear, || desktop.inhibit(false));
    onset(&heard, EVENT_MAX, source, "KDE gone", absent, || drop(desktop));
    let desktop = PowerManagement::start(bus.address());
    heard.wait_for(source, clear);
    onset(&heard, POLLED_MAX, source, "silent KDE", unknown, || desktop.0.fall_silent());
    drop(desktop);
    heard.wait_for(source, absent);
    onset(&heard, EVENT_MAX, source, "session bus gone", unknown, || bus.program.kill());
}

#[test]
fn either_desktop_service_is_enough() {
    let bus = Bus::start();
    let gnome = GnomeSession::start(bus.address());
    let desktop = PowerManagement::start(bus.address());
    let (watch, heard) = session(&bus);
    let source = Source::SessionInhibitors;
    heard.wait_for(source, clear);
    calmly(&watch);
    onset(&heard, EVENT_MAX, source, "the second one", in_use, || desktop.inhibit(true));
    gnome.inhibit(Some("Totem"));
    heard.wait_for(source, used_by("Totem"));
    desktop.inhibit(false);
    let said = heard.during(Duration::from_secs(1), source);
    assert!(said.last().is_some_and(in_use), "{said:?}");
}

#[test]
fn without_a_session_bus_nobody_keeps_it_awake() {
    let (_watch, heard) = watch(&config(&[("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")]));
    heard.wait_for(Source::SessionInhibitors, absent);
    let (_other, dead) = watch(&config(&[
        ("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere"),
        ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere"),
    ]));
    dead.wait_for(Source::SessionInhibitors, unknown_for("session bus"));
}

#[test]
fn a_socket_that_accepts_and_says_nothing_is_no_bus() {
    let folder = folder();
    let path = folder.path().join("mute");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let address = format!("unix:path={}", path.display());
    let (_watch, heard) =
        watch(&config(&[("DBUS_SYSTEM_BUS_ADDRESS", &address), ("DBUS_SESSION_BUS_ADDRESS", &address)]));
    let buses = [Source::Sessions, Source::SessionInhibitors, Source::Network, Source::Power];
    for source in buses {
        heard.wait_for(source, unknown_for("does not answer"));
    }
}

#[test]
fn a_service_that_is_silent_from_the_beginning_is_unknown() {
    let (bus, root) = (Bus::start(), folder());
    std::fs::create_dir_all(root.path().join("sys/class/power_supply")).unwrap();
    let names = ["org.freedesktop.login1", "org.freedesktop.UPower", "org.freedesktop.NetworkManager"];
    let _services = names.map(|name| {
        let service = StandIn::start(bus.address(), name);
        service.fall_silent();
        service
    });
    let (_watch, heard) = system(&bus, root.path());
    for source in [Source::Sessions, Source::Sleep, Source::Power, Source::Network] {
        heard.wait_for(source, unknown_for("does not answer"));
    }
}
