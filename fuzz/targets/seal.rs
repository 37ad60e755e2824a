//! What a stranger can do to sealed bytes: nothing that opens, except what was sealed, once, and in its order.
#![no_main]

use std::sync::OnceLock;

use lull_fuzz::bounded;
use lull_seal::{EphemeralKey, SealingKey, fuzzing::assert_padding, open_question, seal_question};
use lull_types::{Epoch, JobId, Label, Message, ModelHash, NodeId, Pseudonym, Role, Sampling, Token};
use lull_wire::{
    SecretKey, Signed,
    frame::LENGTH_BYTES,
    job::{AnswerBody, AnswerFrame, Grant, Question},
};

struct Pair {
    lender: SealingKey,
    submitter: EphemeralKey,
    grant: Signed<Grant>,
    sealed: Vec<u8>,
}

/// Frames of the answer that strangers meddle with.
const FRAMES: u32 = 4;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    let pair = PAIR.get_or_init(pair);
    let Some((kind, body)) = data.split_first() else { return };
    bounded(data.len(), || match kind % 4 {
        0 => {
            let opened = open_question(&pair.grant, &pair.submitter.public(), body, &pair.lender);
            assert!(opened.is_err(), "bytes that nobody sealed were opened");
        }
        1 => changed_question(pair, body),
        2 => meddled_answer(pair, body),
        _ => assert_padding(body),
    });
});

fn pair() -> Pair {
    let (lender, submitter) = (SealingKey::generate(), EphemeralKey::generate());
    let grant = Grant {
        job: JobId([1; 16]),
        epoch: Epoch::FIRST,
        lender: NodeId([2; 16]),
        nonce: [3; 16],
        model: ModelHash([4; 32]),
        label: Label::internal(),
        pseudonym: Pseudonym([5; 16]),
        submitter_key: submitter.public(),
        not_after_s: 1000,
    };
    let grant = Signed::sign(&grant, &SecretKey::from_bytes(&[4; 32])).expect("a grant is short");
    let messages = vec![Message { role: Role::User, content: "What is Lull?".into() }];
    let question = Question { messages, sampling: Sampling::default(), prefix: vec![7, 8], asker: None };
    let (sealed, _) = seal_question(&grant, &lender.public(), &submitter, &question).expect("a question is short");
    Pair { lender, submitter, grant, sealed: sealed[LENGTH_BYTES..].to_vec() }
}

/// One place of a sealed question is changed, or it is cut or made longer.
fn changed_question(pair: &Pair, change: &[u8]) {
    let [how, low, high, rest @ ..] = change else { return };
    let mut body = pair.sealed.clone();
    let at = usize::from(u16::from_le_bytes([*low, *high])) % body.len();
    match how % 3 {
        0 => body[at] ^= rest.first().copied().unwrap_or(1).max(1),
        1 => body.truncate(at),
        _ => body.splice(at..at, rest.iter().copied().chain([0])).for_each(drop),
    }
    if body != pair.sealed {
        let opened = open_question(&pair.grant, &pair.submitter.public(), &body, &pair.lender);
        assert!(opened.is_err(), "a changed question was opened");
    }
}

/// The frames of an answer come in any order, again, changed and among bytes of a stranger's own.
fn meddled_answer(pair: &Pair, acts: &[u8]) {
    let question = Question { messages: Vec::new(), sampling: Sampling::default(), prefix: Vec::new(), asker: None };
    let sealed = seal_question(&pair.grant, &pair.lender.public(), &pair.submitter, &question);
    let (sealed, mut opener) = sealed.expect("a question is short");
    let opened = open_question(&pair.grant, &pair.submitter.public(), &sealed[LENGTH_BYTES..], &pair.lender);
    let (_, mut sealer) = opened.expect("it is as it was sealed");
    let frames: Vec<Vec<u8>> = (0..FRAMES)
        .map(|position| sealer.seal(&frame(position), position == FRAMES - 1).expect("a frame is short"))
        .collect();
    let mut next = 0;
    for act in acts.chunks(2).take(64) {
        let which = usize::from(act[0]) % frames.len();
        let mut body = frames[which][LENGTH_BYTES..].to_vec();
        let change = act.get(1).copied().unwrap_or(0);
        let at = usize::from(act[0]) % body.len();
        body[at] ^= change;
        let opened = opener.open(&body);
        if change == 0 && which == next {
            assert_eq!(opened, Ok((frame(next as u32), which == frames.len() - 1)), "the next frame was refused");
            next += 1;
        } else {
            assert!(opened.is_err(), "something else than the next frame was opened");
        }
    }
}

fn frame(position: u32) -> AnswerFrame {
    let token = Token { position, id: 9, text: "hi".into(), logprob: None, top: Vec::new() };
    AnswerFrame { epoch: Epoch::FIRST, body: AnswerBody::Token(token) }
}
