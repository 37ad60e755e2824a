//! Input as a Wayland compositor tells it: the protocol `ext-idle-notify-v1`.
//!
//! Two notifications are asked for: one of input alone (since version 2), and one that inhibitors hold up, so that a
//! film counts as well. The machine is in use while either says so.

use std::{
    convert::Infallible,
    io,
    os::fd::AsFd as _,
    path::PathBuf,
    pin::pin,
    time::{Duration, Instant},
};

use lull_types::{Reading, Source};
use tokio::{io::Interest, net::UnixStream, time::timeout};
use wayland_client::{
    Connection, Dispatch, EventQueue, Proxy as _, QueueHandle,
    backend::WaylandError,
    protocol::{wl_callback, wl_registry, wl_seat},
};
use wayland_protocols::ext::idle_notify::v1::client::{
    ext_idle_notification_v1::{self, ExtIdleNotificationV1},
    ext_idle_notifier_v1::{self, ExtIdleNotifierV1},
};

use super::{
    eyes::{Eye, Eyes, Sight},
    idle::ACTIVE,
};
use crate::{
    Environment,
    supervise::{Line, Sensor},
    voice::{ANSWER_MAX, Voice},
};

const SOURCE: Source = Source::WaylandIdle;
const WHO: &str = "the Wayland compositor";
/// How long a compositor may take to know a program for the first time.
const GREETING_MAX: Duration = Duration::from_secs(10);
/// The newest version of the protocol that is understood; from [`INPUT_ONLY`] on it knows of input alone.
const NEWEST: u32 = 2;
const INPUT_ONLY: u32 = 2;
/// More seats than any machine has.
const SEATS_MAX: usize = 16;

pub(super) fn sensor(eyes: &Eyes) -> Sensor {
    let eyes = eyes.clone();
    Sensor::new(Line::Input, &[SOURCE], move |voice| run(voice, eyes.open(|all| &mut all.wayland)))
}

async fn run(mut voice: Voice, mut eye: Eye) -> Result<Infallible, String> {
    loop {
        let config = voice.config.clone();
        match voice.answer(WHO, find(&config.environment)).await? {
            Some(socket) => watch(&mut voice, &mut eye, socket).await?,
            None => {
                eye.set(Sight::Nothing);
                voice.say(SOURCE, Reading::Absent);
                voice.beat().await;
            }
        }
    }
}

