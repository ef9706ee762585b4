//! Every line that the server logs, in one place: other people's tools read them.
//!
//! A line is `action: NAME | result: success|fail|in_progress | key: value | …`. What will be tried
//! again is `in_progress`; `fail` is for what was given up.

use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

use crate::layers::HEALTH_CHECK_SOURCE;
use log::{Level, debug, error, info, log_enabled, warn};
use lottery_core::bet::Bet;
use lottery_core::protocol::Code;
use lottery_core::store::{CommitError, Recovery};
use lottery_program::log_line::Value;
use signal_hook::low_level::signal_name;

/// What the log says of a bet.
#[derive(Clone, Copy, Debug)]
pub struct LoggedBet {
    document: u32,
    number: u32,
}

/// What [`batch_stored`] will need of these bets: one that came alone is logged always, those of
/// a batch only for who debugs.
pub fn bets_to_log(bets: &[Bet<'_>]) -> Vec<LoggedBet> {
    if bets.len() != 1 && !log_enabled!(Level::Debug) {
        return Vec::new();
    }
    bets.iter()
        .map(|bet| LoggedBet {
            document: bet.document,
            number: bet.number,
        })
        .collect()
}

/// A batch of `count` bets is stored; `bets` is what [`bets_to_log`] kept of it.
pub fn batch_stored(count: usize, bets: &[LoggedBet]) {
    let level = if count == 1 {
        Level::Info
    } else {
        Level::Debug
    };
    for LoggedBet { document, number } in bets {
        log::log!(
            level,
            "action: apuesta_almacenada | result: success | dni: {document} | numero: {number}"
        );
    }
    // An empty batch is no news, and costs a stranger six bytes.
    let level = if count == 0 {
        Level::Debug
    } else {
        Level::Info
    };
    log::log!(
        level,
        "action: apuesta_recibida | result: success | cantidad: {count}"
    );
}

/// What the log says of a refused request.
#[derive(Clone, Debug)]
pub struct RefusalNews {
    /// The agency that the connection speaks for.
    pub agency: Option<u32>,
    /// For a batch, its bets.
    pub batch: Option<usize>,
    /// What is wrong with the request.
    pub reason: String,
}

/// A request is refused.
pub fn request_refused(code: Code, news: &RefusalNews) {
    let agency = news
        .agency
        .map_or("unidentified".to_owned(), |agency| agency.to_string());
    let (code, reason) = (code.number(), Value(&news.reason));
    match news.batch {
        Some(count) => error!(
            "action: apuesta_recibida | result: fail | cantidad: {count} | agencia: {agency} | \
             code: {code} | error: {reason}"
        ),
        None => error!(
            "action: receive_message | result: fail | agencia: {agency} | code: {code} | \
             error: {reason}"
        ),
    }
}

/// What a connection sent is no message.
pub fn bytes_refused(peer: IpAddr, code: Code, reason: impl Display) {
    let code = code.number();
    error!("action: receive_message | result: fail | ip: {peer} | code: {code} | error: {reason}");
}

/// A connection ended within a message; its agency may come back.
pub fn message_cut(peer: IpAddr, bytes: usize) {
    warn!(
        "action: receive_message | result: in_progress | ip: {peer} | \
         error: the connection ended {bytes} bytes into a message"
    );
}

/// An agency has sent everything.
pub fn agency_finished(agency: u32, missing: u32) {
    info!("action: agencia_lista | result: success | agencia: {agency} | faltan: {missing}");
}

/// The draw was held.
pub fn drawn() {
    info!("action: sorteo | result: success");
}

/// What a lottery came to.
#[derive(Clone, Copy, Debug)]
pub struct DaySummary {
    /// Agencies that took part.
    pub agencies: u32,
    /// Their bets.
    pub bets: u64,
    /// Bets that won.
    pub winners: usize,
    /// From this run's first request to the draw.
    pub duration: Duration,
}

/// What the lottery came to, after the draw.
pub fn day_summed_up(summary: &DaySummary) {
    let DaySummary {
        agencies,
        bets,
        winners,
        duration,
    } = summary;
    let milliseconds = duration.as_millis();
    info!(
        "action: resumen | result: success | agencias: {agencies} | apuestas: {bets} | \
         ganadores: {winners} | duracion: {milliseconds}ms"
    );
}

/// How far the lottery is, on request.
pub fn standing(agencies: u32, missing: u32) {
    info!("action: estado | result: success | agencias: {agencies} | faltan: {missing}");
}

/// Where an agency stands, on request.
pub fn agency_standing(agency: u32, phase: impl Display, bets: u64, is_connected: bool) {
    let connected = if is_connected { "si" } else { "no" };
    info!(
        "action: estado_agencia | result: success | agencia: {agency} | fase: {phase} | \
         apuestas: {bets} | conectada: {connected}"
    );
}

/// How many connections the echo service has, on request.
pub fn echo_standing(connections: usize) {
    info!("action: estado | result: success | conexiones: {connections}");
}

/// A parked agency was told that the draw was not held in time.
pub fn draw_timed_out(agency: u32, missing: &[u32]) {
    let missing: Vec<String> = missing.iter().map(u32::to_string).collect();
    let missing = missing.join(",");
    error!("action: espera_sorteo | result: fail | agencia: {agency} | faltan: {missing}");
}

/// A new connection speaks for an agency.
pub fn taken_over(agency: u32) {
    warn!("action: takeover | result: success | agencia: {agency}");
}

/// The disk refuses; logged once until it works again.
pub fn storage_fails(error: &CommitError) {
    let error = error.to_string();
    let error = Value(&error);
    error!("action: almacenamiento | result: in_progress | error: {error}");
}

/// The disk took bets again.
pub fn storage_works_again() {
    info!("action: almacenamiento | result: success");
}

/// The store was opened.
pub fn storage_opened(recovery: &Recovery) {
    let Recovery {
        bets,
        closed,
        bets_cut_bytes,
        closings_cut_bytes,
    } = recovery;
    for (file, bytes) in [
        (lottery_core::store::BETS_FILE, bets_cut_bytes),
        (lottery_core::store::CLOSINGS_FILE, closings_cut_bytes),
    ] {
        if *bytes > 0 {
            warn!(
                "action: recuperacion | result: success | archivo: {file} | bytes_cortados: {bytes}"
            );
        }
    }
    info!("action: open_storage | result: success | apuestas: {bets} | agencias_listas: {closed}");
}

/// The server listens.
pub fn listening(address: impl Display, port: u16) {
    info!("action: listen | result: success | ip: {address} | port: {port}");
}

/// A connection was accepted. Health checks come every few seconds and are nobody's news.
pub fn accepted(peer: IpAddr) {
    let level = if peer == HEALTH_CHECK_SOURCE {
        Level::Debug
    } else {
        Level::Info
    };
    log::log!(
        level,
        "action: accept_connections | result: success | ip: {peer}"
    );
}

/// Accepting failed and will be tried again; logged once until it works.
pub fn accepting_fails(error: &std::io::Error) {
    warn!("action: accept_connections | result: in_progress | error: {error}");
}

/// A connection that owed bytes and sent none was closed.
pub fn idle_closed(peer: IpAddr, seconds: f64) {
    warn!("action: idle_timeout | result: success | ip: {peer} | seconds: {seconds}");
}

/// The echo service received a message.
pub fn echoed(peer: IpAddr, message: &str) {
    let message = Value(message);
    info!("action: receive_message | result: success | ip: {peer} | msg: {message}");
}

/// The echo service received a message without an end.
pub fn echo_refused(peer: IpAddr, bytes_max: usize) {
    error!(
        "action: receive_message | result: fail | ip: {peer} | \
         error: no line feed within {bytes_max} bytes"
    );
}

/// A signal asks the server to end.
pub fn signal_received(signal: i32) {
    let signal = signal_name(signal).unwrap_or("unknown");
    info!("action: signal_received | result: success | signal: {signal}");
}

/// A connection was closed while the server runs.
pub fn connection_closed(peer: IpAddr) {
    debug!("action: close_connection | result: success | ip: {peer}");
}

/// A connection was closed because the server ends.
pub fn connection_closed_at_end(peer: IpAddr) {
    info!("action: close_connection | result: success | ip: {peer}");
}

/// The listening socket was closed.
pub fn listener_closed() {
    info!("action: close_listener | result: success");
}

/// The store was closed.
pub fn storage_closed() {
    info!("action: close_storage | result: success");
}

/// Everything is closed.
pub fn shut_down() {
    info!("action: shutdown | result: success");
}

/// The configuration of this run, as the user wrote it.
pub fn configured(settings: &[(&'static str, String)]) {
    let parts = settings
        .iter()
        .map(|(key, value)| format!(" | {key}: {}", Value(value)));
    debug!(
        "action: config | result: success{}",
        parts.collect::<String>()
    );
}
