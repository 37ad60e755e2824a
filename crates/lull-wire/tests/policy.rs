//! Attacks on the organisation's policy and deny-list, each with what it must come to, beside the one that counts.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use lull_types::NodeId;
use lull_wire::{
    Document, PublicKey, SecretKey, Signed, frame,
    identity::{Invitation, RelayStatement},
    job::CLOCK_SKEW_S,
    policy::{DenyList, POLICY_TEXT_BYTES_MAX, PolicyDocument, PolicyFault},
};
use serde::{Deserialize, Serialize};

const NOW_S: u64 = 1_000_000;
const LIFE_S: u64 = 86_400;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

fn root() -> PublicKey {
    key(1).public()
}

fn policy(version: u64) -> PolicyDocument {
    let text = "[lend]\nidle_minutes = 10\n".into();
    PolicyDocument { org: "Acme".into(), version, issued_s: NOW_S - 10, not_after_s: NOW_S + LIFE_S, text }
}

fn signed(policy: &PolicyDocument) -> Signed<PolicyDocument> {
    Signed::sign(policy, &key(1)).unwrap()
}

/// What a machine that knows `known` makes of it at [`NOW_S`].
fn judged(signed: &Signed<PolicyDocument>, known: Option<&PolicyDocument>) -> Result<u64, PolicyFault> {
    let policy = PolicyDocument::open(signed, &root(), "Acme", known)?;
    policy.check_time(NOW_S)?;
    Ok(policy.version)
}

/// The parts of a signed document, as they travel.
#[derive(Serialize, Deserialize)]
struct Parts {
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
    #[serde(with = "serde_bytes")]
    signature: Vec<u8>,
}

fn parts<T: Document>(signed: &Signed<T>) -> Parts {
    let bytes = frame::encode(signed, 1 << 20).unwrap();
    frame::decode(&bytes[frame::LENGTH_BYTES..]).unwrap()
}

fn joined<T: Document>(parts: &Parts) -> Option<Signed<T>> {
    let bytes = frame::encode(parts, 1 << 20).unwrap();
    frame::decode(&bytes[frame::LENGTH_BYTES..]).ok()
}

fn altered(change: impl FnOnce(&mut Parts)) -> Signed<PolicyDocument> {
    let mut parts = parts(&signed(&policy(7)));
    change(&mut parts);
    joined(&parts).unwrap()
}

fn mixed(body: &Parts, signature: &Parts) -> Signed<PolicyDocument> {
    joined(&Parts { body: body.body.clone(), signature: signature.signature.clone() }).unwrap()
}

#[test]
fn what_counts_counts() {
    assert_eq!(judged(&signed(&policy(7)), None), Ok(7));
    assert_eq!(judged(&signed(&policy(7)), Some(&policy(6))), Ok(7));
    assert_eq!(judged(&signed(&policy(7)), Some(&policy(7))), Ok(7), "the same again is no attack");
    let skewed = PolicyDocument { issued_s: NOW_S + CLOCK_SKEW_S, ..policy(7) };
    assert_eq!(judged(&signed(&skewed), None), Ok(7), "clocks may differ a little");
}

