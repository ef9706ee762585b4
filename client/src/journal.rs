//! Every line that the client logs, in one place: other people's tools read them.
//!
//! A line is `action: NAME | result: success|fail|in_progress | key: value | …`. What will be tried
//! again is `in_progress`; `fail` is for what was given up.

use std::fmt::Display;
use std::time::Duration;

use log::{Level, error, info, warn};
use lottery_program::log_line::Value;

use crate::bet_source::RowError;

/// The configuration of this run, as the user wrote it.
pub fn configured(settings: &[(&'static str, String)]) {
    let parts = settings
        .iter()
        .map(|(key, value)| format!(" | {key}: {}", Value(value)));
    info!(
        "action: config | result: success{}",
        parts.collect::<String>()
    );
}

/// A row of the agency's file is no valid bet.
pub fn row_rejected(error: &RowError) {
    let (file, line) = (error.path.display().to_string(), error.line);
    let problem = error.problem.to_string();
    let (file, problem) = (Value(&file), Value(&problem));
    error!(
        "action: leer_apuesta | result: fail | archivo: {file} | linea: {line} | error: {problem}"
    );
}

/// Rows were left out because they are no valid bets.
pub fn rows_left_out(rows: u64) {
    error!("action: filas_rechazadas | result: fail | cantidad: {rows}");
}

/// The central has bets of an earlier connection or run.
pub fn resumed(bets: u64) {
    info!("action: reanudar | result: success | apuestas: {bets}");
}

/// Another tenth of the file is stored.
pub fn progress(bets: u64, total: u64, percent: u64) {
    info!(
        "action: progreso | result: success | apuestas: {bets} | total: {total} | \
         porcentaje: {percent}"
    );
}

/// A batch is stored.
pub fn batch_sent(bets: u32, level: Level) {
    log::log!(
        level,
        "action: apuesta_enviada | result: success | cantidad: {bets}"
    );
}

/// The single bet is stored.
pub fn bet_sent(document: u32, number: u32) {
    info!("action: apuesta_enviada | result: success | dni: {document} | numero: {number}");
}

/// A batch was refused for good.
pub fn batch_refused(bets: u32, reason: impl Display) {
    let reason = reason.to_string();
    let reason = Value(&reason);
    error!("action: apuesta_enviada | result: fail | cantidad: {bets} | error: {reason}");
}

/// The winners are known.
pub fn winners(documents: &[u32]) {
    let count = documents.len();
    info!("action: consulta_ganadores | result: success | cant_ganadores: {count}");
    let documents: Vec<String> = documents.iter().map(u32::to_string).collect();
    info!(
        "action: ganadores | result: success | dnis: {}",
        documents.join(",")
    );
}

/// The winners will not be known.
pub fn winners_unknown(reason: impl Display) {
    let reason = reason.to_string();
    error!(
        "action: consulta_ganadores | result: fail | error: {}",
        Value(&reason)
    );
}

/// Something failed that will be tried again.
pub fn will_retry(reason: impl Display, pause: Duration) {
    let reason = reason.to_string();
    let (reason, pause) = (Value(&reason), pause.as_millis());
    warn!("action: connect | result: in_progress | error: {reason} | retry_in: {pause}ms");
}

/// No connection, and no more tries.
pub fn connecting_failed(client: u32, reason: impl Display) {
    let reason = reason.to_string();
    let reason = Value(&reason);
    error!("action: connect | result: fail | client_id: {client} | error: {reason}");
}

/// An echo came back.
pub fn echo_received(client: u32, message: &str) {
    let message = Value(message);
    info!("action: receive_message | result: success | client_id: {client} | msg: {message}");
}

/// An echo did not come back.
pub fn echo_failed(client: u32, reason: impl Display) {
    let reason = reason.to_string();
    let reason = Value(&reason);
    error!("action: receive_message | result: fail | client_id: {client} | error: {reason}");
}

/// All echoes came back.
pub fn loop_finished(client: u32) {
    info!("action: loop_finished | result: success | client_id: {client}");
}

/// A signal asks the client to end.
pub fn signal_received(signal: &str) {
    info!("action: signal_received | result: success | signal: {signal}");
}

/// The connection was closed because the client ends.
pub fn connection_closed(client: u32) {
    info!("action: close_connection | result: success | client_id: {client}");
}

/// The source of bets was closed because the client ends.
pub fn source_closed(client: u32) {
    info!("action: close_data | result: success | client_id: {client}");
}

/// Everything is closed.
pub fn shut_down() {
    info!("action: shutdown | result: success");
}
