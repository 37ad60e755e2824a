//! Fused forward and backward passes: candle's composed versions of these spend most of their time moving memory.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// A target that counts for nothing in [`cross_entropy`].
pub(crate) const NO_TARGET: u32 = u32::MAX;

/// A plain function over contiguous f32 slices, without a gradient.
struct Kernel<F> {
    shape: Shape,
    f: F,
}

type Output = Result<(CpuStorage, Shape)>;

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&storage.as_slice::<f32>()?[from..to]),
        None => bail!("a fused operation needs contiguous tensors"),
    }
}

impl<F: Fn(&[f32]) -> Vec<f32>> CustomOp1 for Kernel<F> {
    fn name(&self) -> &'static str {
        "kernel1"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Output {
        Ok((CpuStorage::F32((self.f)(slice(s, l)?)), self.shape.clone()))
    }
}

impl<F: Fn(&[f32], &[f32]) -> Vec<f32>> CustomOp2 for Kernel<F> {
    fn name(&self) -> &'static str {
        "kernel2"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Output {
        let out = (self.f)(slice(s1, l1)?, slice(s2, l2)?);
        Ok((CpuStorage::F32(out), self.shape.clone()))
    }
}

impl<F: Fn(&[f32], &[f32], &[f32]) -> Vec<f32>> CustomOp3 for Kernel<F> {
    fn name(&self) -> &'static str {
        "kernel3"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Output {
        let out = (self.f)(slice(s1, l1)?, slice(s2, l2)?, slice(s3, l3)?);
        Ok((CpuStorage::F32(out), self.shape.clone()))
    }
}

fn map1(x: &Tensor, shape: Shape, f: impl Fn(&[f32]) -> Vec<f32>) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&Kernel { shape, f })
}

fn map2(x: &Tensor, y: &Tensor, f: impl Fn(&[f32], &[f32]) -> Vec<f32>) -> Result<Tensor> {
    let shape = x.shape().clone();
    x.contiguous()?.apply_op2_no_bwd(&y.contiguous()?, &Kernel { shape, f })
}

fn map3([x, y, z]: [&Tensor; 3], shape: Shape, f: impl Fn(&[f32], &[f32], &[f32]) -> Vec<f32>) -> Result<Tensor> {
    let (x, y, z) = (x.contiguous()?, y.contiguous()?, z.contiguous()?);
    x.apply_op3_no_bwd(&y, &z, &Kernel { shape, f })
}

/// Root-mean-square normalisation of the last dimension, times a weight.
pub(crate) fn rms_norm(x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    x.contiguous()?.apply_op2(weight, RmsNorm { eps })
}

struct RmsNorm {
    eps: f32,
}

impl RmsNorm {
    fn inverse_rms(&self, row: &[f32]) -> f32 {
        let mean = row.iter().map(|v| v * v).sum::<f32>() / row.len() as f32;
        1.0 / (mean + self.eps).sqrt()
    }

    fn forward(&self, x: &[f32], w: &[f32]) -> Vec<f32> {
        let mut out = Vec::with_capacity(x.len());
        for row in x.chunks_exact(w.len()) {
            let r = self.inverse_rms(row);
            out.extend(row.iter().zip(w).map(|(v, w)| v * r * w));
        }
        out
    }

    fn grad_input(&self, x: &[f32], w: &[f32], grad: &[f32]) -> Vec<f32> {
        let d = w.len();
        let mut out = Vec::with_capacity(x.len());
        for (row, grad) in x.chunks_exact(d).zip(grad.chunks_exact(d)) {
            let r = self.inverse_rms(row);
            let dot: f32 = row.iter().zip(grad).zip(w).map(|((v, g), w)| v * g * w).sum();
            let pull = dot * r * r / d as f32;
            out.extend(row.iter().zip(grad).zip(w).map(|((v, g), w)| r * (g * w - v * pull)));
        }
        out
    }

    fn grad_weight(&self, x: &[f32], w: &[f32], grad: &[f32]) -> Vec<f32> {
        let d = w.len();
        let mut out = vec![0.0; d];
        for (row, grad) in x.chunks_exact(d).zip(grad.chunks_exact(d)) {
            let r = self.inverse_rms(row);
            for (o, (v, g)) in out.iter_mut().zip(row.iter().zip(grad)) {
                *o += v * r * g;
            }
        }
        out
    }
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Output {
        let out = self.forward(slice(s1, l1)?, slice(s2, l2)?);
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dx = map3([x, w, grad], x.shape().clone(), |x, w, g| self.grad_input(x, w, g))?;
        let dw = map3([x, w, grad], w.shape().clone(), |x, w, g| self.grad_weight(x, w, g))?;
        Ok((Some(dx), Some(dw)))
    }
}

/// Which pairs of a head's numbers turn together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pairs {
    /// Number `i` with `i + half`: how safetensors folders hold Llama.
    Halves,
    /// Number `2i` with `2i + 1`: how GGUF files hold Llama.
    Neighbours,
}

/// Rotary positions for `[batch, time, heads, head_dim]`.
pub(crate) fn rope(x: &Tensor, theta: f32, pairs: Pairs) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Rope { theta, pairs })
}

struct Rope {
    theta: f32,
    pairs: Pairs,
}

