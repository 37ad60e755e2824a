//! Whoever carries what is sealed, the relay above all, and what they might do to it: each change is noticed.
#![allow(clippy::unwrap_used, reason = "tests")]

use lull_seal::{AnswerOpener, AnswerSealer, EphemeralKey, SealError, SealingKey, open_question, seal_question};
use lull_types::{
    Epoch, FinishReason, JobId, Label, Message, ModelHash, NodeId, Pseudonym, Role, Sampling, Token, Usage,
};
use lull_wire::{
    SecretKey, Signed,
    frame::LENGTH_BYTES,
    job::{AnswerBody, AnswerFrame, Grant, Question},
};

/// What the two sides of one run hold, and what travels between them.
struct Run {
    relay: SecretKey,
    lender: SealingKey,
    submitter: EphemeralKey,
    grant: Grant,
    signed: Signed<Grant>,
    /// The sealed question, without its length.
    question: Vec<u8>,
    opener: AnswerOpener,
}

fn grant_of(job: u8, epoch: u32, submitter: &EphemeralKey) -> Grant {
    Grant {
        job: JobId([job; 16]),
        epoch: Epoch(epoch),
        lender: NodeId([2; 16]),
        nonce: [3; 16],
        model: ModelHash([4; 32]),
        label: Label::internal(),
        pseudonym: Pseudonym([5; 16]),
        submitter_key: submitter.public(),
        not_after_s: 1_000,
    }
}

fn question() -> Question {
    let messages = vec![Message { role: Role::User, content: "a secret".into() }];
    Question { messages, sampling: Sampling::default(), prefix: vec![7], asker: None }
}

impl Run {
    fn new(job: u8, epoch: u32) -> Self {
        Self::between(job, epoch, SealingKey::generate(), EphemeralKey::generate())
    }

    fn between(job: u8, epoch: u32, lender: SealingKey, submitter: EphemeralKey) -> Self {
        let (relay, grant) = (SecretKey::from_bytes(&[9; 32]), grant_of(job, epoch, &submitter));
        let signed = Signed::sign(&grant, &relay).unwrap();
        let (mut whole, opener) = seal_question(&signed, &lender.public(), &submitter, &question()).unwrap();
        let question = whole.split_off(LENGTH_BYTES);
        Self { relay, lender, submitter, grant, signed, question, opener }
    }

    fn sealer(&self) -> AnswerSealer {
        let opened = open_question(&self.signed, &self.submitter.public(), &self.question, &self.lender);
        opened.unwrap().1
    }

    /// An answer of three frames, without their lengths: two that others follow, and the last.
    fn answer(&self) -> Vec<Vec<u8>> {
        let mut sealer = self.sealer();
        let frames = frames(self.grant.epoch);
        let sealed = frames.iter().enumerate().map(|(at, frame)| sealer.seal(frame, at == 2).unwrap());
        sealed.map(|mut whole| whole.split_off(LENGTH_BYTES)).collect()
    }
}

fn frames(epoch: Epoch) -> [AnswerFrame; 3] {
    let token = |position: u32| {
        let token = Token { position, id: 40 + position, text: "word".into(), logprob: None, top: Vec::new() };
        AnswerFrame { epoch, body: AnswerBody::Token(token) }
    };
    let usage = Usage { prompt_tokens: 3, completion_tokens: 2 };
    let done = AnswerBody::Done { finish: FinishReason::Stop, usage, tail: String::new(), signed: None };
    [token(0), token(1), AnswerFrame { epoch, body: done }]
}

type Change = fn(&mut Grant);

/// The same grant but for one field, signed by the relay itself: it holds the key.
const GRANTS: [(&str, Change); 9] = [
    ("another job", |grant| grant.job = JobId([9; 16])),
    ("a later epoch", |grant| grant.epoch = Epoch(2)),
    ("another lender", |grant| grant.lender = NodeId([9; 16])),
    ("another nonce", |grant| grant.nonce = [9; 16]),
    ("another model", |grant| grant.model = ModelHash([9; 32])),
    ("a laxer label", |grant| grant.label = Label::public()),
    ("another pseudonym", |grant| grant.pseudonym = Pseudonym([9; 16])),
    ("another submitter's key", |grant| grant.submitter_key = [9; 32]),
    ("a later end", |grant| grant.not_after_s = 1_001),
];

