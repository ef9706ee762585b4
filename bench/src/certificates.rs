//! An authority for the runs over TLS. Its keys are of the kind that `make certificates` makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::PrivatePkcs8KeyDer;

/// The server's name in its certificate, which is its address.
pub const SERVER: &str = "127.0.0.1";

/// An authority, and where the programs find what it made.
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    roots: Arc<RootCertStore>,
}

impl Authority {
    /// A new one, with the server's certificate in its folder.
    pub fn new(folder: &Path) -> Result<Authority> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = new_key()?;
        let certificate = params.self_signed(&key)?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone())?;
        let authority = Authority {
            folder: folder.to_owned(),
            issuer: Issuer::new(params, key),
            roots: Arc::new(roots),
        };
        fs::write(authority.file("ca.pem"), certificate.pem())?;
        authority.write(SERVER)?;
        Ok(authority)
    }

    /// A file of its folder.
    fn file(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    /// The authority's certificate, then the certificate and the key of that name, once written.
    pub fn files(&self, name: &str) -> [String; 3] {
        ["ca.pem", &format!("{name}.pem"), &format!("{name}.key")].map(|file| self.file(file))
    }

    /// Makes a certificate for that name and writes it and its key.
    pub fn write(&self, name: &str) -> Result<()> {
        let (certificate, key) = self.issue(name)?;
        let [_, certificate_file, key_file] = self.files(name);
        fs::write(certificate_file, certificate.pem())?;
        Ok(fs::write(key_file, key.serialize_pem())?)
    }

    /// What an agency needs to connect.
    pub fn client(&self, agency: usize) -> Result<Arc<ClientConfig>> {
        let (certificate, key) = self.issue(&name(agency))?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
            .with_root_certificates(self.roots.clone())
            .with_client_auth_cert(vec![certificate.der().clone()], key.into())?;
        Ok(Arc::new(config))
    }

    fn issue(&self, name: &str) -> Result<(rcgen::Certificate, KeyPair)> {
        let key = new_key()?;
        let certificate =
            CertificateParams::new([name.to_owned()])?.signed_by(&key, &self.issuer)?;
        Ok((certificate, key))
    }
}

/// An agency's name in its certificate.
pub fn name(agency: usize) -> String {
    format!("agency-{agency}")
}

fn new_key() -> Result<KeyPair> {
    Ok(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)
}
