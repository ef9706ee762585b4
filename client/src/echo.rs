//! The client of the first exercises: sends a message, logs what comes back, some times over.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::config::Network;
use crate::connection::{ConnectionError, connect, read_some};
use crate::interruption::Interruption;
use crate::journal;
use crate::retry::Retry;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends `amount` messages, one per connection, and pauses for `period` after each.
///
/// # Errors
///
/// When a connection cannot be made within the time to retry, or breaks, or a signal comes.
pub fn run(
    client: u32,
    amount: u32,
    period: Duration,
    network: &Network,
    interruption: &Interruption,
) -> Result<(), ConnectionError> {
    for number in 1..=amount {
        let message = format!("[CLIENT {client}] Message N°{number}\n");
        let answer = exchange(&message, network, interruption)?;
        journal::echo_received(client, String::from_utf8_lossy(&answer).trim_end());
        interruption.sleep(period)?;
    }
    journal::loop_finished(client);
    Ok(())
}

fn exchange(
    message: &str,
    network: &Network,
    interruption: &Interruption,
) -> Result<Vec<u8>, ConnectionError> {
    let mut stream = connect_patiently(network, interruption)?;
    let timeout = network.socket_timeout;
    let result = stream
        .set_read_timeout(Some(timeout))
        .and_then(|()| stream.write_all(message.as_bytes()))
        .and_then(|()| {
            let mut answer = Vec::new();
            let mut buffer = [0; 4096];
            while answer.last() != Some(&b'\n') && answer.len() < ANSWER_BYTES_MAX {
                match read_some(&mut stream, &mut buffer)? {
                    0 => break,
                    bytes => answer.extend_from_slice(&buffer[..bytes]),
                }
            }
            Ok(answer)
        });
    interruption
        .check()
        .map_err(ConnectionError::ClosedBySignal)?;
    match result {
        Ok(answer) if answer.is_empty() => Err(ConnectionError::Ended),
        Ok(answer) => Ok(answer),
        Err(error) => Err(ConnectionError::from_io(error, timeout)),
    }
}

/// Connects, again and again while the server is not there yet.
fn connect_patiently(
    network: &Network,
    interruption: &Interruption,
) -> Result<std::net::TcpStream, ConnectionError> {
    let started = Instant::now();
    let mut retry = Retry::new(network.retry_timeout);
    loop {
        let error = match connect(
            &network.server_address,
            network.socket_timeout,
            interruption,
        ) {
            Err(error @ ConnectionError::Connect { .. }) => error,
            result => return result,
        };
        match retry.pause_after_failure(started.elapsed(), fastrand::f64()) {
            None => return Err(error),
            Some(pause) => {
                journal::will_retry(&error, pause);
                interruption.sleep(pause)?;
            }
        }
    }
}
