//! The closing table.

use std::time::Duration;

use crate::agency::{Agency, rate, seconds};

type Row = [String; 5];

/// A row for each agency and one for all, aligned. A cell has no spaces in it, so that other
/// programs can read the table too.
pub fn render(agencies: &[Agency]) -> String {
    let mut rows = vec![["agency", "bets", "winners", "time", "rate"].map(str::to_owned)];
    for agency in agencies {
        let (bets, winners) = (agency.bets_sent, agency.winners.unwrap_or_default());
        let name = agency.number.to_string();
        rows.push(row(name, bets, winners, agency.sending()));
    }
    rows.push(row(
        "total".to_owned(),
        agencies.iter().map(|agency| agency.bets_sent).sum(),
        agencies.iter().filter_map(|agency| agency.winners).sum(),
        from_first_start_to_last_bet(agencies),
    ));
    align(&rows)
}

fn row(name: String, bets: u64, winners: u64, time: Duration) -> Row {
    [
        name,
        bets.to_string(),
        winners.to_string(),
        seconds(time),
        rate(bets, time),
    ]
}

fn from_first_start_to_last_bet(agencies: &[Agency]) -> Duration {
    let first = agencies.iter().map(|agency| agency.started).min();
    let last = agencies.iter().map(|agency| agency.last_sent).max();
    first
        .zip(last)
        .map(|(first, last)| last.saturating_duration_since(first))
        .unwrap_or_default()
}

/// The names to the left, the figures to the right.
fn align(rows: &[Row]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        text.push_str(&format!("{:<1$}", row[0], widths[0]));
        for (cell, width) in row.iter().zip(widths).skip(1) {
            text.push_str(&format!("  {cell:>width$}"));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn the_table_is_aligned_and_the_total_spans_all_agencies() {
        let base = Instant::now();
        let at = |milliseconds| base + Duration::from_millis(milliseconds);
        let agency = |number, bets_sent, winners, started, last_sent| Agency {
            bets_sent,
            winners: Some(winners),
            last_sent: at(last_sent),
            ..Agency::new(number, bets_sent, at(started))
        };
        let agencies = [
            agency(1, 26_936, 5, 0, 800),
            agency(2, 991, 0, 100, 200),
            agency(3, 0, 0, 110, 110),
        ];
        assert_eq!(
            render(&agencies),
            "agency   bets  winners    time     rate\n\
             1       26936        5  0.800s  33670/s\n\
             2         991        0  0.100s   9910/s\n\
             3           0        0  0.000s        -\n\
             total   27927        5  0.800s  34909/s\n"
        );
    }
}
