//! What is known of the sandbox on this machine, and whether it is what the rules demand. What is not known is not
//! there.

mod look;
mod report;
mod words;

use std::path::Path;

use lull_engine::{Demand, WorkerInfo};
use lull_types::{Code, Fault, Layers, SandboxReport, SandboxView, Shortfall, Tier};
use tokio::sync::watch;

pub(crate) use look::{PACE, keep_looking};
pub(crate) use report::ask;

/// Why a layer that this node was told to leave out is not there.
const SKIPPED: &str = "this node was started with --sandbox-skip; start it without";

/// What is known and what is demanded. A level, not an event: only the latest counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Confinement {
    /// What the rules ask for at least.
    pub(crate) required: Tier,
    /// Layers that are not to be put up.
    skip: Layers,
    found: Found,
    /// A worker with a model has been confined as demanded since anything else was learned.
    proven: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// Nobody has looked yet.
    NotYet,
    /// What a worker has here.
    Layers(SandboxReport),
    /// It cannot be known, or a worker was refused, for this reason.
    Nothing { why: String },
}

impl Confinement {
    fn new(required: Tier, skip: Layers) -> Self {
        Self { required, skip, found: Found::NotYet, proven: false }
    }

    /// What a worker that is started now must have.
    pub(crate) fn demand(&self) -> Demand {
        Demand { skip: self.skip.clone(), ..self.required.into() }
    }

    /// Whether a worker with these layers may go on.
    pub(crate) fn admits(&self, layers: &Layers) -> bool {
        self.required.missing_in(layers).is_empty()
    }

    /// Whether workers may run here, or why not.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        match &self.found {
            Found::NotYet => Err("it is being found out how a worker is confined here".into()),
            Found::Nothing { why } => Err(why.clone()),
            Found::Layers(report) => match self.required.missing_in(&report.layers) {
                missing if missing.is_empty() => Ok(()),
                missing => Err(words::below(self.required, &missing, &report.shortfalls)),
            },
        }
    }

    /// The same for whoever wants a job done.
    pub(crate) fn refusal(&self) -> Result<(), Fault> {
        self.verdict().map_err(|why| Fault::new(Code::Unconfined, format!("no worker can run on that machine: {why}")))
    }

    pub(crate) fn view(&self) -> SandboxView {
        let report = match &self.found {
            Found::Layers(report) => report.clone(),
            Found::NotYet | Found::Nothing { .. } => SandboxReport::default(),
        };
        let tier = Tier::of(&report.layers);
        let summary = match (&self.found, self.verdict()) {
            (Found::Layers(_), _) => words::summary(self.required, &report),
            (_, Err(why)) => format!("not known: {why}"),
            (_, Ok(())) => "not known".into(),
        };
        let SandboxReport { layers, shortfalls } = report;
        SandboxView { tier, required: self.required, layers, shortfalls, summary }
    }

    /// A report as it counts here: what is left out on purpose is not there.
    fn without_skipped(&self, mut report: SandboxReport) -> SandboxReport {
        for layer in &self.skip {
            report.layers.remove(layer);
            report.shortfalls.retain(|shortfall| shortfall.layer != *layer);
            report.shortfalls.push(Shortfall { layer: *layer, why: SKIPPED.into() });
        }
        report
    }
}

/// The one place where that is kept: slots, rules and looks say what they learn, everybody watches.
#[derive(Debug, Clone)]
pub(crate) struct Sandbox(watch::Sender<Confinement>);

impl Sandbox {
    /// Nothing is known yet.
    pub(crate) fn new(required: Tier, skip: Layers) -> Self {
        Self(watch::Sender::new(Confinement::new(required, skip)))
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Confinement> {
        self.0.subscribe()
    }

    pub(crate) fn now(&self) -> Confinement {
        self.0.borrow().clone()
    }

    /// The rules ask for this now.
    pub(crate) fn require(&self, tier: Tier) {
        self.change(|now| now.required = tier);
    }

    /// A worker has loaded its model, confined so.
    pub(crate) fn saw(&self, info: &WorkerInfo) {
        let report = SandboxReport { layers: info.layers.clone(), shortfalls: info.shortfalls.clone() };
        self.change(|now| {
            now.found = Found::Layers(now.without_skipped(report));
            now.proven = true;
        });
    }

    /// A worker was not given a model, because it was not confined as demanded.
    pub(crate) fn refused(&self, why: &str) {
        tracing::error!(reason = why, "a worker was not confined as demanded: no job runs here");
        self.nothing(why);
    }

    /// Nothing can be known, for this reason.
    pub(crate) fn nothing(&self, why: &str) {
        self.change(|now| (now.found, now.proven) = (Found::Nothing { why: why.into() }, false));
    }

    /// A worker's program was asked.
    fn asked(&self, answer: Result<SandboxReport, String>) {
        match answer {
            Ok(report) => self.change(|now| {
                now.found = Found::Layers(now.without_skipped(report));
                now.proven = false;
            }),
            Err(why) => self.nothing(&why),
        }
    }

    /// Asks a worker's program once, in a folder that is gone afterwards.
    pub(crate) async fn ask_in_passing(&self, program: &Path) {
        let folder = std::env::temp_dir().join(format!("lull-{:016x}", rand::random::<u64>()));
        self.asked(ask(program, &folder).await);
        // It is empty; what cannot be removed is cleaned up by the system.
        let _ = std::fs::remove_dir(&folder);
    }

    fn change(&self, change: impl FnOnce(&mut Confinement)) {
        self.0.send_if_modified(|now| {
            let before = now.clone();
            change(now);
            *now != before
        });
    }
}

#[cfg(test)]
mod tests {
    use lull_types::Layer;

