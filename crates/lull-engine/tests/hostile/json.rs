//! `tokenizer.json`, `config.json` and the small files beside them.

use serde_json::{Value, json};

use crate::corpus::{Case, Dice, Expect, original};

type Change = fn(&mut Value);

fn changed(format: &'static str, file: &'static str, changes: &[(&str, Change)]) -> Vec<Case> {
    let good: Value = serde_json::from_slice(&original(file)).unwrap();
    let each = |(name, change): &(&str, Change)| {
        let mut value = good.clone();
        change(&mut value);
        Case::file(format!("{file}: {name}"), format, file, value.to_string().into_bytes())
    };
    changes.iter().map(each).collect()
}

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = changed("gguf", "tokenizer.json", VOCABULARIES);
    cases.extend(changed("gguf", "tokenizer.json", STEPS));
    cases.extend(changed("safetensors", "config.json", CONFIGS));
    cases.extend(changed("gguf", "tokenizer_config.json", TOKENIZER_CONFIGS));
    let unused = changed("safetensors", "config.json", UNUSED).into_iter();
    cases.extend(unused.map(|case| Case { expect: Expect::Anything, ..case }));
    cases.extend(beside());
    cases.extend(texts());
    cases.extend(expressions());
    let mut dice = Dice::new(6);
    for (format, file) in
        [("gguf", "tokenizer.json"), ("safetensors", "config.json"), ("gguf", "tokenizer_config.json")]
    {
        let bytes = original(file);
        for number in 0..15 {
            let case = Case::file(format!("{file}: bytes changed {number}"), format, file, dice.shuffle(&bytes));
            cases.push(Case { expect: Expect::Anything, ..case });
        }
    }
    cases
}

const VOCABULARIES: &[(&str, Change)] = &[
    ("no model", |t| t["model"] = Value::Null),
    ("a model that is a text", |t| t["model"] = json!("BPE")),
    ("kind X", |t| t["model"]["type"] = json!("X")),
    ("kind WordLevel", |t| t["model"]["type"] = json!("WordLevel")),
    ("kind WordPiece", |t| t["model"]["type"] = json!("WordPiece")),
    ("kind Unigram with a table", |t| t["model"]["type"] = json!("Unigram")),
    ("a Unigram without scores", |t| t["model"] = json!({"type": "Unigram", "vocab": [["a"], ["b"]]})),
    ("a Unigram with an unknown token far away", |t| {
        t["model"] = json!({"type": "Unigram", "unk_id": 1_000_000, "vocab": [["a", 0.0], ["<|im_end|>", 0.0]]});
    }),
    ("no vocabulary", |t| t["model"]["vocab"] = json!({})),
    ("a vocabulary that is a list", |t| t["model"]["vocab"] = json!([1, 2])),
    ("a negative id", |t| t["model"]["vocab"]["x"] = json!(-1)),
    ("half an id", |t| t["model"]["vocab"]["x"] = json!(0.5)),
    ("an id that is a text", |t| t["model"]["vocab"]["x"] = json!("7")),
    ("an id twice", |t| t["model"]["vocab"]["x"] = json!(100)),
    ("an id of four billion", |t| t["model"]["vocab"]["x"] = json!(u32::MAX)),
    ("an id beyond 64 bits", |t| t["model"]["vocab"]["x"] = json!(1e30)),
    ("a gap of a million", |t| t["model"]["vocab"]["x"] = json!(1_000_000)),
    ("one token more than the weights", |t| t["model"]["vocab"]["x"] = json!(1024)),
    ("a token of a megabyte", |t| t["model"]["vocab"][&"x".repeat(1 << 20)] = json!(1024)),
    ("merges that are a table", |t| t["model"]["merges"] = json!({})),
    ("a merge of one", |t| t["model"]["merges"] = json!([["a"]])),
    ("a merge of three", |t| t["model"]["merges"] = json!([["a", "b", "c"]])),
    ("a merge of numbers", |t| t["model"]["merges"] = json!([[1, 2]])),
    ("a merge of what is not there", |t| t["model"]["merges"] = json!([["zzzz", "yyyy"]])),
    ("a merge to what is not there", |t| t["model"]["merges"] = json!([["!", "!!"]])),
    ("a prefix longer than tokens", |t| t["model"]["continuing_subword_prefix"] = json!("xxxxxxxxxxxxxxxxxxxxxxx")),
    ("merges left out at random", |t| t["model"]["dropout"] = json!(0.9)),
    ("added tokens that are a table", |t| t["added_tokens"] = json!({"a": 1})),
    ("an added token without text", |t| t["added_tokens"][0]["content"] = Value::Null),
    ("an added token of no text", |t| t["added_tokens"][0]["content"] = json!("")),
    ("an added token without id", |t| t["added_tokens"][0]["id"] = Value::Null),
    ("an added token far away", |t| t["added_tokens"][0]["id"] = json!(4_000_000_000_u64)),
    ("an added token with another's id", |t| t["added_tokens"][0]["id"] = json!(500)),
    ("two added tokens alike", |t| t["added_tokens"][1] = t["added_tokens"][0].clone()),
    ("a hundred thousand added tokens", |t| {
        let list = (0..100_000).map(|n| json!({"id": 1024 + n, "content": format!("<{n}>"), "special": true}));
        t["added_tokens"] = list.collect();
    }),
];

