//! Programs that its owner or the organisation named: whether one of them runs.
//!
//! Without privileges the kernel tells nobody of new programs, so it is asked at each beat for the last process number
//! it gave. Only when that moved are processes listed, and only new ones looked at: at once, and some beats more, since
//! a program takes its name a moment after its process began. Of those that have long been there, a few are looked at
//! in each beat, for a process may become another program at any time.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use lull_types::{Reading, Source};

use super::file::{Reread, number, words};
use crate::voice::Voice;

/// For so many beats a new process is looked at in each.
const YOUNG: u8 = 5;
/// So many of the others are looked at in each beat.
const OTHERS: usize = 4;
/// The kernel keeps so many bytes of a program's short name.
const SHORT_NAME: usize = 15;
/// So much of a command line is read, in bytes.
const COMMAND_MAX: u64 = 4096;

/// Watches the list of processes.
pub(crate) async fn watch(mut voice: Voice) -> Result<Infallible, String> {
    let names: Vec<String> = voice.config.apps.iter().map(|name| name.to_lowercase()).collect();
    if names.is_empty() {
        voice.repeat(Source::Apps, &Reading::Absent).await
    }
    let mut processes = Processes::new(&voice.config.root, names);
    loop {
        let running = processes.look()?;
        let reading = running.map_or(Reading::Clear { for_ms: 0 }, |what| Reading::InUse { what });
        voice.say(Source::Apps, reading);
        voice.beat().await;
    }
}

struct Processes {
    folder: PathBuf,
    names: Vec<String>,
    loads: Reread,
    last: Option<u32>,
    /// Every process seen, and for how many beats it is still young.
    known: BTreeMap<u32, u8>,
    /// Where the turn of the others stands.
    turn: u32,
    running: Option<(u32, String)>,
    buffer: Vec<u8>,
}

impl Processes {
    fn new(root: &Path, names: Vec<String>) -> Self {
        let folder = root.join("proc");
        let loads = Reread::new(folder.join("loadavg"), 128);
        let known = BTreeMap::new();
        Self { folder, names, loads, last: None, known, turn: 0, running: None, buffer: Vec::new() }
    }

