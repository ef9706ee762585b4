//! TLS to the central: TLS 1.3 with a certificate on both sides.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, RootCertStore};
use thiserror::Error;

use crate::config::Network;

/// Why there is no TLS with the central.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{setting}: {}: {error}", path.display())]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: pem::Error,
    },
    /// The central's name is none.
    #[error("tls.serverName: {0:?} is no name of a server")]
    ServerName(String),
    /// The files cannot be used.
    #[error("tls.ca, tls.cert, tls.key: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The client's end of a session that has not begun, if the settings ask for TLS. The files are read each
/// time, so that new keys count from the next connection on.
///
/// # Errors
///
/// When the files or the name cannot be used.
pub fn session(network: &Network) -> Result<Option<ClientConnection>, TlsError> {
    let (Some(authorities), Some(certificate), Some(key)) =
        (&network.tls_ca, &network.tls_cert, &network.tls_key)
    else {
        return Ok(None);
    };
    let mut roots = RootCertStore::empty();
    for authority in read_all("tls.ca", authorities)? {
        roots.add(authority)?;
    }
    let chain = read_all("tls.cert", certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::File {
        setting: "tls.key",
        path: key.clone(),
        error,
    })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    config.resumption = Resumption::disabled();
    let name = server_name(network)?;
    Ok(Some(ClientConnection::new(Arc::new(config), name)?))
}

fn server_name(network: &Network) -> Result<ServerName<'static>, TlsError> {
    let host = network.server_address.rsplit_once(':');
    let host = host.map_or("", |(host, _)| host.trim_matches(['[', ']']));
    let name = network.tls_server_name.as_deref().unwrap_or(host);
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName(name.to_owned()))
}

fn read_all(
    setting: &'static str,
    path: &PathBuf,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |error| TlsError::File {
        setting,
        path: path.clone(),
        error,
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(unreadable)?
        .collect();
    let found = found.map_err(unreadable)?;
    match found.is_empty() {
        true => Err(unreadable(pem::Error::NoItemsFound)),
        false => Ok(found),
    }
}

/// Why the session failed, in words.
pub fn cause(error: &rustls::Error) -> String {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage};
    match error {
        // Two lotteries' authorities may have the same name.
        InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate is of an unknown authority".to_owned()
        }
        InvalidCertificate(bad) => format!("its certificate is no good: {bad}"),
        InvalidMessage(_) => "it does not speak TLS".to_owned(),
        AlertReceived(AlertDescription::UnknownCA) => {
            "it does not know the authority of our certificate".to_owned()
        }
        AlertReceived(AlertDescription::CertificateExpired) => {
            "our certificate has expired, or is not valid yet".to_owned()
        }
        AlertReceived(AlertDescription::CertificateRevoked) => {
            "our certificate is revoked".to_owned()
        }
        AlertReceived(alert) => format!("it refused us: {alert:?}"),
        other => other.to_string(),
    }
}
