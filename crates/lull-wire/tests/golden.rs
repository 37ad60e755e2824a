//! Golden frames: the exact bytes of every message, as released. An old peer sends and expects these.
//!
//! A new field needs `#[serde(default)]` and a new golden line beside the old one; an old line is never changed.
//! `LULL_GOLDEN=write` appends lines that are missing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{collections::BTreeMap, fmt::Debug, fs, path::Path};

use lull_types::{
    Code, Epoch, Fault, FinishReason, JobId, Label, Message, ModelHash, NodeId, Pseudonym, Role, Sampling, Token,
    TokenLogprob, Usage,
};
use lull_wire::{
    PublicKey, SecretKey, Signed,
    control::{CatalogueModel, Found, FromNode, FromRelay, Offer, OfferedModel, Reserve, Submit},
    enrol::{EnrolRequest, EnrolResponse},
    frame,
    identity::{
        DeviceCertificate, DeviceChain, Invitation, MemberCertificate, Membership, RelayStatement, SealingCertificate,
        node_id,
    },
    job::{
        AnswerBody, AnswerFrame, AnswerStatement, Asker, Grant, JobHeader, Outcome, OutputHash, Question, Receipt,
        Side, asker_proof,
    },
    policy::{DenyList, PolicyDocument},
};
use serde::{Serialize, de::DeserializeOwned};

const LIMIT: usize = 1 << 20;

struct Golden {
    known: BTreeMap<String, String>,
    missing: Vec<String>,
}

