use jiff::Zoned;
use lull_types::{Code, Fault, Page, Prefs, RanHere, Request, StatusView};

use crate::{
    Action, Does, Face, Lang, Menu, Node, Notice, RAN_ASKED_MAX, Ran, State, clock, face, headline, menu, notice::Told,
};

/// How often the node is asked how it is, in milliseconds, where it says nothing by itself.
const ASK_EVERY_MS: u64 = 15_000;
/// After how long without a word the node counts as silent, in milliseconds.
const SILENT_AFTER_MS: u64 = 40_000;
/// How often the log is asked for at most, in milliseconds.
const LOG_EVERY_MS: u64 = 30_000;
/// How long it is shown that something asked for did not happen, in milliseconds.
const FAILED_SHOWN_MS: u64 = 60_000;
const MINUTE_MS: u64 = 60_000;

/// What the controller is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The node answered [`Request::Status`].
    Status(Box<StatusView>),
    /// The node answered [`Request::Log`].
    Ran(Vec<RanHere>),
    /// The node answered [`Request::Prefs`].
    Prefs(Prefs),
    /// The node says that something changed.
    Node(lull_types::Event),
    /// The node cannot be reached, has ended, or there is none ([`Code::NotEnrolled`]).
    NodeLost(Fault),
    /// A call of [`Effect::Call`] failed.
    CallFailed {
        /// Which.
        request: Request,
        /// Why.
        fault: Fault,
    },
    /// Something was chosen in the tray or the window.
    Chosen(Action),
    /// Somebody started Lull, the first time or again.
    Launched,
    /// The window is open.
    WindowOpened,
    /// The window is closed.
    WindowClosed,
    /// The window cannot be opened, and why.
    WindowFailed(String),
    /// Time has passed: at [`Controller::wake_at_unix_ms`], or earlier.
    Tick,
}

/// What is to be done. One event causes at most one of each kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the node, and send its answer back as an [`Event`].
    Call(Request),
    /// Show this picture and tooltip.
    Face(Face),
    /// Show this menu.
    Menu(Menu),
    /// Show the window in front: this page, or the one where it is.
    Window(Option<Page>),
    /// Tell the person.
    Notify(Notice),
    /// End the app. A node that runs inside it is asked to stop first.
    Quit,
}

/// What stands behind the tray: told what happened, it says what to do.
#[derive(Debug, Clone)]
pub struct Controller {
    state: State,
    told: Told,
    window: bool,
    /// The system's language, for whoever chose none.
    system: Lang,
    /// Whether the first page was answered; `None`: not known yet.
    welcomed: Option<bool>,
    /// What is on the screen now.
    drawn: Option<(Face, Menu)>,
    heard_ms: u64,
    asked_ms: Option<u64>,
    log_asked_ms: Option<u64>,
    log_wanted: bool,
    failed_ms: u64,
}

/// What an event itself asks for.
#[derive(Debug, Default)]
struct Wishes {
    call: Option<Request>,
    window: Option<Option<Page>>,
    notice: Option<Notice>,
    quit: bool,
}

impl Controller {
    /// A controller that knows nothing yet, in the system's language. Send it [`Event::Tick`] to begin.
    #[must_use]
    pub fn new(system: Lang, now: &Zoned) -> Self {
        Self {
            state: State::new(system),
            told: Told::default(),
            window: false,
            system,
            welcomed: None,
            drawn: None,
            heard_ms: clock::unix_ms(now),
            asked_ms: None,
            log_asked_ms: None,
            log_wanted: true,
            failed_ms: 0,
        }
    }

    /// What it knows.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Takes in what happened, and says what is to be done, in this order.
    #[must_use]
    pub fn handle(&mut self, event: Event, now: &Zoned) -> Vec<Effect> {
        let now_ms = clock::unix_ms(now);
        self.follow_clock(now_ms);
        let mut wishes = self.take(event, now_ms);
        self.look_at_time(now_ms);
        wishes.call = wishes.call.or_else(|| self.question(now_ms));
        self.note_asked(wishes.call.as_ref(), now_ms);
        wishes.notice = wishes.notice.or_else(|| self.told.look(&self.state, now_ms));
        let (face, menu) = self.draw(now);
        let Wishes { call, window, notice, quit } = wishes;
        let effects = [
            call.map(Effect::Call),
            face.map(Effect::Face),
            menu.map(Effect::Menu),
            window.map(Effect::Window),
            notice.map(Effect::Notify),
            quit.then_some(Effect::Quit),
        ];
        effects.into_iter().flatten().collect()
    }

    /// When to send [`Event::Tick`] if nothing else happens before, in milliseconds since 1970: something would be shown
    /// differently then, or the node is to be asked.
    #[must_use]
    pub fn wake_at_unix_ms(&self, now: &Zoned) -> u64 {
        let now_ms = clock::unix_ms(now);
        // The ends of the pauses on offer move with the clock.
        let minute = now_ms - now_ms % MINUTE_MS + MINUTE_MS;
        let ask = self.asked_ms.unwrap_or(0).max(self.heard_ms) + ASK_EVERY_MS;
        let until = self.state.status().and_then(|status| headline::countdown(&status.lending));
        let left_ms = until.map(|until| until.unix_ms.saturating_sub(now_ms)).filter(|left| *left > 0);
        let countdown = left_ms.map(|left| now_ms + clock::left_changes_in_ms(left));
        [Some(minute), Some(ask), countdown].into_iter().flatten().min().unwrap_or(minute).max(now_ms + 1)
    }

