//! Relays that try to read, change or misdirect: each is refused.

use lull_engine::scripted::Script;
use lull_node::NodeApi;
use lull_types::{ChatEvent, Code};

use crate::{
    asking::Pool,
    support::{broker::Evil, fault, question, whole},
};

async fn caught(evil: Evil) -> (Code, Vec<ChatEvent>) {
    let pool = Pool::new(&Script::default(), evil).await;
    let events = whole(pool.asker.chat(question("a secret", 50)).await.unwrap()).await;
    pool.end().await;
    (fault(&events).code, events)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swapped_sealing_key_is_refused() {
    let (code, events) = caught(Evil::SealingKey).await;
    assert_eq!(code, Code::LenderUntrusted);
    assert!(!events.iter().any(|event| matches!(event, ChatEvent::Started { .. })), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_members_keys_are_refused() {
    assert_eq!(caught(Evil::OtherMember).await.0, Code::LenderUntrusted);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_that_are_not_the_relays_or_not_as_asked_are_refused() {
    for evil in [Evil::GrantKey, Evil::SubmitterKey, Evil::Label] {
        assert_eq!(caught(evil).await.0, Code::BadSeal, "{evil:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disturbed_answers_are_noticed_at_once() {
    for evil in [Evil::Replay, Evil::Drop, Evil::Flip] {
        let (code, events) = caught(evil).await;
        assert_eq!(code, Code::BadSeal, "{evil:?}");
        let tokens = events.iter().filter(|event| matches!(event, ChatEvent::Token(_))).count();
        assert!(tokens <= 2, "{evil:?}: {tokens}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_cut_short_is_not_taken_for_a_whole_one() {
    assert_eq!(caught(Evil::Cut).await.0, Code::LenderLost);
}
