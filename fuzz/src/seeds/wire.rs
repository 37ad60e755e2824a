//! Frames: those that were released, and those of the pipe between a node and its worker.

use std::collections::BTreeMap;

use lull_engine::{
    Confine, EngineInfo, Load,
    protocol::{FromWorker, Job, ToWorker, VERSION},
};
use lull_types::{
    ChatEvent, ChatRequest, Code, Event, Fault, FinishReason, Label, Layer, Message, Request, Response, Role, Sampling,
    Shortfall, Token, TokenLogprob, Usage,
};
use lull_wire::{
    SecretKey, Signed,
    frame::{self, LENGTH_BYTES},
    identity::{DeviceCertificate, Invitation, RelayStatement, SealingCertificate, node_id},
};
use serde::Serialize;

use crate::{Corpora, joined};

const GOLDEN: &str = include_str!("../../../crates/lull-wire/tests/golden.txt");
/// More than any of these frames has, in bytes.
const BYTES_MAX: usize = 1 << 20;

fn whole(value: &impl Serialize) -> Vec<u8> {
    frame::encode(value, BYTES_MAX).expect("a short frame")
}

fn body(value: &impl Serialize) -> Vec<u8> {
    whole(value).split_off(LENGTH_BYTES)
}

fn golden() -> BTreeMap<&'static str, Vec<u8>> {
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
    };
    GOLDEN.lines().filter_map(|line| line.split_once(' ')).map(|(name, hex)| (name, bytes(hex))).collect()
}

