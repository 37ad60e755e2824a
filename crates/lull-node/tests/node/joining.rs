//! Enrolment, renewal and coming back, against a relay made for tests.

use std::time::{Duration, Instant};

use crate::support::{
    add_model, asking, lending,
    org::{Org, now_s},
    relay::{Policy, Relay, Seen},
    status, until,
};
use lull_node::{Node, enroll};
use lull_types::{Code, Fault, LendingView, LinkView, StatusView};
use lull_wire::{
    Signed, Token,
    control::{FromNode, FromRelay},
    identity::RelayStatement,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_makes_a_member_once() {
    let org = Org::new();
    let mut relay = Relay::start(&org).await;
    let home = tempfile::tempdir().unwrap();
    let missing = Node::start(home.path(), asking()).await.unwrap_err();
    assert_eq!(missing.code, Code::NotEnrolled);
    assert!(missing.message.contains("lull node enroll TOKEN"), "{missing}");

    let token: Token = org.token(&relay.at()).to_string().parse().unwrap();
    let enrolled = enroll(home.path(), &token, Some("desk 7".into()), false).await.unwrap();
    assert_eq!((enrolled.name.as_str(), enrolled.org.as_str()), ("desk 7", "Acme"));
    assert_eq!(enrolled.groups, ["lab"]);
    let again = enroll(home.path(), &token, None, false).await.unwrap_err();
    assert!(again.message.contains("--force"), "{again}");
    let anew = enroll(home.path(), &token, Some("desk 8".into()), true).await.unwrap();
    assert_ne!(anew.node, enrolled.node);

    let node = Node::start(home.path(), asking()).await.unwrap();
    assert_eq!(relay.up().await, anew.node);
    let here = |status: &StatusView| matches!(status.relay, LinkView::Up { .. });
    let off = |status: &StatusView| matches!(status.lending, LendingView::Off { .. });
    let status = until(&node, |status| here(status) && off(status)).await;
    assert_eq!((status.node, status.name.as_str()), (anew.node, "desk 8"));
    assert_eq!(status.sandbox.required, lull_types::Tier::Basic, "{:?}", status.sandbox);
    assert_eq!(Node::start(home.path(), asking()).await.unwrap_err().code, Code::Busy);
    assert_eq!(enroll(home.path(), &token, None, true).await.unwrap_err().code, Code::Busy);
    node.shutdown().await;
    Node::start(home.path(), asking()).await.unwrap().shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_stored_unless_all_of_it_succeeds() {
    let org = Org::new();
    let relay = Relay::start(&org).await;
    let home = tempfile::tempdir().unwrap();
    let over = org.token_until(&relay.at(), now_s() - 10);
    assert_eq!(enroll(home.path(), &over, None, false).await.unwrap_err().code, Code::Expired);

    let stranger = Org::new();
    let wrong = stranger.token(&relay.at());
    assert_eq!(enroll(home.path(), &wrong, None, false).await.unwrap_err().code, Code::BadSeal);

    let refusal = Fault::new(Code::InvitationUsed, "used up");
    relay.policy.lock().unwrap().refuse = Some(refusal.clone());
    assert_eq!(enroll(home.path(), &org.token(&relay.at()), None, false).await.unwrap_err(), refusal);

    let forged = RelayStatement { serial: 9, ..org.statement.open(&org.root()).unwrap() };
    let forged = Signed::sign(&forged, &stranger.root).unwrap();
    *relay.policy.lock().unwrap() = Policy { statement: Some(forged), ..Policy::default() };
    assert_eq!(enroll(home.path(), &org.token(&relay.at()), None, false).await.unwrap_err().code, Code::BadSeal);

    let files: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["node.lock"]);
}

/// Nobody listens at the relay's address: whoever asked it would hear of that, and not of the disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_takes_nothing_spends_no_invitation() {
    let org = Org::new();
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("room.new")).unwrap();
    let fault = enroll(home.path(), &org.token("127.0.0.1:1"), None, false).await.unwrap_err();
    assert_eq!(fault.code, Code::Storage, "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_that_cannot_be_stored_leaves_no_part_of_it() {
    let org = Org::new();
    let relay = Relay::start(&org).await;
    for taken in ["device.key", "transport.json"] {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(taken)).unwrap();
        let fault = enroll(home.path(), &org.token(&relay.at()), None, false).await.unwrap_err();
        assert_eq!(fault.code, Code::Storage, "{fault}");
        let mut files: Vec<_> =
            std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        files.sort();
        let mut expected = [taken, "node.lock"];
        expected.sort_unstable();
        assert_eq!(files, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_another_replaces_says_so_and_stays_away() {
    let org = Org::new();
    let mut relay = Relay::start(&org).await;
    let (home, enrolled) = org.home(&relay.at(), "cloned").await;
    let node = Node::start(home.path(), asking()).await.unwrap();
    relay.up().await;
    until(&node, |status| matches!(status.relay, LinkView::Up { .. })).await;
    relay.peers.get(enrolled.node).connection.close(2_u32.into(), b"a newer connection of this node took over");
    let replaced = until(
        &node,
        |status| matches!(&status.relay, LinkView::Down { reason, .. } if reason.message.contains("another machine")),
    )
    .await;
    let LinkView::Down { reason, .. } = replaced.relay else { unreachable!() };
    assert!(reason.message.contains("`lull node enroll TOKEN --force`"), "{reason}");
    // A node that comes back as after other losses is here within some hundred milliseconds.
    let back = tokio::time::timeout(Duration::from_secs(1), relay.seen.recv()).await;
    assert!(!matches!(back, Ok(Some(Seen::Up(_)))), "it came back at once");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_relay_has_every_node_back_within_five_seconds() {
    let org = Org::new();
    let mut relay = Relay::start(&org).await;
    let mut nodes = Vec::new();
    let mut homes = Vec::new();
    for name in ["a", "b", "c"] {
        let (home, _) = org.home(&relay.at(), name).await;
        nodes.push(Node::start(home.path(), asking()).await.unwrap());
        relay.up().await;
        homes.push(home);
    }
    for node in &nodes {
        until(node, |status| matches!(status.relay, LinkView::Up { .. })).await;
    }
    let address = relay.stop().await;
    for node in &nodes {
        until(node, |status| matches!(status.relay, LinkView::Down { .. })).await;
    }
    // Long enough for waits to have grown to their bound.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let started = Instant::now();
    let mut relay = Relay::start_at(&org, address).await;
    for _ in &nodes {
        relay.up().await;
    }
    println!("back after {:?}", started.elapsed());
    // A guard, not the promise (5 s, printed): sooner than QUIC itself would notice, so the reset has told it.
    assert!(started.elapsed() < lull_net::IDLE_MAX, "{:?}", started.elapsed());
    for node in &nodes {
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_over_is_renewed_at_the_door() {
    let org = Org::new();
    let mut relay = Relay::start(&org).await;
    relay.policy.lock().unwrap().life_s = 30;
    let (home, enrolled) = org.home(&relay.at(), "short").await;
    relay.policy.lock().unwrap().life_s = 3600;
    let node = Node::start(home.path(), asking()).await.unwrap();
    assert_eq!(relay.up().await, enrolled.node);
    let status = until(&node, |status| matches!(status.relay, LinkView::Up { .. })).await;
    let LinkView::Up { certificate_until_s, .. } = status.relay else { unreachable!() };
    assert!(certificate_until_s > enrolled.certificate_until_s + 3000);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_at_half_life_and_used_when_nothing_runs() {
    let org = Org::new();
    let mut relay = Relay::start(&org).await;
    // Over the margin, so that it counts at connect; half of it has gone by when it is made.
    relay.policy.lock().unwrap().life_s = 62;
    let (home, enrolled) = org.home(&relay.at(), "renews").await;
    let path = home.path().join("transport.json");
    let mut file: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    file["issued_s"] = (now_s() - 62).into();
    std::fs::write(&path, serde_json::to_vec(&file).unwrap()).unwrap();
    relay.policy.lock().unwrap().life_s = 3600;
    let node = Node::start(home.path(), asking()).await.unwrap();
    assert_eq!(relay.up().await, enrolled.node);
    assert_eq!(relay.up().await, enrolled.node, "it comes again with the new certificate");
    until(&node, |status| {
        matches!(status.relay, LinkView::Up { certificate_until_s, .. } if certificate_until_s > now_s() + 3000)
    })
    .await;
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_node_stays_away_and_says_why() {
    let org = Org::new();
    let mut relay = Relay::start(&org).await;
    let (home, enrolled) = org.home(&relay.at(), "gone").await;
    let node = Node::start(home.path(), asking()).await.unwrap();
    relay.up().await;
    let revoked = Fault::new(Code::Revoked, "IT took this machine's membership back");
    relay.peers.say(enrolled.node, FromRelay::Goodbye(revoked.clone()));
    let status =
        until(&node, |status| matches!(&status.relay, LinkView::Down { reason, .. } if reason.code == Code::Revoked))
            .await;
    assert!(matches!(status.relay, LinkView::Down { reason, .. } if reason == revoked));
    let chat = lull_node::NodeApi::chat(&*node, crate::support::question("hello", 4)).await.unwrap();
    assert_eq!(crate::support::fault(&crate::support::whole(chat).await), revoked);
    while let Ok(seen) = relay.seen.try_recv() {
        assert!(!matches!(seen, Seen::Up(_)), "it came back");
    }
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_lends_only_when_it_is_dedicated_or_somebody_agreed() {
    let org = Org::new();
    let mut relay = Relay::start(&org).await;
    for (name, options, slots) in [("plain", asking(), 0), ("dedicated", lending(), 1)] {
        let (home, _) = org.home(&relay.at(), name).await;
        add_model(home.path(), crate::support::MODEL, &lull_engine::scripted::Script::default());
        let node = Node::start(home.path(), options).await.unwrap();
        let offer = relay
            .said(|message| match message {
                FromNode::Offer(offer) if offer.slots == slots => Some(offer),
                _ => None,
            })
            .await;
        assert_eq!(offer.models.len(), usize::from(slots));
        let lends = matches!(status(&*node).await.lending, LendingView::Lending { .. });
        assert_eq!(lends, slots > 0);
        node.shutdown().await;
    }
}
