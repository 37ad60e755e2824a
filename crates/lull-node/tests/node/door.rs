//! The door as commands use it: a socket in the node's home.

use lull_engine::scripted::Script;
use lull_node::{NodeApi, RemoteNode, serve};
use lull_types::{ChatEvent, Code, Event, LendingView, Request, Response};
use lull_wire::job::{Outcome, Side};

use crate::{
    asking::Pool,
    support::{PATIENCE, broker::Evil, fault, next, question, status, text, until, whole},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_asks_through_the_socket() {
    let pool = Pool::new(&Script { answer: Some("yes".into()), ..Script::default() }, Evil::Honest).await;
    let home = pool.home();
    assert!(RemoteNode::connect(home).await.unwrap_err().message.contains("lull node run"));
    let door = serve(pool.asker.clone(), home).await.unwrap();
    let remote = RemoteNode::connect(home).await.unwrap();
    until(&pool.asker, |status| {
        let found_out = !status.sandbox.summary.contains("being found out");
        found_out && matches!(status.lending, LendingView::Off { .. })
    })
    .await;
    assert_eq!(status(&remote).await, status(&*pool.asker).await);
    assert!(matches!(remote.call(Request::Models).await, Ok(Response::Models { .. })));
    assert_eq!(text(&whole(remote.chat(question("well?", 50)).await.unwrap()).await), "yes");
    assert_eq!(remote.chat(question("well?", 0)).await.unwrap_err().code, Code::BadRequest);
    let mut events = remote.events();
    pool.asker.set_api_url("http://127.0.0.1:1".into());
    let listening = async { while events.recv().await.unwrap() != Event::Status {} };
    tokio::time::timeout(PATIENCE, listening).await.unwrap();
    assert_eq!(remote.call(Request::Stop).await, Ok(Response::Done));
    pool.asker.stopped().await;
    door.close().await;
    assert_eq!(RemoteNode::connect(home).await.unwrap_err().code, Code::NotRunning);
    pool.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_interrupted_cancels_its_question() {
    let endless = Script { length: 1_000_000, pace_us: 1_000, context: 1_000_000, ..Script::default() };
    let mut pool = Pool::new(&endless, Evil::Honest).await;
    let door = serve(pool.asker.clone(), pool.home()).await.unwrap();
    let remote = RemoteNode::connect(pool.home()).await.unwrap();
    let mut chat = remote.chat(question("talk", 900_000)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    drop(chat);
    assert_eq!(pool.receipt(Side::Lender).await.0, Outcome::Cancelled);
    let mut chat = remote.chat(question("talk", 900_000)).await.unwrap();
    while !matches!(next(&mut chat).await, ChatEvent::Token(_)) {}
    drop(door);
    assert_eq!(fault(&whole(chat).await).code, Code::Cancelled);
    pool.end().await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_the_users_own_and_survives_long_paths_and_left_over_files() {
    use std::os::unix::fs::PermissionsExt;
    let pool = Pool::new(&Script::default(), Evil::Honest).await;
    let folder = tempfile::tempdir().unwrap();
    for home in [folder.path().join("short"), folder.path().join("long".repeat(40))] {
        std::fs::create_dir(&home).unwrap();
        std::fs::write(home.join("node.sock"), "left over").unwrap();
        let door = serve(pool.asker.clone(), &home).await.unwrap();
        let remote = RemoteNode::connect(&home).await.unwrap();
        assert_eq!(status(&remote).await.node, pool.asker.id());
        let noted = std::fs::read_to_string(home.join("node.sock.at"));
        let socket = noted.map_or_else(|_| home.join("node.sock"), Into::into);
        assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
        door.close().await;
    }
    pool.end().await;
}
