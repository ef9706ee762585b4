//! The other end of a connection: what it asked, what it was answered, and whether that may be.

use lottery_core::bet::UncheckedBet;
use lottery_core::protocol::reply::{AgencyState, ReplyScanner};
use lottery_core::protocol::request::RequestScanner;
use lottery_core::protocol::{FrameAssembler, Reply, Request, StatusReport, Welcome};
use lottery_core::store::{Examination, Tally};
use lottery_simulation::disk::SimDisk;

use super::FRAME_BYTES_MAX;
use super::files::{row_of, winners};
use crate::TODAY;

/// The other end of a connection, which understands everything that goes either way.
pub struct Peer {
    requests: FrameAssembler<RequestScanner>,
    replies: FrameAssembler<ReplyScanner>,
    /// The requests that are answered one by one, in order.
    asked: Vec<Asked>,
    /// How many of them were answered.
    answered: usize,
    /// Whom the connection speaks for, as the answers tell.
    pub agency: Option<u32>,
    was_refused: bool,
    sends_rubbish: bool,
    pub has_ended: bool,
    /// Bytes that came in the turn under way.
    pub received_bytes: usize,
    /// Whether it has so much to read that it is not to be listened to.
    pub is_backlogged: bool,
    /// Bytes of the unsent answers that were looked at already.
    pub seen_bytes: usize,
}

enum Asked {
    Welcome { agency: u32 },
    Status,
    Store(Batch),
}

/// A batch as it came.
pub struct Batch {
    /// The agency and the rows, or `None` when no central may store it.
    pub content: Option<(u32, Vec<Vec<u8>>)>,
    is_empty: bool,
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Stored,
    Refused,
    /// Nobody was told.
    Unknown,
}

impl Peer {
    pub fn new() -> Peer {
        Peer {
            requests: FrameAssembler::new(RequestScanner::new(FRAME_BYTES_MAX)),
            replies: FrameAssembler::new(ReplyScanner::new(u64::from(u32::MAX))),
            asked: Vec::new(),
            answered: 0,
            agency: None,
            was_refused: false,
            sends_rubbish: false,
            has_ended: false,
            received_bytes: 0,
            is_backlogged: false,
            seen_bytes: 0,
        }
    }

    pub fn note_sent(&mut self, mut bytes: &[u8]) {
        self.received_bytes += bytes.len();
        while !self.sends_rubbish {
            let request = match self.requests.next_frame(&mut bytes) {
                Ok(Some(frame)) => Request::parse(frame),
                Ok(None) => return,
                Err(_) => {
                    self.sends_rubbish = true;
                    return;
                }
            };
            match request {
                Ok(Request::RegisterBets(bets)) => {
                    self.asked.push(Asked::Store(Batch::of(&bets)));
                }
                Ok(Request::Hello { agency, .. }) => self.asked.push(Asked::Welcome { agency }),
                Ok(Request::Status) => self.asked.push(Asked::Status),
                Ok(Request::Ack | Request::AllBetsSent | Request::RequestWinners) => {}
                Err(_) => self.sends_rubbish = true,
            }
        }
    }

    /// Holds the answers against what was asked and what is stored.
    pub fn note_answers(
        &mut self,
        mut bytes: &[u8],
        disk: &SimDisk,
        agencies: u32,
        found: &Examination,
    ) {
        let mut answers = 0;
        while let Some(frame) = self.replies.next_frame(&mut bytes).unwrap() {
            let reply = Reply::parse(frame).unwrap();
            answers += 1;
            // One, because what a parked agency waits for may come, or the end of its wait.
            assert!(
                answers <= 1 || !self.is_backlogged,
                "heard in spite of a backlog"
            );
            assert!(!self.was_refused, "{reply:?} after a refusal");
            match reply {
                Reply::RegisterBetOk => self.note_stored(),
                Reply::Welcome(welcome) => self.note_welcome(&welcome, found),
                Reply::StatusReport(report) => self.note_status(report, agencies, found),
                Reply::RegisterBetFailed(_) => self.was_refused = true,
                Reply::InformWinners(documents) => {
                    let all_closed =
                        (1..=agencies).all(|agency| found.closings.contains_key(&agency));
                    assert!(all_closed, "winners before all have closed");
                    let agency = self.agency.expect("winners of an agency");
                    assert_eq!(documents, winners(disk, agency));
                }
            }
        }
        assert_eq!(self.replies.kept_bytes(), 0);
    }

    fn note_stored(&mut self) {
        let Some(Asked::Store(batch)) = self.asked.get(self.answered) else {
            panic!("RegisterBetOk out of turn")
        };
        self.answered += 1;
        if batch.is_empty {
            return;
        }
        let (agency, _) = batch
            .content
            .as_ref()
            .expect("an invalid batch was acknowledged");
        assert!(self.agency.is_none_or(|known| known == *agency));
        self.agency = Some(*agency);
    }

    fn note_welcome(&mut self, welcome: &Welcome, found: &Examination) {
        let Some(Asked::Welcome { agency }) = self.asked.get(self.answered) else {
            panic!("Welcome out of turn")
        };
        self.answered += 1;
        assert!(self.agency.is_none_or(|known| known == *agency));
        self.agency = Some(*agency);
        let stored = found.tallies.get(agency).copied().unwrap_or_default();
        // More may have been staged in the same turn behind the Hello.
        assert!(welcome.bets <= stored.bets);
        if welcome.bets == stored.bets {
            assert_eq!(
                Tally {
                    bets: welcome.bets,
                    crc: welcome.crc
                },
                stored
            );
        }
        if welcome.state != AgencyState::Betting {
            assert!(found.closings.contains_key(agency));
        }
    }

    fn note_status(&mut self, report: StatusReport, agencies: u32, found: &Examination) {
        assert!(matches!(self.asked.get(self.answered), Some(Asked::Status)));
        self.answered += 1;
        assert_eq!(report.agencies, agencies);
        let missing = (1..=agencies).filter(|agency| !found.closings.contains_key(agency));
        let missing = missing.count() as u32;
        // Some may have closed in the same turn behind the Status.
        assert!(report.missing >= missing);
        assert!(report.state == AgencyState::Betting || report.missing == 0);
    }

    pub fn batches(&self) -> impl Iterator<Item = (&Batch, Fate)> {
        let fate = |at| match (at < self.answered, self.was_refused) {
            (true, _) => Fate::Stored,
            (false, true) => Fate::Refused,
            (false, false) => Fate::Unknown,
        };
        let asked = self.asked.iter().enumerate();
        asked.filter_map(move |(at, asked)| match asked {
            Asked::Store(batch) => Some((batch, fate(at))),
            Asked::Welcome { .. } | Asked::Status => None,
        })
    }
}

impl Batch {
    fn of(bets: &[UncheckedBet<'_>]) -> Batch {
        let agency = bets.first().map_or(0, |bet| bet.agency);
        let rows = bets.iter().map(|claim| {
            let bet = claim.check(TODAY).ok()?;
            (bet.agency == agency).then(|| row_of(&bet))
        });
        let rows: Option<Vec<_>> = rows.collect();
        Batch {
            content: rows.map(|rows| (agency, rows)),
            is_empty: bets.is_empty(),
        }
    }
}
