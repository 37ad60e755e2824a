//! What a lying relay sends while the machine runs. Each attack stands beside a right policy that is followed after it.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use lull_wire::{
    Document, SecretKey, Signed,
    policy::{DenyList, POLICY_TEXT_BYTES_MAX, PolicyDocument},
};
use serde::{Deserialize, Serialize};

use super::{Machine, as_if, changed, text_of};
use crate::support::org::{DAY_S, now_s};

/// What is sent while `known` is followed, whose version is in it.
type Make = fn(&Machine, known: &PolicyDocument) -> Signed<PolicyDocument>;

struct Attack {
    name: &'static str,
    make: Make,
    /// What the machine must say of it.
    why: &'static str,
}

const UNSIGNED: &str = "not signed by the organisation's root key";

/// A policy whose signature covers another kind of document.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Disguised(PolicyDocument);

impl Document for Disguised {
    const DOMAIN: &'static str = lull_wire::identity::RelayStatement::DOMAIN;
    const BYTES_MAX: usize = PolicyDocument::BYTES_MAX;
}

/// The next version after the one that is followed, which would be right.
fn next(machine: &Machine, known: &PolicyDocument) -> PolicyDocument {
    machine.policy(known.version + 1, "[lend]\nenabled = false\n")
}

fn by(machine: &Machine, known: &PolicyDocument, key: &SecretKey) -> Signed<PolicyDocument> {
    Signed::sign(&next(machine, known), key).unwrap()
}

/// The next version with one bit turned at the place where `part` is written, so many bytes after its beginning.
fn turned(machine: &Machine, known: &PolicyDocument, part: &[u8], after: usize) -> Signed<PolicyDocument> {
    changed(&machine.by_root(&next(machine, known)), |parts| {
        let at = parts.body.windows(part.len()).position(|bytes| bytes == part).unwrap();
        parts.body[at + after] ^= 1;
    })
}

