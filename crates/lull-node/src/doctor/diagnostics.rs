//! What somebody who is to help may know of a machine: no content, no keys, and nobody's name.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
};

use lull_engine::cpu;
use lull_types::{Code, Fault, Finding, LinkView, NodeId, RulesView, StatusView, StoredView};
use serde_json::{Value, json};

use crate::{Home, VERSION, hardware, identity::Identity};

/// A shorter name is not looked for in texts: it may be a part of any word.
const NAME_BYTES_MIN: usize = 3;
/// The longest word of the system about itself, in characters.
const SYSTEM_CHARS_MAX: usize = 100;

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
        "system": system(Path::new("/")),
        "threads": hardware::cores(),
        "memory_bytes": hardware::memory_bytes(),
        "x86_64_v3": cpu::has_v3(),
        "findings": findings,
        "status": status.map_or_else(|fault| json!({ "fault": fault }), nameless),
        "rules": without_people(rules),
        "stored": stored,
    });
    let text = serde_json::to_string_pretty(&clean(document, &names(home, status.ok())));
    text.map_err(|error| Fault::new(Code::Internal, format!("the diagnostics cannot be written: {error}")))
}

/// A quota may be one person's.
fn without_people(rules: &RulesView) -> RulesView {
    let mut rules = rules.clone();
    for quota in rules.org.iter_mut().filter(|rule| rule.key.starts_with("quotas.")) {
        quota.value = "left out".into();
        quota.said.clear();
    }
    rules
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

/// What the system says of itself and of the processor, as far as it does. `root`: `/`, except in tests.
fn system(root: &Path) -> Value {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let short = |text: &str| text.trim().chars().take(SYSTEM_CHARS_MAX).collect::<String>();
    let release = read("etc/os-release");
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let info = read("proc/cpuinfo");
    let processor = info.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == "model name");
    let kernel = Some(short(&read("proc/sys/kernel/osrelease"))).filter(|kernel| !kernel.is_empty());
    let session = |variable: &str| std::env::var(variable).ok().map(|value| short(&value));
    json!({
        "name": name.map(|name| short(name.trim().trim_matches('"'))),
        "kernel": kernel,
        "processor": processor.map(|(_, name)| short(name)),
        "session": session("XDG_SESSION_TYPE"),
        "desktop": session("XDG_CURRENT_DESKTOP"),
    })
}

/// What must not stand in the document, and what stands there instead; the longest first.
fn names(home: &Home, status: Option<&StatusView>) -> Vec<(String, &'static str)> {
    let mut names = vec![(home.path().display().to_string(), "LULL_HOME")];
    let known = |variables: &[&str], instead| {
        let values = variables.iter().filter_map(|variable| std::env::var(variable).ok());
        values.map(|value| (value, instead)).collect::<Vec<_>>()
    };
    names.extend(known(&["HOME", "USERPROFILE"], "~"));
    names.extend(known(&["USER", "LOGNAME", "USERNAME"], "USER"));
    names.push((gethostname::gethostname().to_string_lossy().into_owned(), "MACHINE"));
    if let Some(StatusView { node, name, org, relay, .. }) = status {
        let (LinkView::Up { relay, .. } | LinkView::Down { relay, .. }) = relay;
        names.extend(identity_names(*node, name, org, relay));
    }
    // Findings name them without a running node, too.
    if let Ok(Identity { statement, device, relay, .. }) = Identity::load(home) {
        names.extend(identity_names(device.node, &device.name, &statement.org, &relay));
    }
    names.retain(|(name, _)| name.len() >= NAME_BYTES_MIN && name != "root");
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names
}

fn identity_names(node: NodeId, name: &str, org: &str, relay: &str) -> Vec<(String, &'static str)> {
    let host = relay.rsplit_once(':').map(|(host, _)| (host.to_owned(), "RELAY"));
    let whole = [
        (node.to_string(), "NODE"),
        (node.short(), "NODE"),
        (name.to_owned(), "MACHINE"),
        (org.to_owned(), "ORGANISATION"),
        (relay.to_owned(), "RELAY"),
    ];
    whole.into_iter().chain(host).collect()
}

