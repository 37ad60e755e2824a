use std::{sync::Arc, time::Duration};

use reqwest::{Client, Response, StatusCode, header, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt as _;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use crate::{discovery::Issuer, error::ProviderError};

/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For one request with its whole answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of an answer. The largest there are hold keys with their chains of certificates: tens of KiB.
pub(crate) const BODY_BYTES_MAX: usize = 512 * 1024;

/// Asks one provider. No redirect is followed: it would carry a code, or our trust, to an address nobody configured.
#[derive(Debug)]
pub(crate) struct Web {
    client: Client,
}

impl Web {
    /// # Errors
    /// When the machine's certificates cannot be read.
    pub(crate) fn new(issuer: &Issuer) -> Result<Self, ProviderError> {
        let broken = |error: &dyn std::fmt::Display| ProviderError::Certificates(error.to_string());
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| broken(&error))?;
        // What is only ever asked on this machine needs nobody's certificates, and no proxy.
        let tls = if issuer.is_loopback() {
            tls.with_root_certificates(RootCertStore::empty())
        } else {
            tls.with_platform_verifier().map_err(|error| broken(&error))?
        };
        let client = Client::builder()
            .tls_backend_preconfigured(tls.with_no_client_auth())
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_max_idle_per_host(1);
        let client = if issuer.is_loopback() { client.no_proxy() } else { client };
        Ok(Self { client: client.build().map_err(|error| broken(&error))? })
    }

    /// Fetches JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, url: &Url) -> Result<T, ProviderError> {
        let response = self.client.get(url.clone()).header(header::ACCEPT, "application/json").send().await;
        let (status, body) = whole(response, url).await?;
        if status != StatusCode::OK {
            return Err(ProviderError::Status {
                host: host(url),
                path: url.path().to_owned(),
                status: status.as_u16(),
            });
        }
        object(&body).ok_or_else(|| malformed(url))
    }

    /// Posts a form; the answer's status and body, whatever the status.
    pub(crate) async fn form(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
    ) -> Result<(StatusCode, Vec<u8>), ProviderError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self
            .client
            .post(url.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        whole(request.send().await, url).await
    }
}

async fn whole(response: Result<Response, reqwest::Error>, url: &Url) -> Result<(StatusCode, Vec<u8>), ProviderError> {
    let failed = |error: reqwest::Error| {
        if error.is_timeout() {
            ProviderError::Slow { host: host(url) }
        } else {
            ProviderError::Unreachable { host: host(url) }
        }
    };
    let mut response = response.map_err(failed)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(ProviderError::TooMuch { host: host(url) });
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), body))
}

/// JSON that is an object. By itself serde would read a list into the fields of a struct, too.
pub(crate) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let object: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    serde_json::from_value(Value::Object(object)).ok()
}

pub(crate) fn malformed(url: &Url) -> ProviderError {
    ProviderError::Malformed { host: host(url), path: url.path().to_owned() }
}

fn host(url: &Url) -> String {
    url[url::Position::BeforeHost..url::Position::AfterPort].to_owned()
}
