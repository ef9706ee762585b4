//! What peers say and are told, in words.

use std::ops::Deref;

use lottery_core::bet::Bet;
use lottery_core::codec::native;
use lottery_core::message::{Reply, Stage};
use lottery_core::name::Name;
use time::macros::date;

use super::WINNING_NUMBER;

/// A reply, in words such as `welcome 2 betting`.
pub fn as_text(reply: &Reply) -> String {
    let stage = |stage| match stage {
        Stage::Betting => "betting",
        Stage::Finished => "finished",
        Stage::Drawn => "drawn",
    };
    match reply {
        Reply::Welcome(welcome) => {
            format!("welcome {} {}", welcome.tally.bets, stage(welcome.stage))
        }
        Reply::Stored => "stored".to_owned(),
        Reply::Winners(documents) => format!("winners {documents:?}"),
        Reply::Status(report) if report.is_drawn => "status drawn".to_owned(),
        Reply::Status(report) => format!("status {}/{}", report.missing, report.agencies),
        Reply::Refused(refusal) => format!("refused {}", refusal.code.number()),
        Reply::Finished | Reply::DrawHeld => unreachable!("the native dialect has no word for it"),
    }
}

/// What a peer sends: bytes, or words that [`encode`] understands.
pub trait Says {
    fn bytes(&self) -> Vec<u8>;
}

impl Says for str {
    fn bytes(&self) -> Vec<u8> {
        encode(self)
    }
}

impl Says for [u8] {
    fn bytes(&self) -> Vec<u8> {
        self.to_vec()
    }
}

impl<T: Deref<Target: Says>> Says for T {
    fn bytes(&self) -> Vec<u8> {
        self.deref().bytes()
    }
}

/// Messages in the native dialect, from words like `hello 1, batch 1 10 11, finish`: a batch of agency
/// 1 with a bet for each DNI. A DNI with an exclamation mark bets on the number that wins; `0` is invalid,
/// and so is a batch with `2:20`, a bet of agency 2.
pub fn encode(words: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for message in words.split(", ").filter(|message| !message.is_empty()) {
        let mut words = message.split(' ');
        let kind = words.next().unwrap_or_default();
        let mut agency = || words.next().unwrap().parse().unwrap();
        match kind {
            "hello" => native::encode_hello(agency(), &mut out),
            "batch" => {
                let agency = agency();
                let bets: Vec<_> = words.map(|word| bet(agency, word)).collect();
                native::encode_batch_header(bets.len() as u32, &mut out);
                for bet in bets {
                    native::encode_counted_bet(&bet, &mut out);
                }
            }
            "finish" => native::encode_all_bets_sent(&mut out),
            "winners" => native::encode_request_winners(&mut out),
            "park" => {
                native::encode_hello(agency(), &mut out);
                native::encode_all_bets_sent(&mut out);
                native::encode_request_winners(&mut out);
            }
            "ack" => native::encode_ack(&mut out),
            "status" => native::encode_status(&mut out),
            "nonsense" => out.extend([0, 77]),
            other => panic!("{other} is no message"),
        }
    }
    out
}

fn bet(agency: u32, word: &str) -> Bet<'static> {
    let (agency, word) = match word.split_once(':') {
        Some((agency, word)) => (agency.parse().unwrap(), word),
        None => (agency, word),
    };
    let document = word.trim_end_matches('!');
    Bet {
        agency,
        first_name: Name::new(b"Ana").unwrap(),
        last_name: Name::new("Núñez".as_bytes()).unwrap(),
        document: document.parse().unwrap(),
        birthdate: date!(1999 - 03 - 17),
        number: if document == word { 1 } else { WINNING_NUMBER },
    }
}
