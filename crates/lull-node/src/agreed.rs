//! What people said about lending, as it lies on the disk: agreement, rules and pause outlast the node.
//!
//! What cannot be read is a [`Fault`], never a permission.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::{Zoned, civil};
use lull_door::{fault::storage, home};
use lull_policy::{Effective, Policy, Settings, TEXT_BYTES_MAX, loosens, resolve, set};
use lull_types::{Code, Fault, Pause, PolicyView, RuleValue, RulesView};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Home, NodeOptions,
    clock::now_s,
    orders::{OrderFiles, Ruling},
};

/// Where the organisation's rules lie on systems that keep such things in files.
const MACHINE_FILE: &str = "/etc/lull/policy.toml";
/// How often to look whether a file has changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The longest pause that has an end, in seconds.
pub(crate) const PAUSE_MAX_S: u64 = 366 * 86_400;
/// When a morning begins.
const MORNING: civil::Time = civil::time(6, 0, 0, 0);

/// A pause that its owner asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paused {
    /// It ends by itself, so many milliseconds after 1970 began.
    UntilUnixMs(u64),
    /// Until they resume.
    Forever,
}

impl Paused {
    /// A pause that begins now. *Until tomorrow* ends at 6 o'clock of the next day, whatever the hour is.
    ///
    /// # Errors
    /// [`Code::BadRequest`] when it would last no time at all, or longer than a year.
    pub fn begin(pause: Pause, now: &Zoned) -> Result<Self, Fault> {
        let no_end = |error| Fault::new(Code::BadRequest, format!("this pause has no end that a clock shows: {error}"));
        let end = match pause {
            Pause::Forever => return Ok(Self::Forever),
            Pause::UntilTomorrow => now.tomorrow().and_then(|day| day.with().time(MORNING).build()).map_err(no_end)?,
            Pause::For { seconds } => {
                if !(1..=PAUSE_MAX_S).contains(&seconds) {
                    let days = PAUSE_MAX_S / 86_400;
                    let text = format!("a pause lasts from 1 second to {days} days; longer ones: `lull pause forever`");
                    return Err(Fault::new(Code::BadRequest, text));
                }
                now.checked_add(Duration::from_secs(seconds)).map_err(no_end)?
            }
        };
        Ok(Self::UntilUnixMs(end.timestamp().as_millisecond().max(0).unsigned_abs()))
    }

    /// When it ends, in milliseconds since 1970; `None`: not by itself.
    #[must_use]
    pub const fn until_unix_ms(self) -> Option<u64> {
        match self {
            Self::UntilUnixMs(until) => Some(until),
            Self::Forever => None,
        }
    }
}

/// The files of one home in which people's word about lending is kept.
#[derive(Debug, Clone)]
pub struct AgreedFiles {
    home: Home,
    /// The organisation's file; `None` where the system keeps such rules elsewhere, which Lull does not read yet.
    machine: Option<PathBuf>,
    orders: OrderFiles,
}

/// What those files say now. A part that cannot be followed is a fault, and nothing is lent then.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Agreed {
    /// The policy among them, or why it cannot be followed.
    pub(crate) policy: Result<Option<PolicyNow>, Fault>,
    /// What can be followed of settings and organisation's rules, together.
    pub(crate) readable: Arc<Effective>,
    /// Whether that is all that the organisation says here.
    pub(crate) org: Result<(), Fault>,
    /// Whether that is all that anybody says here.
    pub(crate) rules: Result<(), Fault>,
    /// The pause, which may be over by now.
    pub(crate) paused: Result<Option<Paused>, Fault>,
}

impl AgreedFiles {
    /// The files of a home, and the organisation's where this system keeps it.
    ///
    /// # Errors
    /// [`Code::Storage`] when the home cannot be had.
    pub fn open(home: &Path) -> Result<Self, Fault> {
        let machine = cfg!(not(any(windows, target_os = "macos"))).then(|| PathBuf::from(MACHINE_FILE));
        Ok(Self::new(Home::open(home)?, machine))
    }

    /// The files of a home as a node with these options follows them.
    ///
    /// # Errors
    /// [`Code::Storage`] when the home cannot be had.
    pub(crate) fn of(home: &Home, options: &NodeOptions) -> Result<Self, Fault> {
        match &options.machine_rules {
            Some(machine) => Ok(Self::new(home.clone(), Some(machine.clone()))),
            None => Self::open(home.path()),
        }
    }

