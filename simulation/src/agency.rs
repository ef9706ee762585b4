//! Production's agency, driven by hand.

use std::time::Duration;

use client::agency::{Agency, AgencyError, News, Step};
use client::retry::Retry;
use fastrand::Rng;
use lottery_core::protocol::reply::ReplyScanner;
use lottery_core::protocol::{Code, FrameAssembler, Reply};
use server::layers::ConnectionId;

use crate::network::{Network, Outlook, Received};
use crate::plan::{AgencyPlan, Bets};

/// How long an agency tries before its program ends; whoever runs it then starts it again.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// The program of an agency, which may run or not.
pub struct SimAgency {
    /// What it is to do.
    pub plan: AgencyPlan,
    /// Whether this is a second program for an agency that has one.
    pub is_twin: bool,
    program: Option<Program>,
    winners: Option<Vec<u32>>,
    /// Bets that were known to be stored when the connection was made.
    pub known_at_connecting: u64,
}

struct Program {
    agency: Agency<Bets>,
    retry: Retry,
    line: Line,
}

enum Line {
    /// No connection; another try is due at this time.
    Down { retry_at: Duration },
    /// A connection.
    Up {
        id: ConnectionId,
        assembler: FrameAssembler<ReplyScanner>,
        since: Duration,
    },
}

/// What a step of an agency came to.
#[derive(Debug)]
pub enum Happened {
    /// It was told where it stands.
    Welcomed(u64),
    /// It knows of this many stored bets in all.
    Acknowledged(u64),
    /// It was told its winners, and its program ended.
    Winners(Vec<u32>),
    /// The central could not store a batch; it will try again.
    NotStored,
    /// It was told that the draw was not held in time, and its program ended.
    DrawTimeout,
    /// It cannot go on.
    GaveUp(String),
}

impl SimAgency {
    /// An agency whose program does not run yet.
    pub fn new(plan: AgencyPlan, is_twin: bool) -> SimAgency {
        SimAgency {
            plan,
            is_twin,
            program: None,
            winners: None,
            known_at_connecting: 0,
        }
    }

    /// Whether its program runs.
    pub fn runs(&self) -> bool {
        self.program.is_some()
    }

    /// Whether it was told its winners.
    pub fn is_done(&self) -> bool {
        self.winners.is_some()
    }

    /// Its connection.
    pub fn connection(&self) -> Option<ConnectionId> {
        match &self.program.as_ref()?.line {
            Line::Up { id, .. } => Some(*id),
            Line::Down { .. } => None,
        }
    }

    /// Starts its program, from the beginning.
    pub fn start(&mut self, now: Duration) {
        let source = Bets::new(self.plan.bets.clone());
        self.program = Some(Program {
            agency: Agency::new(self.plan.number, source, self.plan.pace),
            retry: Retry::new(RETRY_TIMEOUT),
            line: Line::Down { retry_at: now },
        });
    }

    /// Its program is gone, as after SIGKILL, or, with [`Outlook::Silent`], its machine.
    pub fn crash(&mut self, network: &mut Network, central_sees: Outlook) {
        if let Some(id) = self.connection() {
            network.agency_leaves(id, central_sees);
        }
        self.program = None;
    }

    /// It has waited long enough for an answer, and gives the connection up.
    pub fn time_out(&mut self, network: &mut Network, now: Duration, rng: &mut Rng) {
        if let Some(id) = self.connection() {
            network.agency_leaves(id, Outlook::Reset);
            self.lose_line(now, rng);
        }
    }

    /// Whether it tries to connect now.
    pub fn wants_connection(&self, now: Duration) -> bool {
        match &self.program {
            Some(Program {
                line: Line::Down { retry_at },
                ..
            }) => *retry_at <= now,
            _ => false,
        }
    }

