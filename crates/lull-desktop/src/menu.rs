use std::fmt;

use jiff::{Zoned, civil};
use lull_types::{LendingView, Reason, StatusView};
use serde::{Deserialize, Serialize};

use crate::{Action, Headline, Lang, Node, Ran, State, action::HOUR_S, clock, headline, reason, state, words};

/// The longest text of a row that holds somebody else's words, in characters.
const ROW_CHARS_MAX: usize = 120;
/// When a pause until tomorrow ends.
const MORNING: civil::Time = civil::time(6, 0, 0, 0);

/// The tray's picture: each has a shape of its own, so that nobody needs colours to tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is a state of lending under its own name, and Attention")]
pub enum Icon {
    Off,
    Waiting,
    Lending,
    Yielding,
    Paused,
    /// Somebody has to look at it.
    Attention,
}

/// The tray without its menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Face {
    /// Its picture.
    pub icon: Icon,
    /// What is said when the pointer rests on it.
    pub tooltip: String,
}

/// The tray's menu, from top to bottom.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Menu {
    /// Its rows.
    pub rows: Vec<Row>,
}

/// One row of the menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub enum Row {
    /// A text that cannot be chosen.
    Text {
        /// The text.
        text: String,
    },
    /// A line between rows.
    Separator,
    /// Something to choose.
    Item(Item),
}

/// Something to choose: a row of the menu, or a button in the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What it does.
    pub action: Action,
    /// What it says.
    pub label: String,
    /// The letter that chooses it, once, in lower case; it is in the label.
    pub mnemonic: char,
    /// Whether it can be chosen now.
    pub enabled: bool,
}

impl Item {
    fn new(lang: Lang, action: Action, label: impl Into<String>) -> Self {
        Self { action, label: label.into(), mnemonic: action.mnemonic(lang), enabled: true }
    }

    /// The label as tool kits want it: a mark before the letter (`_` for D-Bus menus, `&` for Windows), and each such
    /// mark of the text itself twice.
    #[must_use]
    pub fn marked(&self, mark: char) -> String {
        let mut text = String::with_capacity(self.label.len() + 1);
        let mut marked = false;
        for c in self.label.chars() {
            if c == mark {
                text.push(mark);
            } else if !marked && c.to_lowercase().eq([self.mnemonic]) {
                text.push(mark);
                marked = true;
            }
            text.push(c);
        }
        text
    }
}

impl Menu {
    /// What can be chosen, disabled or not.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.rows.iter().filter_map(|row| match row {
            Row::Item(item) => Some(item),
            Row::Text { .. } | Row::Separator => None,
        })
    }
}

/// The tray's picture and tooltip for a state.
#[must_use]
pub fn face(state: &State, now: &Zoned) -> Face {
    let headline = Headline::of(state, now);
    let tooltip = words::tooltip(state.lang, reason::shortened(&headline.line, ROW_CHARS_MAX));
    Face { icon: headline.icon, tooltip }
}

/// The tray's menu for a state.
#[must_use]
pub fn menu(state: &State, now: &Zoned) -> Menu {
    let lang = state.lang;
    let text = |text: &str| Row::Text { text: reason::shortened(text, ROW_CHARS_MAX) };
    let mut rows = vec![text(&Headline::of(state, now).line)];
    if let Some(fault) = &state.failed {
        rows.push(text(&words::tray_failed(lang, reason::foreign(&fault.message))));
    }
    let verbs = verbs(state, now);
    if !verbs.is_empty() {
        rows.push(Row::Separator);
        rows.extend(verbs.into_iter().map(Row::Item));
    }
    rows.push(Row::Separator);
    if state.status().is_some() {
        rows.push(Row::Item(Item::new(lang, Action::Ran, ran(lang, state.ran.as_ref(), now))));
        rows.push(Row::Item(Item::new(lang, Action::Rules, words::tray_rules(lang))));
    }
    rows.push(Row::Item(Item::new(lang, Action::Open, words::tray_open(lang))));
    rows.push(Row::Item(Item::new(lang, Action::Quit, words::tray_quit(lang))));
    Menu { rows }
}

