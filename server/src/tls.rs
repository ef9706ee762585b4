//! Mutual TLS: which peers get in, and which agency they speak for.
//!
//! TLS 1.3 only, without resumption and early data: each connection shows its certificate and proves that
//! it has the key. The certificate's DNS name says who the peer is; nothing that it says later can change
//! that.

use std::fmt::Display;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, anyhow};
use lottery_program::files::open_regular;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{
    AlertDescription, CertificateError, Error, PeerIncompatible, RootCertStore, ServerConfig,
    ServerConnection,
};
use webpki::{BorrowedCertRevocationList, CertRevocationList};

use crate::central::Certificate;
use crate::transport::Transport;

/// What stands in front of an agency's number in its certificate's DNS name.
const AGENCY_NAME: &str = "agency-";

/// Where certificates and keys are, as PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate, and those of the authorities between it and a root.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
    /// The authorities that sign agencies' certificates.
    pub client_authorities: PathBuf,
    /// The certificates that those have revoked.
    pub revoked: Option<PathBuf>,
}

/// Makes TLS transports of sockets, with keys that can change while it runs.
#[derive(Debug)]
pub struct TlsAcceptor {
    files: TlsFiles,
    config: Arc<ServerConfig>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl TlsAcceptor {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// When one cannot be used; the message names its setting.
    pub fn load(files: TlsFiles) -> Result<TlsAcceptor> {
        let verifier = verifier(&files)?;
        let config = config(&files, verifier.clone())?;
        Ok(TlsAcceptor {
            files,
            config: Arc::new(config),
            verifier,
        })
    }

    /// Reads the files again. Connections that are open keep what they have.
    ///
    /// # Errors
    ///
    /// As [`TlsAcceptor::load`]; the old keys stay then.
    pub fn reload(&mut self) -> Result<()> {
        *self = TlsAcceptor::load(self.files.clone())?;
        Ok(())
    }

    /// TLS on a socket that was just accepted.
    pub fn accept<T>(&self, socket: T) -> Result<Transport<T>, Error> {
        let session = ServerConnection::new(self.config.clone())?;
        Ok(Transport::tls(socket, session))
    }

    /// Whether the peer of a session would get in again, now.
    ///
    /// # Errors
    ///
    /// The cause, in words, when it would not.
    pub(crate) fn check_again(&self, session: &ServerConnection) -> Result<(), String> {
        let Some([certificate, intermediates @ ..]) = session.peer_certificates() else {
            return Ok(());
        };
        let verifier = &self.verifier;
        let result = verifier.verify_client_cert(certificate, intermediates, UnixTime::now());
        result.map(|_| ()).map_err(|error| cause(&error))
    }
}

fn config(files: &TlsFiles, verifier: Arc<dyn ClientCertVerifier>) -> Result<ServerConfig> {
    let chain = read_all("TLS_CERT", &files.certificate)?;
    let key = open(&files.key).and_then(PrivateKeyDer::from_pem_reader);
    let key = key.map_err(unreadable("TLS_KEY", &files.key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable("TLS_CERT"))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(unusable("TLS_CERT, TLS_KEY"))?;
    // A resumed session would not show its certificate, which may have been revoked since.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn verifier(files: &TlsFiles) -> Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for authority in read_all("TLS_CLIENT_CA", &files.client_authorities)? {
        roots.add(authority).map_err(unusable("TLS_CLIENT_CA"))?;
    }
    let revoked = match &files.revoked {
        Some(path) => read_all::<CertificateRevocationListDer<'_>>("TLS_CLIENT_CRL", path)?,
        None => Vec::new(),
    };
    for list in &revoked {
        // Certificates of an authority without a list get in, so another's list would let in the revoked.
        let list =
            BorrowedCertRevocationList::from_der(list).map_err(unusable("TLS_CLIENT_CRL"))?;
        let list = CertRevocationList::from(list);
        if !roots
            .roots
            .iter()
            .any(|root| *root.subject == *list.issuer())
        {
            let reason = "a list of an authority that TLS_CLIENT_CA does not have";
            return Err(unusable("TLS_CLIENT_CRL")(reason));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .with_crls(revoked)
        .allow_unknown_revocation_status()
        .build()
        .map_err(unusable("TLS_CLIENT_CA, TLS_CLIENT_CRL"))
}

fn read_all<T: PemObject>(setting: &'static str, path: &Path) -> Result<Vec<T>> {
    let found = open(path).map(T::pem_reader_iter);
    let found = found.and_then(Iterator::collect::<Result<Vec<T>, _>>);
    let found = found.and_then(|found| match found.is_empty() {
        true => Err(pem::Error::NoItemsFound),
        false => Ok(found),
    });
    found.map_err(unreadable(setting, path))
}

fn open(path: &Path) -> Result<BufReader<File>, pem::Error> {
    let file = open_regular(path).map_err(pem::Error::Io)?;
    Ok(BufReader::new(file))
}

fn unreadable(setting: &'static str, path: &Path) -> impl FnOnce(pem::Error) -> anyhow::Error {
    move |error| unusable(setting)(format!("{}: {error}", path.display()))
}

fn unusable<E: Display>(setting: &'static str) -> impl FnOnce(E) -> anyhow::Error {
    move |error| anyhow!("{setting}: {error}")
}

/// Which agency the peer of a session speaks for.
pub(crate) fn certificate_of(session: &ServerConnection) -> Certificate {
    let certificate = session
        .peer_certificates()
        .and_then(|chain: &[CertificateDer<'_>]| chain.first());
    let Some(Ok(certificate)) = certificate.map(webpki::EndEntityCert::try_from) else {
        return Certificate::Guest;
    };
    let mut agencies = certificate.valid_dns_names().filter_map(|name| {
        let number = name.strip_prefix(AGENCY_NAME)?;
        number.parse().ok().filter(|agency| *agency >= 1)
    });
    match (agencies.next(), agencies.next()) {
        (Some(agency), None) => Certificate::Agency(agency),
        // A certificate for two agencies is a mistake of its authority; it speaks for neither.
        _ => Certificate::Guest,
    }
}

/// Why a peer does not get in, in words.
pub(crate) fn cause(error: &Error) -> String {
    use CertificateError as Bad;
    let words = match error {
        Error::NoCertificatesPresented => "no certificate",
        Error::InvalidCertificate(bad) => match bad {
            // Two lotteries' authorities may have the same name.
            Bad::UnknownIssuer | Bad::BadSignature => "unknown authority",
            Bad::Expired | Bad::ExpiredContext { .. } => "the certificate has expired",
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => "the certificate is not valid yet",
            Bad::Revoked => "the certificate is revoked",
            Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => {
                "the certificate is not for clients"
            }
            _ => return format!("bad certificate: {bad}"),
        },
        Error::InvalidMessage(_) => "not TLS",
        Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls13RequiredForQuic
            | PeerIncompatible::SupportedVersionsExtensionRequired,
        ) => "TLS 1.3 is required",
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired,
        ) => "the peer does not trust this server's certificate",
        other => return other.to_string(),
    };
    words.to_owned()
}
