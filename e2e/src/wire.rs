//! The protocol's bytes, written out here a second time and by hand.

/// A bet, valid or not.
#[derive(Clone, Debug)]
pub struct HandBet {
    /// The agency.
    pub agency: u32,
    /// The first name's bytes.
    pub first_name: Vec<u8>,
    /// The last name's bytes.
    pub last_name: Vec<u8>,
    /// The DNI.
    pub document: u32,
    /// The Unix time of the birthdate.
    pub birthdate: i64,
    /// The number.
    pub number: u32,
}

/// The Unix time of the birthdate that [`HandBet::new`] gives everybody.
const BIRTHDATE: i64 = 921_628_800;

/// The birthdate that [`HandBet::new`] gives everybody, as the stored file has it.
const BIRTHDATE_TEXT: &str = "1999-03-17";

/// A number that wins with the server's default settings.
pub const WINNING_NUMBER: u32 = 7574;

/// A number that does not.
pub const LOSING_NUMBER: u32 = 1234;

impl HandBet {
    /// A valid bet of Ana Paz.
    pub fn new(agency: u32, document: u32, number: u32) -> HandBet {
        HandBet {
            agency,
            first_name: b"Ana".to_vec(),
            last_name: b"Paz".to_vec(),
            document,
            birthdate: BIRTHDATE,
            number,
        }
    }

    /// The same bet under other names.
    pub fn named(self, first_name: &str, last_name: &str) -> HandBet {
        HandBet {
            first_name: first_name.into(),
            last_name: last_name.into(),
            ..self
        }
    }

    /// The bet that a row of an agency's file spells.
    pub fn from_row(agency: u32, row: &str) -> HandBet {
        let fields = fields(row);
        let [first_name, last_name, document, birthdate, number] = &fields[..] else {
            panic!("{fields:?} are not the fields of a bet");
        };
        HandBet {
            agency,
            first_name: first_name.clone().into_bytes(),
            last_name: last_name.clone().into_bytes(),
            document: document.parse().unwrap(),
            birthdate: unix_time(birthdate),
            number: number.parse().unwrap(),
        }
    }

    /// The bet's row in `bets.csv`; not for names that need quotes.
    pub fn row(&self) -> String {
        assert_eq!(self.birthdate, BIRTHDATE);
        format!(
            "{},{},{},{},{BIRTHDATE_TEXT},{}\r\n",
            self.agency,
            std::str::from_utf8(&self.first_name).unwrap(),
            std::str::from_utf8(&self.last_name).unwrap(),
            self.document,
            self.number,
        )
    }

    /// The bet's bytes, without the length that precedes them in a message.
    pub fn encoded(&self) -> Vec<u8> {
        let mut bytes = self.agency.to_be_bytes().to_vec();
        for name in [&self.first_name, &self.last_name] {
            bytes.extend((name.len() as u32).to_be_bytes());
            bytes.extend(name);
        }
        bytes.extend(self.document.to_be_bytes());
        bytes.extend(self.birthdate.to_be_bytes());
        bytes.extend(self.number.to_be_bytes());
        bytes
    }
}

/// As many valid losing bets of `agency`, each of another person.
pub fn losing_bets(agency: u32, count: u32) -> Vec<HandBet> {
    (0..count)
        .map(|document| HandBet::new(agency, 10_000_000 + document, LOSING_NUMBER))
        .collect()
}

/// The rows of the bets in `bets.csv`.
pub fn rows(bets: &[HandBet]) -> String {
    bets.iter().map(HandBet::row).collect()
}

/// RegisterBets.
pub fn register_bets(bets: &[HandBet]) -> Vec<u8> {
    let mut bytes = vec![0, 1];
    bytes.extend((bets.len() as u32).to_be_bytes());
    for bet in bets {
        let encoded = bet.encoded();
        bytes.extend((encoded.len() as u32).to_be_bytes());
        bytes.extend(encoded);
    }
    bytes
}

/// Ack.
pub const ACK: [u8; 2] = [0, 4];

/// AllBetsSent.
pub const ALL_BETS_SENT: [u8; 2] = [0, 5];

/// RequestWinners.
pub const REQUEST_WINNERS: [u8; 2] = [0, 6];

/// Hello of any version.
pub fn hello(version: u16, agency: u32) -> Vec<u8> {
    let mut bytes = vec![0, 8];
    bytes.extend(version.to_be_bytes());
    bytes.extend(agency.to_be_bytes());
    bytes
}

/// The CRC-32 (IEEE) that Welcome carries for an agency with these bets.
pub fn crc(bets: &[HandBet]) -> u32 {
    crc32(&bets.iter().flat_map(HandBet::encoded).collect::<Vec<_>>())
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut table = [0_u32; 256];
    for (index, entry) in table.iter_mut().enumerate() {
        *entry = (0..8).fold(index as u32, |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        });
    }
    let folded = bytes.iter().fold(u32::MAX, |crc, byte| {
        table[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8)
    });
    !folded
}

/// The fields of a row of CSV.
fn fields(row: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut characters = row.chars().peekable();
    while let Some(character) = characters.next() {
        let field = fields.last_mut().unwrap();
        match character {
            '"' if is_quoted && characters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            other => field.push(other),
        }
    }
    fields
}

/// The Unix time of a date's midnight, counted day by day as the calendar goes.
fn unix_time(date: &str) -> i64 {
    let parts: Vec<i64> = date.split('-').map(|part| part.parse().unwrap()).collect();
    let [year, month, day] = parts[..] else {
        panic!("{date:?} is no date");
    };
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of_year = |year| if is_leap(year) { 366 } else { 365 };
    let days_of_month = |month| match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let years: i64 = if year < 1970 {
        -(year..1970).map(days_of_year).sum::<i64>()
    } else {
        (1970..year).map(days_of_year).sum()
    };
    let months: i64 = (1..month).map(days_of_month).sum();
    (years + months + day - 1) * 86_400
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let bet = HandBet::new(3, 30_904_465, 7).named("Juan \"el Ñato\"", "García, hijo");
        let row = format!("\"Juan \"\"el Ñato\"\"\",\"García, hijo\",30904465,{BIRTHDATE_TEXT},7");
        assert_eq!(HandBet::from_row(3, &row).encoded(), bet.encoded());
        for (date, time) in [
            ("1970-01-01", 0),
            (BIRTHDATE_TEXT, BIRTHDATE),
            ("1969-12-31", -86_400),
            ("1900-03-01", -2_203_891_200),
            ("2000-03-01", 951_868_800),
        ] {
            assert_eq!(unix_time(date), time, "{date}");
        }
    }

    #[test]
    fn the_crc_is_that_of_ieee() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
