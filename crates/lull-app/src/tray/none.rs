use lull_desktop::{Action, Face, Menu};
use tokio::sync::mpsc;

use super::Seen;

/// No tray yet on this system: the window is the app.
pub(crate) struct Tray;

impl Tray {
    /// Shows the icon; what is chosen there comes out of `chosen`.
    pub(crate) async fn open(_: mpsc::Sender<Action>, seen: mpsc::Sender<Seen>) -> Self {
        let _ = seen.send(Seen::Nowhere).await;
        Self
    }

    /// Changes its picture and tooltip.
    pub(crate) async fn face(&self, _: Face) {}

    /// Changes its menu.
    pub(crate) async fn menu(&self, _: Menu) {}

    /// Takes it away.
    pub(crate) async fn close(self) {}
}
