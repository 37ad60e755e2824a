use serde::Deserialize;
use url::{Host, Url};

use crate::{
    error::{ProviderError, shown},
    http::Web,
};

/// Bytes of an issuer's address.
const ISSUER_BYTES_MAX: usize = 512;

/// An issuer that may be asked: https, or this machine itself.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    text: String,
    url: Url,
}

impl Issuer {
    /// # Errors
    /// When it is no https address (or http on a loopback address), or has a user, a query or a fragment.
    pub(crate) fn parse(text: &str) -> Result<Self, ProviderError> {
        let wrong = || ProviderError::Issuer(shown(text));
        if text.len() > ISSUER_BYTES_MAX {
            return Err(wrong());
        }
        let url = Url::parse(text).map_err(|_| wrong())?;
        let bare = url.username().is_empty() && url.password().is_none();
        let plain = bare && url.query().is_none() && url.fragment().is_none();
        let safe = url.scheme() == "https" && url.has_host() || http_on_loopback(&url);
        if plain && safe { Ok(Self { text: text.to_owned(), url }) } else { Err(wrong()) }
    }

    /// Exactly as it is configured: the standard compares issuers as texts.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is this machine, asked without encryption.
    pub(crate) fn is_loopback(&self) -> bool {
        http_on_loopback(&self.url)
    }

    fn well_known(&self) -> Result<Url, ProviderError> {
        let text = format!("{}/.well-known/openid-configuration", self.text.trim_end_matches('/'));
        Url::parse(&text).map_err(|_| ProviderError::Issuer(shown(&self.text)))
    }

    /// An address that the provider names, if it may be asked.
    fn endpoint(&self, text: &str, what: &'static str) -> Result<Url, ProviderError> {
        let url = Url::parse(text).map_err(|_| ProviderError::Insecure { what })?;
        let safe = url.scheme() == "https" && url.has_host() || self.is_loopback() && http_on_loopback(&url);
        if safe && url.fragment().is_none() { Ok(url) } else { Err(ProviderError::Insecure { what }) }
    }
}

/// An address, not a name: names can be made to lead anywhere.
fn http_on_loopback(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    loopback && url.scheme() == "http"
}

/// Where the provider wants to be asked what.
#[derive(Debug)]
pub(crate) struct Endpoints {
    pub(crate) authorization: Url,
    pub(crate) token: Url,
    pub(crate) keys: Url,
    /// Whether the provider says that each of its answers names it (RFC 9207).
    pub(crate) names_itself: bool,
    /// Whether S256 is among the challenges it offers; `None`: it does not say.
    pub(crate) offers_s256: Option<bool>,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    code_challenge_methods_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

/// Asks the issuer where it wants to be asked.
///
/// # Errors
/// When it cannot be reached, or says something unsafe or nonsensical.
pub(crate) async fn discover(web: &Web, issuer: &Issuer) -> Result<Endpoints, ProviderError> {
    let document: Document = web.json(&issuer.well_known()?).await?;
    if document.issuer != issuer.as_str() {
        return Err(ProviderError::OtherIssuer { wanted: shown(issuer.as_str()), found: shown(&document.issuer) });
    }
    let challenges = document.code_challenge_methods_supported;
    Ok(Endpoints {
        authorization: issuer.endpoint(&document.authorization_endpoint, "logging in")?,
        token: issuer.endpoint(&document.token_endpoint, "its tokens")?,
        keys: issuer.endpoint(&document.jwks_uri, "its keys")?,
        names_itself: document.authorization_response_iss_parameter_supported.unwrap_or(false),
        offers_s256: challenges.map(|offered| offered.iter().any(|method| method == "S256")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_asked() {
        for good in
            ["https://id.example", "https://id.example:8443/realms/a/", "http://127.0.0.1:1", "http://[::1]:1/x"]
        {
            assert!(Issuer::parse(good).is_ok(), "{good}");
        }
        let long = format!("https://id.example/{}", "x".repeat(ISSUER_BYTES_MAX));
        let bad = [
            "",
            "id.example",
            "http://id.example",
            "http://localhost:1",
            "http://127.0.0.1.nip.example",
            "http://10.0.0.1",
            "https://user@id.example",
            "https://id.example?x=1",
            "https://id.example#x",
            "file:///etc/passwd",
            long.as_str(),
        ];
        for bad in bad {
            assert!(matches!(Issuer::parse(bad), Err(ProviderError::Issuer(_))), "{bad}");
        }
    }

    #[test]
    fn a_provider_cannot_send_us_to_an_unsafe_address() {
        let far = Issuer::parse("https://id.example").unwrap();
        let near = Issuer::parse("http://127.0.0.1:1").unwrap();
        assert!(far.endpoint("https://keys.example/jwks", "its keys").is_ok());
        assert!(near.endpoint("http://127.0.0.1:2/jwks", "its keys").is_ok());
        let unsafe_ones = [
            (&far, "http://id.example/jwks"),
            (&far, "http://127.0.0.1:1/jwks"),
            (&near, "http://10.0.0.1/jwks"),
            (&far, "file:///etc/passwd"),
            (&far, "/jwks"),
        ];
        for (issuer, address) in unsafe_ones {
            let refused = issuer.endpoint(address, "its keys").unwrap_err();
            assert_eq!(refused, ProviderError::Insecure { what: "its keys" }, "{address}");
        }
    }
}
