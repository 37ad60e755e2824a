//! Sensors that die, hang or lie: the work stops within a second, and the reason is shown.

use std::time::Duration;

use lull_types::Signal;

use crate::desk::{Asking, Desk};

/// The longest that a machine may lend on an answer it no longer gets: the promise is a second.
const BLIND: Duration = Duration::from_secs(1);

#[test]
fn the_x_server_hangs_then_dies() {
    let mut desk = Desk::new("other_cores = 0\n");
    let _asking = Asking::begin(&desk);
    let screen = desk.screen.take().unwrap();
    let signals = [Signal::Input, Signal::FullScreen];
    desk.stops_for_one_of(&signals, BLIND, || screen.program.stop());
    screen.program.go_on();
    let mut screen = screen;
    desk.stops_for_one_of(&signals, BLIND, || screen.program.kill());
}

#[test]
fn a_service_falls_silent_then_vanishes() {
    let mut desk = Desk::new("other_cores = 0\n");
    let _asking = Asking::begin(&desk);
    desk.stops_for(Signal::Power, BLIND, || desk.power.0.fall_silent());
    let bus = desk.system_bus.address().to_owned();
    desk.power = crate::stand_ins::UPower::start(&bus);
    desk.stops_for(Signal::Network, BLIND, || desk.network.0.fall_silent());
    desk.network = crate::stand_ins::NetworkManager::start(&bus);
    desk.stops_for(Signal::Session, BLIND, || desk.logind.service.fall_silent());
}

#[test]
fn a_whole_bus_hangs_then_dies() {
    let mut desk = Desk::new("other_cores = 0\n");
    let _asking = Asking::begin(&desk);
    let mut bus = std::mem::replace(&mut desk.system_bus, crate::stage::Bus::start());
    let signals = [Signal::Session, Signal::Remote, Signal::Sleep, Signal::Film, Signal::Power, Signal::Network];
    desk.stops_for_one_of(&signals, BLIND, || bus.program.stop());
    bus.program.go_on();
    desk.stops_for_one_of(&signals, BLIND, || bus.program.kill());
}
