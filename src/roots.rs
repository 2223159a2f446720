//! The authorities that this machine trusts, for everything that speaks TLS without a file that names others.

use rustls::pki_types::CertificateDer;
use ureq::tls::Certificate;

/// What to do where there are none.
pub const NONE: &str = "this machine has no certificates of authorities: install its ca-certificates";

/// Their certificates, as far as they can be read.
pub fn system() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

/// The same as requests that block want them.
///
/// # Errors
/// There are none.
pub fn for_requests() -> Result<Vec<Certificate<'static>>, &'static str> {
    let found = system();
    match found.is_empty() {
        true => Err(NONE),
        false => Ok(found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()),
    }
}
