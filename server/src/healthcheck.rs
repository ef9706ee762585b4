//! A health check without a shell: asks the server that runs with the same settings how far it is.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use lottery_core::protocol::reply::AgencyState;
use lottery_core::protocol::{StatusReport, status};
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

use crate::config::Mode;
use crate::layers::HEALTH_CHECK_SOURCE;

/// How long a healthy server takes to answer, at most.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How a server is that answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Health {
    /// It echoes, and accepts connections.
    Echoes,
    /// It holds a lottery.
    Lottery(StatusReport),
}

/// Why a server is not healthy.
#[derive(Debug, Error)]
pub enum Unhealthy {
    /// It cannot be asked: it is configured to listen wherever the system likes.
    #[error("SERVER_PORT is 0, so nobody knows where the server listens; expected its port")]
    UnknownPort,
    /// It does not accept, or does not answer as a lottery does.
    #[error("{address}: {error}; expected a server that runs with these settings")]
    Silent {
        /// Where it was asked.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
}

/// Asks the server that listens on `address`.
///
/// # Errors
///
/// Why it is not healthy.
pub fn check(address: SocketAddr, mode: Mode) -> Result<Health, Unhealthy> {
    if address.port() == 0 {
        return Err(Unhealthy::UnknownPort);
    }
    let address = reachable(address);
    let silent = |error: io::Error| {
        let error = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                io::Error::new(ErrorKind::TimedOut, "no answer within 2 s")
            }
            _ => error,
        };
        Unhealthy::Silent { address, error }
    };
    let mut stream = connect(address).map_err(silent)?;
    match mode {
        // Whoever connects and says nothing is no failure to the echo service.
        Mode::Echo => Ok(Health::Echoes),
        Mode::Lottery => {
            stream.set_read_timeout(Some(TIMEOUT)).map_err(silent)?;
            let report = status::ask(&mut stream).map_err(silent)?;
            Ok(Health::Lottery(report))
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
            Health::Lottery(StatusReport {
                state: AgencyState::Drawn,
                ..
            }) => {
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
