//! The organisation's policy under attack: a real machine that lends, and the test in its relay's place.

mod denied;
mod kept;
mod running;
mod sent;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lull_engine::scripted::Script;
use lull_node::{Enrolled, Node, NodeApi, NodeOptions, enroll};
use lull_types::{Fault, LendingView, NodeId, Reason, Request, Response, RulesView};
use lull_wire::{
    Document, SecretKey, Signed, Token,
    control::{FromNode, FromRelay},
    frame,
    identity::Invitation,
    policy::PolicyDocument,
    random,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tempfile::TempDir;

use crate::support::{
    MODEL, PATIENCE, add_model, lending,
    org::{DAY_S, Org, now_s},
    relay::Relay,
    status, until,
};

/// A machine that has joined and lends, its organisation and its relay.
struct Machine {
    org: Org,
    relay: Relay,
    token: Token,
    id: NodeId,
    home: TempDir,
    /// Where the organisation's own file for this machine would lie.
    file: PathBuf,
    _folder: TempDir,
    node: Option<Arc<Node>>,
}

impl Machine {
    /// A running one whose invitation demands this version of the policy; 0: none.
    async fn new(floor: u64) -> Self {
        let mut machine = Self::joined(floor).await;
        machine.start().await;
        machine
    }

    /// One that has joined and does not run yet.
    async fn joined(floor: u64) -> Self {
        let org = Org::new();
        let relay = Relay::start(&org).await;
        let key = SecretKey::generate();
        let invitation = Invitation::new(random(), vec!["lab".into()], 1, now_s() + 3600, key.public());
        let invitation = Signed::sign(&Invitation { policy: floor, ..invitation }, &org.root).unwrap();
        let token = Token::new(relay.at(), org.root(), org.statement.clone(), invitation, &key);
        let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let Enrolled { node: id, .. } = enroll(home.path(), &token, Some("lender".into()), false).await.unwrap();
        add_model(home.path(), MODEL, &Script::default());
        let file = folder.path().join("policy.toml");
        Self { org, relay, token, id, home, file, _folder: folder, node: None }
    }

    async fn start(&mut self) {
        let options = NodeOptions { machine_rules: Some(self.file.clone()), ..lending() };
        self.node = Some(Node::start(self.home.path(), options).await.unwrap());
        self.relay.up().await;
    }

    async fn stop(&mut self) {
        self.node.take().unwrap().shutdown().await;
    }

    fn node(&self) -> &Arc<Node> {
        self.node.as_ref().unwrap()
    }

    /// The file in which the policy lies.
    fn kept(&self) -> PathBuf {
        self.home.path().join("policy.signed")
    }

    /// A policy as root would sign it now.
    fn policy(&self, version: u64, text: &str) -> PolicyDocument {
        let now_s = now_s();
        let (issued_s, not_after_s) = (now_s, now_s + DAY_S);
        PolicyDocument { org: "Acme".into(), version, issued_s, not_after_s, text: text.into() }
    }

    fn by_root(&self, policy: &PolicyDocument) -> Signed<PolicyDocument> {
        Signed::sign(policy, &self.org.root).unwrap()
    }

    fn say(&self, signed: Signed<PolicyDocument>) {
        self.relay.peers.say(self.id, FromRelay::Policy(signed));
    }

    /// What the machine says to the relay next about the policy it follows, if it is about this version.
    async fn follows(&mut self, wanted: u64) -> Option<Fault> {
        let pick = |message| match message {
            FromNode::Follows { version, fault } if version == wanted => Some(fault),
            _ => None,
        };
        self.relay.said(pick).await
    }

    /// The fault that the machine tells the relay of next.
    async fn complains(&mut self) -> Fault {
        let pick = |message| if let FromNode::Follows { fault, .. } = message { fault } else { None };
        self.relay.said(pick).await
    }

    /// Waits until the machine tells the relay of this fault.
    async fn complains_of(&mut self, why: &str) {
        while !self.complains().await.message.contains(why) {}
    }

    /// Sends a right policy and sees that it is followed and that the machine lends.
    async fn push(&mut self, version: u64) {
        self.say(self.by_root(&self.policy(version, &text_of(version))));
        while self.follows(version).await.is_some() {}
        self.lends_under(version).await;
    }

    async fn lends_under(&self, version: u64) {
        let mut events = self.node().events();
        let waiting = async {
            loop {
                until(self.node(), |status| matches!(status.lending, LendingView::Lending { .. })).await;
                let rules = self.rules().await;
                if rules.broken.is_none() && rules.policy.as_ref().map_or(0, |policy| policy.version) == version {
                    return rules;
                }
                let _ = events.recv().await;
            }
        };
        let rules = tokio::time::timeout(PATIENCE, waiting).await.expect("the policy is not followed");
        if version > 0 {
            let site = rules.org.iter().find(|rule| rule.key == "sites.here").unwrap();
            assert!(site.value.contains(&format!("v{version}")), "{}", site.value);
        }
    }

    /// Waits until nothing is lent, and the reason stands in the status and in `lull policy list`.
    async fn lends_nothing(&self, why: &str) {
        let broken = |status: &lull_types::StatusView| match &status.lending {
            LendingView::Off { reason: Reason::RulesBroken { why: said }, words } => {
                said.contains(why) && words.contains(why)
            }
            _ => false,
        };
        let seen = tokio::time::timeout(PATIENCE, until(self.node(), broken)).await;
        assert!(seen.is_ok(), "not off for \"{why}\": {:?}", status(&**self.node()).await.lending);
        // The state changes a moment before the list does.
        let mut events = self.node().events();
        let waiting = async {
            while !self.rules().await.broken.is_some_and(|said| said.contains(why)) {
                let _ = events.recv().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("no reason in `lull policy list`");
    }

    /// As `lull policy list` shows them.
    async fn rules(&self) -> RulesView {
        let Response::Rules(rules) = self.node().call(Request::Rules).await.unwrap() else { panic!("no rules") };
        *rules
    }

    /// Puts a document where the policy lies, as if it had been kept.
    fn place<T: Document>(&self, signed: &Signed<T>) {
        put(&self.kept(), &packed(signed));
    }
}

/// Rules that can be told from those of any other version.
fn text_of(version: u64) -> String {
    format!("[sites]\nhere = [\"v{version}\"]\n")
}

/// A signed document's parts, to be changed one by one.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Parts {
    #[serde(with = "bytes")]
    body: Vec<u8>,
    #[serde(with = "bytes")]
    signature: Vec<u8>,
}

mod bytes {
    use serde::{Deserializer, Serializer, de::Visitor};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

fn packed<T: Serialize>(value: &T) -> Vec<u8> {
    frame::encode(value, 1 << 20).unwrap().split_off(frame::LENGTH_BYTES)
}

/// The same bytes, read as something else.
fn as_if<T: Serialize, U: DeserializeOwned>(value: &T) -> U {
    frame::decode(&packed(value)).unwrap()
}

/// A document with its parts changed.
fn changed<T: Document>(signed: &Signed<T>, change: impl FnOnce(&mut Parts)) -> Signed<T> {
    let mut parts: Parts = as_if(signed);
    change(&mut parts);
    as_if(&parts)
}

/// Another file in a file's place, in one step, as an editor or an attacker would.
fn put(path: &Path, bytes: &[u8]) {
    let fresh = path.with_extension("other");
    std::fs::write(&fresh, bytes).unwrap();
    std::fs::rename(&fresh, path).unwrap();
}
