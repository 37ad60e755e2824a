use std::sync::Arc;

use lull_engine::{Vocabulary, check::Tokens};

/// What each token writes: the bytes mistral.rs works out, except for added tokens, of which `tokenizer.json` says
/// whether they write anything.
pub(crate) fn build(mut bytes: Vec<Box<[u8]>>, ends: Vec<u32>, tokens: &Tokens) -> Arc<Vocabulary> {
    for added in &tokens.added {
        if let Some(slot) = bytes.get_mut(added.id as usize) {
            *slot = if added.special { Box::default() } else { added.text.as_bytes().into() };
        }
    }
    Arc::new(Vocabulary::new(bytes, ends).stripping_first_space(tokens.strips_first_space))
}
