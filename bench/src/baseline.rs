//! The baseline: the least that gets the agencies' bytes into one file with an answer for each frame.
//!
//! Agencies send the bytes of their CSV files in frames and wait for an answer to each; a single
//! epoll thread appends what comes to a file and looks at none of it. No lottery can be faster, so
//! the time that this takes is the unit in which ours is measured: a ratio to it says as much on one
//! machine as on another.
//!
//! A frame has no header. Every one is full but the last, which the end of the stream ends.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::path::Path;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::load::unless_blocking;
use crate::wire::{BASELINE_ANSWER, BASELINE_FRAME_BYTES};

const LISTENER: Token = Token(usize::MAX - 1);
const READ_BYTES: usize = 64 * 1024;

/// As many may wait to be accepted as for our server: the few of mio's default would make a crowd
/// wait a second for its connections to be tried again.
const BACKLOG: i32 = 4096;

/// Sends a file, frame by frame, each after the answer to the one before.
pub fn send_file(address: SocketAddr, path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut frame = Vec::with_capacity(BASELINE_FRAME_BYTES);
    let mut is_last = false;
    while !is_last {
        frame.clear();
        let mut next = Read::by_ref(&mut file).take(BASELINE_FRAME_BYTES as u64);
        is_last = next.read_to_end(&mut frame)? < BASELINE_FRAME_BYTES;
        stream.write_all(&frame)?;
        if is_last {
            stream.shutdown(Shutdown::Write)?;
        }
        if !frame.is_empty() {
            stream.read_exact(&mut BASELINE_ANSWER.clone())?;
        }
    }
    Ok(())
}

/// Listens on a port of the system's choice, on loopback.
pub fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// Appends all that comes to `output`, until the process is ended.
pub fn serve(mut listener: TcpListener, mut output: File) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut senders = Vec::new();
    let mut buffer = vec![0; READ_BYTES];
    let registry = poll.registry().try_clone()?;
    registry.register(&mut listener, LISTENER, Interest::READABLE)?;
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Some((mut stream, _)) = unless_blocking(listener.accept())? {
                    stream.set_nodelay(true)?;
                    let token = Token(senders.len());
                    registry.register(&mut stream, token, Interest::READABLE)?;
                    senders.push(Sender { stream, partial: 0 });
                }
            } else if !event.is_error() {
                let sender = &mut senders[event.token().0];
                sender.read(&mut buffer, &mut output, event.is_read_closed())?;
            }
        }
    }
}

struct Sender {
    stream: TcpStream,
    /// Bytes of the frame that is not whole yet.
    partial: usize,
}

impl Sender {
    /// Takes what there is. A read that does not fill the buffer has taken all, unless the end was
    /// announced.
    fn read(&mut self, buffer: &mut [u8], output: &mut File, is_ending: bool) -> io::Result<()> {
        while let Some(read) = unless_blocking(self.stream.read(buffer))? {
            output.write_all(&buffer[..read])?;
            self.partial += read;
            let mut frames = self.partial / BASELINE_FRAME_BYTES;
            self.partial %= BASELINE_FRAME_BYTES;
            if read == 0 {
                // The last frame; without a rest, the last answer was given before.
                frames = usize::from(std::mem::take(&mut self.partial) > 0);
            }
            // So few bytes, for which an agency waits, always have room in its socket.
            self.stream.write_all(&BASELINE_ANSWER.repeat(frames))?;
            if read == 0 || (read < buffer.len() && !is_ending) {
                break;
            }
        }
        Ok(())
    }
}
