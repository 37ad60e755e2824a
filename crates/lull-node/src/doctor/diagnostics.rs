//! What somebody who is to help may know of a machine: no content, no keys, and nobody's name.

use lull_engine::cpu;
use lull_types::{Code, Fault, Finding, LinkView, RulesView, StatusView, StoredView};
use serde_json::{Value, json};

use crate::{Home, VERSION, hardware};

/// A shorter name is not looked for in texts: it may be a part of any word.
const NAME_BYTES_MIN: usize = 3;

/// The document, as JSON.
pub(crate) fn diagnostics(
    home: &Home,
    status: Result<&StatusView, &Fault>,
    findings: &[Finding],
    rules: &RulesView,
    stored: Vec<StoredView>,
) -> Result<String, Fault> {
    let document = json!({
        "lull": VERSION,
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "threads": hardware::cores(),
        "memory_bytes": hardware::memory_bytes(),
        "x86_64_v3": cpu::has_v3(),
        "findings": findings,
        "status": status.map_or_else(|fault| json!({ "fault": fault }), nameless),
        "rules": rules,
        "stored": stored,
    });
    let text = serde_json::to_string_pretty(&clean(document, &names(home, status.ok())));
    text.map_err(|error| Fault::new(Code::Internal, format!("the diagnostics cannot be written: {error}")))
}

fn nameless(status: &StatusView) -> Value {
    let StatusView { relay, lending, sandbox, workers, accepts, api, jobs_lent, jobs_asked, version, .. } = status;
    json!({
        "relay": relay,
        "lending": lending,
        "sandbox": sandbox,
        "workers": workers,
        "accepts": accepts.len(),
        "api": api.is_some(),
        "jobs_lent": jobs_lent,
        "jobs_asked": jobs_asked,
        "version": version,
    })
}

/// What must not stand in the document, and what stands there instead; the longest first.
fn names(home: &Home, status: Option<&StatusView>) -> Vec<(String, &'static str)> {
    let mut names = vec![(home.path().display().to_string(), "LULL_HOME")];
    names.extend(std::env::var("HOME").ok().map(|own| (own, "~")));
    names.extend(std::env::var("USER").ok().map(|user| (user, "USER")));
    names.push((gethostname::gethostname().to_string_lossy().into_owned(), "MACHINE"));
    if let Some(StatusView { node, name, org, relay, .. }) = status {
        let (LinkView::Up { relay, .. } | LinkView::Down { relay, .. }) = relay;
        names.push((node.to_string(), "NODE"));
        names.push((node.short(), "NODE"));
        names.extend([(name.clone(), "MACHINE"), (org.clone(), "ORGANISATION"), (relay.clone(), "RELAY")]);
        names.extend(relay.rsplit_once(':').map(|(host, _)| (host.to_owned(), "RELAY")));
    }
    names.retain(|(name, _)| name.len() >= NAME_BYTES_MIN && name != "root");
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names
}

fn clean(value: Value, names: &[(String, &'static str)]) -> Value {
    match value {
        Value::String(text) => {
            Value::String(names.iter().fold(text, |text, (name, instead)| text.replace(name, instead)))
        }
        Value::Array(list) => list.into_iter().map(|value| clean(value, names)).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, clean(value, names))).collect(),
        other => other,
    }
}
