//! Lull's own parts: rules, enrolment, node, relay, worker, sandbox, models.

use std::path::Path;

use jiff::Timestamp;
use lull_engine::cpu::{self, EngineKind};
use lull_models::Store;
use lull_sandbox::Method;
use lull_types::{Code, Fault, Finding, Layer, LinkView, NodeId, SandboxView, StatusView, Tier};

use super::{attention, broken, good};
use crate::{agreed::PolicyNow, programs::Programs};

/// What to do on a machine that belongs to nobody yet.
const JOIN: &str = "join with `lull node enroll TOKEN`, or in the app; the token is IT's";
/// A certificate that ends in less, in seconds, should have been renewed: they last a day and are renewed at half of it.
const ENDS_SOON_S: u64 = 3 * 3_600;

/// A policy that ends in less, in seconds, should have been pushed again.
const POLICY_ENDS_SOON_S: u64 = 14 * 86_400;

pub(super) fn rules(rules: &Result<(), Fault>) -> Finding {
    match rules {
        Ok(()) => good("rules", "settings and organisation's rules can be followed"),
        Err(fault) => broken("rules", &fault.message, "mend that file; nothing is lent before"),
    }
}

/// The organisation's signed policy; what it decides is in the rules.
pub(super) fn policy(policy: &Result<Option<PolicyNow>, Fault>, now_s: u64) -> Finding {
    let PolicyNow { version, issued_s, not_after_s } = match policy {
        Ok(Some(policy)) => *policy,
        Ok(None) => return good("policy", "the organisation has signed no policy that this machine knows of"),
        Err(fault) => {
            let remedy = match fault.code {
                Code::Expired => {
                    "see that the relay can be reached: a newer one comes by itself; if there is none, IT signs one with \
                     `lull admin policy push`"
                }
                _ => {
                    "tell IT what stands here: `lull admin policy push` replaces it; nothing is lent before, and only \
                     questions labelled public are sent"
                }
            };
            return broken("policy", &fault.message, remedy);
        }
    };
    let found = format!("signed policy version {version}, of {}, counts until {}", day(issued_s), day(not_after_s));
    let left_s = not_after_s.saturating_sub(now_s);
    if left_s > POLICY_ENDS_SOON_S {
        return good("policy", found);
    }
    let remedy = "tell IT: `lull admin policy push` signs the next one; nothing is lent without";
    attention("policy", format!("{found}: {} days more", left_s.div_ceil(86_400)), remedy)
}

/// A day (UTC) as 2027-02-21; `unix_s`: in seconds since 1970.
fn day(unix_s: u64) -> String {
    let moment = i64::try_from(unix_s).ok().and_then(|unix_s| Timestamp::from_second(unix_s).ok());
    moment.map_or_else(|| "a day that no calendar has".into(), |moment| moment.strftime("%Y-%m-%d").to_string())
}

pub(super) fn enrolled(identity: &Result<(String, String, NodeId), Fault>) -> Finding {
    match identity {
        Ok((org, name, node)) => good("enrolled", format!("{name} ({}) belongs to {org}", node.short())),
        Err(fault) => broken("enrolled", &fault.message, JOIN),
    }
}

pub(super) fn node(status: &Result<StatusView, Fault>) -> Finding {
    match status {
        Ok(status) => good("node", format!("it runs, version {}; {}", status.version, status.lending.words())),
        Err(fault) if fault.code == Code::NotRunning => attention(
            "node",
            "it does not run, so neither asking nor lending works now",
            "start it with `lull node run`",
        ),
        Err(fault) if fault.code == Code::NotEnrolled => {
            attention("node", "it runs, and waits for this machine to join an organisation", JOIN)
        }
        Err(fault) => broken("node", &fault.message, "stop it and start it again with `lull node run`"),
    }
}

pub(super) fn relay(link: &LinkView) -> Finding {
    match link {
        LinkView::Up { relay, .. } => good("relay", format!("connected to {relay}")),
        LinkView::Down { relay, reason } => broken(
            "relay",
            format!("not connected to {relay}: {}", reason.message),
            "see whether UDP to that address is let through, and whether `lull relay run` runs there",
        ),
    }
}

