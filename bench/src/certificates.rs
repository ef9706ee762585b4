//! Certificates for one run, as PEM files in its folder. Their keys are ECDSA P-256, as those that
//! `make certificates` makes. `make run` uses this file too.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// The number of the central, which agencies know by its address.
pub const CENTRAL: u32 = 0;
pub const ADDRESS: &str = "127.0.0.1";

/// Where the programs find what an authority made, whose key nobody keeps.
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// Makes a new one, and certificates of the central and so many agencies.
    pub fn new(folder: &Path, agencies: u32) -> Result<Authority> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        fs::write(folder.join("ca.pem"), params.self_signed(&key)?.pem())?;
        let issuer = Issuer::new(params, key);
        let folder = folder.to_owned();
        let authority = Authority { folder };
        for number in CENTRAL..=agencies {
            let name = match number {
                CENTRAL => ADDRESS.to_owned(),
                agency => format!("agency-{agency}"),
            };
            let key = KeyPair::generate()?;
            let certificate = CertificateParams::new([name])?.signed_by(&key, &issuer)?;
            let [_, certificate_file, key_file] = authority.files(number);
            fs::write(certificate_file, certificate.pem())?;
            fs::write(key_file, key.serialize_pem())?;
        }
        Ok(authority)
    }

    /// The authority's certificate, then the certificate and the key of an agency or [`CENTRAL`].
    pub fn files(&self, number: u32) -> [String; 3] {
        ["ca.pem", &format!("{number}.pem"), &format!("{number}.key")]
            .map(|file| self.folder.join(file).to_string_lossy().into_owned())
    }
}
