//! X servers of the test's own, and fingers.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixStream},
    },
    path::PathBuf,
    process::{Command, Stdio},
};

use tempfile::TempDir;
use x11rb::{
    connection::{Connection as _, RequestConnection as _},
    protocol::{
        sync::ConnectionExt as _,
        xproto::{ConnectionExt as _, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, MOTION_NOTIFY_EVENT},
        xtest::ConnectionExt as _,
    },
    rust_connection::{DefaultStream, RustConnection},
};

use super::{Program, folder};

/// A key that writes a letter.
const KEY: u8 = 38;

/// An X server without a screen to look at.
pub(crate) struct Screen {
    pub(crate) program: Program,
    display: String,
    cookie: Option<(PathBuf, [u8; 16])>,
    _folder: TempDir,
}

impl Screen {
    /// One that anybody on this machine may use.
    pub(crate) fn start() -> Self {
        Self::with(None)
    }

    /// One that asks for the cookie in [`Screen::authority`].
    pub(crate) fn guarded() -> Self {
        Self::with(Some(*b"not so secret 16"))
    }

    fn with(cookie: Option<[u8; 16]>) -> Self {
        let folder = folder();
        let file = folder.path().join("authority");
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp", "-noreset"]);
        if let Some(cookie) = cookie {
            std::fs::write(&file, authority(&cookie)).unwrap();
            command.arg("-auth").arg(&file);
        } else {
            command.arg("-ac");
        }
        let mut program = Program::start("Xvfb", "xvfb", command.stdout(Stdio::piped()));
        let mut number = String::new();
        BufReader::new(program.child().stdout.take().unwrap()).read_line(&mut number).unwrap();
        assert!(!number.trim().is_empty(), "Xvfb says no display; LULL_TEST_NOISE=1 shows what it says");
        let cookie = cookie.map(|cookie| (file, cookie));
        Self { program, display: format!(":{}", number.trim()), cookie, _folder: folder }
    }

    /// For `DISPLAY`.
    pub(crate) fn display(&self) -> &str {
        &self.display
    }

    /// For `XAUTHORITY`, if it is guarded.
    pub(crate) fn authority(&self) -> Option<&str> {
        self.cookie.as_ref().map(|(file, _)| file.to_str().unwrap())
    }

    /// A client of its own, which acts for the person.
    pub(crate) fn finger(&self) -> Finger {
        Finger::on(&self.display, self.cookie.as_ref().map(|(_, cookie)| cookie.as_slice()))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.program.end();
    }
}

/// What a person does, over a connection of its own.
pub(crate) struct Finger {
    pub(crate) server: RustConnection,
    pub(crate) root: u32,
}

impl Finger {
    /// At this display.
    pub(crate) fn on(display: &str, cookie: Option<&[u8]>) -> Self {
        let number = display.trim_start_matches(':');
        let path = format!("/tmp/.X11-unix/X{number}");
        // Servers that look for a free number may take each other's file, but not this name.
        let name = SocketAddr::from_abstract_name(&path).unwrap();
        let socket = UnixStream::connect_addr(&name).or_else(|_| UnixStream::connect(path)).unwrap();
        let (stream, _) = DefaultStream::from_unix_stream(socket).unwrap();
        let name = cookie.map(|_| b"MIT-MAGIC-COOKIE-1".to_vec()).unwrap_or_default();
        let cookie = cookie.unwrap_or_default().to_vec();
        let server = RustConnection::connect_to_stream_with_auth_info(stream, 0, name, cookie).unwrap();
        let root = server.setup().roots[0].root;
        Self { server, root }
    }

    /// Presses a key and lets it go; done when the server has done it.
    pub(crate) fn press(&self) {
        for kind in [KEY_PRESS_EVENT, KEY_RELEASE_EVENT] {
            self.server.xtest_fake_input(kind, KEY, 0, self.root, 0, 0, 0).unwrap();
        }
        self.sync();
    }

    /// Moves the pointer there; done when the server has done it.
    pub(crate) fn point(&self, x: i16, y: i16) {
        self.server.xtest_fake_input(MOTION_NOTIFY_EVENT, 0, 0, self.root, x, y, 0).unwrap();
        self.sync();
    }

    /// How long the server itself says that nobody touched anything, in milliseconds.
    pub(crate) fn idle_ms(&self) -> i64 {
        let counters = self.server.sync_list_system_counters().unwrap().reply().unwrap().counters;
        let idle = counters.iter().find(|counter| counter.name == b"IDLETIME").unwrap().counter;
        let value = self.server.sync_query_counter(idle).unwrap().reply().unwrap().counter_value;
        (i64::from(value.hi) << 32) | i64::from(value.lo)
    }

    /// Waits until the server has done everything so far.
    pub(crate) fn sync(&self) {
        self.server.flush().unwrap();
        self.server.get_input_focus().unwrap().reply().unwrap();
    }

    /// Whether the server has this extension.
    pub(crate) fn has(&self, extension: &'static str) -> bool {
        self.server.extension_information(extension).unwrap().is_some()
    }
}

/// An authority file with one entry for every display: family "wild", no address, no number.
fn authority(cookie: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    file.write_all(&u16::MAX.to_be_bytes()).unwrap();
    for field in [&b""[..], b"", b"MIT-MAGIC-COOKIE-1", cookie] {
        file.write_all(&u16::try_from(field.len()).unwrap().to_be_bytes()).unwrap();
        file.write_all(field).unwrap();
    }
    file
}
