//! The node with the real relay.

use std::{
    net::{SocketAddr, UdpSocket},
    path::Path,
    sync::Arc,
    time::Instant,
};

use lull_engine::scripted::Script;
use lull_node::{Enrolled, Node, NodeApi, NodeOptions, enroll};
use lull_relay::{
    Relay, RelayOptions,
    admin::{self, TokenWish},
};
use lull_types::{ChatEvent, Code, LendingView, LinkView, ModelPlace, ModelView, Request, Response, WorkerState};
use tempfile::TempDir;

use crate::support::{MODEL, PATIENCE, add_model, asking, fault, lending, next, question, status, text, until, whole};

pub(crate) struct Org {
    pub(crate) dir: TempDir,
    address: SocketAddr,
}

pub(crate) struct Member {
    pub(crate) node: Arc<Node>,
    pub(crate) enrolled: Enrolled,
    _home: TempDir,
}

impl Org {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Below the ports that systems hand out, so that nothing takes it between two starts of the relay.
        let mut ports = (12_000..15_000_u16).cycle().skip(std::process::id() as usize % 3_000).take(3_000);
        let free = ports.find(|&port| UdpSocket::bind(("127.0.0.1", port)).is_ok()).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free));
        lull_relay::init(dir.path(), "Acme", &address.to_string()).unwrap();
        Self { dir, address }
    }

    pub(crate) async fn relay(&self) -> Relay {
        Relay::start(self.dir.path(), RelayOptions { listen: self.address, admin: None }).await.unwrap()
    }

    pub(crate) fn token(&self) -> lull_wire::Token {
        admin::token_create(self.dir.path(), &TokenWish { uses: 1, ttl_s: 3600, ..TokenWish::default() }).unwrap()
    }

    pub(crate) async fn member(&self, name: &str, script: Option<&Script>) -> Member {
        let options = script.map_or_else(asking, |_| NodeOptions { slots: Some(1), ..lending() });
        self.member_with(name, script, options).await
    }

    pub(crate) async fn member_with(&self, name: &str, script: Option<&Script>, options: NodeOptions) -> Member {
        let home = tempfile::tempdir().unwrap();
        let token =
            admin::token_create(self.dir.path(), &TokenWish { uses: 1, ttl_s: 3600, ..TokenWish::default() }).unwrap();
        let enrolled = enroll(home.path(), &token, Some(name.into()), false).await.unwrap();
        if let Some(script) = script {
            add_model(home.path(), MODEL, script);
        }
        let node = Node::start(home.path(), options).await.unwrap();
        until(&node, |status| matches!(status.relay, LinkView::Up { .. })).await;
        Member { node, enrolled, _home: home }
    }
}

