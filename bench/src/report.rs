//! The report: the targets and whether they are met, the table, the curves.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::charts::charts;
use crate::figures::{Figures, Spread, figure, or_dash, table};
use crate::rows::WORDS;

/// What is wanted. The row may be two, with what is done to their figures, run by run:
/// `load-10000-no / load-100-no`.
#[derive(serde::Deserialize)]
pub struct Target {
    what: String,
    pub row: String,
    pub figure: String,
    rule: String,
    pub limit: f64,
}

pub fn targets() -> csv::Result<Vec<Target>> {
    table(include_str!("tables/targets.csv"))
}

/// Prints when and where figures were taken.
const MACHINE: &str = include_str!("machine.sh");

/// What was measured under a name: figures of each run, at least one.
pub struct Measured {
    pub name: String,
    pub runs: Vec<Figures>,
}

impl Measured {
    /// A figure over all runs that have it.
    pub fn spread(&self, name: &str) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(|run| figure(run, name)))
    }

    pub fn line(&self) -> String {
        let names = self.runs[0].iter().map(|(name, _)| name);
        let figures = names.map(|name| format!("{name} {}", or_dash(self.spread(name))));
        format!("{}: {}", self.name, figures.collect::<Vec<_>>().join(", "))
    }
}

pub struct Findings(pub Vec<Measured>);

impl Findings {
    /// A figure of what was measured under this name, or of two compared.
    pub fn spread(&self, names: &str, name: &str) -> Option<Spread> {
        let get = |name: &str| self.0.iter().find(|measured| measured.name == name);
        let [one, operator, other] = names.split(' ').collect::<Vec<_>>()[..] else {
            return get(names)?.spread(name);
        };
        let pairs = get(one)?.runs.iter().zip(&get(other)?.runs);
        Spread::of(pairs.filter_map(|(one, other)| {
            let (one, other) = (figure(one, name)?, figure(other, name)?);
            match operator {
                "/" => Some(one / other),
                _ => Some(one - other),
            }
        }))
    }

    pub fn targets(&self) -> Result<String> {
        let mut table = "| what | target | measured | verdict |\n".to_owned();
        table += "| --- | --- | --- | --- |\n";
        for target in targets()? {
            let (what, rule, limit) = (target.what, target.rule, target.limit);
            let found = self.spread(&target.row, &target.figure);
            let verdict = match found.map(|found| match rule.as_str() {
                "median at most" => found.median <= limit,
                "median at least" => found.median >= limit,
                _ => found.max <= limit,
            }) {
                Some(true) => "met",
                Some(false) => "**missed**",
                None => "not run",
            };
            let found = or_dash(found);
            table += &format!("| {what} | {rule} {limit} | {found} | {verdict} |\n");
        }
        Ok(table)
    }

    /// All rows in one table, and below it what has other figures.
    fn rows(&self) -> String {
        let is_row = |measured: &&Measured| measured.spread("bets/s").is_some();
        let (rows, others): (Vec<_>, Vec<_>) = self.0.iter().partition(is_row);
        let mut columns: Vec<&str> = Vec::new();
        for (name, _) in rows.iter().flat_map(|measured| &measured.runs[0]) {
            if !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
        let alignment = " --: |".repeat(columns.len());
        let mut table = format!("| row | {} |\n| --- |{alignment}\n", columns.join(" | "));
        for measured in rows {
            let cell = |column: &&str| or_dash(measured.spread(column));
            let cells = columns.iter().map(cell).collect::<Vec<_>>().join(" | ");
            table += &format!("| {} | {cells} |\n", measured.name);
        }
        for measured in others {
            table += &format!("\n- {}", measured.line());
        }
        table
    }

    /// Writes `RESULTS.md` and the curves into `output`; the server stored in `folder`.
    pub fn write(&self, output: &Path, folder: &Path, pairs: usize) -> Result<()> {
        // Before the files of this checkout change, because it says whether there are changes.
        let mut machine = Command::new("sh");
        let machine = machine.args(["-c", MACHINE, "sh"]).arg(folder).output()?;
        let machine = String::from_utf8_lossy(&machine.stdout);
        fs::create_dir_all(output.join("curves"))?;
        let mut images = String::new();
        for chart in charts()? {
            let file = format!("curves/{}.svg", chart.name);
            fs::write(output.join(&file), chart.render(self)?)?;
            images += &format!("![{}]({file})\n\n", chart.name);
        }
        let (targets, rows) = (self.targets()?, self.rows());
        let page = format!(
            "# How fast it is\n\n\
             Made by `make bench`; running it again replaces this page. Every row was run {pairs} \
             times, the baseline and ours in turn; figures are medians, with the smallest and the largest \
             in parentheses. [How it is measured](../docs/PERFORMANCE.md#how-it-is-measured).\n\n\
             {machine}\n## Targets\n\n{targets}\n## Curves\n\n{images}## Rows\n\n{WORDS}\n{rows}\n"
        );
        Ok(fs::write(output.join("RESULTS.md"), page)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::figures;

    #[test]
    fn a_target_is_judged_by_its_own_rule_and_compares_rows_run_by_run() {
        for (name, figure, values, expected) in [
            ("start", "start, ms", [19., 19., 21.], "(19.0–21.0) | met"),
            ("start", "start, ms", [20.5; 3], "(20.5–20.5) | **missed"),
            ("store", "longest wait, ms", [1., 1., 51.], "| **missed"),
            ("store", "opening, MB/s", [299.0; 3], "| **missed"),
            ("load-10000-no", "bets/s", [2., 4., 3.], "(1.50–3.00) |"),
        ] {
            let measured = |name: &str, values: [f64; 3]| Measured {
                name: name.to_owned(),
                runs: values.map(|value| figures([(figure, value)])).into(),
            };
            let few = measured("load-100-no", [6.0, 6.0, 9.0]);
            let findings = Findings(vec![measured(name, values), few]);
            let table = findings.targets().unwrap();
            assert!(table.contains(expected), "{table}");
            assert_eq!(table.matches("| – | not run |").count(), 18);
        }
    }
}
