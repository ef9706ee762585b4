//! What is measured, for Prometheus, in its text format: the one that every scraper and `promtool` read.

use std::fmt::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use lottery_core::message::Code;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::state::Watched;
use crate::connection::Census;

/// Buckets of the histograms, in seconds: from 10 µs to 10 s.
const BUCKETS: [f64; 13] = [
    1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0,
];

/// The content type of what [`Metrics::encode`] gives.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BuildLabel {
    version: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CodeLabel {
    code: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// All metrics. A clone is the same.
#[derive(Clone)]
pub struct Metrics {
    counting: Rc<Registry>,
    others: Rc<Registry>,
    bets: Counter,
    batches: Counter,
    refusals: Family<CodeLabel, Counter>,
    connections: Family<KindLabel, Gauge>,
    agencies: Family<KindLabel, Gauge>,
    drawn: Gauge,
    memory: Gauge,
    staged: Gauge,
    log_lines_lost: Counter,
    turns: Histogram,
    commits: Histogram,
    syncs: Histogram,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}

impl Metrics {
    /// Metrics of a server of this version.
    pub fn new(version: &'static str) -> Metrics {
        let mut counting = Registry::with_prefix("lottery");
        let mut registry = Registry::with_prefix("lottery");
        let build = Family::<BuildLabel, Gauge>::default();
        build.get_or_create(&BuildLabel { version }).set(1);
        registry.register("build_info", "The server's version", build);
        let histogram = || Histogram::new(BUCKETS);
        let mut metrics = Metrics {
            counting: Rc::default(),
            others: Rc::default(),
            bets: Counter::default(),
            batches: Counter::default(),
            refusals: Family::default(),
            connections: Family::default(),
            agencies: Family::default(),
            drawn: Gauge::default(),
            memory: Gauge::default(),
            staged: Gauge::default(),
            log_lines_lost: Counter::default(),
            turns: histogram(),
            commits: histogram(),
            syncs: histogram(),
        };
        let it = &metrics;
        counting.register("bets", "Bets stored by this run", it.bets.clone());
        counting.register("batches", "Batches stored by this run", it.batches.clone());
        counting.register("refusals", "Refused requests, by code", it.refusals.clone());
        let help = "Lines that the log left out because its reader stalled";
        counting.register("log_lines_lost", help, it.log_lines_lost.clone());
        registry.register(
            "connections",
            "Open connections, by kind",
            it.connections.clone(),
        );
        registry.register("agencies", "Agencies, by state", it.agencies.clone());
        registry.register("drawn", "1 once the draw was held", it.drawn.clone());
        let help = "Kept of unfinished messages and unsent answers";
        registry.register_with_unit("memory", help, Unit::Bytes, it.memory.clone());
        let help = "Staged by the last turn that committed";
        registry.register_with_unit("staged", help, Unit::Bytes, it.staged.clone());
        let seconds = Unit::Seconds;
        let help = "How long turns take";
        registry.register_with_unit("turn_duration", help, seconds.clone(), it.turns.clone());
        let help = "How long turns that store something take to end";
        registry.register_with_unit("commit_duration", help, seconds.clone(), it.commits.clone());
        let help = "How long syncs take";
        registry.register_with_unit("sync_duration", help, seconds, it.syncs.clone());
        metrics.counting = counting.into();
        metrics.others = registry.into();
        metrics
    }

    /// A turn took so long.
    pub fn note_turn(&self, duration: Duration) {
        self.turns.observe(duration.as_secs_f64());
    }

    /// The end of a turn that stored so many bytes took so long.
    pub fn note_commit(&self, staged_bytes: usize, duration: Duration) {
        self.staged.set(staged_bytes as i64);
        self.commits.observe(duration.as_secs_f64());
    }

    /// A sync took so long.
    pub fn note_sync(&self, duration: Duration) {
        self.syncs.observe(duration.as_secs_f64());
    }

    /// All of them as text.
    pub(super) fn encode(&self, watched: &impl Watched, census: Census) -> String {
        let counts = watched.counts();
        raise(&self.bets, counts.bets);
        raise(&self.batches, counts.batches);
        for code in Code::ALL {
            let label = CodeLabel {
                code: code.number(),
            };
            let refused = counts.refusals[usize::from(code.number()) - 1];
            raise(&self.refusals.get_or_create(&label), refused);
        }
        let status = watched.status();
        let finished = status.agencies - status.missing;
        for (family, kind, value) in [
            (&self.connections, "agency", census.agencies),
            (&self.connections, "stranger", census.strangers),
            (&self.connections, "viewer", census.viewers),
            (&self.agencies, "finished", finished as usize),
            (&self.agencies, "missing", status.missing as usize),
            (&self.agencies, "parked", census.parked),
        ] {
            family.get_or_create(&KindLabel { kind }).set(value as i64);
        }
        self.drawn.set(i64::from(status.is_drawn));
        self.memory.set(census.memory_bytes as i64);
        raise(&self.log_lines_lost, lottery_program::log::lines_lost());
        let mut counting = String::new();
        let mut others = String::new();
        // A string takes whatever is written.
        let _ = encode_registry(&mut counting, &self.counting);
        let _ = encode_registry(&mut others, &self.others);
        name_in_full(&counting) + &others
    }
}

/// Counters in Prometheus's text format, of their OpenMetrics. There the comments on a counter leave out
/// the `_total` in which its name ends.
fn name_in_full(open_metrics: &str) -> String {
    let mut text = String::new();
    for line in open_metrics.lines() {
        let words: Vec<_> = line.splitn(4, ' ').collect();
        let _ = match words[..] {
            ["#", keyword, name, rest] => writeln!(text, "# {keyword} {name}_total {rest}"),
            _ => writeln!(text, "{line}"),
        };
    }
    text
}

fn raise(counter: &Counter, value: u64) {
    counter.inc_by(value.saturating_sub(counter.get()));
}
