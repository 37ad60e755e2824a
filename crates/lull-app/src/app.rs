//! The app's one loop: what happens goes to the controller, what it wants is done.

use std::{collections::VecDeque, time::Duration};

use jiff::Zoned;
use lull_desktop::{Action, Controller, Effect, Event, Lang};
use lull_door::Home;
use lull_types::{Fault, Page, Request};
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    args::Args,
    autostart, calls, notices,
    seat::{self, Found},
    signals,
    tray::{Place, Seen, Tray},
    window::Window,
};

/// Events that may wait; whoever has more to say waits.
const EVENTS_MAX: usize = 64;
/// Choices that may wait.
const CHOICES_MAX: usize = 16;

/// Runs the app until its person, its session or its node ends it.
pub(crate) async fn run(args: Args, home: Home, place: Place) -> Result<(), Fault> {
    let (say, mut heard) = mpsc::channel(EVENTS_MAX);
    let (choose, mut chosen) = mpsc::channel(CHOICES_MAX);
    let (see, mut seen) = mpsc::channel(CHOICES_MAX);
    let (open, mut opened) = mpsc::channel(CHOICES_MAX);
    let (found_sender, mut found) = watch::channel(None);
    // First of all: whoever stops the app while it starts has it end like any other time.
    let mut stopped = tokio::spawn(signals::asked_to_stop());
    let stop = CancellationToken::new();
    let background = args.background;
    let seat = tokio::spawn(seat::keep(args, home.clone(), found_sender, say.clone(), stop.clone()));
    let tray = Tray::open(place, choose, see).await;
    let controller = Controller::new(system_lang(), &Zoned::now());
    let calls = TaskTracker::new();
    let mut app = App { controller, tray, window: None, home, found: found.clone(), say, open, calls, ended: false };
    app.handle(Event::Tick).await;
    // A person who starts Lull wants to see it, and not before something is known.
    let mut launch = !background;
    while !app.ended {
        let wake = app.until_wake();
        tokio::select! {
            _ = &mut stopped => break,
            Some(event) = heard.recv() => app.handle(event).await,
            Some(action) = chosen.recv() => app.handle(Event::Chosen(action)).await,
            Some(Seen::Nowhere) = seen.recv() => app.without_tray().await,
            Some(page) = opened.recv() => app.show(Some(page)).await,
            () = first_word(&mut found), if launch => {
                launch = false;
                app.launch().await;
            }
            () = tokio::time::sleep(wake) => app.handle(Event::Tick).await,
        }
    }
    tracing::info!("the app ends");
    // The person's way out first: whatever runs is stopped before anything that could take long.
    stop.cancel();
    drop(heard);
    let _ = seat.await;
    app.close().await;
    Ok(())
}

/// What the loop holds.
struct App {
    controller: Controller,
    tray: Tray,
    window: Option<Window>,
    home: Home,
    found: watch::Receiver<Option<Found>>,
    say: mpsc::Sender<Event>,
    open: mpsc::Sender<Page>,
    calls: TaskTracker,
    ended: bool,
}

impl App {
    /// Tells the controller, and does what it wants, and what follows from that.
    async fn handle(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            self.note(&event);
            for effect in self.controller.handle(event, &Zoned::now()) {
                events.extend(self.perform(effect).await);
            }
        }
    }

    /// What concerns the shell alone.
    fn note(&mut self, event: &Event) {
        match event {
            Event::WindowClosed => self.window = None,
            Event::Prefs(prefs) => {
                if let Some(on) = prefs.autostart {
                    tokio::task::spawn_blocking(move || autostart::follow(on));
                }
            }
            _ => {}
        }
    }

    async fn perform(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Call(request) => self.call(request),
            Effect::Face(face) => self.tray.face(face).await,
            Effect::Menu(menu) => self.tray.menu(menu).await,
            Effect::Window(page) => return self.window(page),
            Effect::Notify(notice) => notices::tell(notice, self.open.clone()),
            Effect::Quit => self.ended = true,
        }
        None
    }

    fn call(&self, request: Request) {
        let (found, home, say) = (self.found.borrow().clone(), self.home.path().to_owned(), self.say.clone());
        self.calls.spawn(async move {
            if let Some(event) = calls::call(found, &home, request).await {
                let _ = say.send(event).await;
            }
        });
    }

    /// Opens the window, or has the open one come to the front.
    fn window(&mut self, page: Option<Page>) -> Option<Event> {
        if self.window.is_some() {
            self.call(Request::Show { page });
            return None;
        }
        let say = self.say.clone();
        let closed = async move {
            let _ = say.send(Event::WindowClosed).await;
        };
        match Window::open(self.home.path(), page, closed) {
            Ok(window) => {
                self.window = Some(window);
                Some(Event::WindowOpened)
            }
            Err(error) => {
                tracing::warn!(%error, "the window cannot be opened");
                Some(Event::WindowFailed(error.to_string()))
            }
        }
    }

    async fn show(&mut self, page: Option<Page>) {
        if let Some(event) = self.window(page) {
            self.handle(event).await;
        }
    }

    /// A person has started Lull: they see how things stand, so that is asked first.
    async fn launch(&mut self) {
        let found = self.found.borrow().clone();
        for request in [Request::Prefs, Request::Status] {
            if let Some(event) = calls::call(found.clone(), self.home.path(), request).await {
                self.handle(event).await;
            }
        }
        if self.window.is_none() {
            self.handle(Event::Launched).await;
        }
    }

    /// Where nothing shows icons, the window is the app.
    async fn without_tray(&mut self) {
        tracing::info!("nothing here shows tray icons: the window opens instead");
        if self.window.is_none() {
            self.handle(Event::Chosen(Action::Open)).await;
        }
    }

    fn until_wake(&self) -> Duration {
        let now = Zoned::now();
        let now_ms = u64::try_from(now.timestamp().as_millisecond()).unwrap_or(0);
        Duration::from_millis(self.controller.wake_at_unix_ms(&now).saturating_sub(now_ms))
    }

    async fn close(self) {
        if let Some(window) = self.window {
            window.close().await;
        }
        self.tray.close().await;
    }
}

/// Resolves when it is known whether there is a node.
async fn first_word(found: &mut watch::Receiver<Option<Found>>) {
    let _ = found.wait_for(Option::is_some).await;
}

fn system_lang() -> Lang {
    sys_locale::get_locale().map_or_else(Lang::default, |locale| Lang::of_locale(&locale))
}
