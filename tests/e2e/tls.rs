//! Mutual TLS: who gets in, and for whom they speak.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::kit::Message::{Hello, RegisterBets, Status};
use crate::kit::{
    Central, Certificates, Dataset, Peer, Program, Server, expect_winners, losing_bets, rows,
};
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;

use super::flood::has_descriptors;

/// Handshakes that are begun and held.
const HALF_MADE: usize = 2_000;

/// Handshakes that are begun and dropped, at most, while the agencies are at work: 200 a second.
const HALF_MADE_ANEW_MAX: usize = 4_000;

const DISTRUSTED: &str = "the peer does not trust this server's certificate";

#[test]
fn bad_certificates_are_refused_and_the_log_says_why() {
    let [Some(certificates), Some(others)] = [2, 1].map(Certificates::make) else {
        return;
    };
    certificates.issue("expired", 20_200_101, 20_210_101);
    certificates.issue("early", 20_900_101, 20_910_101);
    certificates.script("revoke 2");
    let own = |name: &str| certificates.own(name);
    let another_name = certificates.trust() + " -verify_hostname lottery.example";
    let server = Server::lottery(1).of_all_dialects();
    let mut server = certificates.server(server).start();
    server.wait_for_lines("| tls: no | advice: anybody who reaches this port may", 5);
    let mut agency = Peer::over_tls(server.address, &own("agency-1"));
    agency.hello(1, &[], 0);
    let refused = "action: tls_handshake | result: in_progress | ip: 127.0.0.1";
    let mut causes = Vec::new();
    for (options, cause) in [
        ("-no_ticket", "no certificate"),
        (&others.own("agency-1"), "unknown authority"),
        (&own("expired"), "the certificate has expired"),
        (&own("early"), "the certificate is not valid yet"),
        (&own("agency-2"), "the certificate is revoked"),
        (&own("server"), "the certificate is not for clients"),
        (&(own("agency-1") + " -tls1_2"), "TLS 1.3 is required"),
        (&others.trust(), DISTRUSTED),
        (&another_name, DISTRUSTED),
    ] {
        Peer::over_tls(server.address, options).expect_closed();
        causes.push(cause);
        server.wait_for_lines(refused, causes.len());
    }
    let mut plain = server.connect();
    plain.say(Hello(1));
    plain.rest();
    causes.push("not TLS");
    agency.store(&losing_bets(1, 10));
    let log = server.terminate().log;
    assert_eq!(log.values(refused, "error"), causes);
    assert_eq!(log.count("result: fail"), 0);
}

#[test]
fn a_certificate_speaks_for_its_agency_only_and_one_without_an_agency_may_ask_how_far_it_is() {
    let [Some(certificates), Some(others)] = [4, 1].map(Certificates::make) else {
        return;
    };
    certificates.issue("visitor", 20_200_101, 20_900_101);
    let server = certificates.server(Server::lottery(4)).start();
    let connect = |name: &str| Peer::over_tls(server.address, &certificates.own(name));
    let mut owner = connect("agency-4");
    owner.hello(4, &[], 0);
    for name in ["agency-3", "visitor"] {
        for message in [Hello(4), RegisterBets(losing_bets(4, 1))] {
            let mut thief = connect(name);
            thief.say(Status);
            // StatusReport: 4 agencies, all of them missing.
            assert_eq!(thief.take(11), [0, 33, 0, 0, 0, 4, 0, 0, 0, 4, 0]);
            thief.say(message);
            thief.expect_refusal(4);
        }
    }
    owner.store(&losing_bets(4, 1));
    let thief = certificates.client(&server, &Dataset::losing(4, 1), "agency-3");
    thief.run().expect_complaint(1, "with code 4: ");
    // What each says of the other where only one of them has TLS, or no trust.
    let plain = Server::lottery(1).start();
    let dataset = Dataset::losing(1, 1);
    let client = certificates.client(&server, &dataset, "agency-1");
    let authority = others.path("authority/ca.pem").display().to_string();
    let [trust, name, address] = ["TLS_CA", "TLS_SERVERNAME", "SERVER_ADDRESS"];
    let invalid = "its certificate is not valid: ";
    for (key, value, complaint) in [
        (trust, authority, "its certificate is not signed by tls.ca"),
        (name, "lottery.example".to_owned(), invalid),
        (address, plain.address.to_string(), "it does not speak TLS"),
    ] {
        let complaint = format!("no TLS with the central: {complaint}");
        let ended = client.clone().set(&format!("CLI_{key}"), value).run();
        ended.expect_complaint(1, &complaint);
        let said = format!("action: consulta_ganadores | result: fail | error: {complaint}");
        assert_eq!(ended.log.count(&said), 1, "{ended:#?}");
    }
    Peer::over_tls(plain.address, "-tls1_3").expect_closed();
    let refused = "result: fail | ip: 127.0.0.1 | code: 1 | error: message type 5635 is unknown";
    plain.wait_for_lines(refused, 2);
    let plain_client = Program::agency(&dataset, server.address).run();
    plain_client.expect_complaint(1, "no valid message");
    server.wait_for_line("error: not TLS");
    owner.hello(4, &losing_bets(4, 1), 0);
}

