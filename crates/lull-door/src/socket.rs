//! The door as a socket that only this user can open: how commands reach the running node.

use std::{path::Path, sync::Arc, time::Duration};

use lull_types::{ChatRequest, Code, Event, Fault, Request, Response};
use lull_wire::{FrameError, frame};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    sync::{Semaphore, broadcast::error::RecvError},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Chat, Home, NodeApi, fault::storage};

#[cfg(unix)]
#[path = "socket_unix.rs"]
pub(crate) mod platform;
#[cfg(windows)]
#[path = "socket_windows.rs"]
pub(crate) mod platform;

/// The longest call, in bytes: a whole conversation.
pub(crate) const CALL_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest reply or event, in bytes.
pub const REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Calls at once; more are turned away.
const CALLS_MAX: usize = 512;
/// How long a caller may take to say what it wants.
const CALL_MAX: Duration = Duration::from_secs(30);
/// How long calls under way may take to end when the door closes.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// What a connection is for; each has one call. No `Debug`: it holds content.
#[derive(Serialize, Deserialize)]
pub(crate) enum Call {
    /// Answered with one `Result<Response, Fault>`.
    Ask(Request),
    /// Answered with one `Result<(), Fault>`, then with chat events; closing the connection cancels.
    Chat(Box<ChatRequest>),
    /// Answered with events, until the connection closes.
    Events,
}

/// An open door. Dropping it closes it.
#[derive(Debug)]
pub struct Door {
    accepting: JoinHandle<()>,
    stop: CancellationToken,
    calls: TaskTracker,
}

impl Door {
    /// Takes no more calls, and lets those under way end, for a moment.
    pub async fn close(mut self) {
        self.accepting.abort();
        // It ends with the word that it was aborted.
        let _ = (&mut self.accepting).await;
        self.calls.close();
        // What is still under way then is cut off when this is dropped.
        let _ = timeout(CLOSE_MAX, self.calls.wait()).await;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
        self.stop.cancel();
    }
}

/// Opens the door of a node in its home.
///
/// # Errors
/// [`Code::Storage`] when the socket cannot be made.
pub async fn serve(api: Arc<dyn NodeApi>, home: &Path) -> Result<Door, Fault> {
    let home = Home::open(home)?;
    let path = home.socket();
    let mut listener =
        platform::Listener::bind(&home).map_err(|error| storage("open the node's door at", &path, &error))?;
    let (stop, calls) = (CancellationToken::new(), TaskTracker::new());
    let (stop_calls, new_calls) = (stop.clone(), calls.clone());
    let places = Arc::new(Semaphore::new(CALLS_MAX));
    let accepting = tokio::spawn(async move {
        loop {
            match (listener.accept().await, places.clone().try_acquire_owned()) {
                (Ok(stream), Ok(place)) => {
                    let (api, stop) = (api.clone(), stop_calls.clone());
                    new_calls.spawn(async move {
                        tokio::select! {
                            () = stop.cancelled() => {}
                            // Who has gone away needs no answer.
                            _ = answer(stream, &*api) => {}
                        }
                        drop(place);
                    });
                }
                (Ok(_), Err(_)) => tracing::warn!("too many calls at once: one was turned away"),
                (Err(error), _) => {
                    tracing::warn!(%error, "a call could not be taken");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    });
    Ok(Door { accepting, stop, calls })
}

/// The pause after a call that could not be taken, so that a lack of file handles does not turn into a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, api: &dyn NodeApi) -> Result<(), FrameError> {
    let Ok(call) = timeout(CALL_MAX, frame::read(&mut stream, CALL_BYTES_MAX)).await else { return Ok(()) };
    match call? {
        Some(Call::Ask(request)) => {
            let response: Result<Response, Fault> = api.call(request).await;
            frame::write(&mut stream, &response, REPLY_BYTES_MAX).await
        }
        Some(Call::Chat(request)) => match api.chat(*request).await {
            Ok(chat) => forward(stream, chat).await,
            Err(fault) => frame::write(&mut stream, &Err::<(), Fault>(fault), REPLY_BYTES_MAX).await,
        },
        Some(Call::Events) => announce(stream, api).await,
        None => Ok(()),
    }
}

/// Sends a chat's events until it ends or the caller goes, which drops, and so cancels, the chat.
async fn forward<S: AsyncRead + AsyncWrite>(stream: S, mut chat: Chat) -> Result<(), FrameError> {
    let (mut read, mut write) = tokio::io::split(stream);
    frame::write(&mut write, &Ok::<(), Fault>(()), REPLY_BYTES_MAX).await?;
    let sending = async {
        while let Some(event) = chat.next().await {
            frame::write(&mut write, &event, REPLY_BYTES_MAX).await?;
        }
        Ok(())
    };
    tokio::select! {
        sent = sending => sent,
        () = gone(&mut read) => Ok(()),
    }
}

async fn announce<S: AsyncRead + AsyncWrite>(stream: S, api: &dyn NodeApi) -> Result<(), FrameError> {
    let (mut read, mut write) = tokio::io::split(stream);
    let mut events = api.events();
    let sending = async {
        // Whoever listens from now on looks once, and misses nothing in between.
        for event in [Event::Status, Event::Models] {
            frame::write(&mut write, &event, REPLY_BYTES_MAX).await?;
        }
        loop {
            match events.recv().await {
                Ok(event) => frame::write(&mut write, &event, REPLY_BYTES_MAX).await?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    };
    tokio::select! {
        sent = sending => sent,
        () = gone(&mut read) => Ok(()),
    }
}

/// Resolves when the caller has closed its end, or says more than its one call.
async fn gone<R: AsyncRead + Unpin>(read: &mut R) {
    // Bytes, the end and an error all mean the same.
    let _ = read.read_u8().await;
}

/// That no node answers in a home.
pub(crate) fn no_node(home: &Home, error: &std::io::Error) -> Fault {
    let home = home.path().display();
    let text = format!("no node runs in {home} ({error}); start one with `lull node run`");
    Fault::new(Code::NotRunning, text)
}
