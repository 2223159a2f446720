//! Where the agent may be: what the user says, the control socket, then the usual port.

use super::{api::AgentClient, endpoint::Endpoint, http::HttpClient, tls};
use hyper::header::{HeaderValue, InvalidHeaderValue};
use rustls::ClientConfig;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why it is not even clear how to talk to an agent.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error("the token file {} cannot be read: {error}", path.display())]
    Token { path: PathBuf, error: io::Error },
    #[error("the token file {} must hold one line of printable characters", path.display())]
    TokenContent { path: PathBuf, error: InvalidHeaderValue },
    #[error("the certificates of {} cannot be used: {error}", path.display())]
    Authorities { path: PathBuf, error: io::Error },
    #[error("no agent can be trusted over TLS: {0}")]
    NoAuthorities(io::Error),
}

/// A client for the agent that the user means; `sockets` is where one on this machine may listen. Nothing is sent yet,
/// so the agent need not be running.
pub fn agent(
    named: Option<Endpoint>,
    sockets: Vec<PathBuf>,
    token_file: Option<&Path>,
    ca_file: Option<&Path>,
) -> Result<AgentClient, FindError> {
    let authorization = token_file.map(bearer).transpose()?;
    let tls = match named {
        Some(Endpoint::Https { .. }) => Some(trusted(ca_file)?),
        _ => None,
    };
    Ok(AgentClient::new(HttpClient::new(candidates(named, sockets), authorization).with_tls(tls)))
}

/// Where to look, in order. An agent that was named is the only one that will do.
fn candidates(named: Option<Endpoint>, sockets: Vec<PathBuf>) -> Vec<Endpoint> {
    match named {
        Some(endpoint) => vec![endpoint],
        None => sockets.into_iter().map(Endpoint::Unix).chain([Endpoint::default_tcp()]).collect(),
    }
}

fn trusted(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, FindError> {
    tls::trust(ca_file).map_err(|error| match ca_file {
        Some(path) => FindError::Authorities { path: path.into(), error },
        None => FindError::NoAuthorities(error),
    })
}

fn bearer(path: &Path) -> Result<HeaderValue, FindError> {
    let token = std::fs::read_to_string(path).map_err(|error| FindError::Token { path: path.into(), error })?;
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
        .map_err(|error| FindError::TokenContent { path: path.into(), error })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_was_named_is_the_only_one_that_will_do() {
        let sockets = || vec!["/run/user/1/a.sock".into(), "/run/a.sock".into()];
        let named: Endpoint = "http://fleet:1".parse().unwrap();
        assert_eq!(candidates(Some(named.clone()), sockets()), [named]);
        assert_eq!(
            candidates(None, sockets()),
            [
                Endpoint::Unix("/run/user/1/a.sock".into()),
                Endpoint::Unix("/run/a.sock".into()),
                Endpoint::default_tcp()
            ]
        );
    }

    #[test]
    fn tokens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "secret\n").unwrap();
        let value = bearer(&path).unwrap();
        assert_eq!((value.to_str().unwrap(), value.is_sensitive()), ("Bearer secret", true));
        std::fs::write(&path, "a\nb\n").unwrap();
        assert!(matches!(bearer(&path), Err(FindError::TokenContent { .. })));
        assert!(matches!(bearer(&dir.path().join("none")), Err(FindError::Token { .. })));
    }
}
