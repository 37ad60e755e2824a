use std::{fmt, future::Future, net::Ipv4Addr, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::StatusCode;
use ring::digest;
use serde::Deserialize;
use tokio::{net::TcpListener, time::timeout};
use url::Url;

use crate::{
    callback::{self, Expected},
    check::TOKEN_BYTES_MAX,
    discovery::{Issuer, discover},
    error::{LoginError, ProviderError, shown},
    http::{Web, malformed, object},
};

/// How long a person may take at the provider.
pub const WAIT: Duration = Duration::from_secs(5 * 60);
/// Bytes of a nonce. OpenID Connect sets no bounds; a hex hash has 64.
const NONCE_BYTES: std::ops::RangeInclusive<usize> = 16..=128;
/// Random bytes of a state and of a code verifier (RFC 7636 recommends 32).
const SECRET_BYTES: usize = 32;

/// What the organisation's provider knows Lull as: a public client that may come back to `http://127.0.0.1/callback` on
/// any port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// The provider's issuer, exactly as it names itself.
    pub issuer: String,
    /// The name under which Lull is registered there.
    pub client_id: String,
    /// What is asked for beside `openid`; usually `email` and `profile`, for some providers `groups`.
    pub scopes: Vec<String>,
}

/// One login that has begun: its page waits to be opened, its port to be come back to.
pub struct Flow {
    url: Url,
    listener: TcpListener,
    expected: Expected,
    redeem: Redeem,
    nonce: String,
}

/// What a login gives. It is shown to nobody and logged nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The ID token, for whoever verifies it.
    pub id_token: String,
    /// The nonce that must be in it.
    pub nonce: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").field("port", &self.expected.port).finish_non_exhaustive()
    }
}

impl Flow {
    /// Asks the provider where people log in, opens a free port on 127.0.0.1 and prepares the page's address. The caller
    /// chooses the nonce: it is what binds the token to a device.
    ///
    /// # Errors
    /// When the provider cannot be reached or offers nothing safe, no port is free, or the nonce is unusable.
    pub async fn begin(app: &App, nonce: &str) -> Result<Self, LoginError> {
        let plain = nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !plain || !NONCE_BYTES.contains(&nonce.len()) {
            return Err(LoginError::BadNonce);
        }
        let issuer = Issuer::parse(&app.issuer)?;
        let web = Web::new(&issuer)?;
        let endpoints = discover(&web, &issuer).await?;
        if endpoints.offers_s256 == Some(false) {
            return Err(ProviderError::NoPkce.into());
        }
        let cannot_listen = |error: std::io::Error| LoginError::Listen(error.to_string());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(cannot_listen)?;
        let port = listener.local_addr().map_err(cannot_listen)?.port();
        let redeem = Redeem {
            web,
            endpoint: endpoints.token,
            client_id: app.client_id.clone(),
            redirect: format!("http://127.0.0.1:{port}{}", callback::PATH),
            verifier: secret()?,
        };
        let expected = Expected {
            port,
            state: secret()?,
            issuer: issuer.as_str().to_owned(),
            names_itself: endpoints.names_itself,
        };
        let mut url = endpoints.authorization;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &app.client_id)
            .append_pair("redirect_uri", &redeem.redirect)
            .append_pair("scope", &scope(&app.scopes))
            .append_pair("state", &expected.state)
            .append_pair("nonce", nonce)
            .append_pair("code_challenge", &challenge(&redeem.verifier))
            .append_pair("code_challenge_method", "S256");
        Ok(Self { url, listener, expected, redeem, nonce: nonce.to_owned() })
    }

    /// The page at which the person logs in: to be opened in a browser on this machine.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Waits, [`WAIT`] at most, until the browser has come back, and has its code turned into an ID token. Ends at once
    /// when `cancelled` does; dropping it closes the port, too.
    ///
    /// # Errors
    /// When nobody logs in, the person declines, the browser comes back from another login, or the provider refuses.
    pub async fn finish(self, cancelled: impl Future<Output = ()>) -> Result<Login, LoginError> {
        let login = async {
            let code = callback::wait(self.listener, self.expected).await?;
            let id_token = self.redeem.run(&code).await?;
            Ok(Login { id_token, nonce: self.nonce })
        };
        tokio::select! {
            biased;
            () = cancelled => Err(LoginError::Cancelled),
            login = timeout(WAIT, login) => login.unwrap_or(Err(LoginError::TimedOut)),
        }
    }
}

/// All that turns a code into a token.
struct Redeem {
    web: Web,
    endpoint: Url,
    client_id: String,
    redirect: String,
    verifier: String,
}

#[derive(Deserialize)]
struct Granted {
    id_token: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl Redeem {
    async fn run(&self, code: &str) -> Result<String, LoginError> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect.as_str()),
            ("client_id", self.client_id.as_str()),
            ("code_verifier", self.verifier.as_str()),
        ];
        let (status, body) = self.web.form(&self.endpoint, &fields).await?;
        if status != StatusCode::OK {
            let said = object(&body).map(|refused: Refused| refused.error);
            return Err(LoginError::CodeRefused(shown(&said.unwrap_or_else(|| format!("HTTP {}", status.as_u16())))));
        }
        let granted: Granted = object(&body).ok_or_else(|| malformed(&self.endpoint))?;
        let usable = |token: &String| !token.is_empty() && token.len() <= TOKEN_BYTES_MAX;
        granted.id_token.filter(usable).ok_or(LoginError::NoIdToken)
    }
}

fn scope(wanted: &[String]) -> String {
    let rest = wanted.iter().map(String::as_str).filter(|scope| *scope != "openid");
    std::iter::once("openid").chain(rest).collect::<Vec<_>>().join(" ")
}

fn secret() -> Result<String, LoginError> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| LoginError::NoRandom)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert_eq!(one.len(), 43);
        assert_ne!(one, other);
    }

    #[test]
    fn openid_is_asked_for_once() {
        assert_eq!(scope(&[]), "openid");
        assert_eq!(scope(&["email".into(), "openid".into(), "groups".into()]), "openid email groups");
    }
}