    use super::*;

    fn all_but(missing: &[Layer]) -> SandboxReport {
        let layers = Layer::ALL.into_iter().filter(|layer| !missing.contains(layer)).collect();
        let shortfall = |layer: &Layer| Shortfall { layer: *layer, why: "not here; change it".into() };
        SandboxReport { layers, shortfalls: missing.iter().map(shortfall).collect() }
    }

    fn sandbox(required: Tier, skip: &[Layer]) -> Sandbox {
        Sandbox::new(required, skip.iter().copied().collect())
    }

    #[test]
    fn what_is_not_known_is_not_there() {
        let sandbox = sandbox(Tier::Basic, &[]);
        assert!(sandbox.now().verdict().is_err(), "nobody has looked");
        assert_eq!(sandbox.now().refusal().unwrap_err().code, Code::Unconfined);
        sandbox.asked(Ok(all_but(&[])));
        assert_eq!(sandbox.now().verdict(), Ok(()));
        sandbox.asked(Err("it does not say".into()));
        assert_eq!(sandbox.now().verdict(), Err("it does not say".into()));
        assert_eq!((sandbox.now().view().tier, sandbox.now().view().layers.len()), (None, 0));
    }

    #[test]
    fn one_layer_less_than_demanded_is_too_few() {
        for tier in Tier::ALL {
            for layer in tier.layers() {
                let sandbox = sandbox(tier, &[]);
                sandbox.asked(Ok(all_but(&[*layer])));
                let why = sandbox.now().verdict().unwrap_err();
                assert!(why.contains(layer.name()) && why.contains("not here; change it"), "{why}");
                assert!(!sandbox.now().admits(&all_but(&[*layer]).layers));
            }
        }
    }

    #[test]
    fn a_layer_that_is_left_out_on_purpose_is_not_there() {
        for layer in Tier::Basic.layers() {
            let sandbox = sandbox(Tier::Basic, &[*layer]);
            sandbox.asked(Ok(all_but(&[])));
            let why = sandbox.now().verdict().unwrap_err();
            assert!(why.contains(layer.name()) && why.contains("--sandbox-skip"), "{why}");
            assert_eq!(sandbox.now().demand().skip, Layers::from([*layer]));
            assert!(sandbox.now().demand().required.contains(layer), "left out, and demanded all the same");
        }
    }

    #[test]
    fn a_new_rule_counts_at_once() {
        let sandbox = sandbox(Tier::Basic, &[]);
        sandbox.asked(Ok(all_but(&[Layer::OwnRoot])));
        assert_eq!(sandbox.now().verdict(), Ok(()));
        sandbox.require(Tier::Full);
        assert!(sandbox.now().verdict().unwrap_err().contains("own_root"));
        assert!(sandbox.now().demand().required.contains(&Layer::OwnRoot));
        sandbox.require(Tier::Basic);
        assert_eq!(sandbox.now().verdict(), Ok(()));
    }

    #[test]
    fn a_worker_that_was_refused_counts_more_than_what_its_program_said() {
        let sandbox = sandbox(Tier::Basic, &[]);
        sandbox.asked(Ok(all_but(&[])));
        sandbox.refused("it lacks files");
        assert_eq!(sandbox.now().verdict(), Err("it lacks files".into()));
    }

    #[test]
    fn nobody_is_told_what_has_not_changed() {
        let sandbox = sandbox(Tier::Basic, &[]);
        let mut watching = sandbox.subscribe();
        sandbox.asked(Ok(all_but(&[])));
        assert!(watching.has_changed().unwrap());
        watching.mark_unchanged();
        sandbox.asked(Ok(all_but(&[])));
        sandbox.require(Tier::Basic);
        assert!(!watching.has_changed().unwrap());
    }
}
