use futures::future::BoxFuture;
use lull_types::{ChatEvent, ChatRequest, Event, Fault, Request, Response};
use tokio::sync::{broadcast, mpsc};

/// The one door to a running node: what windows, commands and the local API are built on.
pub trait NodeApi: Send + Sync + 'static {
    /// Asks something that has one answer.
    ///
    /// # Errors
    /// A [`Fault`] that a person can read and a program can branch on.
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Response, Fault>>;

    /// Asks the pool a question.
    ///
    /// # Errors
    /// A [`Fault`] when the request itself is wrong; whatever happens later comes as [`ChatEvent::Failed`].
    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<Chat, Fault>>;

    /// What changes from now on. A slow listener loses events, never blocks the node.
    fn events(&self) -> broadcast::Receiver<Event>;
}

/// A question under way. Dropping it cancels the job, and stops the lender's worker within one token.
#[derive(Debug)]
pub struct Chat(pub mpsc::Receiver<ChatEvent>);

impl Chat {
    /// The next event; `None` after the last.
    pub async fn next(&mut self) -> Option<ChatEvent> {
        self.0.recv().await
    }
}
