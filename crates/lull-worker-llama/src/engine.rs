use std::sync::Arc;

use llama_cpp_2::{context::LlamaContext, llama_batch::LlamaBatch, token::LlamaToken};
use lull_engine::{Engine, EngineInfo, Next, Steps, Vocabulary, template::Template};
use lull_types::{Code, Fault, Message};

use crate::tokens::Tokeniser;

/// Tokens of a prompt that are computed at once. Between two such pieces it is looked whether anybody still wants them.
pub(crate) const CHUNK: u32 = 256;
/// The one sequence of this process.
const SEQUENCE: i32 = 0;

/// A model loaded by llama.cpp, and what it has computed last.
pub(crate) struct Llama {
    context: LlamaContext<'static>,
    batch: LlamaBatch<'static>,
    tokeniser: Tokeniser,
    template: Template,
    trained: u32,
}

impl Llama {
    pub(crate) fn new(context: LlamaContext<'static>, tokeniser: Tokeniser, template: Template, trained: u32) -> Self {
        Self { context, batch: LlamaBatch::new(CHUNK as usize, 1), tokeniser, template, trained }
    }

    /// Computes one token, so that files which load and cannot be computed with are found out before the first answer.
    pub(crate) fn rehearse(&mut self) -> Result<(), Fault> {
        self.compute(&[0], 0).map_err(|fault| {
            Fault::new(Code::ModelBroken, format!("llama.cpp cannot compute with the model: {}", fault.message))
        })
    }

    /// Computes some ids that follow `position` others; the logits after the last of them can be read then.
    fn compute(&mut self, ids: &[u32], position: usize) -> Result<(), Fault> {
        let failed = |error: &dyn std::fmt::Display| Fault::new(Code::Internal, format!("the engine failed: {error}"));
        self.batch.clear();
        for (at, id) in ids.iter().enumerate() {
            let id = i32::try_from(*id).map_err(|error| failed(&error))?;
            let place = i32::try_from(position + at).map_err(|error| failed(&error))?;
            let last = at + 1 == ids.len();
            self.batch.add(LlamaToken(id), place, &[SEQUENCE], last).map_err(|error| failed(&error))?;
        }
        self.context.decode(&mut self.batch).map_err(|error| failed(&error))
    }
}

impl Engine for Llama {
    fn info(&self) -> EngineInfo {
        EngineInfo { name: "llama.cpp (llama-cpp-2 0.1.160)".into(), context: self.trained }
    }

    fn vocabulary(&self) -> Arc<Vocabulary> {
        Arc::clone(&self.tokeniser.vocabulary)
    }

    fn tokenize(&mut self, messages: &[Message]) -> Result<Vec<u32>, Fault> {
        lull_worker::ids(&self.template, &self.tokeniser.vocabulary, messages, |text| self.tokeniser.ids(&text))
    }

    fn run(&mut self, ids: Vec<u32>, mut steps: Box<dyn Steps>) -> Result<(), Fault> {
        self.context.clear_kv_cache();
        let mut position = 0;
        for chunk in ids.chunks(CHUNK as usize) {
            if !steps.is_wanted() {
                return Ok(());
            }
            self.compute(chunk, position)?;
            position += chunk.len();
        }
        loop {
            let last = self.batch.n_tokens() - 1;
            match steps.next(self.context.get_logits_ith(last)) {
                Next::Token(id) => self.compute(&[id], position)?,
                Next::Stop => return Ok(()),
            }
            position += 1;
        }
    }
}
