use std::path::Path;

use futures::{FutureExt, future::BoxFuture};
use lull_types::{ChatEvent, ChatRequest, Code, Event, Fault, Request, Response};
use lull_wire::{FrameError, frame};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{broadcast, mpsc},
};

use crate::{
    Chat, Home, NodeApi,
    socket::{CALL_BYTES_MAX, Call, REPLY_BYTES_MAX, no_node, platform},
};

/// Events that a slow listener may be behind before it loses some.
const EVENTS_MAX: usize = 64;
/// Events of a chat that may wait here; after that the node waits.
const CHAT_EVENTS_MAX: usize = 16;

/// A node that runs in another process on this machine, reached through the socket in its home.
#[derive(Debug, Clone)]
pub struct RemoteNode {
    home: Home,
}

impl RemoteNode {
    /// Finds the running node of a home.
    ///
    /// # Errors
    /// [`Code::NotRunning`] when none runs there, [`Code::Storage`].
    pub async fn connect(home: &Path) -> Result<Self, Fault> {
        let remote = Self { home: Home::open(home)? };
        remote.dial().await?;
        Ok(remote)
    }

    async fn dial(&self) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static + use<>, Fault> {
        platform::connect(&self.home).await.map_err(|error| no_node(&self.home, &error))
    }

    async fn begin(&self, call: &Call) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static + use<>, Fault> {
        let mut stream = self.dial().await?;
        frame::write(&mut stream, call, CALL_BYTES_MAX).await.map_err(|error| broken(&error))?;
        Ok(stream)
    }

    async fn ask(&self, request: Request) -> Result<Response, Fault> {
        let mut stream = self.begin(&Call::Ask(request)).await?;
        read::<Result<Response, Fault>, _>(&mut stream).await?.ok_or_else(cut_off)?
    }

    async fn converse(&self, request: ChatRequest) -> Result<Chat, Fault> {
        let mut stream = self.begin(&Call::Chat(Box::new(request))).await?;
        read::<Result<(), Fault>, _>(&mut stream).await?.ok_or_else(cut_off)??;
        let (events, receiver) = mpsc::channel(CHAT_EVENTS_MAX);
        tokio::spawn(async move {
            // Leaving drops the stream, which cancels the chat at the node.
            loop {
                let event = tokio::select! {
                    () = events.closed() => return,
                    event = read::<ChatEvent, _>(&mut stream) => event,
                };
                let event = match event.and_then(|event| event.ok_or_else(cut_off)) {
                    Ok(event) => event,
                    Err(fault) => ChatEvent::Failed(fault),
                };
                let last = event.is_last();
                if events.send(event).await.is_err() || last {
                    return;
                }
            }
        });
        Ok(Chat(receiver))
    }

    async fn listen(self, events: broadcast::Sender<Event>) {
        let Ok(mut stream) = self.begin(&Call::Events).await else { return };
        while let Ok(Some(event)) = read::<Event, _>(&mut stream).await {
            if events.send(event).is_err() {
                return;
            }
        }
    }
}

impl NodeApi for RemoteNode {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Response, Fault>> {
        self.ask(request).boxed()
    }

    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<Chat, Fault>> {
        self.converse(request).boxed()
    }

    /// The channel closes when the node goes away. Must be called inside a tokio runtime.
    fn events(&self) -> broadcast::Receiver<Event> {
        let (events, receiver) = broadcast::channel(EVENTS_MAX);
        tokio::spawn(self.clone().listen(events));
        receiver
    }
}

async fn read<T: DeserializeOwned, R: AsyncRead + Unpin>(stream: &mut R) -> Result<Option<T>, Fault> {
    frame::read(stream, REPLY_BYTES_MAX).await.map_err(|error| broken(&error))
}

fn broken(error: &FrameError) -> Fault {
    let code =
        if matches!(error, FrameError::Io(_) | FrameError::Truncated) { Code::Cancelled } else { Code::BadFrame };
    Fault::new(code, format!("the node did not answer as it should ({error}); see `lull status`"))
}

fn cut_off() -> Fault {
    Fault::new(Code::Cancelled, "the node stopped before it had answered; start it again with `lull node run`")
}
