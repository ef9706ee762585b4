//! An authority for one run, and the certificates that it signs, as PEM files in its folder. Its keys are
//! ECDSA P-256, as those that `make certificates` makes. `make run` uses this file too.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// The central's name in its certificate, which is its address.
pub const CENTRAL: &str = "127.0.0.1";

/// An authority, and where the programs find what it made. Nobody keeps its key.
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one, with the central's certificate in its folder.
    pub fn new(folder: &Path) -> Result<Authority> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        fs::write(folder.join("ca.pem"), params.self_signed(&key)?.pem())?;
        let authority = Authority {
            folder: folder.to_owned(),
            issuer: Issuer::new(params, key),
        };
        authority.write(CENTRAL)?;
        Ok(authority)
    }

    /// Makes a certificate for that name and writes it and its key. Gives back its files.
    pub fn write(&self, name: &str) -> Result<[String; 3]> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([name.to_owned()])?;
        let files = self.files(name);
        fs::write(&files[1], certificate.signed_by(&key, &self.issuer)?.pem())?;
        fs::write(&files[2], key.serialize_pem())?;
        Ok(files)
    }

    /// The authority's certificate, then the certificate and the key of that name, once written.
    pub fn files(&self, name: &str) -> [String; 3] {
        ["ca.pem", &format!("{name}.pem"), &format!("{name}.key")]
            .map(|file| self.folder.join(file).to_string_lossy().into_owned())
    }
}

/// An agency's name in its certificate.
pub fn agency(number: u32) -> String {
    format!("agency-{number}")
}
