//! Figures as people read them.

use std::time::Duration;

use crate::statistics::Spread;

/// A whole number with its thousands apart.
pub fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A figure with as many decimals as are of use: three digits that mean something.
pub fn significant(value: f64) -> String {
    match value {
        value if value >= 1000.0 => grouped(value),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

/// The median, and the smallest and largest in parentheses.
pub fn spread(spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    let [median, min, max] = [median, min, max].map(significant);
    format!("{median} ({min}–{max})")
}

/// A duration in the unit that suits it.
pub fn duration(duration: Duration) -> String {
    let us = duration.as_secs_f64() * 1e6;
    match us {
        us if us < 1e3 => format!("{} µs", significant(us)),
        us if us < 1e6 => format!("{} ms", significant(us / 1e3)),
        us => format!("{} s", significant(us / 1e6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (value, text) in [
            (0.0, "0"),
            (999.4, "999"),
            (1000.0, "1,000"),
            (3_934_850.0, "3,934,850"),
        ] {
            assert_eq!(grouped(value), text);
        }
    }

    #[test]
    fn three_digits_are_told_whatever_the_size() {
        for (value, text) in [
            (0.01354, "0.014"),
            (1.5, "1.50"),
            (15.04, "15.0"),
            (150.4, "150"),
            (1504.0, "1,504"),
        ] {
            assert_eq!(significant(value), text);
        }
    }

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        for (us, text) in [(7, "7.00 µs"), (1500, "1.50 ms"), (2_500_000, "2.50 s")] {
            assert_eq!(duration(Duration::from_micros(us)), text);
        }
    }
}
