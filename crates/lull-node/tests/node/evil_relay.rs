//! A relay that reads, changes and misdirects what it carries: what comes of each at whoever asks.

use lull_engine::scripted::Script;
use lull_node::{Chat, NodeApi};
use lull_types::{ChatEvent, Code, ModelHash, NodeId, Pseudonym};
use lull_wire::{
    SecretKey, Signed,
    control::FromRelay,
    policy::{DenyList, PolicyDocument},
    random,
};

use crate::{
    asking::Pool,
    support::{
        PATIENCE,
        broker::{Evil, Forgery, Frames, Note},
        org::{DAY_S, now_s},
        question, text, whole,
    },
};

/// What the lender answers: one byte for each token.
const ANSWER: &str = "ORACLE";
/// Frames of that answer: a greeting, the prompt's length, the tokens, the end.
const FRAMES: usize = 2 + ANSWER.len() + 1;
const FIRST: usize = 3;
const LAST: usize = FRAMES - 1;
const END: usize = FRAMES;

fn script() -> Script {
    let length = u32::try_from(ANSWER.len()).unwrap();
    Script { length, answer: Some(ANSWER.into()), ..Script::default() }
}

async fn pool(evil: Evil) -> Pool {
    Pool::with_slots(&script(), evil, 2).await
}

/// How it ended, and what whoever asked has seen of the answer.
async fn heard(chat: Chat) -> (Result<(), Code>, String) {
    let events = whole(chat).await;
    let seen = events.iter().map(ChatEvent::text).collect();
    match events.last() {
        Some(ChatEvent::Failed(fault)) => (Err(fault.code), seen),
        _ => (Ok(()), text(&events)),
    }
}

async fn ask(pool: &Pool) -> (Result<(), Code>, String) {
    heard(pool.asker.chat(question("hello", 50)).await.unwrap()).await
}

/// How many tokens whoever asks may have seen before it is noticed.
const ANSWERS: [(&str, usize, Code, Frames); 12] = [
    ("two tokens exchanged", 0, Code::BadSeal, |count, body, kept| exchanged(FIRST, count, body, kept)),
    ("the last token after the end", ANSWER.len() - 1, Code::BadSeal, |count, body, kept| {
        exchanged(LAST, count, body, kept)
    }),
    ("a token dropped", 0, Code::BadSeal, |count, body, _| if count == FIRST { vec![] } else { vec![body] }),
    (
        "a token twice",
        2,
        Code::BadSeal,
        |count, body, _| {
            if count == FIRST + 1 { vec![body.clone(), body] } else { vec![body] }
        },
    ),
    ("a bit of a token", 1, Code::BadSeal, |count, body, _| bent(count == FIRST + 1, 20, body)),
    ("a bit of the end", ANSWER.len(), Code::BadSeal, |count, body, _| bent(count == END, 9, body)),
    ("a token cut short", 1, Code::BadSeal, |count, mut body, _| {
        if count == FIRST + 1 {
            body.pop();
        }
        vec![body]
    }),
    ("a token and a byte", 1, Code::BadSeal, |count, mut body, _| {
        if count == FIRST + 1 {
            body.push(0);
        }
        vec![body]
    }),
    (
        "the end dropped",
        ANSWER.len(),
        Code::LenderLost,
        |count, body, _| {
            if count == END { vec![] } else { vec![body] }
        },
    ),
    ("all but the end dropped", 0, Code::BadSeal, |count, body, _| if count == END { vec![body] } else { vec![] }),
    ("a token in the end's place", ANSWER.len(), Code::BadSeal, |count, body, kept| {
        kept.push(body);
        if count == END { vec![kept[LAST - 1].clone()] } else { kept.last().cloned().into_iter().collect() }
    }),
    ("bytes of the relay's own", 1, Code::BadSeal, |count, body, _| {
        if count == FIRST + 1 { vec![vec![7; body.len()]] } else { vec![body] }
    }),
];

/// Frame `first` after the one behind it.
fn exchanged(first: usize, count: usize, body: Vec<u8>, kept: &mut Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if count == first {
        kept.push(body);
        return vec![];
    }
    let held = if count == first + 1 { kept.pop() } else { None };
    std::iter::once(body).chain(held).collect()
}

fn bent(now: bool, at: usize, mut body: Vec<u8>) -> Vec<Vec<u8>> {
    body[at] ^= u8::from(now);
    vec![body]
}

