//! Whatever bytes a worker writes, the node survives, says why, and kills it. One test, so that it can count processes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::fs;

use common::{answer, asked, greedy, scripted_program, spec};
use lull_engine::{
    EngineInfo, Worker,
    protocol::{FROM_WORKER_BYTES_MAX, FromWorker, TEXT_BYTES_MAX, VERSION},
    scripted::{Mishap, Script, VOCABULARY, What, When},
};
use lull_types::{Code, Fault, FinishReason, Layer, Shortfall, Token, TokenLogprob, Usage};
use lull_wire::frame;

fn framed(message: &FromWorker) -> Vec<u8> {
    frame::encode(message, usize::MAX).unwrap()
}

/// A frame of any bytes.
fn raw(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_le_bytes(), body].concat()
}

fn token(position: u32) -> Token {
    Token { position, id: 97, text: "a".into(), logprob: None, top: Vec::new() }
}

fn says(job: u64, token: Token) -> Vec<u8> {
    framed(&FromWorker::Token { job, token })
}

fn failed(job: u64, code: Code, message: &str) -> Vec<u8> {
    framed(&FromWorker::Failed { job, fault: Fault::new(code, message) })
}

fn loaded(name: &str, context: u32, vocabulary: u32, ends: Vec<u32>) -> Vec<u8> {
    let engine = EngineInfo { name: name.into(), context: 4096 };
    framed(&FromWorker::Loaded { engine, context, vocabulary, ends, layers: Layer::ALL.into() })
}

fn done(prompt_tokens: u32, completion_tokens: u32, tail: &str) -> Vec<u8> {
    let usage = Usage { prompt_tokens, completion_tokens };
    framed(&FromWorker::Done { job: 1, finish: FinishReason::Stop, usage, tail: tail.into() })
}

fn hello(version: u32, build: &str) -> Vec<u8> {
    greeting(version, build, Vec::new())
}

fn greeting(version: u32, build: &str, shortfalls: Vec<Shortfall>) -> Vec<u8> {
    framed(&FromWorker::Hello { version, build: build.into(), layers: Layer::ALL.into(), shortfalls })
}

fn shortfall(why: &str) -> Shortfall {
    Shortfall { layer: Layer::Ports, why: why.into() }
}

/// Tokens of the prompt "q" by the scripted tokeniser.
const PROMPT: u32 = 3;

fn at_start() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("an empty frame", raw(&[])),
        ("a length of 4 GiB", vec![0xff; 12]),
        ("a length over the bound", ((FROM_WORKER_BYTES_MAX + 1) as u32).to_le_bytes().to_vec()),
        ("a print", b"Loading model, please wait...\n".to_vec()),
        ("no MessagePack", raw(&[0xc1; 20])),
        ("a number", raw(&[7])),
        ("a list that claims 4 billion", raw(&[0xdd, 0xff, 0xff, 0xff, 0xff, 1])),
        ("nesting", raw(&[0x91; 5000])),
        ("an unknown message", raw(&[0x81, 0xa3, b'O', b'd', b'd', 0xc0])),
        ("another version", hello(VERSION + 1, "x")),
        ("a build name without end", hello(VERSION, &"x".repeat(100))),
        ("a missing layer's reason without end", greeting(VERSION, "x", vec![shortfall(&"x".repeat(5000))])),
        ("more missing layers than there are", greeting(VERSION, "x", vec![shortfall("x"); 100])),
        ("a token before the greeting", says(1, token(0))),
        ("loaded before the greeting", loaded("x", 9, 9, vec![])),
        ("two greetings", hello(VERSION, "x")),
    ]
}

fn at_load() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("no context", loaded("x", 0, 9, vec![])),
        ("more context than asked", loaded("x", 5000, 9, vec![])),
        ("no vocabulary", loaded("x", 9, 0, vec![])),
        ("an endless vocabulary", loaded("x", 9, u32::MAX, vec![])),
        ("an end outside the vocabulary", loaded("x", 9, 9, vec![9])),
        ("too many ends", loaded("x", 9, 9, vec![1; 300])),
        ("an engine name without end", loaded(&"x".repeat(1000), 9, 9, vec![])),
        ("a code that is not a worker's", failed(0, Code::LenderUntrusted, "trust me")),
        ("a reason without end", failed(0, Code::ModelBroken, &"x".repeat(5000))),
        ("a fault of no job", failed(7, Code::ModelBroken, "x")),
        ("an answer while loading", framed(&FromWorker::Accepted { job: 1, prompt_tokens: 1 })),
        ("a frame with bytes left over", raw(&[&framed(&FromWorker::Prefilled { job: 1 })[4..], &[0]].concat())),
    ]
}

fn at_request() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a token before the prompt", says(1, token(0))),
        ("an end before the prompt", done(PROMPT, 0, "")),
        ("a prefill before the prompt", framed(&FromWorker::Prefilled { job: 1 })),
        ("another job's prompt", framed(&FromWorker::Accepted { job: 2, prompt_tokens: 1 })),
        ("a prompt beyond the context", framed(&FromWorker::Accepted { job: 1, prompt_tokens: 4096 })),
        ("a stop that nobody asked for", framed(&FromWorker::Cancelled { job: 1 })),
        ("loaded again", loaded("x", 9, 9, vec![])),
        ("a fault with a code that is not a worker's", failed(1, Code::Unauthorized, "x")),
        ("a fault of another job", failed(9, Code::Internal, "x")),
    ]
}

