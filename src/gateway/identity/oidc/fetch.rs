//! Gets an issuer's keys. Blocks; not for async code.

use super::jwk::{Key, parse_set};
use crate::{manifest::decode::is_secure_url, roots};
use serde::Deserialize;
use std::time::Duration;
use ureq::{
    Agent,
    http::{StatusCode, Uri, header},
};

/// For each of the two requests.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer, in bytes.
const MAX_BODY: u64 = 512 << 10;

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The keys that an issuer has now.
///
/// # Errors
/// Why they cannot be had, for people.
pub fn keys(issuer: &str) -> Result<Vec<Key>, String> {
    #[derive(Deserialize)]
    struct Configuration {
        issuer: String,
        jwks_uri: String,
    }
    let agent = agent(issuer)?;
    let url = format!("{}{DISCOVERY}", issuer.trim_end_matches('/'));
    let found: Configuration =
        serde_json::from_slice(&get(&agent, &url)?).map_err(|error| format!("{url} makes no sense: {error}"))?;
    if found.issuer != issuer {
        return Err(format!("{url} is of the issuer {:?}, not of {issuer:?}", found.issuer));
    }
    if !is_secure_url(&found.jwks_uri) || (is_https(issuer) && !is_https(&found.jwks_uri)) {
        return Err(format!("its keys are at {:?}, which is not https", found.jwks_uri));
    }
    let keys = parse_set(&get(&agent, &found.jwks_uri)?).map_err(|error| format!("{}: {error}", found.jwks_uri))?;
    if keys.is_empty() {
        return Err(format!("{} has no key that could verify a token", found.jwks_uri));
    }
    Ok(keys)
}

fn is_https(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| uri.scheme_str() == Some("https"))
}

fn agent(issuer: &str) -> Result<Agent, String> {
    let roots = if is_https(issuer) { roots::for_requests()? } else { Vec::new() };
    let config = roots::requests(roots, None).timeout_global(Some(TIMEOUT)).max_idle_connections(0).build();
    Ok(config.new_agent())
}

fn get(agent: &Agent, url: &str) -> Result<Vec<u8>, String> {
    let mut response =
        agent.get(url).header(header::ACCEPT, "application/json").call().map_err(|error| format!("{url}: {error}"))?;
    if response.status() != StatusCode::OK {
        return Err(format!("{url} answers {}", response.status()));
    }
    response.body_mut().with_config().limit(MAX_BODY).read_to_vec().map_err(|error| format!("{url}: {error}"))
}