const REFUSED: &[Attack] = &[
    Attack {
        name: "a lower version",
        make: |machine, known| machine.by_root(&machine.policy(known.version - 1, "")),
        why: "is known already",
    },
    Attack {
        name: "the first version",
        make: |machine, _| machine.by_root(&machine.policy(1, "")),
        why: "is known already",
    },
    Attack { name: "version 0", make: |machine, _| machine.by_root(&machine.policy(0, "")), why: "is known already" },
    Attack {
        name: "the same version with another text",
        make: |machine, known| {
            machine.by_root(&PolicyDocument { text: String::new(), ..machine.policy(known.version, "") })
        },
        why: "says something else than the version",
    },
    Attack {
        name: "the same version with a later end",
        make: |machine, known| {
            machine.by_root(&PolicyDocument { not_after_s: known.not_after_s + DAY_S, ..known.clone() })
        },
        why: "says something else than the version",
    },
    Attack {
        name: "another organisation's",
        make: |machine, known| machine.by_root(&PolicyDocument { org: "Other".into(), ..next(machine, known) }),
        why: "it is the policy of \"Other\"",
    },
    Attack {
        name: "the organisation's name in other letters",
        make: |machine, known| machine.by_root(&PolicyDocument { org: "ACME".into(), ..next(machine, known) }),
        why: "it is the policy of \"ACME\"",
    },
    Attack {
        name: "by another root",
        make: |machine, known| by(machine, known, &SecretKey::generate()),
        why: UNSIGNED,
    },
    Attack {
        name: "by the relay's grant key",
        make: |machine, known| by(machine, known, &machine.org.grants),
        why: UNSIGNED,
    },
    Attack {
        name: "by the invitation's key",
        make: |machine, known| by(machine, known, &machine.token.secret()),
        why: UNSIGNED,
    },
    Attack {
        name: "by the machine's own device key",
        make: |machine, known| {
            let text = std::fs::read_to_string(machine.home.path().join("device.key")).unwrap();
            let bytes = BASE64.decode(text.trim()).unwrap();
            by(machine, known, &SecretKey::from_bytes(bytes.as_slice().try_into().unwrap()))
        },
        why: UNSIGNED,
    },
    Attack {
        name: "root's signature over another kind of document",
        make: |machine, known| as_if(&Signed::sign(&Disguised(next(machine, known)), &machine.org.root).unwrap()),
        why: UNSIGNED,
    },
    Attack {
        name: "root's statement about its relay",
        make: |machine, _| as_if(&machine.org.statement),
        why: UNSIGNED,
    },
    Attack { name: "root's invitation", make: |machine, _| as_if(&machine.token.invitation), why: UNSIGNED },
    Attack {
        name: "the relay's deny-list",
        make: |machine, _| {
            let list = DenyList { version: 99, ..DenyList::default() };
            as_if(&Signed::sign(&list, &machine.org.grants).unwrap())
        },
        why: UNSIGNED,
    },
    Attack {
        name: "its last byte missing",
        make: |machine, known| {
            changed(&machine.by_root(&next(machine, known)), |parts| parts.body.truncate(parts.body.len() - 1))
        },
        why: UNSIGNED,
    },
    Attack {
        name: "its second half missing",
        make: |machine, known| {
            changed(&machine.by_root(&next(machine, known)), |parts| parts.body.truncate(parts.body.len() / 2))
        },
        why: UNSIGNED,
    },
    Attack {
        name: "nothing, signed",
        make: |machine, known| changed(&machine.by_root(&next(machine, known)), |parts| parts.body.clear()),
        why: UNSIGNED,
    },
    Attack {
        name: "a byte more",
        make: |machine, known| changed(&machine.by_root(&next(machine, known)), |parts| parts.body.push(0)),
        why: UNSIGNED,
    },
    Attack {
        name: "a bit turned in the organisation's name",
        make: |machine, known| turned(machine, known, b"Acme", 3),
        why: UNSIGNED,
    },
    Attack {
        name: "a bit turned in the version",
        make: |machine, known| turned(machine, known, b"version", 7),
        why: UNSIGNED,
    },
    Attack {
        name: "a bit turned in its beginning",
        make: |machine, known| turned(machine, known, b"issued_s", 12),
        why: UNSIGNED,
    },
    Attack {
        name: "a bit turned in its end",
        make: |machine, known| turned(machine, known, b"not_after_s", 15),
        why: UNSIGNED,
    },
    Attack {
        name: "a bit turned in its rules",
        make: |machine, known| turned(machine, known, b"false", 0),
        why: UNSIGNED,
    },
    Attack {
        name: "a bit turned in the signature's first half",
        make: |machine, known| changed(&machine.by_root(&next(machine, known)), |parts| parts.signature[5] ^= 1),
        why: UNSIGNED,
    },
    Attack {
        name: "a bit turned in the signature's second half",
        make: |machine, known| changed(&machine.by_root(&next(machine, known)), |parts| parts.signature[40] ^= 1),
        why: UNSIGNED,
    },
    Attack {
        name: "no signature",
        make: |machine, known| changed(&machine.by_root(&next(machine, known)), |parts| parts.signature = vec![0; 64]),
        why: UNSIGNED,
    },
    Attack {
        name: "one version's rules under another's signature",
        make: |machine, known| {
            let other = machine.by_root(&machine.policy(known.version + 2, ""));
            let other: super::Parts = as_if(&other);
            changed(&machine.by_root(&next(machine, known)), |parts| parts.signature = other.signature)
        },
        why: UNSIGNED,
    },
    Attack {
        name: "the followed rules under the next one's number",
        make: |machine, known| {
            let right: super::Parts = as_if(&machine.by_root(known));
            let next = PolicyDocument { version: known.version + 1, ..known.clone() };
            changed(&machine.by_root(&next), |parts| parts.signature = right.signature)
        },
        why: UNSIGNED,
    },
    Attack {
        name: "rules over their bound",
        make: |machine, known| {
            let text = "#".repeat(POLICY_TEXT_BYTES_MAX + 1);
            machine.by_root(&PolicyDocument { text, ..next(machine, known) })
        },
        why: UNSIGNED,
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_count_changes_nothing() {
    assert_eq!(REFUSED.len(), 30);
    let mut machine = Machine::new(0).await;
    machine.lends_under(0).await;
    machine.push(5).await;
    for (attack, version) in REFUSED.iter().zip(5..) {
        let known = PolicyDocument::open(&as_if_kept(&machine), &machine.org.root(), "Acme", None).unwrap();
        assert_eq!(known.version, version);
        machine.say((attack.make)(&machine, &known));
        let fault = machine.complains().await;
        assert!(fault.message.contains(attack.why), "{}: {fault}", attack.name);
        machine.lends_under(version).await;
        assert_eq!(as_if_kept(&machine), machine.by_root(&known), "{}", attack.name);
        machine.push(version + 1).await;
    }
    machine.stop().await;
}

fn as_if_kept(machine: &Machine) -> Signed<PolicyDocument> {
    lull_wire::frame::decode(&std::fs::read(machine.kept()).unwrap()).unwrap()
}

/// What root signed and no machine can follow, or not now: nothing is lent until a later one comes.
struct Unfit {
    name: &'static str,
    change: fn(&mut PolicyDocument),
    why: &'static str,
}

const UNFIT: &[Unfit] = &[
    Unfit {
        name: "over already",
        change: |policy| (policy.issued_s, policy.not_after_s) = (now_s() - DAY_S, now_s() - 1),
        why: "it ended, and no newer one has come",
    },
    Unfit {
        name: "over since 1970",
        change: |policy| (policy.issued_s, policy.not_after_s) = (0, 0),
        why: "it ended, and no newer one has come",
    },
    Unfit {
        name: "signed tomorrow",
        change: |policy| policy.issued_s = now_s() + DAY_S,
        why: "it was signed in the future",
    },
    Unfit {
        name: "signed at the end of time",
        change: |policy| (policy.issued_s, policy.not_after_s) = (u64::MAX, u64::MAX),
        why: "it was signed in the future",
    },
    Unfit {
        name: "an unknown key",
        change: |policy| policy.text = "[lend]\nenable = true\n".into(),
        why: "`enable` is not a known key",
    },
    Unfit {
        name: "an unknown table",
        change: |policy| policy.text = "[lending]\nenabled = true\n".into(),
        why: "`lending` is not a known",
    },
    Unfit { name: "a wrong type", change: |policy| policy.text = "[lend]\nenabled = \"yes\"\n".into(), why: ":2:" },
    Unfit { name: "no TOML", change: |policy| policy.text = "{\"lend\": 1}".into(), why: ":1:" },
    Unfit {
        name: "a table twice",
        change: |policy| policy.text = "[lend]\nenabled = true\n[lend]\nenabled = false\n".into(),
        why: ":3:",
    },
    Unfit { name: "a letter that is none", change: |policy| policy.text = "[lend]\0".into(), why: ":1:" },
];

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_followed_stops_lending_until_a_later_one_comes() {
    assert_eq!(UNFIT.len(), 10);
    let mut machine = Machine::new(0).await;
    machine.push(1).await;
    for (unfit, step) in UNFIT.iter().zip(0..) {
        let version = 2 + 2 * step;
        let mut policy = machine.policy(version, "");
        (unfit.change)(&mut policy);
        machine.say(machine.by_root(&policy));
        let fault = machine.complains().await;
        assert!(fault.message.contains(unfit.why), "{}: {fault}", unfit.name);
        machine.lends_nothing(unfit.why).await;
        // What was followed before does not come back by being sent again.
        machine.say(machine.by_root(&machine.policy(version - 1, &text_of(version - 1))));
        assert!(machine.complains().await.message.contains("is known already"), "{}", unfit.name);
        machine.lends_nothing(unfit.why).await;
        machine.push(version + 1).await;
    }
    machine.stop().await;
}

/// What is signed is its bytes, not its meaning: another writing is another document, and says what it says.
#[tokio::test(flavor = "multi_thread")]
async fn another_way_of_writing_is_no_second_policy() {
    let mut machine = Machine::new(0).await;
    let odd = "sites . 'here' = [\n 'v1' , ] # not as Lull writes it\r\n";
    machine.say(machine.by_root(&machine.policy(1, odd)));
    assert_eq!(machine.follows(1).await, None);
    machine.lends_under(1).await;
    machine.say(machine.by_root(&machine.policy(1, &text_of(1))));
    assert!(machine.complains().await.message.contains("says something else"));
    machine.push(2).await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_comes_after_the_last_version() {
    let mut machine = Machine::new(0).await;
    machine.push(u64::MAX).await;
    for version in [0, 1, u64::MAX - 1] {
        machine.say(machine.by_root(&machine.policy(version, &text_of(version))));
        assert!(machine.complains().await.message.contains("is known already"), "{version}");
        machine.lends_under(u64::MAX).await;
    }
    machine.say(machine.by_root(&machine.policy(u64::MAX, "")));
    assert!(machine.complains().await.message.contains("says something else"));
    machine.lends_under(u64::MAX).await;
    machine.stop().await;
    // Control: the same bytes after a restart.
    machine.start().await;
    machine.lends_under(u64::MAX).await;
    machine.stop().await;
}

/// No policy at all, and then none that may be the first.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_policy_has_a_version() {
    let mut machine = Machine::new(0).await;
    machine.lends_under(0).await;
    machine.say(machine.by_root(&machine.policy(0, "[lend]\nenabled = false\n")));
    machine.complains().await;
    machine.lends_under(0).await;
    assert!(!machine.kept().exists());
    machine.push(1).await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_flood_the_last_counts() {
    const FLOOD: u64 = 600;
    let mut machine = Machine::new(0).await;
    for version in 1..=FLOOD {
        machine.say(machine.by_root(&machine.policy(version, &text_of(version))));
        // One in two is a lie.
        machine.say(by(&machine, &machine.policy(version, ""), &machine.org.grants));
        machine.say(machine.by_root(&machine.policy(version / 2, "")));
    }
    machine.push(FLOOD + 1).await;
    machine.stop().await;
}
