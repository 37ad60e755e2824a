use lull_types::{Label, Pseudonym};
use lull_wire::SecretKey;

use super::*;

const ME: NodeId = NodeId([1; 16]);
const NONCE: [u8; 16] = [9; 16];

fn reserve(job: u8, model: u8) -> Reserve {
    Reserve {
        job: JobId([job; 16]),
        epoch: Epoch::FIRST,
        model: ModelHash([model; 32]),
        label: Label::internal(),
        pseudonym: Pseudonym([3; 16]),
        prompt_tokens: 1,
        max_tokens: 5,
    }
}

fn grant(job: u8, model: u8) -> Grant {
    Grant {
        job: JobId([job; 16]),
        epoch: Epoch::FIRST,
        lender: ME,
        nonce: NONCE,
        model: ModelHash([model; 32]),
        label: Label::internal(),
        pseudonym: Pseudonym([3; 16]),
        submitter_key: [0; 32],
        not_after_s: 1_000,
    }
}

fn run(job: u8) -> Run {
    (JobId([job; 16]), Epoch::FIRST)
}

#[tokio::test]
async fn a_slot_with_the_model_comes_first_then_an_empty_one_then_the_one_longest_unused() {
    let now = Instant::now();
    let later = |seconds| now + Duration::from_secs(seconds);
    let mut bookings = Bookings::new(3);
    assert_eq!(bookings.book(later(1), reserve(1, 10), NONCE), Ok(0));
    bookings.release(run(1));
    assert_eq!(bookings.book(later(2), reserve(2, 20), NONCE), Ok(1), "empty before another model");
    bookings.release(run(2));
    assert_eq!(bookings.book(later(3), reserve(3, 10), NONCE), Ok(0), "its own model first");
    bookings.release(run(3));
    assert_eq!(bookings.book(later(4), reserve(4, 30), NONCE), Ok(2));
    bookings.release(run(4));
    assert_eq!(bookings.book(later(5), reserve(5, 40), NONCE), Ok(1), "longest unused");
    assert_eq!(bookings.free(), 2);
    assert_eq!(bookings.book(later(5), reserve(5, 40), NONCE).unwrap_err().code, Code::Busy, "one slot for each run");
}

#[tokio::test]
async fn what_is_not_used_in_time_is_free_again() {
    let now = Instant::now();
    let mut bookings = Bookings::new(1);
    bookings.book(now, reserve(1, 10), NONCE).unwrap();
    assert_eq!(bookings.book(now, reserve(2, 10), NONCE).unwrap_err().code, Code::Busy);
    assert_eq!(bookings.next_end(), Some(now + RESERVATION_MAX));
    bookings.expire(now + RESERVATION_MAX - Duration::from_millis(1));
    assert_eq!(bookings.free(), 0);
    bookings.expire(now + RESERVATION_MAX);
    assert_eq!((bookings.free(), bookings.next_end()), (1, None));
}

#[tokio::test]
async fn a_grant_counts_once_and_only_for_what_was_accepted() {
    let relay = SecretKey::generate();
    let sign = |grant: &Grant| Signed::sign(grant, &relay).unwrap();
    let mut bookings = Bookings::new(2);
    bookings.book(Instant::now(), reserve(1, 10), NONCE).unwrap();
    let claim =
        |bookings: &mut Bookings, grant: &Grant, now_s| bookings.claim(&sign(grant), &relay.public(), ME, now_s);
    let code = |claimed: Result<Claimed, Fault>| claimed.unwrap_err().code;
    assert_eq!(code(claim(&mut bookings, &grant(2, 10), 0)), Code::Forbidden, "another job");
    assert_eq!(code(claim(&mut bookings, &grant(1, 11), 0)), Code::Forbidden, "another model");
    assert_eq!(code(claim(&mut bookings, &grant(1, 10), 1_301)), Code::Expired, "too late, with the skew of clocks");
    assert_eq!(code(claim(&mut bookings, &grant(1, 10), 669)), Code::Expired, "from a clock that is far ahead");
    let endless = Grant { not_after_s: u64::MAX, ..grant(1, 10) };
    assert_eq!(code(claim(&mut bookings, &endless, 1_300)), Code::Expired, "without an end");
    let claimed = claim(&mut bookings, &grant(1, 10), 1_300).unwrap();
    assert_eq!((claimed.slot, claimed.max_tokens), (0, 5));
    assert_eq!(code(claim(&mut bookings, &grant(1, 10), 0)), Code::Forbidden, "a second time");
    bookings.release_all();
    assert_eq!(bookings.free(), 1, "a running job keeps its slot");
    bookings.end(Instant::now(), claimed.slot);
    assert_eq!(bookings.free(), 2);
}

#[tokio::test]
async fn a_dead_worker_leaves_an_empty_slot() {
    let now = Instant::now();
    let mut bookings = Bookings::new(1);
    bookings.warm(now, 0, ModelHash([10; 32]));
    bookings.unloaded(0, ModelHash([11; 32]));
    assert!(!bookings.is_empty(0), "an older worker's death says nothing about the newer one");
    bookings.unloaded(0, ModelHash([10; 32]));
    assert!(bookings.is_empty(0));
}
