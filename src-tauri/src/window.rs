use std::path::PathBuf;

use lull_types::{Code, Fault, Page};
use tauri::{
    AppHandle, Manager as _, Runtime, Url, WebviewUrl, WebviewWindowBuilder,
    plugin::TauriPlugin,
    webview::{NewWindowResponse, PageLoadEvent},
};
use tauri_plugin_window_state::StateFlags;

use crate::{chats::Chats, line::Line, start::Start};

/// The one window's name; capabilities/window.json knows it, too.
const NAME: &str = "main";
/// The first size, in logical pixels.
const SIZE: (f64, f64) = (1_080.0, 760.0);
/// The smallest size, in logical pixels: what the pages are made for.
const SIZE_MIN: (f64, f64) = (360.0, 480.0);

/// Remembers where the window was, and how large.
pub(crate) fn keep_place<R: Runtime>(start: &Start) -> TauriPlugin<R> {
    let kept = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED;
    let file = start.folder().join("place.json").to_string_lossy().into_owned();
    tauri_plugin_window_state::Builder::default().with_state_flags(kept).with_filename(file).build()
}

/// Opens the window.
pub(crate) fn open(app: &AppHandle, start: &Start) -> Result<(), Fault> {
    let page = WebviewUrl::App(PathBuf::from(format!("index.html{}", start.page.path())));
    WebviewWindowBuilder::new(app, NAME, page)
        .title("Lull")
        .inner_size(SIZE.0, SIZE.1)
        .min_inner_size(SIZE_MIN.0, SIZE_MIN.1)
        .data_directory(start.folder().join("web"))
        .on_navigation(|url| stays(url) || leave(url))
        .on_new_window(|url, _| {
            leave(&url);
            NewWindowResponse::Deny
        })
        .on_page_load(|window, load| {
            // Whoever asked before has gone with the page.
            if load.event() == PageLoadEvent::Started {
                window.state::<Chats>().stop_all();
                window.state::<Line>().hang_up();
            }
        })
        .build()
        .map(|_| ())
        .map_err(|error| failed(&error))
}

/// Brings the window to the front, on this page if one is named.
pub(crate) fn show(app: &AppHandle, page: Option<Page>) {
    let Some(window) = app.get_webview_window(NAME) else { return };
    let turned = page.map_or(Ok(()), |page| window.eval(format!("location.hash = \"{}\"", page.path())));
    let shown = turned.and_then(|()| window.unminimize()).and_then(|()| window.show());
    if let Err(error) = shown.and_then(|()| window.set_focus()) {
        eprintln!("lull-window: the window cannot come to the front: {error}");
    }
}

/// Why there is no window.
pub(crate) fn failed(error: &tauri::Error) -> Fault {
    let text =
        format!("the window cannot be opened: {error}; is there a screen, and WebKitGTK 4.1 (WebView2 on Windows)?");
    Fault::new(Code::Internal, text)
}

/// Whether an address is one of the pages inside this program.
fn stays(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => url.host_str() == Some("localhost"),
        // Where a web view knows no schemes of others.
        "http" => cfg!(windows) && url.host_str() == Some("tauri.localhost"),
        _ => false,
    }
}

/// Opens an address of the web in the system's browser, and keeps the window where it is: always false.
fn leave(url: &Url) -> bool {
    if matches!(url.scheme(), "http" | "https")
        && let Err(error) = tauri_plugin_opener::open_url(url.as_str(), None::<&str>)
    {
        eprintln!("lull-window: the browser cannot be opened: {error}");
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn only_its_own_pages_stay() {
        let stays = |url: &str| stays(&url.parse().unwrap());
        assert!(stays("tauri://localhost/#/home"));
        for out in
            ["https://example.org", "http://localhost/", "tauri://elsewhere/", "file:///etc/passwd", "data:text/html,x"]
        {
            assert!(!stays(out), "{out}");
        }
    }
}
