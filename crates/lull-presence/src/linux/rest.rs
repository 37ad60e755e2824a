//! Everything on Linux that is neither input nor the display: buses, files below `/proc` and `/sys`, devices, clocks.

use std::{sync::Arc, time::Instant};

use lull_types::Source;

use super::{apps, camera, clock, gpu, heat, inhibitors, load, logind, memory, microphone, network, power, slow::Slow};
use crate::{
    Config, Pace,
    supervise::{Line, Sensor},
};

/// All of them.
pub(crate) fn sensors(_config: &Arc<Config>) -> Vec<Sensor> {
    let slow = || Slow::default();
    let (supply, sensed, graphics, files) = (slow(), slow(), slow(), slow());
    vec![
        Sensor::new(Line::Rest, &logind::SOURCES, logind::watch),
        Sensor::new(Line::Rest, &[Source::SessionInhibitors], inhibitors::watch),
        Sensor::new(Line::Rest, &[Source::Power], move |voice| power::watch(voice, supply.clone())),
        Sensor::new(Line::Rest, &[Source::Network], network::watch),
        Sensor::new(Line::Rest, &[Source::Heat], move |voice| heat::watch(voice, sensed.clone())),
        Sensor::new(Line::Rest, &[Source::Load], load::watch),
        Sensor::new(Line::Rest, &[Source::Memory], memory::watch),
        Sensor::new(Line::Rest, &[Source::Gpu], move |voice| gpu::watch(voice, graphics.clone())),
        Sensor::new(Line::Rest, &[Source::Apps], apps::watch),
        Sensor::new(Line::Rest, &[Source::Microphone], microphone::watch),
        Sensor::new(Line::Rest, &[Source::Camera], move |voice| camera::watch(voice, files.clone())),
        Sensor::new(Line::Rest, &[Source::Clock], clock::watch),
    ]
}

/// Something that happened, said for one beat at least.
#[derive(Debug, Default)]
pub(crate) struct Moment(Option<(Instant, &'static str)>);

impl Moment {
    /// It happens now.
    pub(crate) fn begin(&mut self, what: &'static str) {
        // At a calm pace the next word comes later anyway.
        self.0 = Some((Instant::now() + Pace::Alert.beat(), what));
    }

    /// What to say of it still.
    pub(crate) fn now(&self) -> Option<&'static str> {
        self.0.filter(|(until, _)| Instant::now() < *until).map(|(_, what)| what)
    }
}
