//! Whether a window fills the screen, as the X server's windows tell it: a film, a game, a talk.
//!
//! Where a window manager runs, it says so itself (EWMH); where none does, a window that covers the screen is one.
//! No Wayland protocol tells one client about another's windows. There, films and games hold up the session's idling,
//! which the idle notifications and the inhibitors report; so without an X server this source is absent.

use std::{cell::Cell, convert::Infallible, error::Error, time::Duration};

use lull_types::{Reading, Source};
use tokio::time::{Instant, sleep_until};
use x11rb::protocol::{
    Event,
    xproto::{
        AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, GetPropertyReply, MapState, Window,
        WindowClass,
    },
};

use super::x_server::Server;
use crate::{
    supervise::{Line, Sensor},
    voice::Voice,
};

const SOURCE: Source = Source::FullScreen;
const WHO: &str = "the X server";
/// Windows that move all the time are looked at so often and no more.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The most windows that are looked at where there is no window manager; of more, the topmost.
const WINDOWS_MAX: usize = 512;
/// The longest program name that is passed on, in characters.
const NAME_MAX: usize = 64;
/// The longest property that is read, in four-byte units.
const PROPERTY_MAX: u32 = 64;

pub(super) fn sensor() -> Sensor {
    Sensor::new(Line::Rest, &[SOURCE], run)
}

async fn run(mut voice: Voice) -> Result<Infallible, String> {
    let Some(display) = voice.config.environment.get("DISPLAY").map(str::to_owned) else {
        voice.repeat(SOURCE, &Reading::Absent).await
    };
    let config = voice.config.clone();
    let server = voice.answer(WHO, Server::open(&display, &config.environment)).await?;
    let mut desk = voice.answer(WHO, Desk::over(&server)).await?;
    let mut said = None;
    loop {
        desk.stirred.set(false);
        let reading = voice.answer(WHO, desk.look()).await?;
        let again = Instant::now() + LOOK_EVERY;
        if said.as_ref() != Some(&reading) {
            voice.say(SOURCE, reading.clone());
            said = Some(reading);
        }
        loop {
            tokio::select! {
                biased;
                () = voice.beat() => {
                    said = None;
                    break;
                }
                event = server.event() => desk.hear(&event?),
                () = sleep_until(again), if desk.stirred.get() => break,
            }
        }
    }
}

/// The atoms' numbers on this server.
struct Atoms {
    active: u32,
    state: u32,
    full: u32,
    check: u32,
}

struct Desk<'a> {
    server: &'a Server,
    atoms: Atoms,
    /// The window whose state is watched.
    active: Window,
    /// Whether a window manager was there when it was last looked for.
    managed: Option<bool>,
    /// Something has happened that may change what is seen.
    stirred: Cell<bool>,
}

impl<'a> Desk<'a> {
    async fn over(server: &'a Server) -> Result<Self, Box<dyn Error>> {
        let names = ["_NET_ACTIVE_WINDOW", "_NET_WM_STATE", "_NET_WM_STATE_FULLSCREEN", "_NET_SUPPORTING_WM_CHECK"];
        let asked = names.map(|name| server.connection().intern_atom(false, name.as_bytes()));
        server.answered(|_| {}).await?;
        let mut numbers = [0; 4];
        for (number, asked) in numbers.iter_mut().zip(asked) {
            *number = asked?.reply()?.atom;
        }
        let [active, state, full, check] = numbers;
        Ok(Self {
            server,
            atoms: Atoms { active, state, full, check },
            active: 0,
            managed: None,
            stirred: Cell::new(false),
        })
    }

    /// Notes whether what is seen may have changed.
    fn hear(&self, event: &Event) {
        let concerns = match event {
            Event::PropertyNotify(event) if event.window == self.server.root() => {
                event.atom == self.atoms.active || event.atom == self.atoms.check
            }
            Event::PropertyNotify(event) => event.atom == self.atoms.state,
            Event::MapNotify(_)
            | Event::UnmapNotify(_)
            | Event::ConfigureNotify(_)
            | Event::DestroyNotify(_)
            | Event::ReparentNotify(_) => true,
            _ => false,
        };
        self.stirred.set(self.stirred.get() | concerns);
    }

    /// Waits until the replies to all requests so far are here.
    async fn answered(&self) -> Result<(), String> {
        self.server.answered(|event| self.hear(event)).await
    }

