//! Puts a server together from its settings: the store, the doors, the event loop.

use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::{Context, Result, anyhow};
use lottery_core::store::{Folder, OpenError, Store};
use lottery_program::settings::Settings;
use lottery_program::{Complaint, VERSION, log};
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use crate::central::Central;
use crate::config::{Config, Mode};
use crate::echo::Echo;
use crate::event_loop::{Door, EventLoop, catch_signals};
use crate::http::{Http, Metrics};
use crate::listener::Listener;
use crate::log_lines;
use crate::lottery::Lottery;
use crate::reactor::Limits;
use crate::service::Behind;
use crate::timed_disk::TimedDisk;
use crate::tls::TlsAcceptor;

type OpenStore = Store<TimedDisk<Folder>>;

/// The event loop of a server that holds a lottery.
pub type LotteryLoop = EventLoop<Lottery<TimedDisk<Folder>>>;

/// Runs a server until a signal ends it.
pub fn run(config: &Config, settings: &Settings) -> Result<(), Complaint> {
    // Before a store is opened, which may take long.
    if let Err(error) = load_tls(config) {
        return Err(Complaint::of_configuration(format!("{error:#}")));
    }
    let signals = catch_signals(config.tls_cert.is_some()).context("catching signals")?;
    let limits = config.limits(raise_descriptor_limit());
    log::start(config.logging_level, &log_lines::MILESTONES)?;
    log_lines::configured(&Config::as_logged(settings));
    settings.warn_of_misspelt();
    log_lines::starting(
        settings.text("server_mode").unwrap_or_default(),
        config.num_agencies,
        settings.text("durability").unwrap_or_default(),
        &std::path::absolute(&config.storage_dir).context("STORAGE_DIR")?,
    );
    if limits.connections_max < config.num_agencies as usize {
        log_lines::too_few_connections(limits.connections_max, config.num_agencies);
    }
    match config.server_mode {
        Mode::Echo => echo(config, limits, signals)?.run()?,
        Mode::Lottery => {
            if let Some(event_loop) = lottery(config, limits, signals)? {
                event_loop.run()?;
            }
        }
    }
    Ok(())
}

/// Lets the server have as many descriptors as the system would give it: the limit that programs
/// start with is meant for those that use select(2), and is less than MAX_CONNECTIONS. Where it
/// cannot be raised it stays. Gives how many there are.
fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _ = setrlimit(Resource::Nofile, raised);
    let current = getrlimit(Resource::Nofile).current;
    current.map_or(usize::MAX, |most| most as usize)
}

fn echo(config: &Config, limits: Limits, signals: Signals) -> Result<EventLoop<Echo>> {
    let door = open_door(config.address(), false, Behind::Echo, config)?;
    let service = Echo::new(config.max_frame);
    EventLoop::new(vec![door], None, signals, service, limits, None).context("starting")
}

/// The lottery's server, which has its store open and listens: first for agencies, last for HTTP. Nothing
/// when a signal came first.
pub fn lottery(
    config: &Config,
    limits: Limits,
    mut signals: Signals,
) -> Result<Option<LotteryLoop>> {
    let metrics = Metrics::new(VERSION);
    let Some(store) = open_store(config, &mut signals, &metrics)? else {
        return Ok(None);
    };
    // Now, because a SIGHUP during opening asks for it.
    let tls = load_tls(config)?;
    let central = Central::new(config.rules(), store)?;
    let mut doors = Vec::new();
    let first = (config.server_dialect, config.server_port);
    for (number, (dialect, port)) in [first].iter().chain(&config.dialect_ports).enumerate() {
        let is_tls = tls.is_some() && number == 0;
        let address = (config.server_bind, *port).into();
        let behind = Behind::Agencies(dialect);
        doors.push(open_door(address, is_tls, behind, config)?);
    }
    if let Some(address) = config.http_address() {
        doors.push(open_door(address, false, Behind::Viewers, config)?);
    }
    let http = config.http_address().map(|_| Http::new(metrics.clone()));
    let lottery = Lottery::new(central, config.max_frame, http);
    let event_loop = EventLoop::new(doors, tls, signals, lottery, limits, Some(metrics));
    event_loop.context("starting").map(Some)
}

fn load_tls(config: &Config) -> Result<Option<TlsAcceptor>> {
    config.tls_files().map(TlsAcceptor::load).transpose()
}

/// Opens the store; nothing when a signal comes first.
fn open_store(
    config: &Config,
    signals: &mut Signals,
    metrics: &Metrics,
) -> Result<Option<OpenStore>> {
    let folder = TimedDisk::new(Folder::new(&config.storage_dir), metrics.clone());
    let mut ending = None;
    let opened = Store::open(folder, || {
        ending = signals
            .pending()
            .find(|signal| [SIGTERM, SIGINT].contains(signal));
        ending.is_some()
    });
    if let Some(signal) = ending {
        log_lines::signal_received(signal);
        log_lines::storage_closed();
        log_lines::shut_down();
        return Ok(None);
    }
    let (store, recovery) = opened.map_err(|error| {
        let advice = match &error {
            OpenError::File { error, .. } if error.kind() == ErrorKind::PermissionDenied => {
                let (user, folder) = (geteuid().as_raw(), config.storage_dir.display());
                format!(
                    "; the server runs as user {user}, type: sudo chown -R {user} {folder} \
                     (or, of a container, the folder that is mounted there)"
                )
            }
            _ => String::new(),
        };
        anyhow!("opening {}: {error}{advice}", in_store(config))
    })?;
    log_lines::storage_opened(&recovery);
    Ok(Some(store))
}

/// Listens on `address`, and says what is spoken there.
fn open_door(address: SocketAddr, is_tls: bool, behind: Behind, config: &Config) -> Result<Door> {
    let listener = Listener::bind(address, config.server_listen_backlog)
        .map_err(|error| anyhow!("listening on {address}: {error}; {}", advice(error.kind())))?;
    let bound = listener.local_address().context("asking for the port")?;
    log_lines::listening(bound, behind.name(), is_tls);
    let is_lottery = matches!(behind, Behind::Agencies(_));
    if is_lottery && !is_tls && (config.tls_cert.is_some() || !bound.ip().is_loopback()) {
        log_lines::listening_unprotected(bound);
    }
    Ok(Door {
        listener,
        is_tls,
        behind,
    })
}

fn advice(failure: ErrorKind) -> &'static str {
    match failure {
        ErrorKind::AddrInUse => "another program listens there, stop it or choose another port",
        ErrorKind::PermissionDenied => "ports below 1024 need a privilege, choose another",
        ErrorKind::AddrNotAvailable => {
            "SERVER_BIND and HTTP_BIND must be addresses of this machine, such as 0.0.0.0"
        }
        _ => "see SERVER_BIND, SERVER_PORT, DIALECT_PORTS, HTTP_BIND and HTTP_PORT",
    }
}

/// Which store an error is about.
pub fn in_store(config: &Config) -> String {
    format!(
        "the store in {} (STORAGE_DIR)",
        config.storage_dir.display()
    )
}
