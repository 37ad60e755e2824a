use lull_door::NodeApi as _;
use lull_types::{ChatEvent, ChatRequest, Code, Fault, Request, Response};
use tauri::{AppHandle, State, ipc::Channel};

use crate::{
    chats::Chats,
    line::{Heard, Line},
};

/// Asks the node.
#[tauri::command]
pub(crate) async fn call(line: State<'_, Line>, request: Request) -> Result<Response, Fault> {
    line.node().await?.call(request).await
}

/// Sends what changes to this page, from now on.
#[tauri::command]
pub(crate) async fn events(app: AppHandle, line: State<'_, Line>, channel: Channel<Heard>) -> Result<(), Fault> {
    line.hear(app, channel);
    Ok(())
}

/// Asks the pool; the answer comes on the channel. Its number stops it.
#[tauri::command]
pub(crate) async fn chat(
    line: State<'_, Line>,
    chats: State<'_, Chats>,
    request: ChatRequest,
    channel: Channel<ChatEvent>,
) -> Result<u32, Fault> {
    let mut chat = line.node().await?.chat(request).await?;
    let kept = chats.inner().clone();
    chats.begin(move |id| {
        tauri::async_runtime::spawn(async move {
            let mut whole = false;
            while let Some(event) = chat.next().await {
                whole = event.is_last();
                if channel.send(event).is_err() || whole {
                    break;
                }
            }
            if !whole {
                let text = "the node stopped before it had answered; ask again when it runs";
                // A page that has gone needs no word.
                let _ = channel.send(ChatEvent::Failed(Fault::new(Code::Cancelled, text)));
            }
            kept.ended(id);
        })
    })
}

/// Stops an answer that is coming.
#[tauri::command]
pub(crate) async fn stop_chat(chats: State<'_, Chats>, id: u32) -> Result<(), Fault> {
    chats.stop(id);
    Ok(())
}
