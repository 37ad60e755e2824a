use std::{num::NonZeroU32, sync::Arc};

use llama_cpp_2::{
    context::{LlamaContext, params::LlamaContextParams, session::LlamaStateSeqFlags},
    llama_batch::LlamaBatch,
    model::LlamaModel,
    token::LlamaToken,
};
use lull_engine::{Engine, EngineInfo, Next, Steps, Vocabulary, template::Template};
use lull_types::{Code, Fault, Message};

use crate::{load::backend, tokens::Tokeniser};

/// Tokens of a prompt that are computed at once. Between two such pieces it is looked whether anybody still wants them.
const CHUNK: u32 = 256;
/// The least room for tokens that is made, in tokens. It is doubled when more is needed: what is made is filled with
/// zeros, and so takes memory whether it is used or not.
const ROOM_MIN: u32 = 512;
/// The one sequence of this process.
const SEQUENCE: i32 = 0;

/// What an engine may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The longest prompt and answer together, in tokens.
    pub(crate) context: u32,
    /// How many threads may compute.
    pub(crate) threads: u16,
}

/// A model loaded by llama.cpp, and what it has computed last.
pub(crate) struct Llama {
    model: &'static LlamaModel,
    bounds: Bounds,
    context: LlamaContext<'static>,
    /// Tokens that the context has room for.
    room: u32,
    batch: LlamaBatch<'static>,
    tokeniser: Tokeniser,
    template: Template,
}

impl Llama {
    /// Ready to compute; it has computed one token, so that files which load and cannot be computed with are found out
    /// before the first answer.
    pub(crate) fn new(
        model: &'static LlamaModel,
        bounds: Bounds,
        tokeniser: Tokeniser,
        template: Template,
    ) -> Result<Self, Fault> {
        let bounds = Bounds { context: bounds.context.min(model.n_ctx_train()).max(1), ..bounds };
        let broken = |fault: Fault| {
            Fault::new(Code::ModelBroken, format!("llama.cpp cannot compute with the model: {}", fault.message))
        };
        let room = ROOM_MIN.min(bounds.context);
        let context = context(model, bounds, room).map_err(broken)?;
        let batch = LlamaBatch::new(CHUNK as usize, 1);
        let mut llama = Self { model, bounds, context, room, batch, tokeniser, template };
        llama.compute(&[0], 0).map_err(broken)?;
        Ok(llama)
    }

    /// Makes room for so many tokens; what is computed already moves along.
    fn make_room(&mut self, tokens: usize) -> Result<(), Fault> {
        if tokens <= self.room as usize {
            return Ok(());
        }
        let tokens = u32::try_from(tokens).ok().filter(|tokens| *tokens <= self.bounds.context);
        // Answers are ended before this; whoever does not is not let further.
        let tokens = tokens.ok_or_else(|| failed(&"its context is full"))?;
        let room = tokens.checked_next_power_of_two().unwrap_or(u32::MAX).min(self.bounds.context);
        let kept = self.context.state_seq_get(SEQUENCE, LlamaStateSeqFlags::empty()).map_err(|error| failed(&error))?;
        let mut context = context(self.model, self.bounds, room)?;
        context.state_seq_set(&kept, SEQUENCE).map_err(|error| failed(&error))?;
        (self.context, self.room) = (context, room);
        Ok(())
    }

