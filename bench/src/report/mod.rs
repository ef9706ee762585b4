//! What is told of the runs: the targets and whether they are met, the tables, the curves.

pub mod chart;
pub mod curves;
pub mod figures;
pub mod tables;
pub mod targets;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::machine::Machine;
use crate::measure::{CountedCalls, Measured, StoreMeasured};
use crate::statistics::Spread;

/// The folder of the curves, beside the results.
const CURVES: &str = "curves";

/// Everything that was measured; what was not is empty.
#[derive(Debug, Default)]
pub struct Findings {
    /// The rows.
    pub rows: Vec<Measured>,
    /// Opening and drawing.
    pub store: Option<StoreMeasured>,
    /// Milliseconds from start to listening, empty store.
    pub starts_ms: Option<Spread>,
    /// System calls.
    pub calls: Option<Vec<CountedCalls>>,
}

impl Findings {
    /// The row of this name, if it was run.
    pub fn row(&self, name: &str) -> Option<&Measured> {
        self.rows
            .iter()
            .find(|measured| measured.row.name() == name)
    }
}

/// How the figures came about.
#[derive(Debug)]
pub struct Circumstances {
    /// Where.
    pub machine: Machine,
    /// When, as the reader is to see it.
    pub date: String,
    /// What was typed.
    pub command: String,
    /// How often each row was run.
    pub pairs: usize,
    /// How long all of it took, in seconds.
    pub seconds: u64,
    /// The load averages at the beginning and at the end.
    pub load_averages: (String, String),
}

/// The results as a page.
pub fn page(findings: &Findings, circumstances: &Circumstances) -> String {
    let mut page = tables::heading(circumstances);
    page += &targets::table(&targets::judge(findings));
    page += "\n## Curves\n\n";
    for (file, _) in curves::draw(findings) {
        page += &format!("![{file}]({CURVES}/{file})\n\n");
    }
    page += &tables::rows(&findings.rows);
    page += &tables::many_agencies(findings);
    page += &tables::store(findings);
    page += &tables::system_calls(findings.calls.as_deref());
    page += &tables::method();
    page
}

/// Writes `RESULTS.md` and the curves into `folder`.
///
/// # Errors
///
/// When a file cannot be written.
pub fn write(folder: &Path, findings: &Findings, circumstances: &Circumstances) -> Result<()> {
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())
    };
    fs::create_dir_all(folder.join(CURVES))?;
    for (file, drawing) in curves::draw(findings) {
        put(&format!("{CURVES}/{file}"), &drawing)?;
    }
    put("RESULTS.md", &page(findings, circumstances))
}
