//! A bet, the rules that make it valid, and the complaint about one that is not.
//!
//! A bet comes from a stranger, as text or as bytes, and becomes a [`Bet`] only by passing the
//! rules: [`Bet::from_text`] for the fields of a CSV row or of the environment, and
//! [`UncheckedBet::check`] for what a codec found in a message. Holding a `Bet` therefore means
//! that it is valid, and nobody checks it twice.

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

/// A bet as a message or a file claims it, before anybody looked whether it makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UncheckedBet<'a> {
    /// The claimed agency.
    pub agency: u32,
    /// Bytes that should be UTF-8.
    pub first_name: &'a [u8],
    /// Bytes that should be UTF-8.
    pub last_name: &'a [u8],
    /// The claimed DNI.
    pub document: u32,
    /// The claimed Unix time, in seconds, of the birthdate's midnight UTC.
    pub birthdate: i64,
    /// The claimed number.
    pub number: u32,
}

/// The fields of a bet as text, in the order in which the files have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BetText<'a> {
    /// Bytes that should be UTF-8.
    pub first_name: &'a [u8],
    /// Bytes that should be UTF-8.
    pub last_name: &'a [u8],
    /// Decimal digits.
    pub document: &'a [u8],
    /// `YYYY-MM-DD`.
    pub birthdate: &'a [u8],
    /// Decimal digits.
    pub number: &'a [u8],
}

/// A field of a bet, by the name that complaints give it.
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
        match self {
            Field::Agency => "a whole number from 1",
            Field::FirstName | Field::LastName => {
                "1 to 255 bytes of UTF-8 without control characters"
            }
            Field::Document => "a whole number from 1 to 4294967295",
            Field::Birthdate => "a real date, YYYY-MM-DD, from 1900-01-01 on",
            Field::Number => "a whole number from 0 to 9999",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Field::Agency => "agency",
            Field::FirstName => "first_name",
            Field::LastName => "last_name",
            Field::Document => "document",
            Field::Birthdate => "birthdate",
            Field::Number => "number",
        })
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

    fn of_number(field: Field, value: impl fmt::Display) -> InvalidBet {
        InvalidBet::new(field, value.to_string().as_bytes())
    }
}

impl<'a> UncheckedBet<'a> {
    /// The bet, when it is valid. Whether the agency takes part is not a
    /// matter of the bet and is left to the central.
    ///
    /// # Errors
    ///
    /// The first field that breaks a rule.
    pub fn check(&self) -> Result<Bet<'a>, InvalidBet> {
        let birthdate = date::from_unix_midnight(self.birthdate)
            .filter(|day| *day >= BIRTHDATE_MIN)
            .ok_or_else(|| InvalidBet::of_number(Field::Birthdate, self.birthdate))?;
        if self.agency == 0 {
            return Err(InvalidBet::of_number(Field::Agency, self.agency));
        }
        if self.document == 0 {
            return Err(InvalidBet::of_number(Field::Document, self.document));
        }
        if self.number > NUMBER_MAX {
            return Err(InvalidBet::of_number(Field::Number, self.number));
        }
        Ok(Bet {
            agency: self.agency,
            first_name: check_name(Field::FirstName, self.first_name)?,
            last_name: check_name(Field::LastName, self.last_name)?,
            document: self.document,
            birthdate,
            number: self.number,
        })
    }
}

impl<'a> Bet<'a> {
    /// The bet that the fields spell for `agency`, when it is valid.
    ///
    /// # Errors
    ///
    /// The first field, in the order of the file, that cannot be read or breaks a rule.
    ///
    /// ```
    /// use lottery_core::bet::{Bet, BetText, Field};
    ///
    /// let row = BetText {
    ///     first_name: "Santiago Lionel".as_bytes(),
    ///     last_name: "Núñez".as_bytes(),
    ///     document: b"30904465",
    ///     birthdate: b"1999-02-30",
    ///     number: b"2201",
    /// };
    /// let complaint = Bet::from_text(1, &row).unwrap_err();
    /// assert_eq!(complaint.field, Field::Birthdate);
    /// ```
    #[inline]
    pub fn from_text(agency: u32, text: &BetText<'a>) -> Result<Bet<'a>, InvalidBet> {
        let invalid = |field, value| move || InvalidBet::new(field, value);
        if agency == 0 {
            return Err(InvalidBet::of_number(Field::Agency, agency));
        }
        Ok(Bet {
            agency,
            first_name: check_name(Field::FirstName, text.first_name)?,
            last_name: check_name(Field::LastName, text.last_name)?,
            document: parse_decimal(text.document)
                .filter(|document| *document >= 1)
                .ok_or_else(invalid(Field::Document, text.document))?,
            birthdate: date::parse_iso(text.birthdate)
                .filter(|day| *day >= BIRTHDATE_MIN)
                .ok_or_else(invalid(Field::Birthdate, text.birthdate))?,
            number: parse_decimal(text.number)
                .filter(|number| *number <= NUMBER_MAX)
                .ok_or_else(invalid(Field::Number, text.number))?,
        })
    }
}

/// Whether the bet is on the number drawn.
pub fn has_won(bet: &Bet<'_>, winning_number: u32) -> bool {
    bet.number == winning_number
}

/// Digits of a number that is read at all: so many fit an `u64`, whatever they are.
const DECIMAL_DIGITS_MAX: usize = 19;

/// Reads decimal digits, and nothing but digits, that fit an `u32`.
pub fn parse_decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > DECIMAL_DIGITS_MAX {
        return None;
    }
    let mut value = 0_u64;
    let mut is_decimal = true;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        is_decimal &= digit <= 9;
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    if is_decimal {
        u32::try_from(value).ok()
    } else {
        None
    }
}

