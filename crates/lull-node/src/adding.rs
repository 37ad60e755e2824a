//! Models that are being added to this machine through its door.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use lull_models::{Progress, Store};
use lull_types::{AddingView, Code, Event, Fault};
use tokio::sync::broadcast;

use crate::{Home, agreed::AgreedFiles, room::check_room};

/// Models that may be on their way at once; the store takes one after the other.
const ADDING_MAX: usize = 4;
/// Those that could not be added and are still shown, at most; the oldest by name go first.
const FAILED_MAX: usize = 16;
/// The longest path, in bytes.
const PATH_BYTES_MAX: usize = 4_096;
/// How often a file's progress is told, at most.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// The list of them. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Adding {
    home: Home,
    files: AgreedFiles,
    events: broadcast::Sender<Event>,
    list: Arc<Mutex<BTreeMap<String, Entry>>>,
}

#[derive(Debug)]
struct Entry {
    view: AddingView,
    given_up: Arc<AtomicBool>,
}

impl Entry {
    const fn is_under_way(&self) -> bool {
        self.view.fault.is_none()
    }
}

impl Adding {
    pub(crate) fn new(home: Home, files: AgreedFiles, events: broadcast::Sender<Event>) -> Self {
        Self { home, files, events, list: Arc::default() }
    }

    /// By path.
    pub(crate) fn views(&self) -> Vec<AddingView> {
        self.list().values().map(|entry| entry.view.clone()).collect()
    }

