use std::sync::Arc;

use crate::{
    check::{Header, check},
    crypto,
    discovery::Issuer,
    error::{ProviderError, TokenError},
    keys::KeyCache,
    person::Person,
};

/// Which provider is believed, about what, and where its tokens say who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The provider's issuer, exactly as it names itself.
    pub issuer: String,
    /// The name under which Lull is registered there: a token for another one is refused.
    pub client_id: String,
    /// The claim that lists a person's groups.
    pub groups_claim: String,
    /// The claim that names the person, which must then be there; `None`: `email`, else `preferred_username`, else `sub`.
    pub user_claim: Option<String>,
}

impl Trust {
    /// A provider with the usual claims.
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), client_id: client_id.into(), groups_claim: "groups".into(), user_claim: None }
    }
}

/// Says whom an ID token is about, or why it is about nobody. To be kept: it holds the provider's keys.
#[derive(Debug)]
pub struct Verifier {
    trust: Trust,
    keys: KeyCache,
}

impl Verifier {
    /// Asks nobody yet: the provider's keys are fetched with the first token, again after an hour, and for an unknown
    /// key at most once a minute.
    ///
    /// # Errors
    /// When the issuer is no address that may be asked, or this machine's certificates cannot be read.
    pub fn new(trust: Trust) -> Result<Self, ProviderError> {
        crypto::install();
        let keys = KeyCache::new(Issuer::parse(&trust.issuer)?)?;
        Ok(Self { trust, keys })
    }

    /// Whom the token is about. `nonce` is what this login must have been started with; `now_s` is the time in seconds
    /// since 1970.
    ///
    /// # Errors
    /// When the token is damaged, forged, over, or meant for another login, application or organisation, when it names
    /// nobody, or when the provider's keys cannot be fetched.
    pub async fn verify(&self, token: &str, nonce: &str, now_s: u64) -> Result<Person, TokenError> {
        let header = Header::read(token)?;
        let keys = self.keys.keys(now_s).await?;
        match check(token, &header, &keys, &self.trust, nonce, now_s) {
            Err(TokenError::KeyUnknown) => {}
            checked => return checked,
        }
        let newer = self.keys.keys_after(&keys, now_s).await?;
        if Arc::ptr_eq(&keys, &newer) {
            return Err(TokenError::KeyUnknown);
        }
        check(token, &header, &newer, &self.trust, nonce, now_s)
    }
}
