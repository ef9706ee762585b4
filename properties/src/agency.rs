//! An agency whose central answers anything: it asks for nothing out of turn, sends its own bets in
//! their order and within its bounds, and ends in bounded steps.

use std::collections::VecDeque;

use arbitrary::{Arbitrary, Unstructured};
use client::agency::{Agency, AgencyError, Pace, Step};
use client::bet_source::{BetSource, SourceError};
use lottery_core::bet::Bet;
use lottery_core::protocol::reply::{AgencyState, ReplyScanner};
use lottery_core::protocol::{
    AGENCY_MESSAGE_BYTES_MAX, Code, FrameAssembler, Reply, Request, Welcome, bet_encoding,
};
use lottery_core::store::Tally;
use time::macros::date;

use crate::{TODAY, name};

const AGENCY: u32 = 3;
const NAME: &str = "José Núñez, hijo";

#[derive(Arbitrary, Debug)]
struct Play<'a> {
    bets: u8,
    batch_bets_max: u8,
    window: u8,
    answers: Vec<Answer<'a>>,
}

/// What the central does when the agency waits.
#[derive(Arbitrary, Debug)]
enum Answer<'a> {
    Stored,
    Refused(u8),
    /// A Welcome that is right but for what is added to it.
    Welcome {
        bets: u8,
        is_crc_wrong: bool,
        state: u8,
    },
    WelcomeOfMany(u64),
    Winners(Vec<u32>),
    Bytes(&'a [u8]),
    /// The connection breaks and another one is made.
    Break,
}

/// A conversation of any kind.
pub fn check(input: &[u8]) {
    if let Ok(play) = Play::arbitrary_take_rest(Unstructured::new(input)) {
        play.run();
    }
}

impl Play<'_> {
    fn run(&self) {
        let source = Source {
            bets: u32::from(self.bets),
            next: 1,
        };
        let pace = Pace {
            batch_bets_max: u32::from(self.batch_bets_max).max(1),
            window: usize::from(self.window).max(1),
        };
        let mut agency = Agency::new(AGENCY, source, pace);
        let mut central = Listener::new(pace, u32::from(self.bets));
        let mut replies = FrameAssembler::new(ReplyScanner::new(0));
        for answer in &self.answers {
            if matches!(answer, Answer::Break) {
                agency.connected();
                central = Listener::new(pace, u32::from(self.bets));
                replies = FrameAssembler::new(ReplyScanner::new(0));
            }
            if let Some(winners) = central.hear(&mut agency) {
                assert!(winners.len() <= usize::from(self.bets));
                return;
            }
            let bytes = answer.bytes();
            let mut input = &bytes[..];
            loop {
                let winners_max = agency.winners_max();
                assert!(winners_max <= u64::from(self.bets));
                replies.scanner_mut().set_winners_max(winners_max);
                let Ok(frame) = replies.next_frame(&mut input) else {
                    return;
                };
                let Some(frame) = frame else { break };
                let Ok(reply) = Reply::parse(frame) else {
                    return;
                };
                if let Err(error) = central.answer(&mut agency, reply) {
                    assert!(!error.to_string().contains('\n'));
                    return;
                }
            }
            assert!(agency.registered() <= u64::from(self.bets));
        }
    }
}

impl Answer<'_> {
    fn bytes(&self) -> Vec<u8> {
        let reply = match self {
            Answer::Stored => Reply::RegisterBetOk,
            Answer::Refused(code) => {
                let code = Code::from_number(u16::from(*code));
                Reply::RegisterBetFailed(code.unwrap_or(Code::NotStored))
            }
            Answer::Welcome {
                bets,
                is_crc_wrong,
                state,
            } => {
                let tally = tally_of_first(u32::from(*bets));
                Reply::Welcome(Welcome {
                    bets: tally.bets,
                    crc: tally.crc ^ u32::from(*is_crc_wrong),
                    state: match state % 4 {
                        0 => AgencyState::Closed,
                        1 => AgencyState::Drawn,
                        _ => AgencyState::Betting,
                    },
                })
            }
            Answer::WelcomeOfMany(bets) => Reply::Welcome(Welcome {
                bets: *bets,
                crc: 0,
                state: AgencyState::Betting,
            }),
            Answer::Winners(documents) => Reply::InformWinners(documents.clone()),
            Answer::Bytes(bytes) => return bytes.to_vec(),
            Answer::Break => return Vec::new(),
        };
        let mut bytes = Vec::new();
        reply.encode(&mut bytes);
        bytes
    }
}

/// The other end of one connection, which looks at what the agency sends.
struct Listener {
    pace: Pace,
    own_bets: u32,
    has_greeted: bool,
    /// The bets that the agency is to send next, once it was welcomed.
    next_document: Option<u32>,
    unanswered: VecDeque<usize>,
    has_closed: bool,
    has_asked: bool,
}

