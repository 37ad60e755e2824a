//! Message buses of the test's own.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::{Program, folder};

/// A `dbus-daemon` that allows everything and starts nothing by itself: good as a session bus and as a system bus.
pub(crate) struct Bus {
    pub(crate) program: Program,
    address: String,
    _folder: TempDir,
}

impl Bus {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let folder = folder();
        let file = folder.path().join("bus.conf");
        std::fs::write(&file, CONFIG.replace("FOLDER", folder.path().to_str().unwrap())).unwrap();
        let mut command = Command::new("dbus-daemon");
        command.arg("--config-file").arg(&file).args(["--nofork", "--nopidfile", "--print-address=1"]);
        let mut program = Program::start("dbus-daemon", "dbus-daemon", command.env_clear().stdout(Stdio::piped()));
        let mut address = String::new();
        BufReader::new(program.child().stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(!address.trim().is_empty(), "dbus-daemon says no address; LULL_TEST_NOISE=1 shows what it says");
        Self { program, address: address.trim().to_owned(), _folder: folder }
    }

    /// For `DBUS_SESSION_BUS_ADDRESS` or `DBUS_SYSTEM_BUS_ADDRESS`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <keep_umask/>
  <listen>unix:path=FOLDER/bus</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;
