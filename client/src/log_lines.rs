//! Every line that the client logs, in one place: other people's tools read them.
//!
//! A line is `action: NAME | result: success|fail|in_progress | key: value | …`. What will be tried
//! again is `in_progress`; `fail` is for what was given up.

use std::fmt::Display;
use std::time::Duration;

use log::{Level, error, info, warn};
use lottery_core::bet::Bet;
use lottery_program::log::Value;

use crate::bet_source::RowError;

pub fn configured(settings: &[(String, String)]) {
    let part = |(key, value): &(String, String)| format!(" | {key}: {}", Value(value));
    let parts: String = settings.iter().map(part).collect();
    info!("action: config | result: success{parts}");
}

pub fn row_rejected(error: &RowError) {
    let (file, line) = (Value(error.path.display()), error.line);
    let problem = Value(&error.problem);
    error!(
        "action: leer_apuesta | result: fail | archivo: {file} | linea: {line} | error: {problem}"
    );
}

pub fn rows_left_out(rows: u64) {
    error!("action: filas_rechazadas | result: fail | cantidad: {rows}");
}

/// The central has bets of an earlier connection or run.
pub fn resumed(bets: u64) {
    info!("action: reanudar | result: success | apuestas: {bets}");
}

/// Another tenth of the file is stored.
pub fn progress(bets: u64, percent: u64) {
    info!("action: progreso | result: success | apuestas: {bets} | porcentaje: {percent}");
}

pub fn batch_sent(bets: u32, level: Level) {
    log::log!(
        level,
        "action: apuesta_enviada | result: success | cantidad: {bets}"
    );
}

pub fn bet_sent(bet: &Bet<'_>) {
    let (document, number) = (bet.document, bet.number);
    info!("action: apuesta_enviada | result: success | dni: {document} | numero: {number}");
}

pub fn winners(documents: &[u32]) {
    let count = documents.len();
    info!("action: consulta_ganadores | result: success | cant_ganadores: {count}");
    let documents: Vec<String> = documents.iter().map(u32::to_string).collect();
    let documents = documents.join(",");
    info!("action: ganadores | result: success | dnis: {documents}");
}

pub fn will_retry(reason: impl Display, pause: Duration) {
    let (reason, pause) = (Value(reason), pause.as_millis());
    warn!("action: connect | result: in_progress | error: {reason} | retry_in: {pause}ms");
}

pub fn batch_refused(bets: u32, reason: impl Display) {
    let reason = Value(reason);
    error!("action: apuesta_enviada | result: fail | cantidad: {bets} | error: {reason}");
}

pub fn winners_unknown(reason: impl Display) {
    let reason = Value(reason);
    error!("action: consulta_ganadores | result: fail | error: {reason}");
}

/// Something else was given up: a connection, or an echo.
pub fn given_up(action: &str, client: u32, reason: impl Display) {
    let reason = Value(reason);
    error!("action: {action} | result: fail | client_id: {client} | error: {reason}");
}

pub fn echo_received(client: u32, message: &str) {
    let message = Value(message);
    info!("action: receive_message | result: success | client_id: {client} | msg: {message}");
}

pub fn loop_finished(client: u32) {
    info!("action: loop_finished | result: success | client_id: {client}");
}

pub fn signal_received(signal: &str) {
    info!("action: signal_received | result: success | signal: {signal}");
}

/// The connection, or the data that the bets are read from, was closed because the client ends.
pub fn closed(what: &str, client: u32) {
    info!("action: close_{what} | result: success | client_id: {client}");
}

pub fn shut_down() {
    info!("action: shutdown | result: success");
}
