//! What is measured, for Prometheus, in its text format: the one that every scraper and `promtool` read.

use std::fmt;
use std::time::Duration;

use lottery_core::message::Code;
use lottery_core::store::Disk;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType::{self, Counter, Gauge};
use prometheus_client::metrics::gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::central::Central;
use crate::connection::Census;

/// Buckets of the histograms, in seconds: from 10 µs to 10 s.
const BUCKETS: [f64; 13] = [
    1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0,
];

/// The content type of what [`Metrics::encode`] gives.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Histograms, updated as things happen. Counters are read from the central at each scrape. A clone is the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    version: &'static str,
    staged: gauge::Gauge,
    turns: Histogram,
    commits: Histogram,
    syncs: Histogram,
}

impl Metrics {
    /// Metrics of a server of this version.
    pub fn new(version: &'static str) -> Metrics {
        Metrics {
            version,
            staged: gauge::Gauge::default(),
            turns: Histogram::new(BUCKETS),
            commits: Histogram::new(BUCKETS),
            syncs: Histogram::new(BUCKETS),
        }
    }

    pub(crate) fn note_turn(&self, duration: Duration) {
        self.turns.observe(duration.as_secs_f64());
    }

    /// Takes the duration of a commit, and how much the turn had staged.
    pub(crate) fn note_commit(&self, staged_bytes: usize, duration: Duration) {
        self.staged.set(staged_bytes as i64);
        self.commits.observe(duration.as_secs_f64());
    }

    pub(crate) fn note_sync(&self, duration: Duration) {
        self.syncs.observe(duration.as_secs_f64());
    }

    pub(super) fn encode(&self, central: &Central<impl Disk>, census: Census) -> String {
        let counts = central.counts();
        let status = central.status();
        let refusals = Code::ALL.map(Code::number).into_iter();
        let refusals = refusals
            .zip(counts.refusals)
            .map(|(code, refused)| labelled("code", code, refused));
        let connections = [
            labelled("kind", "agency", census.agencies as u64),
            labelled("kind", "stranger", census.strangers as u64),
            labelled("kind", "viewer", census.viewers as u64),
        ];
        let agencies = [
            labelled(
                "kind",
                "finished",
                (status.agencies - status.missing).into(),
            ),
            labelled("kind", "missing", status.missing.into()),
            labelled("kind", "parked", central.parked() as u64),
        ];
        let version = [labelled("version", self.version, 1)];
        let lines_lost = lottery_program::log::lines_lost();
        let mut registry = Registry::with_prefix("lottery");
        for (name, kind, help, samples) in [
            (
                "bets_total",
                Counter,
                "Bets stored by this run",
                one(counts.bets),
            ),
            (
                "batches_total",
                Counter,
                "Batches stored by this run",
                one(counts.batches),
            ),
            (
                "refusals_total",
                Counter,
                "Refused requests, by code",
                refusals.collect(),
            ),
            (
                "log_lines_lost_total",
                Counter,
                "Lines that the log left out because its reader stalled",
                one(lines_lost),
            ),
            ("build_info", Gauge, "The server's version", version.into()),
            (
                "connections",
                Gauge,
                "Open connections, by kind",
                connections.into(),
            ),
            ("agencies", Gauge, "Agencies, by state", agencies.into()),
            (
                "drawn",
                Gauge,
                "1 once the draw was held",
                one(status.is_drawn.into()),
            ),
        ] {
            registry.register(name, help, Samples { kind, samples });
        }
        let memory = Samples {
            kind: Gauge,
            samples: one(census.memory_bytes as u64),
        };
        let help = "Kept of unfinished messages and unsent answers";
        registry.register_with_unit("memory", help, Unit::Bytes, memory);
        let help = "Staged by the last turn that committed";
        registry.register_with_unit("staged", help, Unit::Bytes, self.staged.clone());
        for (name, help, histogram) in [
            ("turn_duration", "How long turns take", &self.turns),
            (
                "commit_duration",
                "How long the commits of turns that store something take",
                &self.commits,
            ),
            ("sync_duration", "How long syncs take", &self.syncs),
        ] {
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        }
        let mut text = String::new();
        // A string takes whatever is written.
        let _ = encode_registry(&mut text, &registry);
        text
    }
}

/// A value, and its label if there are several of a kind.
type Sample = (Option<(&'static str, String)>, u64);

fn one(value: u64) -> Vec<Sample> {
    vec![(None, value)]
}

fn labelled(label: &'static str, kind: impl ToString, value: u64) -> Sample {
    (Some((label, kind.to_string())), value)
}

/// What was asked for. The name of a counter ends in `_total` in Prometheus's format, and so it is given
/// in full, as `prometheus-client` would add that to samples only.
#[derive(Debug)]
struct Samples {
    kind: MetricType,
    samples: Vec<Sample>,
}

impl EncodeMetric for Samples {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (label, value) in &self.samples {
            let value = *value as i64;
            match label {
                Some((label, kind)) => {
                    let labels = [(*label, kind.as_str())];
                    encoder.encode_family(&labels)?.encode_gauge(&value)?;
                }
                None => encoder.encode_gauge(&value)?,
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        self.kind
    }
}
