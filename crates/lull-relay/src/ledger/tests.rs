use std::sync::Arc;

use lull_types::{Code, Epoch, JobId, ModelHash, Usage};
use lull_wire::{
    SecretKey, Signed,
    identity::{DeviceCertificate, DeviceChain, Invitation, node_id},
    job::Receipt,
};

use super::{super::org::orders, *};
use crate::ledger::{Ledger as _, SqliteLedger};

struct Books {
    folder: tempfile::TempDir,
    db: Connection,
}

fn books() -> Books {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder.path().join("relay.db")).unwrap();
    Books { folder, db }
}

fn enrolment(invitation: u8, uses: u32, device: u8, now_s: u64) -> Enrolment {
    let (root, key) = (SecretKey::from_bytes(&[1; 32]), SecretKey::from_bytes(&[invitation; 32]));
    let device_key = SecretKey::from_bytes(&[device; 32]);
    let id = [invitation; 16];
    let invitation = Invitation::new(id, vec!["a".into()], uses, 1_000, key.public());
    let certificate =
        DeviceCertificate { invitation: id, key: device_key.public(), name: format!("n{device}"), created_s: 1 };
    let chain = DeviceChain {
        invitation: Signed::sign(&invitation, &root).unwrap(),
        device: Signed::sign(&certificate, &key).unwrap(),
    };
    let device = chain.verify(&root.public()).unwrap();
    Enrolment { device, chain, now_s, not_after_s: now_s + 100 }
}

#[test]
fn a_use_is_counted_once_per_device_and_never_too_often() {
    let Books { db, .. } = books();
    assert_eq!(enrol(&db, &enrolment(10, 2, 1, 500)).unwrap(), Enrolled::Joined);
    assert_eq!(enrol(&db, &enrolment(10, 2, 1, 600)).unwrap(), Enrolled::Renewed);
    assert_eq!(enrol(&db, &enrolment(10, 2, 2, 600)).unwrap(), Enrolled::Joined);
    assert_eq!(enrol(&db, &enrolment(10, 2, 3, 600)).unwrap(), Enrolled::Used);
    assert_eq!(enrol(&db, &enrolment(11, 1, 3, 1_001)).unwrap(), Enrolled::Expired);
    assert_eq!(enrol(&db, &enrolment(11, 1, 3, 1_000)).unwrap(), Enrolled::Joined);
    // The invitation is over, the membership is not; until it was away for too long.
    assert_eq!(enrol(&db, &enrolment(10, 2, 1, 5_000)).unwrap(), Enrolled::Renewed);
    assert_eq!(enrol(&db, &enrolment(10, 2, 1, 5_101 + RENEW_LATE_MAX_S)).unwrap(), Enrolled::Expired);
    // A member may join again with another invitation, and go back to one it had used.
    assert_eq!(enrol(&db, &enrolment(12, 1, 2, 700)).unwrap(), Enrolled::Joined);
    assert_eq!(enrol(&db, &enrolment(10, 2, 2, 700)).unwrap(), Enrolled::Joined);
}

#[test]
fn a_revoked_node_stays_out_whatever_it_brings() {
    let Books { db, .. } = books();
    let node = node_id(&SecretKey::from_bytes(&[1; 32]).public());
    assert_eq!(standing(&db, node).unwrap(), Standing::Unknown);
    assert!(!revoke(&db, node, 1, "uid 0").unwrap());
    enrol(&db, &enrolment(10, 2, 1, 500)).unwrap();
    assert_eq!(standing(&db, node).unwrap(), Standing::Member { invitation: [10; 16], name: "n1".into() });
    assert!(orders(&db).unwrap().revoked.is_empty());
    assert!(revoke(&db, node, 550, "uid 0").unwrap() && revoke(&db, node, 560, "uid 1").unwrap());
    // Joined once, revoked once, by the first who said so.
    let log = audit(&db).unwrap();
    assert_eq!(log.broken_at, None);
    let told: Vec<_> = log.entries.iter().map(|entry| (entry.at_s, entry.by.as_str(), &entry.deed)).collect();
    let [(500, joined_by, Deed::Joined { groups, .. }), (550, "uid 0", Deed::Revoked { node: out, name })] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((joined_by.to_string(), groups[0].as_str()), (format!("node {node}"), "a"));
    assert_eq!((out, name.as_str()), (&node, "n1"));
    assert_eq!(orders(&db).unwrap().revoked, [node]);
    assert_eq!(standing(&db, node).unwrap(), Standing::Revoked);
    assert_eq!(enrol(&db, &enrolment(10, 2, 1, 600)).unwrap(), Enrolled::Revoked);
    assert_eq!(enrol(&db, &enrolment(11, 2, 1, 600)).unwrap(), Enrolled::Revoked);
    assert_eq!(nodes(&db).unwrap()[0].revoked_s, Some(550));
}

