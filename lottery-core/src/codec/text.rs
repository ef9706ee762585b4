//! What the text dialects have in common: bets as fields between separators.

use crate::bet::{Bet, parse_decimal};
use crate::csv_row;
use crate::message::{Batch, FoundBet, Refusal};

/// The fields of a bet. A name that has the separator makes their number wrong.
pub(super) fn split<const N: usize>(text: &[u8], separator: u8) -> Result<[&[u8]; N], Refusal> {
    csv_row::split(text, separator).map_err(|count| Refusal::malformed(format!("a bet of {count}")))
}

/// The bet of `agency` that `first_name,last_name,document,birthdate,number` spell.
pub(super) fn bet_of_agency(agency: u32, fields: [&[u8]; 5]) -> FoundBet<'_> {
    FoundBet {
        agency,
        bet: Bet::from_text(agency, fields),
        encoding: None,
    }
}

/// The bet that `agency,first_name,last_name,document,birthdate,number` spell.
pub(super) fn bet_with_agency(fields: [&[u8]; 6]) -> Result<FoundBet<'_>, Refusal> {
    let [agency, fields @ ..] = fields;
    Ok(bet_of_agency(parse_agency(agency)?, fields))
}

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
