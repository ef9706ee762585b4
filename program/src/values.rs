//! What values may be: parsers for clap, each of which says what it expects instead of invalid text.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use log::LevelFilter;

/// What a parser makes of text, or what it expected.
pub type Parsed<T> = Result<T, String>;

/// A duration, or none for no limit. (A field of type `Option` would be one that may be missing.)
pub type Limit = Option<Duration>;

/// The longest duration that makes sense, and that can be added to any other without overflow.
const DURATION_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A whole number in this range, in decimal and without a sign.
pub fn whole<T: FromStr + PartialOrd + Display + Clone>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Parsed<T> + Clone {
    move |text| {
        let expected = || format!("a whole number from {} to {}", range.start(), range.end());
        let number = number(text).filter(|number| range.contains(number));
        number.ok_or_else(expected)
    }
}

/// Text or a path of any kind, but not an empty one.
pub fn text<T: for<'a> From<&'a str>>(expected: &str) -> impl Fn(&str) -> Parsed<T> + Clone {
    move |text| match text {
        "" => Err(expected.to_owned()),
        text => Ok(text.into()),
    }
}

/// A duration as Go writes them: `5s`, `100ms`, `1m30s`, `1.5h`; `0` needs no unit.
pub fn duration(text: &str) -> Parsed<Duration> {
    read_duration(text).ok_or("a duration such as 15s, 100ms or 1m30s".into())
}

/// As [`duration`], but not 0.
pub fn timeout(text: &str) -> Parsed<Duration> {
    let timeout = read_duration(text).filter(|timeout| !timeout.is_zero());
    timeout.ok_or("a duration above 0, such as 15s, 100ms or 1m30s".into())
}

/// As [`duration`], where 0 stands for no limit.
pub fn limit(text: &str) -> Parsed<Limit> {
    let limit = read_duration(text).ok_or("a duration such as 30s or 1m30s, or 0 for no limit")?;
    Ok((!limit.is_zero()).then_some(limit))
}

/// A number of bytes in this range, which `expected` says in words: `8192`, `64KiB`, `1MiB`.
pub fn bytes(
    expected: &str,
    range: RangeInclusive<usize>,
) -> impl Fn(&str) -> Parsed<usize> + Clone {
    move |text| {
        let bytes = read_bytes(text).filter(|bytes| range.contains(bytes));
        bytes.ok_or(expected.into())
    }
}

/// A level by the name that Python's `logging` gives it, in any case. Nothing that these programs log
/// is as bad as CRITICAL, so that level is silence.
pub fn level(text: &str) -> Parsed<LevelFilter> {
    match &*text.to_ascii_uppercase() {
        "DEBUG" => Ok(LevelFilter::Debug),
        "INFO" => Ok(LevelFilter::Info),
        "WARNING" | "WARN" => Ok(LevelFilter::Warn),
        "ERROR" => Ok(LevelFilter::Error),
        "CRITICAL" => Ok(LevelFilter::Off),
        _ => Err("DEBUG, INFO, WARNING, ERROR or CRITICAL".into()),
    }
}

/// Reads a whole number, in decimal and without a sign.
pub fn number<T: FromStr>(text: &str) -> Option<T> {
    let is_unsigned = text.bytes().all(|byte| byte.is_ascii_digit());
    is_unsigned.then(|| text.parse().ok())?
}

fn read_duration(text: &str) -> Option<Duration> {
    let is_go_style = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.';
    let duration = match text {
        "0" => Duration::ZERO,
        _ if text.bytes().all(is_go_style) => humantime::parse_duration(text).ok()?,
        _ => return None,
    };
    (duration <= DURATION_MAX).then_some(duration)
}

fn read_bytes(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number::<usize>(digits)?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_takes_its_values_and_no_others() {
        fn shown<T: std::fmt::Debug>(parsed: Parsed<T>) -> String {
            parsed.map_or("no".to_owned(), |value| format!("{value:?}"))
        }
        let parse = |kind: &str, text: &str| match kind {
            "duration" => shown(duration(text)),
            "timeout" => shown(timeout(text)),
            "limit" => shown(limit(text)),
            "bytes" => shown(bytes("", 8192..=1 << 30)(text)),
            "any bytes" => shown(bytes("", 0..=usize::MAX)(text)),
            "level" => shown(level(text)),
            _ => shown(whole(0..=u16::MAX)(text)),
        };
        for line in "
            duration | 0=0ns, 100ms=100ms, 1m30s=90s, 1.5s=1.5s, 2h=7200s
            duration | =no, 5=no, s=no, -5s=no, 5 s=no, five=no, 1e3s=no, 99999999h=no
            timeout | 1s=1s, 0=no, 0s=no
            limit | 1s=Some(1s), 0=None, 1=no
            bytes | 8192=8192, 8KiB=8192, 1MiB=1048576, 1GiB=1073741824
            bytes | =no, KiB=no, 64kb=no, 1.5MiB=no, -1=no, 8191=no, 2GiB=no
            any bytes | 18446744073709551615MiB=no
            level | Warning=Warn, warn=Warn, CRITICAL=Off, =no, verbose=no
            number | 65535=65535, =no, +1=no, -1=no, 65536=no, 1_000=no,  1=no"
            .lines()
            .skip(1)
        {
            let (kind, cases) = line.trim().split_once(" | ").unwrap();
            for (text, value) in cases.split(", ").map(|case| case.split_once('=').unwrap()) {
                assert_eq!(parse(kind, text), value, "{kind} {text:?}");
            }
        }
    }
}
