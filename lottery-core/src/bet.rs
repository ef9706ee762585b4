//! A bet, the rules that make it valid, and the complaint about one that is not.
//!
//! A bet comes from a stranger, as text or as bytes, and becomes a [`Bet`] only by passing the
//! rules: [`Bet::from_text`] for the fields of a row, and [`encoding::decode`](crate::encoding::decode)
//! for bytes. Holding a `Bet` therefore means that it is valid, and it is never checked twice.

use std::fmt;

use thiserror::Error;
use time::macros::date;

use crate::date::{self, Date};
use crate::name::Name;

/// The largest number that can be bet on; the smallest is 0.
pub const NUMBER_MAX: u32 = 9_999;

/// The first birthdate that is believed. No clock is asked: a row that is valid today must be valid
/// tomorrow and on every other machine.
pub const BIRTHDATE_MIN: Date = date!(1900 - 01 - 01);

/// A valid bet, borrowing its names from whatever it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bet<'a> {
    /// The agency that took the bet, from 1.
    pub agency: u32,
    /// The bettor's first names, as written.
    pub first_name: Name<'a>,
    /// The bettor's last names, as written.
    pub last_name: Name<'a>,
    /// The bettor's DNI, at least 1.
    pub document: u32,
    /// The day on which the bettor was born.
    pub birthdate: Date,
    /// The number bet on, 0 to [`NUMBER_MAX`].
    pub number: u32,
}

/// A field of a bet, by the name that complaints give it, in the order of `bets.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The agency's number.
    Agency,
    /// The bettor's first names.
    FirstName,
    /// The bettor's last names.
    LastName,
    /// The bettor's DNI.
    Document,
    /// The bettor's birthdate.
    Birthdate,
    /// The number bet on.
    Number,
}

impl Field {
    /// What a valid value of this field looks like.
    pub const fn expected(self) -> &'static str {
        self.words().1
    }

    /// Its name in complaints, and what is expected of it.
    const fn words(self) -> (&'static str, &'static str) {
        const A_NAME: &str = "1 to 255 bytes of UTF-8 without control characters";
        match self {
            Field::Agency => ("agency", "a whole number from 1"),
            Field::FirstName => ("first_name", A_NAME),
            Field::LastName => ("last_name", A_NAME),
            Field::Document => ("document", "a whole number from 1 to 4294967295"),
            Field::Birthdate => ("birthdate", "a real date, YYYY-MM-DD, from 1900-01-01 on"),
            Field::Number => ("number", "a whole number from 0 to 9999"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.words().0)
    }
}

/// The first field of a bet that breaks a rule: which one, what it says, what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field} {value:?} is not valid, expected {}", field.expected())]
pub struct InvalidBet {
    /// The offending field.
    pub field: Field,
    /// Its value as found, shortened when it is long.
    pub value: String,
}

impl InvalidBet {
    /// Characters of the value that a complaint quotes.
    const VALUE_CHARS_MAX: usize = 64;

    /// A complaint about `field`, whose value is quoted up to a bound.
    pub fn new(field: Field, value: &[u8]) -> InvalidBet {
        let text = String::from_utf8_lossy(&value[..value.len().min(4 * Self::VALUE_CHARS_MAX)]);
        let value = text.chars().take(Self::VALUE_CHARS_MAX).collect();
        InvalidBet { field, value }
    }
}

