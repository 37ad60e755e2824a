use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn demo() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../lull-models/demo"))
}

/// A folder with links to the demo model's files, in one of its two formats, except those that a test writes.
fn linked(format: &str, without: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let other = if format == "gguf" { ".safetensors" } else { ".gguf" };
    for name in names(&demo()).unwrap() {
        let left_out = name == "manifest.json" || name.ends_with(other) || without.contains(&name.as_str());
        if !left_out {
            fs::copy(demo().join(&name), folder.path().join(name)).unwrap();
        }
    }
    folder
}

fn read(name: &str) -> Value {
    serde_json::from_slice(&fs::read(demo().join(name)).unwrap()).unwrap()
}

/// What is said of the demo model with one file changed.
fn said(format: &str, name: &str, change: impl FnOnce(&mut Value)) -> String {
    let folder = linked(format, &[name]);
    let mut value = if demo().join(name).is_file() { read(name) } else { json!({}) };
    change(&mut value);
    fs::write(folder.path().join(name), value.to_string()).unwrap();
    super::folder(folder.path()).err().map_or_else(String::new, |fault| fault.message)
}

#[test]
fn the_demo_model_passes_in_both_formats() {
    for format in ["gguf", "safetensors"] {
        let checked = folder(linked(format, &[]).path()).unwrap();
        assert_eq!((checked.tokens.size, checked.tokens.added.len()), (1024, 3));
        assert_eq!(checked.chat.bos_token.as_deref(), Some("<|im_start|>"));
        assert!(checked.chat.template.contains("im_start"));
    }
}

#[test]
fn each_number_of_a_config_is_held_against_the_weights() {
    for (name, value, says) in [
        ("hidden_size", json!(161), "the shape"),
        ("hidden_size", json!(320), "the shape"),
        ("vocab_size", json!(1025), "the shape"),
        ("num_hidden_layers", json!(4), "fewer"),
        ("num_hidden_layers", json!(4_000_000_000_u64), "cannot be"),
        ("num_attention_heads", json!(0), "cannot be"),
        ("num_key_value_heads", json!(0), "cannot share"),
        ("num_key_value_heads", json!(2), "cannot share"),
        ("head_dim", json!(0), "head_dim"),
        ("head_dim", json!(31), "head_dim"),
        ("max_position_embeddings", json!(16_000_000), "more than this worker"),
        ("max_position_embeddings", json!("many"), "cannot be"),
        ("rms_norm_eps", json!(-1.0), "cannot be"),
        ("rope_theta", json!(0.0), "cannot be"),
        ("rope_scaling", json!({"type": "linear", "factor": 0.0}), "rope_scaling"),
        ("rope_scaling", json!({"type": "linear", "factor": {}}), "rope_scaling"),
        ("architectures", json!(["X"]), "\"X\" is not one"),
        ("architectures", json!(["LlamaForCausalLM", "MistralForCausalLM"]), "several"),
    ] {
        let said = said("safetensors", "config.json", |config| config[name] = value.clone());
        assert!(said.contains(says), "{name} = {value}: {said}");
    }
}

