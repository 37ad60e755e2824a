//! What the organisation says to all: whose word it is, and at which hour it counts. The attacks on a policy's content
//! are `lull-wire`'s own tests.

use lull_wire::{
    SecretKey, Signed,
    identity::RelayStatement,
    policy::{DenyList, PolicyDocument, PolicyFault},
};

const NOW_S: u64 = 1_700_000_000;
const TWO_DAYS_S: u64 = 2 * 86_400;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

fn policy() -> PolicyDocument {
    let (issued_s, not_after_s) = (NOW_S - 60, NOW_S + 60);
    PolicyDocument { org: "Acme".into(), version: 3, issued_s, not_after_s, text: String::new() }
}

/// What comes of a policy signed by `by` at a machine that knows version 3, when its clock shows `now_s`.
fn heard(policy: &PolicyDocument, by: u8, now_s: u64) -> Result<(), PolicyFault> {
    let signed = Signed::sign(policy, &key(by)).unwrap();
    let opened = PolicyDocument::open(&signed, &key(1).public(), "Acme", Some(&self::policy()))?;
    opened.check_time(now_s)
}

/// The same for a deny-list at one that knows version 3.
fn denied(version: u64, by: u8) -> Result<(), PolicyFault> {
    let statement = RelayStatement { org: "Acme".into(), ca_sha256: [1; 32], grant_key: key(4).public(), serial: 1 };
    let list = DenyList { version, ..DenyList::default() };
    DenyList::open(&Signed::sign(&list, &key(by)).unwrap(), &statement, 3).map(drop)
}

type Try = fn() -> Result<(), PolicyFault>;

const CASES: [(&str, PolicyFault, Try); 8] = [
    ("a policy at a clock two days slow", PolicyFault::Future, || heard(&policy(), 1, NOW_S - TWO_DAYS_S)),
    ("a policy at a clock two days fast", PolicyFault::Expired, || heard(&policy(), 1, NOW_S + TWO_DAYS_S)),
    ("a policy of the relay's key", PolicyFault::Signature, || heard(&policy(), 4, NOW_S)),
    ("an older policy", PolicyFault::Rollback { known: 3, got: 2 }, || {
        heard(&PolicyDocument { version: 2, ..policy() }, 1, NOW_S)
    }),
    ("another policy of the same version", PolicyFault::Twofold(3), || {
        heard(&PolicyDocument { not_after_s: NOW_S + 61, ..policy() }, 1, NOW_S)
    }),
    ("an older deny-list", PolicyFault::Rollback { known: 3, got: 2 }, || denied(2, 4)),
    ("a deny-list of root's key", PolicyFault::Signature, || denied(4, 1)),
    ("a deny-list of another relay's key", PolicyFault::Signature, || denied(4, 5)),
];

pub(crate) fn names() -> Vec<&'static str> {
    CASES.iter().map(|case| case.0).collect()
}

#[test]
fn each_order_that_does_not_count_is_refused_for_its_reason() {
    for (name, refused, attempt) in CASES {
        assert_eq!((heard(&policy(), 1, NOW_S), denied(3, 4)), (Ok(()), Ok(())), "{name}: the control");
        assert_eq!(attempt(), Err(refused), "{name}");
    }
}
