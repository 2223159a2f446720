//! The authorities that this machine trusts.

use ureq::tls::Certificate;

/// Their certificates. None where nothing is installed: nobody is trusted then, and who connects is told so.
pub fn certificates() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs();
    found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
}