    fn take(&mut self, event: Event, now_ms: u64) -> Wishes {
        let mut wishes = Wishes::default();
        match event {
            Event::Status(status) => self.heard(status, now_ms),
            Event::Ran(jobs) => self.state.ran = Some(Ran::of(&jobs)),
            Event::Prefs(prefs) => wishes.window = self.prefers(&prefs),
            Event::Node(event) => self.changed(event, &mut wishes),
            Event::NodeLost(fault) => self.lost(&fault),
            Event::CallFailed { request, fault } => wishes.notice = self.failed(&request, fault, now_ms),
            Event::Chosen(action) => {
                self.state.failed = None;
                match action.does() {
                    Does::Call(request) => wishes.call = Some(request),
                    Does::Open(page) => wishes.window = Some(self.page(page)),
                    Does::Quit => wishes.quit = true,
                }
            }
            Event::Launched => wishes.window = Some(self.page(None)),
            Event::WindowOpened => self.window = true,
            Event::WindowClosed => {
                self.window = false;
                // The log may have been erased there.
                self.log_wanted = true;
            }
            Event::WindowFailed(why) => wishes.notice = self.refused(Fault::new(Code::Internal, why), false, now_ms),
            Event::Tick => {}
        }
        wishes
    }

    fn changed(&self, event: lull_types::Event, wishes: &mut Wishes) {
        match event {
            lull_types::Event::Status => wishes.call = Some(Request::Status),
            lull_types::Event::Prefs => wishes.call = Some(Request::Prefs),
            // An open window hears it by itself.
            lull_types::Event::Show { page } => wishes.window = (!self.window).then(|| self.page(page)),
            lull_types::Event::Models | lull_types::Event::Rules => {}
        }
    }

    /// The first time that nobody has answered the first page, it is shown.
    fn prefers(&mut self, prefs: &Prefs) -> Option<Option<Page>> {
        self.state.lang = prefs.lang.as_deref().map_or(self.system, Lang::of_locale);
        let before = self.welcomed.replace(prefs.welcomed);
        (before.is_none() && !prefs.welcomed && !self.window).then_some(Some(Page::Welcome))
    }

    fn heard(&mut self, status: Box<StatusView>, now_ms: u64) {
        self.heard_ms = now_ms;
        self.log_wanted |= self.state.status().is_none_or(|before| before.jobs_lent != status.jobs_lent);
        self.state.node = Node::Answering(status);
    }

    fn lost(&mut self, fault: &Fault) {
        self.state.node = if fault.code == Code::NotEnrolled { Node::NotJoined } else { Node::Silent };
    }

    fn failed(&mut self, request: &Request, fault: Fault, now_ms: u64) -> Option<Notice> {
        match request {
            Request::Status => {
                self.lost(&fault);
                None
            }
            // What was known stays.
            Request::Log { .. } | Request::Prefs => None,
            request => self.refused(fault, matches!(request, Request::Pause { .. }), now_ms),
        }
    }

    /// A person asked for something and did not get it.
    fn refused(&mut self, fault: Fault, was_pause: bool, now_ms: u64) -> Option<Notice> {
        let notice = self.told.failed(self.state.lang, &fault.message, was_pause, now_ms);
        self.state.failed = Some(fault);
        self.failed_ms = now_ms;
        notice
    }

    /// An open window stays where it is unless a page was asked for.
    fn page(&self, asked: Option<Page>) -> Option<Page> {
        let new_here = self.state.node == Node::NotJoined || self.welcomed == Some(false);
        let home = || if new_here { Page::Welcome } else { Page::Home };
        asked.or_else(|| (!self.window).then(home))
    }

    /// No moment remembered lies in the future, even where the clock was set back.
    fn follow_clock(&mut self, now_ms: u64) {
        let past = |ms: &mut u64| *ms = (*ms).min(now_ms);
        past(&mut self.heard_ms);
        past(&mut self.failed_ms);
        self.asked_ms.iter_mut().for_each(past);
        self.log_asked_ms.iter_mut().for_each(past);
    }

    fn look_at_time(&mut self, now_ms: u64) {
        let speaks = matches!(self.state.node, Node::Answering(_) | Node::Unheard);
        if speaks && now_ms - self.heard_ms >= SILENT_AFTER_MS {
            self.state.node = Node::Silent;
        }
        if now_ms - self.failed_ms >= FAILED_SHOWN_MS {
            self.state.failed = None;
        }
    }

    /// What is to be asked by itself.
    fn question(&self, now_ms: u64) -> Option<Request> {
        let ago = |ms: Option<u64>| ms.map_or(u64::MAX, |ms| now_ms - ms);
        let heard_ms = self.state.status().map(|_| self.heard_ms);
        if ago(self.asked_ms).min(ago(heard_ms)) >= ASK_EVERY_MS {
            return Some(Request::Status);
        }
        let log = self.log_wanted && self.state.status().is_some() && ago(self.log_asked_ms) >= LOG_EVERY_MS;
        log.then_some(Request::Log { limit: RAN_ASKED_MAX, before: None })
    }

    fn note_asked(&mut self, call: Option<&Request>, now_ms: u64) {
        match call {
            Some(Request::Status) => self.asked_ms = Some(now_ms),
            Some(Request::Log { .. }) => {
                self.log_asked_ms = Some(now_ms);
                self.log_wanted = false;
            }
            _ => {}
        }
    }

    /// What is to be drawn because it is not on the screen yet.
    fn draw(&mut self, now: &Zoned) -> (Option<Face>, Option<Menu>) {
        let (face, menu) = (face(&self.state, now), menu(&self.state, now));
        let (old_face, old_menu) = self.drawn.replace((face.clone(), menu.clone())).unzip();
        let face = (old_face.as_ref() != Some(&face)).then_some(face);
        let menu = (old_menu.as_ref() != Some(&menu)).then_some(menu);
        (face, menu)
    }
}
