//! Certificates for one run, as PEM files in its folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// The number of the central, which agencies know by its address.
pub const CENTRAL: u32 = 0;

/// Makes an authority, whose key nobody keeps, and certificates of the central and the agencies.
pub fn make(folder: &Path, agencies: u32) -> Result<()> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);
    for number in 0..=agencies {
        let [authority_file, certificate_file, key_file] = files(number, folder);
        let key = KeyPair::generate()?;
        let name = match number {
            CENTRAL => "127.0.0.1".to_owned(),
            agency => format!("agency-{agency}"),
        };
        let certificate = CertificateParams::new([name])?.signed_by(&key, &issuer)?;
        fs::write(authority_file, authority.pem())?;
        fs::write(certificate_file, certificate.pem())?;
        fs::write(key_file, key.serialize_pem())?;
    }
    Ok(())
}

/// Where the authority's certificate is, that of an agency or [`CENTRAL`], and its key.
pub fn files(number: u32, folder: &Path) -> [PathBuf; 3] {
    let own = |ending| folder.join(format!("{number}.{ending}"));
    [folder.join("authority.pem"), own("pem"), own("key")]
}
