//! A model of random weights in the shape of TinyLlama 1.1B, as a GGUF file: the same work as a real one, no download.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::PathBuf,
};

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::setup;

const LAYERS: u32 = 22;
const HIDDEN: u64 = 2048;
const KEY_VALUE: u64 = 256;
const FEED_FORWARD: u64 = 5632;
const VOCABULARY: u64 = 32_000;
const HEADS: u32 = 32;
const KEY_VALUE_HEADS: u32 = 4;
/// Where tensor data begins and each tensor begins, in bytes.
const ALIGNMENT: u64 = 32;

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantisation {
    Q8,
    Q4KM,
}

/// A model on disk.
pub(crate) struct Made {
    pub(crate) folder: PathBuf,
    pub(crate) gguf: PathBuf,
    /// What must be read from memory for each token, in bytes.
    pub(crate) bytes_per_token: u64,
}

impl Quantisation {
    /// As it stands in the names of metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Q8 => "q8",
            Self::Q4KM => "q4km",
        }
    }
}

/// How one tensor is stored.
#[derive(Debug, Clone, Copy)]
enum Kind {
    F32,
    Q8,
    Q4K,
    Q6K,
}

impl Kind {
    /// Its number in GGUF, elements of a block, bytes of a block.
    const fn layout(self) -> (u32, u64, u64) {
        match self {
            Self::F32 => (0, 1, 4),
            Self::Q8 => (8, 32, 34),
            Self::Q4K => (12, 256, 144),
            Self::Q6K => (14, 256, 210),
        }
    }
}

struct Tensor {
    name: String,
    shape: Vec<u64>,
    kind: Kind,
}

impl Tensor {
    fn bytes(&self) -> u64 {
        let (_, block, bytes) = self.kind.layout();
        self.shape.iter().product::<u64>() / block * bytes
    }
}

/// Makes the model, or finds it made.
pub(crate) fn make(quantisation: Quantisation) -> Result<Made> {
    let folder = setup::cache()?.join(format!("bench/random-1b-{}", quantisation.name()));
    let gguf = folder.join("model.gguf");
    let tensors = tensors(quantisation);
    let read = |tensor: &&Tensor| tensor.name != "token_embd.weight";
    let bytes_per_token = tensors.iter().filter(read).map(Tensor::bytes).sum();
    if !gguf.is_file() {
        eprintln!("making {}", gguf.display());
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("tokenizer.json"), serde_json::to_vec(&tokenizer())?)?;
        fs::write(folder.join("tokenizer_config.json"), serde_json::to_vec(&tokenizer_config())?)?;
        let unfinished = folder.join("model.unfinished");
        write(&mut BufWriter::with_capacity(1 << 20, File::create(&unfinished)?), &tensors)?;
        fs::rename(unfinished, &gguf)?;
    }
    Ok(Made { folder, gguf, bytes_per_token })
}

/// As llama.cpp's own quantiser mixes them.
fn tensors(quantisation: Quantisation) -> Vec<Tensor> {
    let (most, better) = match quantisation {
        Quantisation::Q8 => (Kind::Q8, Kind::Q8),
        Quantisation::Q4KM => (Kind::Q4K, Kind::Q6K),
    };
    let tensor = |name: &str, shape: &[u64], kind| Tensor { name: name.into(), shape: shape.into(), kind };
    let mut tensors = vec![
        tensor("token_embd.weight", &[HIDDEN, VOCABULARY], most),
        tensor("output_norm.weight", &[HIDDEN], Kind::F32),
        tensor("output.weight", &[HIDDEN, VOCABULARY], better),
    ];
    for layer in 0..LAYERS {
        let eighth = LAYERS / 8;
        let bits = layer < eighth || layer >= 7 * LAYERS / 8 || (layer - eighth) % 3 == 2;
        let careful = if bits { better } else { most };
        for (name, shape, kind) in [
            ("attn_norm", &[HIDDEN][..], Kind::F32),
            ("attn_q", &[HIDDEN, HIDDEN], most),
            ("attn_k", &[HIDDEN, KEY_VALUE], most),
            ("attn_v", &[HIDDEN, KEY_VALUE], careful),
            ("attn_output", &[HIDDEN, HIDDEN], most),
            ("ffn_norm", &[HIDDEN], Kind::F32),
            ("ffn_gate", &[HIDDEN, FEED_FORWARD], most),
            ("ffn_up", &[HIDDEN, FEED_FORWARD], most),
            ("ffn_down", &[FEED_FORWARD, HIDDEN], careful),
        ] {
            tensors.push(tensor(&format!("blk.{layer}.{name}.weight"), shape, kind));
        }
    }
    tensors
}

