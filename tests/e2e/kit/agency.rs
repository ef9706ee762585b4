//! An agency driven by hand, of any dialect.

use super::dialects::{Answer, BetFields, Dialect, put_flags_batches};
use super::{Bet, Peer, Server};

pub struct Agency {
    dialect: Dialect,
    number: u32,
    pub peer: Peer,
    /// The most bytes that are sent at once.
    pub bytes_max: usize,
}

impl Agency {
    pub fn connect(server: &Server, dialect: Dialect, number: u32) -> Agency {
        let peer = Peer::connect(server.address_of(dialect));
        let mut agency = Agency {
            dialect,
            number,
            peer,
            bytes_max: usize::MAX,
        };
        agency.put(|out| dialect.put_greeting(number, out));
        agency
    }

    pub fn batch(&self, bets: &[Bet]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let fields: Vec<_> = bets.iter().map(Bet::fields).collect();
        self.dialect.put_batch(self.number, &fields, &mut bytes);
        bytes
    }

    /// Sends a batch, and expects that it is stored where batches are answered.
    pub fn store(&mut self, bets: &[Bet]) {
        let bytes = self.batch(bets);
        self.put(|out| out.extend(bytes));
        if self.dialect.answers_batches() {
            self.expect_answer(Answer::Stored);
        }
    }

    /// Stores bets in batches, in `flags` those of one message.
    pub fn store_all(&mut self, bets: &[Bet], batch_bets_max: usize) {
        if self.dialect == Dialect::Flags {
            let number = self.number;
            let fields: Vec<BetFields<'_>> = bets.iter().map(Bet::fields).collect();
            let batches: Vec<_> = fields.chunks(batch_bets_max).collect();
            self.put(|out| put_flags_batches(number, &batches, out));
        } else {
            for batch in bets.chunks(batch_bets_max) {
                self.store(batch);
            }
        }
    }

    /// Says that all bets were sent, and asks for the winners where that is the same.
    pub fn finish(&mut self) {
        let (dialect, number) = (self.dialect, self.number);
        self.put(|out| dialect.put_finish(number, out));
        if dialect == Dialect::Frames {
            self.expect_answer(Answer::Stored);
        }
    }

    /// Asks for the winners on a new connection, having finished on another.
    pub fn ask_again(&mut self) {
        let (dialect, number) = (self.dialect, self.number);
        self.put(|out| dialect.put_request(number, out));
    }

    /// Waits for the draw and expects these winners; in `frames` it asks for them once it is announced.
    pub fn expect_winners(&mut self, documents: &[u32]) {
        if self.dialect == Dialect::Frames {
            self.expect_answer(Answer::DrawHeld);
            self.ask_again();
        }
        self.expect_answer(Answer::Winners(documents.to_vec()));
    }

    pub fn expect_answer(&mut self, expected: Answer) {
        let mut came = Vec::new();
        loop {
            let answer = self.dialect.take_answer(&mut came);
            match answer.unwrap_or_else(|_| panic!("no answer: {came:x?}")) {
                Some(answer) => return assert_eq!(answer, expected),
                None => came.extend(self.peer.take(1)),
            }
        }
    }

    fn put(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        put(&mut bytes);
        for bytes in bytes.chunks(self.bytes_max) {
            self.peer.send(bytes);
        }
    }
}
