use lull_types::Fault;
use serde::Deserialize;

use crate::fault::{broken, unsupported};

/// The networks that the engines here run from safetensors on a CPU, and their short names.
const ARCHITECTURES: [(&str, &str); 11] = [
    ("LlamaForCausalLM", "llama"),
    ("MistralForCausalLM", "mistral"),
    ("PhiForCausalLM", "phi2"),
    ("Phi3ForCausalLM", "phi3"),
    ("Starcoder2ForCausalLM", "starcoder2"),
    ("Qwen2ForCausalLM", "qwen2"),
    ("Qwen3ForCausalLM", "qwen3"),
    ("GemmaForCausalLM", "gemma"),
    ("Gemma2ForCausalLM", "gemma2"),
    ("SmolLM3ForCausalLM", "smollm3"),
    ("Glm4ForCausalLM", "glm4"),
];
/// What lies beyond is no number of layers, heads, features or words.
const SIZE_MAX: u64 = 1 << 24;

/// The part of config.json that is checked.
#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    #[serde(default)]
    architectures: Vec<String>,
    vocab_size: Option<u64>,
    hidden_size: Option<u64>,
    intermediate_size: Option<u64>,
    num_hidden_layers: Option<u64>,
    num_attention_heads: Option<u64>,
    num_key_value_heads: Option<u64>,
    head_dim: Option<u64>,
    max_position_embeddings: Option<u64>,
}

impl Config {
    /// The network's short name and its context, in tokens.
    ///
    /// # Errors
    /// Names what is missing, impossible or not supported; not the file.
    pub(crate) fn check(&self) -> Result<(&'static str, u32), Fault> {
        let [architecture] = self.architectures.as_slice() else {
            return Err(broken("\"architectures\" must name exactly one network; get the model's own config.json"));
        };
        let known = ARCHITECTURES.iter().find(|(name, _)| name == architecture);
        let Some(&(_, short)) = known else {
            let list = ARCHITECTURES.map(|(name, _)| name).join(", ");
            let name: String = architecture.chars().take(80).collect();
            return Err(unsupported(format!("the architecture {name:?} is not one of {list}")));
        };
        let features = size("hidden_size", self.hidden_size)?;
        let heads = size("num_attention_heads", self.num_attention_heads)?;
        size("vocab_size", self.vocab_size)?;
        size("intermediate_size", self.intermediate_size)?;
        size("num_hidden_layers", self.num_hidden_layers)?;
        let groups = self.num_key_value_heads.map_or(Ok(heads), |groups| size("num_key_value_heads", Some(groups)))?;
        if heads % groups != 0 {
            return Err(broken(format!("{heads} attention heads cannot share {groups} key-value heads")));
        }
        match self.head_dim {
            Some(width) => size("head_dim", Some(width)).map(|_| ())?,
            None if features % heads != 0 => {
                return Err(broken(format!("{features} features cannot be split into {heads} attention heads")));
            }
            None => {}
        }
        let context = size("max_position_embeddings", self.max_position_embeddings)?;
        Ok((short, u32::try_from(context).map_err(|_| broken("the context is too long"))?))
    }
}

fn size(name: &str, value: Option<u64>) -> Result<u64, Fault> {
    match value {
        Some(number) if (1..=SIZE_MAX).contains(&number) => Ok(number),
        Some(number) => Err(broken(format!("{name:?} is {number}; 1 to {SIZE_MAX} are possible"))),
        None => Err(broken(format!("{name:?} is missing; get the model's own config.json"))),
    }
}
