//! Who is not believed: every paper, connection, greeting and request to join that a relay turns away, each beside one
//! that it takes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod chains;
#[path = "../common/mod.rs"]
mod common;
mod doors;
mod hello;
mod joining;
mod orders;

/// The fewest cases that there must be.
const CASES_MIN: usize = 50;

#[test]
fn there_are_at_least_fifty_cases_and_no_name_twice() {
    let tables = [chains::names(), doors::names(), hello::names(), joining::names(), orders::names()];
    let cases: usize = tables.iter().map(Vec::len).sum();
    assert!(cases >= CASES_MIN, "{cases}");
    println!("{cases} cases: {:?}", tables.iter().map(Vec::len).collect::<Vec<_>>());
    for names in tables {
        let once: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(once.len(), names.len(), "{names:?}");
    }
}