fn clean(value: Value, names: &[(String, &'static str)]) -> Value {
    match value {
        Value::String(text) => {
            let nameless = names.iter().fold(text, |text, (name, instead)| text.replace(name, instead));
            Value::String(without_addresses(&nameless))
        }
        Value::Array(list) => list.into_iter().map(|value| clean(value, names)).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, clean(value, names))).collect(),
        other => other,
    }
}

/// Takes out the network addresses that errors tell, but for this machine's own to itself.
fn without_addresses(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '[' | ']' | '%');
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|c| !is_part(c)).unwrap_or(from.len()));
        let bare = word.trim_end_matches(['.', ':']);
        clean.push_str(before);
        clean.push_str(if is_of_somebody(bare) { "ADDRESS" } else { bare });
        clean.push_str(&word[bare.len()..]);
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// Whether a word is an address that tells where somebody is. One without a digit is a path in a program: `a::b`.
fn is_of_somebody(word: &str) -> bool {
    let alone = || word.trim_start_matches('[').trim_end_matches(']').split('%').next()?.parse().ok();
    let address: Option<IpAddr> = word.parse().ok().map(|socket: SocketAddr| socket.ip()).or_else(alone);
    let tells = |address: IpAddr| !address.is_loopback() && !address.is_unspecified();
    word.contains(|c: char| c.is_ascii_digit()) && address.is_some_and(tells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_out_and_nothing_else() {
        let cleaned = [
            ("no answer from 10.1.2.3:4433; try again", "no answer from ADDRESS; try again"),
            ("(192.0.2.7), [2001:db8::1]:443: refused.", "(ADDRESS), ADDRESS: refused."),
            ("https://203.0.113.9/x by fe80::1%eth0", "https://ADDRESS/x by ADDRESS"),
        ];
        for (text, clean) in cleaned {
            assert_eq!(without_addresses(text), clean);
        }
        for same in ["", "127.0.0.1:11435 and ::1", "lull 0.1.0, 10:30:00, a::b: 5 of 7.", "relay.example:443", "ä ö"]
        {
            assert_eq!(without_addresses(same), same);
        }
    }

    #[test]
    fn a_system_is_described_as_far_as_it_says() {
        let root = tempfile::tempdir().unwrap();
        let unknown = system(root.path());
        assert!(unknown["name"].is_null() && unknown["kernel"].is_null() && unknown["processor"].is_null());
        for (path, text) in [
            ("etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 13\"\n"),
            ("proc/cpuinfo", "processor\t: 0\nmodel name\t: Some Processor @ 2 GHz\nflags\t: fpu\n"),
            ("proc/sys/kernel/osrelease", "6.12.1-amd64\n"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let told = system(root.path());
        assert_eq!(told["name"], "Debian GNU/Linux 13");
        assert_eq!(told["processor"], "Some Processor @ 2 GHz");
        assert_eq!(told["kernel"], "6.12.1-amd64");
    }

    #[test]
    fn a_quota_names_nobody() {
        let policy = "[[quotas]]\nuser = \"ada@acme.example\"\ntokens_per_day = 5\n[use]\ngroups = [\"staff\"]";
        let policy = lull_policy::Policy::parse("policy", policy).unwrap();
        let effective = lull_policy::resolve(None, Some(&policy), None);
        let folder = tempfile::tempdir().unwrap();
        let files = crate::AgreedFiles::new(Home::open(folder.path()).unwrap(), None);
        let told = serde_json::to_string(&without_people(&files.view(&effective, None, None))).unwrap();
        assert!(told.contains("staff") && told.contains("quotas.1") && !told.contains("ada@"), "{told}");
    }

    #[test]
    fn every_text_is_looked_through_the_longest_name_first() {
        let names = vec![("/home/eve/lull".to_owned(), "LULL_HOME"), ("/home/eve".into(), "~"), ("eve".into(), "USER")];
        let document = json!({ "list": [{ "at": "/home/eve/lull/x, /home/eve/y of eve" }], "count": 3 });
        assert_eq!(clean(document, &names), json!({ "list": [{ "at": "LULL_HOME/x, ~/y of USER" }], "count": 3 }));
    }
}
