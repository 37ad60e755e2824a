//! Whether the sizes that a GGUF header names are those of its tensors. Engines allocate and divide by what a header
//! says, so each size is bounded by what really lies in the file.

use std::collections::HashMap;

use super::{Tensor, Value};
use crate::check::{BLOCKS_MAX, HEADS_MAX, ROPE_BYTES_MAX, WIDTH_MAX};

/// Architectures that mistral.rs can run on a CPU.
const ARCHITECTURES: [&str; 7] = ["llama", "mistral3", "phi2", "phi3", "starcoder2", "qwen2", "qwen3"];
/// The most experts of a block.
const EXPERTS_MAX: u64 = 512;

/// The sizes of one header.
struct Sizes<'a> {
    architecture: &'a str,
    keys: &'a HashMap<String, Value>,
    tensors: HashMap<&'a str, &'a [u64]>,
}

/// Checks all sizes; gives the rows of the token embedding.
pub(super) fn check(keys: &HashMap<String, Value>, tensors: &[Tensor]) -> Result<u64, String> {
    let Some(Value::Text(architecture)) = keys.get("general.architecture") else {
        return Err("its header names no architecture".into());
    };
    if !ARCHITECTURES.contains(&architecture.as_str()) {
        let name: String = architecture.chars().take(40).collect();
        return Err(format!("the architecture \"{name}\" is not one that mistral.rs can run here"));
    }
    let tensors = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice())).collect();
    Sizes { architecture, keys, tensors }.check()
}

