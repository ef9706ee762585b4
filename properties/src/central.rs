//! The central behind several connections that do anything, on a disk that fails: what it says and
//! what it stores agree, and agencies that behave well are served in the end.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use fastrand::Rng;
use lottery_core::bet::{Bet, UncheckedBet};
use lottery_core::protocol::reply::{AgencyState, ReplyScanner};
use lottery_core::protocol::request::{self, RequestScanner};
use lottery_core::protocol::{FrameAssembler, Reply, Request, StatusReport, Welcome, bet_encoding};
use lottery_core::store::{
    BETS_FILE, CLOSINGS_FILE, Disk, Examination, Store, Tally, examine, load_bets, write_bet,
};
use lottery_simulation::disk::{Faults, SimDisk, SimFile};
use lottery_simulation::statistics::Statistics;
use memchr::memmem;
use server::central::{Central, Durability, Rules};
use server::layers::{ConnectionId, Moment};
use server::service::{Ending, Service};
use server::switchboard::Switchboard;
use time::macros::date;

use crate::{TODAY, name};

const WINNING_NUMBER: u32 = 7;

/// The largest message accepted.
const FRAME_BYTES_MAX: usize = 8 * 1024;

/// What the event loop reads of a connection at once, and in a turn.
const READ_BYTES: usize = 64 * 1024;
const READ_BYTES_PER_TURN: usize = 4 * READ_BYTES;

/// Unsent answers above which the switchboard listens no more.
const OUTGOING_BYTES_MAX: usize = 64 * 1024;

/// The most that requests grow by when they are answered: a Status of 2 bytes makes 11.
const ANSWER_GROWTH: usize = 6;

/// Requests of which many fit into little: Status, Ack, AllBetsSent, an empty batch, Hello.
const FLOODS: [&[u8]; 5] = [
    &[0, 32],
    &[0, 4],
    &[0, 5],
    &[0, 1, 0, 0, 0, 0],
    &[0, 8, 0, 1, 0, 0, 0, 1],
];

/// Turns within which everything that is due must be done.
const TURNS_MAX: usize = 1000;

/// What happens.
#[derive(Arbitrary, Debug)]
struct Play<'a> {
    agencies: u8,
    durability: u8,
    has_draw_timeout: bool,
    actions: Vec<Action<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Action<'a> {
    Connect,
    Hello {
        connection: u8,
        agency: u8,
    },
    Bets {
        connection: u8,
        agency: u8,
        count: u8,
        number: u8,
    },
    AllBetsSent {
        connection: u8,
    },
    RequestWinners {
        connection: u8,
    },
    Bytes {
        connection: u8,
        bytes: &'a [u8],
    },
    /// The same request, as often as one read of the event loop takes.
    Flood {
        connection: u8,
        request: u8,
    },
    /// The peer will send no more.
    End {
        connection: u8,
    },
    Disconnect {
        connection: u8,
    },
    /// The peer reads.
    Flush {
        connection: u8,
        bytes: u16,
    },
    Turn {
        seconds: u8,
    },
    DiskIsFull {
        room: u8,
    },
    SyncWillFail,
    CutWillFail,
    DiskIsGood,
    /// The central dies and another one begins; unless `power_cut`, the system lives on.
    Crash {
        power_cut: bool,
    },
}

/// A play of any kind.
pub fn check(input: &[u8]) {
    if let Ok(play) = Play::arbitrary_take_rest(Unstructured::new(input)) {
        let mut world = World::new(&play);
        world.connect();
        world.connect();
        for action in &play.actions {
            world.act(action);
        }
        world.end_well();
    }
}

struct World {
    rules: Rules,
    disk: SimDisk,
    board: Switchboard<SimFile>,
    peers: BTreeMap<ConnectionId, Peer>,
    /// Peers whose connections are gone.
    gone: Vec<Peer>,
    connections: usize,
    elapsed: Duration,
    /// The DNI of the next bet, so that no two bets are the same.
    document: u32,
}

/// The other end of a connection, which understands everything that goes either way.
struct Peer {
    requests: FrameAssembler<RequestScanner>,
    replies: FrameAssembler<ReplyScanner>,
    /// The requests that are answered one by one, in order.
    asked: Vec<Asked>,
    /// How many of them were answered.
    answered: usize,
    /// Whom the connection speaks for, as the answers tell.
    agency: Option<u32>,
    was_refused: bool,
    sends_rubbish: bool,
    has_ended: bool,
    /// Bytes that came in the turn under way.
    received_bytes: usize,
    /// Whether it has so much to read that it is not to be listened to.
    is_backlogged: bool,
    /// Bytes of the unsent answers that were looked at already.
    seen_bytes: usize,
}