/// Only what the lender said is ever shown, in its order; and an answer that was changed has no good end.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_changed_unnoticed() {
    let honest = pool(Evil::Honest).await;
    assert_eq!(ask(&honest).await, (Ok(()), ANSWER.into()), "the control");
    honest.end().await;
    for (name, genuine, code, frames) in ANSWERS {
        let pool = pool(Evil::Frames(frames)).await;
        let (end, seen) = ask(&pool).await;
        pool.end().await;
        assert_eq!(end, Err(code), "{name}");
        assert_eq!(seen, ANSWER[..genuine], "{name}");
    }
}

/// The answer to an earlier question of the same two, whole or from its middle on.
#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_answer_is_not_taken_for_this_one() {
    let tricks: [(&str, usize, Frames); 2] = [
        ("whole", 0, |count, body, kept| spliced(1, count, body, kept)),
        ("from its second token on", 1, |count, body, kept| spliced(FIRST + 1, count, body, kept)),
    ];
    for (name, genuine, frames) in tricks {
        let pool = pool(Evil::Frames(frames)).await;
        assert_eq!(ask(&pool).await, (Ok(()), ANSWER.into()), "{name}: the first is carried as it is");
        let (end, seen) = ask(&pool).await;
        assert_eq!((end, seen.as_str()), (Err(Code::BadSeal), &ANSWER[..genuine]), "{name}");
        pool.end().await;
    }
}

/// Keeps the first answer, and puts its frames into later ones, from number `from` on.
fn spliced(from: usize, count: usize, body: Vec<u8>, kept: &mut Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if kept.len() < FRAMES {
        kept.push(body.clone());
        return vec![body];
    }
    vec![if count >= from { kept[count - 1].clone() } else { body }]
}

