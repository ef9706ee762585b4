//! A central driven by hand.

use std::net::{SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use super::{Bet, Dataset, Message, PATIENCE, Peer, Program, losing_bets, own_address};

/// A listening socket at an address of its own.
pub struct Central {
    pub address: SocketAddr,
    listener: Socket,
}

impl Central {
    pub fn listen() -> Central {
        Central::with_backlog(128)
    }

    /// A central whose backlog is full while this connection lasts, so that no other is answered.
    pub fn overrun() -> (Central, TcpStream) {
        // A backlog of 0 has room for one.
        let central = Central::with_backlog(0);
        let waiting = TcpStream::connect(central.address).unwrap();
        (central, waiting)
    }

    fn with_backlog(backlog: i32) -> Central {
        let address = own_address();
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // Little fits on the way to a central that does not read.
        listener.set_recv_buffer_size(16 * 1024).unwrap();
        listener.bind(&address.into()).unwrap();
        listener.listen(backlog).unwrap();
        listener.set_read_timeout(Some(PATIENCE)).unwrap();
        Central { address, listener }
    }

    pub fn accept(&self) -> Peer {
        let accepted = self.listener.accept();
        let (stream, _) = accepted.unwrap_or_else(|error| panic!("no connection: {error}"));
        Peer::new(TcpStream::from(stream))
    }

    /// The next connection, whose agency 1 says Hello and is welcomed with these bets in this state.
    pub fn greet(&self, bets: &[Bet], state: u8) -> Peer {
        let mut peer = self.meet(None);
        peer.say(Message::Welcome(bets.to_vec(), state));
        peer
    }

    /// The client as agency 1 of this central, with six losing bets in three batches.
    pub fn agency(&self) -> Program {
        let agency = Program::agency(&Dataset::losing(1, 6), self.address);
        agency.set("CLI_BATCH_MAXAMOUNT", 2)
    }

    /// The next connection of that agency, which has said Hello. With a number, it was welcomed and
    /// has sent everything, and so many of its batches are answered.
    pub fn meet(&self, answered: Option<usize>) -> Peer {
        let Some(answered) = answered else {
            let mut peer = self.accept();
            peer.expect(Message::Hello(1));
            return peer;
        };
        let mut peer = self.greet(&[], 0);
        for batch in losing_bets(1, 6).chunks(2) {
            peer.expect(Message::RegisterBets(batch.to_vec()));
        }
        peer.expect_finish();
        peer.send(&Message::RegisterBetOk.encode().repeat(answered));
        peer
    }
}
