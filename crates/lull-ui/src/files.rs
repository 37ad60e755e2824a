//! The built window, as it was when this crate was compiled.

use axum::{
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// What is served where this build has no window.
const NO_WINDOW: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Lull</title>\n\
    <p>This build of Lull has no window: build it with <code>./x build</code>, which puts the window in.</p>\n</html>\n";

/// Files whose names hold a digest of their content: they never change.
const HASHED: &str = "assets/";

/// Whether the window was built before this program was.
#[must_use]
pub const fn has_window() -> bool {
    !FILES.is_empty()
}

/// The page, and what it consists of.
pub(crate) async fn serve(uri: Uri) -> Response {
    let name = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    match FILES.iter().find(|(known, _)| *known == name) {
        Some((_, bytes)) => file(name, bytes),
        None if name == "index.html" => file(name, NO_WINDOW.as_bytes()),
        None => (StatusCode::NOT_FOUND, "There is no such page here.\n").into_response(),
    }
}

fn file(name: &str, bytes: &'static [u8]) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    if name.starts_with(HASHED) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    }
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
