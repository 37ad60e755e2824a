//! logind: the lock screen, other people's sessions, sessions from elsewhere, sleep, and who keeps the system awake.
//!
//! Everything comes as a signal. Each beat asks one small question to be sure that logind still answers, and every
//! [`WHOLE`] all of it is read again, since signals can be lost. No inhibitor lock is ever taken: sleep is never held
//! up.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use lull_types::{Reading, Source};
use zbus::{
    Message,
    zvariant::{OwnedObjectPath, OwnedValue},
};

use super::{
    bus::{self, Event, Properties, Service},
    rest::Moment,
};
use crate::voice::Voice;

/// Whom it speaks for.
pub(crate) const SOURCES: [Source; 4] =
    [Source::Sessions, Source::RemoteSessions, Source::Sleep, Source::SystemInhibitors];

const NAME: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const SERVICE: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const USER: &str = "org.freedesktop.login1.User";
const NOT_THERE: &str =
    "no logind on this machine, so it can lend only as one that nobody sits at: `lull node run --dedicated`";
/// The time after which everything is read again.
const WHOLE: Duration = Duration::from_secs(4);
/// More sessions than these are not read one by one.
const SESSIONS_MAX: usize = 64;

/// One line of `ListSessions`: id, user id, user name, seat, path.
type Listed = (String, u32, String, String, OwnedObjectPath);
/// One line of `ListInhibitors`: what, who, why, mode, user id, process id.
type Inhibitor = (String, String, String, String, u32, u32);

/// One session, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Session {
    path: String,
    user: u32,
    class: String,
    remote: bool,
    active: bool,
    state: String,
    service: String,
    locked: bool,
}

/// All that logind says.
struct Seen {
    sessions: Vec<Session>,
    ours: Option<String>,
    inhibitors: Vec<Inhibitor>,
    preparing: bool,
}

/// Watches logind.
pub(crate) async fn watch(mut voice: Voice) -> Result<Infallible, String> {
    let bus = bus::system(&voice).await?.ok_or(NOT_THERE)?;
    let mut logind = voice.answer("logind", Service::find(&bus, NAME, PATH)).await?;
    if !logind.is_there() {
        return Err(NOT_THERE.to_owned());
    }
    let mut seen = voice.answer("logind", read(&voice, &logind, None)).await?;
    let mut read_at = Instant::now();
    let (mut unlocked, mut woken) = (Moment::default(), Moment::default());
    loop {
        say(&voice, &seen, &unlocked, &woken);
        let mut beat = false;
        let first = tokio::select! {
            event = logind.event() => Some(event),
            () = voice.beat() => { beat = true; None }
        };
        let mut whole = read_at.elapsed() >= WHOLE;
        let mut next = first;
        while let Some(event) = next {
            let Event::Signal(signal) = event? else { return Err("logind has gone away".to_owned()) };
            whole |= hear(&signal, &mut seen, &mut unlocked, &mut woken);
            next = logind.event_now();
        }
        if whole {
            // What a signal said by itself is said before anything more is asked.
            say(&voice, &seen, &unlocked, &woken);
            let was = seen;
            seen = voice.answer("logind", read(&voice, &logind, was.ours.clone())).await?;
            read_at = Instant::now();
            if was.locked() && !seen.locked() {
                unlocked.begin(UNLOCKED);
            }
            wake(was.preparing, seen.preparing, &mut woken);
        } else if beat {
            let asked = logind.get(PATH, SERVICE, "PreparingForSleep");
            let preparing = voice.answer("logind", asked).await?;
            wake(seen.preparing, preparing, &mut woken);
            seen.preparing = preparing;
        }
    }
}

const UNLOCKED: &str = "the screen was just unlocked";

fn wake(was: bool, is: bool, woken: &mut Moment) {
    if was && !is {
        woken.begin("the machine has just woken");
    }
}

/// Takes what a signal says by itself; whether everything must be read again.
fn hear(signal: &Message, seen: &mut Seen, unlocked: &mut Moment, woken: &mut Moment) -> bool {
    let from_ours = {
        let header = signal.header();
        header.path().map(|path| path.as_str()).is_some_and(|path| seen.ours.as_deref() == Some(path))
    };
    if bus::is(signal, "PrepareForSleep") {
        let begins = signal.body().deserialize::<bool>().unwrap_or(true);
        // A wake-up whose beginning was not heard is one all the same.
        wake(true, begins, woken);
        seen.preparing = begins;
        return false;
    }
    if bus::is(signal, "Unlock") && from_ours {
        unlocked.begin(UNLOCKED);
    }
    true
}

