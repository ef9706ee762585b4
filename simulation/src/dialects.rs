//! The five dialects as an agency speaks them, written by hand from `docs/DIALECTS.md`: none of
//! production's codecs is used here, so that whoever speaks through this module tests them.

use time::Date;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Binary, big-endian; here without Hello.
    Native,
    /// Binary frames, little-endian, with texts inside.
    Frames,
    /// Binary lengths, big-endian, with texts inside; bets are not answered.
    Flags,
    /// Two lines of text a message.
    Lines,
    /// Text behind its size in eight digits.
    Sized,
}

/// The fields of a bet. Where a dialect writes texts, a name must not have its separator, nor white
/// space around it in `lines`.
#[derive(Clone, Copy, Debug)]
pub struct BetFields<'a> {
    pub first_name: &'a str,
    pub last_name: &'a str,
    pub document: u32,
    pub birthdate: Date,
    pub number: u32,
}

impl BetFields<'_> {
    /// The bet's row in `bets.csv`, made here and not by production's code; without the line break at its
    /// end, and not for names with one.
    pub fn row(&self, agency: u32) -> String {
        let quoted = |name: &str| match name.contains([',', '"']) {
            true => format!("\"{}\"", name.replace('"', "\"\"")),
            false => name.to_owned(),
        };
        let names = [self.first_name, self.last_name].map(quoted).join(",");
        let (document, birthdate, number) = (self.document, self.birthdate, self.number);
        format!("{agency},{names},{document},{birthdate},{number}")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The batch is stored; in `frames` also: the end of the bets is.
    Stored,
    /// The request is refused, in native with this code.
    Refused(Option<u16>),
    /// The draw was held, and the winners may be asked for.
    DrawHeld,
    Winners(Vec<u32>),
}

/// What came is no answer of the dialect.
#[derive(Debug, PartialEq, Eq)]
pub struct NoAnswer;

impl Dialect {
    /// All of them, in the order of production's.
    pub const ALL: [Dialect; 5] = [
        Dialect::Native,
        Dialect::Frames,
        Dialect::Flags,
        Dialect::Lines,
        Dialect::Sized,
    ];