/// The first message of a handshake, as openssl makes it.
fn client_hello() -> Vec<u8> {
    let central = Central::listen();
    let _openssl = Peer::over_tls(central.address, "-tls1_3");
    let mut peer = central.accept();
    let header = peer.take(5);
    let bytes = usize::from(u16::from_be_bytes([header[3], header[4]]));
    [header, peer.take(bytes)].concat()
}

#[test]
fn five_agencies_finish_over_tls_amid_thousands_of_handshakes_that_are_only_begun() {
    let (Some(certificates), true) = (Certificates::make(5), has_descriptors()) else {
        return;
    };
    let server = certificates.server(Server::lottery(5)).start();
    let hello = client_hello();
    let begin = |bytes| {
        let mut peer = server.connect();
        peer.send(&hello[..bytes]);
        peer
    };
    // Half of them are amid their first message, and half have had an answer.
    let _amid: Vec<Peer> = (0..HALF_MADE / 2).map(|_| begin(100)).collect();
    let mut answered: Vec<Peer> = (0..HALF_MADE / 2).map(|_| begin(hello.len())).collect();
    answered.iter_mut().for_each(|peer| _ = peer.take(1));
    let datasets = [1, 2, 3, 4, 5].map(Dataset::with_winner);
    let is_enough = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let times = 0..HALF_MADE_ANEW_MAX;
            for _ in times.take_while(|_| !is_enough.load(Ordering::Relaxed)) {
                drop(begin(hello.len()));
                thread::sleep(Duration::from_millis(5));
            }
        });
        let agencies = datasets.each_ref().map(|dataset| {
            let name = format!("agency-{}", dataset.agency);
            certificates.client(&server, dataset, &name).start()
        });
        expect_winners(agencies.into(), &datasets);
        is_enough.store(true, Ordering::Relaxed);
    });
    server.expect_stored(&datasets);
}

#[test]
fn keys_change_in_mid_day_and_wrong_files_change_nothing() {
    let [Some(certificates), Some(others)] = [3, 0].map(Certificates::make) else {
        return;
    };
    let server = certificates.server(Server::lottery(3)).start();
    let connect = |name: &str| Peer::over_tls(server.address, &certificates.own(name));
    let reload = |said: &str, times| {
        server.signal(Signal::HUP);
        server.wait_for_lines(said, times);
    };
    let mut waiting = connect("agency-1");
    waiting.hello(1, &[], 0);
    waiting.finish();
    server.wait_for_finish(1);
    let mut revoked = connect("agency-3");
    revoked.hello(3, &[], 0);
    certificates.script("revoke 3");
    let key = certificates.path("server/cert.key");
    let list = certificates.path("server/crl.pem");
    let good = [&key, &list].map(|path| fs::read(path).unwrap());
    fs::write(&key, "no key").unwrap();
    reload("action: tls_reload | result: fail | error: TLS_KEY: ", 1);
    revoked.hello(3, &[], 0);
    // The list of another authority would let in who is revoked.
    fs::copy(others.path("server/crl.pem"), &list).unwrap();
    reload(
        "action: tls_reload | result: fail | error: TLS_CLIENT_CRL: a list of",
        1,
    );
    fs::write(&list, &good[1]).unwrap();
    // Nobody writes into it, and the server does not wait for somebody.
    fs::remove_file(&key).unwrap();
    mkfifoat(CWD, &key, Mode::RWXU).unwrap();
    reload("cert.key: I/O error: not a regular file", 1);
    fs::remove_file(&key).unwrap();
    fs::write(&key, &good[0]).unwrap();
    reload(
        "action: tls_reload | result: success | conexiones_cerradas: 1",
        1,
    );
    revoked.expect_closed();
    connect("agency-3").expect_closed();
    // Another authority's certificate for the server, and an agency that trusts only this one.
    for file in ["server/cert.pem", "server/cert.key"] {
        fs::copy(others.path(file), certificates.path(file)).unwrap();
    }
    reload("action: tls_reload | result: success", 2);
    let options = format!("{} {}", certificates.own("agency-2"), others.trust());
    Peer::over_tls(server.address, &options).hello(2, &[], 0);
    waiting.expect_nothing_yet();
    connect("agency-1").hello(1, &[], 1);
}

#[test]
fn sighup_while_opening_is_harmless() {
    let Some(certificates) = Certificates::make(1) else {
        return;
    };
    let server = certificates.server(Server::lottery(1));
    server.put("bets.csv", rows(&losing_bets(1, 100_000)));
    let process = server.program.start();
    process.wait_for_line("action: start ");
    process.signal(Signal::HUP);
    process.wait_for_line("action: listen ");
    process.terminate().expect_success();
}