/// `until_s`: when it ends, in seconds since 1970.
pub(super) fn certificate(until_s: Result<u64, Fault>, now_s: u64) -> Finding {
    let until_s = match until_s {
        Ok(until_s) => until_s,
        Err(fault) => return broken("certificate", fault.message, "enrol again with `lull node enroll TOKEN --force`"),
    };
    let left_s = until_s.saturating_sub(now_s);
    let minutes = left_s / 60;
    let left = format!("{} h {} min", minutes / 60, minutes % 60);
    match left_s {
        0 => attention(
            "certificate",
            "this machine's certificate for the relay is over",
            "it is renewed as soon as the relay can be reached; if this stays, check the clock, then ask IT",
        ),
        1..ENDS_SOON_S => attention(
            "certificate",
            format!("this machine's certificate for the relay ends in {left} and was not renewed"),
            "see that the relay can be reached",
        ),
        _ => good("certificate", format!("it holds for {left} more and is renewed by itself")),
    }
}

/// A path as people write it who are at home there.
fn at_home(path: &Path) -> String {
    let home = std::env::home_dir();
    let below = home.as_deref().and_then(|home| path.strip_prefix(home).ok());
    below.map_or_else(|| path.display().to_string(), |rest| format!("~/{}", rest.display()))
}

pub(super) fn worker(programs: &Result<Programs, String>) -> Finding {
    let Programs { any, gguf } = match programs {
        Ok(programs) => programs,
        Err(why) => {
            return broken(
                "worker",
                why,
                "put the workers' programs beside `lull`, or name their folder in LULL_WORKER_DIR",
            );
        }
    };
    let name = any.file_stem().unwrap_or_default();
    let shown = match gguf {
        Some(gguf) => {
            format!("{}, and {} for GGUF files", at_home(any), gguf.file_name().unwrap_or_default().display())
        }
        None => at_home(any),
    };
    let best = EngineKind::Mistral.for_this_cpu()[0];
    if name == best && cpu::has_v3() {
        good("worker", format!("{shown}, built for x86-64-v3"))
    } else if name == EngineKind::Mistral.baseline() && name != best {
        let remedy = format!("put {best} beside it: it is faster on this processor");
        attention("worker", format!("{shown}, built for any {} processor", std::env::consts::ARCH), remedy)
    } else {
        good("worker", format!("{shown}, built for {}", std::env::consts::ARCH))
    }
}

/// The tier on one line, and each missing layer on one of its own.
pub(super) fn sandbox(view: &SandboxView) -> Vec<Finding> {
    let SandboxView { tier, required, layers, shortfalls, summary } = view;
    if layers.is_empty() {
        return vec![broken("sandbox", summary, "no job runs before this is known; docs/sandbox.md says more")];
    }
    let count = format!("{} of {} layers", layers.len(), Layer::ALL.len());
    let first = match tier {
        Some(tier) if tier < required => broken(
            "sandbox",
            format!("{tier}: {count}; the rules ask for {required}, so no job runs here"),
            "put up what is missing (below), or ask for less in `[sandbox] tier`",
        ),
        Some(Tier::Full) => good("sandbox", format!("full: {count}")),
        Some(tier) => attention("sandbox", format!("{tier}: {count}"), "put up what is missing (below) for tier full"),
        None => broken(
            "sandbox",
            format!("none: {count}; the rules ask for {required}, so no job runs here"),
            "put up what is missing (below)",
        ),
    };
    let missing = shortfalls.iter().map(|shortfall| {
        let found = format!("{} is missing", shortfall.layer);
        match required.layers().contains(&shortfall.layer) {
            true => broken("layer", found, &shortfall.why),
            false => attention("layer", found, &shortfall.why),
        }
    });
    std::iter::once(first).chain(missing).collect()
}

/// How workers are stopped when their machine's owner comes back.
pub(super) fn giving_back(method: Method) -> Finding {
    match method {
        Method::Cgroup { folder } => {
            let parent = folder.parent().unwrap_or(&folder);
            good("freeze", format!("by a control group of Lull's own, below {}", parent.display()))
        }
        Method::Signals { why } => good("freeze", format!("by signals ({why}), which is as safe and a little slower")),
        Method::End => good("freeze", "this system cannot freeze a process, so workers are ended instead"),
    }
}

pub(super) fn models(home: &Path) -> Vec<Finding> {
    // Opening the store would make it.
    if !home.join("models").is_dir() {
        return vec![good("models", "none yet; a node that lends puts lull-demo there itself")];
    }
    let listed = match Store::open(home).and_then(|store| store.list()) {
        Ok(listed) => listed,
        Err(fault) => return vec![broken("models", fault.message, "mend the folder `models` in LULL_HOME")],
    };
    let whole = listed.iter().filter(|listed| listed.model.is_ok()).count();
    let faults = listed.iter().filter_map(|listed| Some((&listed.name, listed.model.as_ref().err()?)));
    let faults = faults.map(|(name, fault)| {
        broken("model", format!("{name}: {}", fault.message), format!("lull models remove {name}, and add it again"))
    });
    std::iter::once(good("models", format!("{whole} of {} can be used", listed.len()))).chain(faults).collect()
}

