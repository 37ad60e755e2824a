//! What shows tray icons on a desktop: it tells when an icon is there.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::{runtime::Runtime, sync::mpsc, time};
use zbus::{Connection, interface, zvariant::OwnedValue};

/// No icon takes this long; it only keeps a broken run from hanging.
const HANG: Duration = Duration::from_secs(60);

/// The desktop's panel.
pub(super) struct Panel {
    runtime: Runtime,
    connection: Connection,
    registered: mpsc::UnboundedReceiver<String>,
}

struct Watcher(mpsc::UnboundedSender<String>);

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: String) {
        // Nobody listens any more when the bench is at its end.
        let _ = self.0.send(service);
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }
}

impl Panel {
    /// A panel on this session bus.
    pub(super) fn on(bus: &str) -> Result<Self> {
        let runtime = Runtime::new()?;
        let (say, registered) = mpsc::unbounded_channel();
        let connection = runtime.block_on(async {
            let builder = zbus::connection::Builder::address(bus)?;
            let builder = builder.serve_at("/StatusNotifierWatcher", Watcher(say))?;
            builder.name("org.kde.StatusNotifierWatcher")?.build().await
        })?;
        Ok(Self { runtime, connection, registered })
    }

    /// Waits for the next icon, and until it has a picture to draw.
    pub(super) fn icon(&mut self) -> Result<()> {
        let until = Instant::now() + HANG;
        let Self { runtime, connection, registered } = self;
        runtime.block_on(async {
            let next = time::timeout(HANG, registered.recv()).await.context("no icon registers")?;
            let service = next.context("the bus has gone")?;
            while !has_picture(connection, &service).await? {
                ensure!(Instant::now() < until, "the icon has no picture");
                time::sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        })
    }
}

async fn has_picture(connection: &Connection, service: &str) -> Result<bool> {
    let (path, interface) = ("/StatusNotifierItem", Some("org.freedesktop.DBus.Properties"));
    let body = ("org.kde.StatusNotifierItem", "IconPixmap");
    let reply = connection.call_method(Some(service), path, interface, "Get", &body).await?;
    let pictures: OwnedValue = reply.body().deserialize()?;
    let pictures: Vec<(i32, i32, Vec<u8>)> = pictures.try_into()?;
    Ok(pictures.iter().any(|(.., points)| !points.is_empty()))
}
