//! Everything that is *in use*: after each onset the worker stands still, and the person is told why.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use lull_types::{LendingView, Reason, Signal};
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{AtomEnum, ConnectionExt as _, CreateWindowAux, PropMode, WindowClass},
    wrapper::ConnectionExt as _,
};

use crate::{
    desk::{AT_ONCE, Asking, Desk, WHEN_ASKED, is_about},
    stage::{
        Bus,
        desktop::{Desktop, KwinFinger},
    },
};

#[test]
fn a_person_in_whatever_way() {
    let desk = Desk::new("other_cores = 0\n");
    let _asking = Asking::begin(&desk);
    let finger = desk.screen.as_ref().unwrap().finger();

    desk.stops_for(Signal::Input, AT_ONCE, || finger.press());
    desk.stops_for(Signal::Input, AT_ONCE, || finger.point(30, 40));

    desk.logind.lock("1", true);
    desk.stops_for(Signal::Session, AT_ONCE, || desk.logind.lock("1", false));

    desk.stops_for(Signal::Session, AT_ONCE, || desk.logind.log_in("9", 4_242, false, true));
    desk.logind.log_out("9");

    desk.stops_for(Signal::Remote, AT_ONCE, || desk.logind.log_in("7", 1_000, true, true));
    desk.logind.log_out("7");

    desk.stops_for(Signal::Film, AT_ONCE, || desk.logind.inhibited(&[("idle", "a film", "block")]));
    desk.logind.inhibited(&[]);

    desk.stops_for(Signal::Film, AT_ONCE, || desk.session.inhibit(Some("a talk")));
    desk.session.inhibit(None);

    let status = "proc/asound/card0/pcm0c/sub0/status";
    desk.stops_for(Signal::Call, WHEN_ASKED, || desk.put(status, "state: RUNNING\nowner_pid   : 4000\n"));
    desk.put(status, "closed\n");

    let window = FullScreen::new(&finger);
    desk.stops_for(Signal::FullScreen, AT_ONCE, || window.fill());
    window.leave();

    desk.stops_for(Signal::Sleep, AT_ONCE, || desk.logind.sleep(true));
    desk.logind.sleep(false);
    desk.until_it_lends();
}

#[test]
fn a_machine_in_whatever_state() {
    let desk = Desk::new("other_cores = 1.3\napps = [\"zoom\"]\n");
    let _asking = Asking::begin(&desk);

    desk.stops_for(Signal::Power, AT_ONCE, || desk.power.on_battery(true));
    desk.power.on_battery(false);

    let plug = |online: &str, battery: &str| {
        desk.put("sys/class/power_supply/AC/online", online);
        desk.put("sys/class/power_supply/BAT0/status", battery);
    };
    desk.stops_for(Signal::Power, WHEN_ASKED, || plug("0\n", "Discharging\n"));
    plug("1\n", "Charging\n");

    desk.stops_for(Signal::Heat, WHEN_ASKED, || desk.put("sys/class/thermal/thermal_zone0/temp", "95000\n"));
    desk.put("sys/class/thermal/thermal_zone0/temp", "45000\n");

    desk.stops_for(Signal::Network, AT_ONCE, || desk.network.metered(1));
    desk.network.metered(2);

    let start = || {
        desk.put("proc/4242/comm", "zoom\n");
        desk.put("proc/4242/cmdline", "/usr/bin/zoom\0");
        desk.put("proc/loadavg", "0.00 0.00 0.00 1/100 4242\n");
    };
    desk.stops_for(Signal::App, WHEN_ASKED, start);
    std::fs::remove_dir_all(desk.root.path().join("proc/4242")).unwrap();

    let mut busy = Vec::new();
    desk.stops_for(Signal::Load, WHEN_ASKED, || busy.extend((0..2).map(|_| Busy::start())));
    busy.clear();

    outside_hours(&desk);
}

/// The organisation changes the hours. The file is looked at every two seconds, so this one has no bound but the guard; for
/// hours that end by themselves see [`crate::clock`].
fn outside_hours(desk: &Desk) {
    desk.until_it_lends();
    let work = desk.busy_worker();
    std::fs::write(desk.rules(), "[lend]\nhours = [\"never\"]\n").unwrap();
    let outside = |shown: &LendingView| matches!(shown, LendingView::Waiting { reason, .. } | LendingView::Yielding { reason, .. } if *reason == Reason::OutsideHours);
    let shown = desk.until("the end of the hours", outside);
    println!("hours: {}", shown.words());
    let before = work.cpu_ns();
    std::thread::sleep(Duration::from_millis(300));
    assert!(work.cpu_ns() <= before, "it computes outside its hours");
    std::fs::remove_file(desk.rules()).unwrap();
    desk.until_it_lends();
}

#[test]
fn typing_into_a_wayland_window_beside_an_x_server() {
    let compositor = Desktop::kwin_with_x();
    let mut screen = vec![
        ("XDG_RUNTIME_DIR", compositor.folder().to_owned()),
        ("WAYLAND_DISPLAY", compositor.socket().to_owned()),
        ("DISPLAY", compositor.display.clone().unwrap()),
    ];
    screen.extend(compositor.authority.clone().map(|authority| ("XAUTHORITY", authority)));
    let desk = Desk::with("other_cores = 0\n", &screen, Bus::start());
    let _asking = Asking::begin(&desk);
    let mut hand = KwinFinger::at(&compositor);
    desk.stops_for(Signal::Input, AT_ONCE, || hand.press());
    desk.until("a decision", |shown| matches!(shown, LendingView::Waiting { .. }) || is_about(shown, Signal::Input));
}

/// An ordinary process that computes.
struct Busy(std::process::Child);

impl Busy {
    fn start() -> Self {
        let mut command = Command::new("sh");
        Self(command.args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A window that its window manager says fills the screen.
struct FullScreen<'a> {
    finger: &'a crate::stage::screen::Finger,
    window: u32,
}

impl<'a> FullScreen<'a> {
    fn new(finger: &'a crate::stage::screen::Finger) -> Self {
        let window = finger.server.generate_id().unwrap();
        let aux = CreateWindowAux::new();
        let class = WindowClass::INPUT_OUTPUT;
        finger.server.create_window(0, window, finger.root, 0, 0, 640, 480, 0, class, 0, &aux).unwrap();
        finger
            .server
            .change_property8(PropMode::REPLACE, window, AtomEnum::WM_CLASS, AtomEnum::STRING, b"film\0Film\0")
            .unwrap();
        finger.sync();
        Self { finger, window }
    }

    fn fill(&self) {
        self.finger.server.map_window(self.window).unwrap();
        self.finger.sync();
    }

    fn leave(&self) {
        self.finger.server.unmap_window(self.window).unwrap();
        self.finger.sync();
    }
}
