//! Who asks, at a real lender: the relay vouches for everybody, with grants that are right in every respect, and the
//! lender believes root alone.

use lull_types::Code;
use lull_wire::{
    PublicKey, SecretKey, Signed,
    control::{FromNode, FromRelay},
    frame,
    identity::{DeviceCertificate, Invitation, MemberCertificate, Membership, node_id},
    job::{AnswerBody, Asker, Grant, asker_proof},
    policy::{DenyList, PolicyDocument},
    random,
};

use crate::{
    claims::Bench,
    support::org::{DAY_S, Org, now_s},
};

/// Somebody with an invitation of `root`.
struct Somebody {
    inviter: SecretKey,
    key: SecretKey,
    membership: Membership,
}

impl Somebody {
    fn invited(root: &SecretKey, group: &str, not_after_s: u64) -> Self {
        let (inviter, key) = (SecretKey::generate(), SecretKey::generate());
        let invitation = Invitation::new(random(), vec![group.into()], 1, not_after_s, inviter.public());
        let member = MemberCertificate { invitation: invitation.id, key: key.public() };
        let membership = Membership {
            invitation: Signed::sign(&invitation, root).unwrap(),
            member: Signed::sign(&member, &inviter).unwrap(),
        };
        Self { inviter, key, membership }
    }

    fn of(bench: &Bench) -> Self {
        Self::invited(&bench.org.root, "lab", now_s() + 3_600)
    }

    fn ask(&self, grant: &Signed<Grant>) -> Asker {
        Asker { membership: self.membership.clone(), proof: self.key.sign(&asker_proof(grant)) }
    }

    /// The same with another certificate of the key that asks.
    fn certified(self, key: PublicKey, invitation: [u8; 16], by: &SecretKey) -> Self {
        let member = Signed::sign(&MemberCertificate { invitation, key }, by).unwrap();
        Self { membership: Membership { member, ..self.membership.clone() }, ..self }
    }

    fn invitation(&self) -> [u8; 16] {
        self.membership.invitation.claims().unwrap().id
    }

    fn id(&self) -> lull_types::NodeId {
        node_id(&self.key.public())
    }
}

/// Whoever asks under a grant, beside another grant of the same relay.
type Make = fn(&Bench, &Signed<Grant>, &Signed<Grant>) -> Option<Asker>;

const FOREIGN: &str = "not let in by the organisation's root";
const UNPROVED: &str = "did not prove to be who the grant is for";

