//! The server.

use std::net::{SocketAddr, TcpStream};
use std::ops::Deref;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::Signal;

use super::dialects::Dialect;
use super::native::Bet;
use super::{
    Dataset, Ended, PORTS, Peer, Process, Program, own_address, rows, rows_of, wait_until,
};

/// Its storage folder, within that in which it works.
const STORAGE: &str = "lotteries/2026/today";

/// The server at an address of its own, running or not. Its files outlive it, so that it is found
/// again as it was when it is started again.
pub struct Server {
    pub program: Program,
    pub address: SocketAddr,
    listeners: usize,
    process: Option<Process>,
}

impl Server {
    /// A server for this many agencies, not started yet.
    pub fn lottery(agencies: u32) -> Server {
        let address = own_address();
        let program = Program::server()
            .set("SERVER_PORT", address.port())
            .set("SERVER_BIND", address.ip())
            .set("STORAGE_DIR", STORAGE)
            .set("NUM_AGENCIES", agencies);
        Server {
            program,
            address,
            listeners: 1,
            process: None,
        }
    }

    pub fn set(mut self, key: &str, value: impl ToString) -> Server {
        self.program = self.program.set(key, value);
        self
    }

    pub fn under(mut self, launcher: &'static str) -> Server {
        self.program = self.program.under(launcher);
        self
    }

    /// Has it listen for each dialect, at a port of its own.
    pub fn of_all_dialects(mut self) -> Server {
        self.listeners += Dialect::ALL.len();
        let port = |dialect: Dialect| self.address_of(dialect).port();
        let ports = Dialect::ALL.map(|dialect| format!("{}:{}", dialect.name(), port(dialect)));
        self.set("DIALECT_PORTS", ports.join(","))
    }

    pub fn address_of(&self, dialect: Dialect) -> SocketAddr {
        self.neighbour(1 + dialect as u16)
    }

    pub fn start(mut self) -> Server {
        self.restart();
        self
    }

    /// Has it listen for HTTP, too.
    pub fn with_http(mut self) -> Server {
        self.listeners += 1;
        let address = self.neighbour(PORTS - 1);
        self.set("HTTP_PORT", address.port())
    }

    fn neighbour(&self, distance: u16) -> SocketAddr {
        SocketAddr::new(self.address.ip(), self.address.port() + distance)
    }

    /// A new connection that has sent this to the port for HTTP.
    pub fn view(&self, request: &str) -> Peer {
        let mut viewer = Peer::connect(self.neighbour(PORTS - 1));
        viewer.send(request.as_bytes());
        viewer
    }

    /// The whole answer to an HTTP request.
    pub fn ask(&self, request: &str) -> String {
        String::from_utf8(self.view(request).rest()).unwrap()
    }

    pub fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: lottery\r\n\r\n"))
    }

    pub fn start_agencies(&self, datasets: &[Dataset]) -> Vec<Process> {
        let start = |dataset| Program::agency(dataset, self.address).start();
        datasets.iter().map(start).collect()
    }

    /// Starts it with its log somewhere else and waits until it listens.
    pub fn start_logging_to(mut self, output: impl Into<Stdio>) -> Server {
        self.process = Some(self.program.start_logging_to(output));
        wait_until(|| TcpStream::connect(self.address).is_ok());
        self
    }

    pub fn restart(&mut self) {
        let process = self.program.start();
        process.wait_for_lines("INFO  [server::log_lines] action: listen", self.listeners);
        self.process = Some(process);
    }

    pub fn terminate(&mut self) -> Ended {
        self.end_by(Signal::TERM)
    }

    pub fn wait_for_end(&mut self) -> Ended {
        self.process.take().expect("it was started").wait_for_end()
    }

    /// Ends it with this signal. Standard error, where a panic would be, stays empty.
    pub fn end_by(&mut self, signal: Signal) -> Ended {
        let process = self.process.take().expect("it was started");
        let ended = process.end_by(signal);
        assert_eq!(ended.complaints, "");
        ended
    }

    /// The most memory that it has had so far, in bytes.
    pub fn memory_peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.unwrap().trim().strip_suffix(" kB").unwrap();
        kilobytes.parse::<u64>().unwrap() * 1024
    }

    pub fn connect(&self) -> Peer {
        Peer::connect(self.address)
    }

    /// A new connection of an agency without bets, which was welcomed.
    pub fn newcomer(&self, agency: u32) -> Peer {
        let mut peer = self.connect();
        peer.hello(agency, &[], 0);
        peer
    }

    /// A new connection of an agency without bets that stores these and is parked.
    pub fn parked(&self, agency: u32, bets: &[Bet]) -> Peer {
        let mut peer = self.newcomer(agency);
        peer.store(bets);
        peer.finish();
        self.wait_for_finish(agency);
        peer
    }

    pub fn wait_for_finish(&self, agency: u32) {
        let finished = "agencia_lista | result: success | agencia";
        self.wait_for_line(&format!("{finished}: {agency} |"));
    }

    /// The path of `bets.csv`, `closings.csv` or `draw.csv`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.program.folder().join(STORAGE).join(name)
    }

    /// Has it find such a file.
    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        self.program.write(&format!("{STORAGE}/{name}"), bytes);
    }

    pub fn bets(&self) -> String {
        self.file("bets.csv")
    }

    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Expects that exactly these files are stored, each in its order, and that exactly their
    /// agencies have finished.
    pub fn expect_stored(&self, datasets: &[Dataset]) {
        let stored = self.bets();
        for dataset in datasets {
            let (own, expected) = (rows_of(&stored, dataset.agency), rows(&dataset.bets));
            let mut pairs = own.lines().zip(expected.lines());
            let difference = pairs.find(|(own, expected)| own != expected);
            assert!(own == expected, "agency {}: {difference:?}", dataset.agency);
        }
        let bets: usize = datasets.iter().map(|dataset| dataset.bets.len()).sum();
        assert_eq!(stored.lines().count(), bets, "rows of other agencies");
        // They are in the order in which the agencies finished.
        let closings = self.file("closings.csv");
        let mut closings: Vec<&str> = closings.split_inclusive("\r\n").collect();
        closings.sort_by_key(|row| row.split(',').next().unwrap().parse::<u32>().unwrap());
        let expected: Vec<String> = datasets.iter().map(Dataset::closing).collect();
        assert_eq!(closings, expected);
    }
}

impl Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        self.process.as_ref().expect("it was started")
    }
}
