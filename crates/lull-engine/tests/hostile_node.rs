//! Whatever bytes a node writes, a worker neither panics nor goes on: it exits and says why.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
};

use common::scripted_program;
use lull_engine::{
    Confine, Load, guard,
    protocol::{FromWorker, Job, TO_WORKER_BYTES_MAX, ToWorker},
    scripted::Script,
};
use lull_types::{Layers, Message, Role, Sampling};
use lull_wire::frame;

fn framed(message: &ToWorker) -> Vec<u8> {
    frame::encode(message, usize::MAX).unwrap()
}

fn confine(folder: &std::path::Path) -> Vec<u8> {
    let (model, scratch) = (folder.into(), folder.into());
    framed(&ToWorker::Confine(Confine { model, scratch, memory_max: None, skip: Layers::new() }))
}

/// How it is to be confined, and what to load.
fn start(folder: &std::path::Path) -> Vec<u8> {
    [confine(folder), load(folder)].concat()
}

fn load(folder: &std::path::Path) -> Vec<u8> {
    framed(&ToWorker::Load(Load { model: folder.into(), threads: 1, context_max: 100 }))
}

fn generate(job: u64) -> Vec<u8> {
    let messages = vec![Message { role: Role::User, content: "hello".into() }];
    framed(&ToWorker::Generate(Box::new(Job { job, messages, sampling: Sampling::default(), prefix: vec![] })))
}

/// Exit status and standard error of a worker that is sent these bytes, the pipe then closed.
fn met(bytes: &[u8]) -> (Option<i32>, String) {
    let mut worker = Command::new(scripted_program())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = worker.stdin.take().unwrap();
    // A worker that has had enough closes its end.
    let _ = stdin.write_all(bytes);
    drop(stdin);
    let output = worker.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn no_bytes_of_a_node_harm_a_worker() {
    let folder = tempfile::tempdir().unwrap();
    Script { pace_us: 1_000_000, ..Script::default() }.write(folder.path()).unwrap();
    let (confine, load) = (confine(folder.path()), load(folder.path()));
    let raw = |body: &[u8]| [&(body.len() as u32).to_le_bytes(), body].concat();
    let confined = |rest: Vec<u8>| [confine.clone(), rest].concat();
    let after_load = |rest: Vec<u8>| [confine.clone(), load.clone(), rest].concat();
    let cases = vec![
        ("half a length", vec![1, 0]),
        ("half a frame", vec![9, 0, 0, 0, 1]),
        ("a length over the bound", ((TO_WORKER_BYTES_MAX + 1) as u32).to_le_bytes().to_vec()),
        ("a length of 4 GiB", vec![0xff; 8]),
        ("an empty frame", raw(&[])),
        ("no MessagePack", raw(&[0xc1; 9])),
        ("a text", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("a model before the sandbox", load.clone()),
        ("a first frame over its bound", (1_u32 << 20).to_le_bytes().to_vec()),
        ("a sandbox twice", confined(confine.clone())),
        ("a sandbox for a loaded model", after_load(confine.clone())),
        ("an answer before the model", confined(generate(1))),
        ("a stop of no answer", confined(framed(&ToWorker::Cancel { job: 1 }))),
        ("a worker's own frame", frame::encode(&FromWorker::Prefilled { job: 1 }, 100).unwrap()),
        ("nesting", raw(&[0x91; 5000])),
        ("a list that claims 4 billion", raw(&[0xdd, 0xff, 0xff, 0xff, 0xff])),
        ("a model twice", after_load([load.clone(), load.clone(), load.clone()].concat())),
        ("an answer numbered 0", after_load(generate(0))),
        ("two answers with one number", after_load([generate(1), generate(1)].concat())),
        ("three answers at once", after_load([generate(1), generate(2), generate(3), generate(4)].concat())),
        ("a frame with bytes left over", {
            let mut body = framed(&ToWorker::Exit).split_off(4);
            body.push(0);
            raw(&body)
        }),
    ];
    for (name, bytes) in cases {
        let (status, said) = met(&bytes);
        assert_eq!(status, Some(guard::EXIT_PROTOCOL), "{name}: {said}");
        assert!(said.starts_with(guard::SAYS) && !said.contains("panicked"), "{name}: {said}");
    }
}

#[test]
fn a_closed_pipe_or_a_goodbye_ends_a_worker_even_while_it_answers() {
    let folder = tempfile::tempdir().unwrap();
    Script { pace_us: 60_000_000, ..Script::default() }.write(folder.path()).unwrap();
    for bytes in [
        vec![],
        framed(&ToWorker::Exit),
        confine(folder.path()),
        [confine(folder.path()), framed(&ToWorker::Exit)].concat(),
        start(folder.path()),
        [start(folder.path()), generate(1)].concat(),
        [start(folder.path()), generate(1), framed(&ToWorker::Exit)].concat(),
    ] {
        assert_eq!(met(&bytes).0, Some(0));
    }
}

#[test]
fn what_libraries_print_stays_out_of_the_pipe() {
    let mut worker = Command::new(scripted_program())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    worker.stdin.as_mut().unwrap().write_all(&confine(folder.path())).unwrap();
    let mut first = [0; 4];
    worker.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    let mut body = vec![0; u32::from_le_bytes(first) as usize];
    worker.stdout.as_mut().unwrap().read_exact(&mut body).unwrap();
    assert!(matches!(frame::decode(&body).unwrap(), FromWorker::Hello { .. }));
    #[cfg(target_os = "linux")]
    {
        let target = |fd| std::fs::read_link(format!("/proc/{}/fd/{fd}", worker.id())).unwrap();
        assert_eq!(target(1), target(2), "standard output must lead to standard error");
    }
    drop(worker.stdin.take());
    assert!(worker.wait().unwrap().success());
}
