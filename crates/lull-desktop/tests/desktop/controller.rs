//! One event, and what follows.

use jiff::Zoned;
use lull_desktop::{Action, Controller, Effect, Event, Icon, Lang, NOTICE_EVERY_MS, Notice, NoticeKind, RAN_ASKED_MAX};
use lull_types::{Code, Fault, LendingView, Page, Pause, Prefs, Reason, Request, StatusView};

use crate::fixtures::{HOUR_MS, MINUTE_MS, after, at_ms, busy, down, lending, now_ms, off, paused, ran, status};

/// A controller and its clock.
struct Desk {
    controller: Controller,
    ms: u64,
}

impl Desk {
    fn new() -> Self {
        Self { controller: Controller::new(Lang::En, &at_ms(now_ms())), ms: now_ms() }
    }

    /// One that has heard this and has asked what it asks.
    fn showing(view: LendingView) -> Self {
        let mut desk = Self::new();
        desk.send(Event::Tick);
        desk.hears(status(view));
        desk.send(Event::Ran(Vec::new()));
        desk
    }

    fn now(&self) -> Zoned {
        at_ms(self.ms)
    }

    fn send(&mut self, event: Event) -> Vec<Effect> {
        let now = self.now();
        self.controller.handle(event, &now)
    }

    fn hears(&mut self, status: StatusView) -> Vec<Effect> {
        self.send(Event::Status(Box::new(status)))
    }

    fn after(&mut self, ms: u64) -> Vec<Effect> {
        self.ms += ms;
        self.send(Event::Tick)
    }

    /// Passes time as a shell does, with a node that answers whatever is asked.
    fn live(&mut self, ms: u64, status: &StatusView) -> Vec<Effect> {
        let end = self.ms + ms;
        let mut all = Vec::new();
        while self.ms < end {
            self.ms = self.controller.wake_at_unix_ms(&self.now()).min(end);
            let effects = self.send(Event::Tick);
            if effects.contains(&Effect::Call(Request::Status)) {
                all.extend(self.hears(status.clone()));
            }
            all.extend(effects);
        }
        all
    }

    fn first_row(&self) -> String {
        let drawn = lull_desktop::menu(self.controller.state(), &self.now()).to_string();
        drawn.lines().next().unwrap().trim().to_owned()
    }

    fn icon(&self) -> Icon {
        lull_desktop::face(self.controller.state(), &self.now()).icon
    }
}

fn notices(effects: &[Effect]) -> Vec<&Notice> {
    effects.iter().filter_map(|effect| if let Effect::Notify(notice) = effect { Some(notice) } else { None }).collect()
}

fn draws(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Menu(_)))
}

fn lost() -> Event {
    Event::NodeLost(Fault::new(Code::NotRunning, "no node runs"))
}

#[test]
fn the_first_thing_is_to_ask_and_to_show_that_nothing_is_known() {
    let mut desk = Desk::new();
    let effects = desk.send(Event::Tick);
    assert_eq!(effects[0], Effect::Call(Request::Status));
    assert!(draws(&effects));
    assert_eq!(desk.first_row(), "[Starting: Lull is looking how things stand]");
}

#[test]
fn a_choice_in_the_tray_asks_the_node_and_the_answer_is_drawn() {
    let mut desk = Desk::showing(lending(2, 2, false));
    let pause = Request::Pause { pause: Pause::For { seconds: 3_600 }, finish: false };
    assert_eq!(desk.send(Event::Chosen(Action::PauseHour)), [Effect::Call(pause)]);
    assert_eq!(desk.send(Event::Node(lull_types::Event::Status)), [Effect::Call(Request::Status)]);
    let effects = desk.hears(status(paused(after(HOUR_MS))));
    assert!(draws(&effects));
    assert_eq!(desk.first_row(), "[Paused: as you asked · until 15:30 (1 h left)]");
    assert_eq!(desk.icon(), Icon::Paused);
}

#[test]
fn what_is_on_the_screen_is_not_drawn_again() {
    let mut desk = Desk::showing(lending(2, 2, false));
    assert_eq!(desk.hears(status(lending(2, 2, false))), []);
    assert_eq!(desk.after(1_000), []);
    // The ends of the pauses on offer move with the minute.
    assert!(draws(&desk.after(MINUTE_MS / 2 + 10_000)));
}