    /// The files of a home, with the organisation's file elsewhere or nowhere.
    pub(crate) fn new(home: Home, machine: Option<PathBuf>) -> Self {
        Self { orders: OrderFiles::new(home.clone()), home, machine }
    }

    pub(crate) const fn orders(&self) -> &OrderFiles {
        &self.orders
    }

    fn settings_file(&self) -> PathBuf {
        self.home.path().join("settings.toml")
    }

    fn pause_file(&self) -> PathBuf {
        self.home.path().join("pause.json")
    }

    /// Every rule for lending as it counts now.
    ///
    /// # Errors
    /// [`Code::Storage`] when a file cannot be read or followed; the sentence says where and why.
    pub fn effective(&self) -> Result<Effective, Fault> {
        let Agreed { readable, rules, .. } = self.read();
        rules.map(|()| Arc::unwrap_or_clone(readable))
    }

    fn settings(&self) -> Result<Option<Settings>, Fault> {
        let path = self.settings_file();
        Ok(text(&path)?.map(|text| Settings::parse(&path.display().to_string(), &text)).transpose()?)
    }

    fn machine_rules(&self) -> Result<Option<Policy>, Fault> {
        let Some(path) = &self.machine else { return Ok(None) };
        Ok(text(path)?.map(|text| Policy::parse(&path.display().to_string(), &text)).transpose()?)
    }

    /// Keeps that its owner agrees to lend, or does not. The rest of their file stays as they wrote it.
    ///
    /// # Errors
    /// [`Code::Storage`] when the file cannot be written, or cannot be followed as it is.
    pub fn set_enabled(&self, on: bool) -> Result<(), Fault> {
        let (old, new) = self.edited("lend.enabled", Some(&RuleValue::Switch(on)))?;
        self.keep_settings(&old, &new)
    }

    /// Keeps its owner's word on one rule, `lend.idle_minutes` for example; `None`: they have none any more. The rest of
    /// their file stays as they wrote it. `org`: the organisation's name, empty where it is not known.
    ///
    /// # Errors
    /// [`Code::BadRequest`] when there is no such rule or it cannot have that value, [`Code::Forbidden`] when the
    /// organisation's rules are stricter, [`Code::Storage`] when a file cannot be written, or cannot be followed as it
    /// is.
    pub fn set_rule(&self, key: &str, value: Option<&RuleValue>, org: &str) -> Result<(), Fault> {
        let (old, new) = self.edited(key, value)?;
        let settings = Settings::parse(&self.settings_file().display().to_string(), &new)?;
        let (ruling, machine) = (self.orders.ruling()?, self.machine_rules()?);
        let policy = ruling.as_ref().map(|ruling| &ruling.policy);
        if value.is_some() && loosens(&settings, policy, machine.as_ref(), key) {
            let org = if org.is_empty() { "your organisation" } else { org };
            let place = match ruling.as_ref().filter(|_| loosens(&settings, policy, None, key)) {
                Some(ruling) => format!("its signed policy, version {}", ruling.version),
                None => self.machine.as_deref().unwrap_or(Path::new(MACHINE_FILE)).display().to_string(),
            };
            let text = format!(
                "{key} is held by {org} in {place}: a stricter choice is yours, a looser one is not; ask IT about it"
            );
            return Err(Fault::new(Code::Forbidden, text));
        }
        self.keep_settings(&old, &new)
    }

    /// The settings as they are, and with one rule changed.
    fn edited(&self, key: &str, value: Option<&RuleValue>) -> Result<(String, String), Fault> {
        let path = self.settings_file();
        let old = text(&path)?.unwrap_or_default();
        let new = set(&path.display().to_string(), &old, key, value)?;
        Ok((old, new))
    }

    fn keep_settings(&self, old: &str, new: &str) -> Result<(), Fault> {
        let path = self.settings_file();
        // A file that its owner keeps elsewhere and links to is changed there.
        let place = fs::canonicalize(&path).unwrap_or(path);
        if new == old { Ok(()) } else { home::write(&place, new.as_bytes()) }
    }

    /// These rules as they are shown, with where they come from; `broken`: what cannot be followed.
    pub(crate) fn view(&self, rules: &Effective, policy: Option<PolicyNow>, broken: Option<&Fault>) -> RulesView {
        let machine = self.machine.as_ref().filter(|path| path.exists());
        RulesView {
            rules: rules.views(),
            org: rules.org_views(),
            labels: Vec::new(),
            policy: policy.map(|policy| PolicyView {
                version: policy.version,
                issued_unix_s: policy.issued_s,
                until_unix_s: policy.not_after_s,
            }),
            settings_file: self.settings_file().display().to_string(),
            machine_file: machine.map(|path| path.display().to_string()),
            broken: broken.map(|fault| fault.message.clone()),
        }
    }

