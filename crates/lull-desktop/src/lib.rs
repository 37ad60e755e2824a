//! The desktop app as plain data: the tray's menu, the controller behind it, the window's pages and every word of both.
//! It must never know a clock, a socket, a file, a window system or how anything is drawn.

mod action;
mod clock;
mod controller;
mod headline;
mod lang;
mod menu;
mod notice;
mod reason;
mod rules;
mod state;
mod words;

pub use action::{Action, Does};
pub use controller::{Controller, Effect, Event};
pub use headline::Headline;
pub use lang::Lang;
pub use menu::{Face, Icon, Item, Menu, Row, face, menu};
pub use notice::{NOTICE_EVERY_MS, Notice, NoticeKind, TROUBLE_LASTS_MS};
pub use rules::{RULE_WORDS, rule_meaning, rule_word};
pub use state::{Node, RAN_ASKED_MAX, Ran, State};
pub use words::catalogue;
