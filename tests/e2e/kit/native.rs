//! The native protocol, written by hand after `docs/PROTOCOL.md`.

use time::macros::date;

use super::dialects::{BetFields, Dialect, native_bet};

/// A bet of an agency, valid or not.
#[derive(Clone, Copy, Debug)]
pub struct Bet {
    pub agency: u32,
    pub fields: BetFields<'static>,
}

impl Bet {
    /// A valid bet of Ana Paz on 1234, which loses.
    pub fn losing(agency: u32, document: u32) -> Bet {
        let fields = BetFields {
            first_name: "Ana",
            last_name: "Paz",
            document,
            birthdate: date!(1999 - 03 - 17),
            number: 1234,
        };
        Bet { agency, fields }
    }

    /// A valid bet of Ana Paz on 7574, which wins by default.
    pub fn winning(agency: u32, document: u32) -> Bet {
        let mut bet = Bet::losing(agency, document);
        bet.fields.number = 7574;
        bet
    }

    pub fn named(mut self, first_name: &'static str, last_name: &'static str) -> Bet {
        (self.fields.first_name, self.fields.last_name) = (first_name, last_name);
        self
    }
}

/// As many valid losing bets of `agency`, each of another person.
pub fn losing_bets(agency: u32, count: u32) -> Vec<Bet> {
    let bet = |number| Bet::losing(agency, 10_000_000 + number);
    (0..count).map(bet).collect()
}

/// The bets' rows in `bets.csv`.
pub fn rows(bets: &[Bet]) -> String {
    let row = |bet: &Bet| bet.fields.row(bet.agency) + "\r\n";
    bets.iter().map(row).collect()
}

/// A batch in the bytes of a dialect.
pub fn batch(dialect: Dialect, bets: &[Bet]) -> Vec<u8> {
    let agency = bets.first().map_or(0, |bet| bet.agency);
    let fields: Vec<_> = bets.iter().map(|bet| bet.fields).collect();
    let mut bytes = Vec::new();
    dialect.put_batch(agency, &fields, &mut bytes);
    bytes
}

#[derive(Clone, Debug)]
pub enum Message {
    RegisterBets(Vec<Bet>),
    RegisterBetOk,
    RegisterBetFailed(u16),
    AllBetsSent,
    RequestWinners,
    InformWinners(Vec<u32>),
    Hello(u32),
    /// Of an agency of which these bets are stored.
    Welcome(Vec<Bet>, u8),
    Status,
}

use Message::*;

impl Message {
    pub fn encode(&self) -> Vec<u8> {
        match self {
            RegisterBets(bets) => batch(Dialect::Native, bets),
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
            Welcome(bets, state) => {
                let (count, crc) = (bets.len() as u64, crc(bets));
                [
                    &[0, 9][..],
                    &count.to_be_bytes(),
                    &crc.to_be_bytes(),
                    &[*state],
                ]
                .concat()
            }
            Status => vec![0, 32],
        }
    }
}

/// The CRC-32 that Welcome and `closings.csv` have of these bets.
pub fn crc(bets: &[Bet]) -> u32 {
    let bytes = |bet: &Bet| native_bet(bet.agency, &bet.fields);
    crc32fast::hash(&bets.iter().flat_map(bytes).collect::<Vec<u8>>())
}
