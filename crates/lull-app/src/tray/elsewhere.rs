//! The tray on Windows and macOS: Tauri's own, on its event loop. Checked by the compiler for both, never run.

use std::collections::BTreeMap;

use lull_desktop::{Action, Face, Icon, Item, Menu, Row};
use tao::{
    event::Event,
    event_loop::{ControlFlow, EventLoopBuilder, EventLoopProxy},
    platform::run_return::EventLoopExtRunReturn as _,
};
use tokio::sync::mpsc;
use tray_icon::{
    MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent,
    menu::{Menu as Drawn, MenuEvent, MenuItem, PredefinedMenuItem},
};

use super::{Seen, pictures};

/// The picture's width and height in points; the system scales it down where it wants less.
const POINTS: u32 = 64;

/// Where a tray may be opened: these systems draw one only from the thread that the program began with.
pub(crate) struct Place(EventLoopProxy<Wish>);

/// What the other threads want of that one.
enum Wish {
    Open { chosen: mpsc::Sender<Action>, seen: mpsc::Sender<Seen> },
    Face(Face),
    Menu(Menu),
    Chosen(String),
    Clicked,
    Close,
    End,
}

/// Does the program's work in a thread of its own while the first thread draws the tray, and returns what came of it.
pub(crate) fn beside<T: Send>(work: impl FnOnce(Place) -> T + Send) -> T {
    let mut turns = EventLoopBuilder::<Wish>::with_user_event().build();
    #[cfg(target_os = "macos")]
    {
        // In the menu bar and not in the Dock.
        use tao::platform::macos::{ActivationPolicy, EventLoopExtMacOS as _};
        turns.set_activation_policy(ActivationPolicy::Accessory);
    }
    let (place, end) = (Place(turns.create_proxy()), End(turns.create_proxy()));
    let mut shown = Shown { events: turns.create_proxy(), icon: None };
    std::thread::scope(|scope| {
        let working = scope.spawn(move || {
            let _end = end;
            work(place)
        });
        turns.run_return(|event, _, flow| {
            *flow = ControlFlow::Wait;
            match event {
                Event::UserEvent(Wish::End) => *flow = ControlFlow::Exit,
                Event::UserEvent(wish) => shown.follow(wish),
                _ => {}
            }
        });
        working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Ends the loop however the work ends.
struct End(EventLoopProxy<Wish>);

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.0.send_event(Wish::End);
    }
}

/// The icon, as the program's other threads hold it.
pub(crate) struct Tray(EventLoopProxy<Wish>);

#[expect(clippy::unused_async, reason = "the signatures are those of the other systems")]
impl Tray {
    /// Shows the icon; what is chosen there comes out of `chosen`. It appears by itself whenever something shows icons.
    pub(crate) async fn open(place: Place, chosen: mpsc::Sender<Action>, seen: mpsc::Sender<Seen>) -> Self {
        let Place(first) = place;
        let _ = first.send_event(Wish::Open { chosen, seen });
        Self(first)
    }

    /// Changes its picture and tooltip.
    pub(crate) async fn face(&self, face: Face) {
        let _ = self.0.send_event(Wish::Face(face));
    }

    /// Changes its menu.
    pub(crate) async fn menu(&self, menu: Menu) {
        let _ = self.0.send_event(Wish::Menu(menu));
    }

    /// Takes it away.
    pub(crate) async fn close(self) {
        let _ = self.0.send_event(Wish::Close);
    }
}

/// What the first thread shows.
struct Shown {
    events: EventLoopProxy<Wish>,
    icon: Option<Held>,
}

struct Held {
    icon: TrayIcon,
    chosen: mpsc::Sender<Action>,
    /// What can be chosen now, by the name its row was given.
    rows: BTreeMap<String, Action>,
}

impl Shown {
    fn follow(&mut self, wish: Wish) {
        match (wish, &mut self.icon) {
            (Wish::Open { chosen, seen }, _) => self.open(chosen, &seen),
            (Wish::Close, icon) => *icon = None,
            (Wish::Face(face), Some(held)) => held.face(&face),
            (Wish::Menu(menu), Some(held)) => held.menu(&menu),
            (Wish::Chosen(name), Some(held)) => held.choose(held.rows.get(&name).copied()),
            (Wish::Clicked, Some(held)) => held.choose(Some(Action::Open)),
            (Wish::Face(_) | Wish::Menu(_) | Wish::Chosen(_) | Wish::Clicked | Wish::End, _) => {}
        }
    }

    fn open(&mut self, chosen: mpsc::Sender<Action>, seen: &mpsc::Sender<Seen>) {
        let (rows, clicks) = (self.events.clone(), self.events.clone());
        MenuEvent::set_event_handler(Some(move |event: MenuEvent| {
            let _ = rows.send_event(Wish::Chosen(event.id.0));
        }));
        // A click opens the menu on macOS, and the window on Windows, where the other button opens the menu.
        let click_opens_menu = cfg!(target_os = "macos");
        TrayIconEvent::set_event_handler(Some(move |event| {
            let up = matches!(
                event,
                TrayIconEvent::Click { button: MouseButton::Left, button_state: MouseButtonState::Up, .. }
            );
            if up && !click_opens_menu {
                let _ = clicks.send_event(Wish::Clicked);
            }
        }));
        let built = TrayIconBuilder::new().with_menu_on_left_click(click_opens_menu).build();
        match built {
            Ok(icon) => self.icon = Some(Held { icon, chosen, rows: BTreeMap::new() }),
            Err(error) => {
                tracing::warn!(%error, "there is no tray on this desktop");
                let _ = seen.try_send(Seen::Nowhere);
            }
        }
    }
}

impl Held {
    fn choose(&self, action: Option<Action>) {
        if let Some(action) = action {
            // A full queue means that nobody handles choices any more: the app is ending.
            let _ = self.chosen.try_send(action);
        }
    }

    fn face(&self, face: &Face) {
        if let Err(error) = self.icon.set_tooltip(Some(&face.tooltip)) {
            tracing::warn!(%error, "the tray's tooltip cannot be changed");
        }
        if let Some(error) = self.picture(face.icon).err() {
            tracing::warn!(error, "the tray's picture cannot be changed");
        }
    }

    fn picture(&self, icon: Icon) -> Result<(), String> {
        let picture = pictures::of(icon).into_iter().find(|picture| picture.width == POINTS).ok_or("no such size")?;
        let (width, height) = (picture.width, picture.height);
        let drawn = tray_icon::Icon::from_rgba(picture.rgba, width, height).map_err(|error| error.to_string())?;
        self.icon.set_icon(Some(drawn)).map_err(|error| error.to_string())
    }

    fn menu(&mut self, menu: &Menu) {
        let drawn = Drawn::new();
        self.rows = menu.items().map(|item| (name(item), item.action)).collect();
        for row in &menu.rows {
            let added = match row {
                Row::Separator => drawn.append(&PredefinedMenuItem::separator()),
                Row::Text { text } => drawn.append(&MenuItem::new(text.replace('&', "&&"), false, None)),
                Row::Item(item) => drawn.append(&MenuItem::with_id(name(item), item.marked('&'), item.enabled, None)),
            };
            if let Err(error) = added {
                tracing::warn!(%error, "a row of the tray's menu cannot be shown");
            }
        }
        self.icon.set_menu(Some(Box::new(drawn)));
    }
}

/// A row's name: what it does, so that a row of an older menu does what it said or nothing.
fn name(item: &Item) -> String {
    format!("{:?}", item.action)
}
