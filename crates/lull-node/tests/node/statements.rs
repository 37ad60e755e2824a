//! Root's word on its relay, as a relay gives it with each certificate: what a node takes, and what it keeps.

use lull_net::Authority;
use lull_node::{Node, enroll};
use lull_types::{Code, LinkView};
use lull_wire::{SecretKey, Signed, Token, identity::RelayStatement};

use crate::support::{
    asking,
    org::{Org, now_s},
    relay::{Relay, Seen},
    until,
};

/// What the relay gives, and who signed it.
type Make = fn(&Org, RelayStatement) -> Signed<RelayStatement>;

const SERIAL: u64 = 5;

const CASES: [(&str, &str, Make); 6] = [
    ("an older one", "out of date", |org, known| sign(RelayStatement { serial: SERIAL - 1, ..known }, &org.root)),
    ("the first one ever", "out of date", |org, known| sign(RelayStatement { serial: 0, ..known }, &org.root)),
    ("another root's", "not its organisation's", |_, known| sign(known, &SecretKey::generate())),
    ("the relay's own", "not its organisation's", |org, known| {
        sign(RelayStatement { serial: SERIAL + 1, ..known }, &org.grants)
    }),
    ("another organisation's, whole", "not its organisation's", |_, _| Org::new().statement),
    ("one for another authority", "a certificate authority that is not", |org, known| {
        let other = Authority::create("Acme", now_s()).unwrap().fingerprint();
        sign(RelayStatement { ca_sha256: other, serial: SERIAL + 1, ..known }, &org.root)
    }),
];

fn sign(statement: RelayStatement, key: &SecretKey) -> Signed<RelayStatement> {
    Signed::sign(&statement, key).unwrap()
}

impl Org {
    fn known(&self) -> RelayStatement {
        RelayStatement { serial: SERIAL, ..self.statement.open(&self.root()).unwrap() }
    }

    fn token_with(&self, relay: &Relay, statement: Signed<RelayStatement>) -> Token {
        let token = self.token(&relay.at());
        Token::new(token.relay.clone(), token.root, statement, token.invitation.clone(), &token.secret())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_does_not_count_ends_joining_before_anything_is_kept() {
    let org = Org::new();
    let relay = Relay::start(&org).await;
    let known = || sign(org.known(), &org.root);
    for (name, why, make) in CASES {
        relay.policy.lock().unwrap().statement = Some(make(&org, org.known()));
        let home = tempfile::tempdir().unwrap();
        let token = org.token_with(&relay, known());
        let fault = enroll(home.path(), &token, None, false).await.unwrap_err();
        assert_eq!(fault.code, Code::BadSeal, "{name}: {fault}");
        assert!(fault.message.contains(why), "{name}: {fault}");
        assert!(!home.path().join("node.json").exists(), "{name}");
        relay.policy.lock().unwrap().statement = Some(known());
        assert!(enroll(home.path(), &token, None, false).await.is_ok(), "{name}: the control");
    }
}

/// A relay's address in the wrong hands: another authority, or the right one's certificate without its key, is not the
/// relay, and no request to join reaches it.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_relay_that_root_names_is_asked() {
    let org = Org::new();
    let impostor = Relay::start(&Org::new()).await;
    let home = tempfile::tempdir().unwrap();
    let fault = enroll(home.path(), &org.token(&impostor.at()), None, false).await.unwrap_err();
    assert!(fault.message.contains("is not this organisation's relay"), "{fault}");
    let relay = Relay::start(&org).await;
    assert!(enroll(home.path(), &org.token(&relay.at()), None, false).await.is_ok());
}

/// What a renewal brings replaces what is known only if it is newer, and survives a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_newer_statement_is_kept_and_an_older_one_is_never_gone_back_to() {
    let org = Org::new();
    let mut relay = Relay::start(&org).await;
    let home = tempfile::tempdir().unwrap();
    relay.policy.lock().unwrap().life_s = 1;
    let newer = sign(org.known(), &org.root);
    relay.policy.lock().unwrap().statement = Some(newer.clone());
    enroll(home.path(), &org.token(&relay.at()), None, false).await.unwrap();

    // Its certificate is over: it has to renew at the door, and hears the older word there.
    relay.policy.lock().unwrap().statement = Some(org.statement.clone());
    let node = Node::start(home.path(), asking()).await.unwrap();
    let refused =
        until(&node, |status| matches!(&status.relay, LinkView::Down { reason, .. } if reason.code == Code::BadSeal));
    let LinkView::Down { reason, .. } = refused.await.relay else { unreachable!() };
    assert!(reason.message.contains("out of date"), "{reason}");
    assert!(relay.seen.try_recv().is_err(), "and it has not connected with a certificate that is over");
    relay.policy.lock().unwrap().statement = Some(newer);
    relay.policy.lock().unwrap().life_s = 3_600;
    relay.up().await;
    node.shutdown().await;
}

/// While the relay lies or is away, a certificate that is over is not shown to anybody: no job comes over it.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_over_is_not_used() {
    let org = Org::new();
    let mut relay = Relay::start(&org).await;
    let (home, _) = org.home(&relay.at(), "oak").await;
    let path = home.path().join("transport.json");
    let mut file: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    file["not_after_s"] = (now_s() - 1).into();
    std::fs::write(&path, serde_json::to_vec(&file).unwrap()).unwrap();
    let refusal = lull_types::Fault::new(Code::Busy, "not now");
    relay.policy.lock().unwrap().refuse = Some(refusal.clone());
    let node = Node::start(home.path(), asking()).await.unwrap();
    until(&node, |status| matches!(&status.relay, LinkView::Down { reason, .. } if *reason == refusal)).await;
    assert!(relay.seen.try_recv().is_err(), "it came without a new certificate");
    relay.policy.lock().unwrap().refuse = None;
    relay.up().await;
    node.shutdown().await;
}

/// A relay that neither renews a certificate nor closes the connection at its end keeps nobody: the node goes by itself.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute: a certificate with less than that to live is not shown in the first place"]
async fn a_connection_is_left_when_its_certificate_ends() {
    let org = Org::new();
    let mut relay = Relay::start(&org).await;
    relay.policy.lock().unwrap().life_s = 63;
    let (home, enrolled) = org.home(&relay.at(), "oak").await;
    relay.policy.lock().unwrap().refuse = Some(lull_types::Fault::new(Code::Busy, "not now"));
    let node = Node::start(home.path(), asking()).await.unwrap();
    relay.up().await;
    let down = |status: &lull_types::StatusView| matches!(status.relay, LinkView::Down { .. });
    let limit = std::time::Duration::from_secs(90);
    let reason = tokio::time::timeout(limit, relay.peers.get(enrolled.node).connection.closed()).await;
    assert!(reason.is_ok(), "it stays on a certificate that is over");
    assert!(now_s() >= enrolled.certificate_until_s, "not before its time");
    until(&node, down).await;
    while let Ok(seen) = relay.seen.try_recv() {
        assert!(!matches!(seen, Seen::Up(_)), "it came back with it");
    }
    node.shutdown().await;
}