const STEPS: &[(&str, Change)] = &[
    ("no decoder", |t| t["decoder"] = Value::Null),
    ("an unknown decoder", |t| t["decoder"] = json!({"type": "X"})),
    ("a decoder without type", |t| t["decoder"] = json!({"decoders": 7})),
    ("decoders in decoders", |t| t["decoder"] = deep("Sequence", "decoders", 10)),
    ("a thousand decoders", |t| {
        t["decoder"] = json!({"type": "Sequence", "decoders": vec![json!({"type": "ByteLevel"}); 1000]})
    }),
    ("bytes that are none", |t| {
        t["decoder"] = json!({"type": "ByteFallback"});
        let vocab = t["model"]["vocab"].as_object_mut().unwrap();
        let id = vocab.remove("ast").or_else(|| vocab.remove("Ġdesktop")).unwrap();
        vocab.insert("<0xZZ>".into(), id);
        t["model"]["merges"] = json!([]);
    }),
    ("an unknown normalizer", |t| t["normalizer"] = json!({"type": "X"})),
    ("a normalizer that is a number", |t| t["normalizer"] = json!(7)),
    ("a normalizer that makes everything longer", |t| {
        let step = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
        t["normalizer"] = json!({"type": "Sequence", "normalizers": vec![step; 60]});
    }),
    ("a replacement of a megabyte", |t| {
        t["normalizer"] = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "a".repeat(1 << 20)});
    }),
    ("a table of characters that is none", |t| {
        t["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"});
    }),
    ("a table of characters of four megabytes", |t| {
        t["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": "A".repeat(4 << 20)});
    }),
    ("a splitter without pattern", |t| t["pre_tokenizer"] = json!({"type": "Split"})),
    ("an expression that is none", |t| {
        t["pre_tokenizer"] =
            json!({"type": "Split", "pattern": {"Regex": "(((("}, "behavior": "Isolated", "invert": false});
    }),
    ("an expression of a megabyte", |t| {
        let long = "a|".repeat(1 << 19);
        t["pre_tokenizer"] =
            json!({"type": "Split", "pattern": {"Regex": long}, "behavior": "Isolated", "invert": false});
    }),
    ("an expression that grows when it is read", |t| {
        t["pre_tokenizer"] = json!({"type": "Split", "pattern": {"Regex": "((a{900}){900}){900}"}, "behavior": "Isolated", "invert": false});
    }),
    ("truncation to five tokens", |t| {
        t["truncation"] = json!({"max_length": 5, "strategy": "LongestFirst", "stride": 0, "direction": "Right"});
    }),
    ("truncation to less than nothing", |t| {
        t["truncation"] = json!({"max_length": 1, "strategy": "LongestFirst", "stride": 5, "direction": "Right"});
    }),
    ("a billion tokens of padding", |t| {
        t["padding"] = json!({"strategy": {"Fixed": 1_000_000_000}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "x"});
    }),
    ("padding to multiples of nothing", |t| {
        t["padding"] = json!({"strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": 0,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "x"});
    }),
    ("a post-processor with tokens that are not there", |t| {
        t["post_processor"] = json!({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}],
            "pair": [], "special_tokens": {"x": {"id": "x", "ids": [70_000], "tokens": ["x"]}}});
    }),
    ("a post-processor with many tokens", |t| {
        let ids = vec![1; 100_000];
        t["post_processor"] = json!({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}],
            "pair": [], "special_tokens": {"x": {"id": "x", "ids": ids, "tokens": vec!["x"; 100_000]}}});
    }),
    ("an unknown post-processor", |t| t["post_processor"] = json!({"type": "X"})),
];

fn deep(kind: &str, list: &str, depth: usize) -> Value {
    (0..depth).fold(json!({"type": "X"}), |inner, _| json!({"type": kind, list: [inner]}))
}

