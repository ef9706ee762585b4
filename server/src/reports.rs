//! What the files of a lottery say, whether its server runs or not: who won, and whether they agree with each
//! other.

use std::fs::File;
use std::io;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use lottery_core::encoding::Tally;
use lottery_core::store::{
    BETS_FILE, CLOSINGS_FILE, DRAW_FILE, Folder, OpenError, ReadFile, Winners, examine,
    find_winners, load_draw,
};
use serde_json::json;

/// How to print winners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// `agency,document`, a row for each winning bet.
    Csv,
    /// One object.
    Json,
}

/// The winners of all agencies, or of one, as text.
///
/// # Errors
///
/// When the draw was not held, or the files cannot be read or disagree.
pub fn winners(folder: &Folder, only: Option<u32>, format: Format) -> Result<String> {
    let draw = open_draw(folder)?.as_ref().map(load_draw).transpose()?;
    let draw = draw.flatten().context("the draw was not held yet")?;
    let mut winners = find(&open(folder, BETS_FILE)?, draw.winning_number)?;
    // Earlier settings may have let in agencies that did not take part in the draw.
    winners.retain(|agency, _| *agency <= draw.agencies);
    expect_agreement(
        "winning bets",
        draw.winners,
        winners.values().map(Vec::len).sum::<usize>() as u64,
    )?;
    let agencies = only.map_or(1..=draw.agencies, |agency| agency..=agency);
    let winners = agencies.map(|agency| (agency, winners.remove(&agency).unwrap_or_default()));
    let winners: Vec<(u32, Vec<u32>)> = winners.collect();
    Ok(match format {
        Format::Table => table(draw.winning_number, &winners),
        Format::Csv => csv(&winners),
        Format::Json => {
            let agencies = winners
                .iter()
                .map(|(agency, documents)| json!({ "agency": agency, "winners": documents }));
            let all = json!({
                "number": draw.winning_number,
                "bets": draw.bets,
                "agencies": agencies.collect::<Vec<_>>(),
            });
            format!("{all}\n")
        }
    })
}

fn table(number: u32, winners: &[(u32, Vec<u32>)]) -> String {
    let mut text = format!("number drawn: {number}\n\nagency  winners  documents\n");
    let mut total = 0;
    for (agency, documents) in winners {
        total += documents.len();
        let listed: Vec<String> = documents.iter().map(u32::to_string).collect();
        let line = format!("{agency:>6}  {:>7}  {}", documents.len(), listed.join(", "));
        text += line.trim_end();
        text.push('\n');
    }
    text + &format!(" total  {total:>7}\n")
}

fn csv(winners: &[(u32, Vec<u32>)]) -> String {
    let rows = winners.iter().flat_map(|(agency, documents)| {
        let row = move |document| format!("{agency},{document}\r\n");
        documents.iter().map(row)
    });
    rows.collect()
}

/// What the files hold of each agency, as a table. In the manner of an independent control system it recounts
/// every bet, and believes nothing that it can work out.
///
/// # Errors
///
/// The first discrepancy, named to the line, or to the number that `draw.csv` has wrong.
pub fn audit(folder: &Folder, winning_number: u32) -> Result<String> {
    // A server may be appending: what the draw and a closing cover was in the bets before them.
    let draw = open_draw(folder)?;
    let closings = open(folder, CLOSINGS_FILE)?;
    let bets = open(folder, BETS_FILE)?;
    let found = examine(&bets, &closings, draw.as_ref(), || false)?;
    let agencies = found.agencies;
    let number = found
        .draw
        .map_or(winning_number, |draw| draw.winning_number);
    let winners = find(&bets, number)?;
    if let Some(draw) = found.draw {
        let bets = agencies.range(1..=draw.agencies);
        expect_agreement(
            "bets",
            draw.bets,
            bets.map(|(_, standing)| standing.tally.bets).sum(),
        )?;
        let won = winners.range(1..=draw.agencies);
        expect_agreement(
            "winning bets",
            draw.winners,
            won.map(|(_, won)| won.len() as u64).sum(),
        )?;
    }
    let mut text = " agency       bets      crc32 closed winners\n".to_owned();
    for (agency, standing) in &agencies {
        let Tally { bets, crc } = standing.tally;
        let closed = if standing.has_finished { "yes" } else { "no" };
        let won = winners.get(agency).map_or(0, Vec::len);
        text += &format!("{agency:>7} {bets:>10} {crc:>10} {closed:>6} {won:>7}\n");
    }
    let standings = agencies.values();
    let bets: u64 = standings.clone().map(|standing| standing.tally.bets).sum();
    let closed = standings.filter(|standing| standing.has_finished);
    let (closed, won) = (closed.count(), winners.values().flatten().count());
    text += &format!("  total {bets:>10} {:>10} {closed:>6} {won:>7}\n", "");
    for (file, extent) in [
        (BETS_FILE, found.bets_extent),
        (CLOSINGS_FILE, found.closings_extent),
        (DRAW_FILE, found.draw_extent),
    ] {
        if extent.torn_bytes > 0 {
            text += &format!(
                "{file}: {} bytes of an append at the end, under way or torn; the server cuts off the latter \
                 when it starts\n",
                extent.torn_bytes
            );
        }
    }
    Ok(text)
}

