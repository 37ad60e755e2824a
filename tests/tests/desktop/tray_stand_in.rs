//! What shows tray icons on a desktop, and a hand that reads and clicks their menus.

use std::{collections::HashMap, time::Duration};

use futures::StreamExt as _;
use tokio::{runtime::Runtime, sync::mpsc};
use zbus::{
    Connection, interface,
    zvariant::{OwnedValue, Structure, Value},
};

use crate::stage::GUARD;

/// How often a menu is looked at while something is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The desktop's panel.
pub(crate) struct Panel {
    runtime: Runtime,
    connection: Connection,
    registered: mpsc::UnboundedReceiver<String>,
}

struct Watcher(mpsc::UnboundedSender<String>);

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: String) {
        self.0.send(service).unwrap();
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }
}

/// An icon in the panel.
pub(crate) struct Item<'a> {
    panel: &'a Panel,
    service: String,
}

/// A row of a menu: its number, its text, and whether it can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) id: i32,
    pub(crate) label: String,
    pub(crate) enabled: bool,
    pub(crate) separator: bool,
}

impl Panel {
    /// A panel on this session bus.
    pub(crate) fn on(bus: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let (say, registered) = mpsc::unbounded_channel();
        let connection = runtime.block_on(async {
            let builder = zbus::connection::Builder::address(bus).unwrap();
            let builder = builder.serve_at("/StatusNotifierWatcher", Watcher(say)).unwrap();
            builder.name("org.kde.StatusNotifierWatcher").unwrap().build().await.unwrap()
        });
        Self { runtime, connection, registered }
    }

    /// The next icon that registers.
    pub(crate) fn item(&mut self) -> Item<'_> {
        let next = async { tokio::time::timeout(GUARD, self.registered.recv()).await };
        let service = self.runtime.block_on(next).expect("no icon registers").unwrap();
        Item { panel: self, service }
    }
}

impl Item<'_> {
    fn call<B: serde::Serialize + zbus::zvariant::DynamicType>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> zbus::Message {
        self.try_call(path, interface, method, body).unwrap()
    }

    fn try_call<B: serde::Serialize + zbus::zvariant::DynamicType>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> zbus::Result<zbus::Message> {
        let call = self.panel.connection.call_method(Some(self.service.as_str()), path, Some(interface), method, body);
        self.panel.runtime.block_on(async { tokio::time::timeout(GUARD, call).await.unwrap() })
    }

    fn property(&self, name: &str) -> OwnedValue {
        let body = ("org.kde.StatusNotifierItem", name);
        let reply = self.call("/StatusNotifierItem", "org.freedesktop.DBus.Properties", "Get", &body);
        reply.body().deserialize().unwrap()
    }

    /// The picture that a panel of 22 points would choose, as its points.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let pictures: Vec<(i32, i32, Vec<u8>)> = self.property("IconPixmap").try_into().unwrap();
        pictures.into_iter().find(|(width, ..)| *width == 22).expect("no picture of 22 points").2
    }

    /// What is said when the pointer rests on it.
    pub(crate) fn tooltip(&self) -> String {
        let tooltip = self.property("ToolTip");
        tooltip.downcast_ref::<Structure>().unwrap().fields()[2].downcast_ref::<String>().unwrap()
    }

    /// Its menu as it is now.
    pub(crate) fn menu(&self) -> Vec<Shown> {
        type Properties = HashMap<String, OwnedValue>;
        let body = (0_i32, -1_i32, Vec::<String>::new());
        let reply = self.call("/MenuBar", "com.canonical.dbusmenu", "GetLayout", &body);
        let (_, layout): (u32, (i32, Properties, Vec<OwnedValue>)) = reply.body().deserialize().unwrap();
        let row = |row: OwnedValue| {
            let (id, said, _): (i32, Properties, Vec<OwnedValue>) = Value::from(row).downcast().unwrap();
            let text = |name: &str| said.get(name).and_then(|value| value.downcast_ref::<String>().ok());
            let enabled = said.get("enabled").and_then(|value| value.downcast_ref::<bool>().ok()).unwrap_or(true);
            let separator = text("type").as_deref() == Some("separator");
            Shown { id, label: text("label").unwrap_or_default(), enabled, separator }
        };
        layout.2.into_iter().map(row).collect()
    }

    /// Waits until its menu is so.
    pub(crate) fn menu_when(&self, what: &str, so: impl Fn(&[Shown]) -> bool) -> Vec<Shown> {
        let began = std::time::Instant::now();
        loop {
            let menu = self.menu();
            if so(&menu) {
                return menu;
            }
            assert!(began.elapsed() < GUARD, "the menu never has {what}: {menu:#?}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Chooses the row that says this. A menu may be drawn anew between the look and the click, which takes the row
    /// away under the pointer: a person looks again and clicks again, and so does this.
    pub(crate) fn choose(&self, label: &str) {
        let began = std::time::Instant::now();
        loop {
            let menu = self.menu_when(label, |menu| menu.iter().any(|row| row.enabled && row.label == label));
            let row = menu.iter().find(|row| row.label == label).unwrap();
            let body = (row.id, "clicked", Value::from(0_i32), 0_u32);
            match self.try_call("/MenuBar", "com.canonical.dbusmenu", "Event", &body) {
                Ok(_) => return,
                Err(zbus::Error::MethodError(name, Some(_), _)) if name == "org.freedesktop.DBus.Error.InvalidArgs" => {
                }
                Err(error) => panic!("{label} cannot be chosen: {error}"),
            }
            assert!(began.elapsed() < GUARD, "{label} is never there when it is clicked");
        }
    }

    /// Waits until it has left the bus.
    pub(crate) fn gone(&self) {
        self.panel.runtime.block_on(async {
            let bus = zbus::fdo::DBusProxy::new(&self.panel.connection).await.unwrap();
            let mut changes = bus.receive_name_owner_changed_with_args(&[(0, self.service.as_str())]).await.unwrap();
            let name = self.service.as_str().try_into().unwrap();
            if bus.name_has_owner(name).await.unwrap() {
                tokio::time::timeout(GUARD, changes.next()).await.expect("the icon stays");
            }
        });
    }
}
