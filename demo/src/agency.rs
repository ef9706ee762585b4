//! What is known of an agency, from its own lines and the central's.

use std::time::{Duration, Instant};

use crate::log_line::LogLine;

/// An agency's day.
#[derive(Clone, Debug)]
pub struct Agency {
    /// Its number.
    pub number: u32,
    /// The rows of its file.
    pub bets_total: u64,
    /// The bets that the central has confirmed.
    pub bets_sent: u64,
    /// Whether the central has counted it among those that sent everything.
    pub is_closed: bool,
    /// Its winners, once it was told.
    pub winners: Option<u64>,
    /// When it was started.
    pub started: Instant,
    /// When its last batch so far was confirmed.
    pub last_sent: Instant,
}

impl Agency {
    /// An agency that is started now.
    pub fn new(number: u32, bets_total: u64, started: Instant) -> Agency {
        Agency {
            number,
            bets_total,
            bets_sent: 0,
            is_closed: false,
            winners: None,
            started,
            last_sent: started,
        }
    }

    /// Takes a line of its own, read at `at`; says whether it changed anything.
    pub fn hear(&mut self, line: LogLine<'_>, at: Instant) -> bool {
        if line.is_success_of("apuesta_enviada") {
            // A bet that went alone is logged with its number instead of a count.
            self.bets_sent += line.number::<u64>("cantidad").unwrap_or(1);
            self.last_sent = at;
            true
        } else if line.is_success_of("reanudar") {
            // After a reconnection the central's count stands, which knows of batches whose
            // confirmation was lost.
            self.bets_sent = line.number("apuestas").unwrap_or(self.bets_sent);
            self.last_sent = at;
            true
        } else if line.is_success_of("consulta_ganadores") {
            self.winners = line.number("cant_ganadores");
            true
        } else {
            false
        }
    }

    /// How long it took to send its bets.
    pub fn sending(&self) -> Duration {
        self.last_sent.saturating_duration_since(self.started)
    }

    /// How many whole tenths of its file are sent.
    pub fn tenths(&self) -> u64 {
        (self.bets_sent * 10)
            .checked_div(self.bets_total)
            .unwrap_or(10)
    }

    /// Where it stands once its bets are sent; `missing` agencies are not so far.
    pub fn standing(&self, missing: u32) -> String {
        let bets = counted(self.bets_sent, "bet", "bets");
        match (self.winners, missing) {
            (Some(winners), _) => format!(
                "{bets} in {}, {}",
                seconds(self.sending()),
                counted(winners, "winner", "winners")
            ),
            (None, 0) => format!("{bets}, waiting for the draw"),
            (None, missing) => format!(
                "{bets}, waiting for the draw, {} missing",
                counted(missing.into(), "agency", "agencies")
            ),
        }
    }
}

/// A number with the word for what it counts.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A duration for people.
pub fn seconds(duration: Duration) -> String {
    format!("{:.3}s", duration.as_secs_f64())
}

/// Bets in a second, for people.
pub fn rate(bets: u64, duration: Duration) -> String {
    if duration.is_zero() {
        return "-".to_owned();
    }
    format!("{:.0}/s", bets as f64 / duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(agency: &mut Agency, line: &str, milliseconds: u64) -> bool {
        let at = agency.started + Duration::from_millis(milliseconds);
        agency.hear(LogLine::parse(line).unwrap(), at)
    }

    #[test]
    fn batches_add_up_and_a_lone_bet_is_one() {
        let mut agency = Agency::new(1, 251, Instant::now());
        for (line, milliseconds) in [
            (
                "action: apuesta_enviada | result: success | cantidad: 125",
                10,
            ),
            (
                "action: apuesta_enviada | result: success | cantidad: 125",
                20,
            ),
            (
                "action: apuesta_enviada | result: success | dni: 30904465 | numero: 7574",
                30,
            ),
        ] {
            assert!(hear(&mut agency, line, milliseconds));
        }
        assert_eq!(agency.bets_sent, 251);
        assert_eq!(agency.sending(), Duration::from_millis(30));
    }

    #[test]
    fn a_resumed_agency_has_sent_what_the_central_counts() {
        let mut agency = Agency::new(1, 375, Instant::now());
        for (line, sent) in [
            (
                "action: apuesta_enviada | result: success | cantidad: 125",
                125,
            ),
            ("action: reanudar | result: success | apuestas: 250", 250),
            (
                "action: apuesta_enviada | result: success | cantidad: 125",
                375,
            ),
        ] {
            assert!(hear(&mut agency, line, 10));
            assert_eq!(agency.bets_sent, sent);
        }
    }

    #[test]
    fn what_did_not_succeed_changes_nothing() {
        let mut agency = Agency::new(1, 251, Instant::now());
        for line in [
            "action: apuesta_enviada | result: fail | cantidad: 125",
            "action: consulta_ganadores | result: in_progress",
            "action: ganadores | result: success | dnis: 1,2",
        ] {
            assert!(!hear(&mut agency, line, 10));
        }
        assert_eq!((agency.bets_sent, agency.winners), (0, None));
    }

    #[test]
    fn tenths_are_whole_and_an_empty_file_is_all_sent() {
        for (sent, total, tenths) in [
            (0, 991, 0),
            (99, 991, 0),
            (100, 991, 1),
            (990, 991, 9),
            (991, 991, 10),
            (0, 0, 10),
        ] {
            let mut agency = Agency::new(1, total, Instant::now());
            agency.bets_sent = sent;
            assert_eq!(agency.tenths(), tenths, "{sent} of {total}");
        }
    }

    #[test]
    fn the_standing_says_whom_the_agency_waits_for_and_then_its_winners() {
        let mut agency = Agency::new(1, 1, Instant::now());
        hear(
            &mut agency,
            "action: apuesta_enviada | result: success | cantidad: 1",
            250,
        );
        assert_eq!(
            agency.standing(2),
            "1 bet, waiting for the draw, 2 agencies missing"
        );
        assert_eq!(
            agency.standing(1),
            "1 bet, waiting for the draw, 1 agency missing"
        );
        assert_eq!(agency.standing(0), "1 bet, waiting for the draw");
        let line = "action: consulta_ganadores | result: success | cant_ganadores: 2";
        assert!(hear(&mut agency, line, 300));
        assert_eq!(agency.standing(0), "1 bet in 0.250s, 2 winners");
    }

    #[test]
    fn no_time_has_no_rate() {
        assert_eq!(rate(0, Duration::ZERO), "-");
        assert_eq!(rate(500, Duration::from_millis(250)), "2000/s");
    }
}