    /// Looks at everything anew.
    async fn look(&mut self) -> Result<Reading, Box<dyn Error>> {
        let root = self.server.root();
        let managed = self.managed().await?;
        if self.managed != Some(managed) {
            let windows = if managed { EventMask::NO_EVENT } else { EventMask::SUBSTRUCTURE_NOTIFY };
            self.listen(root, EventMask::PROPERTY_CHANGE | windows)?;
            self.managed = Some(managed);
        }
        let window = if managed { self.active_full().await? } else { self.covering().await? };
        let Some(window) = window else { return Ok(Reading::Clear { for_ms: 0 }) };
        let class = self.property(window, AtomEnum::WM_CLASS.into(), AtomEnum::STRING.into()).await?;
        Ok(Reading::InUse { what: class.map(|class| program(&class.value)).unwrap_or_default() })
    }

    /// A window manager points to a window of its own, which points to itself as long as the manager lives.
    async fn managed(&self) -> Result<bool, Box<dyn Error>> {
        let (check, kind) = (self.atoms.check, AtomEnum::WINDOW.into());
        let Some(window) = self.property(self.server.root(), check, kind).await?.and_then(|told| first(&told)) else {
            return Ok(false);
        };
        Ok(self.property(window, check, kind).await?.and_then(|told| first(&told)) == Some(window))
    }

    /// The active window, if it says that it fills the screen.
    async fn active_full(&mut self) -> Result<Option<Window>, Box<dyn Error>> {
        let told = self.property(self.server.root(), self.atoms.active, AtomEnum::WINDOW.into()).await?;
        let Some(window) = told.and_then(|told| first(&told)).filter(|window| *window != 0) else { return Ok(None) };
        if window != self.active {
            self.listen(window, EventMask::PROPERTY_CHANGE)?;
            self.active = window;
        }
        let states = self.property(window, self.atoms.state, AtomEnum::ATOM.into()).await?;
        let full = states.and_then(|states| Some(states.value32()?.any(|state| state == self.atoms.full)));
        Ok(full.unwrap_or(false).then_some(window))
    }

    /// A window that covers the whole screen and shows something.
    async fn covering(&self) -> Result<Option<Window>, Box<dyn Error>> {
        let (connection, root) = (self.server.connection(), self.server.root());
        let (tree, screen) = (connection.query_tree(root)?, connection.get_geometry(root)?);
        self.answered().await?;
        let (tree, screen) = (tree.reply()?, screen.reply()?);
        let mut asked = Vec::new();
        for window in tree.children.into_iter().rev().take(WINDOWS_MAX) {
            asked.push((window, connection.get_window_attributes(window)?, connection.get_geometry(window)?));
        }
        self.answered().await?;
        let mut found = None;
        for (window, attributes, geometry) in asked {
            // One that is gone meanwhile covers nothing.
            let (Ok(attributes), Ok(place)) = (attributes.reply(), geometry.reply()) else { continue };
            let shows = attributes.map_state == MapState::VIEWABLE && attributes.class == WindowClass::INPUT_OUTPUT;
            let reaches = |start: i16, length: u16, end: u16| {
                start <= 0 && i32::from(start) + i32::from(length) >= i32::from(end)
            };
            let covers = reaches(place.x, place.width, screen.width) && reaches(place.y, place.height, screen.height);
            if shows && covers {
                found = found.or(Some(window));
            }
        }
        Ok(found)
    }

    fn listen(&self, window: Window, mask: EventMask) -> Result<(), Box<dyn Error>> {
        let aux = ChangeWindowAttributesAux::new().event_mask(mask);
        self.server.connection().change_window_attributes(window, &aux)?.ignore_error();
        Ok(())
    }

    /// A property; `None` if the window or the property is not there.
    async fn property(&self, window: Window, name: u32, kind: u32) -> Result<Option<GetPropertyReply>, Box<dyn Error>> {
        let asked = self.server.connection().get_property(false, window, name, kind, 0, PROPERTY_MAX)?;
        self.answered().await?;
        Ok(asked.reply_unchecked()?.filter(|reply| reply.type_ == kind))
    }
}

fn first(property: &GetPropertyReply) -> Option<u32> {
    property.value32()?.next()
}

/// The program's name in a window's class, "instance NUL class NUL". Never its title: titles are private.
fn program(class: &[u8]) -> String {
    let name = class.split(|byte| *byte == 0).filter(|part| !part.is_empty()).nth(1).unwrap_or_default();
    String::from_utf8_lossy(name).chars().filter(|letter| !letter.is_control()).take(NAME_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::program;

    #[test]
    fn a_class_names_the_program_and_nothing_else() {
        assert_eq!(program(b"Navigator\0firefox\0"), "firefox");
        assert_eq!(program(b"only"), "");
        assert_eq!(program(b"a\0b\x1b[31mc\0"), "b[31mc");
        assert_eq!(program(&[&b"a\0"[..], &[b'x'; 500]].concat()).len(), 64);
    }
}
