//! What comes before anybody knows who speaks: a request for a page, and a TLS handshake.

use lottery_core::codec::Inbox;
use lottery_core::message::Refusal;
use server::connection::{ConnectionId, Outgoing};
use server::http::{Http, HttpSession, Metrics};
use server::limits::{HANDSHAKE_BYTES_MAX, HTTP_REQUEST_BYTES_MAX, READ_BYTES};
use server::testing::{Authority, Network};
use server::tls::TlsAcceptor;
use server::transport::ReadOutcome;

/// A request is found where it ends, however it comes, and is answered or asks for something.
pub fn check_http(input: &[u8]) {
    let input = &input[..input.len().min(HTTP_REQUEST_BYTES_MAX - 1)];
    let whole = first_request(&[input]);
    let (front, back) = input.split_at(input.len() / 2);
    assert_eq!(first_request(&[front, back]), whole, "cut in the middle");
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(first_request(&bytes), whole, "byte by byte");
    if let Ok(Some(request)) = whole {
        assert!(request.ends_with(b"\n"));
        let mut session = HttpSession::default();
        let mut outgoing = Outgoing::default();
        Http::new(Metrics::new("test")).request(
            ConnectionId(0),
            &mut session,
            &request,
            &mut outgoing,
        );
        assert!(session.is_parked(), "a connection has one request");
        let refusal = outgoing.unsent();
        assert!(refusal.is_empty() || refusal.starts_with(b"HTTP/1.1 4"));
    }
}

fn first_request(pieces: &[&[u8]]) -> Result<Option<Vec<u8>>, Refusal> {
    let mut inbox = Inbox::default();
    for mut piece in pieces.iter().copied() {
        let found = inbox.next_message(&mut piece, HttpSession::scan)?;
        if let Some(request) = found {
            return Ok(Some(request.to_vec()));
        }
    }
    Ok(None)
}

/// Nobody gets a byte through a TLS door without a certificate, nor makes the server keep much.
pub fn check_handshake(input: &[u8]) {
    thread_local! {
        static ACCEPTOR: TlsAcceptor = Authority::new().acceptor();
    }
    let (peer, socket) = Network::default().connect();
    let mut transport = ACCEPTOR.with(|acceptor| acceptor.accept(socket)).unwrap();
    let mut buffer = vec![0; READ_BYTES];
    for piece in input.chunks(1 + input.len() / 3) {
        peer.send(piece);
        peer.edge();
        loop {
            match transport.read(&mut buffer) {
                ReadOutcome::Nothing => break,
                ReadOutcome::Later => {}
                ReadOutcome::Refused(cause) => return assert!(!cause.is_empty()),
                other => panic!("{other:?}"),
            }
            assert!(transport.memory_bytes() <= HANDSHAKE_BYTES_MAX);
        }
    }
    assert!(transport.is_handshaking());
    assert!(transport.take_certificate().is_none());
}
