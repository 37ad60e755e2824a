//! Mains or battery: the kernel's list of supplies, and UPower where it is there. Battery if either says so.
//!
//! UPower tells at once, the kernel at every beat. As in UPower, a supply from the wall that is on outweighs a battery
//! that discharges beside it.

use std::{
    convert::Infallible,
    fs,
    io::ErrorKind,
    path::Path,
    time::{Duration, Instant},
};

use lull_types::{Reading, Source};

use super::{
    bus::{self, Event, Service},
    slow::Slow,
};
use crate::voice::Voice;

const NAME: &str = "org.freedesktop.UPower";
const PATH: &str = "/org/freedesktop/UPower";
/// After so long a bus that was not there is looked for again.
const BUS_AGAIN: Duration = Duration::from_secs(60);
/// More supplies than these are not read.
const SUPPLIES_MAX: usize = 64;

/// What the kernel says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Supply {
    /// No battery that feeds the machine.
    NoBattery,
    /// A battery, and the wall.
    Mains,
    /// A battery, and nothing else.
    Battery,
    /// There is no list to look at.
    NoList,
    /// Something that cannot be made sense of.
    Strange(String),
}

/// Watches both.
pub(crate) async fn watch(mut voice: Voice, slow: Slow) -> Result<Infallible, String> {
    let mut upower = find(&voice).await?;
    let mut looked = Instant::now();
    loop {
        if upower.is_none() && looked.elapsed() >= BUS_AGAIN {
            upower = find(&voice).await?;
            looked = Instant::now();
        }
        let mut on_battery = None;
        if let Some(service) = upower.as_ref().filter(|service| service.is_there()) {
            on_battery = Some(voice.answer("UPower", service.get::<bool>(PATH, NAME, "OnBattery")).await?);
            if on_battery == Some(true) {
                voice.say(Source::Power, Reading::in_use());
            }
        }
        let root = voice.config.root.clone();
        let supply = slow.run(&voice, "the battery", move || supply(&root)).await?;
        voice.say(Source::Power, judge(&supply, on_battery));
        let event = async {
            match &mut upower {
                Some(service) => service.event().await,
                None => std::future::pending().await,
            }
        };
        let mut next = tokio::select! {
            event = event => Some(event),
            () = voice.beat() => None,
        };
        while let (Some(event), Some(service)) = (next.take(), &mut upower) {
            match event {
                Ok(Event::Signal(_)) => {}
                Ok(Event::Owner) => voice.answer("UPower", service.look_again()).await?,
                // The bus went, and UPower with it; the kernel still speaks.
                Err(_) => {
                    upower = None;
                    looked = Instant::now();
                    break;
                }
            }
            next = service.event_now();
        }
    }
}

async fn find(voice: &Voice) -> Result<Option<Service>, String> {
    match bus::system(voice).await? {
        Some(bus) => voice.answer("UPower", Service::find(&bus, NAME, PATH)).await.map(Some),
        None => Ok(None),
    }
}

fn judge(supply: &Supply, on_battery: Option<bool>) -> Reading {
    match (supply, on_battery) {
        (Supply::Battery, _) | (_, Some(true)) => Reading::in_use(),
        (Supply::Strange(why), _) => Reading::unknown(why.clone()),
        (Supply::NoBattery, None) => Reading::Absent,
        (Supply::NoList, None) => Reading::unknown("this machine shows neither its supplies nor UPower"),
        (Supply::Mains, _) | (_, Some(false)) => Reading::Clear { for_ms: 0 },
    }
}

/// Reads the kernel's list.
fn supply(root: &Path) -> Supply {
    let folder = root.join("sys/class/power_supply");
    let listed = match fs::read_dir(&folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Supply::NoList,
        Err(error) => return Supply::Strange(format!("{} cannot be read ({error})", folder.display())),
    };
    let (mut battery, mut wall, mut wall_on, mut strange) = (None, false, false, None);
    for entry in listed.take(SUPPLIES_MAX) {
        let Ok(entry) = entry else { return Supply::Strange(format!("{} cannot be read", folder.display())) };
        let path = entry.path();
        match read_one(&path) {
            One::Wall(on) => {
                wall = true;
                wall_on |= on;
            }
            One::Battery(drains) => battery = Some(battery.unwrap_or(false) || drains),
            One::Other => {}
            One::Strange => strange = Some(format!("{} says nothing that is understood", path.display())),
        }
    }
    match (battery, wall) {
        _ if strange.is_some() => Supply::Strange(strange.unwrap_or_default()),
        (None, _) => Supply::NoBattery,
        (Some(_), _) if wall_on => Supply::Mains,
        (Some(_), true) | (Some(true), false) => Supply::Battery,
        (Some(false), false) => Supply::Mains,
    }
}

/// One supply.
enum One {
    /// From the wall, and whether it is on.
    Wall(bool),
    /// A battery, and whether it drains.
    Battery(bool),
    /// Of a mouse, or of no consequence.
    Other,
    /// Not understood.
    Strange,
}

fn read_one(path: &Path) -> One {
    let text = |name: &str| fs::read(path.join(name)).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(kind) = text("type") else { return One::Strange };
    if text("scope").is_some_and(|scope| scope.trim() == "Device") {
        return One::Other;
    }
    match kind.trim() {
        "Mains" | "USB" | "Wireless" => match text("online").as_deref().map(str::trim) {
            Some("0") => One::Wall(false),
            Some("1" | "2") => One::Wall(true),
            _ => One::Strange,
        },
        "Battery" | "UPS" => {
            // An empty bay is no battery.
            if text("present").is_some_and(|present| present.trim() == "0") {
                return One::Other;
            }
            match text("status").as_deref().map(str::trim) {
                // The kernel's own word for "cannot say": only a supply from the wall that is on outweighs it.
                Some("Discharging" | "Unknown") => One::Battery(true),
                Some("Charging" | "Full" | "Not charging") => One::Battery(false),
                _ => One::Strange,
            }
        }
        "BMS" => One::Other,
        _ => One::Strange,
    }
}
