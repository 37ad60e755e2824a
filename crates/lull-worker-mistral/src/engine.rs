use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use either::Either;
use lull_engine::{Engine, EngineInfo, Next, Steps, Vocabulary, template::Template};
use lull_types::{Code, Fault, Message};
use mistralrs::{
    CustomLogitsProcessor, Model, NormalRequest, Request, RequestMessage, SamplingParams, Tensor,
    core::{Response, TokenizationRequest},
};
use tokio::{runtime::Runtime, sync::mpsc};

/// A loaded model behind mistral.rs' engine thread.
pub(crate) struct Mistral {
    runtime: Runtime,
    model: Model,
    vocabulary: Arc<Vocabulary>,
    template: Template,
    context: u32,
}

/// Responses that may wait; they are read at once.
const RESPONSES_WAITING_MAX: usize = 16;

impl Mistral {
    pub(crate) const fn new(
        runtime: Runtime,
        model: Model,
        vocabulary: Arc<Vocabulary>,
        template: Template,
        context: u32,
    ) -> Self {
        Self { runtime, model, vocabulary, template, context }
    }

    async fn ask(&self, request: Request) -> Result<(), Fault> {
        let gone = |error: &dyn std::fmt::Display| Fault::new(Code::Internal, format!("the engine is gone: {error}"));
        let sender = self.model.inner().get_sender(None).map_err(|error| gone(&error))?;
        sender.send(request).await.map_err(|_| gone(&"it takes no more requests"))
    }

    async fn ids(&self, text: String, add_special_tokens: bool) -> Result<Vec<u32>, Fault> {
        // What a tokeniser says may quote the text.
        let refused =
            |_: anyhow::Error| Fault::new(Code::ModelBroken, "the model's tokeniser cannot read its template's text");
        let (response, mut answer) = mpsc::channel(1);
        self.ask(Request::Tokenize(TokenizationRequest {
            text: Either::Right(text),
            tools: None,
            add_generation_prompt: true,
            add_special_tokens,
            enable_thinking: None,
            reasoning_effort: None,
            response,
        }))
        .await?;
        answer.recv().await.ok_or_else(engine_ended)?.map_err(refused)
    }

    /// Computes one token, so that files which load and cannot be computed with are found out before the first answer.
    pub(crate) fn rehearse(&mut self) -> Result<(), Fault> {
        self.run(vec![0], Box::new(OneStep)).map_err(|fault| {
            Fault::new(Code::ModelBroken, format!("mistral.rs cannot compute with the model: {}", fault.message))
        })
    }

    async fn follow(&self, ids: Vec<u32>, hook: Hook) -> Result<(), Fault> {
        let stopped = Arc::clone(&hook.stopped);
        let (response, mut responses) = mpsc::channel(RESPONSES_WAITING_MAX);
        let mut request = NormalRequest::new_simple(
            RequestMessage::CompletionTokens(ids),
            SamplingParams::neutral(),
            response,
            self.model.inner().next_request_id(),
            None,
            None,
        );
        request.is_streaming = true;
        request.logits_processors = Some(vec![Arc::new(hook)]);
        self.ask(Request::Normal(Box::new(request))).await?;
        // Their text is not ours to use; but unread they would stop the engine.
        while let Some(response) = responses.recv().await {
            let stopped = stopped.load(Ordering::Acquire);
            match response {
                Response::InternalError(_) | Response::ValidationError(_) if stopped => return Ok(()),
                Response::InternalError(error) | Response::ValidationError(error) => {
                    return Err(Fault::new(Code::Internal, format!("the engine failed: {error}")));
                }
                Response::ModelError(error, _) | Response::CompletionModelError(error, _) => {
                    return Err(Fault::new(Code::Internal, format!("the engine failed: {error}")));
                }
                _ => {}
            }
        }
        if stopped.load(Ordering::Acquire) { Ok(()) } else { Err(engine_ended()) }
    }
}

impl Engine for Mistral {
    fn info(&self) -> EngineInfo {
        EngineInfo { name: "mistral.rs 0.8.1".into(), context: self.context }
    }

    fn vocabulary(&self) -> Arc<Vocabulary> {
        Arc::clone(&self.vocabulary)
    }

    fn tokenize(&mut self, messages: &[Message]) -> Result<Vec<u32>, Fault> {
        lull_worker::ids(&self.template, &self.vocabulary, messages, |text| self.runtime.block_on(self.ids(text, true)))
    }

    fn run(&mut self, ids: Vec<u32>, steps: Box<dyn Steps>) -> Result<(), Fault> {
        let hook = Hook { steps: Mutex::new(steps), stopped: Arc::new(AtomicBool::new(false)) };
        self.runtime.block_on(self.follow(ids, hook))
    }
}

/// Stops at the first token.
struct OneStep;

impl Steps for OneStep {
    fn next(&mut self, _logits: &[f32]) -> Next {
        Next::Stop
    }
}

/// Stands where mistral.rs lets logits be changed: it lets [`Steps`] choose, and leaves the engine no other choice.
struct Hook {
    steps: Mutex<Box<dyn Steps>>,
    stopped: Arc<AtomicBool>,
}

impl CustomLogitsProcessor for Hook {
    fn apply(&self, logits: &Tensor, _context: &[u32]) -> mistralrs::Result<Tensor> {
        // After an answer of one step mistral.rs 0.8.1 takes one step more: its prompt step always ends with the state
        // "running".
        if self.stopped.load(Ordering::Acquire) {
            return Err(over().into());
        }
        let values: Vec<f32> = logits.to_vec1()?;
        let next = self.steps.lock().unwrap_or_else(PoisonError::into_inner).next(&values);
        match next {
            Next::Token(id) if (id as usize) < values.len() => {
                let mut only = vec![f32::NEG_INFINITY; values.len()];
                only[id as usize] = 0.0;
                Tensor::from_vec(only, logits.shape(), logits.device())
            }
            // An error ends the sequence at once, without another step.
            Next::Token(_) | Next::Stop => {
                self.stopped.store(true, Ordering::Release);
                Err(over().into())
            }
        }
    }
}

fn over() -> std::io::Error {
    std::io::Error::other("the answer is over")
}

fn engine_ended() -> Fault {
    Fault::new(Code::Internal, "the engine ended in the middle of its work")
}
