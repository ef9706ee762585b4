//! Production's reactor, switchboard, central and store, turned by hand.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use lottery_core::store::{OpenError, Store};
use server::central::{Central, Rules};
use server::layers::{ConnectionId, Moment};
use server::reactor::{Budget, Reactor};
use server::switchboard::Switchboard;

use crate::disk::{SimDisk, SimFile};
use crate::network::Network;
use crate::plan::{FRAME_BYTES_MAX, TODAY};
use crate::promise::Broken;

/// So little that budgets are spent in every world.
const BUDGET: Budget = Budget {
    read_bytes: 128,
    reads_per_turn: 3,
    // Of a connection that is dead without a word the central learns by a takeover.
    idle_timeout: None,
};

/// A central that runs.
pub struct SimCentral {
    reactor: Reactor<Switchboard<SimFile>>,
    started: Duration,
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
    ) -> Result<Option<SimCentral>, Broken> {
        let store = match Store::open(disk) {
            Ok((store, _)) => store,
            Err(OpenError::File { .. }) => return Ok(None),
            Err(OpenError::Damage(damage)) => {
                return Err(Broken::DoesNotOpen(damage.to_string()));
            }
        };
        let switchboard = Switchboard::new(Central::new(rules, store), FRAME_BYTES_MAX);
        Ok(Some(SimCentral {
            reactor: Reactor::new(switchboard, BUDGET),
            started: now,
        }))
    }

    /// What the event loop does after a sleep: take what the system announces, accept, make a turn.
    pub fn turn(
        &mut self,
        accepted: &[ConnectionId],
        network: &mut Network,
        now: Duration,
    ) -> Turned {
        let moment = Moment {
            elapsed: now - self.started,
            today: TODAY,
        };
        for (id, readiness) in network.arrivals() {
            self.reactor.note(id, readiness, network, moment.elapsed);
        }
        for id in accepted {
            network.accept(*id);
            let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
            self.reactor.connected(*id, peer, moment.elapsed);
        }
        match self.reactor.turn(network, moment) {
            Ok(()) => Turned::Well,
            Err(_) => Turned::Dead,
        }
    }
}
