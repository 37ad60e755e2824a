use std::{fs, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result};
use lull_engine::scripted::Script;
use lull_node::{Node, NodeOptions};
use lull_tests::{Org, Relay};
use lull_wire::Token;

/// The model's name in the pool.
pub(crate) const MODEL: &str = "scripted";
/// The relay's count of sealed frames.
pub(crate) const FRAMES: &str = "lull_relay_splice_frames_total";

/// A relay in a process of its own, and nodes in this one.
pub(crate) struct Pool {
    pub(crate) org: Org,
    pub(crate) relay: Relay,
}

impl Pool {
    pub(crate) fn start() -> Result<Self> {
        let org = Org::create("Bench")?;
        let relay = org.relay()?;
        Ok(Self { org, relay })
    }

    /// A token for many machines.
    pub(crate) fn token(&self, uses: u32) -> Result<Token> {
        let printed = self.org.admin(&["token", "create", "--uses", &uses.to_string()])?;
        Ok(printed.lines().last().context("no token")?.parse()?)
    }

    async fn home(&self, name: &str) -> Result<PathBuf> {
        let home = self.org.path().join(name);
        lull_node::enroll(&home, &self.token(1)?, Some(name.into()), false).await?;
        Ok(home)
    }

    /// A node that lends a scripted model.
    pub(crate) async fn lender(&self, name: &str, script: &Script, slots: u16) -> Result<Arc<Node>> {
        let home = self.home(name).await?;
        let folder = self.org.path().join(format!("{name}-script"));
        fs::create_dir_all(&folder)?;
        script.write(&folder)?;
        lull_models::Store::open(&home)?.add_scripted(&folder, MODEL)?;
        let options = NodeOptions {
            dedicated: true,
            worker_program: Some(self.worker()),
            threads: Some(1),
            slots: Some(slots),
            demo: false,
            ..NodeOptions::default()
        };
        Ok(Node::start(&home, options).await?)
    }

    /// A node that only asks.
    pub(crate) async fn asker(&self, name: &str) -> Result<Arc<Node>> {
        Ok(Node::start(&self.home(name).await?, NodeOptions::default()).await?)
    }

    /// The program `lull`.
    pub(crate) fn program(&self) -> PathBuf {
        self.org.programs.bin.join(format!("lull{}", std::env::consts::EXE_SUFFIX))
    }

    /// The scripted worker's program.
    pub(crate) fn worker(&self) -> PathBuf {
        self.org.programs.bin.join("lull-worker-scripted")
    }

    /// CPU time that the relay's threads have spent, in seconds (Linux, exact to nanoseconds).
    pub(crate) fn cpu_s(&self) -> Result<f64> {
        let mut spent_ns = 0.0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.relay.process.pid()))? {
            // A thread may end while this looks.
            let schedstat = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            spent_ns += schedstat.split_whitespace().next().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        }
        Ok(spent_ns / 1e9)
    }

    /// Memory of the relay that is really there, in bytes.
    pub(crate) fn rss(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.relay.process.pid()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no memory")?;
        let kib: f64 = line.split_whitespace().nth(1).context("no memory")?.parse()?;
        Ok(kib * 1024.0)
    }

    /// One of the relay's counters, all its labels added up.
    pub(crate) fn counter(&self, name: &str) -> Result<f64> {
        let text = ureq::get(format!("{}/metrics", self.relay.admin)).call()?.body_mut().read_to_string()?;
        let lines = text.lines().filter(|line| line.starts_with(name));
        Ok(lines.filter_map(|line| line.split_whitespace().last()?.parse::<f64>().ok()).sum())
    }
}
