//! Every line that the server logs, in one place: other people's tools read them.
//!
//! A line is `action: NAME | result: success|fail|in_progress | key: value | …`. What will be tried
//! again is `in_progress`; `fail` is for what was given up.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use crate::central::{Phase, Standing};
use crate::healthcheck::HEALTH_CHECK_SOURCE;
use log::{Level, debug, error, info, warn};
use lottery_core::message::Refusal;
use lottery_core::store::{CommitError, DrawRecord, Recovery};
use lottery_program::log::Value;
use signal_hook::low_level::signal_name;

/// How the lines begin that are dropped last: what happens a few times a day.
pub const MILESTONES: [&str; 3] = ["agencia_lista ", "sorteo ", "resumen "];

/// A batch is stored, whose bets have these DNIs and numbers. One that came alone is always told, those
/// of a larger batch only at DEBUG.
pub fn batch_stored(bets: &[(u32, u32)]) {
    let level = match bets.len() {
        1 => Level::Info,
        _ => Level::Debug,
    };
    for (document, number) in bets {
        log::log!(
            level,
            "action: apuesta_almacenada | result: success | dni: {document} | numero: {number}"
        );
    }
    // An empty batch is no news, and costs a stranger six bytes.
    let level = match bets.len() {
        0 => Level::Debug,
        _ => Level::Info,
    };
    let count = bets.len();
    log::log!(
        level,
        "action: apuesta_recibida | result: success | cantidad: {count}"
    );
}

#[derive(Clone, Copy, Debug)]
pub struct RefusalNews {
    /// The agency that the connection speaks for.
    pub agency: Option<u32>,
    /// For a batch, its bets.
    pub batch: Option<usize>,
}

pub fn request_refused(refusal: &Refusal, news: &RefusalNews) {
    let agency = news
        .agency
        .map_or("desconocida".to_owned(), |agency| agency.to_string());
    let (code, reason) = (refusal.code.number(), Value(&refusal.reason));
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

pub fn bytes_refused(peer: IpAddr, refusal: &Refusal) {
    let (code, reason) = (refusal.code.number(), Value(&refusal.reason));
    error!("action: receive_message | result: fail | ip: {peer} | code: {code} | error: {reason}");
}

/// A connection ended within a message; its agency may come back.
pub fn message_cut(peer: IpAddr, bytes: usize) {
    warn!(
        "action: receive_message | result: in_progress | ip: {peer} | \
         error: the connection ended {bytes} bytes into a message"
    );
}

pub fn agency_finished(agency: u32, missing: u32) {
    info!("action: agencia_lista | result: success | agencia: {agency} | faltan: {missing}");
}

/// The draw is held. It is written to the disk next, so the log is given a moment to write this first.
/// `duration` is that from this run's first message.
pub fn drawn(record: DrawRecord, duration: Duration) {
    let DrawRecord {
        winning_number,
        agencies,
        bets,
        winners,
    } = record;
    let milliseconds = duration.as_millis();
    info!("action: sorteo | result: success | numero: {winning_number}");
    info!(
        "action: resumen | result: success | numero: {winning_number} | agencias: {agencies} | \
         apuestas: {bets} | ganadores: {winners} | duracion: {milliseconds}ms"
    );
    log::logger().flush();
}

/// How far the lottery is, on request.
pub fn standing(agencies: u32, missing: u32) {
    info!("action: estado | result: success | agencias: {agencies} | faltan: {missing}");
}

/// Where an agency stands, on request.
pub fn agency_standing(agency: u32, standing: &Standing) {
    let phase = match standing.phase {
        Phase::Betting => "apostando",
        Phase::Waiting { .. } => "esperando",
        Phase::Finished => "terminada",
        Phase::Informed => "informada",
    };
    let bets = standing.bets;
    let connected = if standing.is_connected { "si" } else { "no" };
    info!(
        "action: estado_agencia | result: success | agencia: {agency} | fase: {phase} | \
         apuestas: {bets} | conectada: {connected}"
    );
}

/// How many connections the echo service has, on request.
pub fn echo_standing(connections: usize) {
    info!("action: estado | result: success | conexiones: {connections}");
}

/// A parked agency was told that the draw was not held in time; `named` are some of those missing.
pub fn draw_timed_out(agency: u32, missing: u32, named: &[u32]) {
    let named: Vec<String> = named.iter().map(u32::to_string).collect();
    let named = named.join(",");
    error!(
        "action: espera_sorteo | result: fail | agencia: {agency} | faltan: {missing} | \
         agencias_que_faltan: {named}"
    );
}

pub fn taken_over(agency: u32) {
    warn!("action: takeover | result: success | agencia: {agency}");
}

/// The disk refuses; logged once until it works again.
pub fn storage_fails(error: &CommitError) {
    let error = Value(error);
    error!("action: almacenamiento | result: in_progress | error: {error}");
}

/// The store is of no further use, and the server ends.
pub fn storage_lost(error: &CommitError) {
    let error = Value(error);
    error!("action: almacenamiento | result: fail | error: {error}");
}

pub fn storage_works_again() {
    info!("action: almacenamiento | result: success");
}

pub fn storage_opened(recovery: &Recovery) {
    for (file, bytes) in &recovery.cut_bytes {
        if *bytes > 0 {
            warn!(
                "action: recuperacion | result: success | archivo: {file} | bytes_cortados: {bytes}"
            );
        }
    }
    let (bets, finished) = (recovery.bets, recovery.finished);
    info!(
        "action: open_storage | result: success | apuestas: {bets} | agencias_listas: {finished}"
    );
}

/// The server listens at an address, where this is spoken.
pub fn listening(address: SocketAddr, speaks: &str, is_tls: bool) {
    let (ip, port) = (address.ip(), address.port());
    let tls = if is_tls { " | tls: si" } else { "" };
    info!("action: listen | result: success | ip: {ip} | port: {port} | protocolo: {speaks}{tls}");
}

/// Anybody who reaches this address may speak for any agency.
pub fn listening_unprotected(address: SocketAddr) {
    let (ip, port) = (address.ip(), address.port());
    warn!(
        "action: listen | result: success | ip: {ip} | port: {port} | tls: no | \
         advice: anybody who reaches this port may speak for any agency, see docs/SECURITY.md"
    );
}

/// Fewer connections are allowed than there are agencies.
pub fn too_few_connections(max: usize, agencies: u32) {
    warn!(
        "action: max_connections | result: in_progress | conexiones: {max} | agencias: {agencies} | \
         advice: not all agencies can wait for the draw at once, raise MAX_CONNECTIONS"
    );
}

/// A connection was accepted. Viewers and health checks come every few seconds: DEBUG.
pub fn accepted(peer: IpAddr, is_viewer: bool) {
    let level = if is_viewer || peer == HEALTH_CHECK_SOURCE {
        Level::Debug
    } else {
        Level::Info
    };
    log::log!(
        level,
        "action: accept_connections | result: success | ip: {peer}"
    );
}

pub fn handshake_refused(peer: IpAddr, cause: &str) {
    let cause = Value(cause);
    warn!("action: tls_handshake | result: in_progress | ip: {peer} | error: {cause}");
}

/// Certificates and keys were read again; `closed` is how many connections were closed because their
/// certificates are no longer valid.
pub fn keys_reloaded(closed: usize) {
    info!("action: tls_reload | result: success | conexiones_cerradas: {closed}");
}

/// Certificates and keys could not be read again; the old ones stay.
pub fn keys_not_reloaded(error: &anyhow::Error) {
    let error = Value(error);
    error!("action: tls_reload | result: fail | error: {error}");
}

/// Accepting failed and will be tried again; logged once until it works.
pub fn accepting_fails(error: &std::io::Error) {
    warn!("action: accept_connections | result: in_progress | error: {error}");
}

/// All connections are taken, and strangers are closed to make room; logged once until there is room.
pub fn connections_full(max: usize) {
    warn!("action: max_connections | result: in_progress | conexiones: {max}");
}

/// All connections together held more memory than they may, and the largest holders were closed.
pub fn memory_exceeded(bytes: usize, max: usize, closed: usize) {
    warn!(
        "action: max_memory | result: success | bytes: {bytes} | limite: {max} | \
         conexiones_cerradas: {closed}"
    );
}

/// What a connection did not do in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Send or take anything.
    Silent,
    /// Send the rest of a message.
    UnfinishedMessage,
    /// Say for which agency it speaks.
    Unidentified,
}

