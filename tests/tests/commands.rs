//! The command line as people meet it: what it prints, how it fails.

use std::{
    process::Output,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use lull_tests::{NodeRole, Org, Process, Programs};

struct Failed {
    code: i32,
    said: String,
}

fn failed(output: &Output) -> Failed {
    Failed { code: output.status.code().unwrap_or(-1), said: String::from_utf8_lossy(&output.stderr).into_owned() }
}

#[test]
fn wrong_input_is_one_clear_sentence_and_an_exit_code() -> Result<()> {
    let programs = Programs::find()?;
    let folder = tempfile::tempdir()?;
    let home = folder.path().join("home");
    let missing = folder.path().join("missing.gguf");
    let missing = missing.to_string_lossy();
    let nowhere = folder.path().join("nowhere");
    let nowhere = nowhere.to_string_lossy();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["chat", "hello"], 3, "lull node"),
        (&["status"], 3, "lull node"),
        (&["node", "run"], 3, "lull node enroll"),
        (&["node", "enroll", "nonsense"], 4, "token create"),
        (&["node", "run", "--api", "0.0.0.0:1"], 3, "enroll"),
        (&["models", "add", &missing], 1, "missing.gguf"),
        (&["models", "remove", "nothing"], 3, "nothing"),
        (&["key", "revoke", "nothing"], 2, "nothing"),
        (&["relay", "run", &nowhere], 1, "relay init"),
        (&["admin", "--dir", &nowhere, "token", "create"], 1, "relay init"),
        (&["chat", "hello", "--label", "Not A Label"], 2, "label"),
        (&["chat", "hello", "--temperature", "9"], 2, "between 0 and 2"),
        (&["nonsense"], 2, "unrecognized"),
    ];
    for (args, code, part) in cases {
        let failed = failed(&programs.lull(&home).args(*args).output()?);
        ensure!(failed.said.contains(part), "{args:?} says: {}", failed.said);
        ensure!(!failed.said.contains("panicked"), "{args:?} panics: {}", failed.said);
        ensure!(failed.code == *code, "{args:?} exits with {} instead of {code}: {}", failed.code, failed.said);
    }
    Ok(())
}

#[test]
fn an_organisation_is_never_overwritten() -> Result<()> {
    let org = Org::create("Acme")?;
    let dir = org.dir();
    let before = std::fs::read(dir.join("root/root.key"))?;
    let again = org.lull(&["relay", "init", &dir.to_string_lossy(), "--org", "Other"]);
    ensure!(again.is_err(), "it was created again");
    ensure!(std::fs::read(dir.join("root/root.key"))? == before, "its root key is untouched");
    Ok(())
}

#[test]
fn a_node_that_waits_to_join_is_joined_from_the_command_line_and_the_relay_keeps_who_did_what() -> Result<()> {
    let org = Org::create("Acme")?;
    let _relay = org.relay()?;
    let home = org.path().join("late");
    let mut command = org.programs.lull(&home);
    command.args(["node", "run", "--ui", "127.0.0.1:0"]);
    let node = Process::start(command, &home.with_extension("log"))?;
    node.wait_for("#token=")?;
    let created = org.admin(&["token", "create"])?;
    let token = created.lines().last().unwrap_or_default();
    // As a mail program breaks it.
    let (first, rest) = token.split_at(70);
    let wrapped = format!("{first}\n  {rest}");
    let said = org.programs.output(&home, &["node", "enroll", &wrapped, "--name", "late"])?;
    ensure!(said.contains("late has joined Acme"), "{said}");
    ensure!(org.programs.output(&home, &["status"])?.contains("Acme"));
    org.admin(&["revoke", "late"])?;

    let log = org.admin(&["audit"])?;
    for deed in ["started the relay", "made token", "joined as late", "revoked late"] {
        ensure!(log.contains(deed), "{deed} is missing in: {log}");
    }
    let data: serde_json::Value = serde_json::from_str(&org.admin(&["audit", "--json"])?)?;
    let (entries, broken) = (data["entries"].as_array().map_or(0, Vec::len), &data["broken_at"]);
    ensure!(entries == 4 && broken.is_null(), "{data}");
    let second = data["entries"][1]["hash"].as_str().unwrap_or_default();
    let later = org.admin(&["audit", "--since", second])?;
    ensure!(later.contains("revoked late") && !later.contains("made token"), "{later}");
    ensure!(org.admin(&["audit", "--since", &"0".repeat(64)]).is_err(), "a hash that the log does not hold");
    Ok(())
}

#[test]
fn status_keys_and_models_of_a_running_node() -> Result<()> {
    let org = Org::create("Acme")?;
    let _relay = org.relay()?;
    let node = org.node("oak", NodeRole::Dedicated)?;
    let run = |args: &[&str]| org.programs.output(&node.home, args);
    let lends = |status: &str| status.starts_with("Lending:");
    // At first it does not know yet how a worker is confined here.
    let until = Instant::now() + Duration::from_secs(60);
    while !lends(&run(&["status"])?) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    let status = run(&["status"])?;
    for part in ["Lending:", "oak", "Acme", "sandbox", "13 layers", &node.api] {
        ensure!(status.contains(part), "{part} is missing in: {status}");
    }
    let data: serde_json::Value = serde_json::from_str(&run(&["status", "--json"])?)?;
    ensure!(data["org"] == "Acme" && ["basic", "full"].map(Into::into).contains(&data["sandbox"]["tier"]), "{data}");
    let key = org.key(&node)?;
    ensure!(key.starts_with("lull_sk_") && run(&["key", "list"])?.contains("test"), "a key is listed by name");
    ensure!(!run(&["key", "list", "--json"])?.contains(&key), "and never shown again");
    let models = run(&["models", "list"])?;
    ensure!(models.contains("lull-demo"), "{models}");
    let answer = run(&["chat", "--quiet", "--temperature", "0", "What is Lull?"])?;
    ensure!(answer.contains("private AI network"), "{answer}");
    let events = run(&["chat", "--json", "--temperature", "0", "What is Lull?"])?;
    let last: serde_json::Value = serde_json::from_str(events.lines().last().unwrap_or_default())?;
    ensure!(last["chat"] == "done", "{events}");
    let unknown = failed(&org.programs.lull(&node.home).args(["chat", "-m", "no-such-model", "x"]).output()?);
    ensure!(unknown.code == 3 && unknown.said.contains("lull models list"), "{}", unknown.said);
    let twice = failed(&org.programs.lull(&node.home).args(["node", "run"]).output()?);
    ensure!(twice.code != 0 && twice.said.contains("run"), "a second node in one home: {}", twice.said);
    ensure!(run(&["completions", "bash"])?.contains("lull"), "completions are printed");
    Ok(())
}
