//! The window as a page uses it, and as others try to: real TCP, a scripted node.

#![cfg(test)]

mod support;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request,
    header::{CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN},
};
use lull_types::{ChatEvent, Code, Event, Fault, Page};
use lull_ui::{CALL_BYTES_MAX, CHAT_BYTES_MAX, LOGIN_BYTES_MAX, Ui};
use serde_json::json;
use support::{Window, wait};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_token_signs_in_once() {
    let mut window = Window::open().await;
    let body = json!({"token": window.token()}).to_string();
    let answer = window.send(window.post("/ui/login", "", body.clone())).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("set-cookie"), "", "browsers send a cookie to every port of this host");
    let session = answer.json().await["session"].as_str().unwrap().to_owned();
    assert!(session.len() == 64 && !body.contains(&session), "the session is not the token");
    window.send(window.post("/ui/login", "", body)).await.refused(401, "unauthorized").await;
    assert_eq!(
        window.call(&session, &json!({"call": "keys"})).await.json().await,
        json!({"reply": "keys", "keys": []})
    );
    assert_eq!(wait(window.called.recv()).await, Some(lull_types::Request::Keys));
}

#[tokio::test]
async fn who_is_not_signed_in_reaches_nothing() {
    let mut window = Window::open().await;
    let session = window.sign_in().await;
    let strangers = [
        "".to_owned(),
        " ".to_owned(),
        session.replace(&session[..1], "x"),
        format!("a={session}"),
        session[1..].into(),
    ];
    for session in &strangers {
        let question = json!({"model": "lull-demo", "messages": []}).to_string();
        window.call(session, &json!({"call": "keys"})).await.refused(401, "unauthorized").await;
        window.send(window.post("/ui/chat", session, question)).await.refused(401, "unauthorized").await;
        window.send(window.get("/ui/events", session)).await.refused(401, "unauthorized").await;
    }
    for token in ["", "0", &"0".repeat(64)] {
        let body = json!({"token": token}).to_string();
        window.send(window.post("/ui/login", "", body)).await.refused(401, "unauthorized").await;
    }
    let mut cookie = window.post("/ui/call", "", json!({"call": "keys"}).to_string());
    cookie.headers_mut().insert(COOKIE, HeaderValue::from_str(&format!("lull_session={session}")).unwrap());
    window.send(cookie).await.refused(401, "unauthorized").await;
    assert_eq!(window.call(&session, &json!({"call": "keys"})).await.status(), 200);
    assert!(window.called.recv().await.is_some() && window.called.try_recv().is_err(), "one call came through");
    assert!(window.asked.try_recv().is_err());
}

/// A header put in place of the right one is refused, on every route, and reaches nothing.
async fn refused_with(window: &mut Window, session: &str, name: HeaderName, value: &str) {
    let wrong = |mut request: Request<Full<Bytes>>| {
        request.headers_mut().insert(name.clone(), HeaderValue::from_str(value).unwrap());
        request
    };
    let body = json!({"call": "keys"}).to_string();
    window.send(wrong(window.post("/ui/call", session, body))).await.refused(403, "forbidden").await;
    window.send(wrong(window.get("/ui/events", session))).await.refused(403, "forbidden").await;
    let body = json!({"token": window.token()}).to_string();
    window.send(wrong(window.post("/ui/login", "", body))).await.refused(403, "forbidden").await;
    if name == HOST {
        window.send(wrong(window.get("/", session))).await.refused(403, "forbidden").await;
    }
    assert!(window.called.try_recv().is_err(), "{name}: {value}");
}

#[tokio::test]
async fn foreign_pages_and_rebound_names_are_refused() {
    let mut window = Window::open().await;
    let session = window.sign_in().await;
    let port = window.addr.port();
    for host in ["evil.example".to_owned(), format!("evil.example:{port}"), format!("127.0.0.1.evil.example:{port}")] {
        refused_with(&mut window, &session, HOST, &host).await;
    }
    let other_port = format!("http://127.0.0.1:{}", port ^ 1);
    for origin in ["http://evil.example", "null", "http://127.0.0.1", &other_port, &format!("http://localhost:{port}")]
    {
        refused_with(&mut window, &session, ORIGIN, origin).await;
    }
    for site in ["cross-site", "same-site"] {
        refused_with(&mut window, &session, HeaderName::from_static("sec-fetch-site"), site).await;
    }
    let mut own = window.post("/ui/call", &session, json!({"call": "keys"}).to_string());
    own.headers_mut().insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
    assert_eq!(window.send(own).await.status(), 200, "its own page is admitted");
    let mut named = window.post("/ui/call", &session, json!({"call": "keys"}).to_string());
    named.headers_mut().insert(HOST, HeaderValue::from_str(&format!("localhost:{port}")).unwrap());
    named.headers_mut().insert(ORIGIN, HeaderValue::from_str(&format!("http://localhost:{port}")).unwrap());
    assert_eq!(window.send(named).await.status(), 200, "under its other name, too");
}

