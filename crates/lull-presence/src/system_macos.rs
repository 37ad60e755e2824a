//! macOS. Never compiled nor run so far: it was written beside its documentation, to the signatures that Linux has.
//!
//! It must run in the session of the person it watches. What it can only ask, it asks at every beat, on threads of its
//! own; what is not written yet says [`Reading::Unknown`], so nothing is lent before it is.
#![allow(unsafe_code, reason = "the system's functions are foreign functions")]

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use lull_types::{Reading, Source};
use objc2_core_foundation::{CFBoolean, CFDictionary, CFNumber, CFRetained, CFString, CFType};
use objc2_core_graphics::{CGEventSource, CGEventSourceStateID, CGEventType, CGSessionCopyCurrentDictionary};
use objc2_io_kit::{IOPMCopyAssertionsStatus, IOPSCopyPowerSourcesInfo, IOPSGetProvidingPowerSourceType};
use tokio::{task::spawn_blocking, time::sleep};

use crate::{
    Config,
    supervise::{Line, Sensor},
    voice::Voice,
};

/// How often the latest input is looked at: being told of it would take the right to watch the keyboard.
const INPUT: Duration = Duration::from_millis(50);
/// `kCGAnyInputEventType`.
const ANY_INPUT: CGEventType = CGEventType(u32::MAX);
/// Since so little time input is use, in milliseconds: a little more than it takes to look again.
const JUST_NOW_MS: u64 = 100;
/// A smaller step of the wall clock is the work of a time service.
const JUMP: Duration = Duration::from_secs(2);
/// Assertions that keep the screen or the person's session awake, as `pmset -g assertions` names them.
const AWAKE: [&str; 2] = ["PreventUserIdleDisplaySleep", "NoDisplaySleepAssertion"];

const CLEAR: Reading = Reading::Clear { for_ms: 0 };
const UNWRITTEN: &str = "this is not watched on macOS yet";

/// All sensors.
pub(crate) fn sensors(config: &Arc<Config>) -> Vec<Sensor> {
    let heat = if config.hot_celsius.is_none() { Reading::Absent } else { Reading::unknown(UNWRITTEN) };
    let apps = if config.apps.is_empty() { Reading::Absent } else { Reading::unknown(UNWRITTEN) };
    let unwritten = || Reading::unknown(UNWRITTEN);
    vec![
        Sensor::new(Line::Input, &[Source::MacIdle], input),
        asked(&[Source::Sessions], Source::Sessions, sessions),
        asked(&[Source::SystemInhibitors], Source::SystemInhibitors, kept_awake),
        asked(&[Source::Power], Source::Power, power),
        Sensor::new(Line::Rest, &[Source::Clock], clock),
        always(&[Source::Heat], Source::Heat, heat),
        always(&[Source::Apps], Source::Apps, apps),
        always(&[Source::RemoteSessions], Source::RemoteSessions, unwritten()),
        always(&[Source::Sleep], Source::Sleep, unwritten()),
        always(&[Source::FullScreen], Source::FullScreen, unwritten()),
        always(&[Source::Microphone], Source::Microphone, unwritten()),
        always(&[Source::Camera], Source::Camera, unwritten()),
        always(&[Source::Network], Source::Network, unwritten()),
        always(&[Source::Load], Source::Load, unwritten()),
        always(&[Source::Memory], Source::Memory, unwritten()),
        // Apple's graphics processors share the machine's memory, and Lull's workers do not compute on others.
        always(&[Source::Gpu], Source::Gpu, unwritten()),
    ]
}

type Answer = Result<Reading, String>;

fn asked(sources: &'static [Source], source: Source, ask: fn() -> Answer) -> Sensor {
    Sensor::new(Line::Rest, sources, move |mut voice| async move {
        loop {
            let reading = voice.answer("macOS", spawn_blocking(ask)).await??;
            voice.say(source, reading);
            voice.beat().await;
        }
    })
}

fn always(sources: &'static [Source], source: Source, reading: Reading) -> Sensor {
    Sensor::new(Line::Rest, sources, move |mut voice| {
        let reading = reading.clone();
        async move { voice.repeat(source, &reading).await }
    })
}

