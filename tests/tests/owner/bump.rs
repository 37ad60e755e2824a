//! Somebody bumps the desk and goes on: the same job goes on, too, on the same worker.

use lull_node::{Chat, NodeApi as _, RemoteNode};
use lull_tests::{ask, long_question};
use lull_types::{ChatEvent, Code, LendingView, Signal, WorkerState};

use crate::desk::{Desk, is_about};

const TOKENS: u32 = 1_900;

/// A long answer after its third token, and the ids so far.
fn midway(desk: &Desk) -> (Chat, Vec<u32>) {
    let mut ids = Vec::new();
    let begun = async {
        let mut chat =
            RemoteNode::connect(&desk.asker.home).await?.chat(long_question("What is Lull?", TOKENS)).await?;
        while ids.len() < 3 {
            match chat.next().await.expect("the answer ended early") {
                ChatEvent::Token(token) => ids.push(token.id),
                ChatEvent::Failed(fault) => return Err(fault),
                _ => {}
            }
        }
        Ok(chat)
    };
    let chat = desk.runtime.block_on(begun).unwrap();
    (chat, ids)
}

/// The ids of the rest of an answer, and its last word.
fn rest(desk: &Desk, mut chat: Chat) -> (Vec<u32>, ChatEvent) {
    let (mut ids, mut last) = (Vec::new(), None);
    while let Some(event) = desk.runtime.block_on(chat.next()) {
        if let ChatEvent::Token(token) = &event {
            ids.push(token.id);
        }
        last = Some(event);
    }
    (ids, last.expect("a last word"))
}

#[test]
fn a_bump_costs_the_job_nothing() {
    let desk = Desk::new("other_cores = 0\n");
    let finger = desk.screen.as_ref().unwrap().finger();
    desk.until_it_lends();
    let question = long_question("What is Lull?", TOKENS);
    let whole = desk.runtime.block_on(ask(&desk.asker.home, question, |_| {})).unwrap();

    let (chat, mut ids) = midway(&desk);
    let work = desk.busy_worker();
    finger.point(7, 7);
    desk.until("the yield", |shown| matches!(shown, LendingView::Yielding { .. }) && is_about(shown, Signal::Input));
    assert_eq!(desk.status().workers[0].state, WorkerState::Frozen);
    let (more, last) = rest(&desk, chat);
    ids.extend(more);
    assert!(matches!(last, ChatEvent::Done { .. }), "{last:?}");
    assert_eq!(ids, whole.ids, "the answer is the same, bumped or not");
    assert!(work.lives(), "and so is its worker");
    let log = desk.org.programs.output(&desk.lender.home, &["log", "--json"]).unwrap();
    assert_eq!(log.matches("completed").count(), 2, "{log}");
    desk.until_it_lends();
}

#[test]
fn a_person_who_stays_gets_the_memory_and_the_asker_a_word() {
    let desk = Desk::new("other_cores = 0\n");
    let finger = desk.screen.as_ref().unwrap().finger();
    desk.until_it_lends();
    let (chat, _) = midway(&desk);
    let work = desk.busy_worker();
    let began = std::time::Instant::now();
    while work.lives() {
        finger.press();
        assert!(began.elapsed() < crate::stage::GUARD, "the worker is there while somebody types");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let (_, last) = rest(&desk, chat);
    let ChatEvent::Failed(fault) = last else { panic!("no clear word: {last:?}") };
    assert!(fault.code == Code::Yielding, "{fault}");
    assert!(fault.message.contains("given back to its owner"), "{fault}");
    let shown = desk.until("waiting", |shown| matches!(shown, LendingView::Waiting { .. }));
    assert!(is_about(&shown, Signal::Input) || shown.words().contains("away"), "{shown:?}");
}