/// Every field of the grant is bound to the question, even where the key to open it with stays the right one.
#[test]
fn a_question_opens_under_no_other_grant() {
    let run = Run::new(1, 1);
    // A field that is added to the grant has to be added to the table.
    let Grant {
        job: _,
        epoch: _,
        lender: _,
        nonce: _,
        model: _,
        label: _,
        pseudonym: _,
        submitter_key: _,
        not_after_s: _,
    } = run.grant.clone();
    for (name, change) in GRANTS {
        let mut changed = run.grant.clone();
        change(&mut changed);
        assert_ne!(changed, run.grant, "{name}");
        let changed = Signed::sign(&changed, &run.relay).unwrap();
        let opened = open_question(&changed, &run.submitter.public(), &run.question, &run.lender);
        assert_eq!(opened.err(), Some(SealError::Broken), "{name}");
        run.sealer();
    }
}

/// What arrives at the lender instead of the question: its bytes, and the key that the grant names.
type Carried = fn(&Run) -> (Vec<u8>, [u8; 32]);

fn sealed_by(run: &Run, key: &EphemeralKey, to: [u8; 32]) -> Vec<u8> {
    seal_question(&run.signed, &to, key, &question()).unwrap().0.split_off(LENGTH_BYTES)
}

fn flipped(run: &Run, at: usize, mask: u8) -> (Vec<u8>, [u8; 32]) {
    let mut body = run.question.clone();
    body[at] ^= mask;
    (body, run.submitter.public())
}

fn cut(run: &Run, bytes: usize) -> (Vec<u8>, [u8; 32]) {
    (run.question[..bytes].to_vec(), run.submitter.public())
}

const QUESTIONS: [(&str, SealError, Carried); 23] = [
    ("one of the relay's own, as if from the submitter", SealError::Broken, |run| {
        (sealed_by(run, &EphemeralKey::generate(), run.lender.public()), run.submitter.public())
    }),
    ("the right one, and the relay's key named", SealError::Broken, |run| {
        (run.question.clone(), EphemeralKey::generate().public())
    }),
    ("one sealed to a key of the relay's", SealError::Broken, |run| {
        (sealed_by(run, &run.submitter, SealingKey::generate().public()), run.submitter.public())
    }),
    ("a submitter's key that is no point of use", SealError::Broken, |run| (run.question.clone(), [0; 32])),
    ("another job's question of the same two", SealError::Broken, |run| {
        let signed = Signed::sign(&grant_of(7, 1, &run.submitter), &run.relay).unwrap();
        let whole = seal_question(&signed, &run.lender.public(), &run.submitter, &question()).unwrap().0;
        (whole[LENGTH_BYTES..].to_vec(), run.submitter.public())
    }),
    ("the question of the run before", SealError::Broken, |run| {
        let signed = Signed::sign(&grant_of(1, 0, &run.submitter), &run.relay).unwrap();
        let whole = seal_question(&signed, &run.lender.public(), &run.submitter, &question()).unwrap().0;
        (whole[LENGTH_BYTES..].to_vec(), run.submitter.public())
    }),
    ("another's encapsulated key", SealError::Broken, |run| {
        let other = sealed_by(run, &run.submitter, run.lender.public());
        ([&other[..32], &run.question[32..]].concat(), run.submitter.public())
    }),
    ("another's ciphertext", SealError::Broken, |run| {
        let other = sealed_by(run, &run.submitter, run.lender.public());
        ([&run.question[..32], &other[32..]].concat(), run.submitter.public())
    }),
    ("an encapsulated key of zeros", SealError::Broken, |run| {
        ([&[0; 32], &run.question[32..]].concat(), run.submitter.public())
    }),
    ("a bit of the encapsulated key's first byte", SealError::Broken, |run| flipped(run, 0, 1)),
    // The highest bit of the last byte is one that X25519 does not look at; HPKE's key schedule does.
    ("the bit of the encapsulated key that X25519 ignores", SealError::Broken, |run| flipped(run, 31, 0x80)),
    ("a bit of the length inside", SealError::Broken, |run| flipped(run, 32, 1)),
    ("a bit of the text", SealError::Broken, |run| flipped(run, 32 + 30, 0x10)),
    ("a bit of the padding", SealError::Broken, |run| flipped(run, run.question.len() - 17, 1)),
    ("the first bit of the tag", SealError::Broken, |run| flipped(run, run.question.len() - 16, 1)),
    ("the last bit of the tag", SealError::Broken, |run| flipped(run, run.question.len() - 1, 0x80)),
    ("nothing", SealError::Malformed, |run| cut(run, 0)),
    ("half an encapsulated key", SealError::Malformed, |run| cut(run, 31)),
    ("an encapsulated key alone", SealError::Broken, |run| cut(run, 32)),
    ("less than a tag", SealError::Broken, |run| cut(run, 32 + 15)),
    ("one without its last bucket", SealError::Broken, |run| cut(run, run.question.len() - lull_seal::BUCKET_BYTES)),
    ("one without its last byte", SealError::Broken, |run| cut(run, run.question.len() - 1)),
    ("one with a byte more", SealError::Broken, |run| {
        ([run.question.as_slice(), &[0]].concat(), run.submitter.public())
    }),
];