enum Asked {
    Welcome { agency: u32 },
    Status,
    Store(Batch),
}

/// A batch as it came.
struct Batch {
    /// The agency and the rows, or `None` when no central may store it.
    content: Option<(u32, Vec<Vec<u8>>)>,
    is_empty: bool,
}

impl World {
    fn new(play: &Play<'_>) -> World {
        let disk = SimDisk::new(Rng::with_seed(0), Statistics::default());
        let rules = Rules {
            agencies: u32::from(play.agencies % 3) + 1,
            winning_number: WINNING_NUMBER,
            durability: match play.durability % 4 {
                0 => Durability::No,
                1 => Durability::EverySecond,
                _ => Durability::Always,
            },
            draw_timeout: play.has_draw_timeout.then_some(Duration::from_secs(60)),
        };
        let board = open(&disk, rules);
        World {
            rules,
            disk,
            board,
            peers: BTreeMap::new(),
            gone: Vec::new(),
            connections: 0,
            elapsed: Duration::ZERO,
            document: 1,
        }
    }

    fn act(&mut self, action: &Action<'_>) {
        let faults = self.disk.faults();
        match action {
            Action::Connect => {
                self.connect();
            }
            Action::Hello { connection, agency } => {
                let mut hello = Vec::new();
                request::encode_hello(self.agency(*agency), &mut hello);
                self.send(*connection, &hello);
            }
            Action::Bets {
                connection,
                agency,
                count,
                number,
            } => {
                let bets = self.new_bets(self.agency(*agency), *count, u32::from(*number));
                self.send(*connection, &bets);
            }
            Action::AllBetsSent { connection } => self.send(*connection, &[0, 5]),
            Action::RequestWinners { connection } => self.send(*connection, &[0, 6]),
            Action::Bytes { connection, bytes } => self.send(*connection, bytes),
            Action::Flood {
                connection,
                request,
            } => {
                let request = &FLOODS[usize::from(*request) % FLOODS.len()];
                self.send(*connection, &request.repeat(READ_BYTES / request.len()));
            }
            Action::End { connection } => {
                if let Some(id) = self.chosen(*connection) {
                    let has_ended = &mut self.peers.get_mut(&id).unwrap().has_ended;
                    if !std::mem::replace(has_ended, true) {
                        self.board.end_of_stream(id);
                    }
                }
            }
            Action::Disconnect { connection } => {
                if let Some(id) = self.chosen(*connection) {
                    self.disconnect(id);
                }
            }
            Action::Flush { connection, bytes } => {
                if let Some(id) = self.chosen(*connection) {
                    self.flush(id, usize::from(*bytes));
                }
            }
            Action::Turn { seconds } => {
                self.elapsed += Duration::from_secs(u64::from(*seconds));
                self.turn();
            }
            Action::DiskIsFull { room } => self.disk.set_faults(Faults {
                room: Some(usize::from(*room)),
                ..faults
            }),
            Action::SyncWillFail => self.disk.set_faults(Faults {
                failing_sync: true,
                ..faults
            }),
            Action::CutWillFail => self.disk.set_faults(Faults {
                failing_truncate: true,
                ..faults
            }),
            Action::DiskIsGood => self.disk.set_faults(Faults::default()),
            // With less durability a power cut may take what was acknowledged.
            Action::Crash { power_cut } => {
                let power_cut = *power_cut && self.rules.durability == Durability::Always;
                self.restart(power_cut);
            }
        }
    }

    /// An agency that takes part, or now and then one that does not.
    fn agency(&self, number: u8) -> u32 {
        match number {
            255 => 0,
            254 => self.rules.agencies + 1,
            _ => 1 + u32::from(number) % self.rules.agencies,
        }
    }

    fn chosen(&self, connection: u8) -> Option<ConnectionId> {
        let at = usize::from(connection).checked_rem(self.peers.len())?;
        self.peers.keys().nth(at).copied()
    }

    fn now(&self) -> Moment {
        Moment {
            elapsed: self.elapsed,
            today: TODAY,
        }
    }

    fn connect(&mut self) -> ConnectionId {
        self.connections += 1;
        let id = ConnectionId(self.connections);
        self.board.connected(id, IpAddr::V4(Ipv4Addr::LOCALHOST));
        self.peers.insert(id, Peer::new());
        id
    }

    fn disconnect(&mut self, id: ConnectionId) {
        self.board.disconnected(id);
        self.gone.extend(self.peers.remove(&id));
    }

