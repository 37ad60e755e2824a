//! The network: Llama, small, with tied embeddings, over dense or quantised weights.

use std::sync::Arc;

use anyhow::Result;
use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{Device, Module, Tensor, Var};

use super::ops::{self, Pairs};
use super::rng::Rng;

/// The sizes of the network.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    pub(crate) vocab: usize,
    pub(crate) hidden: usize,
    pub(crate) feed_forward: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) context: usize,
    pub(crate) norm_eps: f64,
    pub(crate) rope_theta: f64,
}

impl Shape {
    /// About a million parameters; every dimension divides by 32, as Q8_0 wants it.
    pub(crate) fn demo(vocab: usize) -> Self {
        Self {
            vocab,
            hidden: 160,
            feed_forward: 448,
            layers: 3,
            heads: 5,
            context: 2048,
            norm_eps: 1e-5,
            rope_theta: 10_000.0,
        }
    }

    /// Numbers per head.
    pub(crate) fn head(&self) -> usize {
        self.hidden / self.heads
    }

    /// Name, rows and columns (none for a vector) of every weight, in the order of the files.
    pub(crate) fn weights(&self) -> Vec<(String, usize, Option<usize>)> {
        let (h, f) = (self.hidden, self.feed_forward);
        let mut all = vec![(EMBEDDING.to_owned(), self.vocab, Some(h))];
        for layer in 0..self.layers {
            let mut push = |name: &str, rows, columns| all.push((layer_name(layer, name), rows, columns));
            push("input_layernorm", h, None);
            for name in ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"] {
                push(name, h, Some(h));
            }
            push("post_attention_layernorm", h, None);
            push("mlp.gate_proj", f, Some(h));
            push("mlp.up_proj", f, Some(h));
            push("mlp.down_proj", h, Some(f));
        }
        all.push((FINAL_NORM.to_owned(), h, None));
        all
    }

    /// How many numbers all weights have together.
    pub(crate) fn parameters(&self) -> usize {
        self.weights().iter().map(|(_, rows, columns)| rows * columns.unwrap_or(1)).sum()
    }

    /// Fresh weights.
    pub(crate) fn init(&self, rng: &mut Rng) -> Result<Vec<(String, Var)>> {
        let mut vars = Vec::new();
        for (name, rows, columns) in self.weights() {
            let tensor = match columns {
                None => Tensor::ones(rows, candle_core::DType::F32, &Device::Cpu)?,
                Some(columns) => {
                    let residual = name.contains("o_proj") || name.contains("down_proj");
                    let depth = if residual { (2.0 * self.layers as f64).sqrt() } else { 1.0 };
                    let deviation = if name == EMBEDDING { 0.05 } else { (columns as f64).powf(-0.5) / depth };
                    Tensor::from_vec(rng.normal(rows * columns, deviation), (rows, columns), &Device::Cpu)?
                }
            };
            vars.push((name, Var::from_tensor(&tensor)?));
        }
        Ok(vars)
    }
}

/// The name of the embedding, which is the output as well.
pub(crate) const EMBEDDING: &str = "model.embed_tokens.weight";
/// The name of the last norm.
pub(crate) const FINAL_NORM: &str = "model.norm.weight";

fn layer_name(layer: usize, name: &str) -> String {
    format!("model.layers.{layer}.{name}.weight")
}

/// One weight as it was stored.
#[derive(Clone)]
pub(crate) enum Weight {
    Dense(Tensor),
    Quantised(Arc<QTensor>),
}

impl Weight {
    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Dense(w) => x.matmul(&w.t()?)?,
            Self::Quantised(w) => QMatMul::from_arc(w.clone())?.forward(x)?,
        })
    }

    fn dense(&self) -> Result<Tensor> {
        Ok(match self {
            Self::Dense(w) => w.clone(),
            Self::Quantised(w) => w.dequantize(&Device::Cpu)?,
        })
    }
}

struct Layer {
    attention_norm: Tensor,
    query: Weight,
    key: Weight,
    value: Weight,
    output: Weight,
    mlp_norm: Tensor,
    gate: Weight,
    up: Weight,
    down: Weight,
}

/// Token sequences of one length, one after the other.
pub(crate) struct Batch {
    pub(crate) ids: Vec<u32>,
    pub(crate) time: usize,
}

/// The network with its weights.
pub(crate) struct Net {
    shape: Shape,
    pairs: Pairs,
    embedding: Tensor,
    head: Weight,
    layers: Vec<Layer>,
    norm: Tensor,
}

