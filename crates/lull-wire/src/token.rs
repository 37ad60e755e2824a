use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    PublicKey, SecretKey, Signed,
    frame::{self, LENGTH_BYTES},
    identity::{Invitation, RelayStatement},
};

/// All that a machine needs to join: where the relay is, what to trust, and the invitation with its key.
#[derive(Clone, Serialize, Deserialize)]
pub struct Token {
    /// Where the relay listens, as `host:port`.
    pub relay: String,
    /// The organisation's root key.
    pub root: PublicKey,
    /// Root's word on the relay.
    pub statement: Signed<RelayStatement>,
    /// Root's permission to join.
    pub invitation: Signed<Invitation>,
    /// The invitation's secret key, which certifies the device.
    #[serde(with = "serde_bytes")]
    secret: [u8; 32],
}

const PREFIX: &str = "lull1-";
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// A text is not a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a Lull token: {0}. Copy the whole last line of `lull admin --dir DIR token create`, which starts with {PREFIX}"
)]
pub struct TokenError(&'static str);

impl Token {
    /// A token for one invitation.
    #[must_use]
    pub fn new(
        relay: String,
        root: PublicKey,
        statement: Signed<RelayStatement>,
        invitation: Signed<Invitation>,
        secret: &SecretKey,
    ) -> Self {
        Self { relay, root, statement, invitation, secret: *secret.to_bytes() }
    }

    /// The invitation's secret key.
    #[must_use]
    pub fn secret(&self) -> SecretKey {
        SecretKey::from_bytes(&self.secret)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.secret);
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frame = frame::encode(self, TOKEN_BYTES_MAX).map_err(|_| fmt::Error)?;
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(&frame[LENGTH_BYTES..]))
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        // Programs that send mail break lines, and people copy what stands before.
        let start = text.find(PREFIX).ok_or(TokenError("its beginning is missing"))?;
        let body = &text[start + PREFIX.len()..];
        if body.len() > TOKEN_BYTES_MAX * 2 {
            return Err(TokenError("it is too long"));
        }
        let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
        let bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| TokenError("it is damaged or cut off"))?;
        let token: Self = frame::decode(&bytes).map_err(|_| TokenError("it is damaged or cut off"))?;
        let invitation = token.invitation.open(&token.root).map_err(|_| TokenError("its invitation is not signed"))?;
        token.statement.open(&token.root).map_err(|_| TokenError("its relay is not signed"))?;
        if invitation.key != token.secret().public() {
            return Err(TokenError("its key does not belong to its invitation"));
        }
        Ok(token)
    }
}
