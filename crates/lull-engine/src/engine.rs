use std::{path::PathBuf, sync::Arc};

use lull_types::{Fault, Message};
use serde::{Deserialize, Serialize};

use crate::Vocabulary;

/// A model that is ready to compute. It only turns ids into logits: choosing, stopping and text are ours.
pub trait Engine {
    /// What it is.
    fn info(&self) -> EngineInfo;

    /// Its tokens.
    fn vocabulary(&self) -> Arc<Vocabulary>;

    /// A conversation through the model's own template, as ids, ready for the answer's first token.
    ///
    /// # Errors
    /// When the template refuses the conversation, or the text cannot be tokenised.
    fn tokenize(&mut self, messages: &[Message]) -> Result<Vec<u32>, Fault>;

    /// Computes the logits after `ids`, hands them to `steps`, goes on with the id that it chooses, and so forth
    /// until it says [`Next::Stop`]. The first call of `steps` marks the end of the prefill.
    ///
    /// # Errors
    /// When the engine fails. What `steps` says is never an error.
    fn run(&mut self, ids: Vec<u32>, steps: Box<dyn Steps>) -> Result<(), Fault>;
}

/// Whoever chooses the tokens.
pub trait Steps: Send {
    /// One number per token of the vocabulary (an engine may give more; the rest is padding).
    fn next(&mut self, logits: &[f32]) -> Next;

    /// Whether anybody still wants the answer: to be asked between the pieces of a long prompt. An engine that hears *no*
    /// ends its run.
    fn is_wanted(&mut self) -> bool {
        true
    }
}

/// What an engine does after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Append this id and compute on.
    Token(u32),
    /// It is over.
    Stop,
}

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// Its name and version, such as `mistral.rs 0.8.1`.
    pub name: String,
    /// The longest prompt and answer together, in tokens, that the model was made for.
    pub context: u32,
}

/// What a worker is to load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// The folder of a stored model.
    pub model: PathBuf,
    /// How many threads may compute.
    pub threads: u16,
    /// The longest prompt and answer together, in tokens, that this worker is to take.
    pub context_max: u32,
}