fn at_token() -> Vec<(&'static str, Vec<u8>)> {
    let logprob = |logprob| TokenLogprob { id: 97, bytes: vec![97], logprob };
    let mut not_text = says(1, token(3));
    let at = not_text.iter().rposition(|&byte| byte == b'a').unwrap();
    not_text[at] = 0xff;
    vec![
        ("a token left out", says(1, token(4))),
        ("a token repeated", says(1, token(2))),
        ("a token far ahead", says(1, token(u32::MAX))),
        ("an id outside the vocabulary", says(1, Token { id: VOCABULARY, ..token(3) })),
        ("a flood of text", says(1, Token { text: "x".repeat(TEXT_BYTES_MAX + 1), ..token(3) })),
        ("text that is none", not_text),
        ("a probability nobody asked for", says(1, Token { logprob: Some(logprob(-1.0)), ..token(3) })),
        ("alternatives nobody asked for", says(1, Token { top: vec![logprob(-1.0)], ..token(3) })),
        ("another job's token", says(2, token(3))),
        ("an end with another count", done(PROMPT, 7, "")),
        ("an end with another prompt", done(PROMPT + 1, 3, "")),
        ("an end with a flood of text", done(PROMPT, 3, &"x".repeat(TEXT_BYTES_MAX + 1))),
        ("a second prompt", framed(&FromWorker::Accepted { job: 1, prompt_tokens: PROMPT })),
        ("a second prefill", framed(&FromWorker::Prefilled { job: 1 })),
        ("a stop in the middle", framed(&FromWorker::Cancelled { job: 1 })),
        ("more tokens than asked for", (3..12).flat_map(|at| says(1, token(at))).collect()),
    ]
}

/// Children of this process that are still there.
fn children() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks.map(|task| of(task.unwrap()).split_whitespace().count()).sum()
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// What the node makes of a worker that writes these bytes at this time.
async fn met(at: When, bytes: Vec<u8>) -> Fault {
    let folder = tempfile::tempdir().unwrap();
    let script = Script { length: 9, mishap: Some(Mishap { at, what: What::Bytes(bytes) }), ..Script::default() };
    script.write(folder.path()).unwrap();
    let worker = match Worker::spawn(spec(scripted_program(), folder.path(), folder.path())).await {
        Ok(worker) => worker,
        Err(fault) => return fault,
    };
    let fault = answer(&worker, asked("q", greedy(10), &[])).await.unwrap_err();
    assert_eq!(worker.died().await, fault);
    fault
}

#[tokio::test]
async fn no_bytes_of_a_worker_harm_the_node() {
    // The runtime opens what it needs.
    met(When::Start, vec![0xff; 12]).await;
    let files = open_files();
    let mut cases = 0;
    for (at, table) in [
        (When::Start, at_start()),
        (When::Load, at_load()),
        (When::Tokenize, at_request()),
        (When::Token(3), at_token()),
    ] {
        for (name, bytes) in table {
            let fault = met(at, bytes).await;
            assert_eq!(fault.code, Code::WorkerProtocol, "{name}: {fault}");
            assert!(fault.message.len() < 300, "{name}: {fault}");
            cases += 1;
        }
    }
    assert!(cases >= 50, "{cases}");
    cut_off().await;
    speaking_unasked().await;
    assert_eq!(children(), 0, "a worker was left behind");
    assert!(open_files() <= files, "files were left open: {} after {files}", open_files());
}

/// A frame that the process's end cuts off.
async fn cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = [100_u32.to_le_bytes().as_slice(), b"half"].concat();
    let script = Script { mishap: Some(Mishap { at: When::Token(3), what: What::Bytes(bytes) }), ..Script::default() };
    script.write(folder.path()).unwrap();
    let mut spec = spec(scripted_program(), folder.path(), folder.path());
    spec.limits.token = std::time::Duration::from_millis(300);
    let worker = Worker::spawn(spec).await.unwrap();
    let fault = answer(&worker, asked("q", greedy(4), &[])).await.unwrap_err();
    assert!([Code::WorkerProtocol, Code::WorkerHung].contains(&fault.code), "{fault}");
}

/// A whole answer, and then a frame more.
async fn speaking_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = [done(PROMPT, 3, ""), says(1, token(3))].concat();
    let script = Script { mishap: Some(Mishap { at: When::Token(3), what: What::Bytes(bytes) }), ..Script::default() };
    script.write(folder.path()).unwrap();
    let worker = Worker::spawn(spec(scripted_program(), folder.path(), folder.path())).await.unwrap();
    assert_eq!(answer(&worker, asked("q", greedy(10), &[])).await.unwrap().ids().len(), 3);
    assert_eq!(worker.died().await.code, Code::WorkerProtocol);
}
