//! What requests of the agent's own have in common: the authorities that this machine trusts, where no file names others, and
//! how such requests are made. They block; not for async code.

use rustls::pki_types::CertificateDer;
use std::sync::Arc;
use ureq::{
    Agent, Proxy,
    config::ConfigBuilder,
    tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem},
    typestate::AgentScope,
};

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

/// The certificates of a bundle in PEM form.
///
/// # Errors
/// What is wrong with it, as in "`FILE` cannot be understood".
pub fn of_bundle(pem: &[u8]) -> Result<Vec<Certificate<'static>>, &'static str> {
    let items: Result<Vec<PemItem>, _> = parse_pem(pem).collect();
    let items = items.map_err(|_| "cannot be understood")?;
    let certificates = items.into_iter().filter_map(|item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    if certificates.is_empty() { Err("has no certificate in PEM form") } else { Ok(certificates) }
}

/// How requests are made that trust these authorities: nothing comes from the environment, and what was meant for one is
/// not sent to another.
pub fn requests(roots: Vec<Certificate<'static>>, proxy: Option<Proxy>) -> ConfigBuilder<AgentScope> {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        // None: not what the environment says either.
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("mcpfleet/", env!("CARGO_PKG_VERSION")))
}
