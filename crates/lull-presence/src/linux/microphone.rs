//! Sound being recorded, as ALSA shows it below `/proc/asound`.
//!
//! Opening a device is not recording: sound servers open them to look. So the devices' own state decides, and their
//! being opened only makes it be looked at sooner. PipeWire and PulseAudio stop a device that nobody records from, and
//! then it does not run. What never reaches ALSA, such as a Bluetooth headset's microphone, is not seen here.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lull_types::{Reading, Source};
use tokio::time::sleep;

use super::{
    file::{Reread, words},
    inotify::{Happened, LIST, USE, Watches},
};
use crate::voice::Voice;

/// After a device was opened its state is looked at so often,
const SOON: Duration = Duration::from_millis(20);
/// and so many times: it runs a moment after it was opened.
const SOON_TIMES: u8 = 20;
/// The list of devices is made anew after so long.
const LIST_AGAIN: Duration = Duration::from_secs(5);
/// More recording streams than these are not looked at.
const STREAMS_MAX: usize = 128;

/// Watches all recording devices.
pub(crate) async fn watch(mut voice: Voice) -> Result<Infallible, String> {
    // Without it every beat still looks.
    let mut watches = Watches::new().ok();
    let mut streams = BTreeMap::new();
    let mut listed: Option<Instant> = None;
    let mut soon = 0;
    loop {
        if listed.is_none_or(|at| at.elapsed() >= LIST_AGAIN) {
            list(&voice.config.root, &mut streams)?;
            if let Some(watches) = &mut watches {
                watch_devices(&voice.config.root, watches);
            }
            listed = Some(Instant::now());
        }
        match look(&voice.config.root, &mut streams) {
            Some(reading) => voice.say(Source::Microphone, reading),
            // A device went away while it was looked at.
            None => {
                list(&voice.config.root, &mut streams)?;
                let reading = look(&voice.config.root, &mut streams);
                let reading = reading.unwrap_or_else(|| Reading::unknown("a microphone's state cannot be read"));
                voice.say(Source::Microphone, reading);
            }
        }
        let happened = async {
            match &mut watches {
                Some(watches) => watches.happened().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            happened = happened => match happened {
                Ok(happened) => {
                    soon = SOON_TIMES;
                    let all_use = happened.iter().all(|h| matches!(h, Happened::Opened(_) | Happened::Closed(_)));
                    if !all_use {
                        listed = None;
                    }
                }
                Err(_) => watches = None,
            },
            () = sleep(SOON), if soon > 0 => soon -= 1,
            () = voice.beat() => {}
        }
    }
}

/// Finds every recording stream's state file.
fn list(root: &Path, streams: &mut BTreeMap<PathBuf, Reread>) -> Result<(), String> {
    let cards = root.join("proc/asound");
    let recorders = match children(&cards, "card") {
        Ok(cards) => cards.iter().flat_map(|card| children(card, "pcm").unwrap_or_default()).collect::<Vec<_>>(),
        Err(ErrorKind::NotFound) => Vec::new(),
        Err(error) => return Err(format!("{} cannot be read ({error})", cards.display())),
    };
    let recorders: Vec<_> = recorders.into_iter().filter(|path| path.to_string_lossy().ends_with('c')).collect();
    let states = recorders.iter().flat_map(|recorder| children(recorder, "sub").unwrap_or_default());
    let states: Vec<_> = states.map(|stream| stream.join("status")).take(STREAMS_MAX).collect();
    if states.is_empty() {
        let devices = children(&root.join("dev/snd"), "pcm").unwrap_or_default();
        if !recorders.is_empty() || devices.iter().any(|path| path.to_string_lossy().ends_with('c')) {
            return Err("there is a microphone, but the kernel does not show its state below /proc/asound".to_owned());
        }
    }
    streams.retain(|path, _| states.contains(path));
    for path in states {
        streams.entry(path.clone()).or_insert_with(|| Reread::new(path, 512));
    }
    Ok(())
}

fn children(folder: &Path, prefix: &str) -> Result<Vec<PathBuf>, ErrorKind> {
    let listed = fs::read_dir(folder).map_err(|error| error.kind())?;
    let named = listed.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    Ok(named.map(|entry| entry.path()).filter(|path| !path.is_symlink()).collect())
}

/// What may not be watched is looked at in every beat all the same.
fn watch_devices(root: &Path, watches: &mut Watches) {
    let folder = root.join("dev/snd");
    let _ = watches.add(&folder, LIST);
    for device in children(&folder, "pcm").unwrap_or_default() {
        if device.to_string_lossy().ends_with('c') {
            let _ = watches.add(&device, USE);
        }
    }
}

/// `None` when a state cannot be read.
fn look(root: &Path, streams: &mut BTreeMap<PathBuf, Reread>) -> Option<Reading> {
    if streams.is_empty() {
        return Some(Reading::Absent);
    }
    for stream in streams.values_mut() {
        match state(stream.read().ok()?) {
            State::Idle => {}
            State::Recording(by) => return Some(Reading::InUse { what: name(root, by) }),
            State::Strange => {
                return Some(Reading::unknown(format!("{} says nothing that is understood", stream.path())));
            }
        }
    }
    Some(Reading::Clear { for_ms: 0 })
}

fn name(root: &Path, by: Option<u32>) -> String {
    let read = |pid: u32| fs::read_to_string(root.join("proc").join(pid.to_string()).join("comm")).ok();
    by.and_then(read).map_or_else(|| "a microphone".to_owned(), |name| format!("a microphone, {}", name.trim()))
}

/// What a recording stream does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// Recording, or held in the middle of it, by this process.
    Recording(Option<u32>),
    Strange,
}

/// `closed`, or lines such as `state: RUNNING` and `owner_pid   : 812`.
fn state(text: &[u8]) -> State {
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| words(line).collect::<Vec<_>>());
    match lines.next().as_deref() {
        Some([b"closed"]) => State::Idle,
        Some([b"state:", state]) => match *state {
            b"RUNNING" | b"DRAINING" | b"XRUN" | b"PAUSED" => State::Recording(lines.find_map(|line| owner(&line))),
            b"OPEN" | b"SETUP" | b"PREPARED" | b"SUSPENDED" | b"DISCONNECTED" => State::Idle,
            _ => State::Strange,
        },
        _ => State::Strange,
    }
}

fn owner(line: &[&[u8]]) -> Option<u32> {
    match line {
        [b"owner_pid", b":", pid] => super::file::number(pid),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_running_stream_records() {
        let running = b"state: RUNNING\nowner_pid   : 812\ntrigger_time: 1.2\n";
        assert_eq!(state(running), State::Recording(Some(812)));
        assert_eq!(state(b"state: XRUN\n"), State::Recording(None));
        for idle in ["closed\n", "state: PREPARED\nowner_pid   : 812\n", "state: OPEN\n"] {
            assert_eq!(state(idle.as_bytes()), State::Idle, "{idle}");
        }
        for strange in ["", "\n", "state:", "state: SINGING", "open", "closed closed"] {
            assert_eq!(state(strange.as_bytes()), State::Strange, "{strange}");
        }
    }

    proptest! {
        #[test]
        fn no_contents_break_it(bytes: Vec<u8>) {
            let _ = state(&bytes);
        }
    }
}