fn say(voice: &Voice, seen: &Seen, unlocked: &Moment, woken: &Moment) {
    let just = |moment: &Moment| moment.now().map(|what| Reading::InUse { what: what.to_owned() });
    let sessions = just(unlocked).unwrap_or_else(|| sessions(&seen.sessions, seen.ours.as_deref()));
    let sleep = if seen.preparing {
        Reading::InUse { what: "the machine is going to sleep".to_owned() }
    } else {
        just(woken).unwrap_or(Reading::Clear { for_ms: 0 })
    };
    voice.say(Source::Sessions, sessions);
    voice.say(Source::RemoteSessions, remote(&seen.sessions));
    voice.say(Source::Sleep, sleep);
    voice.say(Source::SystemInhibitors, inhibitors(&seen.inhibitors));
}

impl Seen {
    fn locked(&self) -> bool {
        self.sessions.iter().any(|session| self.ours.as_ref() == Some(&session.path) && session.locked)
    }
}

impl Session {
    /// A person's, not a greeter's or a service's: `user`, `user-early`, `user-light` and so on.
    fn is_a_persons(&self) -> bool {
        self.class.starts_with("user")
    }
}

/// Whether another person's session is on the screen. Our own, locked or not, is clear here: input is watched
/// elsewhere.
fn sessions(all: &[Session], ours: Option<&str>) -> Reading {
    let own_user = all.iter().find(|session| Some(session.path.as_str()) == ours).map(|session| session.user);
    let other = all.iter().find(|session| {
        session.is_a_persons() && !session.remote && session.active && Some(session.path.as_str()) != ours
    });
    match other {
        None => Reading::Clear { for_ms: 0 },
        Some(other) if Some(other.user) == own_user => {
            Reading::InUse { what: "another session of the same person".to_owned() }
        }
        Some(_) => Reading::InUse { what: "another person's session".to_owned() },
    }
}

/// Whether anyone is logged in from elsewhere.
fn remote(all: &[Session]) -> Reading {
    let one = all.iter().find(|session| {
        session.is_a_persons() && session.remote && matches!(session.state.as_str(), "active" | "online")
    });
    one.map_or(Reading::Clear { for_ms: 0 }, |session| Reading::InUse { what: session.service.clone() })
}

/// Whether anyone keeps the system from idling. Those who only want to hear of sleep first do not count.
fn inhibitors(all: &[Inhibitor]) -> Reading {
    let one =
        all.iter().find(|(what, _, _, mode, ..)| mode.starts_with("block") && what.split(':').any(|w| w == "idle"));
    one.map_or(Reading::Clear { for_ms: 0 }, |(_, who, ..)| Reading::InUse { what: who.clone() })
}

async fn read(voice: &Voice, logind: &Service, ours: Option<String>) -> zbus::Result<Seen> {
    let listed: Vec<Listed> = logind.call(PATH, SERVICE, "ListSessions", &()).await?;
    if listed.len() > SESSIONS_MAX {
        return Err(zbus::Error::Failure(format!("it lists more than {SESSIONS_MAX} sessions")));
    }
    let mut sessions = Vec::with_capacity(listed.len());
    for (_, user, _, _, path) in &listed {
        match logind.get_all(path.as_str(), SESSION).await {
            Ok(properties) => sessions.push(session(path.as_str(), *user, properties)?),
            // It ended between the two questions.
            Err(zbus::Error::MethodError(name, ..)) if gone(name.as_str()) => {}
            Err(error) => return Err(error),
        }
    }
    let ours = match ours {
        Some(path) if sessions.iter().any(|session| session.path == path) => Some(path),
        _ => find_ours(voice, logind).await?,
    };
    let inhibitors = logind.call(PATH, SERVICE, "ListInhibitors", &()).await?;
    let preparing = logind.get(PATH, SERVICE, "PreparingForSleep").await?;
    Ok(Seen { sessions, ours, inhibitors, preparing })
}

fn gone(error: &str) -> bool {
    error.ends_with(".UnknownObject") || error.ends_with(".NoSuchSession")
}

