use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::process::{Process, Programs};

/// Where relays listen here: below the ports that systems hand out by themselves, so that no other socket takes a
/// relay's port between two of its starts.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// An address on this machine that nothing listens on (UDP).
///
/// # Errors
/// When every port is taken.
pub fn free_address() -> Result<SocketAddr> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let start = now.subsec_nanos() ^ std::process::id();
    let count = u32::from(PORTS.end - PORTS.start);
    let ports = (0..count).filter_map(|step| u16::try_from(start.wrapping_add(step) % count).ok());
    let mut addresses = ports.map(|offset| SocketAddr::from((Ipv4Addr::LOCALHOST, PORTS.start + offset)));
    addresses.find(|address| UdpSocket::bind(address).is_ok()).context("no port is free")
}

/// An organisation's folder on this machine. Everything in it goes when it is dropped.
#[derive(Debug)]
pub struct Org {
    /// The programs it runs.
    pub programs: Programs,
    folder: TempDir,
    /// Where nodes reach the relay.
    pub public: SocketAddr,
    /// What its processes log, as `LULL_LOG`.
    pub log: &'static str,
}

/// What is logged unless a test asks for more: the relay's word on every job.
const LOG: &str = "info,lull_relay=debug,quinn=warn";

/// A running relay.
#[derive(Debug)]
pub struct Relay {
    /// Its process.
    pub process: Process,
    /// The base of `/healthz` and `/metrics`.
    pub admin: String,
}

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeRole {
    /// It lends.
    Dedicated,
    /// It only asks.
    Submitter,
}

/// A machine that has joined but does not run.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// Its name.
    pub name: String,
    /// Its `LULL_HOME`.
    pub home: PathBuf,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    /// Its process.
    pub process: Process,
    /// Its name.
    pub name: String,
    /// Its `LULL_HOME`.
    pub home: PathBuf,
    /// The base URL of its local API.
    pub api: String,
}

impl Org {
    /// Creates an organisation; its relay will listen on a free port of this machine.
    ///
    /// # Errors
    /// When a command fails.
    pub fn create(name: &str) -> Result<Self> {
        Self::create_at(name, free_address()?)
    }

    /// Creates an organisation whose nodes are told to find the relay at `public`.
    ///
    /// # Errors
    /// When a command fails.
    pub fn create_at(name: &str, public: SocketAddr) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("lull-").tempdir()?;
        let org = Self { programs: Programs::find()?, folder, public, log: LOG };
        let dir = org.dir();
        let public = public.to_string();
        org.lull(&["relay", "init", &dir.to_string_lossy(), "--org", name, "--public", &public])?;
        Ok(org)
    }

    /// The folder that `lull relay init` made.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("org")
    }

    /// The folder of everything.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `lull` without a home of its own.
    ///
    /// # Errors
    /// When it fails.
    pub fn lull(&self, args: &[&str]) -> Result<String> {
        self.programs.output(&self.folder.path().join("nobody"), args)
    }

    /// Runs `lull admin --dir …`.
    ///
    /// # Errors
    /// When it fails.
    pub fn admin(&self, args: &[&str]) -> Result<String> {
        let dir = self.dir();
        let dir = dir.to_string_lossy();
        self.lull(&[&["admin", "--dir", &dir], args].concat())
    }

    /// Starts the relay at the public address.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn relay(&self) -> Result<Relay> {
        self.relay_at(self.public)
    }

    /// Starts the relay at another address than the public one: something stands between.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn relay_at(&self, listen: SocketAddr) -> Result<Relay> {
        let mut command = self.programs.lull(&self.folder.path().join("nobody"));
        command
            .env("LULL_LOG", self.log)
            .args(["relay", "run"])
            .arg(self.dir())
            .args(["--listen", &listen.to_string()]);
        let process = Process::start(command, &self.relay_log())?;
        let line = process.wait_for("Health and metrics: ")?;
        let admin = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).context("no admin address")?;
        Ok(Relay { admin: format!("http://{admin}"), process })
    }

    /// What the relay logs.
    #[must_use]
    pub fn relay_log(&self) -> PathBuf {
        self.folder.path().join("relay.log")
    }

    /// Joins a machine, with a token of its own.
    ///
    /// # Errors
    /// When it is refused.
    pub fn enroll(&self, name: &str) -> Result<Enrolled> {
        let created = self.admin(&["token", "create"])?;
        let token = created.lines().last().context("no token")?;
        let home = self.folder.path().join(name);
        fs::create_dir_all(&home)?;
        self.programs.output(&home, &["node", "enroll", token, "--name", name])?;
        Ok(Enrolled { name: name.into(), home })
    }

    /// Starts a node.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(&self, enrolled: &Enrolled, role: NodeRole) -> Result<Node> {
        self.start_with(enrolled, |command| {
            if role == NodeRole::Dedicated {
                command.arg("--dedicated");
            }
        })
    }

    /// Starts a node with further arguments or another environment.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_with(&self, enrolled: &Enrolled, further: impl FnOnce(&mut Command)) -> Result<Node> {
        let mut command = self.programs.lull(&enrolled.home);
        command.env("LULL_LOG", self.log).args(["node", "run", "--api", "127.0.0.1:0", "--threads", "1"]);
        further(&mut command);
        let log = enrolled.home.with_extension("log");
        let process = Process::start(command, &log)?;
        let line = process.wait_for("The local API is at ")?;
        let api = line.split_whitespace().find(|word| word.starts_with("http://")).context("no API address")?;
        Ok(Node { name: enrolled.name.clone(), home: enrolled.home.clone(), api: api.into(), process })
    }

    /// Joins and starts a node.
    ///
    /// # Errors
    /// When either fails.
    pub fn node(&self, name: &str, role: NodeRole) -> Result<Node> {
        self.start(&self.enroll(name)?, role)
    }

    /// A key for a node's local API.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn key(&self, node: &Node) -> Result<String> {
        let printed = self.programs.output(&node.home, &["key", "create", "test"])?;
        Ok(printed.lines().last().context("no key")?.into())
    }
}
