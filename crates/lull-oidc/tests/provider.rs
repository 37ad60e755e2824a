//! Whole logins at a real, certified provider: npm's `oidc-provider`, started by tests/oidc/provider.mjs. `./x test login`
//! installs it and runs these.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    future::pending,
    time::{SystemTime, UNIX_EPOCH},
};

use lull_oidc::{App, Flow, Login, LoginError, Person, TokenError, Trust, Verifier};
use support::{Browser, Provider};
use tokio::task::JoinHandle;
use url::Url;

const NONCE: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn app(provider: &Provider, client_id: &str) -> App {
    let scopes = ["email", "profile", "groups"].map(Into::into).to_vec();
    App { issuer: provider.issuer.clone(), client_id: client_id.into(), scopes }
}

/// A login that waits for its browser, and the page that it wants opened.
async fn begin(provider: &Provider, client_id: &str) -> (String, JoinHandle<Result<Login, LoginError>>) {
    let flow = Flow::begin(&app(provider, client_id), NONCE).await.unwrap();
    (flow.url().to_owned(), tokio::spawn(flow.finish(pending())))
}

/// A whole login of one person; also the address the browser came back to.
async fn log_in(provider: &Provider, client_id: &str, person: &str) -> (Login, String) {
    let (url, login) = begin(provider, client_id).await;
    let mut browser = Browser::new();
    let callback = browser.log_in(&url, person).await;
    let page = browser.open(&callback).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("You can close this window"), "{}", page.body);
    (login.await.unwrap().unwrap(), callback)
}

fn verifier(provider: &Provider, client_id: &str) -> Verifier {
    Verifier::new(Trust::new(provider.issuer.clone(), client_id)).unwrap()
}

async fn verify(verifier: &Verifier, login: &Login) -> Result<Person, TokenError> {
    verifier.verify(&login.id_token, &login.nonce, now_s()).await
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn parameter(url: &str, name: &str) -> String {
    Url::parse(url).unwrap().query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

/// `url` with one parameter's value replaced.
fn with(url: &str, name: &str, value: &str) -> String {
    let mut changed = Url::parse(url).unwrap();
    let pairs: Vec<(String, String)> = changed.query_pairs().into_owned().collect();
    let pairs = pairs.into_iter().map(|(key, old)| if key == name { (key, value.to_owned()) } else { (key, old) });
    changed.query_pairs_mut().clear().extend_pairs(pairs.collect::<Vec<_>>());
    changed.into()
}

#[tokio::test]
#[ignore = "needs npm's oidc-provider: ./x test login"]
async fn people_log_in_with_each_kind_of_signature() {
    let provider = Provider::start().await;
    for (client_id, algorithm) in [("lull", "RS256"), ("lull-ps", "PS256"), ("lull-es", "ES256"), ("lull-ed", "EdDSA")]
    {
        let (login, _) = log_in(&provider, client_id, "ada").await;
        assert_eq!(support::algorithm(&login.id_token), algorithm);
        assert_eq!(login.nonce, NONCE);
        let verifier = verifier(&provider, client_id);
        let person = verify(&verifier, &login).await.unwrap();
        assert_eq!((person.subject.as_str(), person.user.as_str()), ("ada", "ada@lull.example"));
        assert_eq!((person.groups.join(" ").as_str(), person.groups_dropped), ("research admins", 0));
        assert!(person.until_s > now_s(), "{algorithm}");
        let other = verifier.verify(&login.id_token, &NONCE.replace('9', "8"), now_s()).await;
        assert_eq!(other, Err(TokenError::Nonce), "{algorithm}");
        let late = verifier.verify(&login.id_token, NONCE, person.until_s + lull_oidc::SKEW_S).await;
        assert_eq!(late, Err(TokenError::Expired), "{algorithm}");
    }
    let (login, _) = log_in(&provider, "lull", "bob").await;
    let person = verify(&verifier(&provider, "lull"), &login).await.unwrap();
    assert_eq!((person.user.as_str(), person.groups.len()), ("bob@lull.example", 0));
}

#[tokio::test]
#[ignore = "needs npm's oidc-provider: ./x test login"]
async fn a_callback_with_another_state_ends_the_login() {
    let provider = Provider::start().await;
    let (url, login) = begin(&provider, "lull").await;
    let mut browser = Browser::new();
    let callback = browser.log_in(&url, "ada").await;
    let page = browser.open(&with(&callback, "state", "another")).await;
    assert_eq!(page.status, 400);
    assert_eq!(login.await.unwrap(), Err(LoginError::WrongState));
}

#[tokio::test]
#[ignore = "needs npm's oidc-provider: ./x test login"]
async fn a_callback_that_names_another_provider_ends_the_login() {
    let provider = Provider::start().await;
    let (url, login) = begin(&provider, "lull").await;
    let mut browser = Browser::new();
    let callback = browser.log_in(&url, "ada").await;
    browser.open(&with(&callback, "iss", "https://evil.example")).await;
    assert_eq!(login.await.unwrap(), Err(LoginError::Elsewhere));
}

#[tokio::test]
#[ignore = "needs npm's oidc-provider: ./x test login"]
async fn who_declines_is_not_logged_in() {
    let provider = Provider::start().await;
    for after_login in [false, true] {
        let (url, login) = begin(&provider, "lull").await;
        let mut browser = Browser::new();
        let mut page = browser.open(&url).await;
        if after_login {
            page = browser.submit(&page, "login", &[("login", "ada"), ("password", "x")]).await;
        }
        let page = browser.decline(&page).await;
        let page = browser.open(page.callback.as_deref().unwrap()).await;
        assert!(page.body.contains("declined"), "{}", page.body);
        assert_eq!(login.await.unwrap(), Err(LoginError::Declined), "after logging in: {after_login}");
    }
}

#[tokio::test]
#[ignore = "needs npm's oidc-provider: ./x test login"]
async fn a_code_counts_once_and_only_for_the_login_it_was_made_for() {
    let provider = Provider::start().await;
    let (_, used) = log_in(&provider, "lull", "ada").await;
    // One that was used, and one that waits for another login: neither is worth anything here.
    let (other_url, other_login) = begin(&provider, "lull").await;
    let unused = Browser::new().log_in(&other_url, "bob").await;
    for stolen in [used, unused] {
        let (url, login) = begin(&provider, "lull").await;
        let mut browser = Browser::new();
        let callback = browser.log_in(&url, "ada").await;
        browser.open(&with(&callback, "code", &parameter(&stolen, "code"))).await;
        assert_eq!(login.await.unwrap(), Err(LoginError::CodeRefused("invalid_grant".into())));
    }
    other_login.abort();
}

#[tokio::test]
#[ignore = "needs npm's oidc-provider: ./x test login"]
async fn tokens_for_other_clients_and_of_other_providers_count_nothing() {
    let (provider, stranger) = tokio::join!(Provider::start(), Provider::start());
    let verifier = verifier(&provider, "lull");
    let (login, _) = log_in(&provider, "lull", "ada").await;
    assert!(verify(&verifier, &login).await.is_ok());
    let (login, _) = log_in(&provider, "other", "ada").await;
    assert_eq!(verify(&verifier, &login).await, Err(TokenError::Audience));
    let (login, _) = log_in(&stranger, "lull", "ada").await;
    assert_eq!(verify(&verifier, &login).await, Err(TokenError::Signature), "the same key name, another key");
}
