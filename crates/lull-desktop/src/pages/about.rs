use lull_types::{LinkView, StatusView};
use serde::Serialize;

use super::Fact;
use crate::{Lang, clock, reason, words};

const LICENCE: &str = "MIT OR Apache-2.0";

/// What this is, and which machine it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AboutPage {
    /// From top to bottom.
    pub facts: Vec<Fact>,
}

/// The page from the node's word.
#[must_use]
pub fn about(lang: Lang, status: &StatusView) -> AboutPage {
    let number = |count| clock::number(lang, count);
    let relay = match &status.relay {
        LinkView::Up { relay, .. } => words::about_connected(lang, reason::foreign(relay)),
        LinkView::Down { relay, reason: fault } => {
            words::about_not_connected(lang, reason::foreign(relay), reason::foreign(&fault.message))
        }
    };
    let facts = [
        (words::about_version(lang), reason::foreign(&status.version)),
        (words::about_machine(lang), reason::foreign(&status.name)),
        (words::about_node(lang), status.node.to_string()),
        (words::about_org(lang), reason::foreign(&status.org)),
        (words::about_relay(lang), relay),
        (words::about_since_start(lang), words::about_jobs(lang, number(status.jobs_lent), number(status.jobs_asked))),
        (words::about_licence(lang), LICENCE.into()),
    ];
    AboutPage { facts: facts.into_iter().map(|(title, text)| Fact { title, text }).collect() }
}
