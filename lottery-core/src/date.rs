//! Calendar days, in the two forms that bets use: `YYYY-MM-DD` and the Unix time of midnight UTC.
//!
//! The form is fixed and read for every bet, so ten bytes are taken apart here without a general
//! parser; which days exist is left to the `time` crate.

pub use time::Date;
use time::Month;

const SECONDS_PER_DAY: i64 = 86_400;
const UNIX_EPOCH_JULIAN_DAY: i64 = 2_440_588;

/// Bytes of a day written as `YYYY-MM-DD`.
pub const ISO_BYTES: usize = 10;

/// Reads `YYYY-MM-DD`; `None` when the text has another form or names a day that does not exist.
pub fn parse_iso(text: &[u8]) -> Option<Date> {
    let text: &[u8; ISO_BYTES] = text.try_into().ok()?;
    if text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let year = digits(&text[0..4])?;
    let month = Month::try_from(digits(&text[5..7])? as u8).ok()?;
    let day = digits(&text[8..10])? as u8;
    Date::from_calendar_date(i32::from(year), month, day).ok()
}

fn digits(text: &[u8]) -> Option<u16> {
    text.iter().try_fold(0, |value: u16, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + u16::from(byte - b'0'))
    })
}

/// Appends the day as `YYYY-MM-DD`. Years outside 0–9999 do not fit the form and do not occur: a
/// bet's birthdate is checked before it is written.
pub fn write_iso(date: Date, out: &mut Vec<u8>) {
    let (year, month, day) = date.to_calendar_date();
    let year = year.unsigned_abs() as u16;
    let (century, year) = (pair(year / 100), pair(year % 100));
    let (month, day) = (pair(u16::from(u8::from(month))), pair(u16::from(day)));
    out.extend_from_slice(&[
        century[0], century[1], year[0], year[1], b'-', month[0], month[1], b'-', day[0], day[1],
    ]);
}

fn pair(value: u16) -> [u8; 2] {
    [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]
}

/// The Unix time, in seconds, of the day's midnight UTC.
pub fn unix_midnight(date: Date) -> i64 {
    (i64::from(date.to_julian_day()) - UNIX_EPOCH_JULIAN_DAY) * SECONDS_PER_DAY
}

/// The day whose midnight UTC is `seconds` after the Unix epoch; `None` when it is no midnight.
pub fn from_unix_midnight(seconds: i64) -> Option<Date> {
    if seconds % SECONDS_PER_DAY != 0 {
        return None;
    }
    let julian_day = seconds / SECONDS_PER_DAY + UNIX_EPOCH_JULIAN_DAY;
    Date::from_julian_day(i32::try_from(julian_day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn every_day_of_the_betting_years_survives_both_forms() {
        let mut day = date!(1900 - 01 - 01);
        assert_eq!(unix_midnight(day), -2_208_988_800);
        while day <= date!(2100 - 12 - 31) {
            let mut text = Vec::new();
            write_iso(day, &mut text);
            assert_eq!(text, day.to_string().as_bytes());
            assert_eq!(parse_iso(&text), Some(day));
            assert_eq!(from_unix_midnight(unix_midnight(day)), Some(day));
            day = day.next_day().expect("the range ends before the last day");
        }
    }

    #[test]
    fn what_is_not_a_day_is_refused() {
        let forms = "|1999-3-17|1999/01-01|1999-01/01|99-01-01| 1999-01-01|1999-01-01 |+999-01-01|19a9-01-01";
        let days = "|1999-02-30|1999-13-01|1999-00-10|1999-01-00";
        for text in forms.split('|').chain(days.split('|')) {
            assert_eq!(parse_iso(text.as_bytes()), None, "{text:?}");
        }
        let too_late = i64::MAX / SECONDS_PER_DAY * SECONDS_PER_DAY;
        for seconds in [3_600, -86_399, too_late, i64::MIN] {
            assert_eq!(from_unix_midnight(seconds), None, "{seconds}");
        }
    }
}