const CONFIGS: &[(&str, Change)] = &[
    ("no architecture", |c| c["architectures"] = Value::Null),
    ("an architecture that is a text", |c| c["architectures"] = json!("LlamaForCausalLM")),
    ("an unknown architecture", |c| c["architectures"] = json!(["EvilForCausalLM"])),
    ("another architecture", |c| c["architectures"] = json!(["DeepseekV3ForCausalLM"])),
    ("a third architecture", |c| c["architectures"] = json!(["GptOssForCausalLM"])),
    ("a fourth architecture", |c| c["architectures"] = json!(["Qwen3NextForCausalLM"])),
    ("a fifth architecture", |c| c["architectures"] = json!(["GraniteMoeHybridForCausalLM"])),
    ("two architectures", |c| c["architectures"] = json!(["LlamaForCausalLM", "GemmaForCausalLM"])),
    ("no width", |c| c["hidden_size"] = Value::Null),
    ("no width at all", |c| c["hidden_size"] = json!(0)),
    ("a width of four billion", |c| c["hidden_size"] = json!(u32::MAX)),
    ("a width beyond 64 bits", |c| c["hidden_size"] = json!(1e300)),
    ("a negative width", |c| c["hidden_size"] = json!(-160)),
    ("a width of text", |c| c["hidden_size"] = json!("160")),
    ("another width", |c| c["hidden_size"] = json!(320)),
    ("no layers", |c| c["num_hidden_layers"] = json!(0)),
    ("a layer too many", |c| c["num_hidden_layers"] = json!(4)),
    ("a billion layers", |c| c["num_hidden_layers"] = json!(1_000_000_000)),
    ("no heads", |c| c["num_attention_heads"] = json!(0)),
    ("a billion heads", |c| c["num_attention_heads"] = json!(1_000_000_000)),
    ("three heads", |c| c["num_attention_heads"] = json!(3)),
    ("no heads of keys", |c| c["num_key_value_heads"] = json!(0)),
    ("more heads of keys than heads", |c| c["num_key_value_heads"] = json!(10)),
    ("two heads of keys", |c| c["num_key_value_heads"] = json!(2)),
    ("an odd head", |c| {
        c["num_attention_heads"] = json!(32);
        c["num_key_value_heads"] = json!(32);
        c["head_dim"] = json!(5);
    }),
    ("no head", |c| c["head_dim"] = json!(0)),
    ("another vocabulary", |c| c["vocab_size"] = json!(2048)),
    ("a vocabulary of four billion", |c| c["vocab_size"] = json!(u32::MAX)),
    ("no context", |c| c["max_position_embeddings"] = json!(0)),
    ("a context of sixteen million", |c| c["max_position_embeddings"] = json!(16 << 20)),
    ("a context of four billion", |c| c["max_position_embeddings"] = json!(u32::MAX)),
    ("another inner width", |c| c["intermediate_size"] = json!(96)),
    ("an inner width of four billion", |c| c["intermediate_size"] = json!(u32::MAX)),
    ("a negative epsilon", |c| c["rms_norm_eps"] = json!(-1.0)),
    ("an epsilon of text", |c| c["rms_norm_eps"] = json!("small")),
    ("no theta", |c| c["rope_theta"] = json!(0)),
    ("an infinite theta", |c| c["rope_theta"] = json!(1e300)),
    ("a scaling that is a number", |c| c["rope_scaling"] = json!(7)),
    ("a scaling by nothing", |c| {
        c["rope_scaling"] = json!({"rope_type": "llama3", "factor": 0.0, "low_freq_factor": 0.0, "high_freq_factor": 0.0,
            "original_max_position_embeddings": 0});
    }),
    ("a negative scaling", |c| c["rope_scaling"] = json!({"rope_type": "linear", "factor": -8.0})),
    ("a scaling of an unknown kind", |c| c["rope_scaling"] = json!({"rope_type": "evil", "factor": 8.0})),
    ("an unknown activation", |c| c["hidden_act"] = json!("evil")),
    ("an unknown quantisation", |c| c["quantization_config"] = json!({"quant_method": "evil", "bits": 0})),
];

/// Those that mistral.rs may not even look at.
const UNUSED: &[(&str, Change)] = &[
    ("a quantisation to no bits", |c| {
        c["quantization_config"] = json!({"quant_method": "gptq", "bits": 0, "group_size": 0})
    }),
    ("a quantisation by groups of nothing", |c| {
        c["quantization_config"] =
            json!({"quant_method": "gptq", "bits": 4, "group_size": 0, "checkpoint_format": null});
    }),
];

