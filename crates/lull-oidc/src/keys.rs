use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::{
    Algorithm,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{
    discovery::{Issuer, discover},
    error::{ProviderError, TokenError},
    http::Web,
};

/// Keys that are looked at. Large providers publish about ten.
const KEYS_MAX: usize = 64;
/// Seconds after which keys are fetched again, so that one taken back stops counting.
const FRESH_S: u64 = 60 * 60;
/// Seconds after which keys stop counting when they cannot be fetched again.
const STALE_S: u64 = 24 * 60 * 60;
/// Seconds between two fetches: whoever sends unknown key names must not have the provider flooded.
const REFETCH_S: u64 = 60;
/// Seconds between two fetches as long as there are no keys at all.
const RETRY_S: u64 = 5;

/// The provider's public keys.
#[derive(Debug)]
pub(crate) struct KeySet(Vec<Jwk>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// A key that is not understood is left out; providers publish kinds that nobody uses yet.
    fn from_document(document: Document) -> Self {
        let known = document.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Self(known.take(KEYS_MAX).collect())
    }

    #[cfg(test)]
    pub(crate) fn from_values(keys: Vec<Value>) -> Self {
        Self::from_document(Document { keys })
    }

    /// The keys that may have signed a token with this header.
    ///
    /// # Errors
    /// When there is none, or the header names none and several fit.
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Vec<&Jwk>, TokenError> {
        let named = |key: &&Jwk| kid.is_none() || key.common.key_id.as_deref() == kid;
        let found: Vec<&Jwk> = self.0.iter().filter(named).filter(|key| fits(key, algorithm)).collect();
        match (found.len(), kid) {
            (0, _) => Err(TokenError::KeyUnknown),
            (2.., None) => Err(TokenError::KeyAmbiguous),
            _ => Ok(found),
        }
    }
}

/// Whether a key is there to verify such signatures.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let used = common.public_key_use.as_ref().is_none_or(|stated| *stated == PublicKeyUse::Signature);
    let operates = common.key_operations.as_ref().is_none_or(|stated| stated.contains(&KeyOperations::Verify));
    let (kind, stated) = match (algorithm, &key.algorithm) {
        (Algorithm::RS256, AlgorithmParameters::RSA(_)) => (true, KeyAlgorithm::RS256),
        (Algorithm::PS256, AlgorithmParameters::RSA(_)) => (true, KeyAlgorithm::PS256),
        (Algorithm::ES256, AlgorithmParameters::EllipticCurve(key)) => {
            (key.curve == EllipticCurve::P256, KeyAlgorithm::ES256)
        }
        (Algorithm::EdDSA, AlgorithmParameters::OctetKeyPair(key)) => {
            (key.curve == EllipticCurve::Ed25519, KeyAlgorithm::EdDSA)
        }
        _ => return false,
    };
    kind && used && operates && common.key_algorithm.is_none_or(|found| found == stated)
}

/// Keys as they were fetched last.
#[derive(Debug, Clone)]
struct Fetched {
    keys: Arc<KeySet>,
    at_s: u64,
}

/// The last time that the provider was asked.
#[derive(Debug, Default)]
struct Attempt {
    at_s: Option<u64>,
    failed: Option<ProviderError>,
}

/// The provider's keys, fetched when needed. Known keys are read without waiting for a fetch.
#[derive(Debug)]
pub(crate) struct KeyCache {
    issuer: Issuer,
    web: Web,
    fetched: RwLock<Option<Fetched>>,
    attempt: Mutex<Attempt>,
}

impl KeyCache {
    pub(crate) fn new(issuer: Issuer) -> Result<Self, ProviderError> {
        let web = Web::new(&issuer)?;
        Ok(Self { issuer, web, fetched: RwLock::new(None), attempt: Mutex::default() })
    }

    /// The keys, fetched if there are none yet or they are an hour old.
    ///
    /// # Errors
    /// When there are none and the provider gives none.
    pub(crate) async fn keys(&self, now_s: u64) -> Result<Arc<KeySet>, ProviderError> {
        match self.fetched() {
            Some(fetched) if now_s.saturating_sub(fetched.at_s) < FRESH_S => Ok(fetched.keys),
            fetched => self.fetch(now_s, fetched.as_ref()).await,
        }
    }

    /// The keys after `seen` lacked one: newer ones if the provider may be asked again, else the same.
    ///
    /// # Errors
    /// When the keys are too old to count and the provider gives none.
    pub(crate) async fn keys_after(&self, seen: &Arc<KeySet>, now_s: u64) -> Result<Arc<KeySet>, ProviderError> {
        match self.fetched() {
            Some(fetched) if !Arc::ptr_eq(&fetched.keys, seen) => Ok(fetched.keys),
            fetched => self.fetch(now_s, fetched.as_ref()).await,
        }
    }

    fn fetched(&self) -> Option<Fetched> {
        self.fetched.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the provider, one caller at a time; whoever waited takes what the one before got.
    async fn fetch(&self, now_s: u64, seen: Option<&Fetched>) -> Result<Arc<KeySet>, ProviderError> {
        let mut attempt = self.attempt.lock().await;
        let held = self.fetched();
        if let Some(newer) = &held
            && seen.is_none_or(|seen| !Arc::ptr_eq(&seen.keys, &newer.keys))
        {
            return Ok(Arc::clone(&newer.keys));
        }
        let usable = held.filter(|held| now_s.saturating_sub(held.at_s) < STALE_S).map(|held| held.keys);
        let pause_s = if usable.is_some() { REFETCH_S } else { RETRY_S };
        // A clock that was set back must not keep the provider from being asked.
        let soon = attempt.at_s.and_then(|at_s| now_s.checked_sub(at_s)).is_some_and(|since_s| since_s < pause_s);
        if !soon {
            attempt.at_s = Some(now_s);
            attempt.failed = match self.ask().await {
                Ok(keys) => {
                    let keys = Arc::new(keys);
                    let fetched = Fetched { keys: Arc::clone(&keys), at_s: now_s };
                    *self.fetched.write().unwrap_or_else(PoisonError::into_inner) = Some(fetched);
                    attempt.failed = None;
                    return Ok(keys);
                }
                Err(error) => Some(error),
            };
        }
        match (usable, &attempt.failed) {
            (Some(keys), _) => Ok(keys),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Err(ProviderError::Unreachable { host: self.issuer.as_str().to_owned() }),
        }
    }

    async fn ask(&self) -> Result<KeySet, ProviderError> {
        let endpoints = discover(&self.web, &self.issuer).await?;
        Ok(KeySet::from_document(self.web.json(&endpoints.keys).await?))
    }
}
