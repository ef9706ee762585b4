//! The curves: throughput against agencies, the distribution of answer times, and the ratio to the
//! floor against size. Each shows what of it was measured.

use std::time::Duration;

use super::Findings;
use super::chart::{Axis, Chart, Point, Series};
use super::figures::{duration, grouped};
use crate::measure::Measured;
use crate::rows::DURABILITIES;
use crate::statistics::Spread;

/// Where the distribution of answer times is marked: what is slower is a tenth of it each time.
const MARKS: [&str; 6] = ["fastest", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"];

/// Points of a distribution for each of its marks.
const POINTS_PER_MARK: u32 = 12;

/// The files and what is in them; of what was not measured at all there is none.
pub fn draw(findings: &Findings) -> Vec<(&'static str, String)> {
    let charts = [
        ("throughput.svg", throughput(findings)),
        ("answer-times.svg", answer_times(findings)),
        ("ratio-to-floor.svg", ratio(findings)),
    ];
    let charts = charts.into_iter();
    let charts = charts.filter(|(_, chart)| !chart.series.is_empty());
    charts.map(|(file, chart)| (file, chart.render())).collect()
}

fn throughput(findings: &Findings) -> Chart {
    let series = series_by_durability(
        findings,
        |durability| {
            let five = ["x10", "x1"].map(|bets| format!("load-{bets}-{durability}"));
            let five = five.into_iter().find(|name| findings.row(name).is_some());
            let many = [100, 1000, 10_000].map(|agencies| format!("load-{agencies}-{durability}"));
            five.into_iter().chain(many).collect()
        },
        |measured| f64::from(measured.row.agencies),
        Measured::bets_per_second,
    );
    Chart {
        title: "Throughput, by number of agencies",
        x: Axis::logarithmic(
            "agencies; five have the bundled data, more have 100 bets each",
            1.0,
            10_000.0,
            grouped,
        ),
        y: Axis::linear("bets stored a second", largest(&series), grouped),
        series,
        levels: Vec::new(),
    }
}

fn ratio(findings: &Findings) -> Chart {
    let times = [1.0, 10.0, 50.0];
    let series = series_by_durability(
        findings,
        |durability| {
            let names = times.map(|times| format!("clients-x{times}-{durability}"));
            names.into()
        },
        |measured| measured.bets as f64,
        Measured::ratio,
    );
    let bets: Vec<_> = series.iter().flat_map(|series| &series.points).collect();
    let min = bets.iter().map(|point| point.x).reduce(f64::min);
    let max = bets.iter().map(|point| point.x).reduce(f64::max);
    Chart {
        title: "Time as multiple of the floor's, 5 real agencies",
        x: Axis::logarithmic("bets", min.unwrap_or(1.0), max.unwrap_or(10.0), grouped),
        y: Axis::linear("× the floor", largest(&series).max(3.5), |at| {
            format!("{at:.1}")
        }),
        series,
        levels: vec![
            (2.0, "target, no".to_owned()),
            (3.0, "target, always".to_owned()),
        ],
    }
}

fn answer_times(findings: &Findings) -> Chart {
    let rows = [
        ("load-x1-no", "window 128, no"),
        ("load-x1-always", "window 128, always"),
        ("load-x1-no-w1", "window 1, no"),
        ("load-x1-always-w1", "window 1, always"),
    ];
    let series = rows.into_iter().filter_map(|(row, name)| {
        let times = findings.row(row)?.answer_times.as_ref()?;
        let points = (0..=POINTS_PER_MARK * (MARKS.len() as u32 - 1)).map_while(|step| {
            // Equal steps to the right are equal factors of what is slower.
            let nines = f64::from(step) / f64::from(POINTS_PER_MARK);
            let slower = 10_f64.powf(-nines);
            let is_known = slower * times.count() as f64 >= 1.0;
            let time = times.quantile(1.0 - slower).filter(|_| is_known)?;
            Some(Point {
                x: nines,
                y: time.as_secs_f64() * 1e6,
                range: None,
            })
        });
        Some(Series {
            name: name.to_owned(),
            points: points.collect(),
        })
    });
    let series: Vec<_> = series.collect();
    let all = || series.iter().flat_map(|series| &series.points);
    let min = all().map(|point| point.y).reduce(f64::min).unwrap_or(1.0);
    let max = all().map(|point| point.y).reduce(f64::max).unwrap_or(10.0);
    let microseconds = |us: f64| duration(Duration::from_secs_f64(us / 1e6)).replace(".00", "");
    let last = all().map(|point| point.x).reduce(f64::max).unwrap_or(1.0);
    let marks = (0..).zip(MARKS).take(last.ceil() as usize + 1);
    Chart {
        title: "Time from a batch of 125 bets to its answer, 5 agencies",
        x: Axis {
            label: "share of the batches that were answered within the time",
            is_logarithmic: false,
            ticks: marks
                .map(|(nines, name)| (f64::from(nines), name.to_owned()))
                .collect(),
        },
        y: Axis::logarithmic("time", min, max, microseconds),
        series,
        levels: Vec::new(),
    }
}

/// A line for each durability of which at least one of the rows called by `names` was run.
fn series_by_durability(
    findings: &Findings,
    names: impl Fn(&str) -> Vec<String>,
    x: impl Fn(&Measured) -> f64,
    y: impl Fn(&Measured) -> Spread,
) -> Vec<Series> {
    let point = |measured: &Measured| {
        let Spread { median, min, max } = y(measured);
        Point {
            x: x(measured),
            y: median,
            range: Some((min, max)),
        }
    };
    let series = DURABILITIES.iter().map(|durability| {
        let rows = names(durability);
        let rows = rows.iter().filter_map(|name| findings.row(name));
        Series {
            name: (*durability).to_owned(),
            points: rows.map(&point).collect(),
        }
    });
    series.filter(|series| !series.points.is_empty()).collect()
}

fn largest(series: &[Series]) -> f64 {
    let points = series.iter().flat_map(|series| &series.points);
    let tops = points.map(|point| point.range.map_or(point.y, |(_, max)| max));
    tops.reduce(f64::max).unwrap_or(1.0)
}
