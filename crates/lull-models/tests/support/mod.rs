//! Builds small model files, sound or broken.

use std::{fs, path::Path};

pub(crate) fn text(value: &str) -> Vec<u8> {
    [&(value.len() as u64).to_le_bytes()[..], value.as_bytes()].concat()
}

pub(crate) fn entry(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [&text(key)[..], &kind.to_le_bytes(), value].concat()
}

pub(crate) fn number(key: &str, value: u32) -> Vec<u8> {
    entry(key, 4, &value.to_le_bytes())
}

/// A GGUF file, as parts that a test can spoil one by one.
#[derive(Clone)]
pub(crate) struct Gguf {
    pub(crate) magic: [u8; 4],
    pub(crate) version: u32,
    pub(crate) tensor_count: Option<u64>,
    pub(crate) entry_count: Option<u64>,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) data_bytes: usize,
}

#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) name: &'static str,
    pub(crate) dimensions: Vec<u64>,
    pub(crate) kind: u32,
    pub(crate) offset: u64,
}

impl Default for Gguf {
    fn default() -> Self {
        let words: Vec<u8> = ["a", "b", "</s>"].iter().flat_map(|word| text(word)).collect();
        let words = [&8_u32.to_le_bytes()[..], &3_u64.to_le_bytes(), &words].concat();
        Self {
            magic: *b"GGUF",
            version: 3,
            tensor_count: None,
            entry_count: None,
            entries: vec![
                entry("general.architecture", 8, &text("llama")),
                entry("general.license", 8, &text("MIT")),
                number("llama.context_length", 256),
                number("llama.block_count", 2),
                number("llama.embedding_length", 64),
                number("llama.attention.head_count", 4),
                entry("tokenizer.ggml.tokens", 9, &words),
                entry("tokenizer.chat_template", 8, &text("{{ messages }}")),
            ],
            // Q8_0: 64 x 4 numbers in 8 blocks of 34 bytes; then F32: 64 numbers.
            tensors: vec![
                Tensor { name: "token_embd.weight", dimensions: vec![64, 4], kind: 8, offset: 0 },
                Tensor { name: "output_norm.weight", dimensions: vec![64], kind: 0, offset: 288 },
            ],
            data_bytes: 288 + 256,
        }
    }
}

impl Gguf {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.magic[..], &self.version.to_le_bytes()].concat();
        bytes.extend(self.tensor_count.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        bytes.extend(self.entry_count.unwrap_or(self.entries.len() as u64).to_le_bytes());
        self.entries.iter().for_each(|entry| bytes.extend(entry));
        for tensor in &self.tensors {
            bytes.extend(text(tensor.name));
            bytes.extend((tensor.dimensions.len() as u32).to_le_bytes());
            tensor.dimensions.iter().for_each(|length| bytes.extend(length.to_le_bytes()));
            bytes.extend(tensor.kind.to_le_bytes());
            bytes.extend(tensor.offset.to_le_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(32) + self.data_bytes, 7);
        bytes
    }
}

pub(crate) const SAFETENSORS_HEADER: &str = r#"{"__metadata__":{"format":"pt"},"model.embed_tokens.weight":{"dtype":"F16","shape":[4,8],"data_offsets":[0,64]},"model.norm.weight":{"dtype":"F32","shape":[8],"data_offsets":[64,96]}}"#;

pub(crate) fn safetensors(header: &str, data_bytes: usize) -> Vec<u8> {
    let mut bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    bytes.resize(bytes.len() + data_bytes, 1);
    bytes
}

pub(crate) const TOKENIZER: &str = r#"{"version":"1.0","model":{"type":"BPE","vocab":{"a":0},"merges":[]}}"#;
pub(crate) const TOKENIZER_CONFIG: &str = r#"{"eos_token":"</s>","chat_template":"{{ messages }}"}"#;
pub(crate) const CONFIG: &str = r#"{"architectures":["LlamaForCausalLM"],"vocab_size":4,"hidden_size":8,"intermediate_size":16,"num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"max_position_embeddings":128}"#;

pub(crate) fn write_gguf(folder: &Path, file: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(file), Gguf::default().bytes()).unwrap();
    fs::write(folder.join("tokenizer.json"), TOKENIZER).unwrap();
    fs::write(folder.join("tokenizer_config.json"), TOKENIZER_CONFIG).unwrap();
}

pub(crate) fn write_safetensors(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("model.safetensors"), safetensors(SAFETENSORS_HEADER, 96)).unwrap();
    fs::write(folder.join("config.json"), CONFIG).unwrap();
    fs::write(folder.join("tokenizer.json"), TOKENIZER).unwrap();
    fs::write(folder.join("tokenizer_config.json"), TOKENIZER_CONFIG).unwrap();
}