impl Golden {
    fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(&mut self, name: &str, value: &T) {
        let hex: String = frame::encode(value, LIMIT).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        let Some(known) = self.known.get(name) else {
            self.missing.push(format!("{name} {hex}"));
            return;
        };
        assert_eq!(&hex, known, "{name} is written differently than released");
        let bytes: Vec<u8> =
            (0..known.len()).step_by(2).map(|at| u8::from_str_radix(&known[at..at + 2], 16).unwrap()).collect();
        let read: T = frame::decode(&bytes[frame::LENGTH_BYTES..]).unwrap();
        assert_eq!(&read, value, "{name} is read differently than released");
    }
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

fn chain() -> DeviceChain {
    let invitation = Invitation::new([1; 16], vec!["research".into()], 2, 2000, key(2).public());
    let device = DeviceCertificate { invitation: [1; 16], key: key(3).public(), name: "oak".into(), created_s: 1000 };
    DeviceChain {
        invitation: Signed::sign(&invitation, &key(1)).unwrap(),
        device: Signed::sign(&device, &key(2)).unwrap(),
    }
}

fn membership() -> Membership {
    let member = MemberCertificate { invitation: [1; 16], key: key(6).public() };
    Membership { invitation: chain().invitation, member: Signed::sign(&member, &key(2)).unwrap() }
}

fn sealing() -> Signed<SealingCertificate> {
    let certificate = SealingCertificate { node: node_id(&key(3).public()), key: [8; 32], created_s: 1500 };
    Signed::sign(&certificate, &key(3)).unwrap()
}

fn grant() -> Signed<Grant> {
    let grant = Grant {
        job: JobId([4; 16]),
        epoch: Epoch::FIRST,
        lender: NodeId([5; 16]),
        nonce: [6; 16],
        model: ModelHash([7; 32]),
        label: Label::internal(),
        pseudonym: Pseudonym([8; 16]),
        submitter_key: [9; 32],
        not_after_s: 3000,
    };
    Signed::sign(&grant, &key(4)).unwrap()
}

fn fault() -> Fault {
    Fault::new(Code::Busy, "every machine is busy; try again in a minute")
}

fn from_node(golden: &mut Golden) {
    let (job, epoch) = (JobId([4; 16]), Epoch::FIRST);
    let hello = FromNode::Hello { chain: chain(), sealing: sealing(), version: "0.1.0".into(), membership: None };
    golden.check("node.hello", &hello);
    let hello =
        FromNode::Hello { chain: chain(), sealing: sealing(), version: "0.1.0".into(), membership: Some(membership()) };
    golden.check("node.hello.member", &hello);
    golden.check("node.login", &FromNode::Login { id_token: "e30.e30.AA".into(), salt: [3; 32] });
    golden.check("node.follows", &FromNode::Follows { version: 3, fault: Some(fault()) });
    let model = OfferedModel {
        name: "lull-demo".into(),
        hash: ModelHash([7; 32]),
        context: 1024,
        decode_tps: Some(100.5),
        prefill_tps: None,
    };
    let offer = Offer { models: vec![model], slots: 2, labels: vec![] };
    golden.check("node.offer", &FromNode::Offer(offer.clone()));
    let labels = vec![Label::public(), Label::internal()];
    golden.check("node.offer.labels", &FromNode::Offer(Offer { labels, ..offer }));
    golden.check("node.offer.nothing", &FromNode::Offer(Offer::default()));
    let submit = Submit {
        job,
        epoch,
        model: "lull-demo".into(),
        label: Label::confidential(),
        prompt_tokens: 12,
        max_tokens: 512,
        submitter_key: [9; 32],
        check: None,
    };
    golden.check("node.submit", &FromNode::Submit(submit.clone()));
    golden.check("node.submit.check", &FromNode::Submit(Submit { check: Some(7), ..submit }));
    let found = Some(Found { positions: 48, different: 1 });
    golden.check("node.checked", &FromNode::Checked { check: 7, found });
    golden.check("node.cancel", &FromNode::Cancel { job });
    golden.check("node.accept", &FromNode::Accept { job, epoch, nonce: [6; 16] });
    golden.check("node.decline", &FromNode::Decline { job, epoch, reason: fault() });
    let receipt = Receipt {
        job,
        epoch,
        node: NodeId([5; 16]),
        side: Side::Lender,
        usage: Usage { prompt_tokens: 12, completion_tokens: 30 },
        outcome: Outcome::Failed(Code::WorkerDied),
    };
    golden.check("node.receipt", &FromNode::Receipt(Signed::sign(&receipt, &key(3)).unwrap()));
    golden.check("receipt", &receipt);
}

fn from_relay(golden: &mut Golden) {
    let (job, epoch) = (JobId([4; 16]), Epoch::FIRST);
    golden.check("relay.welcome", &FromRelay::Welcome { node: NodeId([5; 16]), now_s: 1234 });
    let model = CatalogueModel {
        name: "lull-demo".into(),
        hash: Some(ModelHash([7; 32])),
        lenders: 2,
        context: Some(1024),
        decode_tps: None,
    };
    golden.check("relay.catalogue", &FromRelay::Catalogue(vec![model]));
    golden.check("relay.queued", &FromRelay::Queued { job, ahead: 3 });
    golden.check("relay.granted", &FromRelay::Granted { grant: grant(), lender: chain(), sealing: sealing() });
    golden.check("relay.refused", &FromRelay::Refused { job, epoch, reason: fault() });
    let reserve = Reserve {
        job,
        epoch,
        model: ModelHash([7; 32]),
        label: Label::public(),
        pseudonym: Pseudonym([8; 16]),
        prompt_tokens: 12,
        max_tokens: 512,
    };
    golden.check("relay.reserve", &FromRelay::Reserve(reserve));
    golden.check("relay.release", &FromRelay::Release { job, epoch });
    let policy = PolicyDocument {
        org: "Example".into(),
        version: 3,
        issued_s: 1000,
        not_after_s: 9000,
        text: "[lend]\nidle_minutes = 10\n".into(),
    };
    golden.check("relay.policy", &FromRelay::Policy(Signed::sign(&policy, &key(1)).unwrap()));
    let denied = DenyList { version: 2, nodes: vec![NodeId([5; 16])], members: vec![NodeId([6; 16])] };
    golden.check("relay.denied", &FromRelay::Denied(Signed::sign(&denied, &key(4)).unwrap()));
    let person = FromRelay::Person { user: "anna@example.org".into(), groups: vec!["staff".into()], until_s: 9000 };
    golden.check("relay.person", &person);
    golden.check("relay.login.refused", &FromRelay::LoginRefused(fault()));
    let check = FromRelay::Check { check: 7, model: "lull-demo".into(), label: Label::internal() };
    golden.check("relay.check", &check);
    golden.check("relay.goodbye", &FromRelay::Goodbye(Fault::new(Code::Revoked, "this machine was revoked")));
}

fn job(golden: &mut Golden) {
    golden.check("job.header", &JobHeader { grant: grant() });
    let messages = vec![
        Message { role: Role::System, content: "Be brief.".into() },
        Message { role: Role::User, content: "What is Lull? äöü 🙂".into() },
    ];
    let sampling = Sampling {
        temperature: 0.5,
        bias: vec![(3, -1.0)],
        seed: u64::MAX,
        stop: vec!["\n\n".into()],
        logprobs: Some(2),
        ..Sampling::default()
    };
    golden.check("job.question", &Question { messages, sampling, prefix: vec![1, 2, 300_000], asker: None });
    let asker = Asker { membership: membership(), proof: key(6).sign(&asker_proof(&grant())) };
    let question = Question { messages: vec![], sampling: Sampling::default(), prefix: vec![], asker: Some(asker) };
    golden.check("job.question.asker", &question);
    let frame = |body| AnswerFrame { epoch: Epoch(2), body };
    let prefilled = |prompt_tokens, machine: &str| AnswerBody::Prefilled { prompt_tokens, machine: machine.into() };
    golden.check("job.prefilled", &frame(prefilled(12, "")));
    golden.check("job.greeting", &frame(prefilled(0, "8 threads")));
    let plain = Token { position: 0, id: 9, text: "Lull".into(), logprob: None, top: Vec::new() };
    golden.check("job.token", &frame(AnswerBody::Token(plain)));
    let likely = TokenLogprob { id: 9, bytes: b" is".to_vec(), logprob: -0.25 };
    let token = Token { position: 1, id: 9, text: " is".into(), logprob: Some(likely.clone()), top: vec![likely] };
    golden.check("job.token.logprobs", &frame(AnswerBody::Token(token)));
    let usage = Usage { prompt_tokens: 12, completion_tokens: 30 };
    let done = |signed| AnswerBody::Done { finish: FinishReason::Length, usage, tail: "…".into(), signed };
    golden.check("job.done", &frame(done(None)));
    let mut output = OutputHash::after(&[7, 8]);
    output.push(&Token { position: 2, id: 300_000, text: "Lull".into(), logprob: None, top: Vec::new() });
    let statement = AnswerStatement {
        job: JobId([4; 16]),
        epoch: Epoch(2),
        model: ModelHash([7; 32]),
        output_sha256: output.finish(FinishReason::Length, "…"),
    };
    golden.check("job.done.signed", &frame(done(Some(Signed::sign(&statement, &key(3)).unwrap()))));
    golden.check("job.failed", &frame(AnswerBody::Failed(fault())));
}

fn identity(golden: &mut Golden) {
    let chain = chain();
    let request = EnrolRequest { chain, transport: PublicKey([11; 32]), proof: [12; 64] };
    golden.check("enrol.request", &request);
    let statement = RelayStatement { org: "Acme".into(), ca_sha256: [13; 32], grant_key: key(4).public(), serial: 1 };
    let statement = Signed::sign(&statement, &key(1)).unwrap();
    let certificate =
        EnrolResponse::Certificate { certificate: vec![1, 2], authority: vec![3], not_after_s: 99, statement };
    golden.check("enrol.certificate", &certificate);
    golden.check("enrol.refused", &EnrolResponse::Refused(fault()));
}

#[test]
fn every_message_is_written_and_read_as_released() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.txt");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let known = text.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.into(), b.into())).collect();
    let mut golden = Golden { known, missing: Vec::new() };
    from_node(&mut golden);
    from_relay(&mut golden);
    job(&mut golden);
    identity(&mut golden);
    if std::env::var_os("LULL_GOLDEN").is_some() {
        let added: String = golden.missing.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&path, text + &added).unwrap();
    } else {
        assert!(golden.missing.is_empty(), "no golden line for {:?}: LULL_GOLDEN=write adds it", golden.missing);
    }
}

