//! What a person says to their machine, and what it says back.

use lull_types::{LendingView, Reason};

use crate::desk::Desk;

#[test]
fn a_person_agrees_pauses_and_resumes() {
    let mut desk = Desk::new("other_cores = 0\n");
    let home = desk.lender.home.clone();
    let programs = desk.org.programs.clone();
    let lull = move |args: &[&str]| programs.output(&home, args).unwrap();
    desk.until_it_lends();
    assert!(lull(&["status"]).starts_with("Lending"), "{}", lull(&["status"]));

    lull(&["lend", "off"]);
    desk.until("off", |shown| matches!(shown, LendingView::Off { reason: Reason::NotAgreed, .. }));
    lull(&["lend", "on"]);
    desk.until_it_lends();

    lull(&["pause", "1h"]);
    let shown = desk.until("the pause", |shown| matches!(shown, LendingView::Paused { .. }));
    let LendingView::Paused { until: Some(end), .. } = shown else { panic!("{shown:?}") };
    assert!(lull(&["status"]).starts_with("Paused until"), "{}", lull(&["status"]));
    desk.restart_lender();
    let shown = desk.until("the pause after a restart", |shown| matches!(shown, LendingView::Paused { .. }));
    assert!(matches!(shown, LendingView::Paused { until: Some(same), .. } if same == end), "{shown:?}");
    lull(&["resume"]);
    desk.until_it_lends();
    // The files are looked at every two seconds: what the node itself wrote there must not stop anything.
    desk.keeps_lending_for(std::time::Duration::from_millis(3_000));

    let asking = crate::desk::Asking::begin(&desk);
    let work = desk.busy_worker();
    lull(&["pause", "forever"]);
    work.until_gone();
    drop(asking);
    lull(&["resume"]);
    desk.until_it_lends();

    std::fs::write(desk.rules(), "[lend]\nenabled = false\n").unwrap();
    desk.until("the organisation's word", |shown| {
        matches!(shown, LendingView::Off { reason: Reason::Organisation, .. })
    });
    std::fs::write(desk.rules(), "[lend]\nenabeld = false\n").unwrap();
    let broken = desk
        .until("broken rules", |shown| matches!(shown, LendingView::Off { reason: Reason::RulesBroken { .. }, .. }));
    assert!(broken.words().contains("policy.toml:2:1"), "{}", broken.words());
    lull(&["pause", "1h"]);
}