const CASES: [(&str, &str, Make); 17] = [
    ("nobody", "did not prove to belong to this organisation", |_, _, _| None),
    ("a member of another organisation", FOREIGN, |_, grant, _| Some(Org::new().asker(grant))),
    ("one whom the relay's key has invited", FOREIGN, |bench, grant, _| {
        Some(Somebody::invited(&bench.org.grants, "lab", now_s() + 60).ask(grant))
    }),
    ("one who invited themselves", FOREIGN, |bench, grant, _| {
        let mut forged = Somebody::of(bench);
        let own = forged.membership.invitation.claims().unwrap();
        forged.membership.invitation = Signed::sign(&own, &forged.inviter).unwrap();
        Some(forged.ask(grant))
    }),
    ("one who certified themselves", FOREIGN, |bench, grant, _| {
        let somebody = Somebody::of(bench);
        let (key, id) = (somebody.key.clone(), somebody.invitation());
        Some(somebody.certified(key.public(), id, &key).ask(grant))
    }),
    ("one whom the relay's key certified", FOREIGN, |bench, grant, _| {
        let somebody = Somebody::of(bench);
        let (key, id) = (somebody.key.public(), somebody.invitation());
        Some(somebody.certified(key, id, &bench.org.grants).ask(grant))
    }),
    ("one of another invitation", FOREIGN, |bench, grant, _| {
        let somebody = Somebody::of(bench);
        let (key, inviter) = (somebody.key.public(), somebody.inviter.clone());
        Some(somebody.certified(key, random(), &inviter).ask(grant))
    }),
    ("two memberships in one", FOREIGN, |bench, grant, _| {
        let (one, mut other) = (Somebody::of(bench), Somebody::of(bench));
        other.membership.invitation = one.membership.invitation;
        Some(other.ask(grant))
    }),
    ("a device's certificate in the member's place", FOREIGN, |bench, grant, _| {
        let mut somebody = Somebody::of(bench);
        let (invitation, key) = (somebody.invitation(), somebody.key.public());
        let device = DeviceCertificate { invitation, key, name: "oak".into(), created_s: now_s() };
        let device = frame::encode(&Signed::sign(&device, &somebody.inviter).unwrap(), 10_000).unwrap();
        somebody.membership.member = frame::decode(&device[frame::LENGTH_BYTES..]).unwrap();
        Some(somebody.ask(grant))
    }),
    ("a membership with the relay's proof", UNPROVED, |bench, grant, _| {
        let proof = bench.org.grants.sign(&asker_proof(grant));
        Some(Asker { proof, ..Somebody::of(bench).ask(grant) })
    }),
    ("a membership with the inviter's proof", UNPROVED, |bench, grant, _| {
        let somebody = Somebody::of(bench);
        Some(Asker { proof: somebody.inviter.sign(&asker_proof(grant)), ..somebody.ask(grant) })
    }),
    ("another's membership with one's own proof", UNPROVED, |bench, grant, _| {
        let (own, others) = (Somebody::of(bench).ask(grant), Somebody::of(bench).ask(grant));
        Some(Asker { membership: others.membership, ..own })
    }),
    ("an exchanged member key", UNPROVED, |bench, grant, _| {
        let somebody = Somebody::of(bench);
        let (id, inviter) = (somebody.invitation(), somebody.inviter.clone());
        Some(somebody.certified(SecretKey::generate().public(), id, &inviter).ask(grant))
    }),
    ("a proof for another grant", UNPROVED, |bench, _, other| Some(Somebody::of(bench).ask(other))),
    ("a proof of the grant's bytes alone", UNPROVED, |bench, grant, _| {
        let somebody = Somebody::of(bench);
        Some(Asker { proof: somebody.key.sign(grant.bytes()), ..somebody.ask(grant) })
    }),
    ("no proof", UNPROVED, |bench, grant, _| Some(Asker { proof: [0; 64], ..Somebody::of(bench).ask(grant) })),
    ("a weak key and a proof that fits all texts", UNPROVED, |bench, grant, _| {
        let somebody = Somebody::of(bench);
        let (id, inviter) = (somebody.invitation(), somebody.inviter.clone());
        let (mut weak, mut proof) = ([0; 32], [0; 64]);
        (weak[0], proof[0]) = (1, 1);
        Some(Asker { proof, ..somebody.certified(PublicKey(weak), id, &inviter).ask(grant) })
    }),
];

impl Bench {
    /// The answer to whoever asks; the slot is free again then.
    async fn asked(&mut self, grant: Signed<Grant>, asker: Option<Asker>) -> Vec<AnswerBody> {
        let bodies = self.ask(grant, &self.key, asker).await.unwrap();
        self.relay.said(|message| matches!(message, FromNode::Receipt(_)).then_some(())).await;
        bodies
    }

