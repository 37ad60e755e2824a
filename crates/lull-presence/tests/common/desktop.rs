//! Wayland compositors of the test's own, without a screen to look at.

use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;
use wayland_client::{
    Connection, Dispatch, EventQueue, QueueHandle, globals::GlobalListContents, globals::registry_queue_init,
    protocol::wl_registry,
};
use wayland_protocols_plasma::fake_input::client::org_kde_kwin_fake_input::{self, OrgKdeKwinFakeInput};
use zbus::zvariant::OwnedObjectPath;

use super::{Bus, GUARD, Program, folder, plain_copy};

/// The socket's name, and where everything of the compositor lives.
const SOCKET: &str = "wayland-7";
/// A key that writes a letter, as the kernel numbers it.
const KEY: u32 = 30;

/// A compositor and its folder.
pub(crate) struct Desktop {
    pub(crate) program: Program,
    folder: TempDir,
    /// `DISPLAY` of the X server beside it, if it has one.
    pub(crate) display: Option<String>,
    /// `XAUTHORITY` for it, if it has one.
    pub(crate) authority: Option<String>,
}

impl Desktop {
    /// GNOME's compositor, with its idle monitor on that bus.
    pub(crate) fn mutter(bus: &Bus) -> Self {
        let mut command = Command::new("mutter");
        command.args(["--headless", "--wayland", "--no-x11", "--virtual-monitor", "640x480"]);
        command.args(["--wayland-display", SOCKET]);
        command.env("DBUS_SESSION_BUS_ADDRESS", bus.address()).env("GSETTINGS_BACKEND", "memory");
        Self::start("mutter", "mutter", command, folder())
    }

    /// KDE's compositor, which has `ext-idle-notify-v1`.
    pub(crate) fn kwin() -> Self {
        let folder = folder();
        let command = Self::kwin_command(&folder);
        Self::start("kwin_wayland", "kwin-wayland", command, folder)
    }

    /// The same with an X server beside it.
    pub(crate) fn kwin_with_x() -> Self {
        let folder = folder();
        // What it starts is told where the X server is.
        let (script, told) = (folder.path().join("tell"), folder.path().join("told"));
        let text = format!(
            "#!/bin/sh\nprintf '%s\\n%s\\n' \"$DISPLAY\" \"$XAUTHORITY\" > {0}.new\nmv {0}.new {0}\nexec sleep 600\n",
            told.display()
        );
        std::fs::write(&script, text).unwrap();
        let mut command = Self::kwin_command(&folder);
        command.arg("--xwayland").arg(format!("/bin/sh {}", script.display()));
        let mut desktop = Self::start("kwin_wayland", "kwin-wayland and xwayland", command, folder);
        let told = desktop.program.until("the X server beside it", || std::fs::read_to_string(&told).ok());
        let mut told = told.lines().map(|line| Some(line.to_owned()).filter(|line| !line.is_empty()));
        desktop.display = told.next().flatten();
        desktop.authority = told.next().flatten();
        assert!(desktop.display.is_some(), "kwin_wayland has no X server beside it; install Debian's package xwayland");
        desktop
    }

    /// A compositor that does not tell of input.
    pub(crate) fn weston() -> Self {
        let mut command = Command::new("weston");
        command.args(["--backend=headless-backend.so", "--socket", SOCKET, "--idle-time=0"]);
        Self::start("weston", "weston", command, folder())
    }

    fn kwin_command(folder: &TempDir) -> Command {
        let program = plain_copy("/usr/bin/kwin_wayland", "kwin-wayland", folder);
        let mut command = Command::new(program);
        command.args(["--virtual", "--no-lockscreen", "--width", "640", "--height", "480", "--socket", SOCKET]);
        // Otherwise only KDE's own programs may act for the person.
        command.env("KWIN_WAYLAND_NO_PERMISSION_CHECKS", "1");
        command
    }

    fn start(name: &'static str, package: &str, mut command: Command, folder: TempDir) -> Self {
        for unset in ["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "QT_QPA_PLATFORM"] {
            command.env_remove(unset);
        }
        command.env("XDG_RUNTIME_DIR", folder.path()).env("HOME", folder.path());
        if std::env::var_os("LULL_TEST_NOISE").is_none() {
            command.stdout(Stdio::from(File::create("/dev/null").unwrap()));
        }
        let mut program = Program::start(name, package, &mut command);
        let socket = folder.path().join(SOCKET);
        program.until("its socket", || std::os::unix::net::UnixStream::connect(&socket).ok());
        Self { program, folder, display: None, authority: None }
    }

