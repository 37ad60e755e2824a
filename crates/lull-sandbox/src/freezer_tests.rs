use std::process::{Child, Command};

use super::*;

/// Something to hold that sleeps, so that only a freeze makes it stand still. It ends with the test.
struct Held {
    child: Child,
    adopted: Adopted,
}

impl Held {
    fn by(freezer: &Freezer) -> Self {
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        let adopted = freezer.adopt(child.id()).unwrap();
        Self { child, adopted }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.adopted.end();
        let _ = self.child.wait();
    }
}

/// Whether it is frozen in truth and not only by its own word.
fn stands(freezer: &Freezer) -> bool {
    let within = Duration::from_secs(if freezer.is_frozen() { 10 } else { 0 });
    freezer.settled(within)
}

fn each(test: impl Fn(&Freezer)) {
    for freezer in [Freezer::signals_only(), Freezer::new()] {
        let _held = Held::by(&freezer);
        assert!(!stands(&freezer), "{}", freezer.method());
        test(&freezer);
    }
}

#[test]
fn a_freeze_amid_a_thaw_wins() {
    each(|freezer| {
        freezer.freeze();
        assert!(!freezer.thaw_amid(freezer.ticket(), || freezer.freeze()));
        assert!(freezer.is_frozen() && stands(freezer), "{}", freezer.method());
        assert!(freezer.thaw(freezer.ticket()));
        assert!(!freezer.is_frozen() && !stands(freezer));
    });
}

#[test]
fn an_old_ticket_does_not_thaw_even_for_a_moment() {
    each(|freezer| {
        freezer.freeze();
        let old = freezer.ticket();
        freezer.freeze();
        let thawed = freezer.thaw_amid(old, || panic!("it had begun to thaw"));
        assert!(!thawed && freezer.is_frozen() && stands(freezer));
    });
}

#[test]
fn a_freeze_under_way_is_not_known_to_any_ticket() {
    each(|freezer| {
        freezer.freeze();
        freezer.begun.fetch_add(1, SeqCst);
        assert!(!freezer.thaw(freezer.ticket()) && stands(freezer));
        freezer.done.fetch_add(1, SeqCst);
        assert!(freezer.thaw(freezer.ticket()) && !stands(freezer));
    });
}

#[test]
fn signals_take_over_from_a_group_that_is_taken_away() {
    let freezer = Freezer::new();
    let Method::Cgroup { folder } = freezer.method() else { return };
    std::fs::remove_dir(folder).unwrap();
    for _ in 0..2 {
        let _held = Held::by(&freezer);
        for _ in 0..2 {
            freezer.freeze();
            assert!(stands(&freezer));
            assert!(freezer.thaw(freezer.ticket()) && !stands(&freezer));
        }
    }
}
