//! A health check without a shell: asks the server that runs with the same settings how far it is.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use lottery_core::codec::{Inbox, native};
use lottery_core::message::{Reply, StatusReport};
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

use crate::config::{Config, Mode};

/// The loopback address from which a health check connects, where the system lets it choose, so that
/// the server can tell it from an agency and leave it out of its log.
pub const HEALTH_CHECK_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 7, 5, 74);

/// How long a healthy server takes to answer, at most.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of an HTTP answer that are read.
const ANSWER_BYTES_MAX: u64 = 4096;

/// How a server is that answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Health {
    /// It echoes, and accepts connections.
    Echoes,
    /// It stores bets, and says so by HTTP.
    Ready,
    /// It holds a lottery.
    Lottery(StatusReport),
}

/// Why a server is not healthy.
#[derive(Debug, Error)]
pub enum Unhealthy {
    /// It cannot be asked: it listens wherever the system likes.
    #[error("the port is 0, so nobody knows where the server listens; set it, or HTTP_PORT")]
    UnknownPort,
    /// It cannot be asked: its port takes TLS.
    #[error("SERVER_PORT takes TLS only; set HTTP_PORT for health checks")]
    TlsOnly,
    /// It does not accept, or does not answer as it should.
    #[error("{address}: {error}; is the server running?")]
    Silent {
        /// Where it was asked.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
}

/// Asks the server that runs with this configuration: by HTTP where it has that, else by a Status.
///
/// # Errors
///
/// Why it is not healthy.
pub fn check(config: &Config) -> Result<Health, Unhealthy> {
    let http = config
        .http_address()
        .filter(|_| config.server_mode == Mode::Lottery);
    let address = reachable(http.unwrap_or(config.address()));
    if address.port() == 0 {
        return Err(Unhealthy::UnknownPort);
    }
    if http.is_none() && config.tls_cert.is_some() {
        return Err(Unhealthy::TlsOnly);
    }
    let ask = || {
        let mut stream = connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        match config.server_mode {
            // Connecting and saying nothing is no failure to the echo service.
            Mode::Echo => Ok(Health::Echoes),
            Mode::Lottery if http.is_some() => ask_http(&mut stream),
            Mode::Lottery => ask_status(&mut stream).map(Health::Lottery),
        }
    };
    ask().map_err(|error: io::Error| {
        let error = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                io::Error::new(ErrorKind::TimedOut, "no answer within 2 s")
            }
            _ => error,
        };
        Unhealthy::Silent { address, error }
    })
}

fn ask_http(stream: &mut TcpStream) -> io::Result<Health> {
    stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok(Health::Ready);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let first_line = answer.lines().next().unwrap_or("no answer").to_owned();
    Err(io::Error::new(ErrorKind::InvalidData, first_line))
}

fn ask_status(stream: &mut TcpStream) -> io::Result<StatusReport> {
    let mut question = Vec::new();
    native::encode_status(&mut question);
    stream.write_all(&question)?;
    let mut inbox = Inbox::default();
    let mut buffer = [0; 64];
    loop {
        let mut input = match stream.read(&mut buffer)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            bytes => &buffer[..bytes],
        };
        let message = inbox.next_message(&mut input, |bytes| native::scan_reply(bytes, 0));
        match message.map(|message| message.map(native::parse_reply)) {
            Ok(Some(Ok(Reply::Status(report)))) => return Ok(report),
            Ok(None) => {}
            _ => return Err(io::Error::new(ErrorKind::InvalidData, "no StatusReport")),
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv4() {
        // Not every system has all of 127.0.0.0/8; without it the check is only a line in the log.
        let _ = socket.bind(&SocketAddr::from((HEALTH_CHECK_SOURCE, 0)).into());
    }
    socket.connect_timeout(&address.into(), TIMEOUT)?;
    Ok(socket.into())
}

/// Where a server that listens on `address` can be reached from its own machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

impl fmt::Display for Health {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Health::Echoes => write!(out, "healthy: echoes"),
            Health::Ready => write!(out, "healthy: stores bets"),
            Health::Lottery(StatusReport { is_drawn: true, .. }) => {
                write!(out, "healthy: the draw was held")
            }
            Health::Lottery(StatusReport {
                agencies, missing, ..
            }) => {
                write!(
                    out,
                    "healthy: {missing} of {agencies} agencies have not finished"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_on_loopback() {
        for (listens, asked) in [
            ("0.0.0.0:7", "127.0.0.1:7"),
            ("[::]:7", "[::1]:7"),
            ("127.0.0.9:7", "127.0.0.9:7"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
