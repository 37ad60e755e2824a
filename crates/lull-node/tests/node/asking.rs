//! Questions through the pool: asked at one node, answered by a worker at another.

use std::time::Duration;

use lull_engine::scripted::{Mishap, Script, What, When};
use lull_node::{Node, NodeApi};
use lull_types::{ChatEvent, Code, FinishReason, LendingView, LinkView, ModelPlace, Request, Response, WorkerState};
use lull_wire::job::{Outcome, Side};
use tempfile::TempDir;

use crate::support::{
    MODEL, PATIENCE, add_model, asking,
    broker::{Evil, Note, broker},
    fault, lending, next,
    org::Org,
    question,
    relay::{Peers, Relay},
    status, text, until, whole,
};

/// A relay, a submitter and a lender with one scripted model.
pub(crate) struct Pool {
    pub(crate) asker: std::sync::Arc<Node>,
    pub(crate) lender: std::sync::Arc<Node>,
    pub(crate) notes: tokio::sync::mpsc::UnboundedReceiver<Note>,
    pub(crate) org: Org,
    pub(crate) peers: Peers,
    homes: [TempDir; 2],
}

impl Pool {
    pub(crate) async fn new(script: &Script, evil: Evil) -> Self {
        Self::with_slots(script, evil, 1).await
    }

    pub(crate) async fn with_slots(script: &Script, evil: Evil, slots: u16) -> Self {
        let org = Org::new();
        let relay = Relay::start(&org).await;
        let at = relay.at();
        let (asker_home, _) = org.home(&at, "asker").await;
        let (lender_home, _) = org.home(&at, "lender").await;
        add_model(lender_home.path(), MODEL, script);
        let peers = relay.peers.clone();
        let notes = broker(&org, relay, evil);
        let options = lull_node::NodeOptions { slots: Some(slots), ..lending() };
        let lender = Node::start(lender_home.path(), options).await.unwrap();
        let asker = Node::start(asker_home.path(), asking()).await.unwrap();
        let mut pool = Self { asker, lender, notes, org, peers, homes: [asker_home, lender_home] };
        until(&pool.asker, |status| matches!(status.relay, lull_types::LinkView::Up { .. })).await;
        pool.note(|note| matches!(note, Note::Offer(offer) if offer.slots > 0).then_some(())).await;
        pool
    }

    pub(crate) async fn note<T>(&mut self, mut pick: impl FnMut(&Note) -> Option<T>) -> T {
        loop {
            let note = tokio::time::timeout(PATIENCE, self.notes.recv()).await.expect("no note came").unwrap();
            if let Some(found) = pick(&note) {
                return found;
            }
        }
    }

    /// The asking node's home.
    pub(crate) fn home(&self) -> &std::path::Path {
        self.homes[0].path()
    }

    pub(crate) async fn receipt(&mut self, side: Side) -> (Outcome, u32) {
        self.note(|note| match note {
            Note::Receipt(receipt) if receipt.side == side => Some((receipt.outcome, receipt.usage.completion_tokens)),
            _ => None,
        })
        .await
    }

    pub(crate) async fn end(self) {
        tokio::join!(self.asker.shutdown(), self.lender.shutdown());
    }
}

