//! Papers: root's invitation, what the invitation says of a device and of the key that it asks with, and what the device
//! says of its sealing key.

use lull_wire::{
    BadSignature, Document, PublicKey, SecretKey, Signed, frame,
    identity::{
        ChainError, DeviceCertificate, DeviceChain, Invitation, MACHINES_MAX, MemberCertificate, Membership,
        NAME_BYTES_MAX, SealingCertificate, node_id,
    },
};
use serde::{Serialize, de::DeserializeOwned};

const BYTES_MAX: usize = 64 * 1024;
const DAY_S: u64 = 86_400;
/// When the invitation of these papers ends.
const END_S: u64 = 1_000_000;

const ROOT: u8 = 1;
const INVITER: u8 = 2;
const DEVICE: u8 = 3;
const MEMBER: u8 = 4;
const STRANGER: u8 = 9;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

/// What each paper says, and whose key signs it.
struct Drafts {
    invitation: (Invitation, u8),
    device: (DeviceCertificate, u8),
    sealing: (SealingCertificate, u8),
    member: (MemberCertificate, u8),
}

/// The same, signed.
struct Papers {
    chain: DeviceChain,
    sealing: Signed<SealingCertificate>,
    membership: Membership,
}

impl Drafts {
    fn good() -> Self {
        let id = [1; 16];
        let device = key(DEVICE).public();
        let invitation = Invitation {
            machines: vec!["oak".into(), "elm".into()],
            ..Invitation::new(id, vec!["lab".into()], 1, END_S, key(INVITER).public())
        };
        let certificate = DeviceCertificate { invitation: id, key: device, name: "oak".into(), created_s: END_S - 60 };
        let sealing = SealingCertificate { node: node_id(&device), key: [8; 32], created_s: END_S };
        let member = MemberCertificate { invitation: id, key: key(MEMBER).public() };
        Self {
            invitation: (invitation, ROOT),
            device: (certificate, INVITER),
            sealing: (sealing, DEVICE),
            member: (member, INVITER),
        }
    }

    fn sign(&self) -> Papers {
        let invitation = sign(&self.invitation);
        let chain = DeviceChain { invitation: invitation.clone(), device: sign(&self.device) };
        let membership = Membership { invitation, member: sign(&self.member) };
        Papers { chain, sealing: sign(&self.sealing), membership }
    }
}

fn sign<T: Document>((document, by): &(T, u8)) -> Signed<T> {
    Signed::sign(document, &key(*by)).unwrap()
}

impl Papers {
    fn check(&self) -> Result<(), ChainError> {
        let root = key(ROOT).public();
        self.chain.verify_sealing(&root, &self.sealing)?;
        self.membership.verify(&root).map(drop)
    }
}

fn body<T: Serialize>(value: &T) -> Vec<u8> {
    frame::encode(value, BYTES_MAX).unwrap().split_off(frame::LENGTH_BYTES)
}

/// The same bytes, read as something else.
fn posing<T: Serialize, U: DeserializeOwned>(value: &T) -> U {
    frame::decode(&body(value)).unwrap()
}

/// A signed paper with its bytes changed; the last 64 are the signature.
fn bend<T: Document>(signed: &mut Signed<T>, change: impl FnOnce(&mut [u8])) {
    let mut bytes = body(signed);
    change(&mut bytes);
    *signed = frame::decode(&bytes).unwrap();
}

