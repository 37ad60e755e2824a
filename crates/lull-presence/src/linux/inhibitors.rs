//! Whoever keeps the desktop session from idling: GNOME's session service, and the freedesktop interface that KDE and
//! others have. Either, both or none of them are there.

use std::convert::Infallible;

use lull_types::{Reading, Source};
use zbus::zvariant::OwnedObjectPath;

use super::bus::{self, Service};
use crate::voice::Voice;

const GNOME: &str = "org.gnome.SessionManager";
const GNOME_PATH: &str = "/org/gnome/SessionManager";
const GNOME_INHIBITOR: &str = "org.gnome.SessionManager.Inhibitor";
/// GNOME's flag for "the session does not become idle".
const GNOME_IDLE: u32 = 8;
const FREEDESKTOP: &str = "org.freedesktop.PowerManagement.Inhibit";
const FREEDESKTOP_PATH: &str = "/org/freedesktop/PowerManagement/Inhibit";
/// Of so many of GNOME's inhibitors the names are looked at.
const NAMED_MAX: usize = 16;

/// Watches both.
pub(crate) async fn watch(mut voice: Voice) -> Result<Infallible, String> {
    let Some(bus) = bus::session(&voice).await? else {
        voice.repeat(Source::SessionInhibitors, &Reading::Absent).await
    };
    let who = "the session bus";
    let mut gnome = voice.answer(who, Service::find(&bus, GNOME, GNOME_PATH)).await?;
    let mut freedesktop = voice.answer(who, Service::find(&bus, FREEDESKTOP, FREEDESKTOP_PATH)).await?;
    let mut gnome_said = false;
    let mut what = String::new();
    loop {
        // While neither is there, hearing of a new owner of either name is what is left to see with.
        let mut reading = Reading::Absent;
        if gnome.is_there() {
            let asked = gnome.call::<_, bool>(GNOME_PATH, GNOME, "IsInhibited", &GNOME_IDLE);
            let inhibited = voice.answer("the GNOME session", asked).await?;
            if inhibited && !gnome_said {
                // In use first, by whom afterwards.
                voice.say(Source::SessionInhibitors, Reading::in_use());
                what = voice.answer("the GNOME session", by_whom(&gnome)).await.unwrap_or_default();
            }
            gnome_said = inhibited;
            reading = if inhibited { Reading::InUse { what: what.clone() } } else { Reading::Clear { for_ms: 0 } };
        }
        if freedesktop.is_there() {
            let asked = freedesktop.call::<_, bool>(FREEDESKTOP_PATH, FREEDESKTOP, "HasInhibit", &());
            let inhibited = voice.answer("the desktop's power management", asked).await?;
            match (inhibited, &reading) {
                (true, Reading::InUse { .. }) => {}
                (true, _) => reading = Reading::in_use(),
                (false, Reading::Absent) => reading = Reading::Clear { for_ms: 0 },
                (false, _) => {}
            }
        }
        voice.say(Source::SessionInhibitors, reading);
        let (from_gnome, event) = tokio::select! {
            event = gnome.event() => (true, event?),
            event = freedesktop.event() => (false, event?),
            () = voice.beat() => continue,
        };
        if matches!(event, bus::Event::Owner) {
            let service = if from_gnome { &mut gnome } else { &mut freedesktop };
            voice.answer(who, service.look_again()).await?;
        }
        settle(&voice, &mut gnome).await?;
        settle(&voice, &mut freedesktop).await?;
    }
}

/// Takes what else has come already, so that many signals cost one question.
async fn settle(voice: &Voice, service: &mut Service) -> Result<(), String> {
    while let Some(event) = service.event_now() {
        if matches!(event?, bus::Event::Owner) {
            voice.answer("the session bus", service.look_again()).await?;
        }
    }
    Ok(())
}

/// The first program that holds GNOME's idle flag.
async fn by_whom(gnome: &Service) -> zbus::Result<String> {
    let all: Vec<OwnedObjectPath> = gnome.call(GNOME_PATH, GNOME, "GetInhibitors", &()).await?;
    for path in all.iter().take(NAMED_MAX) {
        let flags: u32 = gnome.call(path.as_str(), GNOME_INHIBITOR, "GetFlags", &()).await?;
        if flags & GNOME_IDLE != 0 {
            return gnome.call(path.as_str(), GNOME_INHIBITOR, "GetAppId", &()).await;
        }
    }
    Ok(String::new())
}