impl<'a> Bet<'a> {
    /// The bet of `agency` that the fields spell, when it is valid. They are, in the order of the files,
    /// the first name, the last name, the document, the birthdate as `YYYY-MM-DD`, and the number.
    ///
    /// # Errors
    ///
    /// The first field that cannot be read or breaks a rule.
    #[inline(always)]
    pub fn from_text(agency: u32, fields: [&'a [u8]; 5]) -> Result<Bet<'a>, InvalidBet> {
        let [first_name, last_name, document, birthdate, number] = fields;
        let document = parse_decimal(document);
        let birthdate = date::parse_iso(birthdate);
        let number = parse_decimal(number);
        let bet = Bet::new(agency, [first_name, last_name], document, birthdate, number);
        bet.map_err(|field| match field {
            Field::Agency => InvalidBet::new(field, agency.to_string().as_bytes()),
            _ => InvalidBet::new(field, fields[field as usize - 1]),
        })
    }

    /// The bet of these values, when it is valid; `birthdate` is a Unix time in seconds.
    #[inline(always)]
    pub(crate) fn from_values(
        agency: u32,
        names: [&'a [u8]; 2],
        document: u32,
        birthdate: i64,
        number: u32,
    ) -> Result<Bet<'a>, InvalidBet> {
        let day = date::from_unix_midnight(birthdate);
        let bet = Bet::new(agency, names, Some(document), day, Some(number));
        bet.map_err(|field| {
            let value = match field {
                Field::Agency => agency.to_string(),
                Field::FirstName => return InvalidBet::new(field, names[0]),
                Field::LastName => return InvalidBet::new(field, names[1]),
                Field::Document => document.to_string(),
                Field::Birthdate => birthdate.to_string(),
                Field::Number => number.to_string(),
            };
            InvalidBet::new(field, value.as_bytes())
        })
    }

    /// The rules. Whether the agency takes part is not a matter of the bet and is left to the central.
    // Not inlined, here, in its callers and in csv_row, results go through memory: opening a store takes
    // a quarter longer.
    #[inline(always)]
    fn new(
        agency: u32,
        [first_name, last_name]: [&'a [u8]; 2],
        document: Option<u32>,
        birthdate: Option<Date>,
        number: Option<u32>,
    ) -> Result<Bet<'a>, Field> {
        if agency == 0 {
            return Err(Field::Agency);
        }
        Ok(Bet {
            agency,
            first_name: Name::new(first_name).ok_or(Field::FirstName)?,
            last_name: Name::new(last_name).ok_or(Field::LastName)?,
            document: document
                .filter(|document| *document >= 1)
                .ok_or(Field::Document)?,
            birthdate: birthdate
                .filter(|day| *day >= BIRTHDATE_MIN)
                .ok_or(Field::Birthdate)?,
            number: number
                .filter(|number| *number <= NUMBER_MAX)
                .ok_or(Field::Number)?,
        })
    }
}

/// Whether the bet is on the number drawn.
pub fn has_won(bet: &Bet<'_>, winning_number: u32) -> bool {
    bet.number == winning_number
}

/// Reads decimal digits, and nothing but digits, that fit an `u32`.
pub fn parse_decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u32, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        let tens = value.checked_mul(10).filter(|_| digit <= 9)?;
        tens.checked_add(u32::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::NAME_BYTES_MAX;

    const NAMES: [&[u8]; 2] = ["Santiago Lionel".as_bytes(), "Núñez".as_bytes()];
    const TEXT: [&[u8]; 5] = [NAMES[0], NAMES[1], b"30904465", b"1999-03-17", b"2201"];

    #[test]
    fn text_and_values_of_the_same_bet_are_the_same_bet() {
        let values = Bet::from_values(1, NAMES, 30_904_465, 921_628_800, 2201);
        assert_eq!(values, Bet::from_text(1, TEXT));
        let bet = values.unwrap();
        assert!(has_won(&bet, 2201) && !has_won(&bet, 7574));
    }

    #[test]
    fn the_bounds_of_every_field_are_inside_and_the_next_value_is_out() {
        let longest = "a".repeat(NAME_BYTES_MAX);
        let too_long = "a".repeat(NAME_BYTES_MAX + 1);
        for (at, inside, outside) in [
            (0, [&longest[..], "a"], [&too_long[..], ""]),
            (1, [&longest, "Ñ"], ["a\nb", "\u{85}"]),
            (2, ["1", "4294967295"], ["0", "4294967296"]),
            (3, ["1900-01-01", "9999-12-31"], ["1899-12-31", ""]),
            (4, ["0", "9999"], ["10000", ""]),
        ] {
            let at_fault = |value: &str| {
                let mut fields = TEXT;
                fields[at] = value.as_bytes();
                let invalid = Bet::from_text(1, fields).err()?;
                Some(invalid.field as usize - 1)
            };
            assert_eq!(inside.map(at_fault), [None; 2], "{inside:?}");
            assert_eq!(outside.map(at_fault), [Some(at); 2], "{outside:?}");
        }
    }

    #[test]
    fn a_complaint_about_values_names_the_field_and_quotes_what_came() {
        let (day, too_late) = (921_628_800, 253_402_300_800);
        for (agency, names, document, birthdate, number, complaint) in [
            (u32::MAX, NAMES, u32::MAX, day, 9999, "valid"),
            (0, NAMES, 7, day, 7, "agency \"0\""),
            (1, [b"\xc3", NAMES[1]], 7, day, 7, "first_name \"\u{fffd}\""),
            (1, [NAMES[0], b""], 7, day, 7, "last_name \"\""),
            (1, NAMES, 0, day, 7, "document \"0\""),
            (1, NAMES, 7, day + 1, 7, "birthdate \"921628801\""),
            (1, NAMES, 7, too_late, 7, "birthdate \"2534023"),
            (1, NAMES, 7, day, 10_000, "number \"10000\""),
        ] {
            let bet = Bet::from_values(agency, names, document, birthdate, number);
            let found = bet.map_or_else(|invalid| invalid.to_string(), |_| "valid".into());
            assert!(found.starts_with(complaint), "{found}");
        }
    }

    #[test]
    fn numbers_in_text_are_digits_and_nothing_else() {
        for value in "|-1|+1| 1|1 |1.0|0x1|4294967296|99999999999999999999".split('|') {
            assert_eq!(parse_decimal(value.as_bytes()), None, "{value:?}");
        }
        assert_eq!(parse_decimal(b"4294967295"), Some(u32::MAX));
        assert_eq!(parse_decimal(b"007"), Some(7));
    }

    #[test]
    fn a_complaint_quotes_the_value_up_to_a_bound_and_says_what_was_expected() {
        let endless = "ñ".repeat(10_000);
        let [first, _, document, day, _] = TEXT;
        let [long, wrong, whole] = [
            (1, [first, endless.as_bytes(), document, day, b"7"]),
            (1, [first, first, document, day, b"10000"]),
            (0, TEXT),
        ]
        .map(|(agency, fields)| Bet::from_text(agency, fields).unwrap_err());
        assert_eq!(long.value, "ñ".repeat(64));
        let expected = "number \"10000\" is not valid, expected a whole number from 0 to 9999";
        assert_eq!(wrong.to_string(), expected);
        assert_eq!((whole.field, &whole.value[..]), (Field::Agency, "0"));
    }
}
