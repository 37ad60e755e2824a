//! The model's files: written as engines expect them, and read back for the check.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use candle_core::quantized::gguf_file::{self, Value as Meta};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use serde_json::{Value, json};

use super::net::{EMBEDDING, FINAL_NORM, Net, Shape, Weight};
use super::ops::Pairs;
use super::tokens::{Codec, END, PAD, START, TEMPLATE};

/// The quantised model.
pub(crate) const GGUF: &str = "lull-demo.Q8_0.gguf";
/// The weights in half precision.
pub(crate) const SAFETENSORS: &str = "model.safetensors";
/// The files that make up the model, as the manifest lists them.
pub(crate) const MODEL_FILES: [&str; 5] = [GGUF, "tokenizer.json", "tokenizer_config.json", "config.json", SAFETENSORS];

/// Writes everything in [`MODEL_FILES`] to `dir`.
pub(crate) fn write(dir: &Path, shape: &Shape, codec: &Codec, weights: &[(String, Tensor)]) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    write_json(&dir.join("config.json"), &config(shape))?;
    write_json(&dir.join("tokenizer_config.json"), &tokenizer_config(shape))?;
    std::fs::write(dir.join("tokenizer.json"), codec.to_json()? + "\n")?;
    let half: HashMap<String, Tensor> =
        weights.iter().map(|(name, tensor)| Ok((name.clone(), tensor.to_dtype(DType::F16)?))).collect::<Result<_>>()?;
    save_safetensors(&half, &dir.join(SAFETENSORS))?;
    write_gguf(&dir.join(GGUF), shape, codec, weights)
}

/// candle lets only the owner read what it saves; a copy has the usual rights.
fn save_safetensors(tensors: &HashMap<String, Tensor>, path: &Path) -> Result<()> {
    let draft = path.with_extension("draft");
    candle_core::safetensors::save(tensors, &draft)?;
    let _ = std::fs::remove_file(path);
    std::fs::write(path, std::fs::read(&draft)?)?;
    Ok(std::fs::remove_file(draft)?)
}

/// Writes `value` in lines.
pub(crate) fn write_json(path: &Path, value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads a JSON file.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", path.display()))
}

fn config(shape: &Shape) -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.head(),
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        "attention_bias": false,
        "mlp_bias": false,
        "tie_word_embeddings": true,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "float16",
    })
}

fn tokenizer_config(shape: &Shape) -> Value {
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": START,
        "eos_token": END,
        "pad_token": PAD,
        "add_bos_token": false,
        "add_eos_token": false,
        "clean_up_tokenization_spaces": false,
        "model_max_length": shape.context,
        "chat_template": TEMPLATE,
    })
}

/// A weight's name in GGUF files.
fn gguf_name(name: &str) -> String {
    match name {
        EMBEDDING => "token_embd.weight".to_owned(),
        FINAL_NORM => "output_norm.weight".to_owned(),
        _ => name
            .replace("model.layers.", "blk.")
            .replace("input_layernorm", "attn_norm")
            .replace("self_attn.o_proj", "attn_output")
            .replace("self_attn.", "attn_")
            .replace("post_attention_layernorm", "ffn_norm")
            .replace("mlp.", "ffn_")
            .replace("_proj", ""),
    }
}

/// Reorders the rows of each head from [`Pairs::Halves`] to [`Pairs::Neighbours`].
fn neighbours(weight: &Tensor, heads: usize) -> Result<Tensor> {
    let (rows, columns) = weight.dims2()?;
    let halves = weight.reshape((heads, 2, rows / heads / 2, columns))?;
    Ok(halves.transpose(1, 2)?.contiguous()?.reshape((rows, columns))?)
}

fn write_gguf(path: &Path, shape: &Shape, codec: &Codec, weights: &[(String, Tensor)]) -> Result<()> {
    let mut tensors = Vec::new();
    for (name, tensor) in weights {
        let turned = name.contains("q_proj") || name.contains("k_proj");
        let tensor = if turned { neighbours(tensor, shape.heads)? } else { tensor.clone() };
        let kind = if tensor.rank() == 1 { GgmlDType::F32 } else { GgmlDType::Q8_0 };
        tensors.push((gguf_name(name), QTensor::quantize(&tensor, kind)?));
    }
    let metadata = gguf_metadata(shape, codec)?;
    let metadata: Vec<(&str, &Meta)> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, t)| (name.as_str(), t)).collect();
    let mut file = BufWriter::new(File::create(path)?);
    gguf_file::write(&mut file, &metadata, &tensors)?;
    Ok(file.flush()?)
}

