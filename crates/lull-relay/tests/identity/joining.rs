//! Joining and renewing: what a device brings, and what it does with the invitation.

use lull_net::TransportKey;
use lull_relay::{
    admin,
    ledger::{Enrolled, Enrolment, Ledger as _, RENEW_LATE_MAX_S, SqliteLedger},
};
use lull_types::Code;
use lull_wire::{
    SecretKey, Signed, Token,
    enrol::{EnrolRequest, proof},
    identity::{DeviceCertificate, Invitation},
    random,
};

use crate::{
    chains::{UNIVERSAL, WEAK, malleate},
    common::{Device, Org, now_s},
};

const TWO_DAYS_S: u64 = 2 * 86_400;

struct Scene {
    org: Org,
    root: SecretKey,
    /// With it, "oak" has joined, and there is room for one more.
    token: Token,
    oak: Device,
    /// The same in every respect, but its use is gone.
    used: Token,
    /// Names "oak" and "elm", and "oak" has joined.
    listed: Token,
    listed_oak: Device,
    /// Joined and was shut out.
    revoked: Device,
}

impl Scene {
    async fn new() -> Self {
        let org = Org::start().await;
        let hex = std::fs::read_to_string(org.dir().join("root/root.key")).unwrap();
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        let root = SecretKey::from_bytes(&std::array::from_fn(byte));
        let (token, used) = (org.token(&["lab"], 3), org.token(&["lab"], 1));
        let wish = admin::TokenWish { uses: 3, machines: vec!["oak".into(), "elm".into()], ..Default::default() };
        let listed = admin::token_create(org.dir(), &wish).unwrap();
        let (oak, listed_oak) = (Device::new(&token, "oak"), Device::new(&listed, "oak"));
        let revoked = Device::new(&token, "gone");
        for device in [&oak, &listed_oak, &revoked, &Device::new(&used, "first")] {
            device.enrol(&org.address()).await.unwrap();
        }
        let dir = org.dir().to_owned();
        tokio::task::spawn_blocking(move || admin::revoke(&dir, "gone")).await.unwrap().unwrap();
        Self { org, root, token, oak, used, listed, listed_oak, revoked }
    }

    /// Root's own invitation with something changed: what it signs is not what `token create` would.
    fn invited(&self, root: &SecretKey, change: impl FnOnce(&mut Invitation)) -> Token {
        let key = SecretKey::generate();
        let mut invitation = Invitation::new(random(), vec!["lab".into()], 1, now_s() + 3_600, key.public());
        change(&mut invitation);
        let invitation = Signed::sign(&invitation, root).unwrap();
        let statement = Signed::sign(&self.token.statement.claims().unwrap(), root).unwrap();
        Token::new(self.token.relay.clone(), root.public(), statement, invitation, &key)
    }

    fn another(&self) -> Device {
        Device::new(&self.invited(&self.root, |_| {}), "ash")
    }
}

/// Whose request it is, and what becomes of it on its way: the request, and what binds it to its connection.
struct Case {
    name: &'static str,
    code: Code,
    who: fn(&Scene) -> Device,
    change: fn(&Scene, &Device, &mut EnrolRequest),
}

const fn brings(name: &'static str, code: Code, who: fn(&Scene) -> Device) -> Case {
    Case { name, code, who, change: |_, _, _| {} }
}

const fn sends(name: &'static str, code: Code, change: fn(&Scene, &Device, &mut EnrolRequest)) -> Case {
    Case { name, code, who: Scene::another, change }
}