    /// The pause that its owner asked for last, if they have not resumed. It may be over by now.
    ///
    /// # Errors
    /// [`Code::Storage`] when it cannot be read; a new pause, or resuming, mends that.
    pub fn paused(&self) -> Result<Option<Paused>, Fault> {
        let path = self.pause_file();
        let Some(text) = text(&path)? else { return Ok(None) };
        let fault = |error: serde_json::Error| {
            let text = format!(
                "{} does not say until when this machine is paused ({error}); use `lull pause` or `lull resume`",
                path.display()
            );
            Fault::new(Code::Storage, text)
        };
        serde_json::from_str(&text).map(Some).map_err(fault)
    }

    /// Keeps a pause.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn pause(&self, paused: Paused) -> Result<(), Fault> {
        let text = serde_json::to_string(&paused)
            .map_err(|error| Fault::new(Code::Internal, format!("a pause cannot be written: {error}")))?;
        home::write(&self.pause_file(), text.as_bytes())
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn resume(&self) -> Result<(), Fault> {
        home::remove(&self.pause_file())
    }

    /// What the files say now.
    pub(crate) fn read(&self) -> Agreed {
        let (ruling, machine, settings) = (self.orders.ruling(), self.machine_rules(), self.settings());
        let policy = ruling.as_ref().map(|ruling| ruling.as_ref().map(PolicyNow::of)).map_err(Clone::clone);
        let org = ruling.as_ref().map(drop).and(machine.as_ref().map(drop)).map_err(Clone::clone);
        let rules = org.as_ref().map(drop).and(settings.as_ref().map(drop)).map_err(Clone::clone);
        let (ruling, machine, settings) = (ruling.ok().flatten(), machine.ok().flatten(), settings.ok().flatten());
        // What a person allows counts only where everything is known that may forbid it.
        let settings = settings.filter(|_| rules.is_ok());
        let policies = (ruling.as_ref().map(|ruling| &ruling.policy), machine.as_ref());
        let readable = Arc::new(resolve(settings.as_ref(), policies.0, policies.1));
        Agreed { policy, readable, org, rules, paused: self.paused() }
    }

    fn stamps(&self) -> [Stamp; 5] {
        let machine = self.machine.as_deref().map_or(Stamp::Missing, Stamp::of);
        let (policy, node) = (Stamp::of(&self.orders.policy_file()), Stamp::of(&self.home.node()));
        [Stamp::of(&self.settings_file()), Stamp::of(&self.pause_file()), machine, policy, node]
    }
}

/// Which policy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PolicyNow {
    pub(crate) version: u64,
    /// When it was signed, in seconds since 1970.
    pub(crate) issued_s: u64,
    /// When it ends, in seconds since 1970.
    pub(crate) not_after_s: u64,
}

impl PolicyNow {
    const fn of(ruling: &Ruling) -> Self {
        let Ruling { version, issued_s, not_after_s, .. } = ruling;
        Self { version: *version, issued_s: *issued_s, not_after_s: *not_after_s }
    }
}

impl Agreed {
    /// Whether something in it ends by itself, or counts only now: it says something else then, though no file changed.
    fn is_over(&self, now_s: u64) -> bool {
        match &self.policy {
            Ok(Some(policy)) => policy.not_after_s <= now_s,
            Ok(None) => false,
            // A clock that was wrong may be right now.
            Err(_) => true,
        }
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stamp {
    Missing,
    Unknown(io::ErrorKind),
    File { modified: Option<SystemTime>, bytes: u64, inode: u64 },
}

impl Stamp {
    fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(found) => Self::File { modified: found.modified().ok(), bytes: found.len(), inode: inode(&found) },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Missing,
            Err(error) => Self::Unknown(error.kind()),
        }
    }
}

