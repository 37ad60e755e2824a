//! Input as GNOME's Mutter tells it, on Wayland and X alike: `org.gnome.Mutter.IdleMonitor` on the session's bus.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{FutureExt as _, StreamExt as _};
use lull_types::{Reading, Source};
use zbus::{
    Connection, MatchRule, Message, MessageStream,
    connection::Builder,
    fdo::DBusProxy,
    message::Type,
    names::{BusName, OwnedUniqueName},
};

use super::{
    eyes::{Eye, Eyes, Sight},
    idle::{ACTIVE, Idle},
};
use crate::{
    supervise::{Line, Sensor},
    voice::Voice,
};

const SOURCE: Source = Source::MutterIdle;
const BUS: &str = "the session's message bus";
const WHO: &str = "GNOME's idle monitor";
const NAME: &str = "org.gnome.Mutter.IdleMonitor";
const PATH: &str = "/org/gnome/Mutter/IdleMonitor/Core";
/// Signals that may wait to be read: Mutter sends two for every pause of the person.
const SIGNALS_MAX: usize = 64;

pub(super) fn sensor(eyes: &Eyes) -> Sensor {
    let eyes = eyes.clone();
    let seen = Arc::new(AtomicBool::new(false));
    Sensor::new(Line::Input, &[SOURCE], move |voice| run(voice, eyes.open(|all| &mut all.mutter), seen.clone()))
}

/// `seen`: Mutter has been there before, whatever has become of it.
async fn run(mut voice: Voice, mut eye: Eye, seen: Arc<AtomicBool>) -> Result<Infallible, String> {
    let Some(address) = voice.config.environment.get("DBUS_SESSION_BUS_ADDRESS").map(str::to_owned) else {
        eye.set(Sight::Nothing);
        voice.repeat(SOURCE, &Reading::Absent).await
    };
    let connect = async { Builder::address(address.as_str())?.build().await };
    let bus = voice.answer(BUS, connect).await?;
    let broker = voice.answer(BUS, DBusProxy::new(&bus)).await?;
    let rule = MatchRule::builder().msg_type(Type::Signal).sender("org.freedesktop.DBus");
    let rule =
        rule.and_then(|rule| rule.member("NameOwnerChanged")?.arg(0, NAME)).map_err(|error| error.to_string())?;
    let mut owners = voice.answer(BUS, MessageStream::for_match_rule(rule.build(), &bus, Some(SIGNALS_MAX))).await?;
    loop {
        if let Some(owner) = voice.answer(BUS, owner(&broker)).await? {
            seen.store(true, Ordering::Relaxed);
            return watch(voice, eye, &bus, owner, owners).await;
        }
        // Gone is not the same as never there: it was the person's desktop, and may be again.
        let blind = seen.load(Ordering::Relaxed) && !eye.all().without_mutter();
        eye.set(if blind { Sight::Blind } else { Sight::Nothing });
        voice.say(SOURCE, if blind { Reading::unknown("GNOME's desktop is gone") } else { Reading::Absent });
        tokio::select! {
            changed = owners.next() => drop(changed.ok_or_else(|| format!("{BUS} is gone"))?),
            () = voice.beat() => {}
            () = eye.changed() => {}
        }
    }
}

