//! What llama.cpp says when it cannot load a model: the reason stands only there. Nothing is kept once a model is loaded,
//! and nothing is written anywhere.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// The longest that is kept, in bytes.
const SAID_BYTES_MAX: usize = 300;

static LISTENING: AtomicBool = AtomicBool::new(false);
static SAID: Mutex<String> = Mutex::new(String::new());

/// Listens from now on, until [`stop`].
pub(crate) fn listen() {
    // It is there already when a second model is loaded, as in tests.
    let _ = tracing::subscriber::set_global_default(Ear);
    llama_cpp_2::send_logs_to_tracing(llama_cpp_2::LogOptions::default());
    LISTENING.store(true, Ordering::Release);
}

/// Listens no more, and forgets.
pub(crate) fn stop() {
    LISTENING.store(false, Ordering::Release);
    said().clear();
}

/// What went wrong first, in llama.cpp's words.
pub(crate) fn first() -> Option<String> {
    Some(said().clone()).filter(|said| !said.is_empty())
}

fn said() -> std::sync::MutexGuard<'static, String> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears errors only.
struct Ear;

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR && LISTENING.load(Ordering::Acquire)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Kept);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Kept;

impl Visit for Kept {
    fn record_str(&mut self, field: &Field, value: &str) {
        let mut said = said();
        // What comes after it only says that it follows from it.
        if field.name() == "message" && said.is_empty() {
            let words: String = value.chars().filter(|sign| !sign.is_control()).collect();
            said.push_str(words[..words.floor_char_boundary(SAID_BYTES_MAX)].trim());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