const SUBMITTER: u8 = 1;
const LENDER: u8 = 2;

fn node_of(key: u8) -> NodeId {
    node_id(&SecretKey::from_bytes(&[key; 32]).public())
}

fn run(job: u8, epoch: u32) -> Run {
    Run {
        job: JobId([job; 16]),
        epoch: Epoch(epoch),
        submitter: node_of(SUBMITTER),
        lender: node_of(LENDER),
        team: "a".into(),
        model: "m".into(),
        hash: ModelHash([0; 32]),
        granted_s: 86_400 * 3,
    }
}

fn receipt(job: u8, epoch: u32, by: u8, tokens: u32, outcome: Outcome) -> CheckedReceipt {
    let receipt = Receipt {
        job: JobId([job; 16]),
        epoch: Epoch(epoch),
        node: node_of(by),
        side: if by == LENDER { Side::Lender } else { Side::Submitter },
        usage: Usage { prompt_tokens: 10, completion_tokens: tokens },
        outcome,
    };
    let signed = Signed::sign(&receipt, &SecretKey::from_bytes(&[by; 32])).unwrap();
    CheckedReceipt { receipt, signed, received_s: 1 }
}

#[test]
fn a_run_is_settled_once_by_whoever_speaks_first() {
    for (first, second) in [(SUBMITTER, LENDER), (LENDER, SUBMITTER)] {
        let Books { db, .. } = books();
        granted(&db, &run(1, 1)).unwrap();
        granted(&db, &run(1, 1)).unwrap();
        let say = |by, tokens| settle(&db, &receipt(1, 1, by, tokens, Outcome::Completed)).unwrap();
        assert!(matches!(say(first, 5), Settlement::Settled { usage: Usage { completion_tokens: 5, .. }, .. }));
        assert_eq!(say(first, 500), Settlement::Repeated);
        assert_eq!(say(second, 5), Settlement::Agreed { more: None });
        assert_eq!(say(second, 6), Settlement::Repeated);
        let rows = usage(&db).unwrap();
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| (row.day, row.jobs, row.completion_tokens) == (3, 1, 5)), "{rows:?}");
    }
}

#[test]
fn only_the_two_sides_of_a_run_have_a_say() {
    let Books { db, .. } = books();
    let done = Outcome::Completed;
    assert_eq!(settle(&db, &receipt(1, 1, LENDER, 5, done)).unwrap(), Settlement::Foreign);
    granted(&db, &run(1, 1)).unwrap();
    assert_eq!(settle(&db, &receipt(1, 1, 3, 5, done)).unwrap(), Settlement::Foreign);
    assert_eq!(settle(&db, &receipt(1, 2, LENDER, 5, done)).unwrap(), Settlement::Foreign);
    let mut turned = receipt(1, 1, LENDER, 5, done);
    turned.receipt.side = Side::Submitter;
    assert_eq!(settle(&db, &turned).unwrap(), Settlement::Foreign);
    assert!(usage(&db).unwrap().is_empty());
}

#[test]
fn a_contradiction_is_marked_and_a_race_is_not() {
    let failed = Outcome::Failed(Code::LenderLost);
    let cases = [
        ((5, Outcome::Completed), (6, Outcome::Completed), Settlement::Disputed { more: Some(used(6)) }),
        ((5, Outcome::Completed), (5, failed), Settlement::Disputed { more: None }),
        ((5, Outcome::Completed), (3, Outcome::Cancelled), Settlement::Agreed { more: None }),
        ((5, failed), (3, Outcome::Cancelled), Settlement::Agreed { more: None }),
    ];
    for ((mine, my_end), (theirs, their_end), expected) in cases {
        let Books { db, .. } = books();
        granted(&db, &run(1, 1)).unwrap();
        settle(&db, &receipt(1, 1, LENDER, mine, my_end)).unwrap();
        assert_eq!(
            settle(&db, &receipt(1, 1, SUBMITTER, theirs, their_end)).unwrap(),
            expected,
            "{my_end:?} {their_end:?}"
        );
    }
}

