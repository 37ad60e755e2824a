use lull_types::{Epoch, JobId, Label, Message, ModelHash, NodeId, Pseudonym, Role, Sampling, Token};
use lull_wire::{
    SecretKey, Signed,
    frame::LENGTH_BYTES,
    job::{AnswerBody, AnswerFrame, Grant, Question},
};
use proptest::prelude::*;

use super::*;

struct Pair {
    lender: SealingKey,
    submitter: EphemeralKey,
    grant: Signed<Grant>,
    relay: SecretKey,
}

fn grant(submitter: &EphemeralKey) -> Grant {
    Grant {
        job: JobId([1; 16]),
        epoch: Epoch::FIRST,
        lender: NodeId([2; 16]),
        nonce: [3; 16],
        model: ModelHash([4; 32]),
        label: Label::internal(),
        pseudonym: Pseudonym([5; 16]),
        submitter_key: submitter.public(),
        not_after_s: 1000,
    }
}

fn pair() -> Pair {
    let submitter = EphemeralKey::generate();
    let relay = SecretKey::generate();
    let grant = Signed::sign(&grant(&submitter), &relay).unwrap();
    Pair { lender: SealingKey::generate(), submitter, grant, relay }
}

fn question(text: &str) -> Question {
    let messages = vec![Message { role: Role::User, content: text.into() }];
    Question { messages, sampling: Sampling::default(), prefix: vec![7, 8], asker: None }
}

fn frame(position: u32, text: &str) -> AnswerFrame {
    let token = Token { position, id: 9, text: text.into(), logprob: None, top: Vec::new() };
    AnswerFrame { epoch: Epoch::FIRST, body: AnswerBody::Token(token) }
}

fn opened(pair: &Pair) -> (AnswerSealer, AnswerOpener) {
    let (whole, opener) =
        seal_question(&pair.grant, &pair.lender.public(), &pair.submitter, &question("hello")).unwrap();
    let (asked, sealer) =
        open_question(&pair.grant, &pair.submitter.public(), &whole[LENGTH_BYTES..], &pair.lender).unwrap();
    assert_eq!(asked, question("hello"));
    (sealer, opener)
}

#[test]
fn a_question_and_its_answer_travel() {
    let (mut sealer, mut opener) = opened(&pair());
    for (position, last) in [(0, false), (1, false), (2, true)] {
        let sealed = sealer.seal(&frame(position, "hi"), last).unwrap();
        assert_eq!(opener.open(&sealed[LENGTH_BYTES..]).unwrap(), (frame(position, "hi"), last));
    }
    assert_eq!(sealer.seal(&frame(3, ""), false), Err(SealError::AfterLast));
}

#[test]
fn a_question_opens_only_under_its_grant_its_keys_and_unchanged() {
    let pair = pair();
    let (whole, _) = seal_question(&pair.grant, &pair.lender.public(), &pair.submitter, &question("x")).unwrap();
    let body = &whole[LENGTH_BYTES..];
    let mut changes: Vec<Grant> = Vec::new();
    let original = grant(&pair.submitter);
    changes.push(Grant { job: JobId([9; 16]), ..original.clone() });
    changes.push(Grant { epoch: Epoch(2), ..original.clone() });
    changes.push(Grant { lender: NodeId([9; 16]), ..original.clone() });
    changes.push(Grant { nonce: [9; 16], ..original.clone() });
    changes.push(Grant { model: ModelHash([9; 32]), ..original.clone() });
    changes.push(Grant { label: Label::public(), ..original.clone() });
    changes.push(Grant { pseudonym: Pseudonym([9; 16]), ..original.clone() });
    changes.push(Grant { not_after_s: 1001, ..original });
    for changed in changes {
        let changed = Signed::sign(&changed, &pair.relay).unwrap();
        let result = open_question(&changed, &pair.submitter.public(), body, &pair.lender);
        assert_eq!(result.err(), Some(SealError::Broken));
    }
    let other = EphemeralKey::generate();
    let result = open_question(&pair.grant, &other.public(), body, &pair.lender);
    assert_eq!(result.err(), Some(SealError::Broken), "sealed by somebody else");
    let result = open_question(&pair.grant, &pair.submitter.public(), body, &SealingKey::generate());
    assert_eq!(result.err(), Some(SealError::Broken), "sealed to somebody else");
    for at in [0, 31, 32, body.len() / 2, body.len() - 1] {
        let mut changed = body.to_vec();
        changed[at] ^= 1;
        let result = open_question(&pair.grant, &pair.submitter.public(), &changed, &pair.lender);
        assert_eq!(result.err(), Some(SealError::Broken), "byte {at}");
    }
    for cut in [0, 10, 32, 47, body.len() - 1] {
        assert!(open_question(&pair.grant, &pair.submitter.public(), &body[..cut], &pair.lender).is_err());
    }
}

#[test]
fn answers_cannot_be_reordered_repeated_dropped_cut_or_swapped() {
    let one = pair();
    let (mut sealer, mut opener) = opened(&one);
    let frames: Vec<Vec<u8>> =
        (0..3).map(|n| sealer.seal(&frame(n, "t"), n == 2).unwrap().split_off(LENGTH_BYTES)).collect();
    assert_eq!(opener.open(&frames[1]).err(), Some(SealError::Broken), "reordered");
    opener.open(&frames[0]).unwrap();
    assert_eq!(opener.open(&frames[0]).err(), Some(SealError::Broken), "repeated");
    assert_eq!(opener.open(&frames[2]).err(), Some(SealError::Broken), "dropped");
    let mut changed = frames[1].clone();
    changed[3] ^= 0x80;
    assert_eq!(opener.open(&changed).err(), Some(SealError::Broken), "changed");
    assert_eq!(opener.open(&frames[1][..20]).err(), Some(SealError::Broken), "cut");
    let (mut foreign, _) = opened(&pair());
    let swapped = foreign.seal(&frame(1, "t"), false).unwrap().split_off(LENGTH_BYTES);
    assert_eq!(opener.open(&swapped).err(), Some(SealError::Broken), "from another job");
    assert!(!opener.open(&frames[1]).unwrap().1);
    assert!(opener.open(&frames[2]).unwrap().1, "the last one says so");
    assert_eq!(opener.open(&frames[2]).err(), Some(SealError::AfterLast));
}

#[test]
fn nothing_readable_leaves_and_lengths_come_in_buckets() {
    let pair = pair();
    let lengths: std::collections::BTreeSet<usize> = (0..64)
        .map(|n| {
            let text = format!("MARKER{}", "a".repeat(n));
            let (whole, _) =
                seal_question(&pair.grant, &pair.lender.public(), &pair.submitter, &question(&text)).unwrap();
            assert!(!whole.windows(6).any(|window| window == b"MARKER"));
            whole.len()
        })
        .collect();
    assert!(lengths.len() <= 2, "{lengths:?}");
}

proptest! {
    #[test]
    fn padding_comes_off_again(message in proptest::collection::vec(any::<u8>(), 0..300)) {
        let padded = padding::pad(&message).unwrap();
        prop_assert_eq!(padded.len() % BUCKET_BYTES, 0);
        prop_assert_eq!(padding::unpad(&padded).unwrap(), message.as_slice());
    }

    #[test]
    fn any_bytes_unpad_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = padding::unpad(&bytes);
    }
}
