//! States of a machine, by name, at one moment.

use jiff::{Timestamp, Zoned, tz::TimeZone};
use lull_desktop::{Lang, Node, Ran, State};
use lull_types::{
    Code, Fault, Layers, LendingView, LinkView, NodeId, RanHere, Reason, SandboxView, Signal, StatusView, Tier, Until,
    WorkerState, WorkerView,
};

pub(crate) const MINUTE_MS: u64 = 60_000;
pub(crate) const HOUR_MS: u64 = 60 * MINUTE_MS;

/// A moment in Central Europe.
pub(crate) fn at(text: &str) -> Zoned {
    text.parse::<Timestamp>().unwrap().to_zoned(zone())
}

pub(crate) fn at_ms(unix_ms: u64) -> Zoned {
    Timestamp::from_millisecond(unix_ms.try_into().unwrap()).unwrap().to_zoned(zone())
}

fn zone() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

/// A Sunday, 14:30:20 on the wall.
pub(crate) fn now() -> Zoned {
    at("2026-11-22T13:30:20Z")
}

pub(crate) fn now_ms() -> u64 {
    now().timestamp().as_millisecond().unsigned_abs()
}

pub(crate) fn after(ms: u64) -> Option<Until> {
    Some(Until { unix_ms: now_ms() + ms })
}

pub(crate) fn worker(state: WorkerState) -> WorkerView {
    WorkerView { model: "lull-demo".into(), state, pid: None, restarts: 0, last_fault: None }
}

pub(crate) fn status(lending: LendingView) -> StatusView {
    StatusView {
        accepts: Vec::new(),
        node: NodeId([7; 16]),
        name: "desk-7".into(),
        org: "Acme".into(),
        groups: vec!["research".into()],
        person: None,
        relay: LinkView::Up { relay: "relay.acme.example:5855".into(), certificate_until_s: 0 },
        lending,
        sandbox: SandboxView {
            tier: Some(Tier::Full),
            required: Tier::Basic,
            layers: Layers::new(),
            shortfalls: Vec::new(),
            summary: "full".into(),
        },
        workers: vec![worker(WorkerState::Idle)],
        api: Some("http://127.0.0.1:5855/v1".into()),
        jobs_lent: 3,
        jobs_asked: 2,
        version: "0.1.0".into(),
    }
}

pub(crate) fn busy(lending: LendingView, jobs: usize) -> StatusView {
    StatusView { workers: vec![worker(WorkerState::Busy); jobs], ..status(lending) }
}

pub(crate) fn down(lending: LendingView, code: Code) -> StatusView {
    let reason = Fault::new(code, "nobody answers there");
    StatusView { relay: LinkView::Down { relay: "relay.acme.example:5855".into(), reason }, ..status(lending) }
}

pub(crate) fn off(reason: Reason) -> LendingView {
    LendingView::Off { words: reason.to_string(), reason }
}

pub(crate) fn waiting(reason: Reason, until: Option<Until>) -> LendingView {
    LendingView::Waiting { words: reason.to_string(), reason, until }
}

pub(crate) fn yielding(reason: Reason, until: Option<Until>) -> LendingView {
    LendingView::Yielding { words: reason.to_string(), reason, until }
}

pub(crate) fn paused(until: Option<Until>) -> LendingView {
    LendingView::Paused { until, words: Reason::Paused.to_string() }
}

pub(crate) fn lending(free_slots: u16, slots: u16, finishing: bool) -> LendingView {
    LendingView::Lending { words: "you have been away for 5 min".into(), free_slots, slots, finishing }
}

pub(crate) fn in_use(signal: Signal, what: &str) -> Reason {
    Reason::InUse { signal, what: what.into() }
}

pub(crate) fn unknown(signal: Signal, why: &str) -> Reason {
    Reason::Unknown { signal, why: why.into() }
}

