//! `config.json` and `generation_config.json`: numbers in their ranges, and as large as the weights beside them really
//! are, because engines allocate and divide by them.

use std::path::Path;

use lull_types::Fault;
use serde_json::Value;

use super::{
    BLOCKS_MAX, HEADS_MAX, OTHER_WEIGHTS, ROPE_BYTES_MAX, WIDTH_MAX, broken, has, json,
    safetensors::{self, Shapes},
    shown,
};

/// Architectures that mistral.rs 0.8.1 loads from safetensors.
const ARCHITECTURES: [&str; 21] = [
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "MixtralForCausalLM",
    "GemmaForCausalLM",
    "Gemma2ForCausalLM",
    "PhiForCausalLM",
    "Phi3ForCausalLM",
    "PhiMoEForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
    "Qwen3MoeForCausalLM",
    "Qwen3NextForCausalLM",
    "Starcoder2ForCausalLM",
    "DeepseekV2ForCausalLM",
    "DeepseekV3ForCausalLM",
    "Glm4ForCausalLM",
    "Glm4MoeForCausalLM",
    "Glm4MoeLiteForCausalLM",
    "SmolLM3ForCausalLM",
    "GraniteMoeHybridForCausalLM",
    "GptOssForCausalLM",
];
/// Numbers that must be there and at least 1, with the most that is believed.
const SIZES: [(&str, u64); 6] = [
    ("hidden_size", WIDTH_MAX),
    ("num_hidden_layers", BLOCKS_MAX),
    ("num_attention_heads", HEADS_MAX),
    ("vocab_size", 4 << 20),
    ("max_position_embeddings", 16 << 20),
    ("intermediate_size", WIDTH_MAX * 8),
];
/// Whole numbers that may be there, with the most that is believed.
const MORE_SIZES: [(&str, u64); 14] = [
    ("num_key_value_heads", HEADS_MAX),
    ("head_dim", 1 << 12),
    ("sliding_window", 16 << 20),
    ("num_local_experts", 4096),
    ("num_experts", 4096),
    ("n_routed_experts", 4096),
    ("num_experts_per_tok", 4096),
    ("moe_intermediate_size", WIDTH_MAX * 8),
    ("q_lora_rank", WIDTH_MAX),
    ("kv_lora_rank", WIDTH_MAX),
    ("qk_rope_head_dim", 1 << 12),
    ("qk_nope_head_dim", 1 << 12),
    ("v_head_dim", 1 << 12),
    ("original_max_position_embeddings", 16 << 20),
];
/// Numbers with a fraction, with their ranges.
const REALS: [(&str, f64, f64); 4] = [
    ("rms_norm_eps", 0.0, 1.0),
    ("layer_norm_eps", 0.0, 1.0),
    ("rope_theta", 1.0, 1e12),
    ("partial_rotary_factor", 0.0, 1.0),
];
/// Numbers in the scaling of positions.
const SCALING_MAX: usize = 4096;
/// Tokens that may end an answer.
const ENDS_MAX: usize = 64;

/// Checks `config.json` against the weights; gives the rows of the token embedding.
pub(super) fn check(folder: &Path, names: &[String]) -> Result<u64, Fault> {
    let path = folder.join("config.json");
    let config = json::read(&path, json::SETTINGS)?;
    alone(&config).map_err(|what| broken(&path, what))?;
    if names.iter().any(|name| name.starts_with("adapter_model")) {
        return Err(broken(folder, "there is a LoRA adapter beside the weights; merge it or take it out"));
    }
    if let Some(name) = names.iter().find(|name| OTHER_WEIGHTS.iter().any(|end| name.ends_with(end))) {
        return Err(broken(
            &folder.join(name),
            "there are weights of another kind beside the safetensors; take them out",
        ));
    }
    if has(names, "params.json") {
        return Err(broken(
            &folder.join("params.json"),
            "mistral.rs would read it instead of config.json; take it out",
        ));
    }
    let shapes = safetensors::check(folder, names)?;
    weights(&config, &shapes).map_err(|what| broken(&path, what))
}

/// Checks what needs no weights.
pub(super) fn alone(config: &Value) -> Result<(), String> {
    if !config.is_object() {
        return Err("it is not a model's config.json".into());
    }
    architecture(config)?;
    sizes(config)?;
    scaling(config.get("rope_scaling"))
}

fn architecture(config: &Value) -> Result<(), String> {
    match config.get("architectures").and_then(Value::as_array).map(Vec::as_slice) {
        Some([Value::String(name)]) if ARCHITECTURES.contains(&name.as_str()) => Ok(()),
        Some([Value::String(name)]) if !name.is_empty() => {
            Err(format!("the architecture \"{}\" is not one that mistral.rs can run here", shown(name)))
        }
        Some([_, _, ..]) => Err("it names several architectures, and a model has one".into()),
        _ => Err("it names no architecture; it is not a model's config.json".into()),
    }
}

