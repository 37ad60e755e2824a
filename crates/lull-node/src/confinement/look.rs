//! Looks whether workers can be confined here: at the start, when the rules change, and now and then while they cannot.

use std::{path::PathBuf, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Confinement, Sandbox, ask};

/// How often to look again while workers cannot be confined. The wait doubles each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

/// What is rarely mended is rarely looked at.
pub(crate) const PACE: Pace = Pace { first: Duration::from_secs(30), longest: Duration::from_secs(15 * 60) };

/// Looks until the node stops. `folder` is where the worker's program runs meanwhile.
pub(crate) async fn keep_looking(
    sandbox: Sandbox,
    program: PathBuf,
    folder: PathBuf,
    pace: Pace,
    stop: CancellationToken,
) {
    let looking = async {
        let mut watching = sandbox.subscribe();
        let mut wait = pace.first;
        loop {
            sandbox.asked(ask(&program, &folder).await);
            let seen = watching.borrow_and_update().clone();
            tell(&seen);
            let why = next_look(&mut watching, &seen, wait).await;
            wait = match why {
                Why::Rules | Why::Mended => pace.first,
                Why::Waited => (wait * 2).min(pace.longest),
            };
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = looking => {}
    }
}

/// Why it is looked again.
enum Why {
    /// The rules ask for something else.
    Rules,
    /// Workers ran, and then one was refused; some time has passed since.
    Mended,
    /// Some time has passed.
    Waited,
}

async fn next_look(watching: &mut watch::Receiver<Confinement>, seen: &Confinement, wait: Duration) -> Why {
    let mut proven = seen.proven;
    let mut due = seen.verdict().is_err().then(|| Instant::now() + wait);
    loop {
        tokio::select! {
            () = at(due) => return if proven { Why::Mended } else { Why::Waited },
            changed = watching.changed() => {
                if changed.is_err() {
                    // The node is stopping, which ends whoever waits here.
                    std::future::pending::<()>().await;
                }
                let now = watching.borrow_and_update();
                if now.required != seen.required {
                    return Why::Rules;
                }
                proven |= now.proven;
                due = if now.verdict().is_err() { due.or(Some(Instant::now() + wait)) } else { None };
            }
        }
    }
}

fn tell(seen: &Confinement) {
    let view = seen.view();
    match seen.verdict() {
        Ok(()) => tracing::info!(sandbox = view.summary, "how workers are confined"),
        Err(why) => tracing::error!(reason = why, "workers cannot be confined as demanded: no job runs here"),
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use lull_types::{Layer, Layers, Tier};

    use super::*;

    /// A hang guard, not a promise.
    const PATIENCE: Duration = Duration::from_secs(20);
    const OFTEN: Pace = Pace { first: Duration::from_millis(20), longest: Duration::from_millis(20) };
    const NEVER: Pace = Pace { first: Duration::from_secs(3600), longest: Duration::from_secs(3600) };

    /// A program that reports what lies beside it, and counts how often it was asked.
    fn program(folder: &Path) -> PathBuf {
        let program = folder.join("worker");
        let script = format!("#!/bin/sh\necho >>'{0}/asked'\nexec cat '{0}/report'\n", folder.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        program
    }

    fn lacking(folder: &Path, missing: &[Layer]) {
        let layers: Layers = Layer::ALL.into_iter().filter(|layer| !missing.contains(layer)).collect();
        let text = format!("{{\"layers\":{},\"shortfalls\":[]}}", serde_json::to_string(&layers).unwrap());
        fs::write(folder.join("new"), text).unwrap();
        fs::rename(folder.join("new"), folder.join("report")).unwrap();
    }

    fn start(folder: &Path, pace: Pace) -> (Sandbox, watch::Receiver<Confinement>, CancellationToken) {
        let (sandbox, stop) = (Sandbox::new(Tier::Basic, Layers::new()), CancellationToken::new());
        let watching = sandbox.subscribe();
        let looking = keep_looking(sandbox.clone(), program(folder), folder.join("scratch"), pace, stop.clone());
        tokio::spawn(looking);
        (sandbox, watching, stop)
    }

    async fn until(watching: &mut watch::Receiver<Confinement>, wish: impl FnMut(&Confinement) -> bool) {
        tokio::time::timeout(PATIENCE, watching.wait_for(wish)).await.expect("it never came").unwrap();
    }

    #[tokio::test]
    async fn a_machine_that_was_mended_is_found_out() {
        let folder = tempfile::tempdir().unwrap();
        lacking(folder.path(), &[Layer::Files]);
        let (_sandbox, mut watching, stop) = start(folder.path(), OFTEN);
        until(&mut watching, |now| now.verdict().is_err_and(|why| why.contains("files"))).await;
        lacking(folder.path(), &[]);
        until(&mut watching, |now| now.verdict().is_ok()).await;
        stop.cancel();
    }

    #[tokio::test]
    async fn new_rules_are_looked_at_at_once() {
        let folder = tempfile::tempdir().unwrap();
        lacking(folder.path(), &[Layer::OwnRoot]);
        let (sandbox, mut watching, stop) = start(folder.path(), NEVER);
        until(&mut watching, |now| now.verdict().is_ok()).await;
        lacking(folder.path(), &[]);
        sandbox.require(Tier::Full);
        until(&mut watching, |now| now.verdict().is_ok() && now.required == Tier::Full).await;
        stop.cancel();
    }

    #[tokio::test]
    async fn a_refused_worker_is_no_reason_to_try_all_the_time() {
        let folder = tempfile::tempdir().unwrap();
        lacking(folder.path(), &[]);
        let (sandbox, mut watching, stop) = start(folder.path(), NEVER);
        until(&mut watching, |now| now.verdict().is_ok()).await;
        sandbox.refused("it lacks files");
        // Rules are looked at at once, so that a look for the refusal would have come before.
        sandbox.require(Tier::Full);
        until(&mut watching, |now| now.verdict().is_ok()).await;
        assert_eq!(fs::read_to_string(folder.path().join("asked")).unwrap().len(), 2);
        stop.cancel();
    }
}
