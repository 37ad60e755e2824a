//! Input as the X server knows it: two alarms on the idle counter of its SYNC extension.
//!
//! The server rings for a touch only if it has noted before that the counter was above the alarm's value, and it notes
//! that when it rings for absence, or when an alarm is changed (Xext/sync.c). Somebody who asks for the counter in the
//! very millisecond in which it passes that value takes the ring away, and with it the next touch's. So absence counts
//! only when it was seen, the alarm was set once more, and it was seen again.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use lull_types::{Reading, Source};
use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    errors::ConnectionError,
    protocol::{
        Event,
        sync::{
            ALARMSTATE, AlarmNotifyEvent, ChangeAlarmAux, ConnectionExt as _, CreateAlarmAux, Int64, TESTTYPE,
            VALUETYPE, X11_EXTENSION_NAME,
        },
    },
};

use super::{
    eyes::{Eye, Eyes, Sight},
    idle::Idle,
    x_server::Server,
};
use crate::{
    supervise::{Line, Sensor},
    voice::Voice,
};

const SOURCE: Source = Source::X11Idle;
const WHO: &str = "the X server";
/// The counter's name.
const IDLETIME: &[u8] = b"IDLETIME";
/// The version of the extension that is asked for.
const SYNC: (u8, u8) = (3, 1);

pub(super) fn sensor(eyes: &Eyes) -> Sensor {
    let eyes = eyes.clone();
    Sensor::new(Line::Input, &[SOURCE], move |voice| run(voice, eyes.open(|all| &mut all.x11)))
}

async fn run(mut voice: Voice, eye: Eye) -> Result<Infallible, String> {
    let Some(display) = voice.config.environment.get("DISPLAY").map(str::to_owned) else {
        eye.set(Sight::Nothing);
        voice.repeat(SOURCE, &Reading::Absent).await
    };
    let config = voice.config.clone();
    let server = voice.answer(WHO, Server::open(&display, &config.environment)).await?;
    let alarms = voice.answer(WHO, Alarms::set(&server, config.still_ms)).await?;
    let mut watch = Watch { voice, eye, alarms, idle: None, came: false, left: false, armed: false };
    watch.beat(&server).await?;
    let mut beats = watch.voice.clone();
    loop {
        tokio::select! {
            biased;
            event = server.event() => {
                watch.hear(&event?);
                if watch.left {
                    watch.beat(&server).await?;
                }
            }
            () = beats.beat() => watch.beat(&server).await?,
            () = watch.eye.changed() => watch.speak(Instant::now()),
        }
    }
}

/// The server's idle counter and what rings when it passes the time after which nobody is here.
struct Alarms {
    counter: u32,
    left: u32,
    came: u32,
    /// What the second falls to when it rings, in milliseconds. It rings only for a fall from above, and the server may
    /// have stopped counting exactly at the first's value: so this is one less.
    came_at: u32,
}

impl Alarms {
    async fn set(server: &Server, still_ms: u64) -> Result<Self, Box<dyn std::error::Error>> {
        let connection = server.connection();
        connection.prefetch_extension_information(X11_EXTENSION_NAME)?;
        server.answered(|_| {}).await?;
        let version = connection.sync_initialize(SYNC.0, SYNC.1)?;
        let counters = connection.sync_list_system_counters()?;
        server.answered(|_| {}).await?;
        version.reply()?;
        let counters = counters.reply()?.counters;
        let counter = counters.iter().find(|counter| counter.name == IDLETIME).ok_or("it does not count idle time")?;
        let counter = counter.counter;
        let (left, came) = (connection.generate_id()?, connection.generate_id()?);
        let still = u32::try_from(still_ms)?;
        let alarms = Self { counter, left, came, came_at: still.saturating_sub(1) };
        let tests =
            [(left, TESTTYPE::POSITIVE_TRANSITION, still), (came, TESTTYPE::NEGATIVE_TRANSITION, alarms.came_at)];
        for (alarm, test, ms) in tests {
            let value = Int64 { hi: 0, lo: ms };
            let aux = CreateAlarmAux::new().counter(counter).value_type(VALUETYPE::ABSOLUTE).value(value);
            let aux = aux.test_type(test).delta(Int64::default()).events(1);
            connection.sync_create_alarm(alarm, &aux)?.ignore_error();
        }
        let states = [connection.sync_query_alarm(left)?, connection.sync_query_alarm(came)?];
        server.answered(|_| {}).await?;
        for state in states {
            if state.reply()?.state != ALARMSTATE::ACTIVE {
                return Err("its alarms do not work".into());
            }
        }
        Ok(alarms)
    }

