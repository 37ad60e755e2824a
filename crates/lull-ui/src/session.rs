//! Who is signed in: one-time tokens, and the sessions that they were changed into. All of it is in memory only.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

/// How long a token can be used.
pub const TOKEN_MAX: Duration = Duration::from_secs(10 * 60);
/// The most tokens that wait to be used; the oldest gives way.
pub const TOKENS_MAX: usize = 16;
/// How long a session may rest; then it is over.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(7 * 86_400);
/// The most sessions; the one that rests longest gives way.
pub const SESSIONS_MAX: usize = 64;

/// The length of tokens and sessions, in random bytes.
const SECRET_BYTES: usize = 32;

/// Something that only who was told can say. No `Debug`: it is a secret.
pub(crate) struct Secret([u8; SECRET_BYTES]);

impl Secret {
    fn fresh() -> io::Result<Self> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self(bytes))
    }

    /// As it stands in an address or a header: lower-case hexadecimal.
    pub(crate) fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// A secret and since when it counts.
struct Kept {
    text: String,
    since: Instant,
}

/// Secrets, the oldest first.
struct Ring {
    kept: VecDeque<Kept>,
    count_max: usize,
    age_max: Duration,
}

impl Ring {
    const fn new(count_max: usize, age_max: Duration) -> Self {
        Self { kept: VecDeque::new(), count_max, age_max }
    }

    fn add(&mut self, secret: &Secret, now: Instant) {
        self.forget(now);
        while self.kept.len() >= self.count_max {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept { text: secret.text(), since: now });
    }

    /// Takes a secret out. Every one is compared, and each to its end, so that time tells nothing.
    fn take(&mut self, said: &str, now: Instant) -> Option<Kept> {
        self.forget(now);
        let mut found = None;
        for (place, kept) in self.kept.iter().enumerate() {
            if bool::from(kept.text.as_bytes().ct_eq(said.as_bytes())) {
                found = Some(place);
            }
        }
        self.kept.remove(found?)
    }

    fn forget(&mut self, now: Instant) {
        self.kept.retain(|kept| now.saturating_duration_since(kept.since) < self.age_max);
    }
}

/// Tokens and sessions.
pub(crate) struct Sessions {
    rings: Mutex<(Ring, Ring)>,
}

impl Sessions {
    pub(crate) const fn new() -> Self {
        let tokens = Ring::new(TOKENS_MAX, TOKEN_MAX);
        let sessions = Ring::new(SESSIONS_MAX, SESSION_IDLE_MAX);
        Self { rings: Mutex::new((tokens, sessions)) }
    }

    fn rings(&self) -> MutexGuard<'_, (Ring, Ring)> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token that can be used once.
    pub(crate) fn invite(&self) -> io::Result<String> {
        let token = Secret::fresh()?;
        self.rings().0.add(&token, Instant::now());
        Ok(token.text())
    }

    /// Changes a token into a session; `None` when it is none, or not any more.
    pub(crate) fn sign_in(&self, token: &str) -> io::Result<Option<String>> {
        let session = Secret::fresh()?;
        let (tokens, sessions) = &mut *self.rings();
        let now = Instant::now();
        Ok(tokens.take(token, now).map(|_| {
            sessions.add(&session, now);
            session.text()
        }))
    }

    /// Whether somebody is signed in; that they asked keeps them so.
    pub(crate) fn knows(&self, session: &str) -> bool {
        let sessions = &mut self.rings().1;
        let now = Instant::now();
        let found = sessions.take(session, now);
        let known = found.is_some();
        sessions.kept.extend(found.map(|kept| Kept { since: now, ..kept }));
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_token_works_once_and_for_ten_minutes() {
        let sessions = Sessions::new();
        let token = sessions.invite().unwrap();
        assert_eq!(token.len(), 64);
        assert!(sessions.sign_in(&token).unwrap().is_some());
        assert!(sessions.sign_in(&token).unwrap().is_none(), "used up");
        let (late, fine) = (sessions.invite().unwrap(), sessions.invite().unwrap());
        assert_ne!(late, fine);
        tokio::time::advance(TOKEN_MAX.checked_sub(Duration::from_secs(1)).unwrap()).await;
        assert!(sessions.sign_in(&fine).unwrap().is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(sessions.sign_in(&late).unwrap().is_none(), "expired");
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_many_tokens_the_oldest_gives_way() {
        let sessions = Sessions::new();
        let tokens: Vec<String> = (0..=TOKENS_MAX).map(|_| sessions.invite().unwrap()).collect();
        assert!(sessions.sign_in(&tokens[0]).unwrap().is_none());
        assert!(sessions.sign_in(&tokens[1]).unwrap().is_some());
        assert!(sessions.sign_in(&tokens[TOKENS_MAX]).unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_used_goes_on_and_one_that_rests_ends() {
        let sessions = Sessions::new();
        let signed_in = || sessions.sign_in(&sessions.invite().unwrap()).unwrap().unwrap();
        let (used, rests) = (signed_in(), signed_in());
        for _ in 0..3 {
            tokio::time::advance(SESSION_IDLE_MAX / 2).await;
            assert!(sessions.knows(&used));
        }
        assert!(!sessions.knows(&rests));
        let more: Vec<String> = (0..SESSIONS_MAX - 1).map(|_| signed_in()).collect();
        assert!(sessions.knows(&used));
        let last = signed_in();
        assert!(sessions.knows(&used) && sessions.knows(&last), "what is used stays");
        assert!(!sessions.knows(&more[0]), "what rested longest gave way");
        assert!(!sessions.knows("") && !sessions.knows(&used[1..]));
    }
}