#[test]
fn the_countdown_moves_and_ends() {
    let mut desk = Desk::showing(paused(after(2 * MINUTE_MS)));
    let same = status(paused(after(2 * MINUTE_MS)));
    let mut rows = vec![desk.first_row()];
    for _ in 0..8 {
        desk.ms = desk.controller.wake_at_unix_ms(&desk.now());
        desk.send(Event::Tick);
        desk.hears(same.clone());
        if rows.last() != Some(&desk.first_row()) {
            rows.push(desk.first_row());
        }
    }
    let row = |rest: &str| format!("[Paused: as you asked · {rest}]");
    assert_eq!(rows[..2], [row("until 14:32 (2 min left)"), row("until 14:32 (under 1 min left)")], "{rows:?}");
    desk.live(2 * MINUTE_MS, &same);
    assert_eq!(desk.first_row(), row("this ends any moment"));
}

#[test]
fn a_node_that_is_lost_is_never_shown_as_lending() {
    let mut desk = Desk::showing(lending(2, 2, false));
    assert_eq!(desk.icon(), Icon::Lending);
    assert!(draws(&desk.send(lost())));
    assert_eq!(desk.icon(), Icon::Attention);
    assert_eq!(desk.first_row(), "[No answer: Lull's background part does not answer]");
    desk.hears(status(lending(2, 2, false)));
    assert_eq!(desk.icon(), Icon::Lending, "it is back");
}

#[test]
fn a_node_that_says_nothing_any_more_is_asked_and_then_counts_as_silent() {
    let mut desk = Desk::showing(lending(2, 2, false));
    let mut asked = 0;
    while desk.icon() == Icon::Lending {
        desk.ms = desk.controller.wake_at_unix_ms(&desk.now());
        asked += usize::from(desk.send(Event::Tick).contains(&Effect::Call(Request::Status)));
        assert!(desk.ms <= now_ms() + MINUTE_MS, "shown as lending for too long");
    }
    assert!(asked >= 2, "asked {asked} times");
    assert_eq!(desk.icon(), Icon::Attention);
}

#[test]
fn a_node_that_answers_stays() {
    let mut desk = Desk::showing(lending(2, 2, false));
    desk.live(HOUR_MS, &status(lending(2, 2, false)));
    assert_eq!(desk.icon(), Icon::Lending);
}

#[test]
fn a_person_is_told_once_and_only_if_it_lasts() {
    let mut desk = Desk::showing(lending(2, 2, false));
    assert_eq!(notices(&desk.send(lost())), Vec::<&Notice>::new());
    assert_eq!(notices(&desk.after(MINUTE_MS - 1)), Vec::<&Notice>::new());
    let effects = desk.after(1);
    assert_eq!(notices(&effects).iter().map(|notice| notice.kind).collect::<Vec<_>>(), [NoticeKind::Silent]);
    for _ in 0..600 {
        assert_eq!(notices(&desk.after(MINUTE_MS)), Vec::<&Notice>::new(), "the same trouble");
    }
    desk.hears(status(lending(2, 2, false)));
    desk.send(lost());
    assert_eq!(notices(&desk.after(MINUTE_MS)).len(), 1, "new trouble, hours later");
    desk.hears(status(lending(2, 2, false)));
    desk.send(lost());
    assert_eq!(notices(&desk.after(MINUTE_MS)).len(), 0, "not so soon again");
}

#[test]
fn what_a_person_would_act_on_is_told() {
    let broken = Reason::RulesBroken { why: "settings.toml:2:1: there is no such key".into() };
    let no_worker = Reason::NoWorker { why: "the worker is missing".into() };
    for (view, kind, body) in [
        (
            status(off(broken)),
            NoticeKind::RulesBroken,
            "the rules cannot be read: settings.toml:2:1: there is no such key",
        ),
        (status(off(no_worker)), NoticeKind::NoWorker, "no model can run here: the worker is missing"),
        (status(off(Reason::Organisation)), NoticeKind::Organisation, "your organisation does not want it"),
        (
            down(lending(1, 1, false), Code::Revoked),
            NoticeKind::Removed,
            "Your organisation took it back, or it ran out. Ask your IT for a new invitation.",
        ),
    ] {
        let mut desk = Desk::showing(lending(2, 2, false));
        desk.hears(view.clone());
        let effects = desk.live(5 * MINUTE_MS, &view);
        let told: Vec<_> = notices(&effects).iter().map(|notice| (notice.kind, notice.body.as_str())).collect();
        assert_eq!(told, [(kind, body)]);
    }
}

