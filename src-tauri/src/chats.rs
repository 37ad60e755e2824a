use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lull_types::{Code, Fault};
use tauri::async_runtime::JoinHandle;

/// The most answers that may come at once.
const CHATS_MAX: usize = 32;

/// The questions under way, by number. Ending one hangs up, which stops its job.
#[derive(Default, Clone)]
pub(crate) struct Chats(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    last: u32,
    tasks: HashMap<u32, JoinHandle<()>>,
}

impl Chats {
    /// Keeps a question under way; `start` gets its number and begins it.
    pub(crate) fn begin(&self, start: impl FnOnce(u32) -> JoinHandle<()>) -> Result<u32, Fault> {
        let mut open = self.open();
        if open.tasks.len() >= CHATS_MAX {
            let text = format!("{CHATS_MAX} answers are coming already; wait for one, or stop one");
            return Err(Fault::new(Code::Busy, text));
        }
        open.last = open.last.wrapping_add(1);
        let id = open.last;
        let task = start(id);
        open.tasks.insert(id, task);
        Ok(id)
    }

    /// Forgets a question that has ended.
    pub(crate) fn ended(&self, id: u32) {
        self.open().tasks.remove(&id);
    }

    /// Ends a question.
    pub(crate) fn stop(&self, id: u32) {
        if let Some(task) = self.open().tasks.remove(&id) {
            task.abort();
        }
    }

    /// Ends all of them: nobody is left to read.
    pub(crate) fn stop_all(&self) {
        for (_, task) in self.open().tasks.drain() {
            task.abort();
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
