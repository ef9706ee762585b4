//! The kinds of value that settings have. Each reader gives `None` for text it does not take; the
//! key's own `expected` text tells the user what it does.

use std::time::Duration;

use log::LevelFilter;

/// Reads a whole number, in decimal.
pub fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// The longest duration that makes sense, and that can be added to any other without overflow.
const DURATION_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Reads a duration as Go writes them: `5s`, `100ms`, `1m30s`, `1.5h`; `0` needs no unit. Ten years
/// is the longest.
pub fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let is_go_style = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    is_go_style
        .then(|| humantime::parse_duration(text).ok())?
        .filter(|duration| *duration <= DURATION_MAX)
}

/// Reads a number of bytes: `8192`, `64KiB`, `1MiB`.
pub fn bytes(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number::<usize>(digits)?.checked_mul(unit)
}

/// Reads a level by the name that Python's `logging` gives it, in any case. Nothing that these
/// programs log is as bad as CRITICAL, so that level is silence.
pub fn level(text: &str) -> Option<LevelFilter> {
    Some(match text.to_ascii_uppercase().as_str() {
        "DEBUG" => LevelFilter::Debug,
        "INFO" => LevelFilter::Info,
        "WARNING" | "WARN" => LevelFilter::Warn,
        "ERROR" => LevelFilter::Error,
        "CRITICAL" => LevelFilter::Off,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, milliseconds) in [
            ("0", 0),
            ("5s", 5000),
            ("100ms", 100),
            ("1m30s", 90_000),
            ("1.5s", 1500),
            ("2h", 7_200_000),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "5 seconds",
            "five",
            "1e3s",
            "18446744073709551615s",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_have_binary_units_or_none() {
        assert_eq!(bytes("8192"), Some(8192));
        assert_eq!(bytes("64KiB"), Some(65_536));
        assert_eq!(bytes("1MiB"), Some(1_048_576));
        for text in [
            "",
            "KiB",
            "64kb",
            "1.5MiB",
            "-1",
            "99999999999999999999",
            "18446744073709551615MiB",
        ] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn levels_are_those_of_python_in_any_case() {
        assert_eq!(level("debug"), Some(LevelFilter::Debug));
        assert_eq!(level("Warning"), Some(LevelFilter::Warn));
        assert_eq!(level("CRITICAL"), Some(LevelFilter::Off));
        assert_eq!(level("verbose"), None);
    }

    #[test]
    fn numbers_have_digits_and_no_sign() {
        assert_eq!(number::<u16>("65535"), Some(65_535));
        for text in ["", "+1", "-1", "65536", "1_000", " 1"] {
            assert_eq!(number::<u16>(text), None, "{text}");
        }
    }
}
