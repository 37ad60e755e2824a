//! The provider's process, and a browser as plain as can be: cookies, redirects, forms.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{path::PathBuf, process::Stdio, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, Response, header, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};
use url::{Url, form_urlencoded};

/// Until the provider says where it is: it makes four keys first.
const START_MAX: Duration = Duration::from_secs(60);
/// For one request of the browser.
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// Redirects that a browser follows in a row.
const REDIRECTS_MAX: usize = 20;

/// A provider of its own for each test. It ends when this is dropped, or with the test's process.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    _process: Child,
}

impl Provider {
    /// Node is `LULL_NODE` or whatever the path says. The script and its `node_modules` lie in `LULL_LOGIN_TESTS` or in
    /// the repository's tests/oidc.
    pub(crate) async fn start() -> Self {
        let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/oidc");
        let folder = std::env::var_os("LULL_LOGIN_TESTS").map_or_else(beside, PathBuf::from);
        assert!(folder.join("node_modules/oidc-provider").exists(), "run ./x test login, which installs the provider");
        let mut process = Command::new(std::env::var_os("LULL_NODE").unwrap_or_else(|| "node".into()))
            .arg(folder.join("provider.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = timeout(START_MAX, lines.next_line()).await.expect("the provider starts in time");
        let issuer = issuer.unwrap().expect("the provider says where it is");
        // It goes on talking, and would end if nobody listened.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { issuer, _process: process }
    }
}

/// Where a browser has come to.
pub(crate) struct Page {
    url: Url,
    pub(crate) status: u16,
    pub(crate) body: String,
    /// The address it is told to come back to the application with, not opened yet.
    pub(crate) callback: Option<String>,
}

pub(crate) struct Browser {
    client: Client,
    /// Path, name and value; all of one host, as cookies know no ports.
    cookies: Vec<(String, String, String)>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .timeout(REQUEST_MAX)
            .no_proxy()
            .build();
        Self { client: client.unwrap(), cookies: Vec::new() }
    }

    /// Opens a page and follows where it leads, up to the way back to the application.
    pub(crate) async fn open(&mut self, url: &str) -> Page {
        self.follow(Url::parse(url).unwrap(), None).await
    }

    /// Sends the form of a page, which must be the one for `prompt`.
    pub(crate) async fn submit(&mut self, page: &Page, prompt: &str, fields: &[(&str, &str)]) -> Page {
        let hidden = format!("name=\"prompt\" value=\"{prompt}\"");
        assert!(page.body.contains(&hidden), "no form for {prompt}: {}", page.body);
        let action = page.url.join(between(&page.body, "action=\"", "\"")).unwrap();
        let form =
            form_urlencoded::Serializer::new(String::new()).append_pair("prompt", prompt).extend_pairs(fields).finish();
        self.follow(action, Some(form)).await
    }

    /// Follows the page's link that gives up.
    pub(crate) async fn decline(&mut self, page: &Page) -> Page {
        let link = page.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let link = link.into_iter().find(|link| link.ends_with("/abort")).expect("a link that gives up");
        self.follow(page.url.join(link).unwrap(), None).await
    }

    /// Logs in as somebody and agrees; the address to come back with, not opened yet.
    pub(crate) async fn log_in(&mut self, url: &str, person: &str) -> String {
        let page = self.open(url).await;
        let page = self.submit(&page, "login", &[("login", person), ("password", "any")]).await;
        let page = self.submit(&page, "consent", &[]).await;
        page.callback.expect("the way back")
    }

    async fn follow(&mut self, mut url: Url, mut form: Option<String>) -> Page {
        for _ in 0..REDIRECTS_MAX {
            let response = self.ask(&url, form.take()).await;
            self.remember(&response);
            let status = response.status();
            if !status.is_redirection() {
                let body = response.text().await.unwrap();
                return Page { url, status: status.as_u16(), body, callback: None };
            }
            let next = url.join(response.headers()[header::LOCATION].to_str().unwrap()).unwrap();
            if next.path() == "/callback" {
                let callback = Some(next.into());
                return Page { url, status: status.as_u16(), body: String::new(), callback };
            }
            url = next;
        }
        panic!("too many redirects, the last to {url}");
    }

    async fn ask(&self, url: &Url, form: Option<String>) -> Response {
        let request = match form {
            Some(form) => self
                .client
                .post(url.clone())
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form),
            None => self.client.get(url.clone()),
        };
        let sent = self.cookies.iter().filter(|(path, ..)| url.path().starts_with(path.as_str()));
        let sent: Vec<String> = sent.map(|(_, name, value)| format!("{name}={value}")).collect();
        request.header(header::COOKIE, sent.join("; ")).send().await.unwrap()
    }

    fn remember(&mut self, response: &Response) {
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let mut parts = cookie.to_str().unwrap().split("; ");
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            let path = parts.find_map(|part| part.strip_prefix("path=")).unwrap_or("/");
            self.cookies.retain(|(known_path, known, _)| known_path != path || known != name);
            if !value.is_empty() {
                self.cookies.push((path.to_owned(), name.to_owned(), value.to_owned()));
            }
        }
    }
}

/// What a token's header says that signed it.
pub(crate) fn algorithm(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<serde_json::Value>(&header).unwrap()["alg"].as_str().unwrap().to_owned()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}
