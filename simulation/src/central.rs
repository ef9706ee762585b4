//! Production's switchboard, central and store, turned by hand.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use fastrand::Rng;
use lottery_core::store::{OpenError, Store};
use server::central::{Central, Rules};
use server::layers::{ConnectionId, Moment};
use server::service::{Ending, Service};
use server::switchboard::Switchboard;

use crate::disk::{SimDisk, SimFile};
use crate::network::{Network, Received};
use crate::plan::{FRAME_BYTES_MAX, TODAY};
use crate::promise::Broken;
use crate::statistics::Statistics;

/// A central that runs.
pub struct SimCentral {
    switchboard: Switchboard<SimFile>,
    connections: BTreeSet<ConnectionId>,
    /// Connections whose agencies were heard to send no more.
    ended: BTreeSet<ConnectionId>,
    started: Duration,
    statistics: Statistics,
}

/// How a turn ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Turned {
    /// In good order.
    Well,
    /// The program died within it, or stopped because it could not go on.
    Dead,
}

impl SimCentral {
    /// Starts the program on what the disk holds; `None` when it dies in doing so, or ends because
    /// the disk does not let it open its files.
    ///
    /// # Errors
    ///
    /// When it takes what a crash left for damage.
    pub fn start(
        disk: &SimDisk,
        rules: Rules,
        now: Duration,
        statistics: Statistics,
    ) -> Result<Option<SimCentral>, Broken> {
        let store = match Store::open(disk) {
            Ok((store, _)) => store,
            Err(OpenError::File { .. }) => return Ok(None),
            Err(OpenError::Damage(damage)) => {
                return Err(Broken::DoesNotOpen(damage.to_string()));
            }
        };
        Ok(Some(SimCentral {
            switchboard: Switchboard::new(Central::new(rules, store), FRAME_BYTES_MAX),
            connections: BTreeSet::new(),
            ended: BTreeSet::new(),
            started: now,
            statistics,
        }))
    }

    /// A turn as the event loop makes it: accept, read some of what has arrived, end the turn, send
    /// some of what is to be sent.
    pub fn turn(
        &mut self,
        accepted: &[ConnectionId],
        network: &mut Network,
        rng: &mut Rng,
        now: Duration,
    ) -> Turned {
        let moment = Moment {
            elapsed: now - self.started,
            today: TODAY,
        };
        for id in accepted {
            self.connections.insert(*id);
            self.switchboard
                .connected(*id, IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        let mut order: Vec<_> = self.connections.iter().copied().collect();
        rng.shuffle(&mut order);
        for id in order {
            if rng.u8(..4) != 0 {
                self.read(id, network, moment);
            }
        }
        if self.switchboard.end_turn(moment).is_err() {
            return Turned::Dead;
        }
        for id in self.connections.clone() {
            if rng.u8(..4) != 0 {
                self.send(id, network, rng);
            }
        }
        let _ = self.switchboard.take_touched();
        Turned::Well
    }

    fn read(&mut self, id: ConnectionId, network: &mut Network, moment: Moment) {
        if !self.switchboard.wants_input(id) && !network.is_broken_for_central(id) {
            return;
        }
        match network.central_receives(id) {
            Received::Bytes(bytes) => self.switchboard.receive(id, &bytes, moment),
            Received::Nothing => {}
            Received::Ended => {
                if self.ended.insert(id) {
                    self.switchboard.end_of_stream(id);
                }
            }
            Received::Broken => self.forget(id),
        }
    }

    fn send(&mut self, id: ConnectionId, network: &mut Network, rng: &mut Rng) {
        let Some(outgoing) = self.switchboard.outgoing(id) else {
            return;
        };
        if outgoing.ending() == Ending::Now {
            self.statistics.add("takeovers");
            network.central_closes(id, false);
            return self.forget(id);
        }
        let unsent = outgoing.unsent().len();
        if unsent > 0 {
            let most = if rng.bool() {
                unsent
            } else {
                rng.usize(1..=unsent)
            };
            network.central_sends(id, &outgoing.unsent()[..most]);
            outgoing.advance(most);
        }
        if outgoing.unsent().is_empty() && outgoing.ending() == Ending::AfterFlush {
            network.central_closes(id, true);
            self.forget(id);
        }
    }

    fn forget(&mut self, id: ConnectionId) {
        self.connections.remove(&id);
        self.ended.remove(&id);
        self.switchboard.disconnected(id);
    }
}
