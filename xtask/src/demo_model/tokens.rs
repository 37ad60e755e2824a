//! The model's own byte-level BPE tokenizer and its chat template.

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

/// The size of the vocabulary: specials, 256 bytes, and merges.
const VOCAB: usize = 1024;

/// Pads; never seen by the model.
pub(crate) const PAD: &str = "<|endoftext|>";
/// Opens every turn, and so is the first token of every chat; nothing else is put in front.
pub(crate) const START: &str = "<|im_start|>";
/// Closes every turn: the end of an answer.
pub(crate) const END: &str = "<|im_end|>";

/// ChatML without the system's turn: a model this small cannot follow instructions, and must not be confused by them.
pub(crate) const TEMPLATE: &str = "{% for m in messages %}{% if m['role'] == 'user' or m['role'] == 'assistant' %}\
{{ '<|im_start|>' + m['role'] + '\\n' + (m['content'] | trim) + '<|im_end|>' + '\\n' }}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// One message of a chat: role and content.
pub(crate) type Message<'a> = (&'a str, &'a str);

/// What [`TEMPLATE`] renders, without Jinja; a system turn, if given one, as plain ChatML has it.
pub(crate) fn chat_text(messages: &[Message]) -> String {
    let turn = |(role, content): &Message| format!("{START}{role}\n{}{END}\n", content.trim());
    messages.iter().map(turn).collect::<String>() + START + "assistant\n"
}

/// Renders `template` as an engine would.
pub(crate) fn render(template: &str, messages: &[Message]) -> Result<String> {
    let mut env = minijinja::Environment::new();
    env.set_trim_blocks(true);
    env.set_lstrip_blocks(true);
    let messages: Vec<Value> =
        messages.iter().map(|(role, content)| json!({"role": role, "content": content})).collect();
    let values = json!({"messages": messages, "add_generation_prompt": true, "bos_token": START, "eos_token": END});
    Ok(env.render_str(template, values)?)
}

/// The tokenizer.
pub(crate) struct Codec {
    tokenizer: Tokenizer,
    /// The id of [`END`].
    pub(crate) end: u32,
}

impl Codec {
    /// Learns the merges from `texts`.
    pub(crate) fn train<S: AsRef<str> + Send>(texts: impl Iterator<Item = S> + Send) -> Result<Self> {
        let special = |content: &str| AddedToken::from(content.to_owned(), true);
        let trainer = BpeTrainer::builder()
            .vocab_size(VOCAB)
            .min_frequency(2)
            .special_tokens(vec![special(PAD), special(START), special(END)])
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .show_progress(false)
            .build();
        let mut tokenizer = Tokenizer::new(BPE::default());
        tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
        tokenizer.with_decoder(Some(ByteLevel::new(false, true, true)));
        tokenizer.train(&mut TrainerWrapper::from(trainer), texts).map_err(|e| anyhow!(e))?;
        Self::new(tokenizer)
    }

    /// Reads a `tokenizer.json`.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self> {
        Self::new(Tokenizer::from_bytes(json).map_err(|e| anyhow!(e))?)
    }

    fn new(tokenizer: Tokenizer) -> Result<Self> {
        let end = tokenizer.token_to_id(END).context("the tokenizer lacks its end token")?;
        Ok(Self { tokenizer, end })
    }

    /// The text of `tokenizer.json`.
    pub(crate) fn to_json(&self) -> Result<String> {
        self.tokenizer.to_string(true).map_err(|e| anyhow!(e))
    }

    /// How many ids there are.
    pub(crate) fn len(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// The ids of `text`, as engines make them: with special tokens allowed.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.tokenizer.encode_fast(text, true).map_err(|e| anyhow!(e))?.get_ids().to_vec())
    }

    /// The text of `ids`, without special tokens.
    pub(crate) fn decode(&self, ids: &[u32]) -> Result<String> {
        self.tokenizer.decode(ids, true).map_err(|e| anyhow!(e))
    }

    /// The ids of a chat up to the place where the answer starts.
    pub(crate) fn chat(&self, messages: &[Message]) -> Result<Vec<u32>> {
        self.encode(&chat_text(messages))
    }

    /// The ids that answer: the text and its end.
    pub(crate) fn answer(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = self.encode(text)?;
        ids.push(self.end);
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec() -> Codec {
        let text = "What is a node? A node is a machine that runs Lull. user assistant user assistant";
        Codec::train(std::iter::repeat_n(text, 3)).unwrap()
    }

    #[test]
    fn any_text_comes_back() {
        let codec = Codec::from_json(codec().to_json().unwrap().as_bytes()).unwrap();
        for text in ["What is a node?", " Grüße, 世界 🌍\n\t`x`", "\u{0}\u{7f}"] {
            assert_eq!(codec.decode(&codec.encode(text).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn special_tokens_are_one_id_each() {
        let codec = codec();
        assert_eq!(codec.encode(&[PAD, START, END].concat()).unwrap(), [0, 1, 2]);
        assert_eq!(codec.end, 2);
    }

    #[test]
    fn template_and_plain_text_agree() {
        let chat = [("user", " What? "), ("assistant", "That."), ("user", "Why?")];
        assert_eq!(render(TEMPLATE, &chat).unwrap(), chat_text(&chat));
        let with_system = [("system", "Be brief."), ("user", "What?")];
        assert_eq!(render(TEMPLATE, &with_system).unwrap(), chat_text(&with_system[1..]));
    }

    #[test]
    fn an_answer_continues_the_prompt() {
        let codec = codec();
        let whole = codec.encode(&(chat_text(&[("user", "What is a node?")]) + "A node." + END)).unwrap();
        let parts = [codec.chat(&[("user", "What is a node?")]).unwrap(), codec.answer("A node.").unwrap()];
        assert_eq!(whole, parts.concat());
    }
}