/// Compares a count in `draw.csv` with that of the bets.
fn expect_agreement(what: &str, recorded: u64, found: u64) -> Result<()> {
    ensure!(
        recorded == found,
        "{DRAW_FILE} says {recorded} {what}, and {BETS_FILE} has {found}: corruption"
    );
    Ok(())
}

fn find(bets: &UpTo, winning_number: u32) -> Result<Winners, OpenError> {
    let file = BETS_FILE;
    find_winners(bets, winning_number).map_err(|error| OpenError::File { file, error })
}

/// A server makes the file when it holds the draw.
fn open_draw(folder: &Folder) -> Result<Option<UpTo>, OpenError> {
    match open(folder, DRAW_FILE) {
        Err(OpenError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => Ok(Some(file?)),
    }
}

fn open(folder: &Folder, file: &'static str) -> Result<UpTo, OpenError> {
    let opened = folder.open_to_read(file).and_then(|file| {
        let bytes = file.bytes()?;
        Ok(UpTo { file, bytes })
    });
    opened.map_err(|error| OpenError::File { file, error })
}

/// A file as it was when it was opened, if it only grew since.
struct UpTo {
    file: File,
    bytes: u64,
}

impl ReadFile for UpTo {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes.saturating_sub(offset).min(buffer.len() as u64);
        ReadFile::read_at(&self.file, offset, &mut buffer[..left as usize])
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_audit_is_a_table_or_the_first_discrepancy() {
        const ROWS: &str = "1,Ana,Paz,7,1999-03-17,7574\r\n2,Ana,Paz,8,1999-03-17,1\r\n";
        // From Python's `zlib.crc32` over the encoding of the first bet.
        let crc: u32 = 0x4ae1_a42d;
        let folder = tempfile::tempdir().unwrap();
        let audit = || {
            let audit = audit(&Folder::new(folder.path()), 7574);
            audit.unwrap_or_else(|error| error.to_string())
        };
        assert!(audit().starts_with("closings.csv: No such file"));
        let all_closed = format!("1,1,{crc}\r\n");
        for (bets, closings, draw, expected) in [
            (
                ROWS.to_owned(),
                all_closed.clone(),
                "",
                " agency       bets      crc32 closed winners
      1          1 1256301613    yes       1
      2          1 … no       0
  total          2                 1       1\n",
            ),
            (
                ROWS.to_owned() + "1,An",
                String::new(),
                "",
                "…bets.csv: 4 bytes of an append",
            ),
            (
                ROWS.to_owned() + "x\r\n",
                String::new(),
                "",
                "bets.csv line 3: 1 fields",
            ),
            (
                ROWS.to_owned(),
                format!("1,2,{crc}\r\n"),
                "",
                "closings.csv line 1: agency 1 finished with 2 bets",
            ),
            // Agency 2 took no part, and the number drawn was not that of the settings.
            (
                ROWS.to_owned(),
                all_closed.clone(),
                "7,1,1,0\r\n",
                "… total          2                 1       0\n",
            ),
            (
                ROWS.to_owned(),
                all_closed.clone(),
                "7574,1,2,1\r\n",
                "draw.csv says 2 bets, and bets.csv has 1: corruption",
            ),
            (
                ROWS.to_owned(),
                all_closed.clone(),
                "7574,1,1,0\r\n",
                "draw.csv says 0 winning bets, and bets.csv has 1",
            ),
            (
                ROWS.to_owned(),
                all_closed,
                "7574,1",
                "…draw.csv: 6 bytes of an append",
            ),
        ] {
            fs::write(folder.path().join(BETS_FILE), bets).unwrap();
            fs::write(folder.path().join(CLOSINGS_FILE), closings).unwrap();
            fs::write(folder.path().join(DRAW_FILE), draw).unwrap();
            let found = audit();
            let mut rest = &*found;
            for part in expected.split('…') {
                let position = rest.find(part).unwrap_or_else(|| panic!("{found}"));
                rest = &rest[position + part.len()..];
            }
        }
    }
}
