//! The native protocol, written by hand after `docs/PROTOCOL.md`.

use time::OffsetDateTime;

use super::dialects::BetFields;

/// A bet, valid or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bet {
    pub agency: u32,
    pub first_name: String,
    pub last_name: String,
    pub document: u32,
    /// The Unix time of the birthdate's midnight, in seconds.
    pub birthdate: i64,
    pub number: u32,
}

impl Bet {
    /// A valid bet of Ana Paz on 1234, which loses.
    pub fn losing(agency: u32, document: u32) -> Bet {
        Bet {
            agency,
            first_name: "Ana".to_owned(),
            last_name: "Paz".to_owned(),
            document,
            birthdate: 921_628_800, // 1999-03-17
            number: 1234,
        }
    }

    /// A valid bet of Ana Paz on 7574, which wins by default.
    pub fn winning(agency: u32, document: u32) -> Bet {
        let number = 7574;
        Bet {
            number,
            ..Bet::losing(agency, document)
        }
    }

    /// The bet as texts have it.
    pub fn fields(&self) -> BetFields<'_> {
        let birthdate = OffsetDateTime::from_unix_timestamp(self.birthdate).unwrap();
        BetFields {
            first_name: &self.first_name,
            last_name: &self.last_name,
            document: self.document,
            birthdate: birthdate.date(),
            number: self.number,
        }
    }

    pub fn named(self, first_name: &str, last_name: &str) -> Bet {
        Bet {
            first_name: first_name.into(),
            last_name: last_name.into(),
            ..self
        }
    }

    /// The bet's row in `bets.csv`; not for names with a line break.
    pub fn row(&self) -> String {
        let date = self.fields().birthdate;
        let names = [&self.first_name, &self.last_name].map(|name| {
            let needs_quotes = name.contains([',', '"']);
            let quoted = || format!("\"{}\"", name.replace('"', "\"\""));
            if needs_quotes { quoted() } else { name.clone() }
        });
        let names = names.join(",");
        let (agency, document, number) = (self.agency, self.document, self.number);
        format!("{agency},{names},{document},{date},{number}\r\n")
    }

    /// The bet's bytes, without the length that precedes them in RegisterBets.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.agency.to_be_bytes().to_vec();
        for name in [&self.first_name, &self.last_name] {
            bytes.extend((name.len() as u32).to_be_bytes());
            bytes.extend(name.as_bytes());
        }
        bytes.extend(self.document.to_be_bytes());
        bytes.extend(self.birthdate.to_be_bytes());
        bytes.extend(self.number.to_be_bytes());
        bytes
    }
}

/// As many valid losing bets of `agency`, each of another person.
pub fn losing_bets(agency: u32, count: u32) -> Vec<Bet> {
    let bet = |number| Bet::losing(agency, 10_000_000 + number);
    (0..count).map(bet).collect()
}

pub fn rows(bets: &[Bet]) -> String {
    bets.iter().map(Bet::row).collect()
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "docs/PROTOCOL.md has them")]
pub enum Message {
    RegisterBets(Vec<Bet>),
    RegisterBetOk,
    RegisterBetFailed(u16),
    AllBetsSent,
    RequestWinners,
    InformWinners(Vec<u32>),
    Hello { version: u16, agency: u32 },
    Welcome { bets: u64, crc: u32, state: u8 },
    Status,
}

use Message::*;

impl Message {
    pub fn hello(agency: u32) -> Message {
        let version = 1;
        Hello { version, agency }
    }

    /// The Welcome for an agency of which these bets are stored.
    pub fn welcome(bets: &[Bet], state: u8) -> Message {
        Welcome {
            bets: bets.len() as u64,
            crc: crc(bets),
            state,
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let (message_type, rest) = match self {
            RegisterBets(bets) => {
                let mut rest = (bets.len() as u32).to_be_bytes().to_vec();
                for bet in bets.iter().map(Bet::encode) {
                    rest.extend((bet.len() as u64).to_be_bytes());
                    rest.extend(bet);
                }
                (1, rest)
            }
            RegisterBetOk => (2, vec![]),
            RegisterBetFailed(code) => (3, code.to_be_bytes().to_vec()),
            AllBetsSent => (5, vec![]),
            RequestWinners => (6, vec![]),
            InformWinners(documents) => {
                let mut rest = (documents.len() as u64).to_be_bytes().to_vec();
                rest.extend(documents.iter().flat_map(|document| document.to_be_bytes()));
                (7, rest)
            }
            Hello { version, agency } => {
                let bytes = [&version.to_be_bytes()[..], &agency.to_be_bytes()];
                (8, bytes.concat())
            }
            Welcome { bets, crc, state } => {
                let bytes = [&bets.to_be_bytes()[..], &crc.to_be_bytes(), &[*state]];
                (9, bytes.concat())
            }
            Status => (32, vec![]),
        };
        [vec![0, message_type], rest].concat()
    }

    pub fn encode_all(messages: &[Message]) -> Vec<u8> {
        messages.iter().flat_map(Message::encode).collect()
    }
}

/// The CRC-32 that Welcome and `closings.csv` have of these bets.
pub fn crc(bets: &[Bet]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for bet in bets {
        hasher.update(&bet.encode());
    }
    hasher.finalize()
}
