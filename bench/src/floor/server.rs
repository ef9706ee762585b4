//! The central's side of the floor.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::{ANSWER_BYTES, FRAME_BYTES};

const LISTENER: Token = Token(0);
const READ_BYTES: usize = 64 * 1024;

/// As many may wait to be accepted as for our server: the few of mio's default would make a crowd
/// wait a second for its connections to be tried again.
const BACKLOG: i32 = 4096;

/// The answers to this many frames are written at once at most; a read has no more.
const ANSWERS: [u8; ANSWER_BYTES * (READ_BYTES / FRAME_BYTES + 1)] =
    [0; ANSWER_BYTES * (READ_BYTES / FRAME_BYTES + 1)];

struct Sender {
    stream: TcpStream,
    /// Bytes of the frame that is not whole yet.
    partial: usize,
}

/// Listens on a port of the system's choice, on loopback.
///
/// # Errors
///
/// Whatever the system says.
pub fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// Appends all that comes to `output`, until the process is ended.
///
/// # Errors
///
/// When a socket or the file fails.
pub fn serve(mut listener: TcpListener, mut output: File) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut senders = HashMap::new();
    let mut next_token = LISTENER.0 + 1;
    let mut buffer = vec![0; READ_BYTES];
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Some(mut stream) = accept(&listener)? {
                    stream.set_nodelay(true)?;
                    let token = Token(next_token);
                    next_token += 1;
                    poll.registry()
                        .register(&mut stream, token, Interest::READABLE)?;
                    senders.insert(token, Sender { stream, partial: 0 });
                }
            } else if event.is_error() || event.is_write_closed() {
                // The agency has closed.
                senders.remove(&event.token());
            } else if let Some(sender) = senders.get_mut(&event.token()) {
                sender.read(&mut buffer, &mut output, event.is_read_closed())?;
            }
        }
    }
}

fn accept(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    match listener.accept() {
        Ok((stream, _)) => Ok(Some(stream)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

impl Sender {
    /// Takes what there is. A read that does not fill the buffer has taken all, unless the end was
    /// announced.
    fn read(&mut self, buffer: &mut [u8], output: &mut File, is_ending: bool) -> io::Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => {
                    // The last frame; without one, the last answer was given before.
                    if std::mem::take(&mut self.partial) > 0 {
                        self.answer(1)?;
                    }
                    return Ok(());
                }
                Ok(read) => {
                    output.write_all(&buffer[..read])?;
                    self.partial += read;
                    let frames = self.partial / FRAME_BYTES;
                    self.partial %= FRAME_BYTES;
                    if frames > 0 {
                        self.answer(frames)?;
                    }
                    if read < buffer.len() && !is_ending {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Few bytes, for which an agency waits, always have room in its socket.
    fn answer(&mut self, frames: usize) -> io::Result<()> {
        self.stream.write_all(&ANSWERS[..frames * ANSWER_BYTES])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::floor::send_file;

    #[test]
    fn every_byte_of_every_agency_ends_up_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("output");
        let listener = listen().unwrap();
        let address = listener.local_addr().unwrap();
        let file = File::create(&output).unwrap();
        // It serves until its process ends, which is that of the test.
        std::thread::spawn(move || serve(listener, file));
        let sizes = [0, 1, FRAME_BYTES, FRAME_BYTES + 1, 10 * FRAME_BYTES];
        for size in sizes {
            let path = folder.path().join("input");
            std::fs::write(&path, vec![b'x'; size]).unwrap();
            send_file(address, &path).unwrap();
        }
        let stored = std::fs::read(&output).unwrap();
        assert_eq!(stored.len(), sizes.iter().sum::<usize>());
    }
}
