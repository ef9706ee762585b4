//! The load: many agencies in one thread, as cheap as can be, so that the server is what is
//! measured.
//!
//! Each agency replays its [`Script`]. A run ends when the last agency has its winners, whose number
//! it checks. It measures each batch from the write that ends it to the read that brings its answer.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::net::sockopt::set_socket_linger;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::certificates::{ADDRESS, Authority};
use crate::dialects::Answer;
use crate::wire::{Script, Told};

/// Agencies that may wait for the server's first answer at once. More would overflow the backlog of a
/// busy server, and a dropped SYN is retried after a second.
const UNHEARD_MAX: usize = 256;

/// Longest silence before a run is given up.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Bytes that are read or written at once, at most, as the real client does it.
const PIECE_BYTES: usize = 64 * 1024;

/// What a load saw.
pub struct Outcome {
    /// From the first connection to the last winners.
    pub elapsed: Duration,
    /// Nanoseconds from a batch to its answer, to three digits.
    pub answer_ns: Histogram<u64>,
}

/// Runs an agency for each script, each with at most `window` batches unanswered, over TLS if there is
/// a `tls`. Fails when the server refuses, closes, tells other winners than were sent, or falls silent.
pub fn run(
    address: SocketAddr,
    scripts: &[Script],
    window: u32,
    tls: Option<&Authority>,
) -> Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut agencies: Vec<Agency<'_>> = Vec::with_capacity(scripts.len());
    let mut common = Common {
        window: window as usize,
        buffer: vec![0; PIECE_BYTES],
        answer_ns: Histogram::new(3)?,
        heard: 0,
        done: 0,
    };
    let configs = tls.map(|authority| tls_configs(authority, scripts.len()));
    let configs = configs.transpose()?;
    let started = Instant::now();
    while common.done < scripts.len() {
        while agencies.len() < scripts.len().min(common.heard + UNHEARD_MAX) {
            let index = agencies.len();
            let mut stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            // Closed so that nothing stays: tens of thousands of connections that linger for a minute
            // or two fill the tables of the kernel and of its firewall, which then drops packets.
            set_socket_linger(&stream, Some(Duration::ZERO))?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registry = poll.registry();
            registry.register(&mut stream, Token(index), interest)?;
            let session = configs.as_ref().map(|configs| session(&configs[index]));
            agencies.push(Agency {
                socket: stream,
                session: session.transpose()?,
                script: &scripts[index],
                is_heard: false,
                is_done: false,
                partial: Vec::new(),
                sent_bytes: 0,
                answered: 0,
                in_flight: VecDeque::new(),
            });
        }
        poll.poll(&mut events, Some(SILENCE_MAX))?;
        ensure!(!events.is_empty(), "the server is silent");
        for event in &events {
            let index = event.token().0;
            let ready = agencies[index].ready(&mut common);
            ready.with_context(|| format!("agency {}", index + 1))?;
        }
    }
    Ok(Outcome {
        elapsed: started.elapsed(),
        answer_ns: common.answer_ns,
    })
}

/// What all agencies of a load have in common.
struct Common {
    window: usize,
    buffer: Vec<u8>,
    answer_ns: Histogram<u64>,
    /// Agencies that the server has answered, and so has accepted.
    heard: usize,
    done: usize,
}

/// What each of so many agencies needs to connect over TLS.
pub fn tls_configs(authority: &Authority, agencies: usize) -> Result<Vec<Arc<ClientConfig>>> {
    let config = |number| {
        let [ca, certificate, key] = authority.files(number);
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca)?)?;
        let chain = vec![CertificateDer::from_pem_file(certificate)?];
        let key = PrivateKeyDer::from_pem_file(key)?;
        let config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        Ok(Arc::new(config))
    };
    (1..=agencies as u32).map(config).collect()
}

pub fn session(config: &Arc<ClientConfig>) -> Result<ClientConnection> {
    let server = ServerName::try_from(ADDRESS)?;
    Ok(ClientConnection::new(config.clone(), server)?)
}

/// An agency: a socket, a place in a script, and the batches that wait for an answer.
struct Agency<'a> {
    socket: TcpStream,
    /// `None`: no TLS.
    session: Option<ClientConnection>,
    script: &'a Script,
    is_heard: bool,
    is_done: bool,
    /// What came of an answer that is not whole yet.
    partial: Vec<u8>,
    sent_bytes: usize,
    answered: usize,
    /// When each message that waits for its answer was given to the system.
    in_flight: VecDeque<Instant>,
}

impl Agency<'_> {
    /// Sends what it may and takes what there is.
    fn ready(&mut self, common: &mut Common) -> Result<()> {
        self.send(common.window)?;
        while let Some(read) = unless_blocking(self.read(&mut common.buffer))? {
            if self.is_done {
                return Ok(());
            }
            ensure!(read > 0, "the server closed the connection");
            self.partial.extend_from_slice(&common.buffer[..read]);
            let now = Instant::now();
            while let Some(answer) = self.script.take_answer(&mut self.partial)? {
                self.take(answer, now, common)?;
            }
            self.send(common.window)?;
            // A TLS record may hold more than was read of it.
            if self.session.is_none() && read < common.buffer.len() {
                break;
            }
        }
        Ok(())
    }

    /// Sends as much as the window and the socket let.
    fn send(&mut self, window: usize) -> Result<()> {
        let may_begin = self.is_heard || self.script.greeting_end == 0;
        let messages = if may_begin { self.answered + window } else { 0 };
        let end = self.script.end_of_first(messages);
        while self.sent_bytes < end {
            let end = end.min(self.sent_bytes + PIECE_BYTES);
            // Before the write, so that no answer comes before its question.
            let now = Instant::now();
            let piece = &self.script.bytes[self.sent_bytes..end];
            let Some(written) = unless_blocking(self.write(piece))? else {
                break;
            };
            self.sent_bytes += written;
            let unsent = &self.script.ends[self.answered + self.in_flight.len()..];
            let whole = unsent.partition_point(|end| *end <= self.sent_bytes);
            self.in_flight.extend((0..whole).map(|_| now));
            if self.sent_bytes == self.script.bytes.len() && self.script.winners.is_none() {
                self.socket.shutdown(Shutdown::Write)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.session {
            None => self.socket.read(buffer),
            Some(session) => rustls::Stream::new(session, &mut self.socket).read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.session {
            None => self.socket.write(bytes),
            Some(session) => rustls::Stream::new(session, &mut self.socket).write(bytes),
        }
    }

    fn take(&mut self, told: Told, now: Instant, common: &mut Common) -> Result<()> {
        let (expected, is_last) = (self.script.winners, self.script.ends.len());
        match (told, self.in_flight.pop_front()) {
            (Told::Welcome(0), None) if !self.is_heard => {}
            (Told::Answer(Answer::Stored), Some(sent)) => {
                common.answer_ns.record((now - sent).as_nanos() as u64)?;
                self.answered += 1;
                self.is_done = self.answered == is_last && expected.is_none();
            }
            (Told::Answer(Answer::DrawHeld), None) if self.answered == is_last => {}
            (Told::Answer(Answer::Winners(dnis)), None) if self.answered == is_last => {
                let told = dnis.len() as u64;
                self.is_done = expected == Some(told);
                ensure!(self.is_done, "{told} winners, expected {expected:?}");
            }
            (told, _) => bail!("unexpected {told:?}"),
        }
        common.heard += usize::from(!self.is_heard);
        self.is_heard = true;
        common.done += usize::from(self.is_done);
        Ok(())
    }
}

/// `None` when the socket has to be waited for.
pub fn unless_blocking<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}
