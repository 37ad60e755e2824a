//! Whom the relay says it has shut out: a list that is its own, and never an older one.

use std::time::Duration;

use lull_engine::scripted::Script;
use lull_types::{ChatEvent, Code, NodeId};
use lull_wire::{
    SecretKey, Signed,
    control::FromRelay,
    identity::node_id,
    policy::{DenyList, PolicyDocument},
};

use super::{as_if, changed};
use crate::{
    asking::Pool,
    support::{broker::Evil, fault, question, whole},
};

/// What the relay sends after version 5, which shuts the asker out.
type Make = fn(&Pool) -> Signed<DenyList>;

fn free(version: u64) -> DenyList {
    DenyList { version, ..DenyList::default() }
}

const ATTACKS: &[(&str, Make)] = &[
    ("an older one that names nobody", |pool| Signed::sign(&free(4), &pool.org.grants).unwrap()),
    ("version 0", |pool| Signed::sign(&free(0), &pool.org.grants).unwrap()),
    ("by root", |pool| Signed::sign(&free(6), &pool.org.root).unwrap()),
    ("by another key", |_| Signed::sign(&free(6), &SecretKey::generate()).unwrap()),
    ("one bit turned", |pool| {
        changed(&Signed::sign(&free(6), &pool.org.grants).unwrap(), |parts| parts.signature[9] ^= 1)
    }),
    ("half of one", |pool| {
        changed(&Signed::sign(&free(6), &pool.org.grants).unwrap(), |parts| parts.body.truncate(parts.body.len() / 2))
    }),
    ("a policy", |pool| {
        let text = String::new();
        let policy = PolicyDocument { org: "Acme".into(), version: 6, issued_s: 0, not_after_s: u64::MAX, text };
        as_if(&Signed::sign(&policy, &pool.org.grants).unwrap())
    }),
];

async fn asked(pool: &Pool) -> Option<Code> {
    let events = whole(lull_node::NodeApi::chat(&*pool.asker, question("hello", 4)).await.unwrap()).await;
    matches!(events.last(), Some(ChatEvent::Failed(_))).then(|| fault(&events).code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_does_not_count_lets_nobody_back_in() {
    assert_eq!(ATTACKS.len(), 7);
    let pool = Pool::new(&Script { length: 3, ..Script::default() }, Evil::Honest).await;
    let text = std::fs::read(pool.home().join("member.key")).unwrap();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text.trim_ascii()).unwrap();
    let member = node_id(&SecretKey::from_bytes(bytes.as_slice().try_into().unwrap()).public());
    let say = |signed| pool.peers.say(pool.lender.id(), FromRelay::Denied(signed));
    let deny = |version, members: Vec<NodeId>| {
        say(Signed::sign(&DenyList { members, ..free(version) }, &pool.org.grants).unwrap());
    };
    assert_eq!(asked(&pool).await, None);
    deny(5, vec![member]);
    follow(&pool, Some(Code::Forbidden)).await;
    for (name, make) in ATTACKS {
        say(make(&pool));
        // What comes after it has been heard after it.
        deny(5, vec![member]);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(asked(&pool).await, Some(Code::Forbidden), "{name}");
    }
    deny(6, Vec::new());
    follow(&pool, None).await;
    pool.end().await;
}

/// Asks until the answer is this one.
async fn follow(pool: &Pool, wanted: Option<Code>) {
    let asking = async { while asked(pool).await != wanted {} };
    tokio::time::timeout(crate::support::PATIENCE, asking).await.expect("the list is not followed");
}