    pub fn name(self) -> &'static str {
        ["native", "frames", "flags", "lines", "sized"][self as usize]
    }

    /// Whether an agency is known before it sends a bet.
    pub fn names_agency(self) -> bool {
        !matches!(self, Dialect::Native | Dialect::Lines)
    }

    /// Whether an agency that has finished may come back and ask for its winners.
    pub fn may_return(self) -> bool {
        matches!(self, Dialect::Frames | Dialect::Flags)
    }

    /// Whether batches are answered, and refusals told.
    pub fn answers_batches(self) -> bool {
        self != Dialect::Flags
    }

    /// Appends what begins a connection.
    pub fn put_greeting(self, agency: u32, out: &mut Vec<u8>) {
        if self == Dialect::Flags {
            // An agency of this dialect has a number of one byte.
            out.push(agency as u8);
        }
    }

    /// Appends a batch; in `flags` a message of one batch.
    pub fn put_batch(self, agency: u32, bets: &[BetFields<'_>], out: &mut Vec<u8>) {
        match self {
            Dialect::Native => {
                out.extend([0, 1]);
                out.extend((bets.len() as u32).to_be_bytes());
                for bet in bets {
                    let bytes = native_bet(agency, bet);
                    out.extend((bytes.len() as u64).to_be_bytes());
                    out.extend(bytes);
                }
            }
            Dialect::Frames => match bets {
                [bet] => put_frame(0, agency, text(bet, ",").as_bytes(), out),
                _ => {
                    let mut payload = Vec::new();
                    for bet in bets {
                        let text = text(bet, ",");
                        payload.extend((text.len() as u32).to_le_bytes());
                        payload.extend(text.as_bytes());
                    }
                    put_frame(1, agency, &payload, out);
                }
            },
            Dialect::Flags => put_flags_batches(agency, &[bets], out),
            Dialect::Lines => {
                let bets = texts(Some(agency), bets, ";");
                out.extend(format!("S:{}\n{}\n", bets.len(), bets.join("~")).as_bytes());
            }
            Dialect::Sized => {
                let front = format!("{agency};{}", bets.len());
                let lines = [vec![front], texts(None, bets, ";"), vec![String::new()]];
                put_sized(&lines.concat().join("\n"), out);
            }
        }
    }

    /// Appends that all bets were sent; where that is no request for the winners, and the draw is not
    /// announced, that request too.
    pub fn put_finish(self, agency: u32, out: &mut Vec<u8>) {
        match self {
            Dialect::Native => out.extend([0, 5, 0, 6]),
            Dialect::Frames => put_frame(2, agency, b"", out),
            Dialect::Flags => out.push(2),
            Dialect::Lines => out.extend(b"F:1\nFINISHED\n"),
            Dialect::Sized => put_sized("END", out),
        }
    }

    /// Appends a request for the winners, of an agency that has finished and [may
    /// return](Dialect::may_return).
    pub fn put_request(self, agency: u32, out: &mut Vec<u8>) {
        match self {
            Dialect::Frames => put_frame(3, agency, b"", out),
            _ => self.put_finish(agency, out),
        }
    }

    /// Takes a whole answer off the front of what came.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn take_answer(self, came: &mut Vec<u8>) -> Result<Option<Answer>, NoAnswer> {
        let found = match self {
            Dialect::Native => native_answer(came),
            Dialect::Frames => frames_answer(came),
            Dialect::Flags => Ok(documents(came)),
            Dialect::Lines => lines_answer(came),
            Dialect::Sized => sized_answer(came),
        };
        Ok(found?.map(|(answer, bytes)| {
            came.drain(..bytes);
            answer
        }))
    }
}