const CASES: [Case; 19] = [
    brings("an invitation of another root", Code::BadSeal, |s| {
        Device::new(&s.invited(&SecretKey::generate(), |_| {}), "ash")
    }),
    brings("an invitation that is over for two days", Code::Expired, |s| {
        Device::new(&s.invited(&s.root, |invitation| invitation.not_after_s = now_s() - TWO_DAYS_S), "ash")
    }),
    brings("an invitation for nobody", Code::InvitationUsed, |s| {
        Device::new(&s.invited(&s.root, |invitation| invitation.uses = 0), "ash")
    }),
    brings("an invitation that is used up", Code::InvitationUsed, |s| Device::new(&s.used, "second")),
    brings("a used-up invitation under the first one's name", Code::InvitationUsed, |s| Device::new(&s.used, "first")),
    brings("a clone of a member under another name", Code::InvitationUsed, |s| {
        Device::with_key(&s.token, "elm", s.oak.key.clone())
    }),
    brings("a listed machine that takes another's listed name", Code::InvitationUsed, |s| {
        Device::with_key(&s.listed, "elm", s.listed_oak.key.clone())
    }),
    brings("a second machine under a listed name", Code::InvitationUsed, |s| Device::new(&s.listed, "oak")),
    brings("a machine that is not listed", Code::BadSeal, |s| Device::new(&s.listed, "ash")),
    brings("a machine whose clock is two days ahead of the invitation", Code::BadSeal, |s| {
        let mut device = s.another();
        let token = s.invited(&s.root, |_| {});
        let invitation = token.invitation.claims().unwrap().id;
        let (key, created_s) = (device.key.public(), now_s() + TWO_DAYS_S);
        let certificate = DeviceCertificate { invitation, key, name: "ash".into(), created_s };
        device.chain.invitation = token.invitation.clone();
        device.chain.device = Signed::sign(&certificate, &token.secret()).unwrap();
        device
    }),
    brings("another member's chain", Code::BadSeal, |s| Device { chain: s.oak.chain.clone(), ..s.another() }),
    brings("a chain of two others' parts", Code::BadSeal, |s| {
        let mut device = s.oak.clone();
        device.chain.invitation = s.listed_oak.chain.invitation.clone();
        device
    }),
    brings("a machine that was shut out", Code::Revoked, |s| s.revoked.clone()),
    brings("a machine that was shut out, with a fresh invitation", Code::Revoked, |s| {
        Device::with_key(&s.invited(&s.root, |_| {}), "back", s.revoked.key.clone())
    }),
    sends("a proof for another transport key", Code::BadSeal, |_, _, request| {
        request.transport = TransportKey::generate().unwrap().public().unwrap();
    }),
    sends("a proof for another connection", Code::BadSeal, |_, device, request| {
        request.proof = device.key.sign(&proof(&[7; 32], &request.transport));
    }),
    brings("a proof by the invitation's key", Code::BadSeal, |s| {
        let token = s.invited(&s.root, |_| {});
        Device { key: token.secret(), ..Device::new(&token, "ash") }
    }),
    sends("a malleated proof", Code::BadSeal, |_, _, request| malleate(&mut request.proof)),
    Case {
        name: "a device with a weak key, and anybody's proof",
        code: Code::BadSeal,
        who: Scene::another,
        change: |s, _, request| {
            let token = s.invited(&s.root, |_| {});
            let invitation = token.invitation.claims().unwrap().id;
            let certificate = DeviceCertificate { invitation, key: WEAK[0], name: "ash".into(), created_s: now_s() };
            request.chain.invitation = token.invitation.clone();
            request.chain.device = Signed::sign(&certificate, &token.secret()).unwrap();
            request.proof = UNIVERSAL;
        },
    },
];

/// At the ledger, where the clock is whatever the test says.
const AWAY: [(&str, u64); 2] =
    [("a second longer away than may be", 1), ("two days longer away than may be", TWO_DAYS_S)];

pub(crate) fn names() -> Vec<&'static str> {
    CASES.iter().map(|case| case.name).chain(AWAY.iter().map(|case| case.0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_wrong_request_is_refused_and_spends_nothing() {
    let scene = Scene::new().await;
    let address = scene.org.address();
    for Case { name, code, who, change } in CASES {
        assert!(scene.another().enrol(&address).await.is_ok(), "{name}: somebody new");
        assert!(scene.oak.enrol(&address).await.is_ok(), "{name}: a renewal");
        let device = who(&scene);
        let tried = device.enrol_with(&address, |mut request| {
            change(&scene, &device, &mut request);
            request
        });
        assert_eq!(tried.await.map(|_| ()).map_err(|fault| fault.code), Err(code), "{name}");
    }
    // Whatever was tried with it: there is still room for "elm" on the list, and for one more on the other.
    assert!(Device::new(&scene.listed, "elm").enrol(&address).await.is_ok());
    assert!(Device::new(&scene.token, "elm").enrol(&address).await.is_ok());
}

#[tokio::test]
async fn whoever_was_away_for_too_long_joins_anew() {
    let org = Org::start().await;
    let device = Device::new(&org.token(&["lab"], 1), "oak");
    let token = org.token(&[], 1);
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(&folder.path().join("relay.db")).unwrap();
    let until_s = now_s() + 100;
    let ask = async |now_s, not_after_s| {
        let found = device.chain.verify(&token.root).unwrap();
        ledger.enrol(Enrolment { device: found, chain: device.chain.clone(), now_s, not_after_s }).await.unwrap()
    };
    assert_eq!(ask(now_s(), until_s).await, Enrolled::Joined);
    assert_eq!(ask(until_s + TWO_DAYS_S, until_s).await, Enrolled::Renewed, "over, and not for long");
    for (name, late_s) in AWAY {
        assert_eq!(ask(until_s + RENEW_LATE_MAX_S, until_s).await, Enrolled::Renewed, "{name}: the control");
        assert_eq!(ask(until_s + RENEW_LATE_MAX_S + late_s, until_s).await, Enrolled::Expired, "{name}");
    }
}