    /// It has a connection, or, without one, was refused.
    pub fn connect(&mut self, id: Option<ConnectionId>, now: Duration, rng: &mut Rng) {
        match (id, &mut self.program) {
            (Some(id), Some(program)) => {
                program.agency.connected();
                let assembler = FrameAssembler::new(ReplyScanner::new(0));
                program.line = Line::Up {
                    id,
                    assembler,
                    since: now,
                };
            }
            _ => self.lose_line(now, rng),
        }
    }

    /// Sends what it has to send and takes some of what has arrived.
    pub fn step(&mut self, network: &mut Network, now: Duration, rng: &mut Rng) -> Vec<Happened> {
        let Some(Program {
            agency,
            line: Line::Up { id, assembler, .. },
            retry,
        }) = &mut self.program
        else {
            return Vec::new();
        };
        let id = *id;
        let mut out = Vec::new();
        loop {
            match agency.advance(&mut out) {
                Ok(Step::Send) => {}
                Ok(Step::AwaitReply | Step::AwaitDraw | Step::Done(_)) => break,
                Err(error) => return vec![Happened::GaveUp(error.to_string())],
            }
        }
        network.agency_sends(id, &out);
        let bytes = match network.agency_receives(id) {
            Received::Bytes(bytes) => bytes,
            Received::Nothing => return Vec::new(),
            Received::Ended | Received::Broken => {
                network.agency_leaves(id, Outlook::Ended);
                self.lose_line(now, rng);
                return Vec::new();
            }
        };
        let mut input = &bytes[..];
        let mut happened = Vec::new();
        loop {
            assembler
                .scanner_mut()
                .set_winners_max(agency.winners_max());
            let frame = match assembler.next_frame(&mut input) {
                Ok(Some(frame)) => frame,
                Ok(None) => return happened,
                Err(error) => {
                    happened.push(Happened::GaveUp(error.to_string()));
                    return happened;
                }
            };
            let result = match Reply::parse(frame) {
                Ok(reply) => agency.receive(reply),
                Err(error) => {
                    happened.push(Happened::GaveUp(error.to_string()));
                    return happened;
                }
            };
            match result {
                Ok(news) => match news {
                    News::Welcomed { bets } => happened.push(Happened::Welcomed(bets)),
                    News::AwaitingDraw => {}
                    News::Registered { .. } => {
                        retry.note_progress();
                        happened.push(Happened::Acknowledged(agency.registered()));
                    }
                    News::Winners => {
                        let step = agency.advance(&mut out);
                        if let Ok(Step::Done(winners)) = step {
                            happened.push(self.end(winners, network, id));
                        }
                        return happened;
                    }
                },
                Err(error) => {
                    happened.push(self.fail(&error, network, id, now, rng));
                    return happened;
                }
            }
        }
    }

    fn end(&mut self, winners: Vec<u32>, network: &mut Network, id: ConnectionId) -> Happened {
        network.agency_leaves(id, Outlook::Ended);
        self.winners = Some(winners.clone());
        self.program = None;
        Happened::Winners(winners)
    }

    fn fail(
        &mut self,
        error: &AgencyError,
        network: &mut Network,
        id: ConnectionId,
        now: Duration,
        rng: &mut Rng,
    ) -> Happened {
        network.agency_leaves(id, Outlook::Ended);
        if error.is_passing() {
            self.lose_line(now, rng);
            return Happened::NotStored;
        }
        self.program = None;
        match error {
            AgencyError::Refused {
                code: Code::DrawTimeout,
                ..
            } => Happened::DrawTimeout,
            _ => Happened::GaveUp(error.to_string()),
        }
    }

    /// Waits before another try, or ends the program when it has tried long enough.
    fn lose_line(&mut self, now: Duration, rng: &mut Rng) {
        let Some(program) = &mut self.program else {
            return;
        };
        if let Line::Up { since, .. } = program.line {
            program.retry.note_connection(now - since);
        }
        match program.retry.pause_after_failure(now, rng.f64()) {
            Some(pause) => {
                program.line = Line::Down {
                    retry_at: now + pause,
                }
            }
            None => self.program = None,
        }
    }
}
