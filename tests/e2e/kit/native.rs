//! The native protocol, written by hand after `docs/PROTOCOL.md`.

use time::Date;
use time::macros::date;

use super::dialects::{BetFields, Dialect, native_bet};

/// A bet, valid or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bet {
    pub agency: u32,
    pub first_name: String,
    pub last_name: String,
    pub document: u32,
    pub birthdate: Date,
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
            birthdate: date!(1999 - 03 - 17),
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
        BetFields {
            first_name: &self.first_name,
            last_name: &self.last_name,
            document: self.document,
            birthdate: self.birthdate,
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

    /// The bet's row in `bets.csv`.
    pub fn row(&self) -> String {
        self.fields().row(self.agency) + "\r\n"
    }

    /// The bet's bytes, without the length that precedes them in RegisterBets.
    pub fn encode(&self) -> Vec<u8> {
        native_bet(self.agency, &self.fields())
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
pub enum Message {
    RegisterBets(Vec<Bet>),
    RegisterBetOk,
    RegisterBetFailed(u16),
    AllBetsSent,
    RequestWinners,
    InformWinners(Vec<u32>),
    Hello(u32),
    Welcome { bets: u64, crc: u32, state: u8 },
    Status,
}

use Message::*;

impl Message {
    /// The Welcome for an agency of which these bets are stored.
    pub fn welcome(bets: &[Bet], state: u8) -> Message {
        Welcome {
            bets: bets.len() as u64,
            crc: crc(bets),
            state,
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        match self {
            RegisterBets(bets) => {
                let agency = bets.first().map_or(0, |bet| bet.agency);
                let fields: Vec<_> = bets.iter().map(Bet::fields).collect();
                let mut bytes = Vec::new();
                Dialect::Native.put_batch(agency, &fields, &mut bytes);
                bytes
            }
            RegisterBetOk => vec![0, 2],
            RegisterBetFailed(code) => [[0, 3], code.to_be_bytes()].concat(),
            AllBetsSent => vec![0, 5],
            RequestWinners => vec![0, 6],
            InformWinners(documents) => {
                let count = (documents.len() as u64).to_be_bytes();
                let documents = documents.iter().flat_map(|document| document.to_be_bytes());
                [0, 7].into_iter().chain(count).chain(documents).collect()
            }
            Hello(agency) => [&[0, 8, 0, 1], &agency.to_be_bytes()[..]].concat(),
            Welcome { bets, crc, state } => {
                let (bets, crc) = (bets.to_be_bytes(), crc.to_be_bytes());
                [&[0, 9], &bets[..], &crc, &[*state]].concat()
            }
            Status => vec![0, 32],
        }
    }

    pub fn encode_all(messages: &[Message]) -> Vec<u8> {
        messages.iter().flat_map(Message::encode).collect()
    }
}

/// The CRC-32 that Welcome and `closings.csv` have of these bets.
pub fn crc(bets: &[Bet]) -> u32 {
    let bytes: Vec<u8> = bets.iter().flat_map(Bet::encode).collect();
    crc32fast::hash(&bytes)
}
