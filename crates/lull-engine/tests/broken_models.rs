//! Model folders that are broken, each in its own way: a clear sentence, no crash, no process left.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{fs, path::Path};

use common::{answer, asked, demo, engine, greedy, real_program, spec};
use lull_engine::{Worker, cpu::EngineKind};
use lull_types::Code;
use serde_json::{Value, json};

/// One way to break a folder, and a part of the sentence that must come.
type Case = (&'static str, fn(&Path), &'static str);

const GGUF: &str = "lull-demo.Q8_0.gguf";
const TENSORS: &str = "model.safetensors";

fn edit_json(folder: &Path, name: &str, edit: impl FnOnce(&mut Value)) {
    let path = folder.join(name);
    let mut value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut value);
    fs::write(path, serde_json::to_vec(&value).unwrap()).unwrap();
}

fn edit_bytes(folder: &Path, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
    let path = folder.join(name);
    let mut bytes = fs::read(&path).unwrap();
    edit(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
}

fn remove(folder: &Path, name: &str) {
    fs::remove_file(folder.join(name)).unwrap();
}

const OF_ANY_FORMAT: &[Case] = &[
    ("no tokeniser", |f| remove(f, "tokenizer.json"), "tokenizer.json: the file is missing"),
    ("a tokeniser that is a web page", |f| fs::write(f.join("tokenizer.json"), "<html>").unwrap(), "not valid JSON"),
    ("a tokeniser without words", |f| edit_json(f, "tokenizer.json", |t| t["model"] = json!({})), "no vocabulary"),
    ("ids that are none", |f| edit_json(f, "tokenizer.json", |t| t["model"]["vocab"]["x"] = json!(-1)), "token's id"),
    ("no decoder", |f| edit_json(f, "tokenizer.json", |t| t["decoder"] = Value::Null), "decodes neither"),
    (
        "another model's tokeniser",
        |f| edit_json(f, "tokenizer.json", |t| t["model"]["vocab"]["another"] = json!(1024)),
        "belongs to another model",
    ),
    ("a tokeniser of no known kind", |f| edit_json(f, "tokenizer.json", |t| t["model"]["type"] = json!("X")), ""),
    ("no tokeniser settings", |f| remove(f, "tokenizer_config.json"), "tokenizer_config.json: the file is missing"),
    (
        "no template",
        |f| edit_json(f, "tokenizer_config.json", |t| t["chat_template"] = Value::Null),
        "no chat template",
    ),
    ("no end token", |f| edit_json(f, "tokenizer_config.json", |t| t["eos_token"] = Value::Null), "ends an answer"),
    (
        "an end token that is not there",
        |f| edit_json(f, "tokenizer_config.json", |t| t["eos_token"] = json!("<|never|>")),
        "\"<|never|>\" is not in tokenizer.json",
    ),
    ("a manifest that is none", |f| fs::write(f.join("manifest.json"), "[1, 2").unwrap(), "manifest.json"),
    (
        "another format",
        |f| edit_json(f, "manifest.json", |m| m["format"] = json!("onnx")),
        "cannot run models of the format \"onnx\"",
    ),
];

const OF_GGUF: &[Case] = &[
    ("no weights", |f| remove(f, GGUF), "neither a .gguf"),
    ("weights cut off in the middle", |f| edit_bytes(f, GGUF, |b| b.truncate(b.len() / 2)), "cut off"),
    ("weights cut off in the header", |f| edit_bytes(f, GGUF, |b| b.truncate(300)), "cut off inside its header"),
    ("an empty file", |f| edit_bytes(f, GGUF, Vec::clear), "cut off"),
    ("a web page", |f| edit_bytes(f, GGUF, |b| b[..4].copy_from_slice(b"<htm")), "not a GGUF file"),
    ("an unknown version", |f| edit_bytes(f, GGUF, |b| b[4] = 99), "version 99"),
    ("endless tensors", |f| edit_bytes(f, GGUF, |b| b[15] = 0x7f), "which cannot be"),
    ("endless keys", |f| edit_bytes(f, GGUF, |b| b[23] = 0x7f), "which cannot be"),
    ("an endless text", |f| edit_bytes(f, GGUF, |b| b[24..32].copy_from_slice(&[0x7f; 8])), "too long"),
    (
        "an unknown architecture",
        |f| edit_bytes(f, GGUF, |b| replace(b, b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0lluma")),
        "\"lluma\"",
    ),
    ("a key left out", |f| edit_bytes(f, GGUF, |b| replace(b, b"llama.block_count", b"llama.black_count")), "lacks"),
    ("a tensor left out", |f| edit_bytes(f, GGUF, |b| replace(b, b"blk.0.attn_q.", b"blk.0.attn_x.")), "mistral.rs"),
    ("two files", |f| fs::copy(f.join(GGUF), f.join("b.gguf")).map(drop).unwrap(), "several GGUF files"),
];

const OF_SAFETENSORS: &[Case] = &[
    ("no config", |f| remove(f, "config.json"), "config.json: the file is missing"),
    ("no architecture", |f| edit_json(f, "config.json", |c| c["architectures"] = json!([])), "names no architecture"),
    (
        "an unknown architecture",
        |f| edit_json(f, "config.json", |c| c["architectures"] = json!(["NoSuchForCausalLM"])),
        "mistral.rs",
    ),
    (
        "a setting left out",
        |f| edit_json(f, "config.json", |c| drop(c.as_object_mut().unwrap().remove("hidden_size"))),
        "",
    ),
    ("other sizes", |f| edit_json(f, "config.json", |c| c["intermediate_size"] = json!(96)), ""),
    ("an impossible head", |f| edit_json(f, "config.json", |c| c["num_attention_heads"] = json!(0)), ""),
    ("tensors cut off", |f| edit_bytes(f, TENSORS, |b| b.truncate(b.len() - 9)), "cut off"),
    ("a header beyond the file", |f| edit_bytes(f, TENSORS, |b| b[6] = 1), "longer than the file"),
    ("a header that is none", |f| edit_bytes(f, TENSORS, |b| b[8] = b'x'), "not JSON"),
    (
        "an adapter beside it",
        |f| fs::copy(f.join(TENSORS), f.join("adapter_model.safetensors")).map(drop).unwrap(),
        "LoRA",
    ),
];

/// A copy of the demo model in one of its two formats.
fn copy(to: &Path, format: &str) {
    for entry in fs::read_dir(demo()).unwrap() {
        let from = entry.unwrap().path();
        let name = from.file_name().unwrap().to_owned();
        let other = if format == "gguf" { ".safetensors" } else { ".gguf" };
        if from.is_file() && !name.to_string_lossy().ends_with(other) {
            fs::copy(&from, to.join(name)).unwrap();
        }
    }
    edit_json(to, "manifest.json", |manifest| manifest["format"] = json!(format));
}

#[tokio::test]
async fn each_broken_folder_gets_a_clear_sentence() {
    let scratch = tempfile::tempdir().unwrap();
    let all = OF_ANY_FORMAT.iter().chain(OF_GGUF).map(|case| ("gguf", case));
    for (format, (name, harm, says)) in all.chain(OF_SAFETENSORS.iter().map(|case| ("safetensors", case))) {
        let folder = tempfile::tempdir().unwrap();
        copy(folder.path(), format);
        harm(folder.path());
        match Worker::spawn(spec(real_program(), folder.path(), scratch.path())).await {
            Ok(_) => panic!("{format} with {name} was loaded"),
            Err(fault) => {
                println!("{format}, {name}: {fault}");
                assert_eq!(fault.code, Code::ModelBroken, "{format} with {name}: {fault}");
                assert!(fault.message.contains(says), "{format} with {name}: {fault}");
                assert!(fault.message.len() < 600, "{format} with {name}: {fault}");
            }
        }
    }
}

#[tokio::test]
async fn a_broken_template_costs_an_answer_at_most() {
    let scratch = tempfile::tempdir().unwrap();
    for template in ["{% for m in messages %}", "{{ messages[99].content.nothing }}", "{{ raise_exception('no') }}"] {
        let folder = tempfile::tempdir().unwrap();
        copy(folder.path(), "gguf");
        edit_json(folder.path(), "tokenizer_config.json", |config| config["chat_template"] = json!(template));
        let fault = match Worker::spawn(spec(real_program(), folder.path(), scratch.path())).await {
            Ok(worker) => answer(&worker, asked("What is Lull?", greedy(5), &[])).await.unwrap_err(),
            Err(fault) => fault,
        };
        assert!([Code::BadRequest, Code::ModelBroken].contains(&fault.code), "{fault}");
    }
}

#[tokio::test]
async fn both_formats_answer_alike() {
    if engine() == EngineKind::Llama {
        println!("llama.cpp reads one format only");
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let mut texts = Vec::new();
    for format in ["gguf", "safetensors"] {
        let folder = tempfile::tempdir().unwrap();
        copy(folder.path(), format);
        let worker = Worker::spawn(spec(real_program(), folder.path(), scratch.path())).await.unwrap();
        texts.push(answer(&worker, asked("What is Lull?", greedy(150), &[])).await.unwrap().text());
    }
    assert_eq!(texts[0], texts[1]);
}
