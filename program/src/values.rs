//! What values may be: parsers for clap, each of which says what it expects of text that is not good.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use log::LevelFilter;

/// A duration, or none for no limit. (A field of type `Option` would be one that may be missing.)
pub type Limit = Option<Duration>;

/// The longest duration that makes sense, and that can be added to any other without overflow.
const DURATION_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A parser by `read`, which gives `None` for text that is not as `expected`.
pub fn parser<T>(
    expected: impl Into<String>,
    read: impl Fn(&str) -> Option<T> + Clone,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    let expected = expected.into();
    move |text| read(text).ok_or_else(|| expected.clone())
}

/// A whole number in this range, in decimal and without a sign.
pub fn whole<T: FromStr + PartialOrd + Display + Clone>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    let expected = format!("a whole number from {} to {}", range.start(), range.end());
    parser(expected, move |text| {
        number(text).filter(|number| range.contains(number))
    })
}

/// Text or a path of any kind, but not an empty one.
pub fn text<T: for<'a> From<&'a str>>(
    expected: &'static str,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    parser(expected, |text| (!text.is_empty()).then(|| text.into()))
}

/// A duration as Go writes them: `5s`, `100ms`, `1m30s`, `1.5h`; `0` needs no unit.
pub fn duration() -> impl Fn(&str) -> Result<Duration, String> + Clone {
    parser("a duration such as 15s, 100ms or 1m30s", read_duration)
}

/// As [`duration`], but not 0.
pub fn timeout() -> impl Fn(&str) -> Result<Duration, String> + Clone {
    let expected = "a duration above 0, such as 15s, 100ms or 1m30s";
    parser(expected, |text| {
        read_duration(text).filter(|timeout| !timeout.is_zero())
    })
}

/// As [`duration`], where 0 stands for no limit.
pub fn limit() -> impl Fn(&str) -> Result<Limit, String> + Clone {
    let expected = "a duration such as 30s or 1m30s, or 0 for no limit";
    parser(expected, |text| {
        let limit = read_duration(text)?;
        Some((!limit.is_zero()).then_some(limit))
    })
}

/// A number of bytes in this range, which `expected` says in words: `8192`, `64KiB`, `1MiB`.
pub fn bytes(
    expected: &'static str,
    range: RangeInclusive<usize>,
) -> impl Fn(&str) -> Result<usize, String> + Clone {
    parser(expected, move |text| {
        read_bytes(text).filter(|bytes| range.contains(bytes))
    })
}

/// A level by the name that Python's `logging` gives it, in any case. Nothing that these programs log
/// is as bad as CRITICAL, so that level is silence.
pub fn level() -> impl Fn(&str) -> Result<LevelFilter, String> + Clone {
    let expected = "DEBUG, INFO, WARNING, ERROR or CRITICAL";
    parser(expected, |text| match &*text.to_ascii_uppercase() {
        "DEBUG" => Some(LevelFilter::Debug),
        "INFO" => Some(LevelFilter::Info),
        "WARNING" | "WARN" => Some(LevelFilter::Warn),
        "ERROR" => Some(LevelFilter::Error),
        "CRITICAL" => Some(LevelFilter::Off),
        _ => None,
    })
}

/// Reads a whole number, in decimal and without a sign.
pub fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
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

    fn expect<T: PartialEq + std::fmt::Debug>(
        parse: impl Fn(&str) -> Result<T, String>,
        good: &[(&str, T)],
        bad: &[&str],
    ) {
        for (text, value) in good {
            assert_eq!(parse(text).as_ref(), Ok(value), "{text}");
        }
        for text in bad {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn durations_are_those_of_go() {
        let (seconds, millis) = (Duration::from_secs, Duration::from_millis);
        let good = [
            ("0", seconds(0)),
            ("100ms", millis(100)),
            ("1m30s", seconds(90)),
        ];
        let bad = ["", "5", "s", "-5s", "5 s", "five", "1e3s", "99999999h"];
        expect(duration(), &good, &bad);
        expect(
            duration(),
            &[("1.5s", millis(1500)), ("2h", seconds(7200))],
            &[],
        );
        expect(timeout(), &[("1s", seconds(1))], &["0", "0s"]);
        expect(limit(), &[("1s", Some(seconds(1))), ("0", None)], &["1"]);
    }

    #[test]
    fn sizes_have_binary_units_or_none() {
        let good = [
            ("8192", 8192),
            ("8KiB", 8192),
            ("1MiB", 1 << 20),
            ("1GiB", 1 << 30),
        ];
        let bad = ["", "KiB", "64kb", "1.5MiB", "-1", "8191", "2GiB"];
        expect(bytes("a size", 8192..=1 << 30), &good, &bad);
        expect(
            bytes("a size", 0..=usize::MAX),
            &[],
            &["18446744073709551615MiB"],
        );
    }

    #[test]
    fn levels_are_those_of_python_in_any_case() {
        let (warn, off) = (LevelFilter::Warn, LevelFilter::Off);
        let good = [("Warning", warn), ("warn", warn), ("CRITICAL", off)];
        expect(level(), &good, &["", "verbose"]);
    }

    #[test]
    fn numbers_have_digits_and_no_sign() {
        let bad = ["", "+1", "-1", "65536", "1_000", " 1"];
        expect(whole(0..=u16::MAX), &[("65535", 65_535)], &bad);
    }
}
