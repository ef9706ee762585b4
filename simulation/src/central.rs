//! Production's reactor, lottery, central and store, turned by hand, and the calls to them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use lottery_core::codec::DIALECTS;
use lottery_core::store::{OpenError, Store};
use lottery_core::testing::SimDisk;
use rustls::ClientConfig;
use server::central::{Central, Rules, TurnError};
use server::lottery::{Behind, Lottery};
use server::reactor::{Limits, Reactor};
use server::testing::{Authority, Network, Outlook, Peer, SimSocket};
use server::tls::TlsAcceptor;
use server::transport::Transport;

use crate::plan::{AGENCIES_MAX, MESSAGE_BYTES_MAX};
use crate::promise::{Broken, expect};

/// The network, and who waits at the central's doors to be accepted.
pub struct Doors {
    network: Network,
    waiting: Vec<(usize, IpAddr, Transport<SimSocket>)>,
    last_address: u32,
    has_tls: bool,
}

thread_local! {
    /// Keys for all worlds with TLS, because making them takes longer than a world: the central's, and for each agency
    /// its own; the first is nobody's.
    static KEYS: (TlsAcceptor, Vec<Arc<ClientConfig>>) = {
        let authority = Authority::new();
        let names = (0..=AGENCIES_MAX).map(|agency| format!("agency-{agency}"));
        let clients = names.map(|name| authority.client(&name)).collect();
        (authority.acceptor(), clients)
    };
}

#[derive(Clone)]
pub struct Call {
    pub peer: Peer,
    /// The caller's address, which nobody else has: the log names the connection by it.
    pub address: IpAddr,
    pub since: Duration,
    /// When the caller last said something.
    pub said_at: Duration,
    /// Whether the central knows for certain which agency this is.
    pub is_known: bool,
    /// Whether the agency waits for the draw, and has asked the central to be told.
    pub is_waiting: bool,
}

impl Call {
    pub fn say(&mut self, bytes: &[u8], now: Duration) {
        self.peer.send(bytes);
        if !bytes.is_empty() {
            self.said_at = now;
        }
    }

    /// Whether neither end has left or lost it.
    pub fn is_open(&self) -> bool {
        self.peer.outlook() == Outlook::Open && !self.peer.is_closed()
    }
}

impl Doors {
    /// Doors to a central on this network, where TLS is spoken or not.
    pub fn new(network: Network, has_tls: bool) -> Doors {
        Doors {
            network,
            waiting: Vec::new(),
            last_address: u32::from(Ipv4Addr::new(10, 0, 0, 0)),
            has_tls,
        }
    }

    /// Calls at a door, which is a dialect's place among all. Where TLS is spoken, an agency has its
    /// certificate. Somebody else has one that is no agency's, or does not speak TLS.
    pub fn call(&mut self, door: usize, agency: Option<u32>, now: Duration) -> Call {
        self.last_address += 1;
        let address = IpAddr::V4(Ipv4Addr::from(self.last_address));
        let (mut peer, socket) = self.network.connect();
        let transport = match self.has_tls {
            false => Transport::plain(socket),
            true => KEYS.with(|(acceptor, clients)| {
                if agency.is_some() || self.last_address.is_multiple_of(2) {
                    peer.secure(clients[agency.unwrap_or(0) as usize].clone());
                }
                let accepted = acceptor.accept(socket);
                accepted.expect("a session takes nothing but memory")
            }),
        };
        self.waiting.push((door, address, transport));
        Call {
            peer,
            address,
            since: now,
            said_at: now,
            is_known: false,
            is_waiting: false,
        }
    }

    /// The central is gone. See [`Network::server_crashes`].
    pub fn central_crashes(&mut self, power_cut: bool, loses_answers: bool) {
        self.network.server_crashes(power_cut, loses_answers);
        self.waiting.clear();
    }
}

/// What a turn came to for the central.
pub type Turned = Result<(), TurnError>;

pub struct SimCentral {
    reactor: Reactor<Lottery<SimDisk>, SimSocket>,
    memory_bytes_max: usize,
}

impl SimCentral {
    /// Starts the program on what the disk holds; `None` when the disk does not let it. Fails when it takes
    /// what a crash left for damage, or its own draw for another.
    pub fn start(
        disk: &SimDisk,
        rules: Rules,
        limits: Limits,
    ) -> Result<Option<SimCentral>, Broken> {
        let Some(store) = open(disk)? else {
            return Ok(None);
        };
        let central = Central::new(rules, store)
            .map_err(|error| Broken(format!("the lottery does not start: {error}")))?;
        let lottery = Lottery::new(central, MESSAGE_BYTES_MAX, None);
        Ok(Some(SimCentral {
            reactor: Reactor::new(lottery, limits, 0),
            memory_bytes_max: limits.memory_bytes_max,
        }))
    }

    /// What the event loop does: unless it would go on sleeping, take what the system announces, accept,
    /// make a turn. Fails when the central keeps more memory than it may, or would not sleep again.
    pub fn turn(&mut self, doors: &mut Doors, now: Duration) -> Result<Turned, Broken> {
        let edges = doors.network.edges();
        let is_due = self.reactor.next_deadline().is_some_and(|due| due <= now);
        if edges.is_empty() && doors.waiting.is_empty() && !is_due {
            return Ok(Ok(()));
        }
        for (id, readiness) in edges {
            self.reactor.note(id, readiness, now);
        }
        while !doors.waiting.is_empty() && self.reactor.has_room() {
            let (door, address, transport) = doors.waiting.remove(0);
            let id = self.reactor.next_id();
            transport.socket().accept(id);
            let behind = Behind::Agencies(&DIALECTS[door]);
            self.reactor.connected(id, behind, address, transport, now);
        }
        let turned = self.reactor.turn(now);
        let due = self.reactor.next_deadline();
        let sleeps = due.is_none_or(|due| due.is_zero() || due > now) || turned.is_err();
        expect(sleeps, || {
            format!("turn after turn: one is due since {due:?}")
        })?;
        let bytes = self.reactor.memory_bytes();
        let is_within = bytes <= self.memory_bytes_max || turned.is_err();
        expect(is_within, || format!("all connections hold {bytes} bytes"))?;
        Ok(turned)
    }

    /// Shuts down gracefully. Fails when what was taken cannot be stored.
    pub fn shut_down(mut self, now: Duration) -> Turned {
        self.reactor.shut_down(now)?;
        self.reactor.flush(now);
        self.reactor.close_all();
        Ok(())
    }
}

/// Opens the files; `None` when the disk does not let them be opened. Fails when what a crash left is
/// taken for damage.
pub fn open(disk: &SimDisk) -> Result<Option<Store<SimDisk>>, Broken> {
    match Store::open(disk.clone(), || false) {
        Ok((store, _)) => Ok(Some(store)),
        Err(OpenError::File { .. }) => Ok(None),
        Err(damage) => Err(Broken(format!("the store does not open: {damage}"))),
    }
}
