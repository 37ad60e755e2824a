use std::collections::BTreeMap;

use lull_types::{Code, LendingView, LinkView, Page, Reason, StatusView};
use serde::{Deserialize, Serialize};

use crate::{Lang, Node, State, reason, words};

/// The least time between two notices of one kind, in milliseconds: four hours.
pub const NOTICE_EVERY_MS: u64 = 4 * 3_600_000;
/// How long something must be wrong before anybody is told, in milliseconds: much mends itself.
pub const TROUBLE_LASTS_MS: u64 = 60_000;

/// A notification: only what a person would act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// Its heading.
    pub title: String,
    /// What to do.
    pub body: String,
    /// What it opens when it is chosen.
    pub page: Page,
}

/// What a notification can be about. A job that ran is none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The node does not answer.
    Silent,
    /// Settings or rules cannot be read, so that nothing is lent.
    RulesBroken,
    /// No worker can run here.
    NoWorker,
    /// The organisation switched lending off.
    Organisation,
    /// The organisation took this machine's access back, or it ran out.
    Removed,
    /// What the person asked for did not happen.
    Failed,
}

/// What is wrong now, since when, and who was told when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// Since when, in milliseconds since 1970, and whether it was told or need not be.
    trouble: Option<(NoticeKind, u64, bool)>,
    /// When each kind was told last.
    last: BTreeMap<NoticeKind, u64>,
    /// Whether this machine was seen without the organisation's *no*.
    was_allowed: bool,
}

impl Told {
    /// Takes in what is so now, and says what is to be told.
    pub(crate) fn look(&mut self, state: &State, now_ms: u64) -> Option<Notice> {
        if let Some(status) = state.status() {
            self.was_allowed |= !matches!(status.lending, LendingView::Off { reason: Reason::Organisation, .. });
        }
        let found = trouble(state).filter(|kind| *kind != NoticeKind::Organisation || self.was_allowed);
        let Some(kind) = found else {
            self.trouble = None;
            return None;
        };
        let (since, told) = match self.trouble {
            Some((before, since, told)) if before == kind => (since.min(now_ms), told),
            _ => (now_ms, false),
        };
        let due = !told && now_ms - since >= TROUBLE_LASTS_MS;
        self.trouble = Some((kind, since, told || due));
        (due && self.may(kind, now_ms)).then(|| notice(kind, state))
    }

    /// What the person asked for did not happen.
    pub(crate) fn failed(&mut self, lang: Lang, why: &str, was_pause: bool, now_ms: u64) -> Option<Notice> {
        let kind = NoticeKind::Failed;
        let why = reason::foreign(why);
        self.may(kind, now_ms).then(|| {
            let (title, body) = if was_pause {
                (words::notice_pause_failed(lang), words::notice_pause_failed_body(lang, why))
            } else {
                (words::notice_failed(lang), why)
            };
            Notice { kind, title: title.into(), body, page: Page::Home }
        })
    }

    /// Whether this kind was not told for long enough; then it counts as told now.
    fn may(&mut self, kind: NoticeKind, now_ms: u64) -> bool {
        match self.last.get_mut(&kind) {
            // The clock was set back: the wait begins anew, and has an end.
            Some(last) if *last > now_ms => {
                *last = now_ms;
                false
            }
            Some(last) if now_ms - *last < NOTICE_EVERY_MS => false,
            _ => {
                self.last.insert(kind, now_ms);
                true
            }
        }
    }
}

/// What a person would act on, most important first.
fn trouble(state: &State) -> Option<NoticeKind> {
    match &state.node {
        Node::Silent => Some(NoticeKind::Silent),
        Node::Unheard | Node::NotJoined => None,
        Node::Answering(status) => removed(status).or_else(|| refused(&status.lending)),
    }
}

fn removed(status: &StatusView) -> Option<NoticeKind> {
    let LinkView::Down { reason, .. } = &status.relay else { return None };
    matches!(reason.code, Code::Revoked | Code::Expired).then_some(NoticeKind::Removed)
}

fn refused(lending: &LendingView) -> Option<NoticeKind> {
    let (LendingView::Off { reason, .. } | LendingView::Waiting { reason, .. }) = lending else { return None };
    match reason {
        Reason::RulesBroken { .. } => Some(NoticeKind::RulesBroken),
        Reason::NoWorker { .. } => Some(NoticeKind::NoWorker),
        Reason::Organisation => Some(NoticeKind::Organisation),
        Reason::NotAgreed
        | Reason::Paused
        | Reason::Finishing
        | Reason::InUse { .. }
        | Reason::Unknown { .. }
        | Reason::JustLeft
        | Reason::OutsideHours
        | Reason::Settling => None,
    }
}

fn notice(kind: NoticeKind, state: &State) -> Notice {
    let lang = state.lang;
    let why = || match state.status().map(|status| &status.lending) {
        Some(LendingView::Off { reason, .. } | LendingView::Waiting { reason, .. }) => reason::sentence(reason, lang),
        _ => String::new(),
    };
    let (title, body, page) = match kind {
        NoticeKind::Silent => (words::notice_silent(lang), words::notice_silent_body(lang).into(), Page::Home),
        NoticeKind::RulesBroken => (words::notice_rules(lang), why(), Page::Home),
        NoticeKind::NoWorker => (words::notice_worker(lang), why(), Page::Home),
        NoticeKind::Organisation => (words::notice_organisation(lang), why(), Page::Rules),
        NoticeKind::Removed => (words::notice_removed(lang), words::notice_removed_body(lang).into(), Page::Welcome),
        NoticeKind::Failed => (words::notice_failed(lang), String::new(), Page::Home),
    };
    Notice { kind, title: title.into(), body, page }
}