fn gguf_metadata(shape: &Shape, codec: &Codec) -> Result<Vec<(&'static str, Meta)>> {
    let number = |n: usize| Meta::U32(n as u32);
    let text = |s: &str| Meta::String(s.to_owned());
    let mut all = vec![
        ("general.architecture", text("llama")),
        ("general.name", text("lull-demo")),
        ("general.license", text("MIT OR Apache-2.0")),
        ("general.file_type", Meta::U32(7)),
        ("general.quantization_version", Meta::U32(2)),
        ("llama.context_length", number(shape.context)),
        ("llama.embedding_length", number(shape.hidden)),
        ("llama.block_count", number(shape.layers)),
        ("llama.feed_forward_length", number(shape.feed_forward)),
        ("llama.attention.head_count", number(shape.heads)),
        ("llama.attention.head_count_kv", number(shape.heads)),
        ("llama.attention.key_length", number(shape.head())),
        ("llama.attention.value_length", number(shape.head())),
        ("llama.attention.layer_norm_rms_epsilon", Meta::F32(shape.norm_eps as f32)),
        ("llama.rope.dimension_count", number(shape.head())),
        ("llama.rope.freq_base", Meta::F32(shape.rope_theta as f32)),
        ("llama.vocab_size", number(shape.vocab)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("gpt-2")),
        ("tokenizer.ggml.padding_token_id", Meta::U32(0)),
        ("tokenizer.ggml.bos_token_id", Meta::U32(1)),
        ("tokenizer.ggml.eos_token_id", Meta::U32(codec.end)),
        ("tokenizer.ggml.add_bos_token", Meta::Bool(false)),
        ("tokenizer.ggml.add_eos_token", Meta::Bool(false)),
        ("tokenizer.ggml.add_space_prefix", Meta::Bool(false)),
        ("tokenizer.chat_template", text(TEMPLATE)),
    ];
    all.extend(gguf_vocabulary(&codec.to_json()?)?);
    Ok(all)
}

/// The vocabulary of a `tokenizer.json` as GGUF arrays.
fn gguf_vocabulary(tokenizer: &str) -> Result<[(&'static str, Meta); 3]> {
    const NORMAL: i32 = 1;
    const CONTROL: i32 = 3;
    let tokenizer: Value = serde_json::from_str(tokenizer)?;
    let vocab = tokenizer["model"]["vocab"].as_object().context("a tokenizer without vocabulary")?;
    let mut tokens = vec![String::new(); vocab.len()];
    for (token, id) in vocab {
        let id = id.as_u64().context("a token's id is not a number")? as usize;
        token.clone_into(tokens.get_mut(id).context("the ids have gaps")?);
    }
    let kind = |t: &String| if [PAD, START, END].contains(&t.as_str()) { CONTROL } else { NORMAL };
    let kinds = tokens.iter().map(|t| Meta::I32(kind(t))).collect();
    let merges = tokenizer["model"]["merges"].as_array().context("a tokenizer without merges")?;
    let merge = |pair: &Value| match pair {
        Value::String(pair) => Some(Meta::String(pair.clone())),
        _ => Some(Meta::String(format!("{} {}", pair[0].as_str()?, pair[1].as_str()?))),
    };
    let merges: Option<Vec<Meta>> = merges.iter().map(merge).collect();
    Ok([
        ("tokenizer.ggml.tokens", Meta::Array(tokens.into_iter().map(Meta::String).collect())),
        ("tokenizer.ggml.token_type", Meta::Array(kinds)),
        ("tokenizer.ggml.merges", Meta::Array(merges.context("a merge is not a pair")?)),
    ])
}

/// The network of a safetensors file, computed in f32 from weights rounded to `precision`.
pub(crate) fn read_safetensors(dir: &Path, shape: &Shape, precision: DType) -> Result<Net> {
    let tensors = candle_core::safetensors::load(dir.join(SAFETENSORS), &Device::Cpu)?;
    Net::new(shape, Pairs::Halves, |name| {
        let tensor = tensors.get(name).with_context(|| format!("{SAFETENSORS} lacks {name}"))?;
        Ok(Weight::Dense(tensor.to_dtype(precision)?.to_dtype(DType::F32)?))
    })
}

/// The network of the GGUF file, computed with its quantised weights as engines do.
pub(crate) fn read_gguf(dir: &Path, shape: &Shape) -> Result<Net> {
    let mut file = BufReader::new(File::open(dir.join(GGUF))?);
    let content = gguf_file::Content::read(&mut file)?;
    let mut weights = HashMap::new();
    for (name, ..) in shape.weights() {
        let tensor = content.tensor(&mut file, &gguf_name(&name), &Device::Cpu)?;
        weights.insert(name, Arc::new(tensor));
    }
    Net::new(shape, Pairs::Neighbours, |name| {
        let tensor = weights.get(name).with_context(|| format!("{GGUF} lacks {name}"))?;
        Ok(Weight::Quantised(tensor.clone()))
    })
}

/// The shape that `config.json` tells of, which must be the one that this program makes.
pub(crate) fn read_shape(dir: &Path) -> Result<Shape> {
    let found = read_json(&dir.join("config.json"))?;
    let vocab = found["vocab_size"].as_u64().context("config.json has no vocab_size")? as usize;
    let shape = Shape::demo(vocab);
    ensure!(found == config(&shape), "config.json is not what `demo-model` writes; train again");
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gguf_names_are_those_of_llama_cpp() {
        for (name, expected) in [
            (EMBEDDING, "token_embd.weight"),
            (FINAL_NORM, "output_norm.weight"),
            ("model.layers.1.input_layernorm.weight", "blk.1.attn_norm.weight"),
            ("model.layers.1.self_attn.q_proj.weight", "blk.1.attn_q.weight"),
            ("model.layers.1.self_attn.o_proj.weight", "blk.1.attn_output.weight"),
            ("model.layers.1.post_attention_layernorm.weight", "blk.1.ffn_norm.weight"),
            ("model.layers.1.mlp.down_proj.weight", "blk.1.ffn_down.weight"),
        ] {
            assert_eq!(gguf_name(name), expected);
        }
    }

    #[test]
    fn halves_become_neighbours() {
        let rows = Tensor::arange(0u32, 8, &Device::Cpu).unwrap().reshape((8, 1)).unwrap();
        let turned = neighbours(&rows, 2).unwrap().flatten_all().unwrap().to_vec1::<u32>().unwrap();
        assert_eq!(turned, [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
