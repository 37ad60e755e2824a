//! What holds whatever happens, in whatever order.

use std::{collections::BTreeMap, mem};

use lull_desktop::{Action, Controller, Effect, Event, Icon, Lang, NOTICE_EVERY_MS, NoticeKind};
use lull_types::{Code, Fault, LendingView, LinkView, Page, Prefs, Reason, Request, Signal, StatusView, Until};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::fixtures::{HOUR_MS, at_ms, busy, down, lending, now_ms, off, paused, ran, reasons, waiting, yielding};

fn any_until() -> impl Strategy<Value = Option<Until>> {
    let near = (0..100 * HOUR_MS).prop_map(|ms| now_ms() + ms);
    option::of(prop_oneof![4 => near, 1 => any::<u64>()].prop_map(|unix_ms| Until { unix_ms }))
}

fn any_reason() -> impl Strategy<Value = Reason> {
    let foreign =
        (select(Signal::ALL.to_vec()), any::<String>()).prop_map(|(signal, what)| Reason::InUse { signal, what });
    prop_oneof![select(reasons()), foreign, any::<String>().prop_map(|why| Reason::RulesBroken { why })]
}

fn any_lending() -> impl Strategy<Value = LendingView> {
    prop_oneof![
        any_reason().prop_map(off),
        (any_reason(), any_until()).prop_map(|(reason, until)| waiting(reason, until)),
        (any_reason(), any_until()).prop_map(|(reason, until)| yielding(reason, until)),
        any_until().prop_map(paused),
        (0..3_u16, any::<bool>()).prop_map(|(slots, finishing)| lending(slots, slots, finishing)),
    ]
}

fn any_status() -> impl Strategy<Value = StatusView> {
    (any_lending(), 0..3_usize, option::of(select(vec![Code::RelayUnreachable, Code::Revoked])), 0..5_u64).prop_map(
        |(view, jobs, code, jobs_lent)| {
            let status = code.map_or_else(|| busy(view.clone(), jobs), |code| down(view.clone(), code));
            StatusView { jobs_lent, ..status }
        },
    )
}

const NODE_EVENTS: [lull_types::Event; 5] = [
    lull_types::Event::Status,
    lull_types::Event::Models,
    lull_types::Event::Prefs,
    lull_types::Event::Show { page: None },
    lull_types::Event::Show { page: Some(Page::Chat) },
];

fn any_event() -> impl Strategy<Value = Event> {
    let fault = || {
        (select(vec![Code::NotRunning, Code::NotEnrolled, Code::Timeout]), any::<String>())
            .prop_map(|(code, text)| Fault::new(code, text))
    };
    let prefs = || {
        let lang = option::of(select(vec!["en", "de", "xx"]));
        (lang, any::<bool>()).prop_map(|(lang, welcomed)| Prefs {
            lang: lang.map(Into::into),
            welcomed,
            ..Prefs::default()
        })
    };
    let request = select(vec![Request::Status, Request::Resume, Request::Log { limit: 1, before: None }]);
    prop_oneof![
        4 => any_status().prop_map(|status| Event::Status(Box::new(status))),
        4 => Just(Event::Tick),
        1 => vec(any::<u64>().prop_map(ran), 0..4).prop_map(Event::Ran),
        1 => select(NODE_EVENTS.to_vec()).prop_map(Event::Node),
        1 => fault().prop_map(Event::NodeLost),
        1 => (request, fault()).prop_map(|(request, fault)| Event::CallFailed { request, fault }),
        2 => select(Action::ALL.to_vec()).prop_map(Event::Chosen),
        1 => select(vec![Event::Launched, Event::WindowOpened, Event::WindowClosed, Event::WindowFailed("_".into())]),
        1 => prefs().prop_map(Event::Prefs),
    ]
}

/// Steps of time, most of them short, some of hours.
fn any_story() -> impl Strategy<Value = Vec<(u64, Event)>> {
    vec((prop_oneof![3 => 0..20_000_u64, 1 => 0..5 * HOUR_MS], any_event()), 1..60)
}

/// Whether the node's last word, if it still counts, allows to show it as lending.
fn may_show_lending(last: Option<&StatusView>) -> bool {
    last.is_some_and(|status| match &status.lending {
        LendingView::Lending { finishing: true, .. } => true,
        LendingView::Lending { slots, .. } => *slots > 0 && matches!(status.relay, LinkView::Up { .. }),
        LendingView::Off { .. }
        | LendingView::Waiting { .. }
        | LendingView::Yielding { .. }
        | LendingView::Paused { .. } => false,
    })
}

