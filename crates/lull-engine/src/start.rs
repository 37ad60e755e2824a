//! From a fresh process to a loaded model: first it confines itself, then it may see the model.

use std::time::Instant;

use lull_types::{Code, Fault, Layer, Layers, Shortfall};

use crate::{
    Confine, Load, WorkerInfo, WorkerSpec,
    child::{Child, Part, Trouble, believable},
    protocol::{CONTEXT_MAX, FromWorker, ToWorker, VERSION, VOCABULARY_MAX},
};

/// The longest build name that is believed, in bytes.
const BUILD_BYTES_MAX: usize = 64;
/// The longest engine name that is believed, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// The most end tokens that are believed.
const ENDS_MAX: usize = 256;
/// The longest reason for a missing layer that is believed, in bytes.
const WHY_BYTES_MAX: usize = 1 << 10;

/// What a worker says of itself before it loads.
struct Greeting {
    build: String,
    layers: Layers,
    shortfalls: Vec<Shortfall>,
}

impl Child {
    /// Has the process confine itself, and load its model if it is confined as demanded.
    pub(crate) async fn start(&mut self, spec: &WorkerSpec, started: Instant) -> Result<WorkerInfo, Trouble> {
        let limits = &spec.limits;
        let confine = Confine {
            model: spec.model.clone(),
            scratch: spec.scratch.clone(),
            memory_max: spec.memory_max,
            skip: spec.demand.skip.clone(),
        };
        self.send(&ToWorker::Confine(confine), limits.hello).await?;
        let Greeting { build, layers, shortfalls } = self.greeting(spec).await?;
        let mut before_loading = spec.demand.required.clone();
        before_loading.remove(&Layer::RunFilter);
        demand(&before_loading, &layers, &shortfalls)?;
        let load = Load { model: spec.model.clone(), threads: spec.threads, context_max: spec.context_max };
        self.send(&ToWorker::Load(load), limits.hello).await?;
        let bound = limits.load + limits.load_per_mib.saturating_mul(self.model_mib);
        let loaded = self.frame_within(bound, "loading its model").await.map_err(|trouble| match trouble {
            Trouble::Gone => Trouble::GoneReading(Part::Files),
            trouble => trouble,
        })?;
        match loaded {
            FromWorker::Loaded { engine, context, vocabulary, ends, layers }
                if engine.name.len() <= NAME_BYTES_MAX
                    && (1..=spec.context_max.min(CONTEXT_MAX)).contains(&context)
                    && (1..=VOCABULARY_MAX).contains(&vocabulary)
                    && ends.len() <= ENDS_MAX
                    && ends.iter().all(|&id| id < vocabulary) =>
            {
                demand(&spec.demand.required, &layers, &shortfalls)?;
                let pid = self.pid().ok_or(Trouble::Gone)?;
                tracing::debug!(pid, threads = spec.threads, engine = engine.name, build, "worker ready");
                let loaded_in = started.elapsed();
                Ok(WorkerInfo { engine, build, context, vocabulary, ends, layers, shortfalls, pid, loaded_in })
            }
            FromWorker::Failed { job: 0, fault } => Err(Trouble::Said(believable(fault)?)),
            _ => Err(Trouble::breach("it did not say properly what it had loaded")),
        }
    }

    async fn greeting(&mut self, spec: &WorkerSpec) -> Result<Greeting, Trouble> {
        match self.frame_within(spec.limits.hello, "starting").await? {
            FromWorker::Hello { version: VERSION, build, layers, shortfalls }
                if build.len() <= BUILD_BYTES_MAX
                    && shortfalls.len() <= Layer::ALL.len()
                    && shortfalls.iter().all(|shortfall| shortfall.why.len() <= WHY_BYTES_MAX) =>
            {
                Ok(Greeting { build, layers, shortfalls })
            }
            FromWorker::Hello { version, .. } if version != VERSION => {
                let what = format!("it speaks version {version}, this node version {VERSION}: install both anew");
                Err(Trouble::breach(what))
            }
            _ => Err(Trouble::breach("its first frame was not its greeting")),
        }
    }
}

/// Fails unless every required layer is up.
fn demand(required: &Layers, layers: &Layers, shortfalls: &[Shortfall]) -> Result<(), Trouble> {
    let missing: Vec<String> = required
        .difference(layers)
        .map(|layer| match shortfalls.iter().find(|shortfall| shortfall.layer == *layer) {
            Some(shortfall) => format!("{layer} ({})", plain(&shortfall.why)),
            None => layer.to_string(),
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!(
        "the sandbox on this machine lacks what its rules demand: {}; no job runs here until it is there",
        missing.join(", ")
    );
    Err(Trouble::Kill(Fault::new(Code::Unconfined, text)))
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
