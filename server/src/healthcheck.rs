//! A health check without a shell: asks the server that runs with the same settings how far it is.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lottery_core::codec::native;
use lottery_core::message::{Reply, StatusReport};
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{Config, Mode};

/// The loopback address from which a health check connects, where the system lets it choose, so that
/// the server can tell it from an agency and leave it out of its log.
pub const HEALTH_CHECK_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 7, 5, 74);

/// How long a healthy server takes to answer, at most.
const TIMEOUT: Duration = Duration::from_secs(2);

const ANSWER_BYTES_MAX: u64 = 4096;

/// Asks the server that runs with this configuration: by HTTP where it has that, else by a Status in the native
/// dialect. Says how the server is, in a line.
pub fn check(config: &Config) -> Result<String> {
    let is_echo = config.server_mode == Mode::Echo;
    let http = config.http_address().filter(|_| !is_echo);
    let address = match http {
        Some(address) => address,
        None if is_echo => config.address(),
        None => native_address(config)
            .context("no port without TLS speaks native; set HTTP_PORT for health checks")?,
    };
    let address = reachable(address);
    ensure!(
        address.port() != 0,
        "the port is 0, so nobody knows where the server listens; set it, or HTTP_PORT"
    );
    let answer = connect(address).and_then(|stream| match http {
        // Connecting and saying nothing is no failure to the echo service.
        _ if is_echo => Ok("healthy: echoes".to_owned()),
        Some(_) => ask_http(stream),
        None => ask_status(stream),
    });
    answer.or_else(|error| {
        let is_late = error.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
        });
        let error = match is_late {
            true => format!("no answer within {} s", TIMEOUT.as_secs()),
            false => error.to_string(),
        };
        bail!("{address}: {error}; is the server running?")
    })
}

/// The first address where the native dialect is spoken without TLS.
fn native_address(config: &Config) -> Option<SocketAddr> {
    let first = (config.server_dialect, config.server_port);
    let first = config.tls_cert.is_none().then_some(&first);
    let mut ports = first.into_iter().chain(&config.dialect_ports);
    let (_, port) = ports.find(|(dialect, _)| dialect.name == "native")?;
    Some((config.server_bind, *port).into())
}

fn ask_http(mut stream: TcpStream) -> Result<String> {
    stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok("healthy: stores bets".to_owned());
    }
    let answer = String::from_utf8_lossy(&answer);
    bail!("{}", answer.lines().next().unwrap_or("no answer"))
}

fn ask_status(mut stream: TcpStream) -> Result<String> {
    let mut question = Vec::new();
    native::encode_status(&mut question);
    stream.write_all(&question)?;
    let mut answer = [0; native::STATUS_REPORT_BYTES];
    stream.read_exact(&mut answer)?;
    let Ok(Reply::Status(report)) = native::parse_reply(&answer) else {
        bail!("no StatusReport");
    };
    let StatusReport {
        agencies, missing, ..
    } = report;
    Ok(match report.is_drawn {
        true => "healthy: the draw was held".to_owned(),
        false => format!("healthy: {missing} of {agencies} agencies have not finished"),
    })
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
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
    socket.set_read_timeout(Some(TIMEOUT))?;
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

#[cfg(test)]
mod tests {
    use clap::Command;

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

    #[test]
    fn a_server_is_asked_where_it_speaks_native_without_tls() {
        for (flags, port) in [
            ("--server-port 7", Some(7)),
            ("--server-port 7 --server-dialect frames", None),
            (
                "--server-dialect frames --dialect-ports lines:8,native:9",
                Some(9),
            ),
            (
                "--dialect-ports native:9 --tls-cert c --tls-key k --tls-client-ca a",
                Some(9),
            ),
        ] {
            let arguments = ["server"].into_iter().chain(flags.split(' '));
            let loaded = Config::load(Command::new("server"), arguments.map(Into::into));
            let address = native_address(&loaded.unwrap().0);
            assert_eq!(address.map(|address| address.port()), port, "{flags}");
        }
    }
}
