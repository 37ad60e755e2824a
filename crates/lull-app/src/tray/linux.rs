use ksni::{Category, Handle, MenuItem, OfflineReason, ToolTip, TrayMethods as _, menu::StandardItem};
use lull_desktop::{Action, Face, Icon, Item, Menu, Row};
use tokio::sync::mpsc;

use super::{
    Seen,
    pictures::{self, Picture},
};

/// Where a tray may be opened: anywhere.
pub(crate) struct Place;

/// Does the program's work, and returns what came of it. Other systems keep the first thread for the tray.
pub(crate) fn beside<T: Send>(work: impl FnOnce(Place) -> T + Send) -> T {
    work(Place)
}

/// The icon, over D-Bus (StatusNotifierItem); without a bus there is none.
pub(crate) struct Tray(Option<Handle<Drawn>>);

/// What is drawn.
struct Drawn {
    face: Option<Face>,
    menu: Menu,
    chosen: mpsc::Sender<Action>,
    seen: mpsc::Sender<Seen>,
}

impl Tray {
    /// Shows the icon; what is chosen there comes out of `chosen`. It appears by itself whenever something shows icons.
    pub(crate) async fn open(_: Place, chosen: mpsc::Sender<Action>, seen: mpsc::Sender<Seen>) -> Self {
        let drawn = Drawn { face: None, menu: Menu::default(), chosen, seen: seen.clone() };
        match drawn.assume_sni_available(true).spawn().await {
            Ok(handle) => Self(Some(handle)),
            Err(error) => {
                tracing::warn!(%error, "there is no tray on this desktop");
                let _ = seen.send(Seen::Nowhere).await;
                Self(None)
            }
        }
    }

    /// Changes its picture and tooltip.
    pub(crate) async fn face(&self, face: Face) {
        if let Some(handle) = &self.0 {
            handle.update(|drawn| drawn.face = Some(face)).await;
        }
    }

    /// Changes its menu.
    pub(crate) async fn menu(&self, menu: Menu) {
        if let Some(handle) = &self.0 {
            handle.update(|drawn| drawn.menu = menu).await;
        }
    }

    /// Takes it away.
    pub(crate) async fn close(self) {
        if let Some(handle) = self.0 {
            handle.shutdown().await;
        }
    }
}

impl Drawn {
    fn choose(&self, action: Action) {
        // A full queue means that nobody handles choices any more: the app is ending.
        let _ = self.chosen.try_send(action);
    }
}

impl ksni::Tray for Drawn {
    fn id(&self) -> String {
        "lull".into()
    }

    fn title(&self) -> String {
        "Lull".into()
    }

    fn category(&self) -> Category {
        Category::ApplicationStatus
    }

    fn icon_pixmap(&self) -> Vec<ksni::Icon> {
        pictures::of(self.face.as_ref().map_or(Icon::Off, |face| face.icon)).into_iter().filter_map(pixmap).collect()
    }

    fn tool_tip(&self) -> ToolTip {
        let title = self.face.as_ref().map(|face| face.tooltip.clone()).unwrap_or_default();
        ToolTip { title, ..ToolTip::default() }
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        self.menu.rows.iter().map(row).collect()
    }

    fn activate(&mut self, _: i32, _: i32) {
        self.choose(Action::Open);
    }

    fn watcher_offline(&self, _: OfflineReason) -> bool {
        let _ = self.seen.try_send(Seen::Nowhere);
        true
    }
}

/// As D-Bus wants it: each point's four bytes with transparency first.
fn pixmap(picture: Picture) -> Option<ksni::Icon> {
    let Picture { width, height, rgba: mut data } = picture;
    for point in data.chunks_exact_mut(4) {
        point.rotate_right(1);
    }
    Some(ksni::Icon { width: width.try_into().ok()?, height: height.try_into().ok()?, data })
}

fn row(row: &Row) -> MenuItem<Drawn> {
    match row {
        Row::Separator => MenuItem::Separator,
        Row::Text { text } => MenuItem::Standard(StandardItem {
            label: text.replace('_', "__"),
            enabled: false,
            ..StandardItem::default()
        }),
        Row::Item(item) => MenuItem::Standard(choice(item)),
    }
}

fn choice(item: &Item) -> StandardItem<Drawn> {
    let action = item.action;
    StandardItem {
        label: item.marked('_'),
        enabled: item.enabled,
        activate: Box::new(move |drawn: &mut Drawn| drawn.choose(action)),
        ..StandardItem::default()
    }
}
