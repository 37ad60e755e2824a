use serde_json::Value;

use crate::{check::Claims, error::TokenError, verifier::Trust};

/// Bytes of a person's name.
pub const USER_BYTES_MAX: usize = 128;
/// Groups of one person that count.
pub const GROUPS_MAX: usize = 64;
/// Bytes of a group's name.
pub const GROUP_BYTES_MAX: usize = 64;
/// Bytes of a subject (OpenID Connect Core, 2).
const SUBJECT_BYTES_MAX: usize = 255;

/// Whom the organisation's provider vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The provider's own name for the person: never given to another, seldom readable.
    pub subject: String,
    /// The name that people and rules use.
    pub user: String,
    /// The groups the person is in, each once, in the provider's order.
    pub groups: Vec<String>,
    /// How many groups were left out: too long, too many, or no plain text.
    pub groups_dropped: usize,
    /// Until when the provider vouches, in seconds since 1970.
    pub until_s: u64,
}

/// # Errors
/// When nobody is named, or in a way that could deceive.
pub(crate) fn person(claims: &Claims, trust: &Trust, until_s: u64) -> Result<Person, TokenError> {
    let subject = match claims.get("sub") {
        Some(Value::String(subject)) => subject,
        Some(_) => return Err(TokenError::Claim("sub")),
        None => return Err(TokenError::Missing("sub")),
    };
    if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX || subject.chars().any(char::is_control) {
        return Err(TokenError::Claim("sub"));
    }
    let user = user(claims, trust.user_claim.as_deref(), subject)?;
    let (groups, groups_dropped) = groups(claims, &trust.groups_claim)?;
    Ok(Person { subject: subject.clone(), user, groups, groups_dropped, until_s })
}

fn user(claims: &Claims, wanted: Option<&str>, subject: &str) -> Result<String, TokenError> {
    let stated = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (claim, user) = match wanted {
        Some(name) => (name, stated(name).ok_or_else(|| TokenError::UserMissing(name.to_owned()))?),
        None => ["email", "preferred_username"]
            .into_iter()
            .find_map(|name| stated(name).map(|text| (name, text)))
            .unwrap_or(("sub", subject)),
    };
    // Some providers send the text "false".
    let unverified =
        claims.get("email_verified").is_some_and(|said| *said == Value::Bool(false) || said.as_str() == Some("false"));
    if claim == "email" && unverified {
        return Err(TokenError::EmailUnverified);
    }
    if user.chars().any(char::is_control) {
        return Err(TokenError::UserControl);
    }
    if user.len() > USER_BYTES_MAX {
        return Err(TokenError::UserTooLong);
    }
    Ok(user.to_owned())
}

/// The groups that count, and how many do not. No such claim means no groups.
fn groups(claims: &Claims, name: &str) -> Result<(Vec<String>, usize), TokenError> {
    let listed = match claims.get(name) {
        None | Some(Value::Null) => return Ok((Vec::new(), 0)),
        Some(Value::Array(listed)) => listed,
        Some(_) => return Err(TokenError::GroupsNotList(name.to_owned())),
    };
    let plain = |text: &&str| !text.is_empty() && text.len() <= GROUP_BYTES_MAX && !text.chars().any(char::is_control);
    let mut kept: Vec<String> = Vec::new();
    let mut dropped = 0;
    for group in listed {
        match group.as_str().filter(plain) {
            Some(text) if kept.iter().any(|known| known == text) => {}
            Some(text) if kept.len() < GROUPS_MAX => kept.push(text.to_owned()),
            _ => dropped += 1,
        }
    }
    Ok((kept, dropped))
}
