//! The kinds of value that settings have.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use log::LevelFilter;

/// A kind of value: how its text is read, and what good text is.
pub struct Kind<T> {
    /// What good text is, for complaints: "expected …".
    pub expected: String,
    read: Box<Reader<T>>,
}

/// Makes a value of a text, or nothing of text that is not good.
type Reader<T> = dyn Fn(&str) -> Option<T>;

impl<T> Kind<T> {
    /// The kind of value that `read` makes of its text; it gives `None` for text that is not good.
    pub fn new(expected: impl Into<String>, read: impl Fn(&str) -> Option<T> + 'static) -> Kind<T> {
        Kind {
            expected: expected.into(),
            read: Box::new(read),
        }
    }

    /// The value of a text, if it is good.
    pub fn read(&self, text: &str) -> Option<T> {
        (self.read)(text)
    }
}

/// A whole number in this range.
pub fn whole<T>(range: RangeInclusive<T>) -> Kind<T>
where
    T: FromStr + PartialOrd + fmt::Display + 'static,
{
    let expected = format!("a whole number from {} to {}", range.start(), range.end());
    Kind::new(expected, move |text| {
        number(text).filter(|number| range.contains(number))
    })
}

/// Text of any kind, if there is some.
pub fn text(expected: &str) -> Kind<String> {
    Kind::new(expected, |text| (!text.is_empty()).then(|| text.to_owned()))
}

/// One of these words, each of which stands for a value.
pub fn one_of<T: Copy>(choices: &'static [(&'static str, T)]) -> Kind<T> {
    let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
    let expected = match words.split_last() {
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    };
    Kind::new(expected, |text| {
        let choice = choices.iter().find(|(word, _)| *word == text);
        choice.map(|(_, value)| *value)
    })
}

/// A duration as Go writes them: `5s`, `100ms`, `1m30s`, `1.5h`; `0` needs no unit.
pub fn duration() -> Kind<Duration> {
    Kind::new("a duration such as 15s, 100ms or 1m30s", read_duration)
}

/// As [`duration`], but not 0.
pub fn timeout() -> Kind<Duration> {
    Kind::new("a duration above 0, such as 15s, 100ms or 1m30s", |text| {
        read_duration(text).filter(|timeout| !timeout.is_zero())
    })
}

/// As [`duration`], where 0 stands for no limit.
pub fn limit() -> Kind<Option<Duration>> {
    let expected = "a duration such as 30s or 1m30s, or 0 for no limit";
    Kind::new(expected, |text| {
        let limit = read_duration(text)?;
        Some((!limit.is_zero()).then_some(limit))
    })
}

/// A number of bytes in this range: `8192`, `64KiB`, `1MiB`. The range's ends are whole KiB.
pub fn bytes(range: RangeInclusive<usize>) -> Kind<usize> {
    let written = |bytes: &usize| match bytes >> 10 {
        kibibytes if kibibytes % 1024 == 0 => format!("{}MiB", kibibytes >> 10),
        kibibytes => format!("{kibibytes}KiB"),
    };
    let expected = format!(
        "a size from {} to {}",
        written(range.start()),
        written(range.end())
    );
    Kind::new(expected, move |text| {
        read_bytes(text).filter(|bytes| range.contains(bytes))
    })
}

/// A level by the name that Python's `logging` gives it, in any case. Nothing that these programs log
/// is as bad as CRITICAL, so that level is silence.
pub fn level() -> Kind<LevelFilter> {
    let levels = one_of(&[
        ("DEBUG", LevelFilter::Debug),
        ("INFO", LevelFilter::Info),
        ("WARNING", LevelFilter::Warn),
        ("ERROR", LevelFilter::Error),
        ("CRITICAL", LevelFilter::Off),
    ]);
    Kind::new(levels.expected.clone(), move |text| {
        match text.to_ascii_uppercase().as_str() {
            // Python has both names, and recommends the longer one.
            "WARN" => levels.read("WARNING"),
            name => levels.read(name),
        }
    })
}

/// Reads a whole number, in decimal and without a sign.
pub fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// The longest duration that makes sense, and that can be added to any other without overflow.
const DURATION_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

fn read_duration(text: &str) -> Option<Duration> {
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

fn read_bytes(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number::<usize>(digits)?.checked_mul(unit)
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
            let duration = Duration::from_millis(milliseconds);
            assert_eq!(super::duration().read(text), Some(duration), "{text}");
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
            assert_eq!(duration().read(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_have_binary_units_or_none() {
        let size = bytes(8 << 10..=16 << 20);
        assert_eq!(size.read("8192"), Some(8192));
        assert_eq!(size.read("64KiB"), Some(65_536));
        assert_eq!(size.read("1MiB"), Some(1_048_576));
        for text in [
            "",
            "KiB",
            "64kb",
            "1.5MiB",
            "-1",
            "8191",
            "17MiB",
            "99999999999999999999",
            "18446744073709551615MiB",
        ] {
            assert_eq!(size.read(text), None, "{text}");
        }
    }

    #[test]
    fn levels_are_those_of_python_in_any_case() {
        assert_eq!(level().read("debug"), Some(LevelFilter::Debug));
        assert_eq!(level().read("Warning"), Some(LevelFilter::Warn));
        assert_eq!(level().read("warn"), Some(LevelFilter::Warn));
        assert_eq!(level().read("CRITICAL"), Some(LevelFilter::Off));
        assert_eq!(level().read("verbose"), None);
    }

    #[test]
    fn numbers_have_digits_and_no_sign() {
        let port = whole(0..=u16::MAX);
        assert_eq!(port.read("65535"), Some(65_535));
        for text in ["", "+1", "-1", "65536", "1_000", " 1"] {
            assert_eq!(port.read(text), None, "{text}");
        }
    }
}