    /// A batch of bets that nobody made before.
    fn new_bets(&mut self, agency: u32, count: u8, number: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        request::encode_batch_header(u32::from(count), &mut bytes);
        for _ in 0..count {
            // Quotes are slow to read, and a few are as good as many.
            let has_quotes = self.document.is_multiple_of(16);
            let bet = Bet {
                agency,
                first_name: name(if has_quotes { "Ana, la \"Ñ\"" } else { "Ana" }),
                last_name: name("Paz"),
                document: self.document,
                birthdate: date!(1999 - 03 - 17),
                // Most lose, some win, a few are not valid.
                number: match number {
                    0..=99 => WINNING_NUMBER,
                    100..=249 => number,
                    _ => number + 10_000,
                },
            };
            self.document += 1;
            bytes.extend((bet_encoding::encoded_bytes(&bet) as u32).to_be_bytes());
            bet_encoding::encode(&bet, &mut bytes);
        }
        bytes
    }

    fn send(&mut self, connection: u8, bytes: &[u8]) {
        if let Some(id) = self.chosen(connection) {
            self.receive(id, bytes);
        }
    }

    /// Hands bytes to the switchboard, unless it would not have read them.
    fn receive(&mut self, id: ConnectionId, bytes: &[u8]) {
        let peer = self.peers.get_mut(&id).unwrap();
        let bytes = &bytes[..bytes.len().min(READ_BYTES)];
        let would_be_read = self.board.wants_input(id)
            && !self.board.is_turn_full()
            && !peer.has_ended
            && peer.received_bytes + bytes.len() <= READ_BYTES_PER_TURN;
        if would_be_read && !bytes.is_empty() {
            peer.note_sent(bytes);
            let now = self.now();
            self.board.receive(id, bytes, now);
        }
    }

    /// Ends the turn, and looks at every answer.
    fn turn(&mut self) {
        for (id, peer) in &mut self.peers {
            let unsent = self.board.outgoing(*id).unwrap().unsent();
            peer.is_backlogged = unsent.len() > OUTGOING_BYTES_MAX;
        }
        if self.board.end_turn(self.now()).is_err() {
            self.restart(self.rules.durability == Durability::Always);
            return;
        }
        // Reading the files takes longer than all the rest, and most turns say nothing.
        let mut found = None;
        for (id, peer) in &mut self.peers {
            peer.received_bytes = 0;
            let unsent = self.board.outgoing(*id).unwrap().unsent();
            let new = &unsent[std::mem::replace(&mut peer.seen_bytes, unsent.len())..];
            if !new.is_empty() {
                let found = found.get_or_insert_with(|| examine_files(&self.disk));
                // A row of the file is longer than a winner's document.
                let bound = OUTGOING_BYTES_MAX
                    + ANSWER_GROWTH * (READ_BYTES_PER_TURN + READ_BYTES + FRAME_BYTES_MAX)
                    + found.bets_bytes as usize;
                assert!(unsent.len() <= bound, "{} bytes unsent", unsent.len());
                peer.note_answers(new, &self.disk, self.rules.agencies, found);
            }
        }
        for id in self.board.take_touched() {
            self.close_if_over(id);
        }
    }

    fn close_if_over(&mut self, id: ConnectionId) {
        let Some(outgoing) = self.board.outgoing(id) else {
            return;
        };
        let is_over = match outgoing.ending() {
            Ending::Open => false,
            Ending::AfterFlush => outgoing.unsent().is_empty(),
            Ending::Now => true,
        };
        if is_over {
            self.disconnect(id);
        }
    }

    /// The peer reads up to `bytes` bytes.
    fn flush(&mut self, id: ConnectionId, bytes: usize) {
        let peer = self.peers.get_mut(&id).unwrap();
        let outgoing = self.board.outgoing(id).unwrap();
        let sent = bytes.min(outgoing.unsent().len());
        outgoing.advance(sent);
        peer.seen_bytes -= sent;
        self.close_if_over(id);
    }

    /// The central ends without a word, and another one goes on with its files.
    fn restart(&mut self, power_cut: bool) {
        self.gone
            .extend(std::mem::take(&mut self.peers).into_values());
        self.disk.restart(power_cut);
        self.disk.set_faults(Faults::default());
        self.board = open(&self.disk, self.rules);
        self.check_rows();
    }

