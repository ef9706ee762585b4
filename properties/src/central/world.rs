//! The central, its disk, and the peers that are connected to it.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use fastrand::Rng;
use lottery_core::bet::Bet;
use lottery_core::protocol::reply::AgencyState;
use lottery_core::protocol::{Reply, request};
use lottery_core::store::{BETS_FILE, Disk, Store, load_bets};
use lottery_simulation::disk::{Faults, SimDisk, SimFile};
use lottery_simulation::statistics::Statistics;
use memchr::memmem;
use server::central::{Central, Durability, Rules};
use server::layers::{ConnectionId, Moment};
use server::service::{Ending, Service};
use server::switchboard::Switchboard;
use time::macros::date;

use super::files::{examine_files, row_of, winners};
use super::peer::{Fate, Peer};
use super::{FRAME_BYTES_MAX, WINNING_NUMBER, hello};
use crate::{TODAY, name};

/// What the event loop reads of a connection at once, and in a turn.
pub const READ_BYTES: usize = 64 * 1024;
const READ_BYTES_PER_TURN: usize = 4 * READ_BYTES;

/// Unsent answers above which the switchboard listens no more.
const OUTGOING_BYTES_MAX: usize = 64 * 1024;

/// The most that requests grow by when they are answered: a Status of 2 bytes makes 11.
const ANSWER_GROWTH: usize = 6;

/// Turns within which everything that is due must be done.
const TURNS_MAX: usize = 1000;

pub struct World {
    pub rules: Rules,
    pub disk: SimDisk,
    board: Switchboard<SimFile>,
    peers: BTreeMap<ConnectionId, Peer>,
    /// Peers whose connections are gone.
    gone: Vec<Peer>,
    connections: usize,
    pub elapsed: Duration,
    /// The DNI of the next bet, so that no two bets are the same.
    document: u32,
}

impl World {
    pub fn new(rules: Rules) -> World {
        let disk = SimDisk::new(Rng::with_seed(0), Statistics::default());
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

    /// An agency that takes part, or now and then one that does not.
    pub fn agency(&self, number: u8) -> u32 {
        match number {
            255 => 0,
            254 => self.rules.agencies + 1,
            _ => 1 + u32::from(number) % self.rules.agencies,
        }
    }

    /// Does this on the line that is meant, if there is any.
    pub fn on(&mut self, line: u8, act: impl FnOnce(&mut World, ConnectionId)) {
        let chosen = usize::from(line).checked_rem(self.peers.len());
        if let Some(id) = chosen.and_then(|at| self.peers.keys().nth(at).copied()) {
            act(self, id);
        }
    }

    fn now(&self) -> Moment {
        Moment {
            elapsed: self.elapsed,
            today: TODAY,
        }
    }

    pub fn connect(&mut self) -> ConnectionId {
        self.connections += 1;
        let id = ConnectionId(self.connections);
        self.board.connected(id, IpAddr::V4(Ipv4Addr::LOCALHOST));
        self.peers.insert(id, Peer::new());
        id
    }

    pub fn disconnect(&mut self, id: ConnectionId) {
        self.board.disconnected(id);
        self.gone.extend(self.peers.remove(&id));
    }

    /// The peer will send no more.
    pub fn end(&mut self, id: ConnectionId) {
        let has_ended = &mut self.peers.get_mut(&id).unwrap().has_ended;
        if !std::mem::replace(has_ended, true) {
            self.board.end_of_stream(id);
        }
    }

    /// A batch of bets that nobody made before.
    pub fn new_bets(&mut self, agency: u32, count: u8, number: u32) -> Vec<u8> {
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
            request::encode_counted_bet(&bet, &mut bytes);
        }
        bytes
    }

    pub fn send(&mut self, line: u8, bytes: &[u8]) {
        self.on(line, |world, id| world.receive(id, bytes));
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
    pub fn turn(&mut self) {
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
    pub fn flush(&mut self, id: ConnectionId, bytes: usize) {
        let peer = self.peers.get_mut(&id).unwrap();
        let outgoing = self.board.outgoing(id).unwrap();
        let sent = bytes.min(outgoing.unsent().len());
        outgoing.advance(sent);
        peer.seen_bytes -= sent;
        self.close_if_over(id);
    }

    /// The central ends without a word, and another one goes on with its files.
    pub fn restart(&mut self, power_cut: bool) {
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
    pub fn end_well(&mut self) {
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
        let Reply::Welcome(welcome) = self.ask(id, &hello(agency)) else {
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

fn open(disk: &SimDisk, rules: Rules) -> Switchboard<SimFile> {
    let (store, _) = Store::open(disk).unwrap();
    Switchboard::new(Central::new(rules, store), FRAME_BYTES_MAX)
}