#[test]
fn a_newer_peer_may_say_more() {
    #[derive(Serialize)]
    struct Newer {
        job: JobId,
        epoch: Epoch,
        because: &'static str,
    }
    let frame = frame::encode(
        &BTreeMap::from([("Release", Newer { job: JobId([4; 16]), epoch: Epoch(1), because: "x" })]),
        LIMIT,
    );
    let read: FromRelay = frame::decode(&frame.unwrap()[frame::LENGTH_BYTES..]).unwrap();
    assert_eq!(read, FromRelay::Release { job: JobId([4; 16]), epoch: Epoch(1) });
}

/// Every golden frame cut, stretched and flipped at many places: an error each time, or another valid message, and
/// never a panic or a large allocation.
#[test]
fn damaged_frames_are_errors() {
    let text = include_str!("golden.txt");
    let (mut refused, mut tried) = (0, 0);
    for line in text.lines() {
        let hex = line.split_once(' ').unwrap().1;
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let body = &bytes[frame::LENGTH_BYTES..];
        let step = (body.len() / 23).max(1);
        for at in (0..body.len()).step_by(step) {
            let mut flipped = body.to_vec();
            flipped[at] ^= 0xff;
            for damaged in [body[..at].to_vec(), [body, &[at as u8]].concat(), flipped] {
                tried += 1;
                refused += usize::from(!reads(&damaged));
            }
        }
    }
    assert!(tried > 1000, "{tried}");
    assert!(refused * 10 > tried * 8, "{refused} of {tried} damaged frames were refused");
}

fn reads(body: &[u8]) -> bool {
    frame::decode::<FromNode>(body).is_ok()
        || frame::decode::<FromRelay>(body).is_ok()
        || frame::decode::<JobHeader>(body).is_ok()
        || frame::decode::<Question>(body).is_ok()
        || frame::decode::<AnswerFrame>(body).is_ok()
        || frame::decode::<EnrolRequest>(body).is_ok()
        || frame::decode::<EnrolResponse>(body).is_ok()
        || frame::decode::<Receipt>(body).is_ok()
}