    /// Every acknowledged batch is there, whole, and nothing is there that nobody sent.
    fn check_rows(&self) {
        let file = self.disk.open(BETS_FILE).unwrap();
        let mut stored: HashMap<Vec<u8>, isize> = HashMap::new();
        let count = |bet: &Bet<'_>| *stored.entry(row_of(bet)).or_default() += 1;
        assert_eq!(load_bets(&file, count).unwrap().1, 0);
        let text = self.disk.cached(BETS_FILE);
        let mut surplus = stored.clone();
        for peer in self.peers.values().chain(&self.gone) {
            for (batch, fate) in peer.batches() {
                let Some((_, rows)) = &batch.content else {
                    assert!(fate != Fate::Stored, "an invalid batch was acknowledged");
                    continue;
                };
                for row in rows {
                    if fate != Fate::Refused {
                        *surplus.entry(row.clone()).or_default() -= 1;
                    }
                    if fate == Fate::Stored {
                        *stored.entry(row.clone()).or_default() -= 1;
                    }
                }
                assert!(
                    fate != Fate::Stored || memmem::find(&text, &rows.concat()).is_some(),
                    "an acknowledged batch is not there in one piece"
                );
            }
        }
        assert!(
            stored.values().all(|missing| *missing >= 0),
            "rows are missing"
        );
        assert!(
            surplus.values().all(|excess| *excess <= 0),
            "rows that nobody sent"
        );
    }

    /// Agencies that behave well come, and everything ends as it should.
    fn end_well(&mut self) {
        self.disk.set_faults(Faults::default());
        self.turn();
        let agencies = 1..=self.rules.agencies;
        let ids: Vec<_> = agencies.clone().map(|agency| self.finish(agency)).collect();
        self.settle();
        for (id, agency) in ids.iter().zip(agencies) {
            let peer = &self.peers[id];
            assert_eq!(peer.agency, Some(agency));
            let answer = self.board.outgoing(*id).unwrap().unsent();
            let expected = winners(&self.disk, agency);
            assert_eq!(Reply::parse(answer), Ok(Reply::InformWinners(expected)));
        }
        self.board.shut_down(self.now()).unwrap();
        let text = self.disk.cached(BETS_FILE);
        self.restart(true);
        assert_eq!(
            self.disk.cached(BETS_FILE),
            text,
            "not everything was synced"
        );
    }

    /// Runs turns until none is due.
    fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            self.turn();
            if self
                .board
                .next_deadline()
                .is_none_or(|due| due > self.elapsed)
            {
                return;
            }
        }
        panic!("a central that never sleeps");
    }

    /// An agency takes over, sends a bet if it may, and asks for its winners.
    fn finish(&mut self, agency: u32) -> ConnectionId {
        let id = self.connect();
        let mut hello = Vec::new();
        request::encode_hello(agency, &mut hello);
        let Reply::Welcome(welcome) = self.ask(id, &hello) else {
            panic!("no Welcome")
        };
        if welcome.state == AgencyState::Betting {
            let bets = self.new_bets(agency, 2, 7);
            assert_eq!(self.ask(id, &bets), Reply::RegisterBetOk);
            self.receive(id, &[0, 5]);
        }
        self.receive(id, &[0, 6]);
        id
    }

    /// Sends a request and gives back the answer to it.
    fn ask(&mut self, id: ConnectionId, bytes: &[u8]) -> Reply {
        self.receive(id, bytes);
        self.turn();
        let answer = Reply::parse(self.board.outgoing(id).unwrap().unsent()).unwrap();
        self.flush(id, usize::MAX);
        answer
    }
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stored,
    Refused,
    /// Nobody was told.
    Unknown,
}

impl Peer {
    fn new() -> Peer {
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

    fn note_sent(&mut self, mut bytes: &[u8]) {
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
    fn note_answers(
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

    fn batches(&self) -> impl Iterator<Item = (&Batch, Fate)> {
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

fn open(disk: &SimDisk, rules: Rules) -> Switchboard<SimFile> {
    let (store, _) = Store::open(disk).unwrap();
    Switchboard::new(Central::new(rules, store), FRAME_BYTES_MAX)
}

/// What the files say, which never have a torn record while the central lives.
fn examine_files(disk: &SimDisk) -> Examination {
    let found = examine(
        &disk.open(BETS_FILE).unwrap(),
        &disk.open(CLOSINGS_FILE).unwrap(),
    )
    .unwrap();
    assert_eq!((found.bets_torn_bytes, found.closings_torn_bytes), (0, 0));
    found
}

fn winners(disk: &SimDisk, agency: u32) -> Vec<u32> {
    let mut documents = Vec::new();
    load_bets(&disk.open(BETS_FILE).unwrap(), |bet| {
        if bet.agency == agency && bet.number == WINNING_NUMBER {
            documents.push(bet.document);
        }
    })
    .unwrap();
    documents
}

fn row_of(bet: &Bet<'_>) -> Vec<u8> {
    let mut row = Vec::new();
    write_bet(bet, &mut row);
    row
}