/// Adds the group's order to a signature's second half: the same number to a verifier that is not strict.
pub(crate) fn malleate(bytes: &mut [u8]) {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let half = bytes.len() - 32;
    let mut carry = 0;
    for (byte, add) in bytes[half..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
}

/// The neutral point, and the same written in the second way that there is.
pub(crate) const WEAK: [PublicKey; 2] = [weak(1, 0), weak(0xee, 0x7f)];

const fn weak(first: u8, last: u8) -> PublicKey {
    let mut bytes = [if first == 1 { 0 } else { 0xff }; 32];
    bytes[0] = first;
    bytes[31] = last;
    PublicKey(bytes)
}

/// What a verifier that takes weak keys takes for their signature under any text.
pub(crate) const UNIVERSAL: [u8; 64] = {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    bytes
};

fn with_universal(bytes: &mut [u8]) {
    let at = bytes.len() - 64;
    bytes[at..].copy_from_slice(&UNIVERSAL);
}

fn forged<T: Document>() -> ChainError {
    ChainError::Signature(BadSignature(T::DOMAIN))
}

fn nothing(_: &mut Papers) {}

struct Case {
    name: &'static str,
    refused: ChainError,
    draft: fn(&mut Drafts),
    paper: fn(&mut Papers),
}

const fn drafted(name: &'static str, refused: ChainError, draft: fn(&mut Drafts)) -> Case {
    Case { name, refused, draft, paper: nothing }
}

fn bent(name: &'static str, refused: ChainError, paper: fn(&mut Papers)) -> Case {
    Case { name, refused, draft: |_| {}, paper }
}

/// Signed by whom it should not be, or of another chain.
fn strangers() -> Vec<Case> {
    use drafted as of;
    let (invitation, device) = (forged::<Invitation>, forged::<DeviceCertificate>);
    let (sealing, member) = (forged::<SealingCertificate>, forged::<MemberCertificate>);
    vec![
        of("an invitation of another root", invitation(), |d| d.invitation.1 = STRANGER),
        of("an invitation that signs itself", invitation(), |d| d.invitation.1 = INVITER),
        of("an invitation signed by a device", invitation(), |d| d.invitation.1 = DEVICE),
        of("a device of another invitation's key", device(), |d| d.device.1 = STRANGER),
        of("a device that certifies itself", device(), |d| d.device.1 = DEVICE),
        of("a device that root itself certifies", device(), |d| d.device.1 = ROOT),
        of("a device of another invitation", ChainError::Mixed("device certificate"), |d| d.device.0.invitation[0] = 7),
        of("a sealing key of another device's word", sealing(), |d| d.sealing.1 = STRANGER),
        of("a sealing key of the invitation's word", sealing(), |d| d.sealing.1 = INVITER),
        of("a sealing key of the member key's word", sealing(), |d| d.sealing.1 = MEMBER),
        of("a sealing key for an id that follows from another key", ChainError::Mixed("sealing certificate"), |d| {
            d.sealing.0.node = node_id(&key(STRANGER).public());
        }),
        of("a member of another invitation's key", member(), |d| d.member.1 = STRANGER),
        of("a member that its device certifies", member(), |d| d.member.1 = DEVICE),
        of("a member that certifies itself", member(), |d| d.member.1 = MEMBER),
        of("a member of another invitation", ChainError::Mixed("member certificate"), |d| d.member.0.invitation[0] = 7),
        bent("a membership under another root's invitation", invitation(), |p| {
            p.membership.invitation = sign(&(Drafts::good().invitation.0, STRANGER));
        }),
        bent("a membership under another invitation of root's", member(), |p| {
            let other = Invitation::new([5; 16], vec!["finance".into()], 1, END_S, key(STRANGER).public());
            p.membership.invitation = sign(&(other, ROOT));
        }),
        bent("a chain under another invitation of root's", device(), |p| {
            let other = Invitation::new([5; 16], vec!["finance".into()], 1, END_S, key(STRANGER).public());
            p.chain.invitation = sign(&(other, ROOT));
        }),
        bent("a device certificate that poses as a member's", member(), |p| {
            p.membership.member = posing(&p.chain.device);
        }),
    ]
}

/// Rightly signed, and saying what may not be said.
fn unfit() -> Vec<Case> {
    use drafted as of;
    let (groups, name) = (ChainError::Bounds("list of groups"), ChainError::Bounds("device's name"));
    vec![
        of("a device that joined a second after the end", ChainError::Late, |d| d.device.0.created_s = END_S + 1),
        of("a device whose clock is two days ahead", ChainError::Late, |d| d.device.0.created_s = END_S + 2 * DAY_S),
        of("a machine that is not listed", ChainError::NotListed("ash".into()), |d| d.device.0.name = "ash".into()),
        of("a listed machine in other letters", ChainError::NotListed("Oak".into()), |d| {
            d.device.0.name = "Oak".into()
        }),
        of("a listed machine and a blank", ChainError::NotListed("oak ".into()), |d| d.device.0.name = "oak ".into()),
        of("more machines than there may be", ChainError::Bounds("list of machines"), |d| {
            d.invitation.0.machines = vec!["oak".into(); MACHINES_MAX + 1];
        }),
        of("a device without a name", name.clone(), |d| d.device.0.name = String::new()),
        of("a name of two lines", name.clone(), |d| d.device.0.name = "oak\nelm".into()),
        of("a name that is too long", name, |d| d.device.0.name = "x".repeat(NAME_BYTES_MAX + 1)),
        of("more groups than there may be", groups.clone(), |d| d.invitation.0.groups = vec!["g".into(); 17]),
        of("a group without a name", groups.clone(), |d| d.invitation.0.groups = vec![" ".into()]),
        of("a group of two lines", groups, |d| d.invitation.0.groups = vec!["a\nb".into()]),
        of("a person's name that is too long", ChainError::Bounds("user's name"), |d| {
            d.invitation.0.user = "x".repeat(NAME_BYTES_MAX + 1);
        }),
    ]
}

/// Changed after they were signed, or signed so that only a lenient verifier would take it.
fn touched() -> Vec<Case> {
    let (invitation, device) = (forged::<Invitation>, forged::<DeviceCertificate>);
    let weak_inviter = |name, draft: fn(&mut Drafts)| {
        let paper: fn(&mut Papers) = |p| bend(&mut p.chain.device, with_universal);
        Case { name, refused: forged::<DeviceCertificate>(), draft, paper }
    };
    vec![
        bent("one bit of an invitation's groups", invitation(), |p| {
            bend(&mut p.chain.invitation, |bytes| {
                let at = bytes.windows(3).position(|window| window == b"lab").unwrap();
                bytes[at] ^= 1;
            });
        }),
        bent("one bit of a device's name", device(), |p| {
            bend(&mut p.chain.device, |bytes| {
                let at = bytes.windows(3).position(|window| window == b"oak").unwrap();
                bytes[at] ^= 1;
            });
        }),
        bent("one bit of a signature's first half", invitation(), |p| {
            bend(&mut p.chain.invitation, |bytes| *bytes.iter_mut().rev().nth(63).unwrap() ^= 1);
        }),
        bent("one bit of a signature's second half", invitation(), |p| {
            bend(&mut p.chain.invitation, |bytes| *bytes.last_mut().unwrap() ^= 0x20);
        }),
        bent("a signature of zeros", device(), |p| {
            bend(&mut p.chain.device, |bytes| bytes.iter_mut().rev().take(64).for_each(|byte| *byte = 0));
        }),
        bent("a malleated signature of root's", invitation(), |p| bend(&mut p.chain.invitation, malleate)),
        bent("a malleated signature of an invitation's", device(), |p| bend(&mut p.chain.device, malleate)),
        bent("a malleated signature of a device's", forged::<SealingCertificate>(), |p| bend(&mut p.sealing, malleate)),
        weak_inviter("an invitation with a weak key, and anybody's device", |d| d.invitation.0.key = WEAK[0]),
        weak_inviter("the same weak key, written otherwise", |d| d.invitation.0.key = WEAK[1]),
        Case {
            name: "a device with a weak key, and anybody's sealing key",
            refused: forged::<SealingCertificate>(),
            draft: |d| {
                d.device.0.key = WEAK[0];
                d.sealing.0.node = node_id(&WEAK[0]);
            },
            paper: |p| bend(&mut p.sealing, with_universal),
        },
    ]
}

fn cases() -> Vec<Case> {
    strangers().into_iter().chain(unfit()).chain(touched()).collect()
}

pub(crate) fn names() -> Vec<&'static str> {
    cases().iter().map(|case| case.name).collect()
}

#[test]
fn each_broken_paper_is_refused_for_what_is_wrong_with_it() {
    for case in cases() {
        let mut drafts = Drafts::good();
        assert_eq!(drafts.sign().check(), Ok(()), "{}: the control", case.name);
        (case.draft)(&mut drafts);
        let mut papers = drafts.sign();
        (case.paper)(&mut papers);
        assert_eq!(papers.check(), Err(case.refused), "{}", case.name);
    }
}
