use std::{path::Path, sync::Mutex, time::Duration};

use lull_door::{Home, NodeApi as _, RemoteNode};
use lull_types::{Event, Fault};
use serde::Serialize;
use tauri::{AppHandle, async_runtime::JoinHandle, ipc::Channel};
use tokio::sync::broadcast::error::RecvError;

use crate::window;

/// How long to wait before the node is looked for again, when it has gone.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The way to the node, which may come and go while the window is open.
pub(crate) struct Line {
    home: Home,
    /// Who hears the events: the page that was loaded last.
    hearing: Mutex<Option<JoinHandle<()>>>,
}

/// What a page hears.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum Heard {
    /// From the node.
    Event(Event),
    /// Whether the line to the node is open.
    Line { heard: bool },
}

impl Line {
    pub(crate) fn new(home: &Path) -> Result<Self, Fault> {
        Ok(Self { home: Home::open(home)?, hearing: Mutex::default() })
    }

    /// The node, if one answers now.
    pub(crate) async fn node(&self) -> Result<RemoteNode, Fault> {
        RemoteNode::connect(self.home.path()).await
    }

    /// Sends the node's events to a page, in place of the one before, and brings the window to the front when asked.
    pub(crate) fn hear(&self, app: AppHandle, channel: Channel<Heard>) {
        let home = self.home.clone();
        let task = tauri::async_runtime::spawn(async move {
            loop {
                if let Ok(node) = RemoteNode::connect(home.path()).await {
                    follow(&node, &app, &channel).await;
                }
                if channel.send(Heard::Line { heard: false }).is_err() {
                    return;
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        });
        self.keep(Some(task));
    }

    /// Forgets the page.
    pub(crate) fn hang_up(&self) {
        self.keep(None);
    }

    fn keep(&self, task: Option<JoinHandle<()>>) {
        let mut hearing = self.hearing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(before) = std::mem::replace(&mut *hearing, task) {
            before.abort();
        }
    }
}

async fn follow(node: &RemoteNode, app: &AppHandle, channel: &Channel<Heard>) {
    let mut events = node.events();
    if channel.send(Heard::Line { heard: true }).is_err() {
        return;
    }
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            // What was missed is asked for again with the next event; a page asks for the whole state anyway.
            Err(RecvError::Lagged(_)) => Event::Status,
            Err(RecvError::Closed) => return,
        };
        if let Event::Show { page } = event {
            window::show(app, page);
        }
        if channel.send(Heard::Event(event)).is_err() {
            return;
        }
    }
}
