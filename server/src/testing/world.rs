//! The production reactor and lottery on a disk and a network in memory. Peers connect by being
//! mentioned, say bytes, and are told replies, which read like `welcome 2 betting, stored`.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;
use lottery_core::codec::{DIALECTS, Dialect, Scan, native};
use lottery_core::store::{BETS_FILE, Store};
use lottery_core::testing::SimDisk;

use super::words::{Says, as_text};
use super::{Authority, Network, Outlook, Peer, Received, SimSocket, forget_log};
use crate::central::{Central, Durability, Rules};
use crate::connection::ConnectionId;
use crate::http::{Http, Metrics};
use crate::lottery::Lottery;
use crate::reactor::{Limits, Reactor};
use crate::service::{Behind, Service};
use crate::transport::Transport;

pub const A: usize = 1;
pub const B: usize = 2;
pub const C: usize = 3;
pub const D: usize = 4;

pub const SECOND: Duration = Duration::from_secs(1);

const NATIVE: Behind = Behind::Agencies(&DIALECTS[0]);

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

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
    /// Whether viewers are served.
    pub has_http: bool,
}

/// A peer's end of its connection, and what it has received and not yet checked.
struct End {
    id: ConnectionId,
    peer: Peer,
    taken: Vec<u8>,
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
            has_http: false,
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
    pub fn start(setup: Setup, disk: SimDisk) -> Result<World> {
        forget_log();
        let (store, _) = Store::open(disk.clone(), || false).unwrap();
        let central = Central::new(setup.rules, store)?;
        let http = setup.has_http.then(|| Http::new(Metrics::new("test")));
        let lottery = Lottery::new(central, setup.message_bytes_max, http);
        Ok(World::around(lottery, setup, disk))
    }

    /// The server was killed and started again: same files, new connections, an empty log.
    pub fn restarted(self) -> World {
        self.restarted_with(|_| ()).unwrap()
    }

    /// As [`World::restarted`], with other settings.
    pub fn restarted_with(self, change: impl FnOnce(&mut Setup)) -> Result<World> {
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
            self.connects_at(name, NATIVE);
        }
        &self.ends[&name].peer
    }

    /// Makes a new connection of this name at the door where a dialect is spoken.
    pub fn connects(&mut self, name: usize, dialect: &str) {
        let dialect = Dialect::named(dialect).unwrap();
        self.connects_at(name, Behind::Agencies(dialect));
    }

    /// Makes a new connection of this name at a door with this behind it.
    pub fn connects_at(&mut self, name: usize, behind: Behind) {
        let (peer, socket) = self.network.connect();
        self.accepted(name, behind, LOCALHOST, peer, Transport::plain(socket));
    }

    /// Makes a new connection of this name with TLS, at the first door. The peer is certified as `certified`.
    pub fn connects_with_tls(&mut self, name: usize, authority: &Authority, certified: &str) {
        self.begins_tls(name, LOCALHOST, authority, certified);
        self.run();
        // The peer answers what it has received, and that ends the handshake.
        assert!(self.received(name).is_empty());
        self.hears(name, "");
    }

    /// As [`World::connects_with_tls`], but only the peer's first words are on their way.
    pub fn begins_tls(&mut self, name: usize, ip: Ipv4Addr, authority: &Authority, client: &str) {
        let (mut peer, socket) = self.network.connect();
        peer.secure(authority.client(client));
        let transport = authority.acceptor().accept(socket).unwrap();
        self.accepted(name, NATIVE, ip, peer, transport);
        self.announce(name);
    }

    fn accepted(
        &mut self,
        name: usize,
        behind: Behind,
        ip: Ipv4Addr,
        peer: Peer,
        transport: Transport<SimSocket>,
    ) {
        assert!(self.reactor.has_room(), "the event loop would not accept");
        let id = self.reactor.next_id();
        self.reactor
            .connected(id, behind, ip.into(), transport, self.now);
        let end = End {
            id,
            peer,
            taken: Vec::new(),
        };
        self.ends.insert(name, end);
    }

    /// Has the reactor told of what changed for a connection.
    pub fn announce(&mut self, name: usize) {
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

    /// Turns until the reactor would sleep.
    pub fn run(&mut self) {
        for _ in 0..TURNS_MAX {
            self.turn();
            if self.deadline().is_none_or(|deadline| deadline > self.now) {
                return;
            }
        }
        panic!("the reactor spins");
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
        let mut rest = &bytes[..];
        let mut replies = Vec::new();
        while let Ok(Scan::Whole(length)) = native::scan_reply(rest, u64::MAX) {
            replies.push(as_text(&native::parse_reply(&rest[..length]).unwrap()));
            rest = &rest[length..];
        }
        self.ends.get_mut(&name).unwrap().taken = rest.to_vec();
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