impl Sizes<'_> {
    fn check(&self) -> Result<u64, String> {
        let width = self.size("embedding_length", WIDTH_MAX)?;
        let blocks = self.size("block_count", BLOCKS_MAX)?;
        let heads = self.size("attention.head_count", HEADS_MAX)?;
        let kv_heads = self.size("attention.head_count_kv", HEADS_MAX)?;
        if !heads.is_multiple_of(kv_heads) {
            return Err(format!("its {heads} heads cannot share {kv_heads} heads of keys and values"));
        }
        let head = self.head(width, heads)?;
        self.numbers(head)?;
        let rows = match self.tensors.get("token_embd.weight") {
            None => return Err("it has no token embedding; it is not a language model".into()),
            Some(&&[columns, rows]) if columns == width => rows,
            Some(_) => return Err(self.other("token_embd.weight", "embedding_length")),
        };
        if let Some(&Value::Size(said)) = self.keys.get(&self.key("vocab_size"))
            && u64::from(said) > rows
        {
            return Err(self.other("token_embd.weight", "vocab_size"));
        }
        if self.tensors.get("output.weight").is_some_and(|shape| *shape != [width, rows]) {
            return Err("tensor output.weight has not the shape of the token embedding".into());
        }
        self.required("output_norm.weight", &[width])?;
        for block in 0..blocks {
            self.block(block, width, heads * head, kv_heads * head)?;
        }
        Ok(rows)
    }

    /// The size of a head.
    fn head(&self, width: u64, heads: u64) -> Result<u64, String> {
        let named = |name| self.keys.contains_key(&self.key(name)).then(|| self.size(name, WIDTH_MAX)).transpose();
        match (named("attention.key_length")?, named("attention.value_length")?) {
            (Some(key), Some(value)) if key == value => Ok(key),
            (None, None) if width.is_multiple_of(heads) => Ok(width / heads),
            (Some(size), None) | (None, Some(size)) if size * heads == width => Ok(size),
            _ => Err("its heads have no size that fits embedding_length and attention.head_count".into()),
        }
    }

    /// The numbers that stand for themselves.
    fn numbers(&self, head: u64) -> Result<(), String> {
        let context = match self.keys.get(&self.key("context_length")) {
            Some(&(Value::Size(1..) | Value::Whole(1..))) => self.whole("context_length"),
            _ => return Err(self.lacks("context_length")),
        };
        let rope = if self.keys.contains_key(&self.key("rope.dimension_count")) {
            self.size("rope.dimension_count", head)?
        } else if ["llama", "mistral3", "phi2", "phi3"].contains(&self.architecture) {
            return Err(self.lacks("rope.dimension_count"));
        } else {
            head
        };
        if rope % 2 != 0 {
            return Err(self.cannot_be("rope.dimension_count"));
        }
        if context.checked_mul(rope * 4).is_none_or(|bytes| bytes > ROPE_BYTES_MAX) {
            return Err(format!("a context of {context} tokens is more than this worker can prepare for"));
        }
        let epsilon = if self.architecture == "starcoder2" { "layer_norm_epsilon" } else { "layer_norm_rms_epsilon" };
        match self.keys.get(&self.key(&format!("attention.{epsilon}"))) {
            Some(Value::Real(value)) if (0.0..1.0).contains(value) => {}
            None => return Err(self.lacks(&format!("attention.{epsilon}"))),
            Some(_) => return Err(self.cannot_be(&format!("attention.{epsilon}"))),
        }
        match self.keys.get(&self.key("rope.freq_base")) {
            None => {}
            Some(Value::Real(base)) if base.is_finite() && *base >= 1.0 => {}
            Some(_) => return Err(self.cannot_be("rope.freq_base")),
        }
        if self.keys.contains_key(&self.key("feed_forward_length")) {
            self.size("feed_forward_length", WIDTH_MAX * 8)?;
        }
        let (experts, used) = (self.whole("expert_count"), self.whole("expert_used_count"));
        if experts > EXPERTS_MAX || used > experts || (experts > 0 && used == 0) {
            return Err(self.cannot_be("expert_count"));
        }
        Ok(())
    }

    /// The tensors of one block, as far as they are there; without its norm it is none.
    fn block(&self, block: u64, width: u64, queries: u64, keys: u64) -> Result<(), String> {
        let name = |part: &str| format!("blk.{block}.{part}.weight");
        self.required(&name("attn_norm"), &[width])?;
        self.required(&name("attn_output"), &[queries, width])?;
        if self.tensors.contains_key(name("attn_qkv").as_str()) {
            self.required(&name("attn_qkv"), &[width, queries + 2 * keys])?;
        } else {
            self.required(&name("attn_q"), &[width, queries])?;
            self.required(&name("attn_k"), &[width, keys])?;
            self.required(&name("attn_v"), &[width, keys])?;
        }
        if self.tensors.contains_key(name("ffn_norm").as_str()) {
            self.required(&name("ffn_norm"), &[width])?;
        }
        if self.whole("expert_count") > 1 {
            return Ok(());
        }
        let inner = match self.tensors.get(name("ffn_down").as_str()) {
            Some(&&[inner, columns]) if columns == width => inner,
            Some(_) => return Err(format!("tensor {} has not the shape that the header names", name("ffn_down"))),
            None => return Err(missing(&name("ffn_down"))),
        };
        if self.keys.contains_key(&self.key("feed_forward_length")) && self.whole("feed_forward_length") != inner {
            return Err(self.other(&name("ffn_down"), "feed_forward_length"));
        }
        // Phi-3 keeps gate and up in one.
        let up = if self.architecture == "phi3" { 2 * inner } else { inner };
        self.required(&name("ffn_up"), &[width, up])?;
        match self.tensors.get(name("ffn_gate").as_str()) {
            Some(gate) if *gate != [width, inner] => {
                Err(format!("tensor {} has not the shape of the others", name("ffn_gate")))
            }
            _ => Ok(()),
        }
    }

    fn required(&self, name: &str, shape: &[u64]) -> Result<(), String> {
        match self.tensors.get(name) {
            Some(found) if *found == shape => Ok(()),
            Some(found) => {
                Err(format!("tensor {name} has the shape {found:?}, and the header's sizes make it {shape:?}"))
            }
            None => Err(missing(name)),
        }
    }

    /// A size that must be there, from 1 to `most`.
    fn size(&self, name: &str, most: u64) -> Result<u64, String> {
        match self.keys.get(&self.key(name)) {
            Some(&Value::Size(size)) if (1..=most).contains(&u64::from(size)) => Ok(size.into()),
            None => Err(self.lacks(name)),
            Some(_) => Err(self.cannot_be(name)),
        }
    }

    /// A number that may be there, or 0.
    fn whole(&self, name: &str) -> u64 {
        match self.keys.get(&self.key(name)) {
            Some(&Value::Size(size)) => size.into(),
            Some(&Value::Whole(number)) => number,
            _ => 0,
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn lacks(&self, name: &str) -> String {
        format!("its header lacks {}", self.key(name))
    }

    fn cannot_be(&self, name: &str) -> String {
        format!("{} in its header has a value that cannot be", self.key(name))
    }

    fn other(&self, tensor: &str, name: &str) -> String {
        format!("tensor {tensor} has another size than {} in the header", self.key(name))
    }
}

fn missing(name: &str) -> String {
    format!("tensor {name} is missing, and mistral.rs cannot run without it; import another build of the model")
}