impl Net {
    /// Takes every weight from `weight`, by its safetensors name.
    pub(crate) fn new(shape: &Shape, pairs: Pairs, weight: impl Fn(&str) -> Result<Weight>) -> Result<Self> {
        let layer = |i| -> Result<Layer> {
            let get = |name: &str| weight(&layer_name(i, name));
            Ok(Layer {
                attention_norm: get("input_layernorm")?.dense()?,
                query: get("self_attn.q_proj")?,
                key: get("self_attn.k_proj")?,
                value: get("self_attn.v_proj")?,
                output: get("self_attn.o_proj")?,
                mlp_norm: get("post_attention_layernorm")?.dense()?,
                gate: get("mlp.gate_proj")?,
                up: get("mlp.up_proj")?,
                down: get("mlp.down_proj")?,
            })
        };
        let head = weight(EMBEDDING)?;
        Ok(Self {
            shape: shape.clone(),
            pairs,
            embedding: head.dense()?,
            head,
            layers: (0..shape.layers).map(layer).collect::<Result<_>>()?,
            norm: weight(FINAL_NORM)?.dense()?,
        })
    }

    /// The logits after each of `rows`, which count through all of the batch's tokens.
    pub(crate) fn logits(&self, batch: &Batch, rows: &[u32]) -> Result<Tensor> {
        let ids = Tensor::new(batch.ids.as_slice(), &Device::Cpu)?;
        let mut x = self.embedding.index_select(&ids, 0)?;
        for layer in &self.layers {
            let normed = ops::rms_norm(&x, &layer.attention_norm, self.shape.norm_eps as f32)?;
            x = (x + self.attention(layer, &normed, batch.time)?)?;
            let normed = ops::rms_norm(&x, &layer.mlp_norm, self.shape.norm_eps as f32)?;
            let inner = ops::swiglu(&layer.gate.apply(&normed)?, &layer.up.apply(&normed)?)?;
            x = (x + layer.down.apply(&inner)?)?;
        }
        let x = x.index_select(&Tensor::new(rows, &Device::Cpu)?, 0)?;
        self.head.apply(&ops::rms_norm(&x, &self.norm, self.shape.norm_eps as f32)?)
    }

    fn attention(&self, layer: &Layer, x: &Tensor, time: usize) -> Result<Tensor> {
        let (tokens, hidden) = x.dims2()?;
        let split = (tokens / time, time, self.shape.heads, self.shape.head());
        let turn = |x: Tensor| ops::rope(&x, self.shape.rope_theta as f32, self.pairs);
        let query = turn(layer.query.apply(x)?.reshape(split)?)?.transpose(1, 2)?.contiguous()?;
        let key = turn(layer.key.apply(x)?.reshape(split)?)?.transpose(1, 2)?.contiguous()?;
        let value = layer.value.apply(x)?.reshape(split)?.transpose(1, 2)?.contiguous()?;
        let scale = (self.shape.head() as f32).powf(-0.5);
        let weights = ops::causal_softmax(&query.matmul(&key.t()?)?, scale)?;
        let mixed = weights.matmul(&value)?.transpose(1, 2)?.contiguous()?;
        layer.output.apply(&mixed.reshape((tokens, hidden))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_a_million_parameters_in_blocks_of_32() {
        let shape = Shape::demo(1024);
        assert!((900_000..1_300_000).contains(&shape.parameters()));
        let blocks = |(_, rows, columns): &(String, usize, Option<usize>)| columns.unwrap_or(*rows) % 32 == 0;
        assert!(shape.weights().iter().all(blocks));
    }

    #[test]
    fn the_gradient_is_the_slope() {
        let shape = Shape { vocab: 32, hidden: 32, feed_forward: 32, layers: 2, heads: 2, ..Shape::demo(32) };
        let vars = shape.init(&mut Rng::new(1)).unwrap();
        let find = |name: &str| vars.iter().find(|v| v.0 == name).unwrap().1.clone();
        let net = Net::new(&shape, Pairs::Halves, |name| Ok(Weight::Dense(find(name).as_tensor().clone()))).unwrap();
        let batch = Batch { ids: vec![1, 5, 9, 3, 7, 2, 8, 4], time: 4 };
        let loss = || {
            let logits = net.logits(&batch, &[0, 1, 2, 5, 6]).unwrap();
            ops::cross_entropy(&logits, vec![5, 9, 3, 8, ops::NO_TARGET], 0.5).unwrap()
        };
        let grads = loss().backward().unwrap();
        for (name, var) in &vars {
            let grad = grads.get(var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let values = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let at = (0..grad.len()).max_by(|a, b| grad[*a].abs().total_cmp(&grad[*b].abs())).unwrap();
            let shifted = |by: f32| {
                let mut moved = values.clone();
                moved[at] += by;
                var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap()).unwrap();
                loss().to_scalar::<f32>().unwrap()
            };
            let slope = (shifted(1e-2) - shifted(-1e-2)) / 2e-2;
            shifted(0.0);
            assert!((slope - grad[at]).abs() < 2e-2 * grad[at].abs() + 2e-3, "{name}: {slope} {}", grad[at]);
        }
    }
}
