use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use lull_node::{NodeApi as _, RemoteNode};
use lull_tests::{Enrolled, Node, NodeRole, Org, Relay, ask, children, question, signal};
use lull_types::Request;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// What the organisation decided for the machine: one rule, which its person cannot loosen.
const RULES: &str = "[lend]\non_battery = false\n";
/// What is asked by the other machine, in turn: `lull-demo` knows the answers.
const QUESTIONS: [&str; 4] = ["What is Lull?", "Who is Lull for?", "What is a node?", "What is yielding?"];

/// Everything that runs, and what it takes to run it again.
pub(crate) struct Stage {
    relay: Option<Relay>,
    lender: Option<Node>,
    lends: Enrolled,
    node: Option<Node>,
    machine: Enrolled,
    dedicated: bool,
    window: String,
    /// The window's address with a token that nobody has used.
    unused: Option<String>,
    runtime: Runtime,
    org: Org,
}

impl Stage {
    /// A relay, a machine that lends, and one with a window.
    pub(crate) fn set(joined: bool, dedicated: bool) -> Result<Self> {
        let org = Org::create("Acme")?;
        let relay = org.relay()?;
        let lends = org.enroll("oak")?;
        let lender = org.start(&lends, NodeRole::Dedicated)?;
        let machine = if joined {
            org.enroll("reed")?
        } else {
            let home = org.path().join("reed");
            fs::create_dir_all(&home)?;
            Enrolled { name: "reed".into(), home }
        };
        fs::write(rules(&org), RULES)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut stage = Self {
            relay: Some(relay),
            lender: Some(lender),
            lends,
            node: None,
            machine,
            dedicated,
            window: "127.0.0.1:0".into(),
            unused: None,
            runtime,
            org,
        };
        stage.start_node()?;
        Ok(stage)
    }

    /// What a test needs to know of it.
    pub(crate) fn facts(&mut self) -> Result<Value> {
        Ok(json!({
            "url": self.url()?,
            "invitation": self.invitation()?,
            "home": self.machine.home,
            "rules": rules(&self.org),
            "folder": self.org.path(),
            "api": self.node()?.api,
            "relay": self.org.public.to_string(),
            "organisation": "Acme",
        }))
    }

    /// Does what a line says. `Null`: it is over.
    pub(crate) fn hear(&mut self, line: &str) -> Result<Value> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, rest) {
            ("relay", "stop") => self.relay.take().context("the relay does not run")?.process.kill().map(drop)?,
            ("relay", "start") if self.relay.is_none() => self.relay = Some(self.org.relay()?),
            ("lender", "stop") => self.lender.take().context("the lender does not run")?.process.stop().map(drop)?,
            ("lender", "start") if self.lender.is_none() => {
                self.lender = Some(self.org.start(&self.lends, NodeRole::Dedicated)?);
            }
            ("lender", "hold") => self.signal_workers("STOP")?,
            ("lender", "go") => self.signal_workers("CONT")?,
            ("node", "stop") => self.node.take().context("the node does not run")?.process.stop().map(drop)?,
            ("node", "start") if self.node.is_none() => self.start_node()?,
            ("url", "") => return Ok(json!({"url": self.url()?})),
            ("invitation", "") => return Ok(json!({"invitation": self.invitation()?})),
            ("call", request) => return Ok(json!({"answer": self.call(serde_json::from_str(request)?)?})),
            ("ask", count) => self.ask(count.parse()?)?,
            ("end", "") => return Ok(Value::Null),
            _ => bail!("\"{line}\" is no line of this play, or it is so already"),
        }
        Ok(json!({"done": line}))
    }

    /// Starts the machine's node, its window where it was before.
    fn start_node(&mut self) -> Result<()> {
        let (window, rules, dedicated) = (&self.window, rules(&self.org), self.dedicated);
        let node = self.org.start_with(&self.machine, |command| {
            command.args(["--ui", window]).arg("--machine-rules").arg(rules);
            if dedicated {
                command.arg("--dedicated");
            }
        })?;
        let url = told(&node)?;
        self.window = url.split('/').nth(2).context("an address without a host")?.into();
        self.unused = Some(url);
        self.node = Some(node);
        Ok(())
    }

    /// Holds the lender's workers where they are, or lets them go on: so that an answer lasts as long as a test wants.
    fn signal_workers(&self, name: &str) -> Result<()> {
        let mut open = children(self.lender.as_ref().context("the lender does not run")?.process.pid());
        while let Some(pid) = open.pop() {
            open.extend(children(pid));
            signal(pid, name)?;
        }
        Ok(())
    }

    fn node(&self) -> Result<&Node> {
        self.node.as_ref().context("the node does not run")
    }

    /// The window's address, with a fresh token.
    fn url(&mut self) -> Result<String> {
        if let Some(url) = self.unused.take() {
            return Ok(url);
        }
        self.call(Request::Show { page: None })?;
        told(self.node()?)
    }

    fn invitation(&self) -> Result<String> {
        let printed = self.org.admin(&["token", "create"])?;
        Ok(printed.lines().last().context("no token")?.into())
    }

    fn call(&self, request: Request) -> Result<Value> {
        let home = &self.node()?.home;
        let answer = self.runtime.block_on(async { RemoteNode::connect(home).await?.call(request).await });
        Ok(match answer {
            Ok(response) => serde_json::to_value(response)?,
            Err(fault) => json!({"fault": fault}),
        })
    }

    /// Another machine asks the pool.
    fn ask(&self, count: usize) -> Result<()> {
        let asker =
            self.org.node(&format!("guest-{}", self.org.admin(&["nodes"])?.lines().count()), NodeRole::Submitter)?;
        for text in QUESTIONS.iter().cycle().take(count) {
            self.runtime.block_on(ask(&asker.home, question(text), |_| {}))?;
        }
        Ok(())
    }
}

fn rules(org: &Org) -> PathBuf {
    org.path().join("policy.toml")
}

/// The address that a node told last.
fn told(node: &Node) -> Result<String> {
    let line = node.process.wait_for("Lull's window is at ")?;
    let url = line.split_whitespace().find(|word| word.starts_with("http://"));
    Ok(url.context("no address of a window")?.into())
}
