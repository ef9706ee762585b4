//! The targets, and whether they are met.

use super::Findings;
use super::figures::{significant, spread};
use crate::measure::Measured;
use crate::trial::data::Bets;

/// The most that a peak may grow from ten to fifty times the data, in MiB, and still count as not
/// growing: fifty times as many bets of a few dozen bytes would be 150 MiB more.
const GROWTH_MIB_MAX: f64 = 1.0;

/// A target and what was measured for it.
#[derive(Debug, PartialEq)]
pub struct Target {
    /// What is measured.
    pub what: &'static str,
    /// What is wanted.
    pub wanted: &'static str,
    /// What there is, and whether that is what is wanted; nothing when it was not measured.
    pub found: Option<(String, bool)>,
}

/// Compares everything that was measured with what is wanted.
pub fn judge(findings: &Findings) -> Vec<Target> {
    let ratio = |name: &str, max: f64| {
        let ratio = findings.row(name)?.ratio();
        Some((spread(ratio), ratio.median <= max))
    };
    let store = findings.store.as_ref();
    vec![
        Target {
            what: "5 agencies × the bundled data × 50, `no`, start of the agencies to the last winners",
            wanted: "at most 2.0 × the floor",
            found: ratio("clients-x50-no", 2.0),
        },
        Target {
            what: "the same, `always`",
            wanted: "at most 3.0 × the floor",
            found: ratio("clients-x50-always", 3.0),
        },
        Target {
            what: "server CPU time for a bet, all of the process (× 50, `no`), ns",
            wanted: "at most 250",
            found: findings.row("clients-x50-no").map(|measured| {
                let cpu = measured.cpu_ns_per_bet();
                let share = measured.system_share() * 100.0;
                let text = format!("{}, {share:.0} % in the kernel", spread(cpu));
                (text, cpu.median <= 250.0)
            }),
        },
        Target {
            what: "server memory at the peak, 5 agencies, any number of bets, MiB",
            wanted: "at most 16, and not growing with the bets",
            found: memory(findings),
        },
        Target {
            what: "10,000 agencies of 100 bets: cost for an agency, as multiple of that at 100",
            wanted: "at most 1.5",
            found: cost_of_an_agency(findings),
        },
        Target {
            what: "memory with all 10,000 parked, MiB (the peak of the whole run)",
            wanted: "at most 64",
            found: most_memory(findings, |measured| measured.row.agencies == 10_000)
                .map(|mib| (significant(mib), mib <= 64.0)),
        },
        Target {
            what: "the draw over 3.9 million stored bets, last closing to last winners, ms",
            wanted: "at most 100",
            found: store.map(|store| (spread(store.draw_ms()), store.draw_ms().median <= 100.0)),
        },
        Target {
            what: "the longest that another connection waits meanwhile, ms",
            wanted: "at most 50",
            found: store.map(|store| {
                let wait = store.longest_wait_ms();
                (spread(wait), wait.max <= 50.0)
            }),
        },
        Target {
            what: "opening a store of 3.9 million bets after a crash, MB/s",
            wanted: "at least 300",
            found: store.map(|store| {
                let speed = store.opening_mb_per_second();
                (spread(speed), speed.median >= 300.0)
            }),
        },
        Target {
            what: "from start to listening, empty store, ms",
            wanted: "at most 20",
            found: findings
                .starts_ms
                .map(|starts| (spread(starts), starts.median <= 20.0)),
        },
    ]
}

fn memory(findings: &Findings) -> Option<(String, bool)> {
    let peak = |times| {
        most_memory(findings, |measured| {
            measured.row.bets == Bets::Bundled { times }
        })
    };
    let (one, ten, fifty) = (peak(1)?, peak(10)?, peak(50)?);
    let [shown_one, shown_ten, shown_fifty] = [one, ten, fifty].map(significant);
    let text = format!("{shown_one} at × 1, {shown_ten} at × 10, {shown_fifty} at × 50");
    let is_met = one.max(ten).max(fifty) <= 16.0 && fifty - ten <= GROWTH_MIB_MAX;
    Some((text, is_met))
}

fn most_memory(findings: &Findings, is_meant: impl Fn(&Measured) -> bool) -> Option<f64> {
    let meant = findings.rows.iter().filter(|measured| is_meant(measured));
    meant
        .map(|measured| measured.peak_mib().max)
        .reduce(f64::max)
}

/// Both by the server's processor time and by the clock: the processor's is what an agency costs,
/// and the clock's also tells of waiting.
fn cost_of_an_agency(findings: &Findings) -> Option<(String, bool)> {
    let (few, many) = (findings.row("load-100-no")?, findings.row("load-10000-no")?);
    let cpu = many.cpu_us_per_agency().median / few.cpu_us_per_agency().median;
    let clock = many.us_per_agency().median / few.us_per_agency().median;
    let [shown_cpu, shown_clock] = [cpu, clock].map(significant);
    let text = format!("{shown_cpu} by server CPU, {shown_clock} by the clock");
    Some((text, cpu.max(clock) <= 1.5))
}

/// The targets as a table.
pub fn table(targets: &[Target]) -> String {
    let mut table = String::from(
        "## Targets\n\n| what | target | measured | verdict |\n| --- | --- | --- | --- |\n",
    );
    for Target {
        what,
        wanted,
        found,
    } in targets
    {
        let (found, verdict) = match found {
            Some((found, true)) => (found.as_str(), "met"),
            Some((found, false)) => (found.as_str(), "**missed**"),
            None => ("–", "not run"),
        };
        table += &format!("| {what} | {wanted} | {found} | {verdict} |\n");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_run_is_said_to_be_so() {
        let targets = judge(&Findings::default());
        assert!(targets.iter().all(|target| target.found.is_none()));
        let rows = table(&targets)
            .lines()
            .filter(|line| line.ends_with("| not run |"))
            .count();
        assert_eq!(rows, targets.len());
    }

    #[test]
    fn a_measured_target_has_its_verdict() {
        use crate::statistics::Spread;
        let judged = |ms: f64| {
            let findings = Findings {
                starts_ms: Spread::of([ms]),
                ..Findings::default()
            };
            table(&judge(&findings))
        };
        assert!(judged(19.0).contains("| 19.0 (19.0–19.0) | met |"));
        assert!(judged(21.0).contains("| 21.0 (21.0–21.0) | **missed** |"));
    }
}
