//! A network of byte streams: what is sent arrives later, in other pieces, or not at all.

use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;
use server::layers::ConnectionId;

use crate::statistics::Statistics;

/// What an end of a connection can still expect of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Bytes may come.
    Open,
    /// No more bytes will come, in good order.
    Ended,
    /// The connection is broken, and this end is told so.
    Reset,
    /// The connection is dead, and nobody tells this end.
    Silent,
}

/// A connection between an agency and the central.
#[derive(Debug)]
pub struct Link {
    to_central: VecDeque<u8>,
    to_agency: VecDeque<u8>,
    central_sees: Outlook,
    agency_sees: Outlook,
}

/// What reading gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Some bytes.
    Bytes(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// The peer sends no more.
    Ended,
    /// The connection is broken.
    Broken,
}

/// All connections.
pub struct Network {
    links: BTreeMap<ConnectionId, Link>,
    next: usize,
    rng: Rng,
    statistics: Statistics,
}

impl Network {
    /// A network whose accidents come from `rng`.
    pub fn new(rng: Rng, statistics: Statistics) -> Network {
        Network {
            links: BTreeMap::new(),
            next: 2,
            rng,
            statistics,
        }
    }

    /// Makes a connection.
    pub fn connect(&mut self) -> ConnectionId {
        let id = ConnectionId(self.next);
        self.next += 1;
        let link = Link {
            to_central: VecDeque::new(),
            to_agency: VecDeque::new(),
            central_sees: Outlook::Open,
            agency_sees: Outlook::Open,
        };
        self.links.insert(id, link);
        id
    }

    /// The connections of which at least one end is alive.
    pub fn ids(&self) -> Vec<ConnectionId> {
        self.links.keys().copied().collect()
    }

    /// Whether the central is told that the connection is broken, with nothing left to read.
    pub fn is_broken_for_central(&self, id: ConnectionId) -> bool {
        self.links
            .get(&id)
            .is_none_or(|link| link.central_sees == Outlook::Reset)
    }

    /// The agency sends; what is sent into a dead connection is lost, and says so only later.
    pub fn agency_sends(&mut self, id: ConnectionId, bytes: &[u8]) {
        if let Some(link) = self.links.get_mut(&id)
            && link.agency_sees == Outlook::Open
        {
            link.to_central.extend(bytes);
        }
    }

    /// The central sends.
    pub fn central_sends(&mut self, id: ConnectionId, bytes: &[u8]) {
        if let Some(link) = self.links.get_mut(&id)
            && link.central_sees != Outlook::Silent
            && link.central_sees != Outlook::Reset
        {
            link.to_agency.extend(bytes);
        }
    }

    /// Some of what has arrived at the central.
    pub fn central_receives(&mut self, id: ConnectionId) -> Received {
        let Some(link) = self.links.get_mut(&id) else {
            return Received::Broken;
        };
        take(
            &mut link.to_central,
            link.central_sees,
            &mut self.rng,
            &self.statistics,
        )
    }

    /// Some of what has arrived at the agency.
    pub fn agency_receives(&mut self, id: ConnectionId) -> Received {
        let Some(link) = self.links.get_mut(&id) else {
            return Received::Broken;
        };
        take(
            &mut link.to_agency,
            link.agency_sees,
            &mut self.rng,
            &self.statistics,
        )
    }

    /// What the agency can still expect.
    pub fn agency_outlook(&self, id: ConnectionId) -> Outlook {
        self.links
            .get(&id)
            .map_or(Outlook::Reset, |link| link.agency_sees)
    }

    /// The central closes its end. What it sent before still arrives, unless the agency's own bytes
    /// were left unread, in which case it may not.
    pub fn central_closes(&mut self, id: ConnectionId, gently: bool) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.to_central.clear();
        link.central_sees = Outlook::Reset;
        if link.agency_sees == Outlook::Open {
            link.agency_sees = if gently {
                Outlook::Ended
            } else {
                Outlook::Reset
            };
        }
        if !gently {
            let kept = self.rng.usize(..=link.to_agency.len());
            link.to_agency.truncate(kept);
        }
        self.forget_dead(id);
    }

    /// The agency's end is gone: its program ended or crashed, or gave the connection up. The
    /// central learns of it, or, when it was not told, does not.
    pub fn agency_leaves(&mut self, id: ConnectionId, central_sees: Outlook) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.agency_sees = Outlook::Reset;
        link.to_agency.clear();
        if link.central_sees == Outlook::Open {
            link.central_sees = central_sees;
        }
        if link.central_sees == Outlook::Silent {
            self.statistics.add("half-open connections");
        }
        self.forget_dead(id);
    }

    /// The connection breaks in the middle. What was on its way may be lost, and each end learns of
    /// it in its own way, or not.
    pub fn cut(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        self.statistics.add("cut connections");
        for queue in [&mut link.to_central, &mut link.to_agency] {
            let kept = self.rng.usize(..=queue.len());
            if kept < queue.len() {
                self.statistics.add("bytes lost in a cut");
            }
            queue.truncate(kept);
        }
        for sees in [&mut link.central_sees, &mut link.agency_sees] {
            if *sees == Outlook::Open {
                *sees = if self.rng.bool() {
                    Outlook::Reset
                } else {
                    Outlook::Silent
                };
            }
        }
        if link.central_sees == Outlook::Silent || link.agency_sees == Outlook::Silent {
            self.statistics.add("half-open connections");
        }
        self.forget_dead(id);
    }

    /// The central is gone. Each agency learns of it, or, after a power cut, does not. With
    /// `loses_answers` nothing more arrives of what the central had sent.
    pub fn central_crashes(&mut self, power_cut: bool, loses_answers: bool) {
        for link in self.links.values_mut() {
            link.to_central.clear();
            let most = if loses_answers {
                0
            } else {
                link.to_agency.len()
            };
            let kept = self.rng.usize(..=most);
            link.to_agency.truncate(kept);
            link.central_sees = Outlook::Reset;
            if link.agency_sees == Outlook::Open {
                link.agency_sees = if power_cut {
                    Outlook::Silent
                } else {
                    Outlook::Reset
                };
            }
        }
        for id in self.ids() {
            self.forget_dead(id);
        }
    }

    fn forget_dead(&mut self, id: ConnectionId) {
        let is_dead = self.links.get(&id).is_some_and(|link| {
            link.central_sees == Outlook::Reset
                && link.agency_sees == Outlook::Reset
                && link.to_agency.is_empty()
        });
        if is_dead {
            self.links.remove(&id);
        }
    }
}

fn take(
    queue: &mut VecDeque<u8>,
    sees: Outlook,
    rng: &mut Rng,
    statistics: &Statistics,
) -> Received {
    if !queue.is_empty() {
        // Mostly a few bytes, so that frames are split, and sometimes all that there is.
        let most = if rng.bool() {
            queue.len()
        } else {
            queue.len().min(9)
        };
        let taken = rng.usize(1..=most);
        if taken < queue.len() {
            statistics.add("frames split on the way");
        }
        return Received::Bytes(queue.drain(..taken).collect());
    }
    match sees {
        Outlook::Open | Outlook::Silent => Received::Nothing,
        Outlook::Ended => Received::Ended,
        Outlook::Reset => Received::Broken,
    }
}