#[inline]
fn check_name(field: Field, bytes: &[u8]) -> Result<Name<'_>, InvalidBet> {
    Name::new(bytes).ok_or_else(|| InvalidBet::new(field, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::NAME_BYTES_MAX;

    fn claim() -> UncheckedBet<'static> {
        UncheckedBet {
            agency: 1,
            first_name: "Santiago Lionel".as_bytes(),
            last_name: "Núñez".as_bytes(),
            document: 30_904_465,
            birthdate: date::unix_midnight(date!(1999 - 03 - 17)),
            number: 2201,
        }
    }

    fn text() -> BetText<'static> {
        BetText {
            first_name: "Santiago Lionel".as_bytes(),
            last_name: "Núñez".as_bytes(),
            document: b"30904465",
            birthdate: b"1999-03-17",
            number: b"2201",
        }
    }

    #[test]
    fn text_and_claim_of_the_same_bet_are_the_same_bet() {
        assert_eq!(claim().check(), Bet::from_text(1, &text()));
        let invalid = Bet::from_text(0, &text()).unwrap_err();
        assert_eq!(invalid.field, Field::Agency);
    }

    #[test]
    fn the_bounds_of_every_field_are_inside_and_the_next_value_is_out() {
        let names: [(bool, &[u8]); 6] = [
            (true, &[b'a'; NAME_BYTES_MAX]),
            (false, &[b'a'; NAME_BYTES_MAX + 1]),
            (false, b""),
            (false, b"a\nb"),
            (false, b"\xc2\x85"),
            (false, b"\xc3"),
        ];
        for (is_valid, name) in names {
            let [mut first, mut last] = [claim(); 2];
            first.first_name = name;
            last.last_name = name;
            for (claim, field) in [(first, Field::FirstName), (last, Field::LastName)] {
                let complaint = claim.check().err().map(|invalid| invalid.field);
                assert_eq!(complaint, (!is_valid).then_some(field), "{claim:?}");
            }
        }
        let [first_day, last_day] = [BIRTHDATE_MIN, date!(9999 - 12 - 31)].map(date::unix_midnight);
        let top = i64::from(u32::MAX);
        for (field, is_valid, value) in [
            (Field::Agency, true, top),
            (Field::Agency, false, 0),
            (Field::Document, true, top),
            (Field::Document, false, 0),
            (Field::Number, true, 0),
            (Field::Number, true, 9999),
            (Field::Number, false, 10_000),
            (Field::Birthdate, true, first_day),
            (Field::Birthdate, false, first_day - 86_400),
            (Field::Birthdate, false, first_day + 1),
            (Field::Birthdate, true, last_day),
            (Field::Birthdate, false, last_day + 86_400),
        ] {
            let mut claim = claim();
            match field {
                Field::Agency => claim.agency = value as u32,
                Field::Document => claim.document = value as u32,
                Field::Number => claim.number = value as u32,
                _ => claim.birthdate = value,
            }
            let complaint = claim.check().err().map(|invalid| invalid.field);
            assert_eq!(complaint, (!is_valid).then_some(field), "{claim:?}");
        }
    }

    #[test]
    fn numbers_in_text_are_digits_and_nothing_else() {
        for value in [
            "",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "0x1",
            "4294967296",
            "99999999999999999999",
        ] {
            assert_eq!(parse_decimal(value.as_bytes()), None, "{value:?}");
        }
        assert_eq!(parse_decimal(b"4294967295"), Some(u32::MAX));
        assert_eq!(parse_decimal(b"007"), Some(7));
    }

    #[test]
    fn a_complaint_quotes_the_value_up_to_a_bound_and_says_what_was_expected() {
        let endless = "ñ".repeat(10_000);
        let row = BetText {
            last_name: endless.as_bytes(),
            ..text()
        };
        let complaint = Bet::from_text(1, &row).unwrap_err();
        assert_eq!(complaint.value.chars().count(), 64);
        let row = BetText {
            number: b"10000",
            ..text()
        };
        let complaint = Bet::from_text(1, &row).unwrap_err();
        assert_eq!(
            complaint.to_string(),
            "number \"10000\" is not valid, expected a whole number from 0 to 9999"
        );
    }

    #[test]
    fn only_the_number_drawn_wins() {
        let bet = claim().check().unwrap();
        assert!(has_won(&bet, 2201));
        assert!(!has_won(&bet, 7574));
    }
}
