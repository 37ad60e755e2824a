//! Linux: every way of knowing, one file each.

mod apps;
mod bus;
mod camera;
mod clock;
mod eyes;
mod file;
mod full_screen;
mod gpu;
mod heat;
mod idle;
mod inhibitors;
mod inotify;
mod load;
mod logind;
mod memory;
mod microphone;
mod mutter;
mod network;
mod power;
mod rest;
mod slow;
mod wayland;
mod x11;
mod x_server;

use std::sync::Arc;

use crate::{Config, supervise::Sensor};

/// All sensors.
pub(crate) fn sensors(config: &Arc<Config>) -> Vec<Sensor> {
    let eyes = eyes::Eyes::default();
    let mut all = vec![x11::sensor(&eyes), wayland::sensor(&eyes), mutter::sensor(&eyes), full_screen::sensor()];
    all.extend(rest::sensors(config));
    all
}
