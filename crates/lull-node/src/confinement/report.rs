//! Asks a worker's program what sandbox it can put up here, without a model. Its answer is read as hostile.

use std::{path::Path, process::Stdio, time::Duration};

use lull_door::home;
use lull_types::{Layer, Layers, SandboxReport};
use tokio::{io::AsyncReadExt as _, process::Command, time::timeout};

/// What has a worker's program confine itself, say how, and exit.
const ARGUMENT: &str = "--sandbox-report";
/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// The longest reason for one missing layer, in bytes.
const WHY_BYTES_MAX: usize = 1 << 10;
/// How long it may take: milliseconds as a rule, more where programs are checked before they run.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// What the program says. `folder` is where it runs: it is made, and left empty.
///
/// # Errors
/// Why it is not known, in words.
pub(crate) async fn ask(program: &Path, folder: &Path) -> Result<SandboxReport, String> {
    home::create_folders(folder).map_err(|fault| fault.message)?;
    let unknown =
        |why: &dyn std::fmt::Display| format!("{} does not say how it is confined here: {why}", program.display());
    let answer = timeout(ANSWER_MAX, output(program, folder)).await;
    let answer = answer.map_err(|_| unknown(&format!("no answer within {} s", ANSWER_MAX.as_secs())))?;
    answer.and_then(|bytes| read(&bytes)).map_err(|why| unknown(&why))
}

async fn output(program: &Path, folder: &Path) -> Result<Vec<u8>, String> {
    let mut command = Command::new(program);
    command
        .arg(ARGUMENT)
        .env_clear()
        // Where it looks: in the node's own folder, as its workers do. Below /tmp there may be mounts.
        .env("TMPDIR", folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if let Some(root) = std::env::var_os("SystemRoot") {
        command.env("SystemRoot", root);
    }
    let mut process = command.spawn().map_err(|error| format!("it cannot be started ({error})"))?;
    let stdout = process.stdout.take().ok_or("it has no output")?;
    let mut bytes = Vec::new();
    let mut bounded = stdout.take(ANSWER_BYTES_MAX as u64 + 1);
    bounded.read_to_end(&mut bytes).await.map_err(|error| format!("it cannot be heard ({error})"))?;
    if bytes.len() > ANSWER_BYTES_MAX {
        return Err(format!("its answer is longer than {ANSWER_BYTES_MAX} bytes"));
    }
    let status = process.wait().await.map_err(|error| format!("it cannot be waited for ({error})"))?;
    if status.success() { Ok(bytes) } else { Err(format!("it failed ({status})")) }
}

fn read(bytes: &[u8]) -> Result<SandboxReport, String> {
    let mut report: SandboxReport =
        serde_json::from_slice(bytes).map_err(|error| format!("its answer is not a report ({error})"))?;
    let missing: Layers = report.shortfalls.iter().map(|shortfall| shortfall.layer).collect();
    if missing.len() != report.shortfalls.len() || !missing.is_disjoint(&report.layers) {
        return Err("its answer names a layer twice".into());
    }
    if let Some(long) = report.shortfalls.iter().find(|shortfall| shortfall.why.len() > WHY_BYTES_MAX) {
        return Err(format!("its reason for {} is longer than {WHY_BYTES_MAX} bytes", long.layer));
    }
    for shortfall in &mut report.shortfalls {
        shortfall.why = shortfall.why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    }
    debug_assert!(report.layers.len() <= Layer::ALL.len(), "a set of layers is bounded by what there are");
    Ok(report)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> String {
        read(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_report_is_read_strictly() {
        let text = r#"{"layers":["limits","files"],"shortfalls":[{"layer":"ports","why":"old\u0007 kernel"}]}"#;
        let report = read(text.as_bytes()).unwrap();
        assert_eq!(report.layers, Layers::from([Layer::Limits, Layer::Files]));
        assert_eq!(report.shortfalls[0].why, "old  kernel");
        let long = "a".repeat(WHY_BYTES_MAX + 1);
        for (text, why) in [
            ("", "not a report"),
            ("{}", "missing field"),
            (r#"{"layers":["moat"],"shortfalls":[]}"#, "unknown variant"),
            (r#"{"layers":[],"shortfalls":[],"tier":"full"}"#, "unknown field"),
            (r#"{"layers":[],"shortfalls":[]} {}"#, "trailing"),
            (r#"{"layers":["files"],"shortfalls":[{"layer":"files","why":""}]}"#, "twice"),
            (r#"{"layers":[],"shortfalls":[{"layer":"files","why":"a"},{"layer":"files","why":"b"}]}"#, "twice"),
            (&format!(r#"{{"layers":[],"shortfalls":[{{"layer":"files","why":"{long}"}}]}}"#), "longer than 1024"),
        ] {
            assert!(refused(text).contains(why), "{text}: {}", refused(text));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_report_or_a_reason(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }

    #[cfg(unix)]
    mod programs {
        use std::{fs, os::unix::fs::PermissionsExt as _};

        use super::*;

        async fn says(script: &str) -> Result<SandboxReport, String> {
            let folder = tempfile::tempdir().unwrap();
            let program = folder.path().join("worker");
            fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
            ask(&program, &folder.path().join("scratch")).await
        }

        #[tokio::test]
        async fn only_a_program_that_says_it_properly_is_believed() {
            let report = r#"{"layers":["files"],"shortfalls":[]}"#;
            assert_eq!(says(&format!("echo '{report}'")).await.unwrap().layers, Layers::from([Layer::Files]));
            let asked = says(&format!("[ \"$*\" = --sandbox-report ] && [ -z \"$HOME\" ] && echo '{report}'")).await;
            assert!(asked.is_ok(), "{asked:?}");
            for (script, why) in [
                ("exit 0", "not a report"),
                ("exec head -c 70000 /dev/zero", "longer than 65536 bytes"),
                ("kill -9 $$", "it failed (signal"),
            ] {
                let said = says(script).await.unwrap_err();
                assert!(said.contains(why) && said.contains("worker does not say how it is confined"), "{said}");
            }
            let failed = says(&format!("echo '{report}'; exit 3")).await.unwrap_err();
            assert!(failed.contains("it failed"), "{failed}");
            let gone = ask(Path::new("/nowhere/worker"), tempfile::tempdir().unwrap().path()).await.unwrap_err();
            assert!(gone.contains("it cannot be started"), "{gone}");
        }
    }
}