async fn owner(broker: &DBusProxy<'_>) -> zbus::Result<Option<OwnedUniqueName>> {
    match broker.get_name_owner(BusName::try_from(NAME)?).await {
        Ok(owner) => Ok(Some(owner)),
        Err(zbus::fdo::Error::NameHasNoOwner(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Until Mutter goes.
async fn watch(
    voice: Voice,
    eye: Eye,
    bus: &Connection,
    owner: OwnedUniqueName,
    mut owners: MessageStream,
) -> Result<Infallible, String> {
    let rule = MatchRule::builder().msg_type(Type::Signal).sender(owner.as_str());
    let rule = rule.and_then(|rule| rule.interface(NAME)?.member("WatchFired")?.path(PATH));
    let rule = rule.map_err(|error| error.to_string())?.build();
    let fired = voice.answer(BUS, MessageStream::for_match_rule(rule, bus, Some(SIGNALS_MAX))).await?;
    let mutter = Mutter { bus: bus.clone(), owner };
    let left = voice.answer(WHO, mutter.watch_left(ACTIVE)).await?;
    let mut monitor = Monitor { voice, mutter, fired, left, came: None, idle: None };
    monitor.beat().await?;
    eye.set(Sight::Seeing);
    let mut beats = monitor.voice.clone();
    loop {
        tokio::select! {
            biased;
            fired = monitor.fired.next() => {
                let fired = fired.ok_or_else(|| format!("{BUS} is gone"))?;
                if monitor.hear(fired) == Fired::Left {
                    monitor.beat().await?;
                }
            }
            _ = owners.next() => return Err("GNOME's desktop is gone".to_owned()),
            () = beats.beat() => monitor.beat().await?,
        }
    }
}

/// The other side.
struct Mutter {
    bus: Connection,
    owner: OwnedUniqueName,
}

impl Mutter {
    /// A watch that fires whenever nobody has touched anything for so long.
    async fn watch_left(&self, after: Duration) -> zbus::Result<u32> {
        let ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let reply = self.bus.call_method(Some(&self.owner), PATH, Some(NAME), "AddIdleWatch", &(ms,)).await?;
        reply.body().deserialize()
    }

    /// A watch that fires once, at the next touch.
    async fn watch_came(&self) -> zbus::Result<u32> {
        let reply = self.bus.call_method(Some(&self.owner), PATH, Some(NAME), "AddUserActiveWatch", &()).await?;
        reply.body().deserialize()
    }

    async fn idle(&self) -> zbus::Result<Duration> {
        let reply = self.bus.call_method(Some(&self.owner), PATH, Some(NAME), "GetIdletime", &()).await?;
        Ok(Duration::from_millis(reply.body().deserialize()?))
    }
}

/// What a signal meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fired {
    Left,
    Came,
    Nothing,
}

struct Monitor {
    voice: Voice,
    mutter: Mutter,
    fired: MessageStream,
    /// The watch that fires when nobody has touched anything for [`ACTIVE`].
    left: u32,
    /// The watch that fires, once, at the next touch.
    came: Option<u32>,
    idle: Option<Idle>,
}

impl Monitor {
    fn hear(&mut self, signal: zbus::Result<Message>) -> Fired {
        let id = signal.and_then(|message| message.body().deserialize::<u32>());
        match id {
            Ok(id) if Some(id) == self.came => {
                self.voice.say(SOURCE, Reading::in_use());
                self.came = None;
                if let Some(idle) = &mut self.idle {
                    idle.touched(Instant::now());
                }
                Fired::Came
            }
            Ok(id) if id == self.left => Fired::Left,
            _ => Fired::Nothing,
        }
    }

    /// Asks how long nobody has touched anything: proves that Mutter lives, and catches what a watch has missed.
    async fn beat(&mut self) -> Result<(), String> {
        let mut touched = self.ask().await?;
        if !touched && self.came.is_none() && self.idle.is_some_and(|idle| idle.idle() >= ACTIVE) {
            let watch = self.voice.answer(WHO, self.mutter.watch_came()).await?;
            self.came = Some(watch);
            // What came before the watch was there has not fired it.
            touched = self.ask().await?;
        }
        if !touched && let Some(idle) = self.idle {
            self.voice.say(SOURCE, idle.reading(Instant::now()));
        }
        Ok(())
    }

    /// Takes in the idle time; true if a touch was heard meanwhile, and said: it is newer than the answer.
    async fn ask(&mut self) -> Result<bool, String> {
        let idle = self.voice.answer(WHO, self.mutter.idle()).await?;
        let now = Instant::now();
        let mut touched = false;
        while let Some(Some(signal)) = self.fired.next().now_or_never() {
            touched |= self.hear(signal) == Fired::Came;
        }
        if !touched {
            match &mut self.idle {
                Some(known) => known.heard(now, idle).map_err(|why| format!("{WHO} contradicts itself: {why}"))?,
                unknown => *unknown = Some(Idle::first(now, idle)),
            }
        }
        Ok(touched)
    }
}
