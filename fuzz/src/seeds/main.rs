//! Writes the first inputs of every target, from the released frames and the tests' own model files:
//! `cargo run --example seeds -- corpus` in this folder. What long runs add lies beside them.

#[allow(dead_code, unreachable_pub, reason = "a part of the tests' model files is needed here")]
#[path = "../../../crates/lull-models/tests/support/mod.rs"]
mod support;

mod json;
mod wire;

use std::{fs, path::PathBuf};

/// Where the corpora lie.
struct Corpora(PathBuf);

impl Corpora {
    /// Adds an input to a target's corpus.
    fn add(&self, target: &str, name: &str, bytes: impl AsRef<[u8]>) {
        let folder = self.0.join(target);
        fs::create_dir_all(&folder).expect("the corpus can be written");
        fs::write(folder.join(format!("seed-{name}")), bytes).expect("the corpus can be written");
    }
}

/// Several inputs in one, as `lull_fuzz::parts` reads them.
fn joined(parts: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, part) in parts {
        bytes.push(*number);
        bytes.extend(u16::try_from(part.len()).expect("a short part").to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

fn main() {
    let folder = std::env::args_os().nth(1).expect("say where: seeds FOLDER");
    let corpora = Corpora(folder.into());
    wire::write(&corpora);
    json::write(&corpora);
    models(&corpora);
    seal(&corpora);
    templates(&corpora);
    order(&corpora);
}

const CONFIG: &[u8] = include_bytes!("config.json");
const TOKENIZER: &[u8] = include_bytes!("tokenizer.json");
const TOKENIZER_CONFIG: &[u8] = include_bytes!("tokenizer_config.json");
const SAFETENSORS: &[u8] = include_bytes!("model.safetensors");

/// A folder that the worker's check must accept, so that what is made from it goes deep.
fn accepted(files: &[(&str, &[u8])]) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("the folder can be written");
    }
    if let Err(fault) = lull_engine::check::folder(folder.path()) {
        panic!("a sound folder is refused: {fault}");
    }
}

/// A whole network of one block, each number in two bytes: what the worker's check wants to see.
fn whole_gguf() -> Vec<u8> {
    let tensors: [(&'static str, &[u64]); 11] = [
        ("token_embd.weight", &[8, 5]),
        ("output_norm.weight", &[8]),
        ("blk.0.attn_norm.weight", &[8]),
        ("blk.0.attn_q.weight", &[8, 8]),
        ("blk.0.attn_k.weight", &[8, 4]),
        ("blk.0.attn_v.weight", &[8, 4]),
        ("blk.0.attn_output.weight", &[8, 8]),
        ("blk.0.ffn_norm.weight", &[8]),
        ("blk.0.ffn_gate.weight", &[8, 8]),
        ("blk.0.ffn_up.weight", &[8, 8]),
        ("blk.0.ffn_down.weight", &[8, 8]),
    ];
    let size = |name: &str, size| support::number(&format!("llama.{name}"), size);
    let mut gguf = support::Gguf {
        entries: vec![
            support::entry("general.architecture", 8, &support::text("llama")),
            size("embedding_length", 8),
            size("block_count", 1),
            size("attention.head_count", 2),
            size("attention.head_count_kv", 1),
            size("rope.dimension_count", 4),
            size("context_length", 64),
            support::entry("llama.attention.layer_norm_rms_epsilon", 6, &1e-5_f32.to_le_bytes()),
        ],
        tensors: Vec::new(),
        data_bytes: 0,
        ..support::Gguf::default()
    };
    for (name, shape) in tensors {
        let offset = gguf.data_bytes as u64;
        gguf.tensors.push(support::Tensor { name, dimensions: shape.to_vec(), kind: 1, offset });
        gguf.data_bytes += (shape.iter().product::<u64>() as usize * 2).next_multiple_of(32);
    }
    gguf.bytes()
}

fn models(corpora: &Corpora) {
    let side = [("tokenizer.json", TOKENIZER), ("tokenizer_config.json", TOKENIZER_CONFIG)];
    accepted(&[side.as_slice(), &[("config.json", CONFIG), ("model.safetensors", SAFETENSORS)]].concat());
    accepted(&[side.as_slice(), &[("m.gguf", &whole_gguf())]].concat());
    let gguf = support::Gguf::default();
    let sound = gguf.bytes();
    corpora.add("model_gguf", "sound", &sound);
    corpora.add("model_gguf", "whole", whole_gguf());
    corpora.add("model_gguf", "aligned", {
        let mut gguf = gguf.clone();
        gguf.entries.push(support::number("general.alignment", 64));
        gguf.tensors[1].offset = 320;
        gguf.data_bytes += 64;
        gguf.bytes()
    });
    corpora.add("model_gguf", "lists", {
        let mut gguf = gguf.clone();
        let list = [&4_u32.to_le_bytes()[..], &2_u64.to_le_bytes(), &[0; 8]].concat();
        gguf.entries.push(support::entry("x", 9, &list));
        gguf.entries.push(support::entry("y", 7, &[1]));
        gguf.entries.push(support::entry("z", 12, &[0; 8]));
        gguf.bytes()
    });
    let header = support::SAFETENSORS_HEADER;
    corpora.add("model_safetensors", "sound", support::safetensors(header, 96));
    corpora.add("model_safetensors", "larger", SAFETENSORS);
    corpora.add("model_tokenizer", "sound", TOKENIZER);
    corpora.add("model_tokenizer", "config", CONFIG);
    corpora.add("model_tokenizer", "bpe", support::TOKENIZER);
    let unigram = br#"{"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-1.5],["</s>",-2]]},
        "decoder":{"type":"Metaspace","replacement":"_","prepend_scheme":"always"}}"#;
    corpora.add("model_tokenizer", "unigram", unigram);
    corpora.add("model_tokenizer", "parts", include_bytes!("tokenizer_parts.json"));
    corpora.add("model_tokenizer", "words", include_bytes!("tokenizer_words.json"));
    let side: [(u8, &[u8]); 3] = [(0, CONFIG), (1, TOKENIZER), (2, TOKENIZER_CONFIG)];
    let safetensors = [side.as_slice(), &[(4, SAFETENSORS)]].concat();
    corpora.add("model_folder", "safetensors", joined(&safetensors));
    let manifest = br#"{"name":"m","format":"safetensors"}"#;
    corpora.add("model_folder", "manifest", joined(&[safetensors.as_slice(), &[(3, manifest)]].concat()));
    let index = br#"{"weight_map":{"model.norm.weight":"model.safetensors"}}"#;
    let others: [(u8, &[u8]); 4] = [(6, b"{{ messages }}"), (7, b"{}"), (8, b"{}"), (9, index)];
    corpora.add("model_folder", "index", joined(&[safetensors.as_slice(), &others].concat()));
    corpora.add("model_folder", "adapter", joined(&[safetensors.as_slice(), &[(10, SAFETENSORS)]].concat()));
    corpora.add("model_folder", "gguf", joined(&[(1, TOKENIZER), (2, TOKENIZER_CONFIG), (5, &whole_gguf())]));
    let hash = "00".repeat(32);
    let manifest = format!(
        r#"{{"name":"lull-demo","format":"gguf","architecture":"llama","parameters":7,"context":128,"license":"MIT",
        "files":[{{"path":"a.gguf","bytes":3,"blake3":"{hash}"}},{{"path":"b.json","bytes":2,"blake3":"{hash}"}}]}}"#
    );
    corpora.add("model_manifest", "sound", manifest);
    corpora.add("model_manifest", "name", "qwen2.5-7b");
    corpora.add("model_manifest", "path", "/models/Qwen 2.5 (7B).gguf");
}