fn endless() -> Script {
    Script { length: 1_000_000, pace_us: 1_000, context: 1_000_000, ..Script::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_streams_across_two_nodes() {
    let script = Script { answer: Some("A relay cannot read.".into()), length: 20, ..Script::default() };
    let pool = Pool::new(&script, Evil::Honest).await;
    let events = whole(pool.asker.chat(question("What can a relay not do?", 50)).await.unwrap()).await;
    assert_eq!(text(&events), "A relay cannot read.");
    let ChatEvent::Started { by, .. } = &events[0] else { panic!("{:?}", events[0]) };
    assert_eq!((by.node, by.name.as_str()), (pool.lender.id(), "lender"));
    assert!(by.machine.ends_with(" threads") || by.machine == "1 thread", "{by:?}");
    assert_eq!(events.iter().filter(|event| matches!(event, ChatEvent::Started { .. })).count(), 1);
    let Some(ChatEvent::Done { finish, usage, timings }) = events.last() else { panic!() };
    assert_eq!((*finish, usage.completion_tokens), (FinishReason::Stop, 20));
    assert!(usage.prompt_tokens > 20);
    assert!(0 < timings.grant_us && timings.grant_us <= timings.first_token_us);
    assert!(timings.first_token_us <= timings.total_us);
    #[cfg(unix)]
    pool.homes.iter().for_each(|home| only_its_user_can_enter(home.path()));
    pool.end().await;
}

/// Nothing in a home is open to other users, whatever made it: node, store or worker's scratch.
#[cfg(unix)]
fn only_its_user_can_enter(home: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let metadata = entry.metadata().unwrap();
            assert_eq!(metadata.permissions().mode() & 0o077, 0, "{}", entry.path().display());
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_sign_the_same_count() {
    let mut pool = Pool::new(&Script { length: 12, ..Script::default() }, Evil::Honest).await;
    whole(pool.asker.chat(question("count", 50)).await.unwrap()).await;
    let mut sides = Vec::new();
    for _ in 0..2 {
        let (side, end) = pool
            .note(|note| match note {
                Note::Receipt(receipt) => Some((receipt.side, (receipt.outcome, receipt.usage.completion_tokens))),
                _ => None,
            })
            .await;
        assert_eq!(end, (Outcome::Completed, 12));
        sides.push(side);
    }
    assert_ne!(sides[0], sides[1]);
    let lent = until(&pool.lender, |status| status.jobs_lent == 1).await;
    assert_eq!(lent.workers[0].state, WorkerState::Idle);
    assert_eq!(status(&*pool.asker).await.jobs_asked, 1);
    pool.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_stops_the_worker_within_a_token() {
    // So slow that no token is on its way while another is being made.
    let slow = Script { pace_us: 300_000, ..endless() };
    let mut pool = Pool::new(&slow, Evil::Honest).await;
    let mut chat = pool.asker.chat(question("talk", 900_000)).await.unwrap();
    let mut received = 0;
    while received < 2 {
        received += u32::from(matches!(next(&mut chat).await, ChatEvent::Token(_)));
    }
    until(&pool.lender, |status| status.workers.iter().any(|worker| worker.state == WorkerState::Busy)).await;
    drop(chat);
    let (outcome, made) = pool.receipt(Side::Lender).await;
    assert_eq!(outcome, Outcome::Cancelled);
    assert!(made <= received + 1, "{made} made, {received} received");
    // The same worker, still alive, takes the next question at once.
    let mut chat = pool.asker.chat(question("again", 900_000)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    assert_eq!(status(&*pool.lender).await.workers[0].restarts, 0);
    drop(chat);
    assert_eq!(pool.receipt(Side::Submitter).await.0, Outcome::Cancelled);
    pool.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_the_worker_back() {
    let mut pool = Pool::new(&Script { pace_us: 0, ..endless() }, Evil::Honest).await;
    let chat = pool.asker.chat(question("talk", 900_000)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    drop(chat);
    let (outcome, tokens) = pool.receipt(Side::Lender).await;
    assert_eq!(outcome, Outcome::Cancelled);
    // Two stream windows of sealed frames, and the small queues: far from what the worker would have made by now.
    assert!(tokens < 12_000, "{tokens}");
    pool.end().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_is_a_clear_fault_and_replaced() {
    let mut pool = Pool::new(&endless(), Evil::Honest).await;
    let mut chat = pool.asker.chat(question("talk", 900_000)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    kill_workers(pool.homes[1].path());
    let fault = fault(&whole(chat).await);
    assert_eq!(fault.code, Code::WorkerDied, "{fault}");
    assert!(fault.message.contains("signal 9") && fault.message.ends_with("; ask again"), "{fault}");
    assert_eq!(pool.receipt(Side::Lender).await.0, Outcome::Failed(Code::WorkerDied));
    let back = until(&pool.lender, |status| {
        status.workers.iter().any(|worker| worker.state == WorkerState::Idle && worker.restarts == 1)
    })
    .await;
    assert_eq!(back.workers[0].last_fault.as_ref().map(|fault| fault.code), Some(Code::WorkerDied));
    let mut chat = pool.asker.chat(question("again", 900_000)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    drop(chat);
    pool.end().await;
}

/// Kills the worker processes of one home, as the system does when memory runs out.
#[cfg(target_os = "linux")]
fn kill_workers(home: &std::path::Path) {
    let home = home.canonicalize().unwrap();
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        if std::fs::read_link(entry.path().join("cwd")).is_ok_and(|folder| folder.starts_with(&home)) {
            let pid = entry.file_name().into_string().unwrap();
            assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
            killed += 1;
        }
    }
    assert_eq!(killed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_whose_workers_die_again_and_again_leaves_the_offer() {
    let mishap = Mishap { at: When::Token(3), what: What::Abort };
    let mut pool = Pool::new(&Script { mishap: Some(mishap), ..Script::default() }, Evil::Honest).await;
    let mut codes = Vec::new();
    for _ in 0..3 {
        let chat = pool.asker.chat(question("talk", 50)).await.unwrap();
        codes.push(fault(&whole(chat).await).code);
    }
    assert_eq!(codes, [Code::WorkerDied; 3]);
    pool.note(|note| matches!(note, Note::Offer(offer) if offer.models.is_empty()).then_some(())).await;
    // The offer goes out a moment before the node's own pages say the same.
    until(
        &pool.lender,
        |status| matches!(&status.lending, LendingView::Lending { words, .. } if words.contains("no model that works")),
    )
    .await;
    let Response::Models { models, .. } = pool.lender.call(Request::Models).await.unwrap() else { panic!() };
    assert_eq!(models[0].fault.as_ref().map(|fault| fault.code), Some(Code::WorkerDied));
    // Looking again gives it another chance.
    assert_eq!(pool.lender.call(Request::Rescan).await, Ok(Response::Done));
    pool.note(|note| matches!(note, Note::Offer(offer) if offer.models.len() == 1).then_some(())).await;
    pool.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lender_that_goes_in_the_middle_is_a_clear_fault() {
    let pool = Pool::new(&endless(), Evil::Honest).await;
    let mut chat = pool.asker.chat(question("talk", 900_000)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    pool.lender.shutdown().await;
    let fault = fault(&whole(chat).await);
    assert_eq!(fault.code, Code::LenderLost, "{fault}");
    pool.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_relay_is_not_a_lost_lender() {
    let pool = Pool::with_slots(&endless(), Evil::Honest, 2).await;
    for closed in [true, false] {
        until(&pool.asker, |status| matches!(status.relay, LinkView::Up { .. })).await;
        let mut chat = pool.asker.chat(question("talk", 900_000)).await.unwrap();
        while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
        // Either all of the connection goes, or the link alone notices that nothing will be said any more.
        let connection = pool.peers.hush(pool.asker.id());
        if closed {
            connection.close(1_u32.into(), b"gone");
        }
        let fault = fault(&whole(chat).await);
        assert_eq!(fault.code, Code::RelayUnreachable, "{fault}");
        assert!(fault.message.contains("the connection to the relay was lost"), "{fault}");
    }
    pool.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_lost_before_the_first_token_is_asked_again() {
    let script = Script { length: 3, pace_us: 500_000, answer: Some("yes".into()), ..Script::default() };
    let pool = Pool::with_slots(&script, Evil::Honest, 2).await;
    let mut chat = pool.asker.chat(question("talk", 50)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Started { .. }) {}
    pool.peers.get(pool.asker.id()).connection.close(1_u32.into(), b"gone");
    assert_eq!(text(&whole(chat).await), "yes");
    pool.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_waits_for_a_lender_and_can_be_taken_back() {
    let org = Org::new();
    let relay = Relay::start(&org).await;
    let (home, _) = org.home(&relay.at(), "asker").await;
    let mut notes = broker(&org, relay, Evil::Honest);
    let asker = Node::start(home.path(), asking()).await.unwrap();
    let mut chat = asker.chat(question("hello", 5)).await.unwrap();
    assert_eq!(next(&mut chat).await, ChatEvent::Queued { ahead: 0 });
    drop(chat);
    loop {
        let note = tokio::time::timeout(PATIENCE, notes.recv()).await.unwrap().unwrap();
        if matches!(note, Note::Cancelled) {
            break;
        }
    }
    let bad = asker.chat(question("hello", 0)).await.unwrap_err();
    assert_eq!(bad.code, Code::BadRequest);
    asker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_side_by_side_do_not_mix() {
    let pool = Pool::with_slots(&Script { length: 40, pace_us: 500, ..Script::default() }, Evil::Honest, 2).await;
    let ask = async |text_of_it: &str| {
        let chat = pool.asker.chat(question(text_of_it, 50)).await.unwrap();
        text(&whole(chat).await)
    };
    let (left, right) = tokio::join!(ask("left"), ask("right"));
    assert_ne!(left, right);
    // A scripted answer depends on its question alone.
    assert_eq!((ask("left").await, ask("right").await), (left, right));
    pool.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_seen_from_everywhere() {
    let pool = Pool::new(&Script::default(), Evil::Honest).await;
    let Response::Models { models, .. } = pool.lender.call(Request::Models).await.unwrap() else { panic!() };
    assert_eq!((models[0].name.as_str(), models[0].place), (MODEL, ModelPlace::Here));
    assert_eq!(models[0].context, Some(4096));
    pool.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_tells_those_who_ask() {
    let pool = Pool::new(&endless(), Evil::Honest).await;
    let mut chat = pool.asker.chat(question("talk", 900_000)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    pool.asker.call(Request::Stop).await.unwrap();
    assert_eq!(fault(&whole(chat).await).code, Code::Cancelled);
    pool.asker.stopped().await;
    assert_eq!(pool.asker.chat(question("more", 5)).await.unwrap_err().code, Code::Cancelled);
    pool.end().await;
}
