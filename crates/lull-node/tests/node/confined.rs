//! What the sandbox of the workers means for whoever asks and for whoever lends.

use std::{fs, path::Path};

use lull_engine::scripted::Script;
use lull_node::{Node, NodeApi as _, NodeOptions};
use lull_types::{
    ChatEvent, ChatRequest, Code, Epoch, JobId, Label, Layer, Layers, LendingView, Pseudonym, Reason, StatusView, Tier,
    WorkerState, WorkerView,
};
use lull_wire::{
    control::{FromNode, FromRelay, Reserve},
    random,
};

use crate::{
    pool::{Member, Org, endless, model},
    support::{
        self, MODEL, add_model, fault, lending, next, question, relay::Relay, status, until, whole, worker_without,
    },
};

/// Why it does not lend, in words; empty if it is not for want of a worker.
fn no_worker(status: &StatusView) -> &str {
    match &status.lending {
        LendingView::Off { reason: Reason::NoWorker { why }, .. } => why,
        _ => "",
    }
}

fn lends(status: &StatusView) -> bool {
    matches!(status.lending, LendingView::Lending { .. })
}

fn rule(file: &Path, tier: &str) {
    let fresh = file.with_extension("new");
    fs::write(&fresh, format!("[sandbox]\ntier = \"{tier}\"\n")).unwrap();
    fs::rename(fresh, file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_layer_that_is_demanded_no_job_is_accepted() {
    let org = support::org::Org::new();
    let mut relay = Relay::start(&org).await;
    let (home, enrolled) = org.home(&relay.at(), "lender").await;
    add_model(home.path(), MODEL, &Script::default());
    let node = Node::start(home.path(), lending()).await.unwrap();
    let hash = |message| match message {
        FromNode::Offer(offer) => offer.models.first().map(|model| model.hash),
        _ => None,
    };
    let hash = relay.said(hash).await;
    node.shutdown().await;
    for layer in Tier::Basic.layers() {
        let options = NodeOptions { sandbox_skip: Layers::from([*layer]), ..lending() };
        let node = Node::start(home.path(), options).await.unwrap();
        let status = until(&node, |status| no_worker(status).contains(layer.name())).await;
        assert!(status.sandbox.summary.starts_with("none: 12 of 13 layers"), "{}", status.sandbox.summary);
        let offered = relay.said(|message| match message {
            FromNode::Offer(offer) => Some(offer.models.len()),
            _ => None,
        });
        assert_eq!(offered.await, 0, "{layer}");
        let job = JobId(random());
        let reserve = Reserve {
            job,
            epoch: Epoch::FIRST,
            model: hash,
            label: Label::public(),
            pseudonym: Pseudonym([7; 16]),
            prompt_tokens: 10,
            max_tokens: 50,
        };
        relay.peers.say(enrolled.node, FromRelay::Reserve(reserve));
        let reason = relay.said(|message| match message {
            FromNode::Accept { .. } => panic!("without {layer} a job was accepted"),
            FromNode::Decline { job: declined, reason, .. } if declined == job => Some(reason),
            _ => None,
        });
        let reason = reason.await;
        assert_eq!(reason.code, Code::Unconfined, "{reason}");
        assert!(reason.message.contains(layer.name()), "{reason}");
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stricter_rule_ends_the_workers_below_it_and_a_looser_one_has_them_back() {
    let org = Org::new();
    let relay = org.relay().await;
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("policy.toml");
    rule(&rules, "basic");
    let options = NodeOptions {
        worker_program: Some(worker_without(folder.path(), &[Layer::OwnRoot])),
        machine_rules: Some(rules.clone()),
        ..lending()
    };
    let script = Script { lacks: Layers::from([Layer::OwnRoot]), ..endless() };
    let lender = org.member_with("lender", Some(&script), options).await;
    let asker = org.member("asker", None).await;
    model(&asker.node, |model| model.lenders == 1).await;
    let mut chat = asker.node.chat(question("talk", 900_000)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    let before = status(&*lender.node).await;
    assert_eq!((before.sandbox.tier, before.sandbox.required), (Some(Tier::Basic), Tier::Basic));

    rule(&rules, "full");
    let status = until(&lender.node, |status| no_worker(status).contains("own_root")).await;
    assert_eq!((status.sandbox.tier, status.sandbox.required), (Some(Tier::Basic), Tier::Full));
    assert_eq!(status.sandbox.shortfalls.len(), 1);
    let ended = fault(&whole(chat).await);
    assert!(matches!(ended.code, Code::Unconfined | Code::Yielding | Code::WorkerDied | Code::LenderLost), "{ended}");
    until(&lender.node, |status| status.workers.iter().all(|worker| worker.pid.is_none())).await;

    rule(&rules, "basic");
    until(&lender.node, lends).await;
    model(&asker.node, |model| model.lenders == 1).await;
    let mut chat = asker.node.chat(question("talk", 900_000)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    drop(chat);
    tokio::join!(asker.node.shutdown(), lender.node.shutdown());
    relay.shutdown().await;
}

/// Its program says one thing and the worker another: it is told at the worker's first word, and not tried over and over.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_less_confined_than_its_program_says_is_given_nothing() {
    let org = Org::new();
    let relay = org.relay().await;
    let script = Script { lacks: Layers::from([Layer::Files]), ..Script::default() };
    let lender = org.member("lender", Some(&script)).await;
    let asker = org.member("asker", None).await;
    model(&asker.node, |model| model.lenders == 1).await;
    let chat = asker.node.chat(question("talk", 60)).await.unwrap();
    let status = until(&lender.node, |status| no_worker(status).contains("files")).await;
    assert_eq!((status.jobs_lent, status.sandbox.tier), (0, None));
    model(&asker.node, |model| model.lenders == 0).await;
    let after = until(&lender.node, |status| status.workers.iter().all(|worker| worker.pid.is_none())).await;
    assert!(after.workers.iter().all(|worker| worker.restarts == 0), "{:?}", after.workers);
    drop(chat);
    tokio::join!(asker.node.shutdown(), lender.node.shutdown());
    relay.shutdown().await;
}

fn labelled(label: Label) -> ChatRequest {
    ChatRequest { label, ..question("talk", 900_000) }
}

/// Has a job begin, and ends it; the process it ran in.
async fn process_of(asker: &Member, lender: &Member, label: Label) -> u32 {
    let mut chat = asker.node.chat(labelled(label.clone())).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    let busy = |status: &StatusView| status.workers.iter().any(|worker| worker.state == WorkerState::Busy);
    let status = until(&lender.node, busy).await;
    let pid = status.workers.iter().find_map(|worker| worker.pid).unwrap();
    drop(chat);
    let free = |status: &StatusView| matches!(status.lending, LendingView::Lending { free_slots: 1, .. });
    let shared = label == Label::public() || label == Label::internal();
    let next = |status: &StatusView| {
        let ready = |worker: &WorkerView| worker.state == WorkerState::Idle && (shared || worker.pid != Some(pid));
        status.workers.iter().any(ready)
    };
    until(&lender.node, |status| free(status) && next(status)).await;
    pid
}

/// Whether a process has no memory any more; it may still wait for its parent to look.
#[cfg(target_os = "linux")]
fn is_gone(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/statm")).map_or(true, |pages| pages.starts_with("0 "))
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn confidential_jobs_have_a_process_of_their_own_and_public_ones_share_theirs() {
    let org = Org::new();
    let relay = org.relay().await;
    let lender = org.member("lender", Some(&endless())).await;
    let (left, right) = (org.member("left", None).await, org.member("right", None).await);
    for asker in [&left, &right] {
        model(&asker.node, |model| model.lenders == 1).await;
    }
    let public = process_of(&left, &lender, Label::public()).await;
    assert_eq!(process_of(&right, &lender, Label::public()).await, public);
    assert_eq!(process_of(&right, &lender, Label::internal()).await, public);
    let first = process_of(&left, &lender, Label::confidential()).await;
    assert_ne!(first, public, "a process that ran other jobs");
    assert!(is_gone(first), "it is ended after the job");
    let second = process_of(&right, &lender, Label::confidential()).await;
    assert_ne!(first, second);
    let again = process_of(&right, &lender, Label::confidential()).await;
    assert_ne!(second, again);
    let unknown = left.node.chat(labelled("confidental".parse().unwrap())).await;
    assert_eq!(unknown.err().map(|fault| fault.code), Some(Code::BadRequest), "a slip takes no protection away");
    let last = process_of(&left, &lender, Label::public()).await;
    assert!(last != again, "nothing runs where a confidential job ran");
    assert_eq!(process_of(&left, &lender, Label::public()).await, last);
    tokio::join!(left.node.shutdown(), right.node.shutdown(), lender.node.shutdown());
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_knows_the_sandbox_before_any_worker_ran() {
    let org = Org::new();
    let relay = org.relay().await;
    let lender = org.member_with("lender", None, lending()).await;
    let found = until(&lender.node, lends).await;
    assert_eq!((found.sandbox.tier, found.sandbox.layers.len()), (Some(Tier::Full), Layer::ALL.len()));
    assert_eq!((found.sandbox.summary.as_str(), found.workers.len()), ("full: 13 of 13 layers", 0));
    let asker = org.member("asker", None).await;
    assert_eq!(status(&*asker.node).await.sandbox.required, Tier::Basic);
    lender.node.shutdown().await;
    asker.node.shutdown().await;
    relay.shutdown().await;
}