    /// For `XDG_RUNTIME_DIR`.
    pub(crate) fn folder(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// For `WAYLAND_DISPLAY`.
    pub(crate) const fn socket(&self) -> &'static str {
        SOCKET
    }
}

/// Someone at KDE's keyboard and pointer.
pub(crate) struct KwinFinger {
    queue: EventQueue<Nothing>,
    input: OrgKdeKwinFakeInput,
}

struct Nothing;

impl KwinFinger {
    pub(crate) fn at(desktop: &Desktop) -> Self {
        let socket = Path::new(desktop.folder()).join(SOCKET);
        let connection = Connection::from_socket(std::os::unix::net::UnixStream::connect(socket).unwrap()).unwrap();
        let (globals, mut queue) = registry_queue_init::<Nothing>(&connection).unwrap();
        let input: OrgKdeKwinFakeInput = globals.bind(&queue.handle(), 4..=4, ()).unwrap();
        input.authenticate("lull".to_owned(), "a test".to_owned());
        queue.roundtrip(&mut Nothing).unwrap();
        Self { queue, input }
    }

    /// Presses a key and lets it go; done when the compositor has done it.
    pub(crate) fn press(&mut self) {
        self.input.keyboard_key(KEY, 1);
        self.input.keyboard_key(KEY, 0);
        self.queue.roundtrip(&mut Nothing).unwrap();
    }

    /// Moves the pointer; done when the compositor has done it.
    pub(crate) fn push(&mut self) {
        self.input.pointer_motion(5.0, 5.0);
        self.queue.roundtrip(&mut Nothing).unwrap();
    }
}

impl Dispatch<wl_registry::WlRegistry, GlobalListContents> for Nothing {
    fn event(
        _: &mut Self,
        _: &wl_registry::WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}

impl Dispatch<OrgKdeKwinFakeInput, ()> for Nothing {
    fn event(
        _: &mut Self,
        _: &OrgKdeKwinFakeInput,
        _: org_kde_kwin_fake_input::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}

/// Someone at GNOME's keyboard and pointer, over its remote desktop.
pub(crate) struct MutterFinger {
    runtime: tokio::runtime::Runtime,
    bus: zbus::Connection,
    session: OwnedObjectPath,
}

const REMOTE: &str = "org.gnome.Mutter.RemoteDesktop";
const SESSION: &str = "org.gnome.Mutter.RemoteDesktop.Session";

impl MutterFinger {
    pub(crate) fn at(bus: &Bus) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (bus, session) = runtime.block_on(async {
            let bus = zbus::connection::Builder::address(bus.address()).unwrap().build().await.unwrap();
            let path = "/org/gnome/Mutter/RemoteDesktop";
            // It comes to the bus a little later than its socket is there.
            let began = std::time::Instant::now();
            let created = loop {
                match bus.call_method(Some(REMOTE), path, Some(REMOTE), "CreateSession", &()).await {
                    Ok(created) => break created,
                    Err(error) => assert!(began.elapsed() < GUARD, "Mutter's remote desktop does not come: {error}"),
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            };
            let session: OwnedObjectPath = created.body().deserialize().unwrap();
            (bus, session)
        });
        let finger = Self { runtime, bus, session };
        finger.call("Start", &());
        finger
    }

    /// Presses a key and lets it go; done when the compositor has done it.
    pub(crate) fn press(&self) {
        self.call("NotifyKeyboardKeycode", &(KEY, true));
        self.call("NotifyKeyboardKeycode", &(KEY, false));
    }

    /// Moves the pointer; done when the compositor has done it.
    pub(crate) fn push(&self) {
        self.call("NotifyPointerMotionRelative", &(5.0, 5.0));
    }

    fn call(&self, method: &str, body: &(impl zbus::export::serde::Serialize + zbus::zvariant::DynamicType)) {
        let call = self.bus.call_method(Some(REMOTE), &self.session, Some(SESSION), method, body);
        self.runtime.block_on(call).unwrap();
    }
}