#[test]
fn a_question_that_was_touched_or_exchanged_does_not_open() {
    for (name, expected, carry) in QUESTIONS {
        let run = Run::new(1, 1);
        let (body, key) = carry(&run);
        assert!(body != run.question || key != run.submitter.public(), "{name}: nothing was changed");
        assert_eq!(open_question(&run.signed, &key, &body, &run.lender).err(), Some(expected), "{name}");
        run.sealer();
    }
}

/// A lender that starts anew has another key: what was sealed to the one before opens no more.
#[test]
fn a_question_does_not_outlive_the_lenders_boot() {
    let run = Run::new(1, 1);
    let reborn = SealingKey::generate();
    let opened = open_question(&run.signed, &run.submitter.public(), &run.question, &reborn);
    assert_eq!(opened.err(), Some(SealError::Broken));
    run.sealer();
}

/// A lender itself opens the same question as often as it comes: what stops a replay is that its nonce is used up. What
/// is shown here is that the answer to a replay is one and the same, so that no key and counter ever covers two texts.
#[test]
fn a_replayed_question_yields_no_second_answer_key() {
    let run = Run::new(1, 1);
    assert_eq!(run.answer(), run.answer());
    let (other, again) = (Run::new(1, 1).answer(), run.answer());
    assert!(other.iter().zip(&again).all(|(other, again)| other != again));
}

/// What arrives at the submitter instead of the three frames.
type Tampered = fn(&Run, Vec<Vec<u8>>) -> Vec<Vec<u8>>;

fn bent(mut frames: Vec<Vec<u8>>, which: usize, at: usize, mask: u8) -> Vec<Vec<u8>> {
    frames[which][at] ^= mask;
    frames
}

fn shortened(mut frames: Vec<Vec<u8>>, which: usize, bytes: usize) -> Vec<Vec<u8>> {
    frames[which].truncate(bytes);
    frames
}

/// A frame under the same key and place, sealed with the other mark.
fn resealed(run: &Run, which: usize, last: bool) -> Vec<u8> {
    let mut sealer = run.sealer();
    let frames = frames(run.grant.epoch);
    for frame in &frames[..which] {
        sealer.seal(frame, false).unwrap();
    }
    sealer.seal(&frames[which], last).unwrap().split_off(LENGTH_BYTES)
}

/// With how many frames open before it is noticed, and how: `None` for an answer without its end.
const ANSWERS: [(&str, usize, Option<SealError>, Tampered); 24] = [
    ("the first two exchanged", 0, Some(SealError::Broken), |_, f| vec![f[1].clone(), f[0].clone(), f[2].clone()]),
    ("the last two exchanged", 1, Some(SealError::Broken), |_, f| vec![f[0].clone(), f[2].clone(), f[1].clone()]),
    ("the last one first", 0, Some(SealError::Broken), |_, f| vec![f[2].clone(), f[0].clone(), f[1].clone()]),
    ("the first dropped", 0, Some(SealError::Broken), |_, f| f[1..].to_vec()),
    ("the second dropped", 1, Some(SealError::Broken), |_, f| vec![f[0].clone(), f[2].clone()]),
    ("the last one missing", 2, None, |_, f| f[..2].to_vec()),
    ("nothing but the first", 1, None, |_, f| f[..1].to_vec()),
    ("nothing at all", 0, None, |_, _| Vec::new()),
    ("the first repeated", 1, Some(SealError::Broken), |_, f| vec![f[0].clone(), f[0].clone(), f[1].clone()]),
    ("the second repeated", 2, Some(SealError::Broken), |_, f| vec![f[0].clone(), f[1].clone(), f[1].clone()]),
    ("the last repeated", 3, Some(SealError::AfterLast), |_, f| [f.as_slice(), &f[2..]].concat()),
    ("one more after the last", 3, Some(SealError::AfterLast), |_, f| [f.as_slice(), &f[..1]].concat()),
    ("the first of another job", 0, Some(SealError::Broken), |_, f| {
        vec![Run::new(7, 1).answer()[0].clone(), f[1].clone(), f[2].clone()]
    }),
    ("the end of another job", 2, Some(SealError::Broken), |_, f| {
        vec![f[0].clone(), f[1].clone(), Run::new(7, 1).answer()[2].clone()]
    }),
    ("the end of the run before, of the same two", 2, Some(SealError::Broken), |run, f| {
        let signed = Signed::sign(&grant_of(1, 0, &run.submitter), &run.relay).unwrap();
        let whole = seal_question(&signed, &run.lender.public(), &run.submitter, &question()).unwrap().0;
        let body = &whole[LENGTH_BYTES..];
        let mut sealer = open_question(&signed, &run.submitter.public(), body, &run.lender).unwrap().1;
        let old = frames(Epoch(0)).map(|frame| sealer.seal(&frame, false).unwrap().split_off(LENGTH_BYTES));
        vec![f[0].clone(), f[1].clone(), old[2].clone()]
    }),
    ("a bit of the first byte", 0, Some(SealError::Broken), |_, f| bent(f, 0, 0, 1)),
    ("a bit of the text", 1, Some(SealError::Broken), |_, f| bent(f, 1, 20, 4)),
    ("a bit of the padding", 1, Some(SealError::Broken), |_, f| {
        let at = f[1].len() - 17;
        bent(f, 1, at, 1)
    }),
    ("a bit of the tag", 2, Some(SealError::Broken), |_, f| {
        let at = f[2].len() - 1;
        bent(f, 2, at, 0x80)
    }),
    ("an empty frame", 1, Some(SealError::Broken), |_, f| shortened(f, 1, 0)),
    ("less than a tag", 1, Some(SealError::Broken), |_, f| shortened(f, 1, 15)),
    ("a frame cut in its tag", 1, Some(SealError::Broken), |_, f| {
        let bytes = f[1].len() - 1;
        shortened(f, 1, bytes)
    }),
    ("a bucket of padding more", 1, Some(SealError::Broken), |_, mut f| {
        let bytes = f[1].len() + lull_seal::BUCKET_BYTES;
        f[1].resize(bytes, 0);
        f
    }),
    ("the question sent back", 0, Some(SealError::Broken), |run, f| {
        vec![run.question.clone(), f[1].clone(), f[2].clone()]
    }),
];

