//! Drawings that a reviewer can read. `UPDATE_EXPECT=1 cargo test -p lull-desktop` writes them anew.

use std::fmt::Write as _;

use expect_test::expect_file;
use lull_desktop::{Headline, Lang, Node, State, face, menu};

use crate::fixtures::{now, reasons, states, status, waiting};

#[test]
fn the_tray_in_every_state_and_language() {
    let mut drawn = format!("The tray on {}.\n", now().strftime("%A, %Y-%m-%d %H:%M:%S"));
    for (name, state) in states() {
        for lang in Lang::ALL {
            let state = State { lang, ..state.clone() };
            let face = face(&state, &now());
            writeln!(drawn, "\n== {name} · {} ==", lang.code()).unwrap();
            writeln!(drawn, "{:?} \"{}\"\n{}", face.icon, face.tooltip, menu(&state, &now())).unwrap();
        }
    }
    expect_file!["../golden/menus.txt"].assert_eq(&drawn);
}

#[test]
fn every_reason_in_every_language() {
    let mut drawn = String::new();
    for reason in reasons() {
        for lang in Lang::ALL {
            let node = Node::Answering(Box::new(status(waiting(reason.clone(), None))));
            let headline = Headline::of(&State { lang, node, ran: None, failed: None }, &now());
            writeln!(drawn, "{}: {}", lang.code(), headline.reason).unwrap();
        }
    }
    expect_file!["../golden/reasons.txt"].assert_eq(&drawn);
}
