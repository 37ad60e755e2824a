use serde::{Deserialize, Serialize};

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions for the whole conversation.
    System,
    /// The person, or the program that asks.
    User,
    /// The model.
    Assistant,
}

/// One turn of a conversation, as the model's template gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// How the next token is chosen. The defaults are greedy-free: temperature 1, nothing cut off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Sampling {
    /// 0 is greedy; 2 is the most.
    pub temperature: f32,
    /// Keep the most likely tokens up to this sum of probabilities, in (0, 1].
    pub top_p: f32,
    /// Keep this many of the most likely tokens; 0 keeps all.
    pub top_k: u32,
    /// Keep tokens at least this share as likely as the likeliest, in [0, 1].
    pub min_p: f32,
    /// Subtracted once per earlier occurrence in the answer, in [-2, 2].
    pub frequency_penalty: f32,
    /// Subtracted once if it occurred in the answer at all, in [-2, 2].
    pub presence_penalty: f32,
    /// Logits of tokens already in prompt or answer are divided (if positive) or multiplied by this; 1 is off.
    pub repetition_penalty: f32,
    /// Added to the logit of a token id.
    pub bias: Vec<(u32, f32)>,
    /// With the position it gives the randomness of each choice; two runs with one seed choose alike.
    pub seed: u64,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
    /// The answer ends before the first of these.
    pub stop: Vec<String>,
    /// How many alternatives are reported with each token; `None` reports no probabilities at all.
    pub logprobs: Option<u8>,
}

impl Sampling {
    /// The most stop strings.
    pub const STOPS_MAX: usize = 4;
    /// The longest stop string, in bytes.
    pub const STOP_BYTES_MAX: usize = 256;
    /// The most biased tokens.
    pub const BIAS_MAX: usize = 1024;
    /// The most alternatives reported with a token.
    pub const LOGPROBS_MAX: u8 = 20;
    /// The longest answer anyone may ask for, in tokens.
    pub const MAX_TOKENS_MAX: u32 = 1 << 20;
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            repetition_penalty: 1.0,
            bias: Vec::new(),
            seed: 0,
            max_tokens: 512,
            stop: Vec::new(),
            logprobs: None,
        }
    }
}

/// How likely a token was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TokenLogprob {
    /// The token's number in the model's vocabulary.
    pub id: u32,
    /// The token's own bytes.
    #[serde(with = "bytes")]
    #[cfg_attr(feature = "ts", ts(type = "number[]"))]
    pub bytes: Vec<u8>,
    /// The natural logarithm of its probability under the model, before temperature, penalties or cuts.
    pub logprob: f32,
}

/// One generated token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Token {
    /// Its place in the answer, from 0.
    pub position: u32,
    /// Its number in the model's vocabulary.
    pub id: u32,
    /// The text that became final with it: may be empty (half a character, or text held back for a stop string).
    pub text: String,
    /// How likely it was, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprob: Option<TokenLogprob>,
    /// The likeliest alternatives, likeliest first, if asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<TokenLogprob>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model said so, or a stop string was reached.
    Stop,
    /// `max_tokens` or the context was reached.
    Length,
}

/// What an answer cost, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Usage {
    /// Tokens of the templated prompt.
    pub prompt_tokens: u32,
    /// Tokens generated, the end-of-answer token not counted.
    pub completion_tokens: u32,
}

/// Bytes as one string of bytes, not as a list of numbers.
mod bytes {
    use serde::{Deserializer, Serializer, de::Visitor};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.push(byte);
                }
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}
