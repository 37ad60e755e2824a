//! Stand-ins for services on a bus: each answers what the test told it to, says what the test lets it say, and can
//! fall silent while it keeps its name.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use futures::StreamExt as _;
use tokio::runtime::Runtime;
use zbus::{
    Connection, Message, MessageStream,
    connection::Builder,
    message::Type,
    zvariant::{ObjectPath, OwnedValue, StructureBuilder, Value},
};

const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// One service on a bus. Dropping it makes it vanish.
pub(crate) struct StandIn {
    runtime: Option<Runtime>,
    connection: Connection,
    told: Arc<Mutex<Told>>,
}

#[derive(Default)]
struct Told {
    silent: bool,
    /// By path.
    properties: BTreeMap<String, HashMap<String, OwnedValue>>,
    /// By path (or none, for any) and method.
    answers: BTreeMap<(String, String), OwnedValue>,
    asked: BTreeMap<String, usize>,
}

impl StandIn {
    /// Takes a name on the bus at an address. Told nothing, it says that it knows nothing.
    pub(crate) fn start(address: &str, name: &'static str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("stand-in")
            .enable_all()
            .build()
            .unwrap();
        let told = Arc::new(Mutex::new(Told::default()));
        let shared = told.clone();
        let connection = runtime.block_on(async {
            let connection = Builder::address(address).unwrap().build().await.unwrap();
            let mut calls = MessageStream::from(&connection);
            let answering = connection.clone();
            tokio::spawn(async move {
                while let Some(Ok(message)) = calls.next().await {
                    if message.message_type() == Type::MethodCall {
                        answer(&answering, &message, &shared).await;
                    }
                }
            });
            connection.request_name(name).await.unwrap();
            connection
        });
        Self { runtime: Some(runtime), connection, told }
    }

    /// From now on it takes every question and answers none.
    pub(crate) fn fall_silent(&self) {
        self.told.lock().unwrap().silent = true;
    }

    /// How often a method was called.
    pub(crate) fn asked(&self, method: &str) -> usize {
        self.told.lock().unwrap().asked.get(method).copied().unwrap_or(0)
    }

    /// Gives a property a value, without a word about it.
    pub(crate) fn set<'v>(&self, path: &str, property: &str, value: impl Into<Value<'v>>) {
        let value = OwnedValue::try_from(value.into()).unwrap();
        let mut told = self.told.lock().unwrap();
        told.properties.entry(path.to_owned()).or_default().insert(property.to_owned(), value);
    }

    /// Gives a property a value, and says so.
    pub(crate) fn change<'v>(&self, path: &str, interface: &str, property: &str, value: impl Into<Value<'v>>) {
        let value = value.into();
        self.set(path, property, value.try_clone().unwrap());
        let body = (interface, HashMap::from([(property, value)]), Vec::<&str>::new());
        self.signal(path, PROPERTIES, "PropertiesChanged", &body);
    }

    /// What a method answers at a path; at any path when that is empty.
    pub(crate) fn answers<'v>(&self, path: &str, method: &str, value: impl Into<Value<'v>>) {
        let value = OwnedValue::try_from(value.into()).unwrap();
        self.told.lock().unwrap().answers.insert((path.to_owned(), method.to_owned()), value);
    }

    /// Says something.
    pub(crate) fn signal<B>(&self, path: &str, interface: &str, member: &str, body: &B)
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        let runtime = self.runtime.as_ref().unwrap();
        runtime.block_on(self.connection.emit_signal(None::<&str>, path, interface, member, body)).unwrap();
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        drop(runtime.block_on(self.connection.clone().close()));
        runtime.shutdown_background();
    }
}

