use proptest::prelude::*;

use super::*;

const NOW: Millis = Millis(1_000);
const FIRST: Epoch = Epoch::FIRST;
const SECOND: Epoch = Epoch(2);

fn token(position: u32) -> Token {
    Token { position, id: position.wrapping_add(100), text: format!("t{position}"), logprob: None, top: Vec::new() }
}

fn frame(epoch: Epoch, answer: Answer) -> Input {
    Input::Frame { epoch, answer }
}

fn lost(epoch: Epoch) -> Input {
    Input::StreamEnded { epoch, fault: Fault::new(Code::LenderLost, "gone") }
}

fn done(completion_tokens: u32) -> Answer {
    let usage = Usage { prompt_tokens: 7, completion_tokens };
    Answer::Done { finish: FinishReason::Stop, usage, tail: String::new() }
}

fn granted_job() -> Job {
    let (mut job, first) = Job::new(NOW, 8);
    assert_eq!(first, [Output::Ask { epoch: FIRST }]);
    let out = job.handle(NOW, Input::Granted { epoch: FIRST });
    assert_eq!(out, [Output::OpenAttempt { epoch: FIRST }, Output::Emit(Emit::Started { epoch: FIRST })]);
    job
}

#[test]
fn an_answer_streams_and_is_receipted_once() {
    let mut job = granted_job();
    assert!(job.handle(NOW, frame(FIRST, Answer::Prefilled { prompt_tokens: 7 })).is_empty());
    for position in 0..3 {
        let out = job.handle(NOW, frame(FIRST, Answer::Token(token(position))));
        assert_eq!(out, [Output::Emit(Emit::Token(token(position)))]);
    }
    let usage = Usage { prompt_tokens: 7, completion_tokens: 3 };
    let out = job.handle(NOW, frame(FIRST, done(3)));
    let expected = [
        Output::Close { epoch: FIRST },
        Output::SendReceipt { epoch: FIRST, usage, outcome: Outcome::Completed },
        Output::Emit(Emit::Done { finish: FinishReason::Stop, usage }),
    ];
    assert_eq!(out, expected);
    assert!(job.is_over() && job.deadline().is_none());
    assert!(job.handle(NOW, frame(FIRST, done(3))).is_empty());
    assert_eq!(job.prefix(), [100, 101, 102]);
}

#[test]
fn a_lender_lost_before_its_first_token_is_replaced_once() {
    let mut job = granted_job();
    let out = job.handle(NOW, lost(FIRST));
    assert!(out.contains(&Output::Ask { epoch: SECOND }), "{out:?}");
    assert!(job.handle(NOW, Input::Granted { epoch: SECOND }).contains(&Output::OpenAttempt { epoch: SECOND }));
    let out = job.handle(NOW, lost(SECOND));
    assert!(matches!(out.last(), Some(Output::Emit(Emit::Failed(fault))) if fault.code == Code::LenderLost), "{out:?}");
    assert!(job.is_over());
}

#[test]
fn a_lender_lost_after_a_token_ends_the_job_with_a_sentence() {
    let mut job = granted_job();
    let _ = job.handle(NOW, frame(FIRST, Answer::Token(token(0))));
    let out = job.handle(NOW, lost(FIRST));
    let Some(Output::Emit(Emit::Failed(fault))) = out.last() else { panic!("{out:?}") };
    assert_eq!(fault.code, Code::LenderLost);
    assert!(fault.message.contains("after 1 tokens"), "{fault}");
}

#[test]
fn a_fault_that_no_other_lender_can_help_is_not_retried() {
    let mut job = granted_job();
    let fault = Fault::new(Code::ContextExceeded, "too long");
    let out = job.handle(NOW, frame(FIRST, Answer::Failed(fault.clone())));
    assert_eq!(out.last(), Some(&Output::Emit(Emit::Failed(fault))));
}

#[test]
fn what_the_rules_forbid_on_one_machine_may_run_on_another() {
    let mut job = granted_job();
    let fault = Fault::new(Code::Forbidden, "not here any more");
    let out = job.handle(NOW, Input::StreamEnded { epoch: FIRST, fault });
    assert!(out.contains(&Output::Ask { epoch: SECOND }), "{out:?}");
}

#[test]
fn only_the_next_position_is_accepted_and_never_more_than_asked() {
    for wrong in [1, 7, u32::MAX] {
        let mut job = granted_job();
        let out = job.handle(NOW, frame(FIRST, Answer::Token(token(wrong))));
        assert!(out.contains(&Output::Ask { epoch: SECOND }), "{out:?}");
        assert!(job.prefix().is_empty());
    }
    let mut job = granted_job();
    for position in 0..8 {
        let _ = job.handle(NOW, frame(FIRST, Answer::Token(token(position))));
    }
    let out = job.handle(NOW, frame(FIRST, Answer::Token(token(8))));
    assert!(matches!(out.last(), Some(Output::Emit(Emit::Failed(fault))) if fault.code == Code::BadFrame), "{out:?}");
}

