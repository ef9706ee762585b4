//! The production reactor and lottery on a disk and a network in memory. Peers connect by being
//! mentioned, say bytes, and are told replies, which read like `welcome 2 betting, stored`.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::ops::Deref;
use std::time::Duration;

use lottery_core::bet::Bet;
use lottery_core::codec::native::BET_LENGTH_BYTES;
use lottery_core::codec::{DIALECTS, Dialect, Inbox, native};
use lottery_core::message::{Reply, Stage};
use lottery_core::name::Name;
use lottery_core::store::{BETS_FILE, Store};
use lottery_core::testing::SimDisk;
use time::macros::date;

use super::{Authority, Network, Outlook, Peer, Received, SimSocket, forget_log};
use crate::central::{Central, Durability, Rules, StartError};
use crate::connection::ConnectionId;
use crate::lottery::Lottery;
use crate::reactor::{Limits, Reactor};
use crate::service::Service;
use crate::transport::Transport;

pub const A: usize = 1;
pub const B: usize = 2;
pub const C: usize = 3;
pub const D: usize = 4;

pub const SECOND: Duration = Duration::from_secs(1);

/// The number that wins.
pub const WINNING_NUMBER: u32 = 7574;

/// Turns after which a reactor that still has something to do is taken to spin.
const TURNS_MAX: usize = 100_000;

/// A server, and everybody around it.
pub struct World<S: Service = Lottery<SimDisk>> {
    pub reactor: Reactor<S, SimSocket>,
    pub disk: SimDisk,
    pub now: Duration,
    setup: Setup,
    network: Network,
    ends: HashMap<usize, End>,
}

/// What a server is started with.
#[derive(Clone)]
pub struct Setup {
    pub rules: Rules,
    pub limits: Limits,
    pub message_bytes_max: usize,
}

/// A peer's end of its connection, what it has taken and nobody looked at, and the beginning of a reply.
struct End {
    id: ConnectionId,
    peer: Peer,
    taken: Vec<u8>,
    inbox: Inbox,
}

impl Setup {
    /// A lottery of so many agencies, in which each turn is synced and nobody waits too long.
    pub fn of(agencies: u32) -> Setup {
        Setup {
            rules: Rules {
                agencies,
                winning_number: WINNING_NUMBER,
                durability: Durability::Always,
                draw_timeout: None,
                agency_bets_max: None,
            },
            limits: Limits {
                connections_max: 20_000,
                viewers_max: 64,
                memory_bytes_max: 64 << 20,
                idle_timeout: None,
            },
            message_bytes_max: 64 * 1024,
        }
    }
}

impl World {
    pub fn of(agencies: u32) -> World {
        World::with(agencies, |_| ())
    }

    /// A lottery of so many agencies, otherwise as `change` makes it.
    pub fn with(agencies: u32, change: impl FnOnce(&mut Setup)) -> World {
        let mut setup = Setup::of(agencies);
        change(&mut setup);
        World::start(setup, SimDisk::default()).unwrap()
    }

    /// A server that starts on this disk; its log is empty.
    pub fn start(setup: Setup, disk: SimDisk) -> Result<World, StartError> {
        forget_log();
        let (store, _) = Store::open(disk.clone(), || false).unwrap();
        let central = Central::new(setup.rules, store)?;
        let lottery = Lottery::new(central, setup.message_bytes_max);
        Ok(World::around(lottery, setup, disk))
    }

    /// The server was killed and started again: same files, new connections, an empty log.
    pub fn restarted(self) -> World {
        self.restarted_with(|_| ()).unwrap()
    }

    /// As [`World::restarted`], with other settings.
    pub fn restarted_with(self, change: impl FnOnce(&mut Setup)) -> Result<World, StartError> {
        let World {
            mut setup, disk, ..
        } = self;
        change(&mut setup);
        disk.restart(false);
        World::start(setup, disk)
    }

    /// Agency and document of each stored bet, in order.
    pub fn stored(&self) -> Vec<(u32, u32)> {
        let content = String::from_utf8(self.disk.cached(BETS_FILE)).unwrap();
        let rows = content.lines().map(|row| {
            let fields: Vec<&str> = row.split(',').collect();
            (fields[0].parse().unwrap(), fields[3].parse().unwrap())
        });
        rows.collect()
    }

    /// Whether everything in the file is on the medium.
    pub fn is_synced(&self, file: &str) -> bool {
        self.disk.cached(file) == self.disk.synced(file)
    }
}

impl<S: Service> World<S> {
    pub fn around(service: S, setup: Setup, disk: SimDisk) -> World<S> {
        World {
            reactor: Reactor::new(service, setup.limits, 10),
            disk,
            now: Duration::ZERO,
            setup,
            network: Network::default(),
            ends: HashMap::new(),
        }
    }

    /// The connection of this name, made if need be.
    pub fn peer(&mut self, name: usize) -> &Peer {
        if !self.ends.contains_key(&name) {
            self.connects(name, &DIALECTS[0]);
        }
        &self.ends[&name].peer
    }

    /// Makes a new connection of this name at the door where a dialect is spoken.
    pub fn connects(&mut self, name: usize, dialect: &Dialect) {
        let (peer, socket) = self.network.connect();
        self.accepted(name, dialect, peer, Transport::Plain(socket));
    }

    /// Makes a new connection of this name with TLS, at the first door. The peer is certified as `certified`.
    pub fn connects_with_tls(&mut self, name: usize, authority: &Authority, certified: &str) {
        self.begins_tls(name, authority, certified);
        self.run();
    }