/// The compositor's socket: the one that the session names, else the first in its folder behind which someone listens.
async fn find(environment: &Environment) -> io::Result<Option<UnixStream>> {
    let folder = environment.get("XDG_RUNTIME_DIR").map(PathBuf::from);
    if let Some(name) = environment.get("WAYLAND_DISPLAY") {
        return UnixStream::connect(folder.unwrap_or_default().join(name)).await.map(Some);
    }
    let Some(folder) = folder else { return Ok(None) };
    let mut names = Vec::new();
    let mut entries = match tokio::fs::read_dir(&folder).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    while let Some(entry) = entries.next_entry().await? {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with("wayland-") && !text.ends_with(".lock") {
            names.push(folder.join(name));
        }
    }
    // The lowest is the desktop itself; a compositor within it comes later.
    names.sort();
    for name in names {
        match UnixStream::connect(name).await {
            Ok(socket) => return Ok(Some(socket)),
            // Left behind by one that is gone.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Until the connection ends.
async fn watch(voice: &mut Voice, eye: &mut Eye, socket: UnixStream) -> Result<(), String> {
    let mut compositor = Compositor::over(socket, voice.clone()).map_err(|error| format!("{WHO}: {error}"))?;
    greet(voice, &mut compositor).await?;
    compositor.speak(eye);
    loop {
        tokio::select! {
            biased;
            turned = compositor.turn() => {
                turned?;
                if std::mem::take(&mut compositor.desk.changed) {
                    compositor.speak(eye);
                }
            }
            () = voice.beat() => {
                voice.answer(WHO, compositor.answered()).await?;
                compositor.desk.changed = false;
                compositor.speak(eye);
            }
            () = eye.changed() => compositor.speak(eye),
        }
    }
}

/// The first answer brings the list of what there is, the second what was asked of it.
///
/// KWin reads a program's whole file twice, to know it again, before it answers it for the first time. That may take
/// longer than an answer usually may; until it is over nothing is known, and that is said.
async fn greet(voice: &mut Voice, compositor: &mut Compositor) -> Result<(), String> {
    let late = || format!("{WHO} does not answer");
    let greeted = async {
        compositor.answered().await?;
        compositor.answered().await
    };
    let mut greeted = pin!(greeted);
    if let Ok(done) = timeout(ANSWER_MAX, &mut greeted).await {
        return done;
    }
    let (mut more, unknown) = (voice.clone(), Reading::unknown(late()));
    tokio::select! {
        done = timeout(GREETING_MAX, greeted) => done.unwrap_or_else(|_| Err(late())),
        never = more.repeat(SOURCE, &unknown) => never,
    }
}

struct Compositor {
    connection: Connection,
    queue: EventQueue<Desk>,
    /// The connection's socket again: it tells when there is something to read.
    socket: UnixStream,
    desk: Desk,
}

/// What the compositor has said so far.
struct Desk {
    voice: Voice,
    notifier: Option<ExtIdleNotifierV1>,
    seats: Vec<Seat>,
    /// Something was said of which the listener does not know yet.
    changed: bool,
    answered: bool,
}

struct Seat {
    name: u32,
    seat: wl_seat::WlSeat,
    notifications: Vec<Notification>,
}

struct Notification {
    object: ExtIdleNotificationV1,
    /// When it said that nobody is there; `None` while somebody is.
    idle: Option<Instant>,
}

impl Compositor {
    fn over(socket: UnixStream, voice: Voice) -> Result<Self, Box<dyn std::error::Error>> {
        let connection = Connection::from_socket(socket.as_fd().try_clone_to_owned()?.into())?;
        let queue = connection.new_event_queue();
        connection.display().get_registry(&queue.handle(), ());
        let desk = Desk { voice, notifier: None, seats: Vec::new(), changed: false, answered: false };
        Ok(Self { connection, queue, socket, desk })
    }

    /// Takes in what comes next. Nothing is lost when the wait is given up.
    async fn turn(&mut self) -> Result<(), String> {
        let lost = |error: &dyn std::fmt::Display| format!("{WHO} is gone ({error})");
        self.socket.readable().await.map_err(|error| lost(&error))?;
        if let Some(read) = self.queue.prepare_read() {
            let read = self.socket.try_io(Interest::READABLE, || match read.read() {
                Ok(events) => Ok(events),
                Err(WaylandError::Io(error)) => Err(error),
                Err(error) => Err(io::Error::other(error)),
            });
            match read {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(lost(&error)),
                _ => {}
            }
        }
        self.queue.dispatch_pending(&mut self.desk).map_err(|error| lost(&error))?;
        self.connection.flush().map_err(|error| lost(&error))
    }

    /// Waits until the compositor has done everything asked so far.
    async fn answered(&mut self) -> Result<(), String> {
        self.desk.answered = false;
        self.connection.display().sync(&self.queue.handle(), ());
        self.connection.flush().map_err(|error| error.to_string())?;
        while !self.desk.answered {
            self.turn().await?;
        }
        Ok(())
    }

    fn speak(&self, eye: &Eye) {
        let desk = &self.desk;
        let told = if desk.notifier.is_none() {
            Err("the desktop is Wayland and says nothing about input")
        } else if desk.seats.is_empty() {
            Err("the Wayland compositor has no seat that could be watched")
        } else {
            Ok(desk.reading())
        };
        eye.set(if told.is_ok() { Sight::Seeing } else { Sight::Mute });
        let reading = match told {
            Ok(reading) => reading,
            Err(_) if eye.all().mutter == Sight::Seeing => Reading::Absent,
            Err(why) => Reading::unknown(why),
        };
        desk.voice.say(SOURCE, reading);
    }
}

impl Desk {
    fn reading(&self) -> Reading {
        let now = Instant::now();
        let idle = |one: &Notification| Some(now.saturating_duration_since(one.idle?) + ACTIVE);
        let all = self.seats.iter().flat_map(|seat| &seat.notifications).map(idle);
        match all.min().flatten() {
            Some(idle) => Reading::Clear { for_ms: u64::try_from(idle.as_millis()).unwrap_or(u64::MAX) },
            None => Reading::in_use(),
        }
    }

    /// Asks about every seat that is not watched yet.
    fn ask(&mut self, queue: &QueueHandle<Self>) {
        let Some(notifier) = &self.notifier else { return };
        let timeout = u32::try_from(ACTIVE.as_millis()).unwrap_or(u32::MAX);
        for seat in self.seats.iter_mut().filter(|seat| seat.notifications.is_empty()) {
            let mut objects = vec![notifier.get_idle_notification(timeout, &seat.seat, queue, ())];
            if notifier.version() >= INPUT_ONLY {
                objects.push(notifier.get_input_idle_notification(timeout, &seat.seat, queue, ()));
            }
            seat.notifications = objects.into_iter().map(|object| Notification { object, idle: None }).collect();
        }
    }
}

impl Dispatch<wl_registry::WlRegistry, ()> for Desk {
    fn event(
        desk: &mut Self,
        registry: &wl_registry::WlRegistry,
        event: wl_registry::Event,
        (): &(),
        _: &Connection,
        queue: &QueueHandle<Self>,
    ) {
        match event {
            wl_registry::Event::Global { name, interface, version } => {
                if interface == ExtIdleNotifierV1::interface().name {
                    desk.notifier = Some(registry.bind(name, version.min(NEWEST), queue, ()));
                } else if interface == wl_seat::WlSeat::interface().name && desk.seats.len() < SEATS_MAX {
                    let seat = registry.bind(name, 1, queue, ());
                    desk.seats.push(Seat { name, seat, notifications: Vec::new() });
                }
                desk.ask(queue);
            }
            wl_registry::Event::GlobalRemove { name } => desk.seats.retain(|seat| seat.name != name),
            _ => {}
        }
        desk.changed = true;
    }
}

impl Dispatch<ExtIdleNotificationV1, ()> for Desk {
    fn event(
        desk: &mut Self,
        object: &ExtIdleNotificationV1,
        event: ext_idle_notification_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let mut all = desk.seats.iter_mut().flat_map(|seat| &mut seat.notifications);
        let Some(notification) = all.find(|one| one.object == *object) else { return };
        match event {
            ext_idle_notification_v1::Event::Resumed => {
                notification.idle = None;
                desk.voice.say(SOURCE, Reading::in_use());
            }
            ext_idle_notification_v1::Event::Idled => {
                notification.idle = Some(Instant::now());
                desk.changed = true;
            }
            _ => {}
        }
    }
}

impl Dispatch<wl_callback::WlCallback, ()> for Desk {
    fn event(
        desk: &mut Self,
        _: &wl_callback::WlCallback,
        _: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        desk.answered = true;
    }
}

impl Dispatch<wl_seat::WlSeat, ()> for Desk {
    fn event(_: &mut Self, _: &wl_seat::WlSeat, _: wl_seat::Event, (): &(), _: &Connection, _: &QueueHandle<Self>) {}
}

impl Dispatch<ExtIdleNotifierV1, ()> for Desk {
    fn event(
        _: &mut Self,
        _: &ExtIdleNotifierV1,
        _: ext_idle_notifier_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}
