//! The icon and its menu.

use std::time::{Duration, Instant};

use jiff::Zoned;
use lull_desktop::{Action, Lang, Menu, Node, Ran, Row, State, face, menu};
use lull_types::{LendingView, Request, Response};

use crate::{
    session::{Session, family, name, until},
    tray_stand_in::{Panel, Shown},
};

/// How soon the first row must tell of a click.
const SHOWN_WITHIN: Duration = Duration::from_secs(1);

/// What the tray is to show of the node as it is now.
fn state(session: &Session) -> State {
    let ran = Some(Ran::of(&session.ran()));
    State { lang: Lang::En, node: Node::Answering(Box::new(session.status())), ran, failed: None }
}

/// Whether a menu on the bus is this one.
fn is(shown: &[Shown], menu: &Menu) -> bool {
    let row = |(shown, row): (&Shown, &Row)| match row {
        Row::Separator => shown.separator,
        Row::Text { text } => !shown.separator && !shown.enabled && shown.label == text.replace('_', "__"),
        Row::Item(item) => !shown.separator && shown.enabled == item.enabled && shown.label == item.marked('_'),
    };
    shown.len() == menu.rows.len() && shown.iter().zip(&menu.rows).all(row)
}

/// What the menu's row for this says now.
pub(crate) fn label(session: &Session, action: Action) -> String {
    let menu = menu(&state(session), &Zoned::now());
    menu.items().find(|item| item.action == action).unwrap_or_else(|| panic!("no {action:?} in\n{menu}")).marked('_')
}

#[test]
fn the_menu_on_the_bus_is_that_of_the_state_and_pausing_there_pauses_the_node() {
    let session = Session::new();
    let mut panel = Panel::on(session.bus.address());
    let mut app = session.app();
    session.welcomed();
    let item = panel.item();
    item.menu_when("the state", |shown| is(shown, &menu(&state(&session), &Zoned::now())));
    until("the tooltip", || item.tooltip() == face(&state(&session), &Zoned::now()).tooltip);
    let before = item.picture();

    let pause = label(&session, Action::PauseHour);
    let chosen = Instant::now();
    item.choose(&pause);
    item.menu_when("the pause", |shown| shown[0].label.starts_with("Paused"));
    let took = chosen.elapsed();
    assert!(took <= SHOWN_WITHIN, "the first row changed after {took:?}");
    println!("the first row told of the pause {took:?} after the click");
    assert!(matches!(session.status().lending, LendingView::Paused { until: Some(_), .. }), "the node is paused");
    item.menu_when("the pause's menu", |shown| is(shown, &menu(&state(&session), &Zoned::now())));
    assert_ne!(item.picture(), before, "the picture tells it, too");

    item.choose(&label(&session, Action::Resume));
    item.menu_when("the end of the pause", |shown| !shown[0].label.starts_with("Paused"));
    assert!(app.stop().unwrap().success());
}

#[test]
fn quitting_leaves_nothing() {
    let session = Session::new();
    let mut panel = Panel::on(session.bus.address());
    let app = session.app();
    session.welcomed();
    let item = panel.item();
    let family = family(app.pid());
    assert!(session.enrolled.home.join("node.sock").exists());
    item.choose(&label(&session, Action::Quit));
    item.gone();
    // The first of them is the app; it is this test's child, so only its exit status is left.
    until("the end of all processes", || family.iter().all(|pid| name(*pid).is_none()));
    assert!(!session.enrolled.home.join("node.sock").exists(), "the door is gone");
}

#[test]
fn a_node_that_runs_already_is_shown_and_goes_on_when_the_app_quits() {
    let session = Session::new();
    let mut panel = Panel::on(session.bus.address());
    let node = session.org.start_with(&session.enrolled, |_| {}).unwrap();
    session.welcomed();
    let mut app = session.app();
    let item = panel.item();
    item.menu_when("the state", |shown| is(shown, &menu(&state(&session), &Zoned::now())));
    assert!(app.stop().unwrap().success());
    assert_eq!(session.ask(Request::Resume), Response::Done, "the node goes on");
    assert!(name(node.process.pid()).is_some());
}

#[test]
fn an_icon_appears_when_something_shows_icons() {
    let session = Session::new();
    let mut app = session.app_with(|command| {
        command.arg("--background").env("LULL_WINDOW", "/bin/true");
    });
    app.wait_for("nothing here shows tray icons").unwrap();
    session.welcomed();
    let mut panel = Panel::on(session.bus.address());
    panel.item().menu_when("the state", |shown| is(shown, &menu(&state(&session), &Zoned::now())));
    assert!(app.stop().unwrap().success());
}
