//! Whether the network is paid for by the byte, as NetworkManager says it.
//!
//! What NetworkManager itself does not know stays unknown, and so does a network that is not connected: there is
//! nobody to lend to then.

use std::convert::Infallible;

use lull_types::{Reading, Source};

use super::bus::{self, Event, Service};
use crate::voice::Voice;

const NAME: &str = "org.freedesktop.NetworkManager";
const PATH: &str = "/org/freedesktop/NetworkManager";
const WHO: &str = "NetworkManager";
const NOT_THERE: &str = "NetworkManager is not there to say whether the network is metered; `lend.metered = true` \
                         lends on any network";
/// `NM_STATE_DISCONNECTING`: up to here nothing is connected. From NetworkManager's D-Bus types.
const STATE_OFF_MAX: u32 = 30;

/// Watches NetworkManager.
pub(crate) async fn watch(mut voice: Voice) -> Result<Infallible, String> {
    let bus = bus::system(&voice).await?.ok_or(NOT_THERE)?;
    let mut service = voice.answer(WHO, Service::find(&bus, NAME, PATH)).await?;
    loop {
        if !service.is_there() {
            return Err(NOT_THERE.to_owned());
        }
        let metered: u32 = voice.answer(WHO, service.get(PATH, NAME, "Metered")).await?;
        let reading = match judge(metered) {
            Some(reading) => reading,
            None => {
                let state: u32 = voice.answer(WHO, service.get(PATH, NAME, "State")).await?;
                Reading::unknown(if state <= STATE_OFF_MAX {
                    "the network is not connected"
                } else {
                    "NetworkManager does not know whether the network is metered; `lend.metered = true` lends on any \
                     network"
                })
            }
        };
        voice.say(Source::Network, reading);
        let mut next = tokio::select! {
            event = service.event() => Some(event),
            () = voice.beat() => None,
        };
        while let Some(event) = next {
            if matches!(event?, Event::Owner) {
                voice.answer(WHO, service.look_again()).await?;
            }
            next = service.event_now();
        }
    }
}

/// `NMMetered`: 1 yes, 2 no, 3 guessed yes, 4 guessed no; anything else is not known.
fn judge(metered: u32) -> Option<Reading> {
    match metered {
        1 | 3 => Some(Reading::in_use()),
        2 | 4 => Some(Reading::Clear { for_ms: 0 }),
        _ => None,
    }
}
