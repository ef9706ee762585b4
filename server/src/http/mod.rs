//! HTTP for those who watch: the board, its data, metrics and health.
//!
//! | path | what |
//! | --- | --- |
//! | `/` | the board: one page without outside resources |
//! | `/events` | its state as server-sent events, at most one a [`TICK`] |
//! | `/status.json` | the same as data |
//! | `/metrics` | for Prometheus |
//! | `/healthz` | 200 while the server makes turns |
//! | `/readyz` | 200 while it stores bets, 503 while the disk refuses |
//!
//! GET and HEAD; every connection is closed after its answer, but for `/events`. A request is answered
//! when the turn ends, by `Http::end_turn`, which is shown the lottery then. Viewers have their own
//! share of connections, bytes and time: see [`crate::limits`].

mod metrics;
mod state;

use std::cell::LazyCell;
use std::collections::VecDeque;
use std::time::Duration;

use httparse::{EMPTY_HEADER, Status};
use lottery_core::codec::Scan;
use lottery_core::message::{Code, Refusal};
use lottery_core::store::Disk;

use crate::central::Central;
use crate::connection::{ConnectionId, Ending, Outgoing};
use crate::limits::{EVENTS_SENT_PER_TURN, HTTP_HEADERS_MAX, HTTP_REQUEST_BYTES_MAX};
use crate::service::Connections;
use state::History;

pub use metrics::Metrics;

const BOARD: &str = include_str!("board.html");

/// How often the state is looked at, and told to those who follow it if it has changed.
pub const TICK: Duration = Duration::from_millis(500);

/// How long a follower hears nothing when nothing changes: proxies close what is silent.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A viewer's connection.
#[derive(Debug, Default)]
pub struct HttpSession {
    is_done: bool,
}

impl HttpSession {
    /// Looks for a whole request, as a codec does.
    pub fn scan(bytes: &[u8]) -> Result<Scan, Refusal> {
        let mut headers = [EMPTY_HEADER; HTTP_HEADERS_MAX];
        match httparse::Request::new(&mut headers).parse(bytes) {
            Ok(Status::Complete(length)) => Ok(Scan::Whole(length)),
            Ok(Status::Partial) if bytes.len() < HTTP_REQUEST_BYTES_MAX => {
                Ok(Scan::Incomplete { at_least: None })
            }
            Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                Err(Refusal::malformed("too large a request"))
            }
            Err(_) => Err(no_request()),
        }
    }

    /// Whether its request was taken. Nothing more of it is read.
    pub fn is_parked(&self) -> bool {
        self.is_done
    }
}

/// What a request asks for.
#[derive(Debug)]
struct Asked {
    by: ConnectionId,
    path: String,
    has_body: bool,
}

/// The viewers, and what they are shown.
#[derive(Debug)]
pub struct Http {
    metrics: Metrics,
    history: History,
    /// Requests of this turn.
    asked: Vec<Asked>,
    /// The state as an event, and when it was last looked at.
    event: Vec<u8>,
    looked_at: Option<Duration>,
    event_sent_at: Duration,
    followers: Vec<ConnectionId>,
    /// Followers that were not sent the event yet.
    owed: VecDeque<ConnectionId>,
}

impl Http {
    /// HTTP without viewers.
    pub fn new(metrics: Metrics) -> Http {
        Http {
            metrics,
            history: History::default(),
            asked: Vec::new(),
            event: Vec::new(),
            looked_at: None,
            event_sent_at: Duration::ZERO,
            followers: Vec::new(),
            owed: VecDeque::new(),
        }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Takes a request that [`HttpSession`] found whole.
    pub fn request(
        &mut self,
        id: ConnectionId,
        session: &mut HttpSession,
        message: &[u8],
        outgoing: &mut Outgoing,
    ) {
        session.is_done = true;
        let mut headers = [EMPTY_HEADER; HTTP_HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        if request.parse(message).is_err() {
            return refuse(&no_request(), outgoing);
        }
        let path = request.path.unwrap_or_default();
        let path = path.split(['?', '#']).next().unwrap_or_default().to_owned();
        let has_body = match request.method {
            Some("GET") => true,
            Some("HEAD") => false,
            _ => {
                let refusal = Response::text("405 Method Not Allowed", "GET and HEAD only\n");
                return refusal.with_header("Allow: GET, HEAD").send(true, outgoing);
            }
        };
        self.asked.push(Asked {
            by: id,
            path,
            has_body,
        });
    }

    pub(crate) fn disconnected(&mut self, id: ConnectionId) {
        self.followers.retain(|follower| *follower != id);
    }

    /// When the state is to be looked at again.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        if !self.owed.is_empty() {
            return Some(Duration::ZERO);
        }
        Some(self.looked_at.map_or(Duration::ZERO, |at| at + TICK))
    }

