//! A stand-in for Mutter that can be told to fail.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;
use zbus::object_server::SignalEmitter;

use crate::common::Bus;

const PATH: &str = "/org/gnome/Mutter/IdleMonitor/Core";
const NAME: &str = "org.gnome.Mutter.IdleMonitor";

struct State {
    touched: Instant,
    /// What it says about idle time instead of the truth, in milliseconds.
    lie: Option<u64>,
    hangs: bool,
    idle_watches: Vec<u32>,
    active_watches: Vec<u32>,
    next: u32,
}

#[derive(Clone)]
struct Monitor(Arc<Mutex<State>>);

#[zbus::interface(name = "org.gnome.Mutter.IdleMonitor")]
impl Monitor {
    async fn get_idletime(&self) -> u64 {
        if self.0.lock().unwrap().hangs {
            std::future::pending::<()>().await;
        }
        let state = self.0.lock().unwrap();
        state.lie.unwrap_or_else(|| u64::try_from(state.touched.elapsed().as_millis()).unwrap())
    }

    fn add_idle_watch(&self, _interval: u64) -> u32 {
        let mut state = self.0.lock().unwrap();
        state.next += 1;
        let id = state.next;
        state.idle_watches.push(id);
        id
    }

    fn add_user_active_watch(&self) -> u32 {
        let mut state = self.0.lock().unwrap();
        state.next += 1;
        let id = state.next;
        state.active_watches.push(id);
        id
    }

    #[zbus(signal)]
    async fn watch_fired(emitter: &SignalEmitter<'_>, id: u32) -> zbus::Result<()>;
}

/// The stand-in. When it is dropped, its name is gone from the bus.
pub(crate) struct StandIn {
    runtime: Runtime,
    bus: zbus::Connection,
    state: Arc<Mutex<State>>,
}

impl StandIn {
    pub(crate) fn on(bus: &Bus) -> Self {
        let state = Arc::new(Mutex::new(State {
            touched: Instant::now(),
            lie: None,
            hangs: false,
            idle_watches: Vec::new(),
            active_watches: Vec::new(),
            next: 0,
        }));
        let runtime = Runtime::new().unwrap();
        let bus = runtime.block_on(async {
            let builder = zbus::connection::Builder::address(bus.address()).unwrap();
            let builder = builder.serve_at(PATH, Monitor(state.clone())).unwrap();
            builder.name(NAME).unwrap().build().await.unwrap()
        });
        Self { runtime, bus, state }
    }

    /// Someone touches something.
    pub(crate) fn touch(&self) {
        let mut state = self.state.lock().unwrap();
        state.touched = Instant::now();
        let watches = std::mem::take(&mut state.active_watches);
        drop(state);
        self.fire(&watches);
    }

    /// Nobody has touched anything for two seconds.
    pub(crate) fn leave(&self) {
        let mut state = self.state.lock().unwrap();
        state.touched = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
        let watches = state.idle_watches.clone();
        drop(state);
        self.fire(&watches);
    }

    /// Says this idle time from now on, whatever happens.
    pub(crate) fn lie(&self, idle: Duration) {
        self.state.lock().unwrap().lie = Some(u64::try_from(idle.as_millis()).unwrap());
    }

    /// Answers nothing any more.
    pub(crate) fn hang(&self) {
        self.state.lock().unwrap().hangs = true;
    }

    fn fire(&self, watches: &[u32]) {
        self.runtime.block_on(async {
            let emitter = SignalEmitter::new(&self.bus, PATH).unwrap();
            for id in watches {
                Monitor::watch_fired(&emitter, *id).await.unwrap();
            }
        });
    }
}
