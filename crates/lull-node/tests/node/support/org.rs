//! An organisation for tests: its root, its relay's keys and its invitations.

use lull_net::Authority;
use lull_node::{Enrolled, enroll};
use lull_wire::{
    PublicKey, SecretKey, Signed, Token,
    identity::{Invitation, MemberCertificate, Membership, RelayStatement},
    job::{Asker, Grant, asker_proof},
    random,
};
use tempfile::TempDir;

pub(crate) const DAY_S: u64 = 86_400;

pub(crate) struct Org {
    pub(crate) root: SecretKey,
    pub(crate) authority: (String, String),
    pub(crate) grants: SecretKey,
    pub(crate) statement: Signed<RelayStatement>,
    pub(crate) reset_key: [u8; 64],
}

impl Org {
    pub(crate) fn new() -> Self {
        let root = SecretKey::generate();
        let authority = Authority::create("Acme", now_s()).unwrap();
        let grants = SecretKey::generate();
        let statement = RelayStatement {
            org: "Acme".into(),
            ca_sha256: authority.fingerprint(),
            grant_key: grants.public(),
            serial: 1,
        };
        let (certificate, key) = authority.to_pem();
        Self {
            statement: Signed::sign(&statement, &root).unwrap(),
            root,
            authority: (certificate, key.to_string()),
            grants,
            reset_key: random(),
        }
    }

    pub(crate) fn root(&self) -> PublicKey {
        self.root.public()
    }

    pub(crate) fn authority(&self) -> Authority {
        Authority::from_pem(&self.authority.0, &self.authority.1).unwrap()
    }

    pub(crate) fn token(&self, relay: &str) -> Token {
        self.token_until(relay, now_s() + 3600)
    }

    pub(crate) fn token_until(&self, relay: &str, not_after_s: u64) -> Token {
        let key = SecretKey::generate();
        let invitation = Invitation::new(random(), vec!["lab".into()], 1, not_after_s, key.public());
        let invitation = Signed::sign(&invitation, &self.root).unwrap();
        Token::new(relay.into(), self.root(), self.statement.clone(), invitation, &key)
    }

    /// Somebody who asks under a grant, and whom root has let in.
    pub(crate) fn asker(&self, grant: &Signed<Grant>) -> Asker {
        let (inviter, key) = (SecretKey::generate(), SecretKey::generate());
        let invitation = Invitation::new(random(), vec!["lab".into()], 1, now_s() + 60, inviter.public());
        let member = MemberCertificate { invitation: invitation.id, key: key.public() };
        let membership = Membership {
            invitation: Signed::sign(&invitation, &self.root).unwrap(),
            member: Signed::sign(&member, &inviter).unwrap(),
        };
        Asker { membership, proof: key.sign(&asker_proof(grant)) }
    }

    /// A fresh home that has joined.
    pub(crate) async fn home(&self, relay: &str, name: &str) -> (TempDir, Enrolled) {
        let home = tempfile::tempdir().unwrap();
        let enrolled = enroll(home.path(), &self.token(relay), Some(name.into()), false).await.unwrap();
        (home, enrolled)
    }
}

pub(crate) fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