fn write(out: &mut impl Write, tensors: &[Tensor]) -> Result<()> {
    let mut header = Header::default();
    header.text("general.architecture", "llama");
    header.text("general.name", "random");
    header.number("general.alignment", ALIGNMENT as u32);
    for (key, value) in [
        ("block_count", LAYERS),
        ("context_length", 2048),
        ("embedding_length", HIDDEN as u32),
        ("feed_forward_length", FEED_FORWARD as u32),
        ("attention.head_count", HEADS),
        ("attention.head_count_kv", KEY_VALUE_HEADS),
        ("rope.dimension_count", HIDDEN as u32 / HEADS),
        ("vocab_size", VOCABULARY as u32),
    ] {
        header.number(&format!("llama.{key}"), value);
    }
    header.fraction("llama.attention.layer_norm_rms_epsilon", 1e-5);
    header.fraction("llama.rope.freq_base", 10_000.0);
    header.vocabulary();
    let mut bytes = Vec::from(*b"GGUF");
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend(header.count.to_le_bytes());
    bytes.extend(header.bytes);
    let mut offset = 0;
    for tensor in tensors {
        bytes.extend(text(&tensor.name));
        bytes.extend((tensor.shape.len() as u32).to_le_bytes());
        tensor.shape.iter().for_each(|side| bytes.extend(side.to_le_bytes()));
        bytes.extend(tensor.kind.layout().0.to_le_bytes());
        bytes.extend(u64::to_le_bytes(offset));
        offset += tensor.bytes().next_multiple_of(ALIGNMENT);
    }
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT as usize), 0);
    out.write_all(&bytes)?;
    let mut random = Random(0x1b);
    for tensor in tensors {
        fill(out, tensor, &mut random)?;
        let padding = tensor.bytes().next_multiple_of(ALIGNMENT) - tensor.bytes();
        out.write_all(&vec![0; padding as usize])?;
    }
    Ok(out.flush()?)
}

/// Random blocks whose weights spread by about 0.02 around zero, so that every logit stays an ordinary number.
fn fill(out: &mut impl Write, tensor: &Tensor, random: &mut Random) -> Result<()> {
    let (_, elements, bytes) = tensor.kind.layout();
    let blocks = tensor.shape.iter().product::<u64>() / elements;
    let mut block = vec![0; bytes as usize];
    for _ in 0..blocks {
        random.fill(&mut block);
        match tensor.kind {
            Kind::F32 => block.copy_from_slice(&1_f32.to_le_bytes()),
            Kind::Q8 => block[..2].copy_from_slice(&half(2.7e-4)),
            Kind::Q4K => {
                block[..2].copy_from_slice(&half(1.36e-4));
                block[2..4].copy_from_slice(&half(7.5 * 1.36e-4));
                // Scale and offset 32 in each of the eight parts, in six bits each.
                block[4..16].copy_from_slice(&[0xa0, 0xa0, 0xa0, 0xa0, 0xa0, 0xa0, 0xa0, 0xa0, 0, 0, 0, 0]);
            }
            Kind::Q6K => {
                block[192..208].fill(16);
                block[208..].copy_from_slice(&half(6.8e-5));
            }
        }
        out.write_all(&block)?;
    }
    Ok(())
}

/// A small positive number as a 16-bit float; it must not be subnormal.
fn half(value: f32) -> [u8; 2] {
    let bits = value.to_bits();
    let exponent = (bits >> 23) + 15 - 127;
    ((exponent << 10) as u16 | (bits >> 13 & 0x3ff) as u16).to_le_bytes()
}

