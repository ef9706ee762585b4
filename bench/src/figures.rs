//! Several measurements of the same thing as one figure, and figures as people read them.

use std::fmt;

use serde::de::DeserializeOwned;

pub fn table<T: DeserializeOwned>(text: &str) -> csv::Result<Vec<T>> {
    csv::Reader::from_reader(text.as_bytes())
        .deserialize()
        .collect()
}

/// The figures of a run, by name.
pub type Figures = Vec<(String, f64)>;

pub fn figures<'a>(list: impl IntoIterator<Item = (&'a str, f64)>) -> Figures {
    let list = list.into_iter();
    list.map(|(name, value)| (name.to_owned(), value)).collect()
}

pub fn figure(figures: &Figures, name: &str) -> Option<f64> {
    let found = figures.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| *value)
}

/// The middle of some measurements, and how far they lie apart.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// The spread of `values`; `None` when there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (below, above) = ((values.len() - 1) / 2, values.len() / 2);
        let median = (values[below] + values[above]) / 2.0;
        Some(Spread { median, min, max })
    }
}

impl fmt::Display for Spread {
    /// The median, and the smallest and largest in parentheses.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, min, max] = [self.median, self.min, self.max].map(significant);
        write!(formatter, "{median} ({min}–{max})")
    }
}

/// A spread, or a dash where there is nothing to tell.
pub fn or_dash(spread: Option<Spread>) -> String {
    spread.map_or("–".to_owned(), |spread| spread.to_string())
}

/// A number with three digits that mean something, or its thousands apart.
pub fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let decimals = (2.0 - value.abs().max(1e-3).log10().floor()).max(0.0);
    let text = format!("{value:.*}", decimals as usize);
    if value < 1000.0 {
        return text;
    }
    let groups = text.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        for (values, expected) in [
            (vec![10.0, 1.0, 3.0, 2.0], "2.50 (1.00–10.0)"),
            (vec![7.0, 1500.4, 0.0621, 0.0], "3.53 (0–1,500)"),
            (vec![3_934_850.0, 999.4], "1,967,925 (999–3,934,850)"),
            (vec![], "–"),
        ] {
            assert_eq!(or_dash(Spread::of(values)), expected);
        }
    }
}
