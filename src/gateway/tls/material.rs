//! What the files have, read and judged.

use super::validity;
use jiff::Timestamp;
use rustls::{
    InconsistentKeys,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};
use zeroize::Zeroizing;

/// The largest file; long chains have some ten kilobytes.
const MAX_FILE: u64 = 1 << 20;

/// Where a certificate and its key are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The gateway's own certificate first, then those that lead to an authority.
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// Why there is no TLS with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{setting} {} cannot be read: {error}", path.display())]
    Read { setting: &'static str, path: PathBuf, error: io::Error },
    #[error("{setting} {} is larger than 1 MiB", path.display())]
    TooLarge { setting: &'static str, path: PathBuf },
    #[error("gateway.tls.cert_file {} has no certificate in PEM (`-----BEGIN CERTIFICATE-----`)", .0.display())]
    NoCertificate(PathBuf),
    #[error("gateway.tls.key_file {} has no private key in PEM, or one under a passphrase", .0.display())]
    NoKey(PathBuf),
    #[error("gateway.tls.key_file {} is not the key of the first certificate in {}", key.display(), cert.display())]
    NotItsKey { cert: PathBuf, key: PathBuf },
    #[error("gateway.tls: the certificate of {} or its key cannot be used: {error}", path.display())]
    Unusable { path: PathBuf, error: rustls::Error },
    #[error("TLS cannot be set up: {0}")]
    Provider(rustls::Error),
}

/// The content of both files.
pub struct Material {
    certificates: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    /// Of both.
    pub digest: [u8; 32],
}

impl Material {
    pub fn read(files: &Files) -> Result<Material, TlsError> {
        let certificates = bytes("gateway.tls.cert_file", &files.cert_file)?;
        let key = bytes("gateway.tls.key_file", &files.key_file)?;
        let mut digest = Sha256::new();
        for part in [&certificates, &key] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_slice());
        }
        Ok(Material { certificates, key, digest: digest.finalize().into() })
    }

    /// The certificates with their key, if they belong together.
    pub fn key(&self, files: &Files) -> Result<Arc<CertifiedKey>, TlsError> {
        let no_certificate = || TlsError::NoCertificate(files.cert_file.clone());
        let chain: Vec<_> = self.chain().collect::<Result<_, _>>().map_err(|_| no_certificate())?;
        if chain.is_empty() {
            return Err(no_certificate());
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| TlsError::NoKey(files.key_file.clone()))?;
        match CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider()) {
            Ok(key) => Ok(Arc::new(key)),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(TlsError::NotItsKey { cert: files.cert_file.clone(), key: files.key_file.clone() })
            }
            Err(error) => Err(TlsError::Unusable { path: files.cert_file.clone(), error }),
        }
    }

    /// Until when the first certificate is good, as far as that can be told.
    pub fn expires(&self) -> Option<Timestamp> {
        validity::end(&self.chain().next()?.ok()?)
    }

    fn chain(&self) -> impl Iterator<Item = Result<CertificateDer<'static>, rustls::pki_types::pem::Error>> {
        CertificateDer::pem_slice_iter(&self.certificates)
    }
}

fn bytes(setting: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let failed = |error| TlsError::Read { setting, path: path.to_owned(), error };
    let file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is no file")));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(TlsError::TooLarge { setting, path: path.to_owned() });
    }
    Ok(bytes)
}