#[test]
fn an_answer_that_was_touched_is_noticed_at_the_very_frame() {
    for (name, genuine, expected, tamper) in ANSWERS {
        let mut run = Run::new(1, 1);
        let answer = run.answer();
        let carried = tamper(&run, answer.clone());
        assert_ne!(carried, answer, "{name}: nothing was changed");
        let (mut opened, mut ended, mut fault) = (Vec::new(), false, None);
        for body in &carried {
            match run.opener.open(body) {
                Ok((frame, last)) => {
                    opened.push(frame);
                    ended = last;
                }
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        assert_eq!(fault, expected, "{name}");
        assert_eq!(opened, frames(Epoch(1))[..genuine], "{name}: nothing but what is genuine");
        assert_eq!(ended, genuine == 3, "{name}: an answer has an end only if its last frame came");
        // A fault uses nothing up: what should have come still opens.
        for body in &answer[genuine..] {
            run.opener.open(body).unwrap();
        }
    }
}

/// The mark of the last frame is part of its seal: it cannot be set on another, nor taken off.
#[test]
fn the_last_mark_cannot_be_moved() {
    let mut run = Run::new(1, 1);
    let answer = run.answer();
    let (early, never) = (resealed(&run, 0, true), resealed(&run, 2, false));
    assert_ne!((&early, &never), (&answer[0], &answer[2]), "the marks are sealed in");
    // Only a lender can make these, and then they say what they are.
    assert!(run.opener.open(&early).unwrap().1);
    assert_eq!(run.opener.open(&answer[1]).err(), Some(SealError::AfterLast));
    let mut again = Run::between(1, 1, run.lender, run.submitter);
    let answer = again.answer();
    let never = resealed(&again, 2, false);
    assert!(answer.iter().take(2).all(|body| !again.opener.open(body).unwrap().1));
    // The tag of one on the body of the other.
    let at = never.len() - 16;
    let mixed = [&never[..at], &answer[2][at..]].concat();
    assert!(again.opener.open(&mixed).unwrap().1, "ciphertexts are alike, so that this is the genuine last frame");
    assert_eq!(again.opener.open(&never).err(), Some(SealError::AfterLast));
}

#[test]
fn there_are_at_least_thirty_cases_and_no_name_twice() {
    let names = GRANTS.iter().map(|case| case.0).chain(QUESTIONS.iter().map(|case| case.0));
    assert!(names.clone().count() + ANSWERS.len() >= 30);
    for table in [names.collect::<Vec<_>>(), ANSWERS.iter().map(|case| case.0).collect()] {
        let once: std::collections::BTreeSet<_> = table.iter().collect();
        assert_eq!(once.len(), table.len());
    }
}