    /// Computes some ids that follow `position` others; the logits after the last of them can be read then.
    fn compute(&mut self, ids: &[u32], position: usize) -> Result<(), Fault> {
        self.make_room(position + ids.len())?;
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

fn context(model: &'static LlamaModel, bounds: Bounds, room: u32) -> Result<LlamaContext<'static>, Fault> {
    let threads = i32::from(bounds.threads);
    let parameters = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(room))
        .with_n_batch(CHUNK)
        .with_n_ubatch(CHUNK)
        .with_n_threads(threads)
        .with_n_threads_batch(threads)
        .with_no_perf(true);
    model.new_context(backend(), parameters).map_err(|error| failed(&error))
}

fn failed(error: &dyn std::fmt::Display) -> Fault {
    Fault::new(Code::Internal, format!("the engine failed: {error}"))
}

impl Engine for Llama {
    fn info(&self) -> EngineInfo {
        EngineInfo { name: "llama.cpp (llama-cpp-2 0.1.160)".into(), context: self.model.n_ctx_train() }
    }

    fn vocabulary(&self) -> Arc<Vocabulary> {
        Arc::clone(&self.tokeniser.vocabulary)
    }

    fn tokenize(&mut self, messages: &[Message]) -> Result<Vec<u32>, Fault> {
        lull_worker::ids(&self.template, &self.tokeniser.vocabulary, messages, |text| self.tokeniser.ids(&text))
    }

    fn run(&mut self, ids: Vec<u32>, mut steps: Box<dyn Steps>) -> Result<(), Fault> {
        self.context.clear_kv_cache_seq(None, None, None).map_err(|error| failed(&error))?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{
        path::Path,
        sync::{Arc, Mutex},
    };

    use lull_engine::Load;

    use super::*;

    /// Takes the likeliest token, so many times.
    struct Greedy {
        left: usize,
        chosen: Arc<Mutex<Vec<u32>>>,
    }

    impl Steps for Greedy {
        fn next(&mut self, logits: &[f32]) -> Next {
            if self.left == 0 {
                return Next::Stop;
            }
            self.left -= 1;
            let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
            self.chosen.lock().unwrap().push(best as u32);
            Next::Token(best as u32)
        }
    }

    fn demo(context_max: u32) -> (tempfile::TempDir, Box<dyn Engine>) {
        let folder = tempfile::tempdir().unwrap();
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lull-models/demo");
        for name in ["lull-demo.Q8_0.gguf", "tokenizer.json", "tokenizer_config.json"] {
            std::fs::copy(demo.join(name), folder.path().join(name)).unwrap();
        }
        let wanted = Load { model: folder.path().to_owned(), threads: 1, context_max };
        let engine = crate::load::load(&wanted).unwrap();
        (folder, engine)
    }

    fn greedy(engine: &mut dyn Engine, ids: Vec<u32>, left: usize) -> Vec<u32> {
        let chosen = Arc::default();
        engine.run(ids, Box::new(Greedy { left, chosen: Arc::clone(&chosen) })).unwrap();
        let chosen = chosen.lock().unwrap();
        chosen.clone()
    }

    /// Room is made twice on the way, in the middle of an answer, and nobody can tell.
    #[test]
    fn an_answer_goes_on_through_more_room() {
        let prompt: Vec<u32> = (0..40).map(|at| 10 + at * 7 % 900).collect();
        let (_folder, mut engine) = demo(2_048);
        let grown = greedy(engine.as_mut(), prompt.clone(), 1_200);
        assert_eq!(grown.len(), 1_200);
        assert_eq!(greedy(engine.as_mut(), prompt.clone(), 1_200), grown, "it has the room now");
        let (_folder, mut narrow) = demo(1_100);
        let fault = narrow.run(prompt, Box::new(Greedy { left: 1_200, chosen: Arc::default() })).unwrap_err();
        assert_eq!(fault.code, Code::Internal, "the seam ends an answer before its context is full: {fault}");
    }

    /// The demo model knows its answers well: what is computed at once and what is computed one by one differ in their
    /// last bits, and no choice hangs on these.
    #[test]
    fn an_answer_goes_on_alike_after_every_prefix() {
        let (_folder, mut engine) = demo(2_048);
        for question in ["What is Lull?", "How do I pause lending?", "Can the relay read my questions?"] {
            let asked = [Message { role: lull_types::Role::User, content: question.into() }];
            let prompt = engine.tokenize(&asked).unwrap();
            let vocabulary = engine.vocabulary();
            let mut whole = greedy(engine.as_mut(), prompt.clone(), 120);
            whole.truncate(whole.iter().position(|id| vocabulary.is_end(*id)).unwrap());
            assert!(whole.len() > 10, "{question}: {whole:?}");
            for at in 0..whole.len() {
                let ids: Vec<u32> = prompt.iter().chain(&whole[..at]).copied().collect();
                assert_eq!(greedy(engine.as_mut(), ids, whole.len() - at), whole[at..], "{question}, after {at}");
            }
        }
    }

    struct Unwanted;

    impl Steps for Unwanted {
        fn next(&mut self, _: &[f32]) -> Next {
            panic!("a prompt that nobody wants was computed to its end")
        }

        fn is_wanted(&mut self) -> bool {
            false
        }
    }

    #[test]
    fn a_long_prompt_that_nobody_wants_is_not_computed() {
        let (_folder, mut engine) = demo(2_048);
        engine.run(vec![5; 2_000], Box::new(Unwanted)).unwrap();
    }
}