async fn answer(connection: &Connection, message: &Message, told: &Mutex<Told>) {
    let header = message.header();
    let path = header.path().map_or("", |path| path.as_str());
    let member = header.member().map_or("", |member| member.as_str());
    let value = {
        let mut told = told.lock().unwrap();
        *told.asked.entry(member.to_owned()).or_default() += 1;
        if told.silent {
            return;
        }
        let property = |name: &str| told.properties.get(path)?.get(name)?.try_clone().ok();
        match (header.interface().map(|name| name.as_str()), member) {
            (Some(PROPERTIES), "Get") => {
                let (_, name): (String, String) = message.body().deserialize().unwrap();
                property(&name).map(|value| Value::new(Value::from(value)))
            }
            (Some(PROPERTIES), "GetAll") => told.properties.get(path).map(|all| {
                let all: HashMap<&str, Value<'_>> =
                    all.iter().map(|(name, value)| (name.as_str(), value.try_clone().unwrap().into())).collect();
                Value::from(all).try_to_owned().unwrap().into()
            }),
            _ => {
                let keys = [(path.to_owned(), member.to_owned()), (String::new(), member.to_owned())];
                keys.iter().find_map(|key| told.answers.get(key)).map(|value| value.try_clone().unwrap().into())
            }
        }
    };
    let sent = match value {
        Some(value) => {
            let body = StructureBuilder::new().append_field(value).build().unwrap();
            connection.reply(&header, &body).await
        }
        None => connection.reply_error(&header, "org.freedesktop.DBus.Error.UnknownObject", &"not told").await,
    };
    drop(sent);
}

/// logind with its sessions. Its paths and interfaces are logind's own.
pub(crate) struct Logind {
    pub(crate) service: StandIn,
    sessions: Mutex<Vec<(String, u32)>>,
}

impl Logind {
    pub(crate) const PATH: &str = "/org/freedesktop/login1";
    pub(crate) const SERVICE: &str = "org.freedesktop.login1.Manager";
    pub(crate) const SESSION: &str = "org.freedesktop.login1.Session";

    /// With nobody logged in, nothing held up, and the machine awake.
    pub(crate) fn start(address: &str) -> Self {
        let logind = Self { service: StandIn::start(address, "org.freedesktop.login1"), sessions: Mutex::default() };
        logind.service.set(Self::PATH, "PreparingForSleep", false);
        logind.service.set(Self::PATH, "BlockInhibited", "");
        logind.inhibited(&[]);
        logind.list();
        logind
    }

    /// Where a session is.
    pub(crate) fn path(id: &str) -> String {
        format!("{}/session/{id}", Self::PATH)
    }

    /// Someone logs in: here or from elsewhere.
    pub(crate) fn log_in(&self, id: &str, user: u32, remote: bool, active: bool) {
        let path = Self::path(id);
        for (name, yes) in [("Remote", remote), ("Active", active), ("LockedHint", false)] {
            self.service.set(&path, name, yes);
        }
        let state = if active { "active" } else { "online" };
        let service = if remote { "sshd" } else { "gdm-password" };
        for (name, text) in [("Class", "user"), ("State", state), ("Service", service)] {
            self.service.set(&path, name, text);
        }
        self.sessions.lock().unwrap().push((id.to_owned(), user));
        self.list();
        self.service.answers("", "GetSession", ObjectPath::try_from(Self::path("1")).unwrap());
        let body = (id, ObjectPath::try_from(path).unwrap());
        self.service.signal(Self::PATH, Self::SERVICE, "SessionNew", &body);
    }

    /// Someone logs out.
    pub(crate) fn log_out(&self, id: &str) {
        self.sessions.lock().unwrap().retain(|(other, _)| other != id);
        self.list();
        let path = Self::path(id);
        self.service.told.lock().unwrap().properties.remove(&path);
        let body = (id, ObjectPath::try_from(path).unwrap());
        self.service.signal(Self::PATH, Self::SERVICE, "SessionRemoved", &body);
    }

    /// The screen of a session is locked or unlocked.
    pub(crate) fn lock(&self, id: &str, locked: bool) {
        let path = Self::path(id);
        self.service.signal(&path, Self::SESSION, if locked { "Lock" } else { "Unlock" }, &());
        self.service.change(&path, Self::SESSION, "LockedHint", locked);
    }

    /// A session comes to the front, or leaves it.
    pub(crate) fn activate(&self, id: &str, active: bool) {
        self.service.set(&Self::path(id), "State", if active { "active" } else { "online" });
        self.service.change(&Self::path(id), Self::SESSION, "Active", active);
    }

    /// The machine goes to sleep, or wakes.
    pub(crate) fn sleep(&self, begins: bool) {
        self.service.set(Self::PATH, "PreparingForSleep", begins);
        self.service.signal(Self::PATH, Self::SERVICE, "PrepareForSleep", &begins);
    }

