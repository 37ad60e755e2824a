use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::actor::Snapshot;

/// One label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct By {
    kind: String,
}

/// A model's name as a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByModel {
    model: String,
}

/// What the relay counts. Numbers and the names of models only.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    nodes: Gauge,
    waiting: Gauge,
    held: Gauge,
    offers: Family<ByModel, Gauge>,
    commits: Gauge<i64>,
    pub(crate) streams: Gauge,
    pub(crate) granted: Counter,
    pub(crate) grant_seconds: Histogram,
    refused: Family<By, Counter>,
    receipts: Family<By, Counter>,
    settled: Family<By, Counter>,
    enrolments: Family<By, Counter>,
    turned_away: Family<By, Counter>,
    splice_bytes: Family<By, Counter>,
    splice_frames: Family<By, Counter>,
    pub(crate) unrecorded: Counter<u64, AtomicU64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("lull_relay");
        // From a tenth of a millisecond to 120 seconds: the longest that a job waits.
        let grant_seconds =
            Histogram::new([0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0]);
        let this = Self {
            nodes: Gauge::default(),
            waiting: Gauge::default(),
            held: Gauge::default(),
            offers: Family::default(),
            commits: Gauge::default(),
            streams: Gauge::default(),
            granted: Counter::default(),
            grant_seconds,
            refused: Family::default(),
            receipts: Family::default(),
            settled: Family::default(),
            enrolments: Family::default(),
            turned_away: Family::default(),
            splice_bytes: Family::default(),
            splice_frames: Family::default(),
            unrecorded: Counter::default(),
            registry: Registry::default(),
        };
        registry.register("nodes", "Nodes connected", this.nodes.clone());
        registry.register("jobs_waiting", "Jobs that wait for a lender", this.waiting.clone());
        registry.register("slots_held", "Slots reserved, granted or running", this.held.clone());
        registry.register("offers", "Nodes that offer a model", this.offers.clone());
        registry.register("ledger_commits", "Commits since the start", this.commits.clone());
        registry.register("streams", "Job streams open", this.streams.clone());
        registry.register("jobs_granted", "Runs granted", this.granted.clone());
        registry.register("grant_seconds", "From submit to grant", this.grant_seconds.clone());
        registry.register("jobs_refused", "Runs refused, by code", this.refused.clone());
        registry.register("jobs_settled", "Runs settled, by outcome", this.settled.clone());
        registry.register("receipts", "Receipts, by what they changed", this.receipts.clone());
        registry.register("enrolments", "Requests for a certificate, by result", this.enrolments.clone());
        registry.register("turned_away", "Connections and streams refused, by reason", this.turned_away.clone());
        registry.register("splice_bytes", "Sealed bytes passed on, by direction", this.splice_bytes.clone());
        registry.register("splice_frames", "Sealed frames passed on, by direction", this.splice_frames.clone());
        registry.register("grants_unrecorded", "Grants taken back: the ledger was full", this.unrecorded.clone());
        Self { registry, ..this }
    }

    pub(crate) fn refused(&self, code: lull_types::Code) {
        self.refused.get_or_create(&by(code.as_str())).inc();
    }

    pub(crate) fn receipt(&self, settlement: &'static str) {
        self.receipts.get_or_create(&by(settlement)).inc();
    }

    pub(crate) fn settled(&self, outcome: &'static str) {
        self.settled.get_or_create(&by(outcome)).inc();
    }

    pub(crate) fn enrolment(&self, result: &'static str) {
        self.enrolments.get_or_create(&by(result)).inc();
    }

    pub(crate) fn turned_away(&self, reason: &'static str) {
        self.turned_away.get_or_create(&by(reason)).inc();
    }

    pub(crate) fn splice(&self, direction: &'static str) -> (Counter, Counter) {
        let bytes = self.splice_bytes.get_or_create_owned(&by(direction));
        (bytes, self.splice_frames.get_or_create_owned(&by(direction)))
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self, snapshot: &Snapshot, commits: u64) -> String {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.nodes.set(gauge(snapshot.load.nodes));
        self.waiting.set(gauge(snapshot.load.waiting));
        self.held.set(gauge(snapshot.load.held));
        self.commits.set(i64::try_from(commits).unwrap_or(i64::MAX));
        self.offers.clear();
        for model in &snapshot.models {
            self.offers.get_or_create(&ByModel { model: model.name.clone() }).set(i64::from(model.lenders));
        }
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            tracing::error!("the metrics could not be written");
        }
        text
    }
}

fn by(kind: &'static str) -> By {
    By { kind: kind.to_owned() }
}
