//! TLS to the central: TLS 1.3 with a certificate on both sides.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use lottery_program::files::open_regular;
use rustls::client::Resumption;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, RootCertStore};

use crate::config::Network;

const FILES: &str = "tls.ca, tls.cert, tls.key";

/// A new session of the client, if the settings ask for TLS. The files are read each time, so that new
/// keys count from the next connection on.
pub fn session(network: &Network) -> Result<Option<ClientConnection>> {
    let (Some(authorities), Some(certificate), Some(key)) =
        (&network.tls_ca, &network.tls_cert, &network.tls_key)
    else {
        return Ok(None);
    };
    let authorities = certificates("tls.ca", authorities)?;
    let chain = certificates("tls.cert", certificate)?;
    let in_key = || format!("tls.key: {}", key.display());
    let key = open(key).and_then(PrivateKeyDer::from_pem_reader);
    let key = key.with_context(in_key)?;
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).context(FILES)?;
    }
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
    let no_name = || format!("tls.serverName: {name:?} is not a host name");
    let name = ServerName::try_from(name.to_owned()).ok();
    let session = ClientConnection::new(Arc::new(config), name.with_context(no_name)?)?;
    Ok(Some(session))
}

fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found = open(path).map(CertificateDer::pem_reader_iter);
    let found = found.and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = match found {
        Ok(none) if none.is_empty() => Err(pem::Error::NoItemsFound),
        found => found,
    };
    found.with_context(|| format!("{setting}: {}", path.display()))
}

/// Files are read again at each connection, where no signal could interrupt the read of a pipe.
fn open(path: &Path) -> Result<BufReader<File>, pem::Error> {
    let file = open_regular(path).map_err(pem::Error::Io)?;
    Ok(BufReader::new(file))
}

/// Why the session failed, in words.
pub fn cause(error: &rustls::Error) -> String {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage};
    match error {
        // Two lotteries' authorities may have the same name.
        InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate is not signed by tls.ca".to_owned()
        }
        InvalidCertificate(bad) => format!("its certificate is not valid: {bad}"),
        InvalidMessage(_) => "it does not speak TLS".to_owned(),
        AlertReceived(AlertDescription::UnknownCA) => {
            "it does not trust the authority of our certificate".to_owned()
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

#[cfg(test)]
mod tests {
    use std::thread;

    use lottery_program::settings::defaults;
    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    #[test]
    fn a_pipe_instead_of_a_file_is_refused_without_waiting_for_a_writer() {
        const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let folder = tempfile::tempdir().unwrap();
        let (pipe, file) = (folder.path().join("pipe"), folder.path().join("file.pem"));
        mkfifoat(CWD, &pipe, Mode::RWXU).unwrap();
        std::fs::write(&file, PEM).unwrap();
        // A client that opened the pipe would find it empty.
        let written = pipe.clone();
        thread::spawn(move || File::create(written));
        for setting in ["tls.ca", "tls.cert", "tls.key"] {
            let path_of = |other| Some(if other == setting { &pipe } else { &file }.clone());
            let network = Network {
                tls_ca: path_of("tls.ca"),
                tls_cert: path_of("tls.cert"),
                tls_key: path_of("tls.key"),
                ..defaults()
            };
            let error = format!("{:#}", session(&network).unwrap_err());
            assert!(error.starts_with(setting), "{error}");
            assert!(error.ends_with("not a regular file"), "{error}");
        }
    }
}