    /// A job for whoever `make` makes: `None` if it was answered, else the refusal's words.
    async fn tried(&mut self, make: impl FnOnce(&Self, &Signed<Grant>) -> Option<Asker>) -> Option<String> {
        let grant = self.accepted().await;
        let grant = self.sign(&grant);
        let asker = make(self, &grant);
        let bodies = self.asked(grant, asker).await;
        let tokens = bodies.iter().filter(|body| matches!(body, AnswerBody::Token(_))).count();
        match bodies.last() {
            Some(AnswerBody::Failed(fault)) => {
                assert_eq!((fault.code, bodies.len()), (Code::Forbidden, 1), "nothing but the refusal: {fault}");
                Some(fault.message.clone())
            }
            Some(AnswerBody::Done { .. }) => {
                assert_eq!(tokens, 3);
                None
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_lead_to_root_is_refused_whatever_the_relay_grants() {
    let mut bench = Bench::new().await;
    let member = Somebody::of(&bench);
    let other = bench.accepted().await;
    let other = bench.sign(&other);
    // The slot that it holds is free again for the others.
    bench.asked(other.clone(), Some(member.ask(&other))).await;
    for (name, why, make) in CASES {
        let said = bench.tried(|bench, grant| make(bench, grant, &other)).await;
        assert!(said.as_ref().is_some_and(|said| said.contains(why)), "{name}: {said:?}");
        assert_eq!(bench.tried(|_, grant| Some(member.ask(grant))).await, None, "{name}: the control");
    }
    // The very proof that has just been good, under the next grant.
    let mut used = None;
    assert_eq!(bench.tried(|_, grant| used.insert(member.ask(grant)).clone().into()).await, None);
    let said = bench.tried(|_, _| used).await;
    assert!(said.is_some_and(|said| said.contains(UNPROVED)));
    // An invitation's end is about joining: whoever has joined goes on asking.
    let old = Somebody::invited(&bench.org.root, "lab", now_s() - DAY_S);
    assert_eq!(bench.tried(|_, grant| Some(old.ask(grant))).await, None);
    bench.node.shutdown().await;
}

impl Bench {
    fn deny(&self, version: u64, members: Vec<lull_types::NodeId>) {
        let list = DenyList { version, members, ..DenyList::default() };
        self.relay.peers.say(self.id, FromRelay::Denied(Signed::sign(&list, &self.org.grants).unwrap()));
    }

    /// Says a policy, and waits until it is followed; what was said before it has been heard then.
    async fn rule(&mut self, version: u64, text: &str) {
        let (issued_s, not_after_s) = (now_s(), now_s() + DAY_S);
        let policy = PolicyDocument { org: "Acme".into(), version, issued_s, not_after_s, text: text.into() };
        self.relay.peers.say(self.id, FromRelay::Policy(Signed::sign(&policy, &self.org.root).unwrap()));
        let follows = |message| match message {
            FromNode::Follows { version: followed, fault: None } if followed == version => Some(()),
            _ => None,
        };
        self.relay.said(follows).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_shut_out_is_refused_and_an_older_list_lets_nobody_back() {
    let mut bench = Bench::new().await;
    let (out, stays) = (Somebody::of(&bench), Somebody::of(&bench));
    let shut_out = |said: Option<String>| said.is_some_and(|said| said.contains("was shut out"));
    assert_eq!(bench.tried(|_, grant| Some(out.ask(grant))).await, None);
    bench.deny(7, vec![out.id()]);
    bench.rule(1, "").await;
    assert!(shut_out(bench.tried(|_, grant| Some(out.ask(grant))).await));
    bench.deny(6, Vec::new());
    bench.rule(2, "").await;
    assert!(shut_out(bench.tried(|_, grant| Some(out.ask(grant))).await), "an older list");
    assert_eq!(bench.tried(|_, grant| Some(stays.ask(grant))).await, None, "others stay");
    bench.deny(8, vec![stays.id()]);
    bench.rule(3, "").await;
    assert!(shut_out(bench.tried(|_, grant| Some(stays.ask(grant))).await));
    assert_eq!(bench.tried(|_, grant| Some(out.ask(grant))).await, None, "a newer list counts");
    bench.node.shutdown().await;
}

/// Which groups may send a label is judged by what root wrote into the asker's invitation.
#[tokio::test(flavor = "multi_thread")]
async fn a_label_is_for_those_whose_invitation_names_the_right_group() {
    let mut bench = Bench::new().await;
    let (lab, vault) = (Somebody::of(&bench), Somebody::invited(&bench.org.root, "vault", now_s() + 60));
    assert_eq!(bench.tried(|_, grant| Some(lab.ask(grant))).await, None);
    bench.rule(1, "[labels.internal]\naskers = [\"vault\"]\n").await;
    let said = bench.tried(|_, grant| Some(lab.ask(grant))).await;
    assert!(said.as_ref().is_some_and(|said| said.contains("internal")), "{said:?}");
    assert_eq!(bench.tried(|_, grant| Some(vault.ask(grant))).await, None);
    // The relay's word for the group does not count.
    let relays = Somebody::invited(&bench.org.grants, "vault", now_s() + 60);
    let said = bench.tried(|_, grant| Some(relays.ask(grant))).await;
    assert!(said.is_some_and(|said| said.contains(FOREIGN)));
    bench.node.shutdown().await;
}
