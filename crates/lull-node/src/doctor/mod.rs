//! What keeps this machine from lending and asking well, looked at once: data, which whoever asked puts into words.

mod machine;
mod parts;

use std::path::Path;

use lull_policy::Effective;
use lull_types::{Fault, Finding, Health, NodeId, Request, Response, StatusView, Tier};

use crate::{
    Home, NodeApi as _, NodeOptions, RemoteNode, agreed::AgreedFiles, confinement::Sandbox, identity::Identity,
};

/// Looks at everything that can be looked at without changing anything, with or without a running node. `options` are
/// those with which a node would be started here.
pub async fn examine(home: &Path, options: &NodeOptions) -> Vec<Finding> {
    let status = status(home).await;
    let rules = rules(home, options);
    let tier = rules.as_ref().map_or(Tier::Basic, |rules| rules.sandbox_tier.value);
    let program = crate::node::program(options);
    let mut findings = vec![parts::rules(&rules), parts::enrolled(&identity(home)), parts::node(&status)];
    findings.extend(status.as_ref().ok().map(|status| parts::relay(&status.relay)));
    findings.push(parts::worker(&program));
    let sandbox = match (&status, &program) {
        (Ok(status), _) => Some(status.sandbox.clone()),
        (Err(_), Ok(program)) => {
            let sandbox = Sandbox::new(tier, options.sandbox_skip.clone());
            sandbox.ask_in_passing(program).await;
            Some(sandbox.now().view())
        }
        (Err(_), Err(_)) => None,
    };
    findings.extend(sandbox.iter().flat_map(parts::sandbox));
    findings.push(parts::giving_back());
    findings.extend(parts::models(home));
    findings.extend(machine::findings(Path::new("/"), home));
    findings
}

async fn status(home: &Path) -> Result<StatusView, Fault> {
    if !home.is_dir() {
        return Err(Fault::new(lull_types::Code::NotRunning, "no node runs, and none has run here yet"));
    }
    let node = RemoteNode::connect(home).await?;
    match node.call(Request::Status).await? {
        Response::Status(status) => Ok(*status),
        _ => Err(Fault::new(lull_types::Code::Internal, "the node gave an answer that does not fit the question")),
    }
}

fn rules(home: &Path, options: &NodeOptions) -> Result<Effective, Fault> {
    if !home.is_dir() {
        return Ok(lull_policy::resolve(None, None));
    }
    let files = match &options.machine_rules {
        Some(machine) => AgreedFiles::new(Home::open(home)?, Some(machine.clone())),
        None => AgreedFiles::open(home)?,
    };
    files.effective()
}

/// Who this machine is: its organisation, name and id.
fn identity(home: &Path) -> Result<(String, String, NodeId), Fault> {
    if !home.is_dir() {
        return Err(Fault::new(lull_types::Code::NotEnrolled, "this machine has not joined an organisation"));
    }
    let Identity { statement, device, .. } = Identity::load(&Home::open(home)?)?;
    Ok((statement.org, device.name, device.node))
}

fn good(check: &str, found: impl Into<String>) -> Finding {
    Finding { check: check.into(), health: Health::Good, found: found.into(), remedy: None }
}

fn attention(check: &str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { check: check.into(), health: Health::Attention, found: found.into(), remedy: Some(remedy.into()) }
}

fn broken(check: &str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { check: check.into(), health: Health::Broken, found: found.into(), remedy: Some(remedy.into()) }
}