#[test]
fn a_tokeniser_is_whole_and_its_steps_are_bounded() {
    type Change = fn(&mut Value);
    let cases: &[(&str, Change)] = &[
        ("two of its tokens", |t| t["model"]["vocab"]["twice"] = json!(7)),
        ("no token has the id", |t| t["model"]["vocab"]["far"] = json!(2000)),
        ("needs a token", |t| t["model"]["merges"] = json!([["never", "there"]])),
        ("not a pair", |t| t["model"]["merges"] = json!([["one"]])),
        ("at random", |t| t["model"]["dropout"] = json!(0.5)),
        ("its kind \"WordLevel\"", |t| t["model"]["type"] = json!("WordLevel")),
        ("stands in it twice", |t| {
            let first = t["added_tokens"][0].clone();
            t["added_tokens"].as_array_mut().unwrap().push(first);
        }),
        ("truncation", |t| t["truncation"] = json!({"max_length": 5})),
        ("padding", |t| t["padding"] = json!({"strategy": {"Fixed": 1_000_000_000}})),
        ("times longer", |t| {
            let step = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
            t["normalizer"] = json!({"type": "Sequence", "normalizers": vec![step; 20]});
        }),
        ("more than 64 steps", |t| {
            t["normalizer"] = json!({"type": "Sequence", "normalizers": vec![json!({"type": "NFC"}); 100]});
        }),
        ("longer than 4 KiB", |t| {
            t["pre_tokenizer"] = json!({"type": "Split", "pattern": {"Regex": "a|".repeat(5000)}});
        }),
        ("a token that it does not have", |t| {
            t["post_processor"] = json!({"type": "TemplateProcessing", "special_tokens": {"x": {"ids": [5000]}}});
        }),
        ("is no byte", |t| {
            t["decoder"] = json!({"type": "ByteFallback"});
            t["model"]["vocab"]["<0xZZ>"] = json!(1024);
        }),
    ];
    for (says, change) in cases {
        let said = said("gguf", "tokenizer.json", change);
        assert!(said.contains(says), "{says}: {said}");
    }
}

#[test]
fn other_files_beside_a_model_are_looked_at_too() {
    let ends = |ids: Value| said("gguf", "generation_config.json", |config| config["eos_token_id"] = ids);
    assert_eq!(ends(json!([1, 2])), "");
    assert!(ends(json!(1024)).contains("not among the 1024 tokens"));
    let index = |map: Value| said("safetensors", "model.safetensors.index.json", |index| index["weight_map"] = map);
    assert_eq!(index(json!({"model.norm.weight": "model.safetensors"})), "");
    assert!(index(json!({"model.norm.weight": "model-00002-of-00002.safetensors"})).contains("is missing"));
    assert!(index(json!({"never": "model.safetensors"})).contains("not where it says"));
    assert!(said("safetensors", "pytorch_model.bin", |_| {}).contains("another kind"));
    assert!(said("safetensors", "params.json", |_| {}).contains("instead of config.json"));
}

#[cfg(unix)]
#[test]
fn nothing_in_a_folder_makes_its_reader_wait() {
    let folder = linked("gguf", &["tokenizer.json"]);
    let pipe = folder.path().join("tokenizer.json");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert!(super::folder(folder.path()).unwrap_err().message.contains("not an ordinary file"));
}

#[test]
fn tensors_fill_their_file_without_a_hole() {
    for (header, data, says) in [
        (json!({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}), 8, ""),
        (json!({"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}}), 16, "hole"),
        (json!({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}), 9, "belong to no tensor"),
        (json!({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}), 7, "does not fit"),
        (json!({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}), 8, "not as long"),
        (json!({"a": {"dtype": "F32", "shape": [u64::MAX, 2], "data_offsets": [0, 8]}}), 8, "impossible"),
        (json!({"a": {"dtype": "F4", "shape": [2], "data_offsets": [0, 8]}}), 8, "unknown type"),
        (json!({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}), 8, "where its data is"),
        (json!({"__metadata__": {"a": 1}}), 0, "metadata"),
        (json!({}), 0, "no tensors"),
        (json!([]), 0, "not a table"),
    ] {
        let said = safetensors::tensors(header.to_string().as_bytes(), data).err().unwrap_or_default();
        assert!(said.contains(says) && (said.is_empty() == says.is_empty()), "{header} with {data}: {said}");
    }
    let twice =
        br#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    assert!(safetensors::tensors(twice, 1).unwrap_err().contains("twice"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_header_of_tensors_gives_an_answer(
        harm in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let table = json!({"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {"x": "y"}});
        let mut header = table.to_string().into_bytes();
        for (at, byte) in harm {
            let at = at.index(header.len());
            header[at] = byte;
        }
        if let Err(said) = safetensors::tensors(&header, 24) {
            prop_assert!(said.len() < 400, "{}", said);
        }
    }
}
