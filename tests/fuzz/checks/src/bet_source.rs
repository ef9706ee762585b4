//! An agency's CSV file of any contents: the bets are the same each time that they are read, and of a
//! file without quotes each line is a bet, a complaint or empty.

use std::fs;

use client::bet_source::{BetSource, CsvFile, RowError, SourceError};
use lottery_core::bet::Bet;
use lottery_core::encoding;

const AGENCY: u32 = 3;

/// A file of any contents.
pub fn check(contents: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), contents).unwrap();
    let report = |error: &RowError| {
        let text = error.problem.to_string();
        assert!(!text.contains('\n') && text.len() < 1000, "{text:?}");
    };
    let mut source = CsvFile::open(AGENCY, file.path(), report).unwrap();
    let bets = bets(&mut source);
    let rejected = source.rejected();
    source.rewind().unwrap();
    assert_eq!(self::bets(&mut source), bets, "another time, other bets");
    assert_eq!(source.rejected(), rejected);
    if let Some((expected, rejected_lines)) = judge(contents) {
        assert_eq!(bets, expected);
        assert_eq!(rejected, rejected_lines);
    }
}

fn bets(source: &mut impl BetSource) -> Vec<Vec<u8>> {
    let mut bets = Vec::new();
    loop {
        match source.next_bet(encode) {
            Ok(Some(bet)) => bets.push(bet),
            Ok(None) => return bets,
            Err(SourceError::NoBets(..)) => {
                assert!(bets.is_empty() && source.rejected() > 0);
                return bets;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn encode(bet: &Bet<'_>) -> Vec<u8> {
    let mut encoding = Vec::new();
    encoding::encode(bet, &mut encoding);
    assert_eq!(encoding::decode(&encoding).unwrap().1.unwrap(), *bet);
    encoding
}

/// The bets of a file, and its lines that are none, if it is so simple that lines are rows.
fn judge(contents: &[u8]) -> Option<(Vec<Vec<u8>>, u64)> {
    let without_mark = contents.strip_prefix("\u{feff}".as_bytes());
    let contents = without_mark.unwrap_or(contents);
    let mut bets = Vec::new();
    let mut rejected = 0;
    for line in contents.split(|byte| *byte == b'\n') {
        let row = line.strip_suffix(b"\r").unwrap_or(line);
        if row.iter().any(|byte| matches!(byte, b'"' | b'\r')) {
            return None;
        }
        let fields: Vec<_> = row.split(|byte| *byte == b',').collect();
        let bet = match <[_; 5]>::try_from(fields) {
            Ok(fields) => Bet::from_text(AGENCY, fields).ok(),
            Err(fields) if fields == [b""] => continue,
            Err(_) => None,
        };
        match bet {
            Some(bet) => bets.push(encode(&bet)),
            None => rejected += 1,
        }
    }
    Some((bets, rejected))
}