pub(crate) async fn model(node: &Arc<Node>, mut wish: impl FnMut(&ModelView) -> bool) {
    let mut events = node.events();
    let waiting = async {
        loop {
            let Response::Models { models, .. } = node.call(Request::Models).await.unwrap() else { panic!() };
            if models.iter().any(|model| model.name == MODEL && wish(model)) {
                return;
            }
            let _ = events.recv().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the model never came");
}

async fn ask(node: &Arc<Node>, text_of_it: &str) -> String {
    text(&whole(node.chat(question(text_of_it, 60)).await.unwrap()).await)
}

pub(crate) fn endless() -> Script {
    Script { length: 1_000_000, pace_us: 1_000, context: 1_000_000, ..Script::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_askers_share_one_lender() {
    let org = Org::new();
    let relay = org.relay().await;
    let lender = org.member("lender", Some(&Script { length: 30, pace_us: 300, ..Script::default() })).await;
    let (left, right) = (org.member("left", None).await, org.member("right", None).await);
    model(&left.node, |model| model.place == ModelPlace::Pool && model.lenders == 1).await;
    let (one, two) = tokio::join!(ask(&left.node, "one"), ask(&right.node, "two"));
    assert_ne!(one, two);
    assert_eq!(ask(&right.node, "one").await, one);
    let lent = until(&lender.node, |status| status.jobs_lent == 3).await;
    assert!(matches!(lent.lending, LendingView::Lending { slots: 1, .. }));
    for member in [&left, &right, &lender] {
        member.node.shutdown().await;
    }
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_stops_the_worker_and_leaving_the_queue_harms_nobody() {
    let org = Org::new();
    let relay = org.relay().await;
    let lender = org.member("lender", Some(&endless())).await;
    let asker = org.member("asker", None).await;
    model(&asker.node, |model| model.lenders == 1).await;
    let mut first = asker.node.chat(question("talk", 900_000)).await.unwrap();
    while !matches!(next(&mut first).await, ChatEvent::Token(_)) {}
    let mut second = asker.node.chat(question("wait", 900_000)).await.unwrap();
    assert!(matches!(next(&mut second).await, ChatEvent::Queued { .. }));
    drop(second);
    let mut third = asker.node.chat(question("wait, too", 900_000)).await.unwrap();
    assert!(matches!(next(&mut third).await, ChatEvent::Queued { .. }));
    drop(first);
    while !matches!(next(&mut third).await, ChatEvent::Token(_)) {}
    drop(third);
    until(&lender.node, |status| {
        matches!(status.lending, LendingView::Lending { free_slots: 1, .. })
            && status.workers.iter().all(|worker| worker.state == WorkerState::Idle && worker.restarts == 0)
    })
    .await;
    tokio::join!(asker.node.shutdown(), lender.node.shutdown());
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lender_that_goes_is_a_clear_fault() {
    let org = Org::new();
    let relay = org.relay().await;
    let lender = org.member("lender", Some(&endless())).await;
    let asker = org.member("asker", None).await;
    model(&asker.node, |model| model.lenders == 1).await;
    let mut chat = asker.node.chat(question("talk", 900_000)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    lender.node.shutdown().await;
    let fault = fault(&whole(chat).await);
    assert_eq!(fault.code, Code::LenderLost, "{fault}");
    asker.node.shutdown().await;
    relay.shutdown().await;
}

/// Its runtime goes away under it, so that it can say nothing: as when the process is killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_lender_that_is_killed_is_a_clear_fault() {
    let org = Org::new();
    let relay = org.relay().await;
    let asker = org.member("asker", None).await;
    let home = tempfile::tempdir().unwrap();
    let token =
        admin::token_create(org.dir.path(), &TokenWish { uses: 1, ttl_s: 3600, ..TokenWish::default() }).unwrap();
    enroll(home.path(), &token, Some("killed".into()), false).await.unwrap();
    add_model(home.path(), MODEL, &endless());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let path = home.path().to_owned();
    let lender = runtime.spawn(async move { Node::start(&path, lending()).await.unwrap() }).await.unwrap();
    model(&asker.node, |model| model.lenders == 1).await;
    let mut chat = asker.node.chat(question("talk", 900_000)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    runtime.shutdown_background();
    let fault = fault(&whole(chat).await);
    assert_eq!(fault.code, Code::LenderLost, "{fault}");
    drop(lender);
    asker.node.shutdown().await;
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_restarts_lets_answers_end_and_has_everybody_back() {
    let org = Org::new();
    let relay = org.relay().await;
    let script = Script { length: 60, pace_us: 20_000, ..Script::default() };
    let lender = org.member("lender", Some(&script)).await;
    let asker = org.member("asker", None).await;
    model(&asker.node, |model| model.lenders == 1).await;
    let mut chat = asker.node.chat(question("slowly", 60)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    // The answer takes more than a second from here: the relay must wait for it.
    let (events, ()) = tokio::join!(whole(chat), relay.shutdown());
    assert!(matches!(events.last(), Some(ChatEvent::Done { .. })), "{:?}", events.last());
    for member in [&asker, &lender] {
        until(&member.node, |status| matches!(status.relay, LinkView::Down { .. })).await;
    }
    let started = Instant::now();
    let relay = org.relay().await;
    model(&asker.node, |model| model.lenders == 1).await;
    println!("back after {:?}", started.elapsed());
    // A guard, not the promise (5 s, printed): sooner than QUIC itself would notice, so the reset has told them.
    assert!(started.elapsed() < lull_net::IDLE_MAX, "{:?}", started.elapsed());
    assert_eq!(ask(&asker.node, "again").await.len(), text_length(&script));
    tokio::join!(asker.node.shutdown(), lender.node.shutdown());
    relay.shutdown().await;
}

/// Scripted words are of single bytes.
fn text_length(script: &Script) -> usize {
    script.length as usize
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_asked_while_the_relay_is_away_waits_for_it() {
    let org = Org::new();
    let relay = org.relay().await;
    let lender = org.member("lender", Some(&Script { length: 5, ..Script::default() })).await;
    let asker = org.member("asker", None).await;
    relay.shutdown().await;
    for member in [&asker, &lender] {
        until(&member.node, |status| matches!(status.relay, LinkView::Down { .. })).await;
    }
    let chat = asker.node.chat(question("are you there?", 60)).await.unwrap();
    let relay = org.relay().await;
    assert_eq!(text(&whole(chat).await).len(), 5);
    tokio::join!(asker.node.shutdown(), lender.node.shutdown());
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_node_is_cut_off_and_stays_away() {
    let org = Org::new();
    let relay = org.relay().await;
    let member = org.member("gone", None).await;
    revoke(org.dir.path(), &member.enrolled.node.to_string()).await;
    until(
        &member.node,
        |status| matches!(&status.relay, LinkView::Down { reason, .. } if reason.code == Code::Revoked),
    )
    .await;
    let chat = member.node.chat(question("hello", 4)).await.unwrap();
    assert_eq!(fault(&whole(chat).await).code, Code::Revoked);
    assert!(matches!(status(&*member.node).await.relay, LinkView::Down { .. }));
    member.node.shutdown().await;
    // A fresh start finds the same answer at the door.
    let node = Node::start(member._home.path(), asking()).await.unwrap();
    until(&node, |status| matches!(&status.relay, LinkView::Down { reason, .. } if reason.code == Code::Revoked)).await;
    node.shutdown().await;
    relay.shutdown().await;
}

/// A home that was copied to another machine.
#[tokio::test(flavor = "multi_thread")]
async fn two_machines_with_one_identity_do_not_throw_each_other_out_all_the_time() {
    let org = Org::new();
    let relay = org.relay().await;
    let member = org.member("cloned", None).await;
    let copy = tempfile::tempdir().unwrap();
    for name in ["device.key", "member.key", "node.json", "transport.json"] {
        std::fs::copy(member._home.path().join(name), copy.path().join(name)).unwrap();
    }
    let clone = Node::start(copy.path(), asking()).await.unwrap();
    let replaced = |status: &lull_types::StatusView| matches!(&status.relay, LinkView::Down { reason, .. } if reason.message.contains("another machine uses"));
    until(&member.node, replaced).await;
    until(&clone, |status| matches!(status.relay, LinkView::Up { .. })).await;
    assert!(replaced(&status(&*member.node).await), "the first one stays away");
    tokio::join!(member.node.shutdown(), clone.shutdown());
    relay.shutdown().await;
}

async fn revoke(dir: &Path, node: &str) {
    let (dir, node) = (dir.to_owned(), node.to_owned());
    tokio::task::spawn_blocking(move || admin::revoke(&dir, &node).unwrap()).await.unwrap();
}
