use std::{
    env,
    fs::{File, TryLockError},
    path::PathBuf,
};

use lull_door::{
    Home,
    fault::storage,
    home::{create_folders, owner_only},
};
use lull_types::{Code, Fault, Page};

/// How this window was started.
pub(crate) struct Start {
    /// The node's home.
    pub(crate) home: PathBuf,
    /// The page to begin with.
    pub(crate) page: Page,
}

impl Start {
    /// From `LULL_HOME` and `--page NAME`.
    pub(crate) fn of_process() -> Result<Self, Fault> {
        a_screen(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))?;
        let home = Home::open(&Home::locate()?)?.path().to_owned();
        let page = page(env::args().skip(1))?;
        let start = Self { home, page };
        create_folders(&start.folder())?;
        Ok(start)
    }

    /// Where the web view and the window keep their own things.
    pub(crate) fn folder(&self) -> PathBuf {
        self.home.join("window")
    }

    /// Takes the home's one window, until the result is dropped; `None`: there is one already.
    pub(crate) fn only_window(&self) -> Result<Option<File>, Fault> {
        let path = self.folder().join("window.lock");
        let file = owner_only().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| storage("open", &path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(storage("lock", &path, &error)),
        }
    }
}

/// A web view without a screen would end in a panic. Only Linux can be without one.
fn a_screen(is_set: impl Fn(&str) -> bool) -> Result<(), Fault> {
    if !cfg!(target_os = "linux") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") {
        return Ok(());
    }
    let text = "there is no screen to open the window on: start it where a person is logged in, or see the same window \
                in a browser with `lull node run --ui`";
    Err(Fault::new(Code::Unsupported, text))
}

fn page(mut args: impl Iterator<Item = String>) -> Result<Page, Fault> {
    let mut page = Page::Home;
    while let Some(arg) = args.next() {
        let name = match arg.strip_prefix("--page") {
            Some("") => args.next().unwrap_or_default(),
            Some(rest) if rest.starts_with('=') => rest[1..].to_owned(),
            _ => return Err(wrong(&format!("{arg} is no argument of this window"))),
        };
        let found = Page::ALL.into_iter().find(|page| self::name(*page) == name);
        page = found.ok_or_else(|| wrong(&format!("{name} is no page")))?;
    }
    Ok(page)
}

/// As `--page` names it: as its address does.
fn name(page: Page) -> &'static str {
    page.path().trim_start_matches("#/")
}

fn wrong(what: &str) -> Fault {
    let pages: Vec<_> = Page::ALL.into_iter().map(name).collect();
    Fault::new(Code::BadRequest, format!("{what}; use --page with one of: {}", pages.join(", ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn without_a_screen_there_is_no_window() {
        assert!(a_screen(|name| name == "WAYLAND_DISPLAY").is_ok() && a_screen(|name| name == "DISPLAY").is_ok());
        assert!(a_screen(|_| false).is_err_and(|fault| fault.message.contains("--ui")));
    }

    #[test]
    fn the_page_is_an_argument() {
        let of = |args: &[&str]| page(args.iter().map(|arg| (*arg).to_owned()));
        assert_eq!(of(&[]).unwrap(), Page::Home);
        assert_eq!(of(&["--page", "chat"]).unwrap(), Page::Chat);
        assert_eq!(of(&["--page=privacy/ran"]).unwrap(), Page::Ran);
        for wrong in [&["--page", "cellar"][..], &["--page"], &["--pager"], &["chat"]] {
            assert_eq!(of(wrong).unwrap_err().code, Code::BadRequest, "{wrong:?}");
        }
    }
}