    /// As [`World::connects_with_tls`], when no turn was made yet.
    pub fn begins_tls(&mut self, name: usize, authority: &Authority, certified: &str) {
        let (mut peer, socket) = self.network.connect();
        peer.secure(authority.client(certified));
        let transport = authority.acceptor().accept(socket).unwrap();
        self.accepted(name, &DIALECTS[0], peer, transport);
        self.announce(name);
    }

    fn accepted(
        &mut self,
        name: usize,
        dialect: &Dialect,
        peer: Peer,
        transport: Transport<SimSocket>,
    ) {
        assert!(self.reactor.has_room(), "the event loop would not accept");
        let door = DIALECTS.iter().position(|one| one.name == dialect.name);
        let id = self.reactor.next_id();
        let ip = Ipv4Addr::LOCALHOST.into();
        self.reactor
            .connected(id, door.unwrap(), ip, transport, self.now);
        let end = End {
            id,
            peer,
            taken: Vec::new(),
            inbox: Inbox::default(),
        };
        self.ends.insert(name, end);
    }

    /// Has the reactor told of what changed for a connection.
    fn announce(&mut self, name: usize) {
        let End { id, peer, .. } = &self.ends[&name];
        let edge = peer.edge();
        self.reactor.note(*id, edge, self.now);
    }

    /// The peer sends, and no turn is made.
    pub fn sends(&mut self, name: usize, what: impl Says) {
        self.peer(name).send(&what.bytes());
        self.announce(name);
    }

    /// The peer sends, and the reactor turns until it would sleep.
    pub fn hears(&mut self, name: usize, what: impl Says) {
        self.sends(name, what);
        self.run();
    }

    /// As [`World::hears`]; since it was last looked at, the peer has been told this.
    #[track_caller]
    pub fn says(&mut self, name: usize, what: impl Says, told: &str) {
        self.hears(name, what);
        self.expect(name, told);
    }

    /// The peer sends no more, and still reads.
    pub fn ends(&mut self, name: usize) {
        self.peer(name).end();
        self.announce(name);
    }

    /// Nobody is left at the other end. The next mention of the name is a new connection.
    pub fn dies(&mut self, name: usize) {
        self.peer(name).leave(Outlook::Reset);
        self.announce(name);
        self.ends.remove(&name);
    }

    /// The peer takes this many bytes and no more.
    pub fn takes(&mut self, name: usize, bytes: usize) {
        self.peer(name).set_room(bytes);
        self.announce(name);
    }

    /// Turns until the reactor would sleep, and no peer has an answer in a handshake for it.
    pub fn run(&mut self) {
        for _ in 0..TURNS_MAX {
            self.turn();
            let would_sleep = self.deadline().is_none_or(|deadline| deadline > self.now);
            if would_sleep && !self.peers_answer() {
                return;
            }
        }
        panic!("the reactor spins");
    }

    fn peers_answer(&mut self) -> bool {
        let names: Vec<_> = self.ends.keys().copied().collect();
        let mut has_answered = false;
        for name in names {
            let End { peer, taken, .. } = self.ends.get_mut(&name).unwrap();
            if peer.is_secure()
                && let Received::Bytes(bytes) = peer.receive()
            {
                taken.extend(bytes);
                self.announce(name);
                has_answered = true;
            }
        }
        has_answered
    }

    pub fn turn(&mut self) {
        self.try_turn().unwrap();
    }

    pub fn try_turn(&mut self) -> Result<(), S::Error> {
        self.reactor.turn(self.now)
    }

    /// So much time goes by, and the reactor turns until it would sleep.
    pub fn waits(&mut self, time: Duration) {
        self.now += time;
        self.run();
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.reactor.next_deadline()
    }

    /// The end of a run.
    pub fn shuts_down(&mut self) {
        self.reactor.shut_down(self.now).unwrap();
        self.reactor.flush(self.now);
    }

    /// The bytes that the peer was sent since it was last looked at.
    pub fn received(&mut self, name: usize) -> Vec<u8> {
        let received = self.peer(name).receive();
        let mut taken = std::mem::take(&mut self.ends.get_mut(&name).unwrap().taken);
        if let Received::Bytes(bytes) = received {
            taken.extend(bytes);
        }
        taken
    }

    /// Since it was last looked at, the peer has been told this.
    #[track_caller]
    pub fn expect(&mut self, name: usize, told: &str) {
        assert_eq!(self.told(name), told);
    }

    /// What the peer was told in the native dialect since it was last looked at.
    pub fn told(&mut self, name: usize) -> String {
        let bytes = self.received(name);
        let inbox = &mut self.ends.get_mut(&name).unwrap().inbox;
        let mut input = &bytes[..];
        let mut replies = Vec::new();
        while let Some(message) = inbox
            .next_message(&mut input, |bytes| native::scan_reply(bytes, u64::MAX))
            .unwrap()
        {
            replies.push(as_text(&native::parse_reply(message).unwrap()));
        }
        replies.join(", ")
    }

    /// Whether the server sends no more on the connection.
    pub fn is_over(&mut self, name: usize) -> bool {
        self.peer(name).outlook() != Outlook::Open
    }

    /// Whether the server has dropped the connection.
    pub fn is_closed(&mut self, name: usize) -> bool {
        self.peer(name).is_closed()
    }
}

fn as_text(reply: &Reply) -> String {
    let stage = |stage| match stage {
        Stage::Betting => "betting",
        Stage::Finished => "finished",
        Stage::Drawn => "drawn",
    };
    match reply {
        Reply::Welcome(welcome) => format!("welcome {} {}", welcome.bets, stage(welcome.stage)),
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

/// Bytes of a bet in a batch, with its length.
pub const COUNTED_BET_BYTES: usize = BET_LENGTH_BYTES + 38;

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