    /// Answers this turn's requests and tells the followers what has changed.
    pub(crate) fn end_turn<S>(
        &mut self,
        now: Duration,
        central: &Central<impl Disk>,
        connections: &mut impl Connections<S>,
    ) {
        self.look(now, central);
        let asked = std::mem::take(&mut self.asked);
        if !asked.is_empty() {
            self.answer(&asked, central, connections);
        }
        for _ in 0..self.owed.len().min(EVENTS_SENT_PER_TURN) {
            let Some(id) = self.owed.pop_front() else {
                break;
            };
            // A follower that has not taken the last event skips this one.
            if let Some((_, outgoing)) = connections.get(id)
                && outgoing.unsent().is_empty()
            {
                outgoing.buffer().extend_from_slice(&self.event);
            }
        }
    }

    fn look(&mut self, now: Duration, central: &Central<impl Disk>) {
        if self.looked_at.is_some_and(|at| now < at + TICK) {
            return;
        }
        self.looked_at = Some(now);
        self.history.sample(now, central);
        if self.followers.is_empty() {
            return;
        }
        let event = event(&self.history.state(central));
        if event != self.event || now >= self.event_sent_at + HEARTBEAT {
            self.event = event;
            self.event_sent_at = now;
            self.owed = self.followers.iter().copied().collect();
        }
    }

    fn answer<S>(
        &mut self,
        asked: &[Asked],
        central: &Central<impl Disk>,
        connections: &mut impl Connections<S>,
    ) {
        // Expensive answers are made once per turn.
        let census = connections.census();
        let metrics = LazyCell::new(|| self.metrics.encode(central, census));
        let status = LazyCell::new(|| self.history.state(central));
        for Asked { by, path, has_body } in asked {
            let Some((_, outgoing)) = connections.get(*by) else {
                continue;
            };
            let response = match path.as_str() {
                "/" => Response::new("200 OK", "text/html; charset=utf-8", BOARD),
                "/status.json" => Response::new("200 OK", "application/json", status.as_str()),
                "/metrics" => Response::new("200 OK", metrics::CONTENT_TYPE, metrics.as_str()),
                "/healthz" => Response::text("200 OK", "ok\n"),
                "/readyz" if central.is_storing() => Response::text("200 OK", "ready\n"),
                "/readyz" => Response::text("503 Service Unavailable", "the disk refuses\n"),
                "/events" if *has_body => {
                    self.followers.push(*by);
                    let head = head("200 OK", "text/event-stream");
                    let bytes = outgoing.buffer();
                    bytes.extend_from_slice(head.as_bytes());
                    bytes.extend_from_slice(b"\r\nretry: 1000\n");
                    bytes.extend_from_slice(&event(&status));
                    continue;
                }
                "/events" => Response::new("200 OK", "text/event-stream", ""),
                _ => Response::text("404 Not Found", "no such page\n"),
            };
            response.send(*has_body, outgoing);
        }
    }
}

fn no_request() -> Refusal {
    Refusal::new(Code::UnknownMessage, "this is no HTTP request")
}

/// Answers 431 for a request that is too large, 400 otherwise.
pub fn refuse(refusal: &Refusal, outgoing: &mut Outgoing) {
    let status = match refusal.code {
        Code::Malformed => "431 Request Header Fields Too Large",
        _ => "400 Bad Request",
    };
    Response::text(status, &format!("{refusal}\n")).send(true, outgoing);
}

fn event(status: &str) -> Vec<u8> {
    format!("data: {status}\n\n").into_bytes()
}

fn head(status: &str, content_type: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'\r\n\
         Connection: close\r\n"
    )
}

struct Response {
    head: String,
    body: String,
}

impl Response {
    fn new(status: &str, content_type: &str, body: impl Into<String>) -> Response {
        Response {
            head: head(status, content_type),
            body: body.into(),
        }
    }

    fn text(status: &str, body: &str) -> Response {
        Response::new(status, "text/plain; charset=utf-8", body)
    }

    fn with_header(mut self, header: &str) -> Response {
        self.head += header;
        self.head += "\r\n";
        self
    }

    fn send(self, has_body: bool, outgoing: &mut Outgoing) {
        let Response { head, body } = self;
        let length = body.len();
        let head = format!("{head}Content-Length: {length}\r\n\r\n");
        outgoing.buffer().extend_from_slice(head.as_bytes());
        if has_body {
            outgoing.buffer().extend_from_slice(body.as_bytes());
        }
        outgoing.end(Ending::AfterFlush);
    }
}
