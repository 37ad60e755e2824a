use tokio::time::{sleep, timeout};

use super::*;

const BOUND: Duration = Duration::from_secs(10);
const FROZEN: Duration = Duration::from_secs(100);
const SECOND: Duration = Duration::from_secs(1);

fn clock() -> (watch::Sender<bool>, Clock) {
    let (sender, receiver) = watch::channel(false);
    (sender, Clock::start(Some(&receiver)))
}

#[tokio::test(start_paused = true)]
async fn without_a_freeze_it_is_a_clock() {
    for is_held in [true, false] {
        let (_sender, held) = clock();
        let mut clock = if is_held { held } else { Clock::start(None) };
        let start = Instant::now();
        sleep(SECOND).await;
        clock.passed(BOUND).await;
        assert_eq!(start.elapsed(), BOUND);
        assert_eq!(clock.took(), (BOUND, false));
        clock.restart();
        assert_eq!(clock.within(BOUND, sleep(SECOND)).await, Some(()));
        assert_eq!(clock.took(), (SECOND, false));
    }
}

#[tokio::test(start_paused = true)]
async fn it_stops_while_frozen_and_begins_anew() {
    let (sender, mut clock) = clock();
    let start = Instant::now();
    let freezing = async {
        sleep(BOUND - SECOND).await;
        sender.send_replace(true);
        sleep(FROZEN).await;
        sender.send_replace(false);
    };
    tokio::join!(freezing, clock.passed(BOUND));
    assert_eq!(start.elapsed(), BOUND - SECOND + FROZEN + BOUND);
    assert_eq!(clock.took(), (BOUND - SECOND + BOUND, true));
}

#[tokio::test(start_paused = true)]
async fn asked_again_and_again_it_is_the_same_clock() {
    let (sender, mut clock) = clock();
    let start = Instant::now();
    let freezing = async {
        sleep(SECOND * 9 + SECOND / 2).await;
        sender.send_replace(true);
        sleep(FROZEN).await;
        sender.send_replace(false);
    };
    let asking = async { while timeout(SECOND, clock.passed(BOUND)).await.is_err() {} };
    tokio::join!(freezing, asking);
    // Looked at once a second, it cannot know the thaw sooner than that.
    let least = SECOND * 19 + SECOND / 2 + FROZEN;
    assert!((least..=least + SECOND).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_freeze_that_nobody_saw_begins_it_anew() {
    let (sender, mut clock) = clock();
    sleep(BOUND - SECOND).await;
    sender.send_replace(true);
    sender.send_replace(false);
    let start = Instant::now();
    clock.passed(BOUND).await;
    assert_eq!(start.elapsed(), BOUND);
    assert!(clock.took().1);
}

#[tokio::test(start_paused = true)]
async fn begun_while_frozen_it_waits() {
    let (sender, mut clock) = clock();
    sender.send_replace(true);
    clock.restart();
    assert!(timeout(FROZEN, clock.passed(BOUND)).await.is_err());
    assert_eq!(clock.took(), (Duration::ZERO, true));
    sender.send_replace(false);
    let start = Instant::now();
    clock.passed(BOUND).await;
    assert_eq!(start.elapsed(), BOUND);
}

#[tokio::test(start_paused = true)]
async fn with_nobody_left_to_thaw_it_runs() {
    let (sender, mut clock) = clock();
    sender.send_replace(true);
    drop(sender);
    let start = Instant::now();
    clock.passed(BOUND).await;
    assert_eq!(start.elapsed(), BOUND);
}
