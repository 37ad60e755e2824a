//! A lender that alters one token of fifty, found out by real processes: real relay, real nodes, real workers.

use std::{path::Path, time::Duration};

use lull_engine::scripted::{CHEATING, Script};
use lull_node::{NodeApi as _, NodeOptions};
use lull_relay::admin::{self, NodeRow};
use lull_types::{ChatEvent, NodeId};

use crate::{
    pool::{Member, Org, model},
    support::{lending, question, whole, worker_program},
};

/// More jobs than it takes (36 to 162 in 30 runs).
const JOBS_MAX: usize = 1_500;
/// Questions at once: as many as there are slots. One at a time would all go to the fastest lender, and one that nobody
/// asks is not checked either.
const AT_ONCE: usize = 4;

async fn push(org: &Org, text: String) {
    let dir = org.dir.path().to_owned();
    let pushed = tokio::task::spawn_blocking(move || {
        admin::policy_push(&dir, "policy.toml", &text, 1, Duration::from_secs(20)).unwrap()
    });
    let reach = pushed.await.unwrap().reach.unwrap();
    assert_eq!((reach.following, reach.faults.len()), (reach.connected, 0));
}

fn quarantined(dir: &Path) -> Vec<NodeRow> {
    let nodes = admin::nodes(dir).unwrap().into_iter().map(|view| view.row);
    nodes.filter(|row| row.quarantined.is_some()).collect()
}

/// Who answered some questions that were asked at once.
async fn answered(asker: &Member) -> Vec<NodeId> {
    let one = async |number: usize| {
        let events = whole(asker.node.chat(question(&format!("question {number}"), 60)).await.unwrap()).await;
        let by = events.iter().find_map(|event| match event {
            ChatEvent::Started { by, .. } => Some(by.node),
            _ => None,
        });
        by.unwrap_or_else(|| panic!("nobody answered: {events:?}"))
    };
    futures::future::join_all((0..AT_ONCE).map(one)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lender_that_alters_one_token_in_fifty_is_found_out() {
    let org = Org::new();
    let relay = org.relay().await;
    let script = Script { length: 60, ..Script::default() };
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join(format!("lull-worker{CHEATING}"));
    std::fs::copy(worker_program(), &program).unwrap();
    let cheating = NodeOptions { worker_program: Some(program), slots: Some(2), ..lending() };
    let checker = org.member("checker", Some(&script)).await;
    let lender = org.member("honest", Some(&script)).await;
    let cheat = org.member_with("cheat", Some(&script), cheating).await;
    let asker = org.member("asker", None).await;
    model(&asker.node, |model| model.lenders == 3).await;
    let by = checker.enrolled.node;
    push(&org, format!("[checks]\nby = [\"{by}\"]\nper_thousand_jobs = 1000\nper_hour = 100000\n")).await;

    let mut jobs = 0;
    let found = loop {
        jobs += answered(&asker).await.len();
        let dir = org.dir.path().to_owned();
        let found = tokio::task::spawn_blocking(move || quarantined(&dir)).await.unwrap();
        if !found.is_empty() || jobs >= JOBS_MAX {
            break found;
        }
    };
    assert_eq!(found.len(), 1, "after {jobs} jobs");
    assert_eq!(found[0].node, cheat.enrolled.node, "{found:?}");
    println!("found out beside {jobs} jobs of others: {}", found[0].quarantined.as_deref().unwrap());
    for _ in 0..10 {
        assert!(!answered(&asker).await.contains(&cheat.enrolled.node), "it gets no job any more");
    }
    relay.shutdown().await;

    // It stays away when the relay starts again, until somebody lets it back.
    let relay = org.relay().await;
    model(&asker.node, |model| model.lenders == 3).await;
    for _ in 0..5 {
        assert!(!answered(&asker).await.contains(&cheat.enrolled.node), "nor after a restart");
    }
    let dir = org.dir.path().to_owned();
    let released = tokio::task::spawn_blocking(move || admin::release(&dir, "cheat").unwrap());
    assert_eq!(released.await.unwrap().node, cheat.enrolled.node);
    let mut back = 0;
    while !answered(&asker).await.contains(&cheat.enrolled.node) {
        back += AT_ONCE;
        assert!(back < JOBS_MAX, "it was let back and gets nothing");
    }
    for member in [&checker, &lender, &cheat, &asker] {
        member.node.shutdown().await;
    }
    relay.shutdown().await;
}