    /// Who holds what up: what, who, mode.
    pub(crate) fn inhibited(&self, all: &[(&str, &str, &str)]) {
        let line = |(what, who, mode): &(&str, &str, &str)| {
            ((*what).to_owned(), (*who).to_owned(), String::new(), (*mode).to_owned(), 1000u32, 7u32)
        };
        self.service.answers("", "ListInhibitors", all.iter().map(line).collect::<Vec<_>>());
        let blocked: Vec<_> = all.iter().filter(|(_, _, mode)| *mode == "block").map(|(what, ..)| *what).collect();
        self.service.change(Self::PATH, Self::SERVICE, "BlockInhibited", blocked.join(":"));
    }

    fn list(&self) {
        let line = |(id, user): &(String, u32)| {
            (id.clone(), *user, "someone".to_owned(), "seat0".to_owned(), ObjectPath::try_from(Self::path(id)).unwrap())
        };
        let all = self.sessions.lock().unwrap().iter().map(line).collect::<Vec<_>>();
        self.service.answers("", "ListSessions", all);
    }
}

/// UPower.
pub(crate) struct UPower(pub(crate) StandIn);

impl UPower {
    const PATH: &str = "/org/freedesktop/UPower";
    const NAME: &str = "org.freedesktop.UPower";

    /// On mains.
    pub(crate) fn start(address: &str) -> Self {
        let service = StandIn::start(address, Self::NAME);
        service.set(Self::PATH, "OnBattery", false);
        Self(service)
    }

    /// Unplugged, or plugged in.
    pub(crate) fn on_battery(&self, on_battery: bool) {
        self.0.change(Self::PATH, Self::NAME, "OnBattery", on_battery);
    }
}

/// NetworkManager.
pub(crate) struct NetworkManager(pub(crate) StandIn);

impl NetworkManager {
    const PATH: &str = "/org/freedesktop/NetworkManager";
    const NAME: &str = "org.freedesktop.NetworkManager";

    /// Connected to a network that is not metered.
    pub(crate) fn start(address: &str) -> Self {
        let service = StandIn::start(address, Self::NAME);
        service.set(Self::PATH, "State", 70u32);
        service.set(Self::PATH, "Metered", 2u32);
        Self(service)
    }

    /// `NMMetered`.
    pub(crate) fn metered(&self, metered: u32) {
        self.0.change(Self::PATH, Self::NAME, "Metered", metered);
    }

    /// `NMState`.
    pub(crate) fn state(&self, state: u32) {
        self.0.change(Self::PATH, Self::NAME, "State", state);
    }
}

/// GNOME's session service.
pub(crate) struct GnomeSession(pub(crate) StandIn);

impl GnomeSession {
    const PATH: &str = "/org/gnome/SessionManager";
    const NAME: &str = "org.gnome.SessionManager";

    /// Nobody keeps it awake.
    pub(crate) fn start(address: &str) -> Self {
        let service = StandIn::start(address, Self::NAME);
        service.answers("", "IsInhibited", false);
        Self(service)
    }

    /// A program keeps it awake, or none does.
    pub(crate) fn inhibit(&self, by: Option<&str>) {
        const INHIBITOR: &str = "/org/gnome/SessionManager/Inhibitor1";
        let inhibitor = ObjectPath::try_from(INHIBITOR).unwrap();
        self.0.answers("", "IsInhibited", by.is_some());
        self.0.answers("", "GetInhibitors", by.map(|_| inhibitor.clone()).into_iter().collect::<Vec<_>>());
        self.0.answers(INHIBITOR, "GetFlags", 12u32);
        self.0.answers(INHIBITOR, "GetAppId", by.unwrap_or_default());
        let member = if by.is_some() { "InhibitorAdded" } else { "InhibitorRemoved" };
        self.0.signal(Self::PATH, Self::NAME, member, &inhibitor);
    }
}

/// The power management interface of KDE and others.
pub(crate) struct PowerManagement(pub(crate) StandIn);

impl PowerManagement {
    const PATH: &str = "/org/freedesktop/PowerManagement/Inhibit";
    const NAME: &str = "org.freedesktop.PowerManagement.Inhibit";

    /// Nobody keeps it awake.
    pub(crate) fn start(address: &str) -> Self {
        let service = StandIn::start(address, Self::NAME);
        service.answers("", "HasInhibit", false);
        Self(service)
    }

    /// A program keeps it awake, or none does.
    pub(crate) fn inhibit(&self, inhibited: bool) {
        self.0.answers("", "HasInhibit", inhibited);
        self.0.signal(Self::PATH, Self::NAME, "HasInhibitChanged", &inhibited);
    }
}
