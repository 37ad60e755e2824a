use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::Jwk};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    crypto::ACCEPTED,
    error::{TokenError, shown},
    http::object,
    keys::KeySet,
    person::{Person, person},
    verifier::Trust,
};

/// Bytes of an ID token. One with sixty groups has about 5 KiB.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Seconds by which the clocks of relay and provider may differ.
pub const SKEW_S: u64 = 300;

/// A token's claims, by name.
pub(crate) type Claims = Map<String, Value>;

/// What the outside of a token says: nothing of it is believed before the signature holds.
#[derive(Debug)]
pub(crate) struct Header {
    algorithm: Algorithm,
    kid: Option<String>,
}

impl Header {
    /// # Errors
    /// When the token is none, or one of a kind that is never accepted.
    pub(crate) fn read(token: &str) -> Result<Self, TokenError> {
        #[derive(Deserialize)]
        struct Raw {
            alg: String,
            kid: Option<String>,
            typ: Option<String>,
            crit: Option<Value>,
        }
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, _, _] = parts[..] else { return Err(TokenError::Malformed) };
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| TokenError::Malformed)?;
        let raw: Raw = object(&header).ok_or(TokenError::Malformed)?;
        let algorithm = raw.alg.parse().ok().filter(|algorithm| ACCEPTED.contains(algorithm));
        let algorithm = algorithm.ok_or_else(|| TokenError::Algorithm(shown(&raw.alg)))?;
        match raw.typ {
            Some(kind) if !kind.eq_ignore_ascii_case("JWT") => return Err(TokenError::Type(shown(&kind))),
            _ => {}
        }
        if raw.crit.is_some() {
            return Err(TokenError::Critical);
        }
        Ok(Self { algorithm, kid: raw.kid })
    }
}

/// Whom a token is about, if all of it holds.
///
/// # Errors
/// The first reason for which it does not; [`TokenError::KeyUnknown`] may be over once the keys are fetched anew.
pub(crate) fn check(
    token: &str,
    header: &Header,
    keys: &KeySet,
    trust: &Trust,
    nonce: &str,
    now_s: u64,
) -> Result<Person, TokenError> {
    let candidates = keys.find(header.kid.as_deref(), header.algorithm)?;
    let claims = signed(token, header.algorithm, &candidates)?;
    origin(&claims, trust)?;
    let until_s = time(&claims, now_s)?;
    match claims.get("nonce") {
        Some(Value::String(found)) if found == nonce => {}
        Some(Value::String(_)) => return Err(TokenError::Nonce),
        Some(_) => return Err(TokenError::Claim("nonce")),
        None => return Err(TokenError::Missing("nonce")),
    }
    person(&claims, trust, until_s)
}

/// The claims, if one of the keys signed them. Only the signature is looked at here: the clock is an argument, and each
/// claim has a reason of its own.
fn signed(token: &str, algorithm: Algorithm, candidates: &[&Jwk]) -> Result<Claims, TokenError> {
    let mut only_signature = Validation::new(algorithm);
    only_signature.required_spec_claims.clear();
    only_signature.validate_exp = false;
    only_signature.validate_aud = false;
    for key in candidates {
        let Ok(key) = DecodingKey::from_jwk(key) else { continue };
        match decode::<Value>(token, &key, &only_signature) {
            Ok(data) => match data.claims {
                Value::Object(claims) => return Ok(claims),
                _ => return Err(TokenError::Malformed),
            },
            Err(error) if error.kind() == &jsonwebtoken::errors::ErrorKind::InvalidSignature => {}
            Err(_) => return Err(TokenError::Malformed),
        }
    }
    Err(TokenError::Signature)
}

/// OpenID Connect Core, 3.1.3.7, steps 2 to 5; a missing `azp` beside several audiences is refused, as its first edition
/// had it.
fn origin(claims: &Claims, trust: &Trust) -> Result<(), TokenError> {
    match claims.get("iss") {
        Some(Value::String(issuer)) if *issuer == trust.issuer => {}
        Some(Value::String(_)) => return Err(TokenError::Issuer),
        Some(_) => return Err(TokenError::Claim("iss")),
        None => return Err(TokenError::Missing("iss")),
    }
    let audiences = match claims.get("aud") {
        Some(one @ Value::String(_)) => std::slice::from_ref(one),
        Some(Value::Array(several)) => several.as_slice(),
        Some(_) => return Err(TokenError::Claim("aud")),
        None => return Err(TokenError::Missing("aud")),
    };
    if audiences.iter().any(|audience| !audience.is_string()) {
        return Err(TokenError::Claim("aud"));
    }
    if !audiences.iter().any(|audience| audience.as_str() == Some(&trust.client_id)) {
        return Err(TokenError::Audience);
    }
    match claims.get("azp") {
        Some(Value::String(party)) if *party == trust.client_id => Ok(()),
        Some(Value::String(_)) => Err(TokenError::Party),
        Some(_) => Err(TokenError::Claim("azp")),
        None if audiences.len() > 1 => Err(TokenError::NoParty),
        None => Ok(()),
    }
}

/// When the token ends, in seconds since 1970, if it holds now.
fn time(claims: &Claims, now_s: u64) -> Result<u64, TokenError> {
    let until_s = seconds(claims, "exp")?.ok_or(TokenError::Missing("exp"))?;
    let issued_s = seconds(claims, "iat")?.ok_or(TokenError::Missing("iat"))?;
    let from_s = seconds(claims, "nbf")?.unwrap_or(0);
    if until_s.saturating_add(SKEW_S) <= now_s {
        return Err(TokenError::Expired);
    }
    let latest_s = now_s.saturating_add(SKEW_S);
    if issued_s > latest_s {
        return Err(TokenError::Future);
    }
    if from_s > latest_s {
        return Err(TokenError::NotYet);
    }
    Ok(until_s)
}

/// A time as the standard writes it: a number of seconds, of which some providers send fractions.
fn seconds(claims: &Claims, name: &'static str) -> Result<Option<u64>, TokenError> {
    /// Up to here a double is exact to the second.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            let whole = number.as_u64();
            let fraction = number.as_f64().filter(|seconds| (0.0..EXACT_MAX).contains(seconds));
            let seconds = whole.or_else(|| fraction.map(|seconds| seconds as u64));
            seconds.map(Some).ok_or(TokenError::Claim(name))
        }
        Some(_) => Err(TokenError::Claim(name)),
    }
}