/// Keys and values of the file's header.
#[derive(Default)]
struct Header {
    count: u64,
    bytes: Vec<u8>,
}

impl Header {
    fn key(&mut self, key: &str, kind: u32) {
        self.count += 1;
        self.bytes.extend(text(key));
        self.bytes.extend(kind.to_le_bytes());
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key, 8);
        self.bytes.extend(text(value));
    }

    fn number(&mut self, key: &str, value: u32) {
        self.key(key, 4);
        self.bytes.extend(value.to_le_bytes());
    }

    fn fraction(&mut self, key: &str, value: f32) {
        self.key(key, 6);
        self.bytes.extend(value.to_le_bytes());
    }

    fn list(&mut self, key: &str, kind: u32, items: impl Iterator<Item = Vec<u8>>) {
        self.key(key, 9);
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(VOCABULARY.to_le_bytes());
        items.for_each(|item| self.bytes.extend(item));
    }

    /// A vocabulary that llama.cpp accepts; it plays no part in the work.
    fn vocabulary(&mut self) {
        let name = |id: u64| match id {
            0 => "<unk>".into(),
            1 => "<s>".into(),
            2 => "</s>".into(),
            3..259 => format!("<0x{:02X}>", id - 3),
            _ => format!("t{id}"),
        };
        let kind = |id: u64| match id {
            0 => 2_i32,
            1 | 2 => 3,
            3..259 => 6,
            _ => 1,
        };
        self.text("tokenizer.ggml.model", "llama");
        self.list("tokenizer.ggml.tokens", 8, (0..VOCABULARY).map(|id| text(&name(id))));
        self.list("tokenizer.ggml.scores", 6, (0..VOCABULARY).map(|id| (-(id as f32)).to_le_bytes().into()));
        self.list("tokenizer.ggml.token_type", 5, (0..VOCABULARY).map(|id| kind(id).to_le_bytes().into()));
        self.number("tokenizer.ggml.bos_token_id", 1);
        self.number("tokenizer.ggml.eos_token_id", 2);
    }
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// A byte-level tokeniser in which each byte of text is one token.
fn tokenizer() -> Value {
    let mut vocabulary = Map::new();
    for (id, control) in ["<unk>", "<s>", "</s>"].into_iter().enumerate() {
        vocabulary.insert(control.into(), id.into());
    }
    for (at, name) in byte_names().into_iter().enumerate() {
        vocabulary.insert(name.into(), (at + 3).into());
    }
    for id in 259..VOCABULARY {
        vocabulary.insert(format!("t{id}"), id.into());
    }
    let control = |id: u32, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
    };
    let byte_level =
        json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": [control(0, "<unk>"), control(1, "<s>"), control(2, "</s>")],
        "pre_tokenizer": byte_level, "decoder": byte_level,
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                   "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                   "vocab": vocabulary, "merges": [] },
    })
}

fn tokenizer_config() -> Value {
    json!({ "bos_token": "<s>", "eos_token": "</s>", "chat_template": "{{ messages[0]['content'] }}" })
}

/// The character by which byte-level tokenisers name each byte.
fn byte_names() -> Vec<char> {
    let mut spare = 0x100..;
    let own = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut name = |byte: u8| if own(byte) { Some(char::from(byte)) } else { spare.next().and_then(char::from_u32) };
    (0..=255).filter_map(&mut name).collect()
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(x ^ (x >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_right() {
        assert_eq!(half(1.0), 0x3c00_u16.to_le_bytes());
        assert_eq!(half(6.8e-5), 0x0474_u16.to_le_bytes());
    }

    #[test]
    fn the_shape_has_as_many_weights_as_it_says() {
        let weights: u64 = tensors(Quantisation::Q8).iter().map(|tensor| tensor.shape.iter().product::<u64>()).sum();
        assert_eq!(weights, 1_100_048_384);
        assert_eq!(byte_names().len(), 256);
    }
}