proptest! {
    #[test]
    fn nothing_is_shown_as_lending_that_does_not_say_so(story in any_story()) {
        let mut ms = now_ms();
        let mut controller = Controller::new(Lang::En, &at_ms(ms));
        let (mut last, mut heard_ms, mut icon) = (None, ms, None);
        for (step, event) in story {
            ms += step;
            match &event {
                Event::Status(status) => (last, heard_ms) = (Some(status.as_ref().clone()), ms),
                Event::NodeLost(_) | Event::CallFailed { request: Request::Status, .. } => last = None,
                _ => {}
            }
            for effect in controller.handle(event, &at_ms(ms)) {
                if let Effect::Face(face) = effect {
                    icon = Some(face.icon);
                }
            }
            if icon == Some(Icon::Lending) {
                prop_assert!(may_show_lending(last.as_ref()), "{:?}", last);
                prop_assert!(ms - heard_ms < 60_000, "not a word for {} ms", ms - heard_ms);
            }
        }
    }

    #[test]
    fn one_event_causes_one_effect_of_a_kind_and_one_notice_in_hours(story in any_story()) {
        let mut ms = now_ms();
        let mut controller = Controller::new(Lang::De, &at_ms(ms));
        let mut told: BTreeMap<NoticeKind, u64> = BTreeMap::new();
        for (step, event) in story {
            ms += step;
            let effects = controller.handle(event, &at_ms(ms));
            let kinds: Vec<_> = effects.iter().map(mem::discriminant).collect();
            for (index, kind) in kinds.iter().enumerate() {
                prop_assert!(!kinds[..index].contains(kind), "{:?}", effects);
            }
            for effect in &effects {
                let Effect::Notify(notice) = effect else { continue };
                prop_assert!(!notice.title.is_empty());
                let before = told.insert(notice.kind, ms);
                prop_assert!(before.is_none_or(|before| ms - before >= NOTICE_EVERY_MS), "{:?} too soon", notice.kind);
            }
            let wake = controller.wake_at_unix_ms(&at_ms(ms));
            prop_assert!(wake > ms && wake <= ms + 60_000, "{} ms from now", wake - ms);
        }
    }

    #[test]
    fn nothing_drawn_is_empty_or_breaks_its_row(story in any_story()) {
        let mut ms = now_ms();
        let mut controller = Controller::new(Lang::De, &at_ms(ms));
        for (step, event) in story {
            ms += step;
            for effect in controller.handle(event, &at_ms(ms)) {
                let Effect::Menu(menu) = effect else { continue };
                for line in menu.to_string().lines() {
                    let text = line.trim_matches([' ', '[', ']']);
                    prop_assert!(!text.is_empty() && text.chars().count() <= 121, "{:?}", line);
                    prop_assert!(!text.chars().any(char::is_control), "{:?}", line);
                }
                prop_assert_eq!(menu.to_string().lines().count(), menu.rows.len());
            }
        }
    }

    #[test]
    fn what_is_drawn_is_what_the_state_says(story in any_story()) {
        let mut ms = now_ms();
        let mut controller = Controller::new(Lang::En, &at_ms(ms));
        let (mut face, mut menu) = (None, None);
        for (step, event) in story {
            ms += step;
            for effect in controller.handle(event, &at_ms(ms)) {
                match effect {
                    Effect::Face(drawn) => face = Some(drawn),
                    Effect::Menu(drawn) => menu = Some(drawn),
                    Effect::Call(_) | Effect::Window(_) | Effect::Notify(_) | Effect::Quit => {}
                }
            }
            prop_assert_eq!(face.as_ref(), Some(&lull_desktop::face(controller.state(), &at_ms(ms))));
            prop_assert_eq!(menu.as_ref(), Some(&lull_desktop::menu(controller.state(), &at_ms(ms))));
            // Nothing of it changes before the controller wants to be woken.
            let wake = controller.wake_at_unix_ms(&at_ms(ms));
            prop_assert_eq!(face.as_ref(), Some(&lull_desktop::face(controller.state(), &at_ms(wake - 1))));
            prop_assert_eq!(menu.as_ref(), Some(&lull_desktop::menu(controller.state(), &at_ms(wake - 1))));
        }
    }
}