fn session(path: &str, user: u32, mut all: Properties) -> zbus::Result<Session> {
    let mut told = || {
        Some(Session {
            path: path.to_owned(),
            user,
            class: bus::value(&mut all, "Class")?,
            remote: bus::value(&mut all, "Remote")?,
            active: bus::value(&mut all, "Active")?,
            state: bus::value(&mut all, "State")?,
            service: bus::value(&mut all, "Service").unwrap_or_default(),
            locked: bus::value(&mut all, "LockedHint").unwrap_or_default(),
        })
    };
    told().ok_or_else(|| zbus::Error::Failure(format!("what it says of the session {path} cannot be read")))
}

/// Our session: the one of the environment, else this process', else the one that its user looks at.
async fn find_ours(voice: &Voice, logind: &Service) -> zbus::Result<Option<String>> {
    if let Some(id) = voice.config.environment.get("XDG_SESSION_ID") {
        let found = logind.call::<_, OwnedObjectPath>(PATH, SERVICE, "GetSession", &id).await;
        if let Some(path) = known(found)? {
            return Ok(Some(path.to_string()));
        }
    }
    let found = logind.call::<_, OwnedObjectPath>(PATH, SERVICE, "GetSessionByPID", &std::process::id()).await;
    if let Some(path) = known(found)? {
        return Ok(Some(path.to_string()));
    }
    let uid = rustix::process::getuid().as_raw();
    let user = logind.call::<_, OwnedObjectPath>(PATH, SERVICE, "GetUser", &uid).await;
    let Some(user) = known(user)? else { return Ok(None) };
    let display: OwnedValue = logind.get(user.as_str(), USER, "Display").await?;
    let (id, path) = <(String, OwnedObjectPath)>::try_from(display)?;
    Ok((!id.is_empty()).then(|| path.to_string()))
}

/// An answer, or that there is nothing of the kind.
fn known<T>(answer: zbus::Result<T>) -> zbus::Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(zbus::Error::MethodError(..)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(path: &str, user: u32) -> Session {
        Session {
            path: path.to_owned(),
            user,
            class: "user".to_owned(),
            remote: false,
            active: false,
            state: "online".to_owned(),
            service: "sshd".to_owned(),
            locked: false,
        }
    }

    #[test]
    fn only_another_persons_active_local_session_is_in_the_way() {
        let ours = Session { active: true, ..session("/1", 1000) };
        let clear = Reading::Clear { for_ms: 0 };
        for harmless in [
            session("/2", 1001),
            Session { active: true, class: "greeter".to_owned(), ..session("/2", 1001) },
            Session { active: true, class: "manager".to_owned(), ..session("/2", 1001) },
            Session { active: true, remote: true, ..session("/2", 1001) },
        ] {
            assert_eq!(sessions(&[ours.clone(), harmless.clone()], Some("/1")), clear, "{harmless:?}");
        }
        for class in ["user", "user-early"] {
            let other = Session { active: true, class: class.to_owned(), ..session("/2", 1001) };
            assert!(sessions(&[ours.clone(), other], Some("/1")).forbids(), "{class}");
        }
        assert!(sessions(&[ours], None).forbids(), "without a session of our own every other one counts");
    }

    #[test]
    fn only_people_who_are_still_there_count_from_elsewhere() {
        let far = Session { remote: true, ..session("/2", 1000) };
        assert_eq!(remote(std::slice::from_ref(&far)), Reading::InUse { what: "sshd".to_owned() });
        for harmless in [
            Session { state: "closing".to_owned(), ..far.clone() },
            Session { class: "background".to_owned(), ..far.clone() },
            Session { remote: false, ..far },
        ] {
            assert!(!remote(std::slice::from_ref(&harmless)).forbids(), "{harmless:?}");
        }
    }

    #[test]
    fn only_blocking_the_idle_state_is_a_film() {
        let held = |what: &str, mode: &str| {
            inhibitors(&[(what.to_owned(), "Player".to_owned(), String::new(), mode.to_owned(), 0, 0)])
        };
        assert_eq!(held("sleep:idle", "block"), Reading::InUse { what: "Player".to_owned() });
        for (what, mode) in [("sleep", "block"), ("sleep", "delay"), ("idle", "delay"), ("handle-lid-switch", "block")]
        {
            assert!(!held(what, mode).forbids(), "{what} {mode}");
        }
    }
}
