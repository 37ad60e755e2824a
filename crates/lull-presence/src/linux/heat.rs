//! Temperature: the warmest of the processor's, the graphics processor's and the case's sensors.

use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lull_types::{Reading, Source};

use super::{
    file::{Reread, number},
    slow::Slow,
};
use crate::voice::Voice;

const NOTHING: &str = "this machine shows no temperature; `lend.max_celsius = 0` lends without looking at it";
/// So many degrees below the limit it counts as cool again.
const COOLER: i32 = 5;
/// The list of sensors is made anew after so long.
const LIST_AGAIN: Duration = Duration::from_secs(30);
/// More sensors than these are not read.
const SENSORS_MAX: usize = 64;
/// Below and above these a sensor is broken or not connected, in degrees Celsius.
const PLAUSIBLE: std::ops::RangeInclusive<i32> = 1..=150;
/// hwmon drivers that measure a processor, a graphics processor or the case. Drives and radios run warm by design.
const DRIVERS: [&str; 14] = [
    "coretemp", "k10temp", "zenpower", "cpu", "soc", "gpu", "amdgpu", "radeon", "nouveau", "i915", "xe", "acpitz",
    "thinkpad", "dell_smm",
];
/// Thermal zones that are none of these.
const OTHER_ZONES: [&str; 5] = ["iwlwifi", "nvme", "pch", "wifi", "battery"];

/// Watches the sensors.
pub(crate) async fn watch(mut voice: Voice, slow: Slow) -> Result<Infallible, String> {
    let Some(limit) = voice.config.hot_celsius else { voice.repeat(Source::Heat, &Reading::Absent).await };
    let limit = i32::try_from(limit).unwrap_or(i32::MAX);
    let mut sensors = Sensors { root: voice.config.root.clone(), files: Vec::new(), listed: None };
    let mut hot = false;
    loop {
        let (back, warmest) = slow
            .run(&voice, "a temperature sensor", move || {
                let warmest = sensors.warmest();
                (sensors, warmest)
            })
            .await?;
        sensors = back;
        let reading = match warmest {
            None => Reading::unknown(NOTHING),
            Some(celsius) => {
                hot = celsius >= if hot { limit.saturating_sub(COOLER) } else { limit };
                if hot { Reading::InUse { what: format!("{celsius} degrees") } } else { Reading::Clear { for_ms: 0 } }
            }
        };
        voice.say(Source::Heat, reading);
        voice.beat().await;
    }
}

struct Sensors {
    root: PathBuf,
    files: Vec<Reread>,
    listed: Option<Instant>,
}

impl Sensors {
    /// The highest plausible temperature, in degrees Celsius.
    fn warmest(&mut self) -> Option<i32> {
        if self.listed.is_none_or(|at| at.elapsed() >= LIST_AGAIN) {
            self.list();
        }
        let warmest = self.files.iter_mut().filter_map(|file| celsius(file.read().ok()?)).max();
        if warmest.is_none() {
            // Perhaps all of them are others by now.
            self.listed = None;
        }
        warmest
    }

    fn list(&mut self) {
        let zones = below(&self.root.join("sys/class/thermal"), "thermal_zone").into_iter().filter(|zone| {
            let kind = lower(&zone.join("type"));
            !OTHER_ZONES.iter().any(|other| kind.contains(other))
        });
        let zones = zones.map(|zone| zone.join("temp"));
        let chips = below(&self.root.join("sys/class/hwmon"), "hwmon").into_iter().filter(|chip| {
            let driver = lower(&chip.join("name"));
            DRIVERS.iter().any(|known| driver.starts_with(known))
        });
        let inputs =
            chips.flat_map(|chip| below(&chip, "temp")).filter(|file| file.to_string_lossy().ends_with("_input"));
        self.files = zones.chain(inputs).take(SENSORS_MAX).map(|path| Reread::new(path, 32)).collect();
        self.listed = Some(Instant::now());
    }
}

fn below(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(listed) = fs::read_dir(folder) else { return Vec::new() };
    let named = listed.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    named.map(|entry| entry.path()).collect()
}

fn lower(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_lowercase()).unwrap_or_default()
}

/// Degrees Celsius of the kernel's thousandths.
fn celsius(text: &[u8]) -> Option<i32> {
    let celsius = number::<i32>(text)? / 1000;
    PLAUSIBLE.contains(&celsius).then_some(celsius)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn implausible_temperatures_are_no_temperatures() {
        assert_eq!(celsius(b"78500\n"), Some(78));
        for text in ["-274000", "0", "255000", "2147483647", "99999999999", "", "warm", "78.5"] {
            assert_eq!(celsius(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_contents_break_it(bytes: Vec<u8>) {
            if let Some(celsius) = celsius(&bytes) {
                prop_assert!(PLAUSIBLE.contains(&celsius));
            }
        }
    }
}