pub fn overdue_closed(peer: IpAddr, overdue: Overdue, timeout: Duration) {
    let reason = match overdue {
        Overdue::Silent => "silent",
        Overdue::UnfinishedMessage => "unfinished message",
        Overdue::Unidentified => "not identified",
    };
    let seconds = timeout.as_secs_f64();
    warn!(
        "action: idle_timeout | result: success | ip: {peer} | seconds: {seconds} | reason: {reason}"
    );
}

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

pub fn signal_received(signal: i32) {
    let signal = signal_name(signal).unwrap_or("unknown");
    info!("action: signal_received | result: success | signal: {signal}");
}

pub fn connection_closed(peer: IpAddr) {
    debug!("action: close_connection | result: success | ip: {peer}");
}

pub fn connection_closed_at_end(peer: IpAddr) {
    info!("action: close_connection | result: success | ip: {peer}");
}

pub fn listener_closed() {
    info!("action: close_listener | result: success");
}

pub fn storage_closed() {
    info!("action: close_storage | result: success");
}

pub fn shut_down() {
    info!("action: shutdown | result: success");
}

/// The server starts: what an operator wants to see at first glance.
pub fn starting(mode: &str, agencies: u32, durability: &str, storage_dir: &Path) {
    let storage_dir = Value(storage_dir.display());
    info!(
        "action: start | result: success | mode: {mode} | agencies: {agencies} | \
         durability: {durability} | storage_dir: {storage_dir}"
    );
}

/// The configuration of this run, as the user wrote it.
pub fn configured(settings: &[(String, String)]) {
    let parts = settings
        .iter()
        .map(|(key, value)| format!(" | {key}: {}", Value(value)));
    debug!(
        "action: config | result: success{}",
        parts.collect::<String>()
    );
}