    /// Has the server note where the counter stands, so that it rings when that falls.
    fn set_again(&self, server: &Server) -> Result<(), ConnectionError> {
        let value = Int64 { hi: 0, lo: self.came_at };
        server.connection().sync_change_alarm(self.came, &ChangeAlarmAux::new().value(value))?.ignore_error();
        Ok(())
    }
}

struct Watch {
    voice: Voice,
    eye: Eye,
    alarms: Alarms,
    /// `None` until the counter has been asked.
    idle: Option<Idle>,
    /// Someone came since the counter was last asked.
    came: bool,
    /// The counter has passed a second since it was last asked.
    left: bool,
    /// The server rings for the next touch.
    armed: bool,
}

impl Watch {
    fn hear(&mut self, event: &Event) {
        let Event::SyncAlarmNotify(AlarmNotifyEvent { alarm, .. }) = event else { return };
        if *alarm == self.alarms.came {
            self.voice.say(SOURCE, Reading::in_use());
            self.came = true;
            self.armed = false;
            if let Some(idle) = &mut self.idle {
                idle.touched(Instant::now());
            }
        } else if *alarm == self.alarms.left {
            // Not said yet: a touch within the same millisecond does not ring, so the counter is asked first.
            self.left = true;
        }
    }

    /// Below this, someone is here.
    fn still(&self) -> Duration {
        Duration::from_millis(self.voice.config.still_ms)
    }

    /// Whether nobody was here when it was last heard.
    fn is_still(&self) -> bool {
        self.idle.is_some_and(|idle| idle.idle() >= self.still())
    }

    /// Proves that the server lives, and says the word again.
    async fn beat(&mut self, server: &Server) -> Result<(), String> {
        self.ask(server).await?;
        self.speak(Instant::now());
        Ok(())
    }

    /// Asks the counter, and sees to it that the next touch rings.
    async fn ask(&mut self, server: &Server) -> Result<(), String> {
        self.query(server).await?;
        if self.is_still() && !self.armed {
            self.alarms.set_again(server).map_err(|error| error.to_string())?;
            self.query(server).await?;
            self.armed = self.is_still();
        }
        Ok(())
    }

    /// Asks the counter, and says at once if someone came without ringing.
    async fn query(&mut self, server: &Server) -> Result<(), String> {
        (self.came, self.left) = (false, false);
        let asked = server.connection().sync_query_counter(self.alarms.counter).map_err(|error| error.to_string())?;
        let voice = self.voice.clone();
        voice.answer(WHO, server.answered(|event| self.hear(event))).await?;
        let value = asked.reply().map_err(|error| format!("{WHO} does not tell its idle counter ({error})"))?;
        let now = Instant::now();
        // A touch that rang meanwhile is newer than the answer.
        if !self.came {
            let (was_still, idle) = (self.is_still(), duration(value.counter_value));
            let fell = idle < self.still() || self.idle.is_some_and(|known| known.fell(now, idle));
            if was_still && fell {
                self.voice.say(SOURCE, Reading::in_use());
                self.armed = false;
            }
            match &mut self.idle {
                Some(known) => known.heard(now, idle).map_err(|why| format!("{WHO} contradicts itself: {why}"))?,
                unknown => *unknown = Some(Idle::first(now, idle)),
            }
        }
        Ok(())
    }

    fn speak(&self, now: Instant) {
        let counts = self.eye.all().x11_counts();
        self.eye.set(if counts.is_ok() { Sight::Seeing } else { Sight::Blind });
        let reading = self.idle.map_or_else(Reading::in_use, |idle| idle.reading_after(self.still(), now));
        let trusted = matches!(reading, Reading::InUse { .. }) || counts.is_ok();
        self.voice.say(SOURCE, if trusted { reading } else { Reading::unknown(counts.err().unwrap_or_default()) });
    }
}

/// A counter's value, in milliseconds; one below zero is no time at all.
fn duration(value: Int64) -> Duration {
    let ms = (i64::from(value.hi) << 32) | i64::from(value.lo);
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
