//! The client of the first exercises: sends a message, logs what comes back, some times over.

use std::time::{Duration, Instant};

use crate::config::Config;
use crate::connection::{Connection, ConnectionError};
use crate::log_lines;
use crate::reconnect;
use crate::retry::Retry;
use crate::signals::Signals;

/// The longest answer that is read, but for the rest of a last read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends each message over a connection of its own, and pauses after it.
pub fn run(config: &Config, signals: &Signals) -> Result<(), ConnectionError> {
    let client = config.id;
    for number in 1..=config.loop_amount {
        let message = format!("[CLIENT {client}] Message N°{number}\n");
        let answer = exchange(connect(config, signals)?, message)?;
        log_lines::echo_received(client, String::from_utf8_lossy(&answer).trim_end());
        signals.sleep(config.loop_period)?;
    }
    log_lines::loop_finished(client);
    Ok(())
}

/// Connects, again and again while the server is not there yet.
fn connect(config: &Config, signals: &Signals) -> Result<Connection, ConnectionError> {
    let started = Instant::now();
    let mut retry = Retry::new(config.network.retry_timeout, Duration::ZERO);
    loop {
        match Connection::open(config.id, &config.network, signals) {
            Ok(connection) => return Ok(connection),
            Err(error) => {
                let pause = retry.pause_after_failure(started.elapsed(), fastrand::f64());
                reconnect::pause(error, pause, signals)?;
            }
        }
    }
}

fn exchange(mut connection: Connection, message: String) -> Result<Vec<u8>, ConnectionError> {
    connection.send(&mut message.into_bytes())?;
    let deadline = connection.deadline();
    let mut answer = Vec::new();
    while answer.last() != Some(&b'\n') && answer.len() < ANSWER_BYTES_MAX {
        match connection.read(deadline)? {
            [] if answer.is_empty() => return Err(ConnectionError::Closed),
            [] => break,
            bytes => answer.extend_from_slice(bytes),
        }
    }
    Ok(answer)
}
