//! The relay at work: joining, lending, asking, and every way in which that ends.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use common::{Device, Node, Org, now_s, offer, run, running, soon, submit};
use lull_relay::{
    Relay, RelayError, RelayOptions,
    admin::{self, Deed, TokenWish},
};
use lull_types::{Code, Epoch, Fault};
use lull_wire::{
    SecretKey, Signed, Token,
    control::{FromNode, FromRelay},
    identity::Invitation,
    job::{Side, StreamEnd},
    random,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_brings_in_as_many_devices_as_it_says_and_each_may_renew() {
    let org = Org::start().await;
    let token = org.token(&["a"], 2);
    let devices: Vec<_> = ["one", "two", "three"].iter().map(|name| Device::new(&token, name)).collect();
    for device in &devices[..2] {
        for _ in 0..3 {
            let identity = device.enrol(&org.address()).await.unwrap();
            assert!((86_300..=86_400).contains(&(identity.not_after_s - now_s())));
        }
    }
    assert_eq!(devices[2].enrol(&org.address()).await.unwrap_err().code, Code::InvitationUsed);
    let rows = admin::nodes(org.dir()).unwrap();
    let names: Vec<_> = rows.iter().map(|node| node.row.name.as_str()).collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(rows[0].connected, Some(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uses_are_counted_right_when_many_join_at_once() {
    let org = Org::start().await;
    let token = org.token(&[], 5);
    let devices: Vec<_> = (0..12).map(|n| Device::new(&token, &format!("n{n}"))).collect();
    let address = org.address();
    let joined = futures::future::join_all(devices.iter().map(|device| device.enrol(&address))).await;
    assert_eq!(joined.iter().filter(|result| result.is_ok()).count(), 5);
}

/// A token whose invitation `change` has rewritten, signed by `root`.
fn forged(token: &Token, root: &SecretKey, change: impl FnOnce(&mut Invitation)) -> Token {
    let key = SecretKey::generate();
    let mut invitation = token.invitation.open(&token.root).unwrap();
    invitation.id = random();
    invitation.key = key.public();
    change(&mut invitation);
    let invitation = Signed::sign(&invitation, root).unwrap();
    // Only the forger believes in this root.
    Token::new(
        token.relay.clone(),
        root.public(),
        Signed::sign(&token.statement.claims().unwrap(), root).unwrap(),
        invitation,
        &key,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_come_from_root_does_not_get_in() {
    let org = Org::start().await;
    let address = org.address();
    let token = org.token(&["a"], 1);
    let stranger = Device::new(&forged(&token, &SecretKey::generate(), |_| {}), "stranger");
    assert_eq!(stranger.enrol(&address).await.unwrap_err().code, Code::BadSeal);

    let good = Device::new(&token, "good");
    let thief = Device::new(&org.token(&[], 1), "thief");
    let mixed = Device { chain: good.chain.clone(), ..thief.clone() };
    assert_eq!(mixed.enrol(&address).await.unwrap_err().code, Code::BadSeal);
    let other_key = TransportOf::other();
    let swapped = good.enrol_with(&address, |mut request| {
        request.transport = other_key;
        request
    });
    assert_eq!(swapped.await.unwrap_err().code, Code::BadSeal);

    let over = admin::token_create(org.dir(), &TokenWish { uses: 1, ttl_s: 1, ..TokenWish::default() }).unwrap();
    let late = Device::new(&over, "late");
    let end_s = over.invitation.open(&over.root).unwrap().not_after_s;
    while now_s() <= end_s {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(late.enrol(&address).await.unwrap_err().code, Code::Expired);
    assert!(good.enrol(&address).await.is_ok());
}

struct TransportOf;

impl TransportOf {
    fn other() -> lull_wire::PublicKey {
        SecretKey::generate().public()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_there_and_back_and_is_settled_once() {
    let org = Org::start().await;
    let mut lender = org.lender("lender", 20.0).await;
    let mut submitter = org.node("asker", &["sales"]).await;
    submitter.sees("m").await;
    let (mut near, mut far, job) = running(&mut submitter, &mut lender).await;
    let question = b"\x05\0\0\0sealed question follows, whatever it is".as_slice();
    near.write(question).await;
    near.send.finish().unwrap();
    assert_eq!(far.read(question.len()).await, question);
    for size in [1, 1_000, 300_000] {
        let bytes = vec![0x5a; size];
        let (read, ()) = futures::join!(near.read(size), far.write(&bytes));
        assert_eq!(read, bytes);
    }
    far.send.finish().unwrap();
    assert!(soon(near.recv.read_to_end(1)).await.unwrap().is_empty());

    for _ in 0..2 {
        lender.say(&lender.device.receipt(job, Side::Lender, 30)).await;
        submitter.say(&submitter.device.receipt(job, Side::Submitter, 30)).await;
    }
    let rows = wait_for(|| Some(admin::usage(org.dir()).unwrap()).filter(|rows| rows.len() == 2)).await;
    let asked = rows.iter().find(|row| row.role == "asked").unwrap();
    assert_eq!((asked.node, asked.team.as_str(), asked.model.as_str()), (submitter.device.node, "sales", "m"));
    assert_eq!((asked.jobs, asked.prompt_tokens, asked.completion_tokens), (1, 20, 30));
    let lent = rows.iter().find(|row| row.role == "lent").unwrap();
    assert_eq!((lent.node, lent.jobs), (lender.device.node, 1));
    let metrics = wait_for(|| Some(org.metrics()).filter(|text| text.contains("kind=\"repeated\"} 2"))).await;
    for line in
        ["jobs_granted_total 1", "settled_total{kind=\"completed\"} 1", "receipts_total{kind=\"agreed\"} 1", "nodes 2"]
    {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert_eq!(admin::usage(org.dir()).unwrap(), rows);
}

/// Asks again and again until there is an answer.
async fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    soon(async {
        loop {
            if let Some(found) = tokio::task::block_in_place(&mut look) {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_is_signed_names_no_one_and_opens_one_stream() {
    let org = Org::start().await;
    let mut lender = org.lender("lender", 20.0).await;
    let mut submitter = org.node("asker", &[]).await;
    submitter.sees("m").await;
    let mut pseudonyms = Vec::new();
    for _ in 0..2 {
        let submit = submit("m");
        submitter.say(&FromNode::Submit(submit.clone())).await;
        let reserve = lender.reserved().await;
        let nonce = lender.accept(&reserve).await;
        let FromRelay::Granted { grant, lender: chain, sealing } = submitter.next().await else { panic!("no grant") };
        assert_eq!((chain, sealing), (lender.device.chain.clone(), lender.device.sealing.clone()));
        let token = org.token(&[], 1);
        let key = token.statement.open(&token.root).unwrap().grant_key;
        let content = grant.open(&key).unwrap();
        assert_eq!((content.job, content.epoch, content.lender), (submit.job, Epoch::FIRST, lender.device.node));
        assert_eq!((content.nonce, content.submitter_key, content.model), (nonce, [3; 32], reserve.model));
        assert_eq!(content.pseudonym, reserve.pseudonym);
        assert!(content.not_after_s >= now_s() && content.not_after_s <= now_s() + 30);
        pseudonyms.push(content.pseudonym);
        // Anyone else's stream with this grant is refused, and a second one of its owner too.
        assert_eq!(lender.open(&grant).await.reset_code().await, StreamEnd::Refused as u64);
        let _near = submitter.open(&grant).await;
        let _far = lender.taken().await;
        assert_eq!(submitter.open(&grant).await.reset_code().await, StreamEnd::Refused as u64);
    }
    assert_eq!(pseudonyms[0], pseudonyms[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lender_that_declines_or_goes_is_replaced_before_the_grant() {
    let org = Org::start().await;
    let mut fast = org.lender("fast", 100.0).await;
    let mut slow = org.lender("slow", 10.0).await;
    let mut submitter = org.node("asker", &[]).await;
    soon(wait_two_lenders(&mut submitter)).await;
    submitter.say(&FromNode::Submit(submit("m"))).await;
    let reserve = fast.reserved().await;
    let reason = Fault::new(Code::Busy, "someone is here");
    fast.say(&FromNode::Decline { job: reserve.job, epoch: reserve.epoch, reason }).await;
    assert_eq!(slow.reserved().await.job, reserve.job);
    slow.connection.close(0_u8.into(), b"");
    let again = fast.reserved().await;
    assert_eq!(again.job, reserve.job);
    fast.accept(&again).await;
    let grant = submitter.granted().await;
    let _near = submitter.open(&grant).await;
    fast.taken().await;
}

async fn wait_two_lenders(node: &mut Node) {
    loop {
        if let Some(FromRelay::Catalogue(models)) = node.hear().await
            && models.iter().any(|model| model.lenders == 2)
        {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_side_hears_at_once_when_the_other_is_gone() {
    let org = Org::start().await;
    let mut submitter = org.node("asker", &[]).await;

    // The lender's machine goes, with the question still open and with it closed.
    for finish in [false, true] {
        let mut lender = org.lender("lender", 20.0).await;
        if !finish {
            submitter.sees("m").await;
        }
        let (mut near, far, _) = running(&mut submitter, &mut lender).await;
        if finish {
            near.send.finish().unwrap();
        }
        lender.connection.close(0_u8.into(), b"");
        assert_eq!(near.reset_code().await, StreamEnd::LenderLost as u64);
        drop(far);
    }

    let mut lender = org.lender("lender", 20.0).await;
    // The lender gives up.
    let (mut near, mut far, _) = running(&mut submitter, &mut lender).await;
    far.send.reset((StreamEnd::Refused as u32).into()).unwrap();
    assert_eq!(near.reset_code().await, StreamEnd::Refused as u64);

    // The submitter lets go of the stream, while nothing flows.
    let (mut near, mut far, _) = running(&mut submitter, &mut lender).await;
    near.send.finish().unwrap();
    near.recv.stop(0_u8.into()).unwrap();
    // Its end may overtake the end of the question.
    let _ = far.recv.read_to_end(10).await;
    assert_eq!(soon(far.send.stopped()).await.unwrap(), Some((StreamEnd::Cancelled as u32).into()));

    // The submitter takes the job back over the control stream.
    let (mut near, mut far, job) = running(&mut submitter, &mut lender).await;
    submitter.say(&FromNode::Cancel { job }).await;
    assert_eq!(far.reset_code().await, StreamEnd::Cancelled as u64);
    assert_eq!(near.reset_code().await, StreamEnd::Cancelled as u64);

    // The submitter's machine goes.
    let (_near, mut far, _) = running(&mut submitter, &mut lender).await;
    submitter.connection.close(0_u8.into(), b"");
    assert_eq!(far.reset_code().await, StreamEnd::Cancelled as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_node_is_out_at_once_and_stays_out() {
    let org = Org::start().await;
    let device = Device::new(&org.token(&[], 1), "thief's laptop");
    let identity = device.enrol(&org.address()).await.unwrap();
    let mut lender = Node::connect(&org.address(), device.clone(), &identity).await;
    lender.say(&FromNode::Offer(offer("m", 1, 20.0))).await;
    let mut submitter = org.node("asker", &[]).await;
    submitter.sees("m").await;
    let (mut near, _far, _) = running(&mut submitter, &mut lender).await;

    let dir = org.dir().to_owned();
    let start = std::time::Instant::now();
    let revoked = tokio::task::spawn_blocking(move || admin::revoke(&dir, "thief's laptop")).await.unwrap().unwrap();
    assert!(revoked.live && revoked.row.revoked_s.is_some());
    assert_eq!(near.reset_code().await, StreamEnd::LenderLost as u64);
    assert_eq!(lender.goodbye().await, Code::Revoked);
    soon(lender.connection.closed()).await;
    assert!(start.elapsed().as_millis() < 1_000, "{:?}", start.elapsed());

    let mut back = Node::dial(&org.address(), device.clone(), &identity).await;
    back.say(&device.hello()).await;
    assert_eq!(back.goodbye().await, Code::Revoked);
    soon(back.connection.closed()).await;
    assert_eq!(device.enrol(&org.address()).await.unwrap_err().code, Code::Revoked);
    assert!(matches!(admin::revoke(org.dir(), "nobody"), Err(lull_relay::RelayError::NoSuchNode(_))));

    let log = admin::audit(org.dir()).unwrap();
    let told = |deed: fn(&Deed) -> bool| log.entries.iter().filter(|entry| deed(&entry.deed)).count();
    assert_eq!(log.broken_at, None);
    assert_eq!(told(|deed| matches!(deed, Deed::Revoked { name, .. } if name == "thief's laptop")), 1);
    assert!(told(|deed| matches!(deed, Deed::TokenCreated { .. })) >= 1);
    assert!(told(|deed| matches!(deed, Deed::Joined { .. })) >= 2);
    assert_eq!(told(|deed| matches!(deed, Deed::RelayStarted { .. })), 1);
}

const ANY_PORT: RelayOptions = RelayOptions {
    listen: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0),
    admin: None,
};

async fn revoke(dir: &std::path::Path, node: &str) -> Result<admin::Revoked, RelayError> {
    let (dir, node) = (dir.to_owned(), node.to_owned());
    tokio::task::spawn_blocking(move || admin::revoke(&dir, &node)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_relay_is_refused_and_takes_nothing_from_the_first() {
    let org = Org::start().await;
    let mut node = org.node("thief", &[]).await;
    let word = std::fs::read(org.dir().join("relay/admin.json")).unwrap();
    let refused = Relay::start(org.dir(), ANY_PORT).await.unwrap_err();
    assert!(matches!(refused, RelayError::Running(_)), "{refused}");
    assert_eq!(std::fs::read(org.dir().join("relay/admin.json")).unwrap(), word);
    assert!(revoke(org.dir(), "thief").await.unwrap().live);
    assert_eq!(node.goodbye().await, Code::Revoked);

    // Its end frees the folder; a word that was left behind means nothing then.
    let Org { folder, relay } = org;
    relay.shutdown().await;
    std::fs::write(folder.path().join("relay/admin.json"), word).unwrap();
    assert!(!revoke(folder.path(), "thief").await.unwrap().live);
    assert_eq!(admin::nodes(folder.path()).unwrap()[0].connected, None);
    run(folder.path()).await.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_cannot_be_told_cuts_a_revoked_node_off_by_its_ledger() {
    let org = Org::start().await;
    let word = org.dir().join("relay/admin.json");
    let dead = r#"{"address":"127.0.0.1:1","secret":""}"#;
    for (name, content) in [("gone", None), ("garbage", Some("{")), ("dead", Some(dead))] {
        let mut node = org.node(name, &[]).await;
        match content {
            None => std::fs::remove_file(&word).unwrap(),
            Some(content) => std::fs::write(&word, content).unwrap(),
        }
        let error = revoke(org.dir(), name).await.unwrap_err();
        assert!(matches!(error, RelayError::NotReached(_)), "{error}");
        assert_eq!(error.code(), Code::RelayUnreachable);
        assert!(admin::nodes(org.dir()).unwrap().iter().all(|node| node.connected.is_none()));
        assert_eq!(node.goodbye().await, Code::Revoked);
        soon(node.connection.closed()).await;
    }
    // What somebody else has written there is not this relay's to remove.
    let Org { folder, relay } = org;
    relay.shutdown().await;
    assert_eq!(std::fs::read_to_string(&word).unwrap(), dead);
    drop(folder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_does_not_start_without_its_books() {
    let Org { folder, relay } = Org::start().await;
    relay.shutdown().await;
    let books = folder.path().join("relay/relay.db");
    std::fs::rename(&books, folder.path().join("away")).unwrap();
    let error = Relay::start(folder.path(), ANY_PORT).await.unwrap_err().to_string();
    assert!(error.contains("relay.db is missing: restore it from a backup"), "{error}");
    assert!(admin::nodes(folder.path()).is_err() && !books.exists());
    std::fs::write(&books, b"").unwrap();
    let error = Relay::start(folder.path(), ANY_PORT).await.unwrap_err();
    assert!(matches!(error, RelayError::Damaged { .. }), "{error}");
    assert_eq!(std::fs::metadata(&books).unwrap().len(), 0);
    std::fs::rename(folder.path().join("away"), &books).unwrap();
    run(folder.path()).await.shutdown().await;
}

/// Keeps the warnings of this whole process.
struct Warnings;

static WARNINGS: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = String::new();
        let mut add = |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            text += &format!("{field}={value:?} ");
        };
        event.record(&mut add);
        WARNINGS.lock().unwrap().push(text);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_machines_with_one_identity_are_told_of_and_a_return_is_not() {
    let _ = tracing::subscriber::set_global_default(Warnings);
    let warned = || WARNINGS.lock().unwrap().iter().filter(|text| text.contains("a cloned home")).count();
    let org = Org::start().await;
    let device = Device::new(&org.token(&[], 1), "a cloned home");
    let identity = device.enrol(&org.address()).await.unwrap();
    let first = Node::connect(&org.address(), device.clone(), &identity).await;
    first.connection.close(0_u8.into(), b"");
    wait_for(|| Some(()).filter(|()| admin::nodes(org.dir()).unwrap()[0].connected == Some(false))).await;
    let second = Node::connect(&org.address(), device.clone(), &identity).await;
    assert_eq!(warned(), 0);
    let third = Node::connect(&org.address(), device, &identity).await;
    soon(second.connection.closed()).await;
    wait_for(|| Some(()).filter(|()| warned() == 1)).await;
    drop(third);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_connection_of_a_node_takes_over() {
    let org = Org::start().await;
    let device = Device::new(&org.token(&[], 1), "twice");
    let identity = device.enrol(&org.address()).await.unwrap();
    let first = Node::connect(&org.address(), device.clone(), &identity).await;
    let mut second = Node::connect(&org.address(), device.clone(), &identity).await;
    soon(first.connection.closed()).await;
    second.say(&FromNode::Submit(submit("unheard-of"))).await;
    assert_eq!(second.refused().await.code, Code::ModelUnknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_restarts_without_root_and_knows_everything_again() {
    let org = Org::start().await;
    let dir = org.dir().to_owned();
    let device = Device::new(&org.token(&["a"], 1), "asker");
    let identity = device.enrol(&org.address()).await.unwrap();
    let mut submitter = Node::connect(&org.address(), device.clone(), &identity).await;
    let mut lender = org.lender("lender", 20.0).await;
    submitter.sees("m").await;
    let (mut near, mut far, job) = running(&mut submitter, &mut lender).await;
    far.send.finish().unwrap();
    assert!(soon(near.recv.read_to_end(1)).await.unwrap().is_empty());
    lender.say(&lender.device.receipt(job, Side::Lender, 30)).await;
    let before = wait_for(|| Some(admin::usage(&dir).unwrap()).filter(|rows| rows.len() == 2)).await;

    // What the submitter has to say about it comes after the restart.
    let Org { folder, relay } = org;
    let admin_file = dir.join("relay/admin.json");
    assert!(admin_file.exists());
    relay.shutdown().await;
    assert_eq!(submitter.goodbye().await, Code::RelayDraining);
    assert!(!admin_file.exists());
    std::fs::rename(dir.join("root"), dir.join("root-in-the-safe")).unwrap();

    let relay = run(&dir).await;
    let mut submitter = Node::connect(&relay.addr().to_string(), device.clone(), &identity).await;
    submitter.say(&device.receipt(job, Side::Submitter, 29)).await;
    let disputed =
        || Some(common::http_get(relay.admin_addr(), "/metrics")).filter(|text| text.contains("kind=\"disputed\"} 1"));
    wait_for(disputed).await;
    assert_eq!(admin::usage(&dir).unwrap(), before);
    // Renewal needs no root either; the model's name is known, so that a job for it waits.
    assert!(device.enrol(&relay.addr().to_string()).await.is_ok());
    submitter.say(&FromNode::Submit(submit("m"))).await;
    assert!(matches!(submitter.next().await, FromRelay::Queued { ahead: 0, .. }));
    assert!(common::http_get(relay.admin_addr(), "/healthz").contains("\"ok\""));
    let error =
        admin::token_create(&dir, &TokenWish { uses: 1, ttl_s: 60, ..TokenWish::default() }).map(drop).unwrap_err();
    assert!(error.to_string().contains("root"), "{error}");
    relay.shutdown().await;
    drop(folder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_lets_no_job_in_and_ends_the_ones_that_go_on_for_too_long() {
    let org = Org::start().await;
    let mut lender = org.lender("lender", 20.0).await;
    let mut submitter = org.node("asker", &[]).await;
    submitter.sees("m").await;
    let (mut near, _far, _) = running(&mut submitter, &mut lender).await;
    let Org { folder, relay } = org;
    let shutdown = tokio::spawn(relay.shutdown());
    assert_eq!(submitter.goodbye().await, Code::RelayDraining);
    submitter.say(&FromNode::Submit(submit("m"))).await;
    assert_eq!(submitter.refused().await.code, Code::RelayDraining);
    assert_eq!(near.reset_code().await, StreamEnd::Draining as u64);
    soon(shutdown).await.unwrap();
    drop(folder);
}
