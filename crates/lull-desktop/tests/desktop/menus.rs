//! What holds for every menu.

use std::collections::BTreeSet;

use lull_desktop::{Action, Does, Icon, Item, Lang, Menu, Row, State, catalogue, face, menu};
use lull_types::{LendingView, Page, Pause, Request, Until};

use crate::fixtures::{after, answering, at, busy, lending, now, paused, states, status};

/// Every state in every language.
fn everywhere() -> impl Iterator<Item = (String, State)> {
    states().into_iter().flat_map(|(name, state)| {
        Lang::ALL.map(|lang| (format!("{name} ({})", lang.code()), State { lang, ..state.clone() }))
    })
}

fn actions(menu: &Menu) -> Vec<Action> {
    menu.items().map(|item| item.action).collect()
}

fn shown(status: lull_types::StatusView) -> Menu {
    menu(&answering("", status).1, &now())
}

#[test]
fn the_letters_of_a_menu_are_unique_and_in_its_labels() {
    for (name, state) in everywhere() {
        let menu = menu(&state, &now());
        let letters: BTreeSet<char> = menu.items().map(|item| item.mnemonic).collect();
        assert_eq!(letters.len(), menu.items().count(), "{name}: {menu}");
        for item in menu.items() {
            assert!(item.label.to_lowercase().contains(item.mnemonic), "{name}: {item:?}");
            assert_eq!(item.marked('_').len(), item.label.len() + 1, "{name}: {item:?}");
        }
    }
}

#[test]
fn a_label_is_marked_once_and_keeps_its_own_marks() {
    let item = |label: &str| Item { action: Action::Open, label: label.into(), mnemonic: 'o', enabled: true };
    assert_eq!(item("Open one").marked('_'), "_Open one");
    assert_eq!(item("a_b & co").marked('_'), "a__b & c_o");
    assert_eq!(item("a_b & co").marked('&'), "a_b && c&o");
    assert_eq!(item("none").marked('&'), "n&one");
}

#[test]
fn nothing_that_is_shown_is_empty_or_a_key() {
    let keys: BTreeSet<&str> = catalogue(Lang::En).into_keys().filter(|key| key.contains('_')).collect();
    for (name, state) in everywhere() {
        let menu = menu(&state, &now());
        let texts = menu.rows.iter().filter_map(|row| match row {
            Row::Text { text } => Some(text),
            Row::Item(item) => Some(&item.label),
            Row::Separator => None,
        });
        for text in texts.chain([&face(&state, &now()).tooltip]) {
            assert!(!text.trim().is_empty(), "{name}: {menu}");
            assert!(!text.contains(['{', '}', '\n']), "{name}: {text}");
            assert!(!keys.iter().any(|key| text.contains(key)), "{name}: {text}");
        }
    }
}

#[test]
fn every_menu_begins_with_the_state_and_ends_with_the_way_out() {
    for (name, state) in everywhere() {
        let menu = menu(&state, &now());
        assert!(matches!(menu.rows[0], Row::Text { .. }), "{name}");
        assert_eq!(actions(&menu)[menu.items().count() - 2..], [Action::Open, Action::Quit], "{name}");
        let separators = menu.rows.windows(2).filter(|rows| *rows == [Row::Separator, Row::Separator]).count();
        assert_eq!(separators, 0, "{name}");
        // The tooltip says what the first row says.
        let Row::Text { text } = &menu.rows[0] else { unreachable!() };
        assert!(face(&state, &now()).tooltip.ends_with(text.as_str()), "{name}");
    }
}

#[test]
fn whatever_runs_or_may_run_can_be_stopped_at_once() {
    for (name, state) in everywhere() {
        let may_run = match state.status().map(|status| &status.lending) {
            Some(LendingView::Lending { .. } | LendingView::Yielding { .. } | LendingView::Waiting { .. }) => true,
            Some(LendingView::Off { .. } | LendingView::Paused { .. }) => false,
            None => state.node == lull_desktop::Node::Silent,
        };
        let stop = menu(&state, &now()).items().any(|item| item.action == Action::GiveBack && item.enabled);
        assert_eq!(stop, may_run, "{name}");
    }
}