#[tokio::test]
async fn wrong_requests_are_refused_with_a_sentence() {
    let mut window = Window::open().await;
    let session = window.sign_in().await;
    window.send(window.get("/ui/call", &session)).await.refused(405, "bad_request").await;
    window.send(window.get("/ui/login", "")).await.refused(405, "bad_request").await;
    window.send(window.post("/ui/events", &session, "")).await.refused(405, "bad_request").await;
    window.send(window.post("/", &session, "")).await.refused(405, "bad_request").await;
    window.send(window.post("/ui/other", &session, "{}")).await.refused(404, "bad_request").await;
    for body in ["", "{", "[]", "{\"call\":\"no_such\"}", "{\"call\":\"lend\"}"] {
        window.send(window.post("/ui/call", &session, body)).await.refused(400, "bad_request").await;
    }
    let mut form = window.post("/ui/call", &session, json!({"call": "keys"}).to_string());
    form.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    window.send(form).await.refused(415, "bad_request").await;
    for (path, most) in [("/ui/login", LOGIN_BYTES_MAX), ("/ui/call", CALL_BYTES_MAX), ("/ui/chat", CHAT_BYTES_MAX)] {
        window.send(window.post(path, &session, " ".repeat(most + 1))).await.refused(413, "bad_request").await;
        window.send(window.post(path, &session, " ".repeat(most))).await.refused(400, "bad_request").await;
    }
    window.call(&session, &json!({"call": "stop"})).await.refused(403, "forbidden").await;
    assert!(window.called.try_recv().is_err(), "none of it reached the node");
    window.call(&session, &json!({"call": "status"})).await.refused(200, "not_enrolled").await;
}

#[tokio::test]
async fn an_answer_streams_and_ending_the_request_cancels_the_job() {
    let mut window = Window::open().await;
    let session = window.sign_in().await;
    let question = |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "hi"}]}).to_string();
    window.send(window.post("/ui/chat", &session, question("other"))).await.refused(200, "model_unknown").await;

    let mut answer = window.send(window.post("/ui/chat", &session, question("lull-demo"))).await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let (_, events) = wait(window.asked.recv()).await.unwrap();
    events.send(ChatEvent::Tail { text: "a\nb".into() }).await.unwrap();
    assert_eq!(answer.piece().await.unwrap(), "data: {\"chat\":\"tail\",\"text\":\"a\\nb\"}\n\n");
    assert!(!events.is_closed());
    drop(answer);
    wait(events.closed()).await;

    let answer = window.send(window.post("/ui/chat", &session, question("lull-demo"))).await;
    let (_, events) = wait(window.asked.recv()).await.unwrap();
    events.send(ChatEvent::Failed(Fault::new(Code::LenderLost, "gone"))).await.unwrap();
    drop(events);
    assert_eq!(answer.text().await, "data: {\"chat\":\"failed\",\"code\":\"lender_lost\",\"message\":\"gone\"}\n\n");
}

#[tokio::test]
async fn events_are_heard_and_who_was_too_slow_asks_for_everything() {
    let mut window = Window::open().await;
    let session = window.sign_in().await;
    let mut heard = window.send(window.get("/ui/events", &session)).await;
    window.events.send(Event::Show { page: Some(Page::Chat) }).unwrap();
    assert_eq!(heard.piece().await.unwrap(), "data: {\"event\":\"show\",\"page\":\"chat\"}\n\n");
    // In this test's single thread nobody hears between these.
    for _ in 0..6 {
        window.events.send(Event::Models).unwrap();
    }
    for event in ["status", "models", "rules", "prefs"] {
        assert_eq!(heard.piece().await.unwrap(), format!("data: {{\"event\":\"{event}\"}}\n\n"));
    }
    window.stop.take().unwrap().send(()).unwrap();
    while heard.piece().await.is_some() {}
    wait(window.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn pages_come_with_a_strict_policy() {
    let window = Window::open().await;
    let page = window.send(window.get("/", "")).await;
    assert_eq!(page.status(), 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!((page.header("cache-control"), page.header("x-frame-options")), ("no-store", "DENY"));
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.starts_with("default-src 'none';") && policy.ends_with("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    let html = page.text().await;
    let missing = window.send(window.get("/assets/../../Cargo.toml", "")).await;
    assert_eq!((missing.status().as_u16(), missing.header("x-frame-options")), (404, "DENY"));
    if !lull_ui::has_window() {
        assert!(html.contains("./x build"), "{html}");
        return;
    }
    let policy_in_page = policy.strip_suffix("; frame-ancestors 'none'").unwrap();
    // The app's window needs one way more than a browser, which the header does not open.
    let without_app = html.replace(" ipc: http://ipc.localhost", "");
    assert!(without_app.contains(policy_in_page), "the page's own policy is the same:\n{html}");
    let assets: Vec<&str> = html.split('"').filter(|part| part.starts_with("./assets/")).collect();
    assert!(assets.len() >= 2, "{html}");
    for asset in assets {
        let file = window.send(window.get(&asset[1..], "")).await;
        assert_eq!((file.status().as_u16(), file.header("x-content-type-options")), (200, "nosniff"));
        assert!(file.header("cache-control").ends_with("immutable"), "{asset}");
        let kind = if asset.ends_with(".js") { "text/javascript" } else { "text/css" };
        assert!(file.header("content-type").starts_with(kind), "{asset}");
    }
}

#[tokio::test]
async fn other_machines_are_not_served() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let window = Window::open().await;
    let ui: Ui = window.ui.clone();
    let refused = wait(lull_ui::serve(listener, ui, std::future::pending())).await.unwrap_err();
    assert!(refused.to_string().contains("not a loopback address"), "{refused}");
}
