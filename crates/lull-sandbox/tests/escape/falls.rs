//! A worker that breaks must be able to say so and to end: the walls leave it that.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
};

use crate::stage::inmate;

#[test]
fn whatever_breaks_ends_as_it_would_without_walls() {
    const ABORTED: Option<i32> = Some(6);
    for (how, code, signal, said) in [
        ("panic", Some(101), None, "as it should"),
        ("abort", None, ABORTED, ""),
        ("overflow", None, ABORTED, "has overflowed its stack"),
        ("memory", None, ABORTED, "memory allocation of 1099511627776 bytes failed"),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let mut command = Command::new(inmate());
        command.env_clear().args(["--fall", how]).arg(scratch.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.status.signal()), (code, signal), "{how}: {words}");
        assert!(words.contains(said), "{how}: {words}");
    }
}

#[test]
fn what_is_there_is_told_as_json() {
    let output = Command::new(inmate()).env_clear().arg("--sandbox-report").output().unwrap();
    let available: lull_sandbox::Available = serde_json::from_slice(&output.stdout).unwrap();
    assert!(available.layers.contains(&lull_sandbox::Layer::RunFilter), "{available:?}");
    assert!(available.shortfalls.iter().all(|shortfall| !available.layers.contains(&shortfall.layer)));
}