/// Every reason, each signal both ways.
pub(crate) fn reasons() -> Vec<Reason> {
    let why = || "settings.toml:2:1: there is no such key".to_owned();
    let plain = [
        Reason::NotAgreed,
        Reason::Organisation,
        Reason::RulesBroken { why: why() },
        Reason::NoWorker { why: "the program lull-worker-mistral is missing".into() },
        Reason::Paused,
        Reason::Finishing,
        Reason::JustLeft,
        Reason::OutsideHours,
        Reason::Settling,
    ];
    let signals = Signal::ALL.into_iter().flat_map(|signal| [in_use(signal, ""), unknown(signal, "")]);
    plain.into_iter().chain(signals).collect()
}

pub(crate) fn ran(ended_unix_ms: u64) -> RanHere {
    RanHere {
        id: 1,
        ended_unix_ms,
        model: "lull-demo".into(),
        prompt_tokens: 12,
        completion_tokens: 34,
        ran_ms: 2_500,
        energy_wh: 0.25,
        outcome: "completed".into(),
    }
}

/// A state with a name, of which three jobs ran today and one yesterday.
pub(crate) fn answering(name: &'static str, status: StatusView) -> (&'static str, State) {
    let jobs: Vec<RanHere> = [0, 1, 2, 20].iter().map(|hours| ran(now_ms() - hours * HOUR_MS)).collect();
    let mut state = State::new(Lang::En);
    state.node = Node::Answering(Box::new(status));
    state.ran = Some(Ran::of(&jobs));
    (name, state)
}

fn of_node(name: &'static str, node: Node) -> (&'static str, State) {
    let mut state = State::new(Lang::En);
    state.node = node;
    (name, state)
}

/// Every state there is, in English.
pub(crate) fn states() -> Vec<(&'static str, State)> {
    let typing = || in_use(Signal::Input, "");
    let broken = Reason::RulesBroken { why: "settings.toml:2:1: there is no key `idle_minute`".into() };
    let no_worker = Reason::NoWorker { why: "the program lull-worker-mistral is missing".into() };
    let mut failed = answering("a pause that failed", status(lending(2, 2, false)));
    failed.1.failed = Some(Fault::new(Code::Storage, "the disk is full"));
    vec![
        of_node("nothing heard yet", Node::Unheard),
        of_node("no answer", Node::Silent),
        of_node("not joined", Node::NotJoined),
        answering("off: not agreed", status(off(Reason::NotAgreed))),
        answering("off: organisation", status(off(Reason::Organisation))),
        answering("off: rules broken", status(off(broken))),
        answering("off: no worker", status(off(no_worker))),
        answering("waiting: call", status(waiting(in_use(Signal::Call, "Firefox"), None))),
        answering("waiting: just left", status(waiting(Reason::JustLeft, after(4 * MINUTE_MS)))),
        answering("waiting: hours", status(waiting(Reason::OutsideHours, after(4 * HOUR_MS)))),
        answering("waiting: not known", status(waiting(unknown(Signal::Power, "UPower does not answer"), None))),
        answering("lending: idle", status(lending(2, 2, false))),
        answering("lending: one job", busy(lending(1, 2, false), 1)),
        answering("lending: three jobs", busy(lending(0, 3, false), 3)),
        answering("lending: finishing", busy(lending(0, 2, true), 1)),
        answering("lending: no model", status(lending(0, 0, false))),
        answering("lending: no connection", down(lending(2, 2, false), Code::RelayUnreachable)),
        answering("yielding", status(yielding(typing(), after(5_000)))),
        answering("yielding: until not known", status(yielding(typing(), None))),
        answering("paused: 1 h", status(paused(after(HOUR_MS)))),
        answering("paused: tomorrow", status(paused(Some(Until { unix_ms: 1_795_410_000_000 })))),
        answering("paused: days", status(paused(after(60 * HOUR_MS)))),
        answering("paused: over", status(paused(after(0)))),
        answering("paused: until resumed", status(paused(None))),
        failed,
    ]
}