fn used(tokens: u32) -> Usage {
    Usage { prompt_tokens: 10, completion_tokens: tokens }
}

/// Whoever asks cannot make a run free by speaking first.
#[test]
fn the_larger_word_counts() {
    let Books { db, .. } = books();
    granted(&db, &run(1, 1)).unwrap();
    settle(&db, &receipt(1, 1, SUBMITTER, 0, Outcome::Cancelled)).unwrap();
    let more = settle(&db, &receipt(1, 1, LENDER, 700, Outcome::Cancelled)).unwrap();
    assert_eq!(more, Settlement::Agreed { more: Some(used(700)) });
    let rows = usage(&db).unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| (row.jobs, row.prompt_tokens, row.completion_tokens) == (1, 10, 700)), "{rows:?}");
}

/// What was used before a restart counts for the groups of whoever has signed in, too.
#[test]
fn a_days_use_is_that_of_the_machines_groups_and_the_persons() {
    let Books { db, .. } = books();
    enrol(&db, &enrolment(10, 1, SUBMITTER, 500)).unwrap();
    granted(&db, &run(1, 1)).unwrap();
    settle(&db, &receipt(1, 1, SUBMITTER, 5, Outcome::Completed)).unwrap();
    let groups =
        || super::super::org::used(&db, 3).unwrap().into_iter().map(|used| (used.user, used.groups, used.tokens));
    assert_eq!(groups().collect::<Vec<_>>()[0].1, ["a"]);
    let person = crate::ledger::Person { user: "ada".into(), groups: vec!["a".into(), "staff".into()], until_s: 900 };
    super::super::org::login(&db, node_of(SUBMITTER), &person, 600).unwrap();
    assert_eq!(groups().collect::<Vec<_>>(), [("ada".into(), vec!["a".into(), "staff".into()], 15)]);
}

#[test]
fn a_job_of_two_runs_counts_once_for_the_one_who_asked() {
    let Books { db, .. } = books();
    for epoch in [1, 2] {
        granted(&db, &run(1, epoch)).unwrap();
        settle(&db, &receipt(1, epoch, SUBMITTER, 5, Outcome::Completed)).unwrap();
    }
    let rows = usage(&db).unwrap();
    let jobs = |role| rows.iter().find(|row| row.role == role).map(|row| (row.jobs, row.completion_tokens));
    assert_eq!((jobs("asked"), jobs("lent")), (Some((1, 10)), Some((2, 10))));
}

#[test]
fn old_runs_are_forgotten_and_their_sums_kept() {
    let Books { db, .. } = books();
    granted(&db, &run(1, 1)).unwrap();
    settle(&db, &receipt(1, 1, SUBMITTER, 5, Outcome::Completed)).unwrap();
    assert_eq!(prune(&db, (RUNS_KEPT_DAYS + 2) * 86_400).unwrap(), 0);
    assert_eq!(prune(&db, (RUNS_KEPT_DAYS + 4) * 86_400).unwrap(), 1);
    let receipts: u32 = db.query_row("SELECT count(*) FROM receipts", [], |row| row.get(0)).unwrap();
    assert_eq!((receipts, usage(&db).unwrap().len()), (0, 2));
}

#[tokio::test]
async fn many_changes_share_a_commit_and_one_that_fails_fails_alone() {
    let Books { folder, db } = books();
    drop(db);
    let ledger = Arc::new(SqliteLedger::open(&folder.path().join("relay.db")).unwrap());
    // The thread is held up until all are queued: then they have to share.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let before = ledger.commits();
    let gate = ledger.change(move |_| {
        let _ = held.recv();
        Ok(())
    });
    let runs: Vec<_> = (0..500_u32).map(|epoch| ledger.granted(run(1, epoch))).collect();
    release.send(()).unwrap();
    gate.await.unwrap();
    for result in futures::future::join_all(runs).await {
        result.unwrap();
    }
    let commits = ledger.commits() - before;
    assert!(commits <= 2, "{commits} commits");
    let (good, bad) = futures::join!(ledger.granted(run(2, 1)), ledger.seen(node_of(9), "x".into(), u64::MAX));
    assert!(good.is_ok() && bad.is_err());
    ledger.close().await;
    let db = open(&folder.path().join("relay.db")).unwrap();
    let runs: u32 = db.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).unwrap();
    assert_eq!(runs, 501);
}
