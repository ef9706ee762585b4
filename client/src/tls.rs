//! TLS to the central: TLS 1.3 with a certificate on both sides.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::client::Resumption;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, RootCertStore};

use crate::config::Network;

const FILES: &str = "tls.ca, tls.cert, tls.key";

/// The client's end of a session that has not begun, if the settings ask for TLS. The files are read each
/// time, so that new keys count from the next connection on.
pub fn session(network: &Network) -> Result<Option<ClientConnection>> {
    let (Some(authorities), Some(certificate), Some(key)) =
        (&network.tls_ca, &network.tls_cert, &network.tls_key)
    else {
        return Ok(None);
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates("tls.ca", authorities)? {
        roots.add(authority).context(FILES)?;
    }
    let chain = certificates("tls.cert", certificate)?;
    let in_key = || format!("tls.key: {}", key.display());
    let key = PrivateKeyDer::from_pem_file(key).with_context(in_key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .context(FILES)?;
    config.resumption = Resumption::disabled();
    let host = network.server_address.rsplit_once(':');
    let host = host.map_or("", |(host, _)| host.trim_matches(['[', ']']));
    let name = network.tls_server_name.as_deref().unwrap_or(host);
    let no_name = || format!("tls.serverName: {name:?} is no name of a server");
    let name = ServerName::try_from(name.to_owned()).ok();
    let session = ClientConnection::new(Arc::new(config), name.with_context(no_name)?)?;
    Ok(Some(session))
}

fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path);
    let found = found.and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = match found {
        Ok(none) if none.is_empty() => Err(pem::Error::NoItemsFound),
        found => found,
    };
    found.with_context(|| format!("{setting}: {}", path.display()))
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