#[test]
fn nothing_else_does() {
    let other = |change: fn(&mut PolicyDocument)| {
        let mut policy = policy(7);
        change(&mut policy);
        policy
    };
    let by = |seed: u8| Signed::sign(&policy(7), &key(seed)).unwrap();
    let statement = RelayStatement { org: "Acme".into(), ca_sha256: [1; 32], grant_key: key(4).public(), serial: 9 };
    let statement = parts(&Signed::sign(&statement, &key(1)).unwrap());
    let invitation =
        parts(&Signed::sign(&Invitation::new([1; 16], vec![], 1, NOW_S, key(2).public()), &key(1)).unwrap());
    let denied = parts(&Signed::sign(&DenyList { version: 7, ..DenyList::default() }, &key(1)).unwrap());
    let (old, new) = (parts(&signed(&policy(6))), parts(&signed(&policy(7))));
    let known = policy(7);
    let last = policy(u64::MAX);
    let rollback = |got| PolicyFault::Rollback { known: 7, got };
    let cases: Vec<(&str, Signed<PolicyDocument>, Option<&PolicyDocument>, PolicyFault)> = vec![
        ("an older version", signed(&policy(6)), Some(&known), rollback(6)),
        ("the oldest version", signed(&policy(1)), Some(&known), rollback(1)),
        (
            "any version after the last",
            signed(&policy(7)),
            Some(&last),
            PolicyFault::Rollback { known: u64::MAX, got: 7 },
        ),
        ("version 0", signed(&policy(0)), None, PolicyFault::Signature),
        ("other rules, same version", signed(&other(|p| p.text.push('#'))), Some(&known), PolicyFault::Twofold(7)),
        ("a longer life, same version", signed(&other(|p| p.not_after_s += 1)), Some(&known), PolicyFault::Twofold(7)),
        ("a later beginning, same version", signed(&other(|p| p.issued_s += 1)), Some(&known), PolicyFault::Twofold(7)),
        ("one that is over", signed(&other(|p| p.not_after_s = NOW_S - 1)), None, PolicyFault::Expired),
        ("one that ends now", signed(&other(|p| p.not_after_s = NOW_S)), None, PolicyFault::Expired),
        ("one that never began", signed(&other(|p| p.not_after_s = 0)), None, PolicyFault::Expired),
        ("two days ahead", signed(&other(|p| p.issued_s = NOW_S + 172_800)), None, PolicyFault::Future),
        ("just too far ahead", signed(&other(|p| p.issued_s = NOW_S + CLOCK_SKEW_S + 1)), None, PolicyFault::Future),
        ("the end of time", signed(&other(|p| p.issued_s = u64::MAX)), None, PolicyFault::Future),
        (
            "another organisation's",
            signed(&other(|p| p.org = "Evil".into())),
            None,
            PolicyFault::OtherOrg("Evil".into()),
        ),
        ("no organisation's", signed(&other(|p| p.org = String::new())), None, PolicyFault::OtherOrg(String::new())),
        (
            "a name that looks alike",
            signed(&other(|p| p.org = "acme".into())),
            None,
            PolicyFault::OtherOrg("acme".into()),
        ),
        ("another root's", by(9), None, PolicyFault::Signature),
        ("the relay's", by(4), None, PolicyFault::Signature),
        ("an invitation's", by(2), None, PolicyFault::Signature),
        ("a device's", by(3), None, PolicyFault::Signature),
        ("a relay statement's bytes and signature", joined(&statement).unwrap(), None, PolicyFault::Signature),
        ("an invitation's bytes and signature", joined(&invitation).unwrap(), None, PolicyFault::Signature),
        ("a deny-list's bytes and signature", joined(&denied).unwrap(), None, PolicyFault::Signature),
        ("new rules under the old signature", mixed(&new, &old), None, PolicyFault::Signature),
        ("old rules under the new signature", mixed(&old, &new), None, PolicyFault::Signature),
        ("rules under a statement's signature", mixed(&new, &statement), None, PolicyFault::Signature),
        ("cut off", altered(|p| p.body.truncate(p.body.len() - 1)), None, PolicyFault::Signature),
        ("empty", altered(|p| p.body.clear()), None, PolicyFault::Signature),
        ("a byte more", altered(|p| p.body.push(0)), None, PolicyFault::Signature),
        ("no signature", altered(|p| p.signature.fill(0)), None, PolicyFault::Signature),
        ("half a signature", altered(|p| p.signature[32..].fill(0)), None, PolicyFault::Signature),
    ];
    for (name, signed, known, fault) in &cases {
        assert_eq!(judged(signed, *known).as_ref(), Err(fault), "{name}");
    }
    assert!(cases.len() >= 25, "{} attacks", cases.len());
}

#[test]
fn no_single_bit_can_be_turned() {
    let whole = parts(&signed(&policy(7)));
    for bit in 0..whole.body.len() * 8 {
        let turned = altered(|parts| parts.body[bit / 8] ^= 1 << (bit % 8));
        assert_eq!(judged(&turned, None), Err(PolicyFault::Signature), "bit {bit} of the body");
    }
    for bit in 0..whole.signature.len() * 8 {
        let turned = altered(|parts| parts.signature[bit / 8] ^= 1 << (bit % 8));
        assert_eq!(judged(&turned, None), Err(PolicyFault::Signature), "bit {bit} of the signature");
    }
}

#[test]
fn a_policy_has_a_bound() {
    let long = PolicyDocument { text: "#".repeat(POLICY_TEXT_BYTES_MAX), ..policy(7) };
    assert_eq!(judged(&signed(&long), None), Ok(7));
    let longer = PolicyDocument { text: "#".repeat(POLICY_TEXT_BYTES_MAX + 1), ..policy(7) };
    assert_eq!(judged(&signed(&longer), None), Err(PolicyFault::Signature));
    assert!(Signed::sign(&PolicyDocument { text: "#".repeat(1 << 20), ..policy(7) }, &key(1)).is_err());
}

#[test]
fn a_deny_list_is_the_relays_and_only_grows() {
    let statement = RelayStatement { org: "Acme".into(), ca_sha256: [1; 32], grant_key: key(4).public(), serial: 1 };
    let list = |version| DenyList { version, nodes: vec![NodeId([5; 16])], members: vec![] };
    let by = |seed: u8, version| Signed::sign(&list(version), &key(seed)).unwrap();
    assert_eq!(DenyList::open(&by(4, 3), &statement, 3), Ok(list(3)));
    assert_eq!(DenyList::open(&by(4, 2), &statement, 3), Err(PolicyFault::Rollback { known: 3, got: 2 }));
    for seed in [1, 2, 3, 9] {
        assert_eq!(DenyList::open(&by(seed, 3), &statement, 0), Err(PolicyFault::Signature), "key {seed}");
    }
    let policy: Option<Signed<DenyList>> = joined(&parts(&signed(&policy(7))));
    assert_eq!(DenyList::open(&policy.unwrap(), &statement, 0), Err(PolicyFault::Signature));
}