const TOKENIZER_CONFIGS: &[(&str, Change)] = &[
    ("no template", |c| c["chat_template"] = Value::Null),
    ("an empty template", |c| c["chat_template"] = json!("")),
    ("a template of spaces", |c| c["chat_template"] = json!("  \n ")),
    ("a template that is a number", |c| c["chat_template"] = json!(7)),
    ("a template of a megabyte", |c| c["chat_template"] = json!("x".repeat(1 << 20))),
    ("a list of templates without one", |c| c["chat_template"] = json!([])),
    ("a list of numbers", |c| c["chat_template"] = json!([1, 2])),
    ("a list of half templates", |c| c["chat_template"] = json!([{"name": "default"}])),
    ("a list with a list", |c| c["chat_template"] = json!([{"name": "default", "template": ["x"]}])),
    ("no end", |c| c["eos_token"] = Value::Null),
    ("an end that is a number", |c| c["eos_token"] = json!(2)),
    ("an end that is not there", |c| c["eos_token"] = json!("<|never|>")),
    ("an end without text", |c| c["eos_token"] = json!({"id": 2})),
    ("a beginning that is a list", |c| c["bos_token"] = json!(["x"])),
    ("an unknown that is a table", |c| c["unk_token"] = json!({"x": {}})),
    ("a length that is a text", |c| c["model_max_length"] = json!("long")),
];

/// Files that the demo model does not have.
fn beside() -> Vec<Case> {
    let mut cases = Vec::new();
    for (file, texts) in [
        (
            "generation_config.json",
            &[
                "{\"eos_token_id\":1024}",
                "{\"eos_token_id\":[2,4294967295]}",
                "{\"bos_token_id\":-1}",
                "{\"eos_token_id\":\"2\"}",
                "[",
                "{\"eos_token_id\":1,\"eos_token_id\":2}",
            ][..],
        ),
        ("chat_template.jinja", &["", "{% for"]),
        ("processor_config.json", &["[", "{\"chat_template\":7}"]),
        ("manifest.json", &["[1]", "{\"format\":\"onnx\"}", "{\"format\":7}", "{", "\"gguf\""]),
        ("b.gguf", &["GGUF"]),
    ] {
        for text in texts {
            cases.push(Case::file(format!("{file}: {text:.40?}"), "gguf", file, text.as_bytes().to_vec()));
        }
    }
    cases
}

/// Files that are no such JSON at all.
fn texts() -> Vec<Case> {
    let mut cases = Vec::new();
    for (format, file) in
        [("gguf", "tokenizer.json"), ("safetensors", "config.json"), ("gguf", "tokenizer_config.json")]
    {
        let good = original(file);
        let good = good.trim_ascii_end();
        let again = [&b"{\"model\":1,"[..], &good[1..good.len() - 1], b",\"model\":2}"].concat();
        for (name, bytes) in [
            ("nothing", vec![]),
            ("a web page", b"<!DOCTYPE html><html>".to_vec()),
            ("zeros", vec![0; 4096]),
            ("null", b"null".to_vec()),
            ("a list", b"[]".to_vec()),
            ("cut off", good[..good.len() / 2].to_vec()),
            ("without its last byte", good[..good.len() - 1].to_vec()),
            ("more at its end", [good, b"}"].concat()),
            ("not UTF-8", [b"{\"\xff\xfe\":1,".to_vec(), good[1..].to_vec()].concat()),
            ("lists a million deep", vec![b'['; 1 << 20]),
            ("a key twice", again),
            ("nine megabytes of empty lists", [&b"{\"x\":[[]"[..], &b",[]".repeat(3 << 20), b"]}"].concat()),
        ] {
            cases.push(Case::file(format!("{file}: {name}"), format, file, bytes));
        }
    }
    cases
}

/// Regular expressions on which engines that go back and try again take for ever. They are bounded in number and
/// length, and that of the engine's steps; whether an answer comes of it is not the point.
fn expressions() -> Vec<Case> {
    let good: Value = serde_json::from_slice(&original("tokenizer.json")).unwrap();
    let with = |name: &str, step: Value, field: &str, letters: usize| {
        let mut value = good.clone();
        value[field] = step;
        let case = Case::file(format!("expression {name}"), "gguf", "tokenizer.json", value.to_string().into_bytes());
        Case { expect: Expect::Slow, letters, ..case }
    };
    let split =
        |regex: &str| json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false});
    let replace = |regex: &str| json!({"type": "Replace", "pattern": {"Regex": regex}, "content": "b"});
    let mut cases = Vec::new();
    for (regex, letters) in [
        ("(a+)+$", 300),
        ("(?=(a+))\\1b", 300),
        ("(?:(?=a)a+)+c", 300),
        ("((?=a)a*)*c", 300),
        ("(?<!b)(?:a|a|aa)+c", 300),
        ("(.*)(?=.*)(.*)\\1\\1x", 300),
        ("(a?){50}(?=a{50})a{50}z", 300),
        ("(?:a(?!b)){1,1000}(?:a(?!b)){1,1000}x", 300),
        // Each letter a match, after nearly as many steps as the engine allows: the one known way to make a worker
        // hang. The node's clock ends it.
        ("a(?!(?:(?=a)a)*(?:(?=a)a)*b)", 1300),
    ] {
        cases.push(with(regex, split(regex), "pre_tokenizer", letters));
        cases.push(with(&format!("{regex} to replace"), replace(regex), "normalizer", letters));
    }
    cases
}
