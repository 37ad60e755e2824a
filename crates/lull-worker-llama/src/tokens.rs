//! The model's tokeniser: the one in `tokenizer.json`, not the copy in the weights, so that both engines make the same ids
//! of the same text.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use lull_engine::{
    Vocabulary,
    check::{Checked, Tokens},
    template::Chat,
};
use lull_types::{Code, Fault};
use tokenizers::Tokenizer;
use toktrie_hf_tokenizers::ByteTokenizer;

/// Tokens that end an answer wherever a template writes them, by the names that families of models have for it.
const ENDS: [&str; 8] = [
    "<|im_end|>",
    "<end_of_turn>",
    "<|end_of_text|>",
    "<|end|>",
    "<|eot_id|>",
    "<|message|>",
    "<|start|>",
    "<|channel|>",
];

/// What turns text into ids, and what each id writes.
pub(crate) struct Tokeniser {
    tokenizer: Tokenizer,
    pub(crate) vocabulary: Arc<Vocabulary>,
}

impl Tokeniser {
    /// Reads a checked folder's.
    pub(crate) fn read(folder: &Path, checked: &Checked) -> Result<Self, Fault> {
        let broken = |error: &dyn std::fmt::Display| {
            Fault::new(Code::ModelBroken, format!("the model's tokeniser cannot be used: {error}"))
        };
        let path = folder.join("tokenizer.json");
        let tokenizer = Tokenizer::from_file(&path).map_err(|error| broken(&error))?;
        let bytes = ByteTokenizer::from_file(&path).map_err(|error| broken(&error))?.token_bytes();
        let ends = ends(folder, &tokenizer, &checked.chat);
        let vocabulary = vocabulary(bytes, ends, &checked.tokens);
        Ok(Self { tokenizer, vocabulary })
    }

    /// A rendered conversation's ids.
    pub(crate) fn ids(&self, text: &str) -> Result<Vec<u32>, Fault> {
        // What a tokeniser says may quote the text.
        let refused = |_| Fault::new(Code::ModelBroken, "the model's tokeniser cannot read its template's text");
        Ok(self.tokenizer.encode_fast(text, true).map_err(refused)?.get_ids().to_vec())
    }
}

fn vocabulary(bytes: Vec<Vec<u8>>, ends: Vec<u32>, tokens: &Tokens) -> Arc<Vocabulary> {
    let mut bytes: Vec<Box<[u8]>> = bytes.into_iter().map(Vec::into_boxed_slice).collect();
    for added in &tokens.added {
        if let Some(slot) = bytes.get_mut(added.id as usize) {
            *slot = if added.special { Box::default() } else { added.text.as_bytes().into() };
        }
    }
    Arc::new(Vocabulary::new(bytes, ends).stripping_first_space(tokens.strips_first_space))
}

/// The tokens that end an answer: what the tokeniser's settings name, what the template writes, what the settings for
/// generation name.
fn ends(folder: &Path, tokenizer: &Tokenizer, chat: &Chat) -> Vec<u32> {
    let written = ENDS.into_iter().filter(|end| chat.template.contains(end));
    let named = chat.eos_token.as_deref().into_iter().chain(written);
    let mut ends: BTreeSet<u32> = named.filter_map(|end| tokenizer.token_to_id(end)).collect();
    // It has been checked; where there is none, there is nothing to add.
    let settings = std::fs::read(folder.join("generation_config.json")).unwrap_or_default();
    let settings: serde_json::Value = serde_json::from_slice(&settings).unwrap_or_default();
    let more = match &settings["eos_token_id"] {
        serde_json::Value::Array(ids) => ids.clone(),
        id => vec![id.clone()],
    };
    ends.extend(more.iter().filter_map(|id| u32::try_from(id.as_u64()?).ok()));
    ends.into_iter().collect()
}
