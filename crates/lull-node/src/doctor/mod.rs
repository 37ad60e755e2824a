//! What keeps this machine from lending and asking well, looked at once: data, which whoever asked puts into words.

mod diagnostics;
mod machine;
mod parts;
mod sensors;

use std::{path::Path, sync::Arc};

use lull_sandbox::{Freezer, Method};
use lull_types::{Code, Fault, Finding, Health, NodeId, Request, Response, StatusView, Tier};

use crate::{
    Home, NodeApi as _, NodeOptions, RemoteNode,
    agreed::{Agreed, AgreedFiles},
    confinement::Sandbox,
    fault::off_thread,
    identity::{Identity, Transport},
};

pub(crate) use diagnostics::diagnostics;
pub(crate) use sensors::{Heard, Sensed};

/// What a running node knows of itself, as far as there is one.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    /// Its status, or why there is none.
    pub(crate) status: Result<StatusView, Fault>,
    pub(crate) sensed: Option<Sensed>,
    /// How it gives this machine back.
    pub(crate) freeze: Option<Method>,
}

impl Look {
    /// From outside of any node.
    pub(crate) const fn without(why: Fault) -> Self {
        Self { status: Err(why), sensed: None, freeze: None }
    }
}

/// Looks at everything that can be looked at without changing anything, with or without a running node. `options` are
/// those with which a node would be started here; one that runs has its own.
pub async fn examine(home: &Path, options: &NodeOptions) -> Vec<Finding> {
    if home.is_dir()
        && let Ok(node) = RemoteNode::connect(home).await
        && let Ok(Response::Doctor { findings }) = node.call(Request::Doctor).await
    {
        return findings;
    }
    look(home, options, Look { status: status(home).await, sensed: None, freeze: None }).await
}

/// The same with what the node of this process knows of itself.
pub(crate) async fn look(home: &Path, options: &NodeOptions, look: Look) -> Vec<Finding> {
    let Look { status, sensed, freeze } = look;
    let (place, settings) = (home.to_owned(), options.clone());
    let read = off_thread(move || Ok((rules(&place, &settings), identity(&place)))).await;
    let (agreed, identity) = read.unwrap_or_else(|fault| (Err(fault.clone()), Err(fault)));
    let rules = agreed.as_ref().map_err(Fault::clone).and_then(|agreed| agreed.rules.clone());
    let tier = agreed.as_ref().map_or(Tier::Basic, |agreed| agreed.readable.sandbox_tier.value);
    let programs = crate::node::programs(options);
    let policy = agreed.as_ref().map(|agreed| &agreed.policy);
    // What is wrong with the policy is said once, as that.
    let followed = policy.is_ok_and(Result::is_ok);
    let mut findings: Vec<_> =
        policy.ok().map(|policy| parts::policy(policy, crate::clock::now_s())).into_iter().collect();
    findings.extend((agreed.is_err() || followed).then(|| parts::rules(&rules)));
    findings.extend([parts::enrolled(&identity), parts::node(&status)]);
    findings.extend(status.as_ref().ok().map(|status| parts::relay(&status.relay)));
    findings.extend(identity.is_ok().then(|| parts::certificate(certificate_until_s(home), crate::clock::now_s())));
    findings.extend(sensed.iter().flat_map(sensors::sensors));
    findings.push(parts::worker(&programs));
    let sandbox = match (&status, &programs) {
        (Ok(status), _) => Some(status.sandbox.clone()),
        (Err(_), Ok(programs)) => {
            let sandbox = Sandbox::new(tier, options.sandbox_skip.clone());
            sandbox.ask_in_passing(&programs.any).await;
            Some(sandbox.now().view())
        }
        (Err(_), Err(_)) => None,
    };
    findings.extend(sandbox.iter().flat_map(parts::sandbox));
    let place = home.to_owned();
    let slow = off_thread(move || {
        let method = freeze.unwrap_or_else(|| Freezer::new().method());
        let mut findings = vec![parts::giving_back(method)];
        findings.extend(parts::models(&place));
        findings.extend(machine::findings(Path::new("/"), &place));
        Ok(findings)
    });
    findings.extend(slow.await.unwrap_or_default());
    findings
}

/// When the certificate for the way to the relay ends, in seconds since 1970.
fn certificate_until_s(home: &Path) -> Result<u64, Fault> {
    Ok(Transport::load(&Home::open(home)?)?.identity.not_after_s)
}

async fn status(home: &Path) -> Result<StatusView, Fault> {
    if !home.is_dir() {
        return Err(Fault::new(Code::NotRunning, "no node runs, and none has run here yet"));
    }
    let node = RemoteNode::connect(home).await?;
    match node.call(Request::Status).await? {
        Response::Status(status) => Ok(*status),
        _ => Err(Fault::new(Code::Internal, "the node gave an answer that does not fit the question")),
    }
}

fn rules(home: &Path, options: &NodeOptions) -> Result<Agreed, Fault> {
    if !home.is_dir() {
        let readable = Arc::new(lull_policy::resolve(None, None, None));
        return Ok(Agreed { policy: Ok(None), readable, org: Ok(()), rules: Ok(()), paused: Ok(None) });
    }
    Ok(AgreedFiles::of(&Home::open(home)?, options)?.read())
}

/// Who this machine is: its organisation, name and id.
fn identity(home: &Path) -> Result<(String, String, NodeId), Fault> {
    if !home.is_dir() {
        return Err(Fault::new(Code::NotEnrolled, "this machine has not joined an organisation"));
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
