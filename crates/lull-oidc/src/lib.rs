//! People log in with their organisation's OpenID provider: [`Flow`] on the person's machine, [`Verifier`] on the relay.
//! It must never know Lull's wire, its nodes or its relay: only OpenID Connect, HTTP, and what a fault is.
//!
//! `jsonwebtoken` reads tokens and keys, ring verifies and reqwest fetches: 38 small crates on top of what the workspace
//! builds anyway. `openidconnect` needs 92, among them `rsa` with an advisory that has no fix (RUSTSEC-2023-0071), and
//! would leave `nbf` and a missing `azp` to us all the same.

mod callback;
mod check;
mod crypto;
mod discovery;
mod error;
mod flow;
mod http;
mod keys;
mod person;
mod verifier;

#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod flow_tests;
#[cfg(test)]
mod forge;
#[cfg(test)]
mod keys_tests;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod tls_tests;

pub use check::{SKEW_S, TOKEN_BYTES_MAX};
pub use error::{LoginError, ProviderError, TokenError};
pub use flow::{App, Flow, Login, WAIT};
pub use person::{GROUP_BYTES_MAX, GROUPS_MAX, Person, USER_BYTES_MAX};
pub use verifier::{Trust, Verifier};
