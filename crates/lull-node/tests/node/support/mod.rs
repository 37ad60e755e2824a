//! What the node's tests share.

pub(crate) mod broker;
pub(crate) mod org;
pub(crate) mod relay;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, OnceLock},
    time::Duration,
};

use lull_engine::scripted::Script;
use lull_models::Store;
use lull_node::{Chat, Node, NodeApi, NodeOptions};
use lull_types::{
    ChatEvent, ChatRequest, Label, Layer, Layers, Message, Request, Response, Role, Sampling, SandboxReport, Shortfall,
    StatusView,
};

/// The longest that a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The scripted model's name.
pub(crate) const MODEL: &str = "parrot";

/// The scripted worker's program, which says that it has every layer.
pub(crate) fn worker() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| worker_without(worker_program().parent().unwrap(), &[])).clone()
}

/// The scripted worker's program, which reports that it lacks these layers; put into `folder`.
pub(crate) fn worker_without(folder: &Path, missing: &[Layer]) -> PathBuf {
    let layers: Layers = Layer::ALL.into_iter().filter(|layer| !missing.contains(layer)).collect();
    let shortfall = |layer: &Layer| Shortfall { layer: *layer, why: "its report says so".into() };
    let report = SandboxReport { layers, shortfalls: missing.iter().map(shortfall).collect() };
    let script = format!(
        "#!/bin/sh\n[ \"$1\" != --sandbox-report ] || {{ echo '{}'; exit; }}\nexec '{}'\n",
        serde_json::to_string(&report).unwrap(),
        worker_program().display()
    );
    let program = folder.join("lull-worker-reporting");
    // Other test processes may be starting it at this moment.
    let fresh = folder.join(format!("lull-worker-reporting-{}", std::process::id()));
    std::fs::write(&fresh, script).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&fresh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::rename(&fresh, &program).unwrap();
    program
}

/// The scripted worker's program itself, built on first use.
pub(crate) fn worker_program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        // .../target/PROFILE/deps/TEST
        let profile = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "-p", "lull-engine", "--bin", "lull-worker-scripted", "--target-dir"]);
        cargo.arg(profile.parent().unwrap());
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the scripted worker cannot be built");
        profile.join(format!("lull-worker-scripted{}", std::env::consts::EXE_SUFFIX))
    };
    PROGRAM.get_or_init(build).clone()
}

/// Puts a scripted model into a home's store.
pub(crate) fn add_model(home: &Path, name: &str, script: &Script) {
    let folder = tempfile::tempdir().unwrap();
    script.write(folder.path()).unwrap();
    Store::open(home).unwrap().add_scripted(folder.path(), name).unwrap();
}

pub(crate) fn lending() -> NodeOptions {
    NodeOptions {
        dedicated: true,
        worker_program: Some(worker()),
        threads: Some(1),
        slots: Some(1),
        demo: false,
        ..NodeOptions::default()
    }
}

pub(crate) fn asking() -> NodeOptions {
    NodeOptions { demo: false, ..NodeOptions::default() }
}

pub(crate) fn question(text: &str, max_tokens: u32) -> ChatRequest {
    ChatRequest {
        model: MODEL.into(),
        messages: vec![Message { role: Role::User, content: text.into() }],
        label: Label::internal(),
        sampling: Sampling { temperature: 0.0, max_tokens, ..Sampling::default() },
    }
}

pub(crate) async fn next(chat: &mut Chat) -> ChatEvent {
    tokio::time::timeout(PATIENCE, chat.next()).await.expect("no event came").expect("the chat ended without a word")
}

/// All events of a chat, to its end.
pub(crate) async fn whole(mut chat: Chat) -> Vec<ChatEvent> {
    let mut events = Vec::new();
    loop {
        let event = next(&mut chat).await;
        let last = event.is_last();
        events.push(event);
        if last {
            assert!(chat.next().await.is_none());
            return events;
        }
    }
}

/// The text of a whole answer; the events must be in order.
pub(crate) fn text(events: &[ChatEvent]) -> String {
    let mut position = 0;
    for event in events {
        if let ChatEvent::Token(token) = event {
            assert_eq!(token.position, position);
            position += 1;
        }
    }
    assert!(matches!(events.last(), Some(ChatEvent::Done { .. })), "{:?}", events.last());
    events.iter().map(ChatEvent::text).collect()
}

pub(crate) fn fault(events: &[ChatEvent]) -> lull_types::Fault {
    let Some(ChatEvent::Failed(fault)) = events.last() else { panic!("no fault: {:?}", events.last()) };
    fault.clone()
}

pub(crate) async fn status(api: &dyn NodeApi) -> StatusView {
    let Response::Status(status) = api.call(Request::Status).await.unwrap() else { panic!("no status") };
    *status
}

/// Waits, event by event, until the node's status is as wished.
pub(crate) async fn until(node: &Arc<Node>, mut wish: impl FnMut(&StatusView) -> bool) -> StatusView {
    let mut events = node.events();
    let waiting = async {
        loop {
            let status = status(&**node).await;
            if wish(&status) {
                return status;
            }
            let _ = events.recv().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the status never came")
}