impl Listener {
    fn new(pace: Pace, own_bets: u32) -> Listener {
        Listener {
            pace,
            own_bets,
            has_greeted: false,
            next_document: None,
            unanswered: VecDeque::new(),
            has_closed: false,
            has_asked: false,
        }
    }

    /// Lets the agency go on until it waits. Gives the winners when it is done.
    fn hear(&mut self, agency: &mut Agency<Source>) -> Option<Vec<u32>> {
        // Each step sends a batch of one bet at least, or one of three other messages.
        for _ in 0..self.own_bets + 4 {
            let mut out = Vec::new();
            let step = agency.advance(&mut out).unwrap();
            self.take(&out);
            assert!(self.unanswered.len() <= self.pace.window);
            match step {
                Step::Send => {}
                Step::AwaitReply => return None,
                Step::AwaitDraw => {
                    assert!(self.has_asked && self.unanswered.is_empty());
                    return None;
                }
                Step::Done(winners) => return Some(winners),
            }
        }
        panic!("an agency that goes on and on")
    }

    fn take(&mut self, mut bytes: &[u8]) {
        let scanner =
            lottery_core::protocol::request::RequestScanner::new(AGENCY_MESSAGE_BYTES_MAX);
        let mut requests = FrameAssembler::new(scanner);
        while let Some(frame) = requests.next_frame(&mut bytes).unwrap() {
            assert!(frame.len() <= AGENCY_MESSAGE_BYTES_MAX);
            assert!(!self.has_asked, "nothing follows the question");
            match Request::parse(frame).unwrap() {
                Request::Hello { agency } => {
                    assert!(!self.has_greeted && agency == AGENCY);
                    self.has_greeted = true;
                }
                Request::RegisterBets(bets) => {
                    assert!(!self.has_closed && !bets.is_empty());
                    assert!(bets.len() <= self.pace.batch_bets_max as usize);
                    let next = self.next_document.as_mut().expect("bets after Welcome");
                    for claim in &bets {
                        assert_eq!(claim.check(TODAY), Ok(bet(*next)));
                        *next += 1;
                    }
                    self.unanswered.push_back(bets.len());
                }
                Request::AllBetsSent => {
                    assert_eq!(self.next_document, Some(self.own_bets + 1));
                    self.has_closed = true;
                }
                Request::RequestWinners => {
                    assert_eq!(self.next_document, Some(self.own_bets + 1));
                    self.has_asked = true;
                }
                other => panic!("{other:?} of an agency of ours"),
            }
        }
        assert_eq!(requests.kept_bytes(), 0);
    }

    fn answer(&mut self, agency: &mut Agency<Source>, reply: Reply) -> Result<(), AgencyError> {
        let registered = agency.registered();
        agency.receive(reply.clone())?;
        match reply {
            Reply::Welcome(welcome) => {
                assert!(self.has_greeted && self.next_document.is_none());
                let own = tally_of_first(welcome.bets as u32);
                assert!(own.bets == welcome.bets && own.crc == welcome.crc);
                assert_eq!(agency.registered(), welcome.bets);
                self.next_document = Some(welcome.bets as u32 + 1);
            }
            Reply::RegisterBetOk => {
                let bets = self
                    .unanswered
                    .pop_front()
                    .expect("a batch without an answer");
                assert_eq!(agency.registered(), registered + bets as u64);
            }
            Reply::InformWinners(_) => assert!(self.has_asked && self.unanswered.is_empty()),
            other => panic!("{other:?} was no error"),
        }
        Ok(())
    }
}

fn bet(document: u32) -> Bet<'static> {
    Bet {
        agency: AGENCY,
        first_name: name(NAME),
        last_name: name(NAME),
        document,
        birthdate: date!(1999 - 03 - 17),
        number: document % 10_000,
    }
}

fn tally_of_first(bets: u32) -> Tally {
    let mut encodings = Vec::new();
    for document in 1..=bets {
        bet_encoding::encode(&bet(document), &mut encodings);
    }
    let mut tally = Tally::default();
    tally.add(u64::from(bets), &encodings);
    tally
}

/// Bets with the documents from 1.
struct Source {
    bets: u32,
    next: u32,
}

impl BetSource for Source {
    fn rewind(&mut self) -> Result<(), SourceError> {
        self.next = 1;
        Ok(())
    }

    fn next_bet<T>(&mut self, take: impl FnOnce(&Bet<'_>) -> T) -> Result<Option<T>, SourceError> {
        if self.next > self.bets {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(take(&bet(self.next - 1))))
    }

    fn rejected(&self) -> u64 {
        0
    }
}
