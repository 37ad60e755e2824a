//! A camera being read: its device is open.
//!
//! Opening and closing is told at once; who holds a camera is looked up among the open files of this person's own
//! programs, at the start and after each change. An old sound and video server that keeps cameras open between uses
//! counts as using them. One that another user's program opened before this one began is not seen.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lull_types::{Reading, Source};

use super::{
    inotify::{Happened, LIST, USE, Watches},
    slow::Slow,
};
use crate::voice::Voice;

/// The list of devices is made anew after so long.
const LIST_AGAIN: Duration = Duration::from_secs(10);
/// More cameras than these are not watched.
const CAMERAS_MAX: usize = 64;

/// Watches all cameras.
pub(crate) async fn watch(mut voice: Voice, slow: Slow) -> Result<Infallible, String> {
    let mut watches = Watches::new().map_err(|error| format!("cameras may not be watched ({error})"))?;
    let mut cameras = Cameras { folder: voice.config.root.join("dev"), open: BTreeMap::new(), holder: None };
    watches.add(&cameras.folder, LIST).map_err(|error| cannot(&cameras.folder, &error))?;
    let mut listed = None;
    let mut look = true;
    loop {
        if listed.is_none_or(|at: Instant| at.elapsed() >= LIST_AGAIN) {
            look |= cameras.list(&mut watches)?;
            listed = Some(Instant::now());
        }
        if look || cameras.holder.as_ref().is_some_and(|holder| !holder.is_still()) {
            if cameras.open.values().any(|times| *times > 0) {
                // In use first, by whom afterwards.
                voice.say(Source::Camera, cameras.reading());
            }
            cameras.holder = None;
            if !cameras.open.is_empty() {
                let (processes, devices) = (voice.config.root.join("proc"), cameras.open.keys().cloned().collect());
                let found = slow.run(&voice, "the list of open files", move || holder(&processes, devices)).await?;
                cameras.holder = found;
            }
            look = false;
        }
        voice.say(Source::Camera, cameras.reading());
        let happened = tokio::select! {
            happened = watches.happened() => happened.map_err(|error| cannot(&cameras.folder, &error))?,
            () = voice.beat() => continue,
        };
        for one in happened {
            match one {
                Happened::Listed(name) if !name.starts_with("video") => {}
                Happened::Listed(_) => listed = None,
                Happened::Lost => {
                    // What was open is not known any more; the list of open files tells.
                    cameras.open.values_mut().for_each(|times| *times = 0);
                    listed = None;
                    look = true;
                }
                Happened::Opened(path) => {
                    cameras.open.entry(path).and_modify(|times| *times += 1);
                }
                Happened::Closed(path) => {
                    cameras.open.entry(path).and_modify(|times| *times = times.saturating_sub(1));
                }
            }
        }
        look |= cameras.holder.is_some() || cameras.open.values().any(|times| *times > 0);
    }
}

fn cannot(path: &Path, error: &io::Error) -> String {
    format!("{} may not be watched ({error}); members of the group `video` may watch cameras", path.display())
}

struct Cameras {
    folder: PathBuf,
    /// Every camera, and how many times it was opened and not yet closed since it is watched.
    open: BTreeMap<PathBuf, u32>,
    holder: Option<Holder>,
}

/// A program that holds a camera.
struct Holder {
    /// Below `/proc`.
    file: PathBuf,
    device: PathBuf,
    name: String,
}

impl Holder {
    fn is_still(&self) -> bool {
        fs::read_link(&self.file).is_ok_and(|target| target == self.device)
    }
}

impl Cameras {
    /// Finds all cameras and watches them; whether there are other ones than before.
    fn list(&mut self, watches: &mut Watches) -> Result<bool, String> {
        let listed = fs::read_dir(&self.folder).map_err(|error| cannot(&self.folder, &error))?;
        let named = listed.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("video"));
        let files = named.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()));
        let paths: Vec<_> = files.map(|entry| entry.path()).take(CAMERAS_MAX).collect();
        let before = self.open.len();
        self.open.retain(|path, _| paths.contains(path));
        let mut changed = self.open.len() != before;
        for path in paths {
            watches.add(&path, USE).map_err(|error| cannot(&path, &error))?;
            changed |= !self.open.contains_key(&path);
            self.open.entry(path).or_insert(0);
        }
        Ok(changed)
    }

    fn reading(&self) -> Reading {
        if self.open.is_empty() {
            return Reading::Absent;
        }
        match &self.holder {
            Some(holder) => Reading::InUse { what: format!("a camera, {}", holder.name) },
            None if self.open.values().any(|times| *times > 0) => Reading::InUse { what: "a camera".to_owned() },
            None => Reading::Clear { for_ms: 0 },
        }
    }
}

/// The first program that holds one of the devices, among those whose open files may be seen.
fn holder(processes: &Path, devices: Vec<PathBuf>) -> Option<Holder> {
    for process in fs::read_dir(processes).ok()?.flatten() {
        if !process.file_name().to_string_lossy().starts_with(|first: char| first.is_ascii_digit()) {
            continue;
        }
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        for file in files.flatten() {
            let Ok(target) = fs::read_link(file.path()) else { continue };
            if devices.contains(&target) {
                let name = fs::read(process.path().join("comm")).unwrap_or_default();
                let name = String::from_utf8_lossy(&name).trim().to_owned();
                return Some(Holder { file: file.path(), device: target, name });
            }
        }
    }
    None
}