pub(crate) fn write(corpora: &Corpora) {
    for (name, frame) in golden() {
        let (target, kind) = match name.split('.').collect::<Vec<_>>().as_slice() {
            ["node", ..] => ("wire_control", 0),
            ["relay", ..] => ("wire_control", 1),
            ["enrol", "request"] => ("wire_control", 2),
            ["enrol", ..] => ("wire_control", 3),
            ["job", "header"] => ("wire_job", 0),
            ["job", "question"] => ("wire_job", 1),
            ["job", ..] => ("wire_job", 2),
            ["receipt"] => ("wire_job", 3),
            _ => continue,
        };
        corpora.add(target, name, [&[kind], &frame[LENGTH_BYTES..]].concat());
    }
    identity(corpora);
    door(corpora);
    to_worker(corpora);
    from_worker(corpora);
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

fn identity(corpora: &Corpora) {
    let invitation = Invitation::new([1; 16], vec!["research".into()], 2, 2000, key(2).public());
    let device = DeviceCertificate { invitation: [1; 16], key: key(3).public(), name: "oak".into(), created_s: 1000 };
    let sealing = SealingCertificate { node: node_id(&key(3).public()), key: [8; 32], created_s: 1500 };
    let claims = joined(&[(0, &body(&invitation)), (0, &body(&device)), (0, &body(&sealing))]);
    corpora.add("wire_identity", "claims", [&[1][..], &claims].concat());
    let invitation = Signed::sign(&invitation, &key(1)).expect("a short document");
    let chain = lull_wire::identity::DeviceChain {
        invitation: invitation.clone(),
        device: Signed::sign(&device, &key(2)).expect("a short document"),
    };
    corpora.add("wire_identity", "chain", [&[0][..], &body(&chain)].concat());
    let statement = RelayStatement { org: "Acme".into(), ca_sha256: [13; 32], grant_key: key(4).public(), serial: 1 };
    let statement = Signed::sign(&statement, &key(1)).expect("a short document");
    let token = lull_wire::Token::new("relay:5855".into(), key(1).public(), statement, invitation, &key(2));
    corpora.add("wire_identity", "token", [&[2][..], token.to_string().as_bytes()].concat());
    corpora.add("wire_identity", "token-frame", [&[3][..], &body(&token)].concat());
}

fn messages() -> Vec<Message> {
    vec![
        Message { role: Role::System, content: "Be brief.".into() },
        Message { role: Role::User, content: "What is Lull? äöü".into() },
    ]
}

fn sampling() -> Sampling {
    Sampling { bias: vec![(3, -1.0)], stop: vec!["\n\n".into()], logprobs: Some(2), ..Sampling::default() }
}

fn door(corpora: &Corpora) {
    let add = |kind: u8, name: &str, body: Vec<u8>| corpora.add("door", name, [&[kind][..], &body].concat());
    add(0, "status", body(&Request::Status));
    add(0, "lend", body(&Request::Lend { on: true }));
    add(0, "log", body(&Request::Log { limit: 7, before: None }));
    let asked = ChatRequest { model: "m".into(), messages: messages(), label: Label::internal(), sampling: sampling() };
    add(1, "chat", body(&asked));
    add(2, "done", body(&Ok::<_, Fault>(Response::Done)));
    add(2, "fault", body(&Err::<Response, _>(fault())));
    add(2, "models", body(&Ok::<_, Fault>(Response::Models { models: Vec::new(), adding: Vec::new() })));
    add(3, "event", body(&Event::Models));
    add(4, "token", body(&ChatEvent::Token(token())));
    add(4, "tail", body(&ChatEvent::Tail { text: "a".into() }));
    add(4, "failed", body(&ChatEvent::Failed(fault())));
}

fn fault() -> Fault {
    Fault::new(Code::ModelBroken, "the file is cut off")
}

fn token() -> Token {
    let likely = TokenLogprob { id: 9, bytes: b" is".to_vec(), logprob: -0.25 };
    Token { position: 0, id: 9, text: " is".into(), logprob: Some(likely.clone()), top: vec![likely] }
}

fn to_worker(corpora: &Corpora) {
    let job = Job { job: 1, messages: messages(), sampling: sampling(), prefix: vec![1, 2, 300_000] };
    let confine = Confine {
        model: "/m".into(),
        scratch: "/s".into(),
        memory_max: Some(1 << 30),
        skip: [Layer::RunFilter].into_iter().collect(),
    };
    let frames = [
        ("confine", ToWorker::Confine(confine)),
        ("load", ToWorker::Load(Load { model: "/m".into(), threads: 2, context_max: 1024 })),
        ("generate", ToWorker::Generate(Box::new(job))),
        ("cancel", ToWorker::Cancel { job: 1 }),
        ("exit", ToWorker::Exit),
    ];
    let mut pipe = vec![1];
    for (name, frame) in &frames {
        corpora.add("pipe_to_worker", name, [&[0][..], &body(frame)].concat());
        pipe.extend(whole(frame));
    }
    corpora.add("pipe_to_worker", "pipe", pipe);
}

fn from_worker(corpora: &Corpora) {
    let layers: lull_types::Layers = Layer::ALL.into_iter().collect();
    let shortfalls = vec![Shortfall { layer: Layer::RunFilter, why: "the kernel is too old".into() }];
    let plain = Token { position: 0, id: 9, text: "Lull".into(), logprob: None, top: Vec::new() };
    let usage = Usage { prompt_tokens: 5, completion_tokens: 1 };
    let engine = EngineInfo { name: "mistral.rs 0.8.1".into(), context: 1024 };
    let frames = [
        ("hello", FromWorker::Hello { version: VERSION, build: "v3".into(), layers: layers.clone(), shortfalls }),
        ("loaded", FromWorker::Loaded { engine, context: 1024, vocabulary: 4096, ends: vec![2], layers }),
        ("accepted", FromWorker::Accepted { job: 1, prompt_tokens: 5 }),
        ("prefilled", FromWorker::Prefilled { job: 1 }),
        ("token", FromWorker::Token { job: 1, token: plain.clone() }),
        ("done", FromWorker::Done { job: 1, finish: FinishReason::Stop, usage, tail: "…".into() }),
        ("likely", FromWorker::Token { job: 1, token: token() }),
        ("cancelled", FromWorker::Cancelled { job: 1 }),
        ("failed", FromWorker::Failed { job: 1, fault: fault() }),
    ];
    for (name, frame) in &frames {
        corpora.add("pipe_from_worker", name, [&[0][..], &body(frame)].concat());
    }
    let pipe = |kind: u8, wanted: &[usize]| -> Vec<u8> {
        let frames = wanted.iter().flat_map(|&at| whole(&frames[at].1));
        [kind].into_iter().chain(frames).collect()
    };
    corpora.add("pipe_from_worker", "answer", pipe(1, &[2, 3, 4, 5]));
    corpora.add("pipe_from_worker", "answer-likely", pipe(17, &[2, 3, 6, 5]));
    corpora.add("pipe_from_worker", "answer-cancelled", pipe(1, &[2, 3, 4, 7]));
    corpora.add("pipe_from_worker", "answer-failed", pipe(1, &[2, 8]));
}