    /// The named program that runs, if one does.
    fn look(&mut self) -> Result<Option<String>, String> {
        if let Some((pid, _)) = self.running {
            if let Some(name) = self.named(pid) {
                return Ok(Some(name));
            }
            // Nothing else was looked at meanwhile.
            self.running = None;
            self.known.clear();
        }
        let last = self.loads.read().ok().and_then(last_pid);
        if last.is_none() || last != self.last || self.known.is_empty() {
            self.list()?;
            self.last = last;
        }
        let young = self.known.iter().filter(|(_, beats)| **beats > 0).map(|(pid, _)| *pid);
        let others = self.known.range(self.turn..).chain(self.known.range(..self.turn)).map(|(pid, _)| *pid);
        let others: Vec<u32> = others.take(OTHERS).collect();
        let due: Vec<u32> = young.chain(others.iter().copied()).collect();
        self.turn = others.last().map_or(0, |pid| pid.wrapping_add(1));
        for pid in due {
            if let Some(beats) = self.known.get_mut(&pid) {
                *beats = beats.saturating_sub(1);
            }
            if let Some(name) = self.named(pid) {
                self.running = Some((pid, name.clone()));
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn list(&mut self) -> Result<(), String> {
        let unreadable = |error| format!("the list of programs cannot be read ({error})");
        let mut now = BTreeMap::new();
        for entry in fs::read_dir(&self.folder).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
                now.insert(pid, self.known.get(&pid).copied().unwrap_or(YOUNG));
            }
        }
        if now.is_empty() {
            return Err("the list of programs is empty".to_owned());
        }
        self.known = now;
        Ok(())
    }

    /// The name by which a process is one of the named programs.
    fn named(&mut self, pid: u32) -> Option<String> {
        let folder = self.folder.join(pid.to_string());
        let buffer = &mut self.buffer;
        read(&folder.join("comm"), buffer);
        let mut name = matched(&self.names, buffer, true);
        if name.is_none() {
            read(&folder.join("cmdline"), buffer);
            name = matched(&self.names, buffer.split(|byte| *byte == 0).next()?, false);
        }
        let name = name?;
        // One that ended and that nobody has taken note of keeps its short name.
        read(&folder.join("stat"), buffer);
        (!is_ended(buffer)).then_some(name)
    }
}

/// Leaves nothing in the buffer if it cannot be read: the process ended, or is not ours to look at.
fn read(path: &Path, buffer: &mut Vec<u8>) {
    buffer.clear();
    if let Ok(file) = File::open(path)
        && file.take(COMMAND_MAX).read_to_end(buffer).is_err()
    {
        buffer.clear();
    }
}

/// `pid (name) state ...`, and a name may hold brackets.
fn is_ended(stat: &[u8]) -> bool {
    let after = stat.iter().rposition(|byte| *byte == b')').and_then(|at| stat.get(at + 1..)).unwrap_or_default();
    words(after).next().is_some_and(|state| matches!(state, b"Z" | b"X"))
}

/// The last field of `0.00 0.01 0.05 1/89 21169`.
fn last_pid(text: &[u8]) -> Option<u32> {
    number(words(text).nth(4)?)
}

/// Which of the names a short name or a command is, if any.
fn matched(names: &[String], text: &[u8], short: bool) -> Option<String> {
    let text = String::from_utf8_lossy(text).to_lowercase();
    let text = text.trim_end_matches('\n');
    // Some programs write all their arguments into the first one.
    let whole = [text, text.split(' ').next().unwrap_or_default()];
    let files = whole.map(|path| path.rsplit(['/', '\\']).next().unwrap_or_default());
    let mut candidates = files.into_iter().chain(files.map(without_ending)).filter(|name| !name.is_empty());
    let cut = |name: &str, candidate: &str| short && candidate.len() == SHORT_NAME && name.starts_with(candidate);
    candidates.find_map(|candidate| names.iter().find(|name| *name == candidate || cut(name, candidate)).cloned())
}

fn without_ending(name: &str) -> &str {
    [".exe", ".appimage"].into_iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn programs_are_known_by_their_short_name_and_their_file() {
        let names = ["zoom".to_owned(), "a-very-long-program".to_owned()];
        for (text, short) in [
            ("zoom\n", true),
            ("a-very-long-pro\n", true),
            ("/opt/zoom/ZOOM", false),
            ("C:\\Programs\\Zoom.exe", false),
            ("/usr/bin/zoom --flag=/x/y", false),
        ] {
            assert!(matched(&names, text.as_bytes(), short).is_some(), "{text}");
        }
        for (text, short) in [
            ("zoomed", true),
            ("a-very-long-pr", true),
            ("a-very-long-pro", false),
            ("/opt/zoom/helper", false),
            ("", true),
            ("bash", true),
        ] {
            assert_eq!(matched(&names, text.as_bytes(), short), None, "{text}");
        }
    }

    #[test]
    fn the_kernels_lines_are_read() {
        assert_eq!(last_pid(b"0.00 0.01 0.05 1/89 21169\n"), Some(21169));
        assert_eq!(last_pid(b"0.00 0.01 0.05 1/89 x\n"), None);
        assert!(is_ended(b"7 (a) b) Z 1 1"));
        assert!(!is_ended(b"7 (Z Z) S 1 1"));
        assert!(!is_ended(b""));
    }

    proptest! {
        #[test]
        fn no_contents_break_it(bytes: Vec<u8>, short: bool) {
            let _ = (last_pid(&bytes), is_ended(&bytes));
            prop_assert_eq!(matched(&["zoom".to_owned()], &bytes, short).is_some(), bytes.eq_ignore_ascii_case(b"zoom"));
        }
    }
}