#[cfg(unix)]
fn inode(found: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

/// Follows the files until `stop`: what the receiver holds is at most two seconds old, and less when someone notifies.
///
/// Must be called inside a tokio runtime.
pub(crate) fn follow(files: AgreedFiles, look: Arc<Notify>, stop: CancellationToken) -> watch::Receiver<Agreed> {
    follow_every(LOOK_EVERY, files, look, stop)
}

fn follow_every(
    every: Duration,
    files: AgreedFiles,
    asked: Arc<Notify>,
    stop: CancellationToken,
) -> watch::Receiver<Agreed> {
    // Stamped before it is read: a change in between is read twice rather than never.
    let stamps = files.stamps();
    let (sender, receiver) = watch::channel(files.read());
    tokio::spawn(async move {
        let mut seen = stamps;
        let mut tick = interval(every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                () = sender.closed() => return,
                _ = tick.tick() => false,
                () = asked.notified() => true,
            };
            let (files, old) = (files.clone(), seen.clone());
            let anew = asked || sender.borrow().is_over(now_s());
            // A disk that does not answer holds up this task only.
            let looked = tokio::task::spawn_blocking(move || {
                let stamps = files.stamps();
                (anew || stamps != old).then(|| (stamps, files.read()))
            });
            let Ok(found) = looked.await else { return };
            let Some((stamps, agreed)) = found else { continue };
            seen = stamps;
            sender.send_if_modified(|last| {
                let differs = *last != agreed;
                *last = agreed;
                differs
            });
        }
    });
    receiver
}

