//! Rules that change while jobs run: what they forbid stops, and nothing else.

use std::{path::Path, time::Duration};

use lull_node::{Chat, Node, NodeApi, NodeOptions};
use lull_relay::admin::{self, Pushed};
use lull_types::{ChatEvent, ChatRequest, Code, Label, LendingView, Reason, StatusView, WorkerState};
use lull_wire::{
    Signed,
    control::FromRelay,
    job::{Outcome, Side},
    policy::PolicyDocument,
};

use crate::{
    asking::Pool,
    pool::{Org, endless, model},
    support::{
        PATIENCE,
        broker::Evil,
        fault, lending, next,
        org::{DAY_S, now_s},
        question, until, whole,
    },
};

const TWO: u16 = 2;

fn labelled(label: Label) -> ChatRequest {
    ChatRequest { label, ..question("talk", 900_000) }
}

/// A question whose answer has begun.
async fn begun(node: &Node, label: Label) -> Chat {
    let mut chat = node.chat(labelled(label)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    chat
}

/// The end of an answer, and how many tokens came before.
async fn ended(chat: &mut Chat) -> (ChatEvent, usize) {
    let mut tokens = 0;
    loop {
        match next(chat).await {
            ChatEvent::Token(_) => tokens += 1,
            event if event.is_last() => return (event, tokens),
            _ => {}
        }
    }
}

/// Sees that an answer still goes on.
async fn goes_on(chat: &mut Chat) {
    for _ in 0..300 {
        let event = next(chat).await;
        assert!(matches!(event, ChatEvent::Token(_)), "{event:?}");
    }
}

async fn push(dir: &Path, text: &str) -> Pushed {
    let (dir, text) = (dir.to_owned(), text.to_owned());
    let pushing = move || admin::policy_push(&dir, "policy.toml", &text, 90, Duration::from_secs(20)).unwrap();
    tokio::task::spawn_blocking(pushing).await.unwrap()
}

fn is_forbidden(end: &ChatEvent) {
    assert!(matches!(end, ChatEvent::Failed(fault) if fault.code == Code::Forbidden), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_may_not_run_there_any_more_stops_and_the_other_goes_on() {
    let org = Org::new();
    let relay = org.relay().await;
    let options = NodeOptions { slots: Some(TWO), ..lending() };
    let lender = org.member_with("lender", Some(&endless()), options).await;
    let asker = org.member("asker", None).await;
    model(&asker.node, |model| model.lenders == 1).await;
    let (mut internal, mut public) =
        tokio::join!(begun(&asker.node, Label::internal()), begun(&asker.node, Label::public()));
    let pushed = push(org.dir.path(), "[labels.internal]\naskers = [\"nobody\"]\n").await;
    let reach = pushed.reach.unwrap();
    assert_eq!((reach.connected, reach.following, reach.faults.len()), (2, 2, 0));
    is_forbidden(&ended(&mut internal).await.0);
    goes_on(&mut public).await;
    // And none begins.
    let refused = asker.node.chat(labelled(Label::internal())).await;
    assert_eq!(refused.err().map(|fault| fault.code), Some(Code::Forbidden));
    // Control: with the rule gone, one does.
    push(org.dir.path(), "").await;
    drop(begun(&asker.node, Label::internal()).await);
    goes_on(&mut public).await;
    drop(public);
    tokio::join!(asker.node.shutdown(), lender.node.shutdown());
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_may_not_be_used_any_more_stops() {
    let org = Org::new();
    let relay = org.relay().await;
    let lender = org.member("lender", Some(&endless())).await;
    let asker = org.member("asker", None).await;
    model(&asker.node, |model| model.lenders == 1).await;
    let mut chat = begun(&asker.node, Label::internal()).await;
    // Control: a policy that allows it disturbs nothing.
    push(org.dir.path(), "[models]\nallow = [\"parrot\"]\n").await;
    goes_on(&mut chat).await;
    push(org.dir.path(), "[models]\nallow = [\"another\"]\n").await;
    is_forbidden(&ended(&mut chat).await.0);
    tokio::join!(asker.node.shutdown(), lender.node.shutdown());
    relay.shutdown().await;
}

/// Where lenders are forbidden and the question is not, it goes on elsewhere, or waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_lender_that_may_not_see_it_any_more_stops_and_the_question_waits_for_another() {
    let org = Org::new();
    let relay = org.relay().await;
    let lender = org.member("lender", Some(&endless())).await;
    let asker = org.member("asker", None).await;
    model(&asker.node, |model| model.lenders == 1).await;
    let mut chat = begun(&asker.node, Label::internal()).await;
    push(org.dir.path(), "[labels.internal]\nlenders = [\"nobody\"]\n").await;
    let idle = |status: &StatusView| {
        status.workers.iter().all(|worker| worker.state != WorkerState::Busy) && !status.workers.is_empty()
    };
    until(&lender.node, idle).await;
    let after = next_but_tokens(&mut chat).await;
    println!("the asker hears: {after:?}");
    assert!(!matches!(after, ChatEvent::Done { .. }), "{after:?}");
    drop(chat);
    tokio::join!(asker.node.shutdown(), lender.node.shutdown());
    relay.shutdown().await;
}

async fn next_but_tokens(chat: &mut Chat) -> ChatEvent {
    loop {
        match next(chat).await {
            ChatEvent::Token(_) => {}
            event => return event,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lending_that_the_policy_ends_ends_at_once() {
    let org = Org::new();
    let relay = org.relay().await;
    let lender = org.member("lender", Some(&endless())).await;
    let asker = org.member("asker", None).await;
    model(&asker.node, |model| model.lenders == 1).await;
    let mut chat = begun(&asker.node, Label::internal()).await;
    push(org.dir.path(), "[lend]\nenabled = false\n").await;
    let off = |status: &StatusView| matches!(&status.lending, LendingView::Off { reason: Reason::Organisation, .. });
    until(&lender.node, off).await;
    until(&lender.node, |status| status.workers.iter().all(|worker| worker.state != WorkerState::Busy)).await;
    let (end, _) = ended(&mut chat).await;
    assert!(matches!(&end, ChatEvent::Failed(fault) if fault.code == Code::Yielding), "{end:?}");
    // Control: it lends again when the policy says nothing against it.
    push(org.dir.path(), "").await;
    until(&lender.node, |status| matches!(status.lending, LendingView::Lending { .. })).await;
    drop(begun(&asker.node, Label::internal()).await);
    tokio::join!(asker.node.shutdown(), lender.node.shutdown());
    relay.shutdown().await;
}

fn policy(version: u64, life_s: u64, text: &str) -> PolicyDocument {
    let now_s = now_s();
    PolicyDocument { org: "Acme".into(), version, issued_s: now_s, not_after_s: now_s + life_s, text: text.into() }
}

/// The relay tells only the lender, and cuts nothing itself: the lender stops by its own word.
#[tokio::test(flavor = "multi_thread")]
async fn a_lender_stops_what_is_forbidden_though_the_relay_lets_it_run() {
    let mut pool = Pool::with_slots(&endless(), Evil::Honest, 1).await;
    let say = |policy: &PolicyDocument| {
        let signed = Signed::sign(policy, &pool.org.root).unwrap();
        pool.peers.say(pool.lender.id(), FromRelay::Policy(signed));
    };
    for (step, text) in
        ["[labels.internal]\naskers = [\"nobody\"]\n", "[models]\nallow = [\"another\"]\n"].into_iter().enumerate()
    {
        let version = 2 * step as u64 + 1;
        let mut chat = begun(&pool.asker, Label::internal()).await;
        say(&policy(version, DAY_S, text));
        let (end, _) = ended(&mut chat).await;
        is_forbidden(&end);
        // Control: the same runs on under a later policy that says nothing against it.
        say(&policy(version + 1, DAY_S, ""));
        let again = async { while fails(&pool.asker).await == Some(Code::Forbidden) {} };
        tokio::time::timeout(PATIENCE, again).await.unwrap();
    }
    assert_eq!(pool.receipt(Side::Lender).await.0, Outcome::Failed(Code::Forbidden));
    pool.end().await;
}

async fn fails(node: &Node) -> Option<Code> {
    let events = whole(node.chat(question("short", 5)).await.unwrap()).await;
    matches!(events.last(), Some(ChatEvent::Failed(_))).then(|| fault(&events).code)
}

/// The rules end while a job runs, and no newer ones come.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_ends_takes_the_jobs_under_it_along() {
    let pool = Pool::with_slots(&endless(), Evil::Honest, 1).await;
    let policy = policy(1, 4, "");
    let signed = Signed::sign(&policy, &pool.org.root).unwrap();
    pool.peers.say(pool.lender.id(), FromRelay::Policy(signed));
    let mut chat = begun(&pool.asker, Label::public()).await;
    goes_on(&mut chat).await;
    let over = |status: &StatusView| match &status.lending {
        LendingView::Off { reason: Reason::RulesBroken { why }, .. } => why.contains("it ended"),
        _ => false,
    };
    until(&pool.lender, over).await;
    assert!(now_s() >= policy.not_after_s);
    until(&pool.lender, |status| status.workers.iter().all(|worker| worker.state != WorkerState::Busy)).await;
    let after = tokio::time::timeout(PATIENCE, next_but_tokens(&mut chat)).await.unwrap();
    println!("the asker hears: {after:?}");
    assert!(!matches!(after, ChatEvent::Done { .. }));
    drop(chat);
    pool.end().await;
}