/// The time since the latest input: of the devices themselves, and of this session, which includes what another
/// machine's screen sharing brings.
async fn input(mut voice: Voice) -> Result<Infallible, String> {
    loop {
        let since = |state| CGEventSource::seconds_since_last_event_type(state, ANY_INPUT);
        let (devices, session) =
            (since(CGEventSourceStateID::HIDSystemState), since(CGEventSourceStateID::CombinedSessionState));
        let seconds = devices.min(session);
        if !seconds.is_finite() || seconds < 0.0 {
            return Err("macOS does not say when the latest input was".to_owned());
        }
        let for_ms = Duration::from_secs_f64(seconds.min(1e9)).as_millis() as u64;
        let reading = if for_ms <= JUST_NOW_MS { Reading::in_use() } else { Reading::Clear { for_ms } };
        voice.say(Source::MacIdle, reading);
        tokio::select! {
            () = sleep(INPUT) => {}
            () = voice.beat() => {}
        }
    }
}

/// A dictionary's value by its name.
fn value(dictionary: &CFDictionary, name: &str) -> Option<CFRetained<CFType>> {
    let name = CFString::from_str(name);
    let key: *const CFString = &raw const *name;
    // SAFETY: the key lives through the call, and what is found is retained before the dictionary can go.
    unsafe {
        let found = dictionary.value(key.cast()).cast::<CFType>();
        std::ptr::NonNull::new(found.cast_mut()).map(|found| CFRetained::retain(found))
    }
}

/// Whether this session is on the screen. Locked or not is clear here: input is watched elsewhere.
fn sessions() -> Answer {
    let session = CGSessionCopyCurrentDictionary().ok_or("this process has no session on the screen")?;
    let on_screen = value(&session, "kCGSSessionOnConsoleKey");
    match on_screen.and_then(|value| value.downcast::<CFBoolean>().ok()) {
        Some(on_screen) if on_screen.as_bool() => Ok(CLEAR),
        Some(_) => Ok(Reading::InUse { what: "another person's session".into() }),
        None => Err("macOS does not say whose session is on the screen".into()),
    }
}

fn kept_awake() -> Answer {
    let mut all = std::ptr::null();
    // SAFETY: the place is ours, and what comes there is ours to release.
    let all = unsafe {
        let failed = IOPMCopyAssertionsStatus(&raw mut all) != 0;
        let found = std::ptr::NonNull::<CFDictionary>::new(all.cast_mut()).filter(|_| !failed);
        CFRetained::from_raw(found.ok_or("macOS does not say whether a program keeps the screen on")?)
    };
    let holds = |name: &&&str| {
        let level = value(&all, name).and_then(|value| value.downcast::<CFNumber>().ok());
        level.and_then(|level| level.as_i64()).is_some_and(|level| level != 0)
    };
    Ok(if AWAKE.iter().find(holds).is_some() { Reading::in_use() } else { CLEAR })
}

fn power() -> Answer {
    let sources = IOPSCopyPowerSourcesInfo().ok_or("macOS does not say where power comes from")?;
    // SAFETY: the snapshot is the one that macOS just gave.
    let from = unsafe { IOPSGetProvidingPowerSourceType(Some(&sources)) };
    match from.map(|from| from.to_string()).as_deref() {
        Some("AC Power") => Ok(CLEAR),
        Some("Battery Power" | "UPS Power") => Ok(Reading::in_use()),
        _ => Err("macOS does not know where power comes from".into()),
    }
}

/// The clock behind [`Instant`] stands still while the machine sleeps, so a sleep shows as a step of the wall clock.
async fn clock(mut voice: Voice) -> Result<Infallible, String> {
    let (mut wall, mut steady) = (SystemTime::now(), Instant::now());
    loop {
        let (now, steady_now) = (SystemTime::now(), Instant::now());
        let expected = wall + steady_now.duration_since(steady);
        let off = now.duration_since(expected).unwrap_or_else(|before| before.duration());
        (wall, steady) = (now, steady_now);
        let what = "the clock was set, or the machine was asleep";
        voice.say(Source::Clock, if off > JUMP { Reading::InUse { what: what.into() } } else { CLEAR });
        voice.beat().await;
    }
}
