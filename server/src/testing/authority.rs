//! An authority with certificates for a server and for peers, and the peers' end of TLS.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, PKCS_ED25519, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::tls::{TlsAcceptor, TlsFiles};

/// The server's name in its certificate.
const SERVER_NAME: &str = "server";

/// An authority. Its keys are Ed25519: their signatures all have one length, so a random network splits a handshake
/// in the same places each time.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new one.
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("an authority");
        Authority { issuer }
    }

    /// What a server has that trusts this authority.
    pub fn acceptor(&self) -> TlsAcceptor {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, contents: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, contents).expect("a temporary file");
            path
        };
        let purpose = ExtendedKeyUsagePurpose::ServerAuth;
        let (certificate, key) = issue(&self.issuer, SERVER_NAME, purpose);
        TlsAcceptor::load(TlsFiles {
            certificate: file("server.pem", certificate),
            key: file("server.key", key),
            client_authorities: file("authority.pem", self.issuer.pem()),
            revoked: None,
        })
        .expect("good files")
    }

    /// What a peer of this DNS name needs to connect.
    pub fn client(&self, name: &str) -> Arc<ClientConfig> {
        let (certificate, key) = issue(&self.issuer, name, ExtendedKeyUsagePurpose::ClientAuth);
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
        let mut roots = RootCertStore::empty();
        let own = self.issuer.der().clone();
        roots.add(own).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate], key);
        Arc::new(config.expect("a good certificate"))
    }
}

impl Default for Authority {
    fn default() -> Authority {
        Authority::new()
    }
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).expect("a key")
}

/// A certificate and its key, as PEM.
fn issue(
    issuer: &Issuer<'_, KeyPair>,
    name: &str,
    purpose: ExtendedKeyUsagePurpose,
) -> (String, String) {
    let key = key();
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a DNS name");
    params.serial_number = Some(SerialNumber::from(1));
    params.extended_key_usages = vec![purpose];
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

/// A peer's end of TLS, without the socket.
pub(super) struct TlsEnd(ClientConnection);

impl TlsEnd {
    pub(super) fn new(config: Arc<ClientConfig>) -> TlsEnd {
        let name = ServerName::try_from(SERVER_NAME).expect("a name");
        let mut session = ClientConnection::new(config, name).expect("a session");
        session.set_buffer_limit(None);
        TlsEnd(session)
    }

    /// The records that bring these bytes, and whatever else waits: the first words of a handshake.
    pub(super) fn seal(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.writer().write_all(bytes).expect("there is no limit");
        self.take_records()
    }

    /// The bytes in records that have come, and the records to be sent in return.
    ///
    /// # Errors
    ///
    /// When the server is not one to talk to, or does not want to.
    pub(super) fn open(&mut self, mut records: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let mut bytes = Vec::new();
        while !records.is_empty() {
            self.0.read_tls(&mut records)?;
            let state = self.0.process_new_packets().map_err(io::Error::other)?;
            let start = bytes.len();
            bytes.resize(start + state.plaintext_bytes_to_read(), 0);
            self.0.reader().read_exact(&mut bytes[start..])?;
        }
        Ok((bytes, self.take_records()))
    }

    fn take_records(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        while self.0.wants_write() {
            self.0.write_tls(&mut records).expect("memory");
        }
        records
    }
}
