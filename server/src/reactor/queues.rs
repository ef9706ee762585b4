//! Who is visited next.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::ops::Bound;

use crate::connection::{ConnectionId, Rank};

/// Connections that wait for a visit, by rank. First in, first out per rank. Handshakes are expensive
/// and anybody can begin them, so there the source addresses take turns.
#[derive(Debug, Default)]
pub struct Queues {
    by_rank: [VecDeque<ConnectionId>; Rank::ALL.len()],
    handshakes: BTreeMap<IpAddr, VecDeque<ConnectionId>>,
    /// The address whose handshake was visited last.
    last: Option<IpAddr>,
}

impl Queues {
    pub fn push(&mut self, rank: Rank, peer: IpAddr, id: ConnectionId) {
        let queue = match rank {
            Rank::Handshaking => self.handshakes.entry(peer).or_default(),
            _ => &mut self.by_rank[rank as usize],
        };
        queue.push_back(id);
    }

    pub fn pop(&mut self, rank: Rank) -> Option<ConnectionId> {
        match rank {
            Rank::Handshaking => self.pop_handshake(),
            _ => self.by_rank[rank as usize].pop_front(),
        }
    }

    fn pop_handshake(&mut self) -> Option<ConnectionId> {
        let behind_last = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut next = self.handshakes.range((behind_last, Bound::Unbounded));
        let next = next.next().or(self.handshakes.first_key_value())?;
        let address = *next.0;
        self.last = Some(address);
        let queue = self.handshakes.get_mut(&address)?;
        let id = queue.pop_front();
        if queue.is_empty() {
            self.handshakes.remove(&address);
        }
        id
    }

    pub fn len(&self, rank: Rank) -> usize {
        match rank {
            Rank::Handshaking => self.handshakes.values().map(VecDeque::len).sum(),
            _ => self.by_rank[rank as usize].len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.handshakes.is_empty() && self.by_rank.iter().all(VecDeque::is_empty)
    }
}
