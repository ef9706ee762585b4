//! What the text dialects have in common: bets as fields between separators.

use crate::bet::{Bet, parse_decimal};
use crate::csv_row;
use crate::message::{Batch, FoundBet, Refusal};

/// How a dialect writes the fields of a bet.
#[derive(Clone, Copy, Debug)]
pub(super) struct BetFormat {
    /// What stands between two fields. A name that has it makes the number of fields wrong.
    pub separator: u8,
    /// Whether white space around a field is ignored.
    pub trims: bool,
}

impl BetFormat {
    /// Reads `first_name,last_name,document,birthdate,number`, a bet of `agency`.
    pub fn bet_of_agency<'a>(self, agency: u32, text: &'a [u8]) -> Result<FoundBet<'a>, Refusal> {
        Ok(FoundBet {
            agency,
            bet: Bet::from_text(agency, self.split(text)?),
            encoding: None,
        })
    }

    /// Reads `agency,first_name,last_name,document,birthdate,number`.
    pub fn bet_with_agency(self, text: &[u8]) -> Result<FoundBet<'_>, Refusal> {
        let [agency, fields @ ..] = self.split::<6>(text)?;
        let agency = parse_agency(agency)?;
        Ok(FoundBet {
            agency,
            bet: Bet::from_text(agency, fields),
            encoding: None,
        })
    }

    fn split<const N: usize>(self, text: &[u8]) -> Result<[&[u8]; N], Refusal> {
        let fields = csv_row::split(text, self.separator)
            .map_err(|count| Refusal::malformed(format!("a bet of {count}")))?;
        match self.trims {
            true => Ok(fields.map(<[u8]>::trim_ascii)),
            false => Ok(fields),
        }
    }
}

/// The agency that these digits spell.
pub(super) fn parse_agency(text: &[u8]) -> Result<u32, Refusal> {
    let agency = parse_decimal(text).filter(|agency| *agency >= 1);
    agency.ok_or_else(|| no_number("agency", text))
}

/// The number that these digits spell, of which `what` is the name.
pub(super) fn parse_count(what: &str, text: &[u8]) -> Result<u32, Refusal> {
    parse_decimal(text).ok_or_else(|| no_number(what, text))
}

/// Checks that the batch has as many bets as were announced.
pub(super) fn check_count(announced: u32, batch: Batch<'_>) -> Result<Batch<'_>, Refusal> {
    if batch.count == announced as usize {
        return Ok(batch);
    }
    let reason = format!("{} bets, announced as {announced}", batch.count);
    Err(Refusal::malformed(reason))
}

fn no_number(what: &str, text: &[u8]) -> Refusal {
    let text = String::from_utf8_lossy(&text[..text.len().min(32)]);
    Refusal::malformed(format!("{what} {text:?} is no number"))
}

/// The pieces of `text` between separators; none of an empty text.
pub(super) fn pieces(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let is_empty = text.is_empty();
    text.split(move |byte| *byte == separator)
        .take(if is_empty { 0 } else { usize::MAX })
}

/// Appends the DNIs in decimal, with `separator` between them.
pub(super) fn encode_documents(documents: &[u32], separator: u8, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            out.push(separator);
        }
        out.extend_from_slice(digits.format(*document).as_bytes());
    }
}