type Change = fn(&mut Forgery<'_>);

fn other_lender(forgery: &mut Forgery<'_>) {
    let other = forgery.peers.get(forgery.submitter);
    (forgery.chain, forgery.sealing) = (other.chain, other.sealing);
}

/// `LenderUntrusted`, `BadSeal` and `Expired`: whoever asks has noticed and sent nothing. `LenderRefused`: the lender has.
const GRANTS: [(&str, Code, Change); 14] = [
    ("another machine's chain and key", Code::LenderUntrusted, other_lender),
    ("another machine's chain, this one's key", Code::LenderUntrusted, |f| {
        f.chain = f.peers.get(f.submitter).chain;
    }),
    ("this machine's chain, another's key", Code::LenderUntrusted, |f| {
        f.sealing = f.peers.get(f.submitter).sealing;
    }),
    ("another machine altogether, and the stream to this one", Code::LenderRefused, |f| {
        other_lender(f);
        f.grant.lender = f.submitter;
    }),
    ("this machine's chain for another id", Code::LenderUntrusted, |f| f.grant.lender = NodeId(random())),
    ("a key of the relay's", Code::LenderUntrusted, |f| {
        let mine = lull_seal::SealingKey::generate();
        f.sealing = mine.certificate(f.grant.lender, &f.signer, now_s()).unwrap();
    }),
    ("other model files than the lender accepted", Code::LenderRefused, |f| f.grant.model = ModelHash([9; 32])),
    ("another nonce", Code::LenderRefused, |f| f.grant.nonce = random()),
    ("another pseudonym", Code::LenderRefused, |f| f.grant.pseudonym = Pseudonym(random())),
    ("over for two days", Code::Expired, |f| f.grant.not_after_s = now_s() - 2 * DAY_S),
    ("from a clock two days ahead", Code::Expired, |f| f.grant.not_after_s = now_s() + 2 * DAY_S),
    ("without an end", Code::Expired, |f| f.grant.not_after_s = u64::MAX),
    ("signed by a new key", Code::BadSeal, |f| f.signer = SecretKey::generate()),
    ("other files for a second run than for the first", Code::BadSeal, |f| {
        f.grant.nonce = random();
        if f.grant.epoch.0 > 1 {
            f.grant.model = ModelHash([9; 32]);
        }
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_question_is_led_elsewhere_unnoticed() {
    let mut ends = Vec::new();
    for (name, code, change) in GRANTS {
        let mut pool = pool(Evil::Grant(change)).await;
        let (end, seen) = ask(&pool).await;
        assert_eq!((end, seen.as_str()), (Err(code), ""), "{name}");
        let carried = carried(&mut pool);
        let refused_there = code == Code::LenderRefused || name.starts_with("other files");
        assert_eq!(carried.is_empty(), !refused_there, "{name}: a question leaves only for whom it is sealed to");
        ends.push(tokio::spawn(pool.end()));
    }
    for end in ends {
        end.await.unwrap();
    }
}

/// All that the relay has seen of jobs' streams so far.
fn carried(pool: &mut Pool) -> Vec<Vec<u8>> {
    let notes = std::iter::from_fn(|| pool.notes.try_recv().ok());
    notes.filter_map(|note| if let Note::Carried(body) = note { Some(body) } else { None }).collect()
}

/// What has been said to whoever asks and to nobody else: the relay hides it from the lender, and grants regardless.
type Said = fn(&Pool) -> FromRelay;

fn policy(pool: &Pool, text: &str) -> FromRelay {
    let (issued_s, not_after_s) = (now_s(), now_s() + DAY_S);
    let policy = PolicyDocument { org: "Acme".into(), version: 1, issued_s, not_after_s, text: text.into() };
    FromRelay::Policy(Signed::sign(&policy, &pool.org.root).unwrap())
}

const WORDS: [(&str, Said); 4] = [
    ("the label is for other groups' machines", |pool| policy(pool, "[labels.internal]\nlenders = [\"vault\"]\n")),
    ("the label is for machines on another site", |pool| {
        policy(pool, "[labels.internal]\nsites = [\"berlin\"]\n[sites]\nberlin = [\"berlin-office\"]\n")
    }),
    ("the model's name stands for other files", |pool| {
        policy(pool, &format!("[models.bytes]\n{} = \"{}\"\n", crate::support::MODEL, "07".repeat(32)))
    }),
    ("the lender was shut out", |pool| {
        let list = DenyList { version: 1, nodes: vec![pool.lender.id()], members: Vec::new() };
        FromRelay::Denied(Signed::sign(&list, &pool.org.grants).unwrap())
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_root_forbids_is_not_sent_though_the_relay_grants_it() {
    let mut ends = Vec::new();
    for (name, word) in WORDS {
        let mut pool = pool(Evil::Honest).await;
        assert_eq!(ask(&pool).await, (Ok(()), ANSWER.into()), "{name}: the control");
        pool.peers.say(pool.asker.id(), word(&pool));
        // Until it is followed, questions are answered as before.
        let refused = async {
            loop {
                carried(&mut pool);
                match ask(&pool).await {
                    (Ok(()), seen) => assert_eq!(seen, ANSWER, "{name}"),
                    (Err(code), seen) => break (code, seen),
                }
            }
        };
        let refused = tokio::time::timeout(PATIENCE, refused).await.expect("it is not followed");
        assert_eq!(refused, (Code::LenderUntrusted, String::new()), "{name}");
        assert!(carried(&mut pool).is_empty(), "{name}: nothing was sent");
        ends.push(tokio::spawn(pool.end()));
    }
    for end in ends {
        end.await.unwrap();
    }
}

/// Everything that the relay is told or carries, searched for what was asked and answered.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_is_in_nothing_that_the_relay_sees() {
    const MARKER: &str = "MARKER-in-a-question";
    let mut pool = pool(Evil::Honest).await;
    let (end, seen) = heard(pool.asker.chat(question(MARKER, 50)).await.unwrap()).await;
    assert_eq!((end, seen.as_str()), (Ok(()), ANSWER));
    let (mut told, mut carried, mut receipts) = (Vec::new(), Vec::new(), 0);
    while receipts < 2 {
        match tokio::time::timeout(PATIENCE, pool.notes.recv()).await.expect("a receipt is missing").unwrap() {
            Note::Carried(body) => carried.push(body),
            Note::Told(message) => told.extend(message),
            Note::Receipt(_) => receipts += 1,
            _ => {}
        }
    }
    // Whatever was seen was looked at: the question and each frame of the answer, and what is said in the open.
    assert_eq!(carried.len(), 1 + FRAMES);
    let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has(&told, crate::support::MODEL), "the model's name is no secret from a relay");
    for bytes in carried.iter().chain([&told]) {
        for hidden in [MARKER, &MARKER[..8], ANSWER, &ANSWER[..4]] {
            assert!(!has(bytes, hidden), "{hidden}");
        }
    }
    pool.end().await;
}
