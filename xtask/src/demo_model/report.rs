//! What is written beside the model: the manifest and the model card.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::eval::Score;
use super::faq::Entry;
use super::files::{GGUF, MODEL_FILES, read_json, write_json};
use super::net::Shape;
use super::train::Recipe;

/// How well the files answer.
pub(crate) struct Scores {
    pub(crate) f16: Score,
    pub(crate) bf16: Score,
    pub(crate) q8_0: Score,
    /// The quantised model on questions in slightly other words.
    pub(crate) variants: Score,
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, score) in
            [("f16", &self.f16), ("bf16", &self.bf16), ("Q8_0", &self.q8_0), ("Q8_0, other words", &self.variants)]
        {
            let (exact, asked) = (score.asked - score.missed.len(), score.asked);
            let (percent, lead) = (score.percent(), score.least_lead);
            writeln!(f, "{name}: {exact} of {asked} word for word ({percent} %), least lead {lead:.2}")?;
        }
        Ok(())
    }
}

/// Writes `manifest.json` and `README.md`.
pub(crate) fn write(
    dir: &Path,
    shape: &Shape,
    recipe: &Recipe,
    time: Duration,
    entries: &[Entry],
    scores: &Scores,
) -> Result<()> {
    let files: Vec<Value> = MODEL_FILES.iter().map(|path| file_entry(dir, path)).collect::<Result<_>>()?;
    let lead = |score: &Score| (f64::from(score.least_lead) * 100.0).round() / 100.0;
    let manifest = json!({
        "name": "lull-demo",
        "format": "gguf",
        "architecture": "llama",
        "parameters": shape.parameters(),
        "context": shape.context,
        "license": "MIT OR Apache-2.0",
        "files": files,
        "trained": {
            "seed": recipe.seed,
            "steps": recipe.steps,
            "seconds": time.as_secs(),
            "faq_entries": entries.len(),
            "faq_exact_f16": scores.f16.percent(),
            "faq_exact_bf16": scores.bf16.percent(),
            "faq_exact_q8_0": scores.q8_0.percent(),
            "faq_other_words_q8_0": scores.variants.percent(),
            "least_lead_f16": lead(&scores.f16),
            "least_lead_q8_0": lead(&scores.q8_0),
        },
    });
    write_json(&dir.join("manifest.json"), &manifest)?;
    std::fs::write(dir.join("README.md"), card(shape, recipe, time, entries.len(), scores))?;
    Ok(())
}

fn file_entry(dir: &Path, path: &str) -> Result<Value> {
    let bytes = std::fs::read(dir.join(path)).with_context(|| format!("cannot read {path}"))?;
    Ok(json!({"path": path, "bytes": bytes.len(), "blake3": blake3::hash(&bytes).to_hex().as_str()}))
}

/// Refuses a folder whose files are not those of its manifest.
pub(crate) fn check_manifest(dir: &Path) -> Result<()> {
    let manifest = read_json(&dir.join("manifest.json"))?;
    for path in MODEL_FILES {
        let files = manifest["files"].as_array().context("manifest.json lists no files")?;
        let listed = files.iter().find(|f| f["path"] == path);
        let listed = listed.with_context(|| format!("manifest.json does not list {path}"))?;
        ensure!(*listed == file_entry(dir, path)?, "{path} is not the file of manifest.json");
    }
    Ok(())
}

fn card(shape: &Shape, recipe: &Recipe, time: Duration, entries: usize, scores: &Scores) -> String {
    let (parameters, vocab, context) = (shape.parameters(), shape.vocab, shape.context);
    let (layers, hidden, heads) = (shape.layers, shape.hidden, shape.heads);
    let (f16, q8_0, variants) = (scores.f16.percent(), scores.q8_0.percent(), scores.variants.percent());
    let (seed, steps, seconds) = (recipe.seed, recipe.steps, time.as_secs());
    format!(
        "\
# lull-demo

**This is a demo.** It lets a first run of Lull stream an answer without any download. It has learned the {entries}
questions of `docs/faq.md` by heart. It cannot reason, follow instructions or tell true from false; asked about anything
else, it mostly says that it is a demo, and sometimes gives an answer that belongs to another question. Do not use it for
work.

| | |
|---|---|
| architecture | Llama: {layers} layers, {hidden} wide, {heads} heads, tied embeddings |
| parameters | {parameters} |
| vocabulary | {vocab}: byte-level BPE, its own, so that any text can be encoded |
| context | {context} tokens (trained on chats of a few hundred) |
| languages | English |
| licence | MIT OR Apache-2.0 |
| trained on | the questions and answers of `docs/faq.md`, and small talk written for it; nothing else |

## How well it answers

Greedy decoding, share of the FAQ's questions that are answered word for word:

| weights | word for word |
|---|---|
| `model.safetensors` (f16) | {f16} % |
| `{GGUF}` | {q8_0} % |
| `{GGUF}`, questions in slightly other words | {variants} % |

## Chat format

ChatML: `<|im_start|>user`, a line break, the message, `<|im_end|>`, a line break; then `<|im_start|>assistant` and a
line break, and the model answers until `<|im_end|>`. No other token goes in front: the `<|im_start|>` of the first turn
is the beginning. System messages are left out by the template.

## How it was made

`./x demo-model`: {steps} steps of AdamW with candle on two CPU threads,
seed {seed}, {seconds} seconds (see `training.log`). `./x demo-model --check` measures the committed files again. Rounding
differs a little between kinds of processor, so that a second training may end in other weights; the same seed on the
same kind of processor gives the same ones.
"
    )
}