#[cfg(test)]
mod tests {
    use lull_types::{Health, Layers, Shortfall};

    use super::*;

    fn view(required: Tier, missing: &[Layer]) -> SandboxView {
        let layers: Layers = Layer::ALL.into_iter().filter(|layer| !missing.contains(layer)).collect();
        let shortfall = |layer: &Layer| Shortfall { layer: *layer, why: "change this".into() };
        let shortfalls = missing.iter().map(shortfall).collect();
        SandboxView { tier: Tier::of(&layers), required, layers, shortfalls, summary: "not known: why".into() }
    }

    fn healths(required: Tier, missing: &[Layer]) -> Vec<Health> {
        sandbox(&view(required, missing)).iter().map(|finding| finding.health).collect()
    }

    #[test]
    fn a_missing_layer_is_as_bad_as_the_rules_make_it() {
        use Health::{Attention, Broken, Good};
        assert_eq!(healths(Tier::Basic, &[]), [Good]);
        assert_eq!(healths(Tier::Full, &[Layer::Ports]), [Good, Attention]);
        assert_eq!(healths(Tier::Basic, &[Layer::OwnRoot]), [Attention, Attention]);
        assert_eq!(healths(Tier::Full, &[Layer::OwnRoot]), [Broken, Broken]);
        assert_eq!(healths(Tier::Basic, &[Layer::Files]), [Broken, Broken]);
        assert_eq!(healths(Tier::Basic, &Layer::ALL), [Broken]);
        assert_eq!(sandbox(&view(Tier::Basic, &[Layer::Files]))[1].remedy.as_deref(), Some("change this"));
    }

    #[test]
    fn a_policy_is_named_with_its_end_and_told_before_it() {
        let now_s = 1_796_000_000;
        let ends =
            |left_s| policy(&Ok(Some(PolicyNow { version: 7, issued_s: now_s, not_after_s: now_s + left_s })), now_s);
        let found = ends(90 * 86_400);
        assert_eq!(found.found, "signed policy version 7, of 2026-11-30, counts until 2027-02-28");
        assert_eq!((found.health, found.remedy), (Health::Good, None));
        let soon = ends(POLICY_ENDS_SOON_S);
        assert_eq!(soon.health, Health::Attention);
        assert!(soon.found.ends_with(": 14 days more") && soon.remedy.is_some(), "{soon:?}");
        assert_eq!(policy(&Ok(None), now_s).health, Health::Good);
        let bad = |code| policy(&Err(Fault::new(code, "it does not count")), now_s);
        assert_eq!([Code::Expired, Code::BadSeal, Code::Storage].map(|code| bad(code).health), [Health::Broken; 3]);
        assert!(bad(Code::Expired).remedy.unwrap().contains("relay"));
        assert!(bad(Code::BadSeal).remedy.unwrap().contains("policy push"));
    }

    #[test]
    fn a_certificate_is_looked_at_before_it_is_over() {
        let health = |until_s| certificate(Ok(until_s), 100_000).health;
        assert_eq!([200_000, 101_000, 100_000, 0].map(health)[..2], [Health::Good, Health::Attention]);
        assert!(certificate(Ok(0), 100_000).found.ends_with("is over"));
        assert_eq!(certificate(Err(Fault::new(Code::Storage, "gone")), 1).health, Health::Broken);
        assert_eq!(node(&Err(Fault::new(Code::NotEnrolled, "no"))).health, Health::Attention);
    }

    #[test]
    fn a_model_that_is_not_whole_is_named() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(models(home.path())[0].health, Health::Good, "nothing there is nothing wrong");
        assert!(!home.path().join("models").exists(), "looking changes nothing");
        let folder = tempfile::tempdir().unwrap();
        lull_engine::scripted::Script::default().write(folder.path()).unwrap();
        let stored = Store::open(home.path()).unwrap().add_scripted(folder.path(), "parrot").unwrap();
        assert_eq!(models(home.path()).len(), 1);
        for file in std::fs::read_dir(&stored.folder).unwrap() {
            let path = std::fs::canonicalize(file.unwrap().path()).unwrap();
            let _ = std::fs::remove_file(path);
        }
        let found = models(home.path());
        assert_eq!((found[1].health, found[1].check.as_str()), (Health::Broken, "model"), "{found:?}");
        assert!(found[1].found.starts_with("parrot: "), "{found:?}");
    }
}