impl Rope {
    fn turn(&self, x: &[f32], dims: (usize, usize, usize), sign: f32) -> Vec<f32> {
        let (time, heads, dim) = dims;
        let half = dim / 2;
        let angles: Vec<(f32, f32)> = (0..time * half)
            .map(|i| {
                let frequency = self.theta.powf(-2.0 * (i % half) as f32 / dim as f32);
                let (sin, cos) = ((i / half) as f32 * frequency).sin_cos();
                (sin * sign, cos)
            })
            .collect();
        let mut out = vec![0.0; x.len()];
        for (row, (x, out)) in x.chunks_exact(dim).zip(out.chunks_exact_mut(dim)).enumerate() {
            let position = (row / heads) % time;
            for (i, (sin, cos)) in angles[position * half..(position + 1) * half].iter().enumerate() {
                let (a, b) = match self.pairs {
                    Pairs::Halves => (i, i + half),
                    Pairs::Neighbours => (2 * i, 2 * i + 1),
                };
                out[a] = x[a] * cos - x[b] * sin;
                out[b] = x[b] * cos + x[a] * sin;
            }
        }
        out
    }
}

impl CustomOp1 for Rope {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Output {
        let (_, time, heads, dim) = l.shape().dims4()?;
        let out = self.turn(slice(s, l)?, (time, heads, dim), 1.0);
        Ok((CpuStorage::F32(out), l.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (_, time, heads, dim) = x.dims4()?;
        map1(grad, x.shape().clone(), |g| self.turn(g, (time, heads, dim), -1.0)).map(Some)
    }
}

/// `softmax(scale * x)` over the last dimension of square `[.., time, time]` scores, hiding the future.
pub(crate) fn causal_softmax(scores: &Tensor, scale: f32) -> Result<Tensor> {
    scores.contiguous()?.apply_op1(CausalSoftmax { scale })
}

struct CausalSoftmax {
    scale: f32,
}

impl CustomOp1 for CausalSoftmax {
    fn name(&self) -> &'static str {
        "causal-softmax"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Output {
        let time = l.dims()[l.dims().len() - 1];
        let mut out = vec![0.0; l.shape().elem_count()];
        let rows = slice(s, l)?.chunks_exact(time).zip(out.chunks_exact_mut(time));
        for (row, (x, out)) in rows.enumerate() {
            let seen = row % time + 1;
            let max = x[..seen].iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
            for (o, v) in out[..seen].iter_mut().zip(x) {
                *o = ((v - max) * self.scale).exp();
            }
            let inverse = 1.0 / out[..seen].iter().sum::<f32>();
            out[..seen].iter_mut().for_each(|o| *o *= inverse);
        }
        Ok((CpuStorage::F32(out), l.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let time = res.dims()[res.dims().len() - 1];
        let back = |p: &[f32], g: &[f32]| {
            let mut out = Vec::with_capacity(p.len());
            for (p, g) in p.chunks_exact(time).zip(g.chunks_exact(time)) {
                let dot: f32 = p.iter().zip(g).map(|(p, g)| p * g).sum();
                out.extend(p.iter().zip(g).map(|(p, g)| p * (g - dot) * self.scale));
            }
            out
        };
        map2(res, grad, back).map(Some)
    }
}

/// `silu(gate) * up`.
pub(crate) fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.contiguous()?.apply_op2(&up.contiguous()?, SwiGlu)
}

struct SwiGlu;

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Output {
        let pairs = slice(s1, l1)?.iter().zip(slice(s2, l2)?);
        let out = pairs.map(|(g, u)| g * sigmoid(*g) * u).collect();
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(&self, gate: &Tensor, up: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dgate = map3([gate, up, grad], gate.shape().clone(), |gate, up, grad| {
            let each = gate.iter().zip(up).zip(grad);
            each.map(|((a, u), g)| {
                let s = sigmoid(*a);
                g * u * s * (1.0 + a * (1.0 - s))
            })
            .collect()
        })?;
        let dup = map2(gate, grad, |gate, grad| gate.iter().zip(grad).map(|(a, g)| g * a * sigmoid(*a)).collect())?;
        Ok((Some(dgate), Some(dup)))
    }
}

/// `scale` times the summed cross-entropy of `[rows, vocabulary]` logits, skipping rows with [`NO_TARGET`].
pub(crate) fn cross_entropy(logits: &Tensor, targets: Vec<u32>, scale: f32) -> Result<Tensor> {
    logits.contiguous()?.apply_op1(CrossEntropy { targets, scale })
}

struct CrossEntropy {
    targets: Vec<u32>,
    scale: f32,
}

impl CrossEntropy {
    /// The loss, and into `grad` its gradient.
    fn row(&self, x: &[f32], target: u32, grad: Option<&mut [f32]>) -> f32 {
        let max = x.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
        let exps: Vec<f32> = x.iter().map(|v| (v - max).exp()).collect();
        let sum: f32 = exps.iter().sum();
        if let Some(grad) = grad {
            let factor = self.scale / sum;
            for (g, e) in grad.iter_mut().zip(&exps) {
                *g = e * factor;
            }
            grad[target as usize] -= self.scale;
        }
        (sum.ln() + max - x[target as usize]) * self.scale
    }
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Output {
        let (_, vocab) = l.shape().dims2()?;
        let rows = slice(s, l)?.chunks_exact(vocab).zip(&self.targets);
        let loss = rows.filter(|(_, target)| **target != NO_TARGET).map(|(x, target)| self.row(x, *target, None)).sum();
        Ok((CpuStorage::F32(vec![loss]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (_, vocab) = logits.dims2()?;
        let outer = grad.to_scalar::<f32>()?;
        let back = |x: &[f32]| {
            let mut out = vec![0.0; x.len()];
            let rows = x.chunks_exact(vocab).zip(out.chunks_exact_mut(vocab));
            for ((x, out), target) in rows.zip(&self.targets) {
                if *target != NO_TARGET {
                    self.row(x, *target, Some(out));
                }
            }
            out.iter_mut().for_each(|v| *v *= outer);
            out
        };
        map1(logits, logits.shape().clone(), back).map(Some)
    }
}