#[test]
fn verbs_flip_with_the_state() {
    use Action::{Finish, GiveBack, Open, PauseForever, PauseHour, PauseTomorrow, Quit, Ran, Resume, Rules};
    let rest = [Ran, Rules, Open, Quit];
    let menu_of = |view| actions(&shown(status(view)));
    let expected = |verbs: &[Action]| [verbs, &rest].concat();
    assert_eq!(menu_of(lending(1, 1, false)), expected(&[GiveBack, PauseHour, PauseTomorrow, PauseForever, Finish]));
    assert_eq!(menu_of(lending(1, 1, true)), expected(&[GiveBack, Resume, PauseHour, PauseTomorrow, PauseForever]));
    assert_eq!(menu_of(paused(None)), expected(&[Resume, PauseHour, PauseTomorrow, PauseForever]));
}

#[test]
fn what_would_change_nothing_cannot_be_chosen() {
    let enabled = |menu: Menu, action| menu.items().find(|item| item.action == action).map(|item| item.enabled);
    assert_eq!(enabled(shown(status(lending(2, 2, false))), Action::Finish), Some(false), "nothing runs");
    assert_eq!(enabled(shown(busy(lending(1, 2, false), 1)), Action::Finish), Some(true));
    assert_eq!(enabled(shown(status(paused(None))), Action::PauseForever), Some(false), "it is so already");
    assert_eq!(enabled(shown(status(paused(after(1)))), Action::PauseForever), Some(true));
}

#[test]
fn each_action_does_what_it_says() {
    let pause = |pause, finish| Does::Call(Request::Pause { pause, finish });
    for action in Action::ALL {
        let does = match action {
            Action::GiveBack | Action::PauseForever => pause(Pause::Forever, false),
            Action::PauseHour => pause(Pause::For { seconds: 3_600 }, false),
            Action::PauseTomorrow => pause(Pause::UntilTomorrow, false),
            Action::Finish => pause(Pause::Forever, true),
            Action::Resume => Does::Call(Request::Resume),
            // To agree one has to have read what it means.
            Action::Start | Action::Join => Does::Open(Some(Page::Welcome)),
            Action::Trouble => Does::Open(Some(Page::Home)),
            Action::Ran => Does::Open(Some(Page::Ran)),
            Action::Rules => Does::Open(Some(Page::Rules)),
            Action::Open => Does::Open(None),
            Action::Quit => Does::Quit,
        };
        assert_eq!(action.does(), does, "{action:?}");
    }
}

#[test]
fn the_ends_of_pauses_are_the_ones_that_come() {
    for (time, hour, tomorrow) in [
        ("2026-11-22T13:30:20Z", "Pause for 1 hour (until 15:30)", "Pause until tomorrow, 06:00"),
        ("2026-11-22T22:45:00Z", "Pause for 1 hour (until tomorrow, 00:45)", "Pause until tomorrow, 06:00"),
        // In the small hours *tomorrow* is the next day, as the node has it.
        ("2026-11-23T02:00:00Z", "Pause for 1 hour (until 04:00)", "Pause until tomorrow, 06:00"),
        // The clock goes back an hour at 01:00 UTC: an hour later it shows the same.
        ("2026-10-25T00:30:00Z", "Pause for 1 hour (until 02:30)", "Pause until tomorrow, 06:00"),
    ] {
        let menu = menu(&answering("", status(lending(1, 1, false))).1, &at(time));
        let labels: Vec<&str> = menu.items().map(|item| item.label.as_str()).collect();
        assert_eq!(labels[1..3], [hour, tomorrow], "{time}");
    }
}

#[test]
fn an_end_that_no_clock_shows_is_no_end() {
    let menu = shown(status(paused(Some(Until { unix_ms: u64::MAX }))));
    let Row::Text { text } = &menu.rows[0] else { unreachable!() };
    assert_eq!(text, "Paused: as you asked · until you resume");
}

#[test]
fn each_state_has_a_shape_of_its_own() {
    let icon = |name: &str| {
        let state = states().into_iter().find(|(found, _)| *found == name).unwrap().1;
        face(&state, &now()).icon
    };
    for (name, expected) in [
        ("nothing heard yet", Icon::Off),
        ("no answer", Icon::Attention),
        ("off: not agreed", Icon::Off),
        ("off: rules broken", Icon::Attention),
        ("waiting: call", Icon::Waiting),
        ("lending: idle", Icon::Lending),
        ("lending: finishing", Icon::Lending),
        ("lending: no model", Icon::Waiting),
        ("lending: no connection", Icon::Waiting),
        ("yielding", Icon::Yielding),
        ("paused: 1 h", Icon::Paused),
    ] {
        assert_eq!(icon(name), expected, "{name}");
    }
}