/// What a person can do about lending in this state: the same in the tray and in the window.
pub(crate) fn verbs(state: &State, now: &Zoned) -> Vec<Item> {
    let lang = state.lang;
    let give_back = || Item::new(lang, Action::GiveBack, words::tray_give_back(lang));
    match &state.node {
        Node::Unheard => Vec::new(),
        Node::NotJoined => vec![Item::new(lang, Action::Join, words::tray_join(lang))],
        // Nothing is known, so something may run: the way out stays open.
        Node::Silent => vec![give_back()],
        Node::Answering(status) => match &status.lending {
            LendingView::Off { reason: Reason::NotAgreed, .. } => {
                vec![Item::new(lang, Action::Start, words::tray_start(lang))]
            }
            LendingView::Off { reason, .. } => trouble(lang, reason).into_iter().collect(),
            LendingView::Waiting { reason, .. } => {
                let own = [give_back()].into_iter().chain(pauses(lang, now, false));
                trouble(lang, reason).into_iter().chain(own).collect()
            }
            LendingView::Lending { finishing: true, .. } => {
                let go_on = Item::new(lang, Action::Resume, words::tray_go_on(lang));
                [give_back(), go_on].into_iter().chain(pauses(lang, now, false)).collect()
            }
            LendingView::Lending { .. } | LendingView::Yielding { .. } => {
                [give_back()].into_iter().chain(pauses(lang, now, false)).chain([finish(lang, status)]).collect()
            }
            LendingView::Paused { until, .. } => {
                let resume = Item::new(lang, Action::Resume, words::tray_resume(lang));
                let longest = until.is_none();
                let mut verbs: Vec<Item> = [resume].into_iter().chain(pauses(lang, now, true)).collect();
                for item in verbs.iter_mut().filter(|item| item.action == Action::PauseForever) {
                    item.enabled = !longest;
                }
                verbs
            }
        },
    }
}

fn trouble(lang: Lang, reason: &Reason) -> Option<Item> {
    headline::is_trouble(reason).then(|| Item::new(lang, Action::Trouble, words::tray_trouble(lang)))
}

/// Can be chosen only while a job runs.
fn finish(lang: Lang, status: &StatusView) -> Item {
    let lends = matches!(status.lending, LendingView::Lending { .. });
    let enabled = lends && state::busy(status) > 0;
    Item { enabled, ..Item::new(lang, Action::Finish, words::tray_finish(lang)) }
}

/// The pauses, each with its end; `again`: there is one already.
fn pauses(lang: Lang, now: &Zoned, again: bool) -> impl Iterator<Item = Item> {
    let say = |end: Option<Zoned>, fresh: fn(Lang, String) -> String, stay: fn(Lang, String) -> String| {
        let end = clock::moment(lang, &end?, now);
        Some(if again { stay(lang, end) } else { fresh(lang, end) })
    };
    let in_an_hour = clock::local(clock::unix_ms(now).saturating_add(HOUR_S * 1_000), now);
    // Not the morning of today, even in the small hours: the node says the same.
    let morning = now.tomorrow().and_then(|day| day.with().time(MORNING).build()).ok();
    let hour = say(in_an_hour, words::tray_pause_hour, words::tray_stay_hour);
    let tomorrow = say(morning, words::tray_pause_tomorrow, words::tray_stay_tomorrow);
    let forever = if again { words::tray_stay_forever(lang) } else { words::tray_pause_forever(lang) };
    let labels = [
        (Action::PauseHour, hour),
        (Action::PauseTomorrow, tomorrow),
        (Action::PauseForever, Some(forever.to_owned())),
    ];
    labels.into_iter().filter_map(move |(action, label)| Some(Item::new(lang, action, label?)))
}

fn ran(lang: Lang, ran: Option<&Ran>, now: &Zoned) -> String {
    let Some(ran) = ran else { return words::tray_ran(lang).into() };
    match ran.today(now) {
        0 => words::tray_ran_none(lang).into(),
        1 => words::tray_ran_one(lang).into(),
        jobs if ran.is_cut() => words::tray_ran_many(lang, words::at_least(lang, clock::number(lang, jobs as u64))),
        jobs => words::tray_ran_many(lang, clock::number(lang, jobs as u64)),
    }
}

/// As a drawing: what cannot be chosen in brackets, the letters that choose underlined.
impl fmt::Display for Menu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            match row {
                Row::Text { text } => writeln!(f, "  [{text}]")?,
                Row::Separator => writeln!(f, "  ---")?,
                Row::Item(item) if item.enabled => writeln!(f, "  {}", item.marked('_'))?,
                Row::Item(item) => writeln!(f, "  [{}]", item.marked('_'))?,
            }
        }
        Ok(())
    }
}