#[test]
fn what_belongs_to_no_run_changes_nothing() {
    let mut job = granted_job();
    for input in [
        frame(SECOND, Answer::Token(token(0))),
        frame(Epoch(0), done(0)),
        lost(SECOND),
        Input::Refused { epoch: FIRST, fault: Fault::new(Code::Busy, "late") },
        Input::Queued { ahead: 3 },
    ] {
        assert!(job.handle(NOW, input).is_empty());
    }
    let out = job.handle(NOW, Input::Granted { epoch: SECOND });
    assert_eq!(out, [Output::Close { epoch: SECOND }]);
}

#[test]
fn taking_a_question_back_lets_go_of_everything() {
    let (mut job, _) = Job::new(NOW, 8);
    let out = job.handle(NOW, Input::CancelledByUser);
    assert_eq!(out.first(), Some(&Output::Withdraw));
    let mut job = granted_job();
    let out = job.handle(NOW, Input::CancelledByUser);
    assert_eq!(out.first(), Some(&Output::Close { epoch: FIRST }));
    assert!(matches!(out[1], Output::SendReceipt { outcome: Outcome::Cancelled, .. }));
    assert!(job.handle(NOW, Input::Granted { epoch: FIRST }).is_empty());
}

#[test]
fn the_first_run_to_speak_wins_whether_older_or_newer() {
    for winner in [FIRST, SECOND] {
        let mut job = granted_job();
        // As a handover will: another run is asked for while the first one still holds.
        job.epoch = SECOND;
        job.asking = Some(NOW);
        let _ = job.handle(NOW, Input::Granted { epoch: SECOND });
        let out = job.handle(NOW, frame(winner, Answer::Token(token(0))));
        let loser = if winner == FIRST { SECOND } else { FIRST };
        assert_eq!(out[0], Output::Close { epoch: loser });
        assert!(job.handle(NOW, frame(loser, Answer::Token(token(1)))).is_empty());
        assert_eq!(job.prefix(), [100]);
    }
}

#[test]
fn silence_is_a_lost_lender_and_waiting_has_an_end() {
    let (mut job, _) = Job::new(NOW, 8);
    assert_eq!(job.deadline(), Some(NOW.plus(ASK_MAX_MS)));
    let out = job.handle(NOW.plus(ASK_MAX_MS), Input::Tick);
    assert_eq!(out.first(), Some(&Output::Withdraw));
    assert!(job.is_over());

    let mut job = granted_job();
    let _ = job.handle(NOW, frame(FIRST, Answer::Token(token(0))));
    let deadline = job.deadline().unwrap();
    assert_eq!(deadline, NOW.plus(TOKEN_SILENCE_MAX_MS));
    assert!(job.handle(Millis(deadline.0 - 1), Input::Tick).is_empty());
    let _ = job.handle(deadline, Input::Tick);
    assert!(job.is_over());
}

fn any_input() -> impl Strategy<Value = Input> {
    let epoch = || (0_u32..4).prop_map(Epoch);
    let code = prop_oneof![Just(Code::LenderLost), Just(Code::Busy), Just(Code::WorkerDied)];
    let fault = || code.clone().prop_map(|code| Fault::new(code, "x"));
    prop_oneof![
        1 => (0_u32..4).prop_map(|ahead| Input::Queued { ahead }),
        1 => epoch().prop_map(|epoch| Input::Granted { epoch }),
        1 => (epoch(), fault()).prop_map(|(epoch, fault)| Input::Refused { epoch, fault }),
        8 => (epoch(), 0_u32..6).prop_map(|(epoch, position)| frame(epoch, Answer::Token(token(position)))),
        1 => (epoch(), 0_u32..9).prop_map(|(epoch, count)| frame(epoch, done(count))),
        1 => (epoch(), fault()).prop_map(|(epoch, fault)| Input::StreamEnded { epoch, fault }),
        1 => Just(Input::Tick),
    ]
}

proptest! {
    #[test]
    fn no_token_twice_none_missing_and_one_end(inputs in proptest::collection::vec(any_input(), 0..60)) {
        let (mut job, mut all) = Job::new(NOW, 5);
        for (step, input) in inputs.into_iter().enumerate() {
            all.extend(job.handle(NOW.plus(step as u64 * 20_000), input));
        }
        all.extend(job.handle(NOW.plus(10_000_000), Input::CancelledByUser));
        prop_assert!(job.is_over());
        let positions: Vec<u32> = all.iter().filter_map(|out| match out {
            Output::Emit(Emit::Token(token)) => Some(token.position),
            _ => None,
        }).collect();
        prop_assert!(positions.iter().copied().eq(0..positions.len() as u32), "{:?}", positions);
        let ends = all.iter().filter(|out| matches!(out, Output::Emit(Emit::Done { .. } | Emit::Failed(_)))).count();
        prop_assert_eq!(ends, 1);
        let asked: Vec<Epoch> = all.iter().filter_map(|out| match out {
            Output::Ask { epoch } => Some(*epoch),
            _ => None,
        }).collect();
        prop_assert!(asked.is_sorted_by(|a, b| a < b) && asked.len() <= ATTEMPTS_MAX as usize, "{:?}", asked);
        for epoch in asked {
            let opened = all.iter().filter(|out| **out == Output::OpenAttempt { epoch }).count();
            let receipts =
                all.iter().filter(|out| matches!(out, Output::SendReceipt { epoch: e, .. } if *e == epoch)).count();
            prop_assert!(opened <= 1);
            prop_assert_eq!(opened, receipts);
        }
    }
}