    /// Puts a model on the list and gives the work that adds it, to be done where nothing waits for it. The work says
    /// whether a model has come.
    ///
    /// # Errors
    /// [`Code::BadRequest`] for a path that is none, [`Code::Busy`] when it is being added already, or too many are.
    pub(crate) fn begin(
        &self,
        path: String,
        name: Option<String>,
    ) -> Result<impl FnOnce() -> bool + Send + 'static, Fault> {
        if path.len() > PATH_BYTES_MAX || !Path::new(&path).is_absolute() {
            let text = "a model is added by the whole path of its file or folder, such as /home/me/model.gguf";
            return Err(Fault::new(Code::BadRequest, text));
        }
        let given_up = Arc::new(AtomicBool::new(false));
        {
            let mut list = self.list();
            if list.get(&path).is_some_and(Entry::is_under_way) {
                return Err(Fault::new(Code::Busy, format!("{path} is being added already")));
            }
            if list.values().filter(|entry| entry.is_under_way()).count() >= ADDING_MAX {
                let text = format!("{ADDING_MAX} models are being added already; wait for one of them");
                return Err(Fault::new(Code::Busy, text));
            }
            let view = AddingView { path: path.clone(), file: None, done_bytes: 0, total_bytes: 0, fault: None };
            list.insert(path.clone(), Entry { view, given_up: given_up.clone() });
        }
        self.tell();
        let this = self.clone();
        Ok(move || this.add(&path, name.as_deref(), &given_up))
    }

    /// Gives up what is being added, or forgets that it could not be.
    ///
    /// # Errors
    /// [`Code::BadRequest`] when nothing of the kind is known.
    pub(crate) fn forget(&self, path: &str) -> Result<(), Fault> {
        let mut list = self.list();
        match list.get(path) {
            Some(entry) if entry.is_under_way() => entry.given_up.store(true, Ordering::Relaxed),
            Some(_) => drop(list.remove(path)),
            None => return Err(Fault::new(Code::BadRequest, "no model is being added from there")),
        }
        drop(list);
        self.tell();
        Ok(())
    }

    /// Gives up everything: the node stops.
    pub(crate) fn end(&self) {
        self.list().values().for_each(|entry| entry.given_up.store(true, Ordering::Relaxed));
    }

    fn add(&self, path: &str, name: Option<&str>, given_up: &AtomicBool) -> bool {
        let added = self.copy(path, name, given_up);
        let mut list = self.list();
        match &added {
            Err(fault) if fault.code != Code::Cancelled => {
                tracing::info!(code = %fault.code, "a model could not be added");
                if let Some(entry) = list.get_mut(path) {
                    entry.view.fault = Some(fault.clone());
                }
                forget_the_first_failed(&mut list, path);
            }
            Ok(()) | Err(_) => drop(list.remove(path)),
        }
        drop(list);
        self.tell();
        added.is_ok()
    }

    fn copy(&self, path: &str, name: Option<&str>, given_up: &AtomicBool) -> Result<(), Fault> {
        let from = PathBuf::from(path);
        check_room(&self.home.models(), &from, self.files.effective()?.disk_gib.value)?;
        let mut told = None;
        let mut progress = |progress: Progress<'_>| {
            let Progress::File { name, done, total } = progress else { return };
            if let Some(Entry { view, .. }) = self.list().get_mut(path) {
                (view.file, view.done_bytes, view.total_bytes) = (Some(name.to_owned()), done, total);
            }
            if told.is_none_or(|told: Instant| told.elapsed() >= TELL_EVERY) {
                told = Some(Instant::now());
                self.tell();
            }
        };
        Store::open(self.home.path())?.add_unless(&from, name, given_up, &mut progress).map(drop)
    }

    fn tell(&self) {
        // Nobody may be listening.
        let _ = self.events.send(Event::Models);
    }

    fn list(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_the_first_failed(list: &mut BTreeMap<String, Entry>, but: &str) {
    let failed: Vec<String> =
        list.iter().filter(|(_, entry)| !entry.is_under_way()).map(|(path, _)| path.clone()).collect();
    if failed.len() > FAILED_MAX
        && let Some(first) = failed.iter().find(|path| *path != but)
    {
        list.remove(first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adding() -> (tempfile::TempDir, Adding) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(&folder.path().join("home")).unwrap();
        let files = AgreedFiles::new(home.clone(), None);
        let (events, _) = broadcast::channel(1_000);
        (folder, Adding::new(home, files, events))
    }

    fn demo(folder: &tempfile::TempDir) -> String {
        // The demo model, taken out of another home, is a real model.
        let stored = Store::open(&folder.path().join("other")).unwrap().ensure_demo().unwrap();
        let file = std::fs::read_dir(&stored.folder).unwrap().map(|file| file.unwrap().path());
        let mut files = file.filter(|path| path.extension().is_some_and(|kind| kind == "gguf"));
        files.next().unwrap().display().to_string()
    }

    #[test]
    fn a_model_comes_and_its_way_is_told() {
        let (folder, adding) = adding();
        let path = demo(&folder);
        let mut events = adding.events.subscribe();
        let work = adding.begin(path.clone(), Some("mine".into())).unwrap();
        assert_eq!(adding.views()[0].path, path);
        assert_eq!(adding.begin(path, None).map(drop).unwrap_err().code, Code::Busy);
        assert!(work());
        assert_eq!(adding.views(), []);
        assert_eq!(Store::open(adding.home.path()).unwrap().list().unwrap()[0].name, "mine");
        assert!(std::iter::from_fn(|| events.try_recv().ok()).count() >= 3, "begun, on its way, there");
    }

    #[test]
    fn what_cannot_be_added_says_why_until_it_is_forgotten() {
        let (folder, adding) = adding();
        let path = folder.path().join("none.gguf").display().to_string();
        assert!(!adding.begin(path.clone(), None).unwrap()());
        let views = adding.views();
        assert!(views[0].fault.is_some(), "{views:?}");
        assert!(!adding.begin(path.clone(), None).unwrap()(), "trying again is possible");
        adding.forget(&path).unwrap();
        assert_eq!(adding.views(), []);
        assert_eq!(adding.forget(&path).unwrap_err().code, Code::BadRequest);
        assert_eq!(adding.begin("model.gguf".into(), None).map(drop).unwrap_err().code, Code::BadRequest);
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let (folder, adding) = adding();
        let path = demo(&folder);
        let work = adding.begin(path.clone(), None).unwrap();
        adding.forget(&path).unwrap();
        assert!(!work());
        assert_eq!((adding.views(), Store::open(adding.home.path()).unwrap().list().unwrap().len()), (Vec::new(), 0));
        assert_eq!(crate::room::files_bytes(&adding.home.models()), 0);
    }

    #[test]
    fn the_disk_and_the_list_have_bounds() {
        let (folder, adding) = adding();
        std::fs::write(adding.home.path().join("settings.toml"), "[lend]\ndisk_gib = 1\n").unwrap();
        let huge = folder.path().join("huge.gguf");
        std::fs::File::create(&huge).unwrap().set_len(2 << 30).unwrap();
        assert!(!adding.begin(huge.display().to_string(), None).unwrap()());
        assert_eq!(adding.views()[0].fault.as_ref().unwrap().code, Code::Forbidden);
        for place in 0..FAILED_MAX + 5 {
            adding.begin(format!("/nowhere/{place:02}"), None).unwrap()();
        }
        assert_eq!(adding.views().len(), FAILED_MAX);
        let begun: Vec<_> = (0..ADDING_MAX).map(|place| adding.begin(format!("/other/{place}"), None)).collect();
        assert!(begun.iter().all(Result::is_ok));
        assert_eq!(adding.begin("/other/more".into(), None).map(drop).unwrap_err().code, Code::Busy);
    }
}
