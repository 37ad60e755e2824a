//! A machine before and after it has joined.

use std::sync::Arc;

use lull_node::{Host, Node, NodeApi, NodeOptions};
use lull_types::{Code, Event, Fault, LinkView, Page, Request, Response, StatusView};
use tempfile::TempDir;

use crate::{
    pool::Org,
    support::{PATIENCE, asking},
};

async fn status(host: &Host) -> Result<StatusView, Fault> {
    match host.call(Request::Status).await? {
        Response::Status(status) => Ok(*status),
        other => panic!("{other:?}"),
    }
}

/// Waits until it has joined and reached the relay, told by its events.
async fn joined(host: &Arc<Host>) -> StatusView {
    let mut events = host.events();
    let waiting = async {
        loop {
            match status(host).await {
                Ok(status) if matches!(status.relay, LinkView::Up { .. }) => return status,
                _ => drop(events.recv().await),
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it never joined")
}

fn join(token: impl ToString, name: &str) -> Request {
    Request::Join { token: token.to_string(), name: Some(name.into()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_joins_through_its_door_and_who_listened_before_hears_of_it() {
    let org = Org::new();
    let relay = org.relay().await;
    let home = tempfile::tempdir().unwrap();
    let host = Host::start(home.path(), asking()).await.unwrap();
    let mut events = host.events();
    host.set_api_url("http://127.0.0.1:1/v1".into());

    let fault = status(&host).await.unwrap_err();
    assert_eq!(fault.code, Code::NotEnrolled, "{fault}");
    assert_eq!(host.call(Request::Log { limit: 1, before: None }).await.unwrap_err().code, Code::NotEnrolled);
    assert_eq!(host.call(join("no token", "desk")).await.unwrap_err().code, Code::Unauthorized);
    assert!(events.try_recv().is_err(), "nothing has changed yet");

    assert_eq!(host.call(join(org.token(), "desk")).await, Ok(Response::Done));
    assert_eq!(tokio::time::timeout(PATIENCE, events.recv()).await.unwrap(), Ok(Event::Status));
    let now = joined(&host).await;
    assert_eq!((now.name.as_str(), now.org.as_str()), ("desk", "Acme"));
    assert_eq!(now.api.as_deref(), Some("http://127.0.0.1:1/v1"));
    let again = host.call(join(org.token(), "desk")).await.unwrap_err();
    assert_eq!(again.code, Code::BadRequest, "{again}");

    host.shutdown().await;
    drop(host);
    // The home is free again, and what was joined is kept.
    let host = Host::start(home.path(), asking()).await.unwrap();
    assert_eq!(joined(&host).await.name, "desk");
    host.shutdown().await;
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_node_in_a_home_joined_or_not() {
    let home = tempfile::tempdir().unwrap();
    let host = Host::start(home.path(), asking()).await.unwrap();
    let second = Host::start(home.path(), asking()).await.unwrap_err();
    assert_eq!(second.code, Code::Busy, "{second}");
    assert_eq!(Node::start(home.path(), asking()).await.unwrap_err().code, Code::Busy);
    host.call(Request::Stop).await.unwrap();
    tokio::time::timeout(PATIENCE, host.stopped()).await.unwrap();
    let third = Host::start(home.path(), asking()).await.unwrap();
    third.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn to_show_the_window_is_passed_on() {
    let home = tempfile::tempdir().unwrap();
    let host = Host::start(home.path(), asking()).await.unwrap();
    let mut events = host.events();
    host.call(Request::Show { page: Some(Page::Ran) }).await.unwrap();
    assert_eq!(events.recv().await, Ok(Event::Show { page: Some(Page::Ran) }));
    host.shutdown().await;
}

fn invited(text: &str) -> (TempDir, NodeOptions) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("invitation");
    std::fs::write(&path, text).unwrap();
    (folder, NodeOptions { invitation: Some(path), ..asking() })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_from_it_is_taken_up_as_soon_as_the_relay_is_there() {
    let org = Org::new();
    let (home, (_folder, options)) = (tempfile::tempdir().unwrap(), invited(&format!("{}\n", org.token())));
    let host = Host::start(home.path(), options).await.unwrap();
    let mut events = host.events();
    let waiting = async {
        loop {
            let fault = status(&host).await.unwrap_err();
            if fault.message.contains("IT has placed") {
                return fault;
            }
            events.recv().await.unwrap();
        }
    };
    let fault = tokio::time::timeout(PATIENCE, waiting).await.expect("it never said why");
    assert_eq!(fault.code, Code::NotEnrolled, "{fault}");
    let relay = org.relay().await;
    assert_eq!(joined(&host).await.org, "Acme");
    host.shutdown().await;
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_is_none_is_said_and_leaves_the_way_by_hand() {
    let org = Org::new();
    let relay = org.relay().await;
    let (home, (_folder, options)) = (tempfile::tempdir().unwrap(), invited("rubbish"));
    let host = Host::start(home.path(), options).await.unwrap();
    host.call(join(org.token(), "by hand")).await.unwrap();
    assert_eq!(joined(&host).await.name, "by hand");
    host.shutdown().await;
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_identity_is_said_at_the_door() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("node.json"), "{").unwrap();
    let host = Host::start(home.path(), asking()).await.unwrap();
    let fault = status(&host).await.unwrap_err();
    assert_eq!(fault.code, Code::Storage, "{fault}");
    assert!(fault.message.contains("node.json"), "{fault}");
    host.shutdown().await;
}