/// A file's text; `None` when it is not there.
fn text(path: &Path) -> Result<Option<String>, Fault> {
    let fault = |what: String| Fault::new(Code::Storage, format!("{} {what}", path.display()));
    match fs::metadata(path) {
        // Reading a pipe or a device may never end.
        Ok(found) if !found.is_file() => return Err(fault("is not a file; put one there, or remove it".into())),
        Ok(found) if found.len() > TEXT_BYTES_MAX as u64 => {
            return Err(fault(format!("has {} bytes, the most is {TEXT_BYTES_MAX}; shorten it", found.len())));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(storage("read", path, &error)),
        Ok(_) => {}
    }
    let bytes = home::read(path)?;
    let utf8 = |bytes| String::from_utf8(bytes).map_err(|_| fault("is not text in UTF-8; save it as UTF-8".into()));
    bytes.map(utf8).transpose()
}

#[cfg(test)]
mod tests {
    use lull_policy::Source;

    use super::*;

    struct Place {
        _folder: tempfile::TempDir,
        files: AgreedFiles,
        machine: PathBuf,
    }

    fn place() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let machine = folder.path().join("policy.toml");
        let home = Home::open(&folder.path().join("home")).unwrap();
        Place { files: AgreedFiles::new(home, Some(machine.clone())), machine, _folder: folder }
    }

    fn at(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    #[test]
    fn agreement_outlasts_the_node_and_keeps_the_persons_file() {
        let place = place();
        assert!(!place.files.effective().unwrap().enabled.value, "nobody agreed");
        place.files.set_enabled(true).unwrap();
        let effective = place.files.effective().unwrap();
        assert_eq!((effective.enabled.value, effective.enabled.source), (true, Source::Settings));
        let text = "[lend] # mine\nenabled = true # yes\nidle_minutes = 30\n";
        fs::write(place.files.settings_file(), text).unwrap();
        place.files.set_enabled(false).unwrap();
        let written = fs::read_to_string(place.files.settings_file()).unwrap();
        assert_eq!(written, text.replace("true", "false"));
        assert_eq!(fs::read_dir(place.files.home.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn the_organisation_counts_as_well() {
        let place = place();
        place.files.set_enabled(true).unwrap();
        fs::write(&place.machine, "[lend]\nenabled = false\n").unwrap();
        let enabled = place.files.effective().unwrap().enabled;
        assert_eq!((enabled.value, enabled.source, enabled.locked), (false, Source::Machine, true));
        let elsewhere = AgreedFiles::new(place.files.home.clone(), None);
        assert!(elsewhere.effective().unwrap().enabled.value);
    }

    #[test]
    fn a_rule_is_set_where_the_organisation_allows_it() {
        let place = place();
        fs::write(&place.machine, "[lend]\nidle_minutes = 15\n").unwrap();
        fs::write(place.files.settings_file(), "# mine\n[lend]\nidle_minutes = 20 # tea\n").unwrap();
        let set =
            |key: &str, value: Option<f64>| place.files.set_rule(key, value.map(RuleValue::Number).as_ref(), "Acme");
        let fault = set("lend.idle_minutes", Some(14.0)).unwrap_err();
        assert_eq!(fault.code, Code::Forbidden);
        assert!(fault.message.contains(&format!("held by Acme in {}:", place.machine.display())), "{fault}");
        assert!(fs::read_to_string(place.files.settings_file()).unwrap().contains("= 20 # tea"));
        set("lend.idle_minutes", Some(15.0)).unwrap();
        assert_eq!(
            fs::read_to_string(place.files.settings_file()).unwrap(),
            "# mine\n[lend]\nidle_minutes = 15 # tea\n"
        );
        assert_eq!(set("lend.idle", Some(1.0)).unwrap_err().code, Code::BadRequest);
        set("lend.idle_minutes", None).unwrap();
        let rules = place.files.effective().unwrap();
        assert_eq!((rules.idle_minutes.value, rules.idle_minutes.source), (15, Source::Machine));
        let view = place.files.view(&rules, None, None);
        assert_eq!(view.machine_file, Some(place.machine.display().to_string()));
        assert_eq!((view.rules.len(), view.broken), (17, None));
        fs::write(&place.machine, "broken").unwrap();
        assert_eq!(set("lend.threads", Some(1.0)).unwrap_err().code, Code::Storage);
    }

    #[test]
    fn what_cannot_be_read_is_never_a_permission() {
        let place = place();
        place.files.set_enabled(true).unwrap();
        let broken = |path: &Path, bytes: &[u8]| {
            fs::write(path, bytes).unwrap();
            let fault = place.files.read().rules.unwrap_err();
            fs::remove_file(path).unwrap();
            assert_eq!(fault.code, Code::Storage);
            fault.message
        };
        let said = broken(&place.machine, b"[lend]\nenable = false");
        assert!(said.contains("policy.toml:2:1: `enable` is not a known key"), "{said}");
        assert!(broken(&place.machine, b"\xff\xfe").contains("is not text in UTF-8"));
        assert!(broken(&place.machine, &vec![b'#'; TEXT_BYTES_MAX + 1]).contains("shorten it"));
        fs::create_dir(&place.machine).unwrap();
        assert!(place.files.read().rules.unwrap_err().message.contains("is not a file"), "a folder is no file");
        fs::remove_dir(&place.machine).unwrap();
        assert!(broken(&place.files.settings_file(), b"lend = 1").contains("settings.toml:1:8"));
        fs::write(place.files.settings_file(), "lend = 1").unwrap();
        place.files.set_enabled(true).unwrap_err();
        assert_eq!(fs::read(place.files.settings_file()).unwrap(), b"lend = 1", "a broken file is left to its owner");
    }

    #[test]
    fn one_broken_file_takes_nothing_from_what_the_organisation_says_in_another() {
        let place = place();
        let internal = lull_types::Label::internal();
        let asks = |agreed: &Agreed| agreed.readable.org.may_ask(&internal, "m", &["sales".into()]).is_ok();
        fs::write(&place.machine, "[use]\ngroups = [\"hr\"]\n").unwrap();
        assert!(!asks(&place.files.read()));
        fs::write(place.files.settings_file(), "lend = 1").unwrap();
        let agreed = place.files.read();
        assert!(!asks(&agreed), "a broken setting of the person's frees nobody");
        assert!(agreed.rules.is_err() && agreed.org.is_ok(), "{agreed:?}");
        fs::write(&place.machine, "lend = 1").unwrap();
        let agreed = place.files.read();
        assert!(agreed.org.is_err(), "what the organisation says is not known: {agreed:?}");
    }

    #[test]
    fn a_pause_outlasts_the_node_until_its_owner_resumes() {
        let place = place();
        assert_eq!(place.files.paused().unwrap(), None);
        for paused in [Paused::UntilUnixMs(1_800_000_000_000), Paused::Forever] {
            place.files.pause(paused).unwrap();
            assert_eq!(place.files.paused().unwrap(), Some(paused));
        }
        assert_eq!(fs::read_to_string(place.files.pause_file()).unwrap(), "\"forever\"");
        place.files.resume().unwrap();
        assert_eq!(place.files.paused().unwrap(), None);
        place.files.resume().unwrap();
    }

    #[test]
    fn a_broken_pause_is_a_fault_that_pausing_or_resuming_mends() {
        let place = place();
        for text in ["", "{}", "{\"until_unix_ms\":-1}", "{\"until_unix_ms\":1,\"b\":2}", "\"for a while\""] {
            fs::write(place.files.pause_file(), text).unwrap();
            let fault = place.files.read().paused.unwrap_err();
            assert!(fault.message.contains("`lull resume`"), "{text}: {fault}");
        }
        fs::write(place.files.pause_file(), b"\xff").unwrap();
        place.files.read().paused.unwrap_err();
        place.files.pause(Paused::Forever).unwrap();
        assert_eq!(place.files.paused().unwrap(), Some(Paused::Forever));
    }

    #[test]
    fn tomorrow_is_the_next_days_morning_on_this_machines_clock() {
        for (now, end) in [
            ("2026-11-20T14:05:00+01:00[Europe/Berlin]", "2026-11-21T06:00:00+01:00[Europe/Berlin]"),
            ("2026-11-20T05:59:00+01:00[Europe/Berlin]", "2026-11-21T06:00:00+01:00[Europe/Berlin]"),
            ("2026-11-20T00:30:00+01:00[Europe/Berlin]", "2026-11-21T06:00:00+01:00[Europe/Berlin]"),
            // The clock goes forward in this night.
            ("2026-03-28T23:00:00+01:00[Europe/Berlin]", "2026-03-29T06:00:00+02:00[Europe/Berlin]"),
        ] {
            let ms = at(end).timestamp().as_millisecond().unsigned_abs();
            assert_eq!(Paused::begin(Pause::UntilTomorrow, &at(now)).unwrap(), Paused::UntilUnixMs(ms), "{now}");
        }
    }

    #[test]
    fn a_pause_has_bounds() {
        let now = at("1970-01-02T00:00:00+00:00[UTC]");
        let begin = |seconds| Paused::begin(Pause::For { seconds }, &now);
        assert_eq!(begin(90).unwrap(), Paused::UntilUnixMs(86_490_000));
        assert_eq!(Paused::begin(Pause::Forever, &now).unwrap().until_unix_ms(), None);
        for seconds in [0, PAUSE_MAX_S + 1, u64::MAX] {
            assert_eq!(begin(seconds).unwrap_err().code, Code::BadRequest, "{seconds}");
        }
        assert!(begin(PAUSE_MAX_S).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn what_would_never_end_is_not_read() {
        let place = place();
        std::os::unix::fs::symlink("/dev/zero", place.files.settings_file()).unwrap();
        let fault = place.files.effective().unwrap_err();
        assert!(fault.message.contains("is not a file"), "{fault}");
        assert_eq!(place.files.set_enabled(true).unwrap_err(), fault);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_kept_elsewhere_stays_there() {
        let place = place();
        let dotfile = place.machine.with_file_name("dotfile.toml");
        fs::write(&dotfile, "[lend]\n").unwrap();
        std::os::unix::fs::symlink(&dotfile, place.files.settings_file()).unwrap();
        place.files.set_enabled(true).unwrap();
        assert_eq!(fs::read_to_string(&dotfile).unwrap(), "[lend]\nenabled = true\n");
        assert!(fs::symlink_metadata(place.files.settings_file()).unwrap().is_symlink());
    }

    fn enabled(agreed: &Agreed) -> Option<bool> {
        agreed.rules.is_ok().then_some(agreed.readable.enabled.value)
    }

    #[tokio::test]
    async fn changes_are_seen_by_themselves() {
        let place = place();
        let every = Duration::from_millis(5);
        let mut agreed = follow_every(every, place.files.clone(), Arc::default(), CancellationToken::new());
        assert_eq!(enabled(&agreed.borrow_and_update()), Some(false));
        place.files.set_enabled(true).unwrap();
        agreed.wait_for(|now| enabled(now) == Some(true)).await.unwrap();
        fs::write(&place.machine, "broken").unwrap();
        agreed.wait_for(|now| enabled(now).is_none()).await.unwrap();
        fs::remove_file(&place.machine).unwrap();
        agreed.wait_for(|now| enabled(now) == Some(true)).await.unwrap();
    }

    #[tokio::test]
    async fn changes_are_seen_at_once_when_someone_asks() {
        let place = place();
        let stop = CancellationToken::new();
        let look: Arc<Notify> = Arc::default();
        let mut agreed = follow_every(Duration::from_secs(3_600), place.files.clone(), look.clone(), stop.clone());
        for paused in [Some(Paused::Forever), None] {
            match paused {
                Some(paused) => place.files.pause(paused).unwrap(),
                None => place.files.resume().unwrap(),
            }
            look.notify_one();
            agreed.wait_for(|now| now.paused == Ok(paused)).await.unwrap();
        }
        stop.cancel();
        while agreed.changed().await.is_ok() {}
    }
}
