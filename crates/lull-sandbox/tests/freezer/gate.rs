//! A thaw never wins against a freeze that came after its ticket.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use crate::{
    every_way,
    spin::{GUARD, Spin},
};

const ROUNDS: usize = 500;
const THREADS: usize = 4;

#[test]
fn an_old_ticket_thaws_nothing() {
    for freezer in every_way() {
        freezer.freeze();
        let old = freezer.ticket();
        freezer.freeze();
        assert!(!freezer.thaw(old) && freezer.is_frozen());
        assert!(freezer.thaw(freezer.ticket()) && !freezer.is_frozen());
        assert!(freezer.thaw(freezer.ticket()), "a thaw of what runs is none, but no error");
    }
}

/// Whatever the order in which they run: a ticket from before the freeze never undoes it.
#[test]
fn a_freeze_that_races_with_a_thaw_wins() {
    for freezer in every_way() {
        let spin = Spin::start(1, 0);
        let _adopted = freezer.adopt(spin.pid()).unwrap();
        let together = Barrier::new(3);
        thread::scope(|scope| {
            // One freezes, one thaws, the third looks at what came of it.
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    together.wait();
                    freezer.freeze();
                    together.wait();
                }
            });
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    // The freeze of this round has not begun.
                    let known = freezer.ticket();
                    together.wait();
                    freezer.thaw(known);
                    together.wait();
                }
            });
            let mut lost = 0;
            for _ in 0..ROUNDS {
                together.wait();
                together.wait();
                // Once one is lost, nobody need wait for the others.
                lost += usize::from(lost > 0 || !freezer.is_frozen() || !freezer.settled(GUARD));
            }
            assert_eq!(lost, 0, "of {ROUNDS} freezes, with {}", freezer.method());
        });
        assert!(freezer.settled(GUARD) && spin.stands_still());
    }
}

/// Many threads freeze and thaw as they like; once the thaws have ended, one more freeze holds for good.
#[test]
fn after_any_tumult_the_last_freeze_holds() {
    for freezer in every_way() {
        let spin = Spin::start(2, 0);
        let _adopted = freezer.adopt(spin.pid()).unwrap();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    while !over.load(SeqCst) {
                        freezer.freeze();
                        thread::yield_now();
                    }
                });
                scope.spawn(|| {
                    while !over.load(SeqCst) {
                        freezer.thaw(freezer.ticket());
                        thread::yield_now();
                    }
                });
            }
            thread::sleep(Duration::from_secs(1));
            over.store(true, SeqCst);
            freezer.freeze();
        });
        // A thaw that ended last may have known of that freeze; this one is certainly the last.
        freezer.freeze();
        assert!(freezer.is_frozen() && freezer.settled(GUARD), "{}", freezer.method());
        assert!(spin.stands_still(), "{}", freezer.method());
        assert!(freezer.thaw(freezer.ticket()));
        spin.wait_until_all_move();
    }
}
