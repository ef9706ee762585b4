//! Viewers of the board, who follow a lottery while it runs.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread;

use anyhow::{Result, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::load::unless_blocking;

/// How many there are. Every second one reads nothing.
const VIEWERS: usize = 1_000;

const REQUEST: &[u8] = b"GET /events HTTP/1.1\r\nHost: board\r\n\r\n";

/// The token that ends the reading.
const END: Token = Token(VIEWERS);

const READ_BYTES: usize = 64 * 1024;

/// Does `run` while they are connected. An error when one that reads is closed.
pub fn watch<T>(board: SocketAddr, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let poll = Poll::new()?;
    let end = Waker::new(poll.registry(), END)?;
    let mut viewers = Vec::with_capacity(VIEWERS);
    for number in 0..VIEWERS {
        let mut viewer = std::net::TcpStream::connect(board)?;
        viewer.write_all(REQUEST)?;
        viewer.set_nonblocking(true)?;
        let mut viewer = TcpStream::from_std(viewer);
        if number % 2 == 0 {
            let registry = poll.registry();
            registry.register(&mut viewer, Token(number), Interest::READABLE)?;
        }
        viewers.push(viewer);
    }
    thread::scope(|scope| {
        let reading = scope.spawn(|| read(poll, &mut viewers));
        let result = run();
        end.wake()?;
        let read = reading.join().expect("reading does not panic");
        result.and_then(|result| read.map(|()| result))
    })
}

/// Reads what comes to those that are registered, until the end.
fn read(mut poll: Poll, viewers: &mut [TcpStream]) -> Result<()> {
    let mut events = Events::with_capacity(VIEWERS);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == END {
                return Ok(());
            }
            let viewer = &mut viewers[event.token().0];
            while let Some(bytes) = unless_blocking(viewer.read(&mut buffer))? {
                ensure!(bytes > 0, "a viewer was closed");
            }
        }
    }
}