/// Appends one *bets* message of `flags` that holds these batches.
pub fn put_flags_batches(agency: u32, batches: &[&[BetFields<'_>]], out: &mut Vec<u8>) {
    out.push(1);
    out.extend((batches.len() as u32).to_be_bytes());
    for bets in batches {
        let text = texts(Some(agency), bets, ",").join("\n");
        out.extend((text.len() as u32).to_be_bytes());
        out.extend(text.as_bytes());
    }
}

/// A bet's bytes in the native dialect, without the length that precedes them in a batch.
pub fn native_bet(agency: u32, bet: &BetFields<'_>) -> Vec<u8> {
    const JULIAN_DAY_OF_1970: i32 = 2_440_588;
    let day = i64::from(bet.birthdate.to_julian_day() - JULIAN_DAY_OF_1970);
    let mut bytes = agency.to_be_bytes().to_vec();
    for name in [bet.first_name, bet.last_name] {
        bytes.extend((name.len() as u32).to_be_bytes());
        bytes.extend(name.as_bytes());
    }
    bytes.extend(bet.document.to_be_bytes());
    bytes.extend((day * 86_400).to_be_bytes());
    bytes.extend(bet.number.to_be_bytes());
    bytes
}

fn text(bet: &BetFields<'_>, separator: &str) -> String {
    let (document, birthdate, number) = (bet.document, bet.birthdate, bet.number);
    let names = [bet.first_name, bet.last_name].join(separator);
    format!("{names}{separator}{document}{separator}{birthdate}{separator}{number}")
}

fn texts(agency: Option<u32>, bets: &[BetFields<'_>], separator: &str) -> Vec<String> {
    let front = agency.map_or(String::new(), |agency| format!("{agency}{separator}"));
    let texts = bets.iter().map(|bet| front.clone() + &text(bet, separator));
    texts.collect()
}

fn put_frame(kind: u8, agency: u32, payload: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend((payload.len() as u32).to_le_bytes());
    out.extend(agency.to_le_bytes());
    out.extend(payload);
}

fn put_sized(body: &str, out: &mut Vec<u8>) {
    out.extend(format!("{:08}{body}", body.len()).as_bytes());
}

/// An answer and its bytes, if it is whole.
type Found = Option<(Answer, usize)>;

fn native_answer(came: &[u8]) -> Result<Found, NoAnswer> {
    Ok(match came {
        [0, 2, ..] => Some((Answer::Stored, 2)),
        [0, 3, high, low, ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            Some((Answer::Refused(Some(code)), 4))
        }
        // A count of eight bytes, of which the last four are enough.
        [0, 7, 0, 0, 0, 0, rest @ ..] => documents(rest).map(|(answer, bytes)| (answer, bytes + 6)),
        [] | [0] | [0, 3 | 7, ..] => None,
        _ => return Err(NoAnswer),
    })
}

/// A count of DNIs, and the DNIs, in four bytes each.
fn documents(came: &[u8]) -> Found {
    let (numbers, _) = came.as_chunks();
    let mut numbers = numbers.iter().map(|bytes| u32::from_be_bytes(*bytes));
    let count = numbers.next()? as usize;
    let documents: Vec<_> = numbers.take(count).collect();
    (documents.len() == count).then(|| (Answer::Winners(documents), 4 + 4 * count))
}

fn frames_answer(came: &[u8]) -> Result<Found, NoAnswer> {
    let [kind, a, b, c, d, payload @ ..] = came else {
        return Ok(None);
    };
    let size = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    let Some(payload) = payload.get(..size) else {
        return Ok(None);
    };
    let answer = match (kind, payload) {
        (0, [0]) => Answer::Stored,
        (0, [1]) => Answer::Refused(None),
        (1, []) => Answer::DrawHeld,
        (2, _) => Answer::Winners(decimals(payload, ",")?),
        _ => return Err(NoAnswer),
    };
    Ok(Some((answer, 5 + size)))
}

fn lines_answer(came: &[u8]) -> Result<Found, NoAnswer> {
    let mut ends = came.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let (Some((first, _)), Some((second, _))) = (ends.next(), ends.next()) else {
        return Ok(None);
    };
    let answer = match (&came[..first], &came[first + 1..second]) {
        (b"R:1", b"OK") => Answer::Stored,
        (b"R:1", b"FAIL") => Answer::Refused(None),
        (b"W:0", b"N") => Answer::Winners(Vec::new()),
        (front, documents) => {
            let winners = decimals(documents, "~")?;
            if front != format!("W:{}", winners.len()).as_bytes() {
                return Err(NoAnswer);
            }
            Answer::Winners(winners)
        }
    };
    Ok(Some((answer, second + 1)))
}

fn sized_answer(came: &[u8]) -> Result<Found, NoAnswer> {
    let Some((digits, rest)) = came.split_at_checked(8) else {
        return Ok(None);
    };
    let digits = str::from_utf8(digits).map_err(|_| NoAnswer)?;
    let size = digits.parse().map_err(|_| NoAnswer)?;
    let Some(body) = rest.get(..size) else {
        return Ok(None);
    };
    let answer = match body {
        b"success;Batch stored successfully." => Answer::Stored,
        b"NO_WINNERS" => Answer::Winners(Vec::new()),
        [b'e', b'r', b'r', b'o', b'r', b';', _, ..] => Answer::Refused(None),
        documents => Answer::Winners(decimals(documents, ";")?),
    };
    Ok(Some((answer, 8 + size)))
}

/// Decimal numbers with a separator between them; none of an empty text.
fn decimals(text: &[u8], separator: &str) -> Result<Vec<u32>, NoAnswer> {
    let text = str::from_utf8(text).map_err(|_| NoAnswer)?;
    let numbers = text.split(separator).filter(|_| !text.is_empty());
    numbers
        .map(|number| number.parse().map_err(|_| NoAnswer))
        .collect()
}