fn seal(corpora: &Corpora) {
    corpora.add("seal", "raw", [&[0][..], &[7; 96]].concat());
    corpora.add("seal", "flip", [1, 0, 40, 0, 1]);
    corpora.add("seal", "cut", [1, 1, 40, 0]);
    corpora.add("seal", "grow", [1, 2, 40, 0, 1, 2]);
    corpora.add("seal", "in-order", [2, 0, 0, 1, 0, 2, 0, 3, 0, 3, 0]);
    corpora.add("seal", "replayed", [2, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 2, 0]);
    corpora.add("seal", "changed", [2, 0, 0, 1, 9, 1, 0, 2, 1]);
    let mut padded = vec![0; 65];
    padded[..5].copy_from_slice(&[3, 5, 0, 0, 0]);
    corpora.add("seal", "padded", padded);
}

/// Six bytes make a frame; see the target.
fn order(corpora: &Corpora) {
    let (accepted, prefilled) = ([0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]);
    let (token, done) = ([2, 0, 0, 0, 9, 0], [5, 0, 0, 0, 0, 0]);
    let sound = [accepted, prefilled, token, token, done].concat();
    for (kind, name) in [(0, "plain"), (2, "prefix"), (4, "logprobs"), (11, "top")] {
        corpora.add("pipe_order", name, [&[kind], sound.as_slice()].concat());
    }
    let likely = [2, 0, 0, 0, 9, 1];
    corpora.add(
        "pipe_order",
        "likely",
        [&[4], [accepted, prefilled, likely, likely, done].concat().as_slice()].concat(),
    );
    corpora.add("pipe_order", "cancelled", [&[0], [accepted, [6, 0, 0, 0, 0, 0]].concat().as_slice()].concat());
    corpora.add("pipe_order", "failed", [&[0], [accepted, [7, 0, 0, 3, 0, 0]].concat().as_slice()].concat());
}

/// The templates of the tests, which are those of known models.
fn templates(corpora: &Corpora) {
    for entry in fs::read_dir("../crates/lull-engine/tests/templates").expect("run it in the folder fuzz") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        corpora.add("template", &name, fs::read(&path).expect("a template"));
    }
    for (name, text) in [
        ("loops", "{% for m in messages %}{% for n in range(m.content|length) %}{{ n }}{% endfor %}{% endfor %}"),
        ("macro", "{% macro f(x) %}{% if x %}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(5) }}"),
        (
            "grows",
            "{% set ns = namespace(x='a') %}{% for i in range(9) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
        ),
        ("refuses", "{{ raise_exception('no ' + messages[1].content) }}"),
        (
            "filters",
            "{{ messages|map(attribute='role')|unique|sort|join(',')|upper|replace('A','B')|indent(4)|tojson }}",
        ),
        ("methods", "{{ 'a b'.split(' ')[::-1]|list }}{{ 'x'.strip().startswith('x') }}{{ strftime_now('%Y') }}"),
    ] {
        corpora.add("template", name, text);
    }
}
