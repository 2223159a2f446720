//! Whom to trust: the authorities of this machine, or those of a file.

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{io, path::Path, sync::Arc};

/// With the certificates of `ca_file`, in PEM, in the place of this machine's authorities.
///
/// # Errors
/// When there are none.
pub fn trust(ca_file: Option<&Path>) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let pem = std::fs::read(path)?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
            }
        }
        None => _ = roots.add_parsable_certificates(crate::roots::system()),
    }
    if roots.is_empty() {
        let text = match ca_file {
            Some(_) => "it has no certificate in PEM",
            None => "this machine has no certificates of authorities: install its ca-certificates, or give --ca-file",
        };
        return Err(io::Error::other(text));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
