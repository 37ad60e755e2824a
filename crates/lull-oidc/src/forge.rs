//! Keys and ID tokens as a provider would make them, and as nobody should.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
        RsaEncoding, RsaKeyPair,
    },
};
use serde_json::{Value, json};

use crate::{keys::KeySet, verifier::Trust};

pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const CLIENT: &str = "lull";
pub(crate) const NONCE: &str = "5feceb66ffc86f38d952786c6d696c79";
pub(crate) const NOW_S: u64 = 1_800_000_000;

/// A key pair; ring makes those of elliptic curves, and an RSA key for tests lies beside the sources.
pub(crate) enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    pub(crate) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(include_bytes!("../testdata/rsa-2048.pk8")).unwrap())
    }

    pub(crate) fn ec() -> Self {
        let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap())
    }

    pub(crate) fn ed() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(pair) => {
                let key: rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "kid": kid, "use": "sig", "n": coded(&key.n), "e": coded(&key.e)})
            }
            Self::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "kid": kid, "use": "sig", "crv": "P-256", "x": coded(x), "y": coded(y)})
            }
            Self::Ed(pair) => {
                json!({"kty": "OKP", "kid": kid, "use": "sig", "crv": "Ed25519", "x": coded(pair.public_key())})
            }
        }
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let padding: &dyn RsaEncoding = if algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token with this header and these claims, signed as the header's `alg` says.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = self.sign(header["alg"].as_str().unwrap_or_default(), message.as_bytes());
        format!("{message}.{}", coded(signature))
    }
}

pub(crate) fn coded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", coded(header.to_string()), coded(claims.to_string()))
}

/// A token "signed" with a shared secret that everybody knows: the public key.
pub(crate) fn with_secret(claims: &Value, secret: &str) -> String {
    let message = message(&json!({"alg": "HS256", "kid": "k1"}), claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message.as_bytes());
    format!("{message}.{}", coded(tag))
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": CLIENT, "sub": "u-17", "nonce": NONCE,
        "iat": NOW_S - 10, "nbf": NOW_S - 10, "exp": NOW_S + 3600,
        "email": "ada@lull.example", "preferred_username": "ada", "groups": ["research", "admins"],
    })
}

/// The usual claims with one changed; `null` takes it away.
pub(crate) fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

pub(crate) fn trust() -> Trust {
    Trust::new(ISSUER, CLIENT)
}

pub(crate) fn keys(signers: &[(&str, &Signer)]) -> KeySet {
    KeySet::from_values(signers.iter().map(|(kid, signer)| signer.jwk(kid)).collect())
}
