use std::{future::pending, time::Duration};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};
use url::Url;

use crate::{
    check::TOKEN_BYTES_MAX,
    error::{LoginError, ProviderError},
    flow::{App, Flow, Login, WAIT},
    forge::NONCE,
    stub::{Said, Stub},
};

async fn begin(stub: &Stub) -> Flow {
    Flow::begin(&app(stub), NONCE).await.unwrap()
}

fn app(stub: &Stub) -> App {
    App { issuer: stub.issuer.clone(), client_id: "lull".into(), scopes: vec!["email".into()] }
}

fn query(flow: &Flow, name: &str) -> String {
    let url = Url::parse(flow.url()).unwrap();
    url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

/// What a browser does: one request to where the page's address says that it shall come back to.
async fn come_back(redirect: &str, target: &str, more: &str) -> String {
    let url = Url::parse(redirect).unwrap();
    let authority = format!("127.0.0.1:{}", url.port().unwrap());
    let mut stream = TcpStream::connect(&authority).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A login whose browser comes back with `code` to a provider that says `token` about it.
async fn redeemed(token: impl Into<Said>) -> Result<Login, LoginError> {
    let stub = Stub::start().await;
    stub.say("/token", token);
    let flow = begin(&stub).await;
    let (redirect, state) = (query(&flow, "redirect_uri"), query(&flow, "state"));
    let finished = tokio::spawn(flow.finish(pending()));
    come_back(&redirect, &format!("/callback?code=c1&state={state}"), "").await;
    finished.await.unwrap()
}

#[tokio::test]
async fn the_page_asks_for_all_that_makes_a_login_safe() {
    let stub = Stub::start().await;
    let flow = begin(&stub).await;
    assert!(flow.url().starts_with(&format!("{}/auth?", stub.issuer)));
    assert_eq!(query(&flow, "response_type"), "code");
    assert_eq!(query(&flow, "client_id"), "lull");
    assert_eq!(query(&flow, "scope"), "openid email");
    assert_eq!(query(&flow, "nonce"), NONCE);
    assert_eq!(query(&flow, "code_challenge_method"), "S256");
    assert_eq!(query(&flow, "code_challenge").len(), 43);
    assert_eq!(query(&flow, "state").len(), 43);
    let redirect = Url::parse(&query(&flow, "redirect_uri")).unwrap();
    assert_eq!((redirect.scheme(), redirect.host_str(), redirect.path()), ("http", Some("127.0.0.1"), "/callback"));
    let other = begin(&stub).await;
    for name in ["state", "code_challenge", "redirect_uri"] {
        assert_ne!(query(&flow, name), query(&other, name), "{name} is fresh for each login");
    }
}

#[tokio::test]
async fn a_code_becomes_a_token_and_the_browser_gets_a_plain_page() {
    let stub = Stub::start().await;
    stub.say("/token", json!({"id_token": "a.b.c", "token_type": "Bearer", "access_token": "x"}));
    let flow = begin(&stub).await;
    let (redirect, state) = (query(&flow, "redirect_uri"), query(&flow, "state"));
    let finished = tokio::spawn(flow.finish(pending()));
    // What is not the callback is refused, and the login goes on.
    assert!(come_back(&redirect, "/favicon.ico", "").await.starts_with("HTTP/1.1 404 "));
    let picture = come_back(&redirect, "/callback?state=x", "Sec-Fetch-Dest: image\r\n").await;
    assert!(picture.starts_with("HTTP/1.1 403 "));
    let endless = come_back(&redirect, &format!("/callback?state={}", "x".repeat(20_000)), "").await;
    assert!(!endless.starts_with("HTTP/1.1 2"), "{endless}");
    // Browsers open connections in advance and leave them be.
    let _idle = TcpStream::connect(redirect.trim_start_matches("http://").split('/').next().unwrap()).await.unwrap();
    let page = come_back(&redirect, &format!("/callback?code=c1&state={state}"), "").await;
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    assert!(page.contains("You can close this window"));
    assert!(page.contains("cache-control: no-store") && !page.contains("<script"));
    let login = finished.await.unwrap().unwrap();
    assert_eq!((login.id_token.as_str(), login.nonce.as_str()), ("a.b.c", NONCE));
    assert_eq!(stub.asked("/token"), 1);
    let address = redirect.trim_start_matches("http://").split('/').next().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
    assert!(!format!("{login:?}").contains("a.b.c"), "a token is never printed");
}

#[tokio::test]
async fn a_callback_that_is_not_ours_asks_for_no_token() {
    let cases = [
        ("code=c1&state=wrong", LoginError::WrongState),
        ("code=c1&state={}&iss=http%3A%2F%2F127.0.0.1%3A1", LoginError::Elsewhere),
        ("error=access_denied&state={}", LoginError::Declined),
        ("error=server_error&state={}", LoginError::Ended("server_error".into())),
        ("state={}", LoginError::BadCallback),
    ];
    for (came, ended) in cases {
        let stub = Stub::start().await;
        let flow = begin(&stub).await;
        let (redirect, state) = (query(&flow, "redirect_uri"), query(&flow, "state"));
        let finished = tokio::spawn(flow.finish(pending()));
        let page = come_back(&redirect, &format!("/callback?{}", came.replace("{}", &state)), "").await;
        assert!(!page.contains("server_error") && !page.contains(&state), "nothing that came is shown: {page}");
        assert_eq!(finished.await.unwrap(), Err(ended), "{came}");
        assert_eq!(stub.asked("/token"), 0);
    }
}

#[tokio::test]
async fn what_the_provider_says_about_a_code_is_passed_on() {
    let refused = Said { status: 400, body: r#"{"error":"invalid_grant"}"#.into(), location: None };
    assert_eq!(redeemed(refused).await, Err(LoginError::CodeRefused("invalid_grant".into())));
    let broken = Said { status: 502, body: "<html>".into(), location: None };
    assert_eq!(redeemed(broken).await, Err(LoginError::CodeRefused("HTTP 502".into())));
    let away = Said { status: 307, body: String::new(), location: Some("http://127.0.0.1:1/token".into()) };
    assert_eq!(redeemed(away).await, Err(LoginError::CodeRefused("HTTP 307".into())), "a code goes nowhere else");
    assert_eq!(redeemed(json!({"access_token": "x"})).await, Err(LoginError::NoIdToken));
    assert_eq!(redeemed(json!({"id_token": ""})).await, Err(LoginError::NoIdToken));
    let long = json!({"id_token": "x".repeat(TOKEN_BYTES_MAX + 1)});
    assert_eq!(redeemed(long).await, Err(LoginError::NoIdToken));
    let refused = redeemed(json!(["id_token"])).await;
    assert!(matches!(refused, Err(LoginError::Provider(ProviderError::Malformed { .. }))), "{refused:?}");
}

#[tokio::test]
async fn nothing_begins_with_an_unsafe_provider_or_nonce() {
    let stub = Stub::start().await;
    for nonce in ["", "short", "spaces are not plain", &"x".repeat(129)] {
        assert_eq!(Flow::begin(&app(&stub), nonce).await.unwrap_err(), LoginError::BadNonce, "{nonce}");
    }
    let far = App { issuer: "http://id.example".into(), ..app(&stub) };
    let refused = Flow::begin(&far, NONCE).await.unwrap_err();
    assert!(matches!(refused, LoginError::Provider(ProviderError::Issuer(_))), "{refused}");
    let mut document = stub.document();
    document["code_challenge_methods_supported"] = json!(["plain"]);
    stub.say("/.well-known/openid-configuration", document);
    let refused = Flow::begin(&app(&stub), NONCE).await.unwrap_err();
    assert_eq!(refused, LoginError::Provider(ProviderError::NoPkce));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = App { issuer: format!("http://{nobody}"), ..app(&stub) };
    let refused = Flow::begin(&gone, NONCE).await.unwrap_err();
    assert_eq!(refused, LoginError::Provider(ProviderError::Unreachable { host: nobody.to_string() }));
}

#[tokio::test]
async fn a_provider_that_names_itself_must_do_so_in_each_answer() {
    let stub = Stub::start().await;
    let mut document = stub.document();
    document["authorization_response_iss_parameter_supported"] = json!(true);
    stub.say("/.well-known/openid-configuration", document);
    let flow = begin(&stub).await;
    let (redirect, state) = (query(&flow, "redirect_uri"), query(&flow, "state"));
    let finished = tokio::spawn(flow.finish(pending()));
    come_back(&redirect, &format!("/callback?code=c1&state={state}"), "").await;
    assert_eq!(finished.await.unwrap(), Err(LoginError::Elsewhere));
}

#[tokio::test]
async fn a_login_ends_when_it_is_given_up_or_nobody_comes() {
    let stub = Stub::start().await;
    assert_eq!(begin(&stub).await.finish(std::future::ready(())).await, Err(LoginError::Cancelled));
    let flow = begin(&stub).await;
    // With the clock paused, waiting for nothing else takes no time.
    tokio::time::pause();
    let start = Instant::now();
    assert_eq!(flow.finish(pending()).await, Err(LoginError::TimedOut));
    assert!(start.elapsed() >= WAIT && start.elapsed() < WAIT + Duration::from_secs(1));
}