#[test]
fn what_nobody_would_act_on_is_not_told() {
    let mut desk = Desk::showing(off(Reason::Organisation));
    let told = |effects: &[Effect]| notices(effects).len();
    let never_allowed = desk.live(HOUR_MS, &status(off(Reason::Organisation)));
    assert_eq!(told(&never_allowed), 0, "the organisation's word was there from the start");
    let mut desk = Desk::showing(lending(2, 2, false));
    let done = |jobs| StatusView { jobs_lent: jobs, ..busy(lending(1, 2, false), 1) };
    for jobs in 0..50 {
        assert_eq!(told(&desk.hears(done(jobs))), 0, "a job that ran");
        let effects = desk.live(MINUTE_MS, &done(jobs));
        assert_eq!(told(&effects), 0, "a job that ran");
    }
    let effects = desk.live(HOUR_MS, &down(lending(1, 1, false), Code::RelayUnreachable));
    assert_eq!(told(&effects), 0, "a laptop away from its network");
}

#[test]
fn a_pause_that_failed_is_shown_and_told_with_the_way_out() {
    let mut desk = Desk::showing(lending(2, 2, false));
    let request = Request::Pause { pause: Pause::Forever, finish: false };
    let fault = Fault::new(Code::Storage, "the disk is full");
    let effects = desk.send(Event::CallFailed { request, fault });
    let [notice] = notices(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(notice.kind, NoticeKind::Failed);
    assert_eq!(notice.title, "Lull could not pause");
    assert_eq!(notice.body, "the disk is full – to stop everything now, quit Lull from its menu.");
    let drawn = || "[That did not work: the disk is full]".to_owned();
    let second_row = |desk: &Desk| {
        let menu = lull_desktop::menu(desk.controller.state(), &desk.now()).to_string();
        menu.lines().nth(1).unwrap().trim().to_owned()
    };
    assert_eq!(second_row(&desk), drawn());
    desk.live(MINUTE_MS, &status(lending(2, 2, false)));
    assert_ne!(second_row(&desk), drawn(), "not for ever");
}

#[test]
fn a_question_of_its_own_that_failed_is_no_news() {
    let mut desk = Desk::showing(lending(2, 2, false));
    let log = Request::Log { limit: 1, before: None };
    let fault = Fault::new(Code::Storage, "the disk is full");
    assert_eq!(desk.send(Event::CallFailed { request: log, fault: fault.clone() }), []);
    desk.send(Event::CallFailed { request: Request::Status, fault });
    assert_eq!(desk.icon(), Icon::Attention, "a status that failed is a node that does not answer");
}

#[test]
fn what_ran_today_is_asked_when_it_changes_and_no_more() {
    let mut desk = Desk::new();
    desk.send(Event::Tick);
    let log = Effect::Call(Request::Log { limit: RAN_ASKED_MAX, before: None });
    assert!(desk.hears(status(lending(2, 2, false))).contains(&log));
    let effects = desk.send(Event::Ran(vec![ran(desk.ms), ran(desk.ms - 24 * HOUR_MS)]));
    assert!(draws(&effects));
    let menu = || lull_desktop::menu(desk.controller.state(), &desk.now()).to_string();
    assert!(menu().contains("today: 1 job…"), "{}", menu());
    let quiet = desk.live(HOUR_MS, &status(lending(2, 2, false)));
    assert!(!quiet.contains(&log), "nothing ran");
    let more = StatusView { jobs_lent: 4, ..status(lending(2, 2, false)) };
    assert!(desk.hears(more).contains(&log));
}

#[test]
fn a_second_start_shows_the_window_where_it_is() {
    let mut desk = Desk::showing(lending(2, 2, false));
    assert_eq!(desk.send(Event::Launched), [Effect::Window(Some(Page::Home))]);
    desk.send(Event::WindowOpened);
    assert_eq!(desk.send(Event::Launched), [Effect::Window(None)]);
    assert_eq!(desk.send(Event::Chosen(Action::Open)), [Effect::Window(None)]);
    assert_eq!(desk.send(Event::Chosen(Action::Ran)), [Effect::Window(Some(Page::Ran))]);
    desk.ms += HOUR_MS / 100;
    desk.send(Event::WindowClosed);
    assert!(desk.send(Event::Launched).contains(&Effect::Window(Some(Page::Home))));
}

#[test]
fn a_machine_that_has_not_joined_is_welcomed() {
    let mut desk = Desk::new();
    desk.send(Event::Tick);
    desk.send(Event::NodeLost(Fault::new(Code::NotEnrolled, "no identity")));
    assert_eq!(desk.first_row(), "[Not joined yet: this computer belongs to no organisation yet]");
    assert_eq!(desk.send(Event::Launched), [Effect::Window(Some(Page::Welcome))]);
}

#[test]
fn another_language_is_drawn_at_once() {
    let mut desk = Desk::showing(lending(2, 2, false));
    assert_eq!(desk.send(Event::Node(lull_types::Event::Prefs)), [Effect::Call(Request::Prefs)]);
    let prefers =
        |lang: Option<&str>| Event::Prefs(Prefs { lang: lang.map(Into::into), welcomed: true, ..Prefs::default() });
    assert!(draws(&desk.send(prefers(Some("de")))));
    assert_eq!(desk.first_row(), "[Verliehen: bereit, niemand fragt gerade]");
    assert!(draws(&desk.send(prefers(None))), "the system's again");
}

#[test]
fn whoever_has_not_been_welcomed_is_once() {
    let mut desk = Desk::showing(off(Reason::NotAgreed));
    let prefs = Event::Prefs(Prefs::default());
    assert_eq!(desk.send(prefs.clone()), [Effect::Window(Some(Page::Welcome))]);
    desk.send(Event::WindowOpened);
    assert_eq!(desk.send(prefs.clone()), []);
    desk.send(Event::WindowClosed);
    assert_eq!(desk.send(prefs), [], "they closed it");
    assert_eq!(desk.send(Event::Launched), [Effect::Window(Some(Page::Welcome))]);
    let welcomed = Event::Prefs(Prefs { welcomed: true, ..Prefs::default() });
    assert_eq!(desk.send(welcomed.clone()), []);
    assert_eq!(desk.send(Event::Launched), [Effect::Window(Some(Page::Home))]);
    let mut desk = Desk::showing(off(Reason::NotAgreed));
    assert_eq!(desk.send(welcomed), []);
}

#[test]
fn who_asks_for_the_window_gets_one() {
    let mut desk = Desk::showing(lending(2, 2, false));
    let show = |page| Event::Node(lull_types::Event::Show { page });
    assert_eq!(desk.send(show(Some(Page::Chat))), [Effect::Window(Some(Page::Chat))]);
    assert_eq!(desk.send(show(None)), [Effect::Window(Some(Page::Home))]);
    desk.send(Event::WindowOpened);
    assert_eq!(desk.send(show(Some(Page::Chat))), [], "an open window hears it by itself");
}

#[test]
fn a_window_that_does_not_open_is_told() {
    let mut desk = Desk::showing(lending(2, 2, false));
    let effects = desk.send(Event::WindowFailed("No such file".into()));
    assert_eq!(notices(&effects).iter().map(|notice| notice.kind).collect::<Vec<_>>(), [NoticeKind::Failed]);
    assert!(draws(&effects), "the menu says it, too");
}

#[test]
fn quitting_quits() {
    let mut desk = Desk::showing(lending(2, 2, false));
    assert_eq!(desk.send(Event::Chosen(Action::Quit)), [Effect::Quit]);
}

#[test]
fn a_clock_that_was_set_back_stops_nothing() {
    let mut desk = Desk::showing(lending(2, 2, false));
    desk.send(lost());
    assert_eq!(notices(&desk.after(MINUTE_MS)).len(), 1);
    desk.hears(status(lending(2, 2, false)));
    desk.ms -= 365 * 24 * HOUR_MS;
    desk.send(Event::Tick);
    assert_eq!(desk.icon(), Icon::Lending);
    desk.after(MINUTE_MS);
    assert_eq!(desk.icon(), Icon::Attention, "silence is still seen");
    // The wait for the next notice has begun anew, and ends.
    desk.after(MINUTE_MS);
    desk.hears(status(lending(2, 2, false)));
    desk.after(NOTICE_EVERY_MS);
    assert_eq!(notices(&desk.after(MINUTE_MS)).len(), 1);
}