fn sizes(config: &Value) -> Result<(), String> {
    for (name, most) in SIZES.iter().chain(&MORE_SIZES) {
        let least = u64::from(SIZES.iter().any(|(needed, _)| needed == name));
        match config.get(*name) {
            None | Some(Value::Null) if least > 0 => return Err(format!("it lacks {name}")),
            None | Some(Value::Null) => {}
            Some(number) if number.as_u64().is_some_and(|number| (least..=*most).contains(&number)) => {}
            Some(_) => return Err(cannot_be(name)),
        }
    }
    for (name, least, most) in REALS {
        match config.get(name) {
            None | Some(Value::Null) => {}
            Some(number) if number.as_f64().is_some_and(|number| (least..=most).contains(&number)) => {}
            Some(_) => return Err(cannot_be(name)),
        }
    }
    let (heads, width) = (size(config, "num_attention_heads"), size(config, "hidden_size"));
    let kv_heads = config.get("num_key_value_heads").map_or(heads, |kv_heads| kv_heads.as_u64().unwrap_or(heads));
    if kv_heads == 0 || heads % kv_heads != 0 {
        return Err(format!("its {heads} heads cannot share {kv_heads} heads of keys and values"));
    }
    let head = match config.get("head_dim").and_then(Value::as_u64) {
        Some(head) => head,
        None if width.is_multiple_of(heads) => width / heads,
        None => return Err(format!("its hidden_size of {width} cannot be divided among {heads} heads")),
    };
    if head == 0 || head % 2 != 0 {
        return Err(cannot_be("head_dim"));
    }
    let context = size(config, "max_position_embeddings");
    if context * head * 4 > ROPE_BYTES_MAX {
        return Err(format!("a context of {context} tokens is more than this worker can prepare for"));
    }
    Ok(())
}

/// How positions beyond the trained ones are scaled: a table of numbers, names and lists of numbers.
fn scaling(scaling: Option<&Value>) -> Result<(), String> {
    let number = |value: &Value| value.as_f64().is_some_and(|number| (0.0..1e12).contains(&number));
    let fits = |value: &Value| match value {
        Value::String(_) | Value::Bool(_) | Value::Null => true,
        Value::Array(list) => list.len() <= SCALING_MAX && list.iter().all(number),
        value => number(value),
    };
    match scaling {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(table)) if table.get("factor").is_some_and(|factor| factor.as_f64() == Some(0.0)) => {
            Err(cannot_be("rope_scaling"))
        }
        Some(Value::Object(table)) if table.values().all(fits) => Ok(()),
        Some(_) => Err(cannot_be("rope_scaling")),
    }
}

/// Whether what the config names is in the weights.
fn weights(config: &Value, shapes: &Shapes) -> Result<u64, String> {
    let (rows, width) = (size(config, "vocab_size"), size(config, "hidden_size"));
    let Some((name, shape)) = shapes.iter().find(|(name, _)| name.ends_with("embed_tokens.weight")) else {
        return Err("the weights beside it hold no token embedding; they are not a language model's".into());
    };
    // Packed weights have other shapes.
    if shape.as_slice() != [rows, width] && config.get("quantization_config").is_none() {
        return Err(format!("tensor {name} has the shape {shape:?}, and its sizes make it [{rows}, {width}]"));
    }
    let layers = size(config, "num_hidden_layers");
    let last = format!(".layers.{}.", layers - 1);
    if !shapes.keys().any(|name| name.contains(&last)) {
        return Err(format!("it names {layers} layers, and the weights beside it hold fewer"));
    }
    Ok(rows)
}

/// Checks `generation_config.json`, where there is one.
pub(super) fn check_generation(folder: &Path, names: &[String], tokens: u32) -> Result<(), Fault> {
    if !has(names, "generation_config.json") {
        return Ok(());
    }
    let path = folder.join("generation_config.json");
    let config = json::read(&path, json::SETTINGS)?;
    for name in ["bos_token_id", "eos_token_id"] {
        let id = |id: &Value| id.as_u64().is_some_and(|id| id < tokens.into());
        let fits = match config.get(name) {
            None | Some(Value::Null) => true,
            Some(Value::Array(ids)) => ids.len() <= ENDS_MAX && ids.iter().all(id),
            Some(one) => id(one),
        };
        if !fits {
            return Err(broken(&path, format!("its {name} is not among the {tokens} tokens of tokenizer.json")));
        }
    }
    Ok(())
}

fn size(config: &Value, name: &str) -> u64 {
    config.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn cannot_be(name: &str) -> String {
    format!("its {name} has a value that cannot be")
}
