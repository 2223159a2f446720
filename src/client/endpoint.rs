//! Where an agent listens.

use hyper::http::{Uri, uri::Scheme};
use std::{fmt, path::PathBuf, str::FromStr};

/// The address of an agent: TCP, with TLS or without, or a Unix socket on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Tcp {
        /// `host:port`, which is also the `Host` header.
        authority: String,
        /// What stands before `/v1` and `/mcp`: empty, or a path without a slash at its end, where a proxy adds one.
        prefix: String,
    },
    /// TCP with TLS.
    Https {
        /// `host:port`, which is also the `Host` header.
        authority: String,
        prefix: String,
    },
    Unix(PathBuf),
}

impl Endpoint {
    /// Where an agent listens that was told nothing else.
    pub fn default_tcp() -> Endpoint {
        Endpoint::Tcp { authority: "127.0.0.1:7420".into(), prefix: String::new() }
    }

    /// The `Host` header of requests.
    pub fn host(&self) -> &str {
        match self {
            Endpoint::Tcp { authority, .. } | Endpoint::Https { authority, .. } => authority,
            Endpoint::Unix(_) => "localhost",
        }
    }

    /// The name or address that a certificate must be for; without the port.
    pub fn name(&self) -> &str {
        let host = self.host().rsplit_once(':').map_or(self.host(), |(host, _)| host);
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    pub fn prefix(&self) -> &str {
        match self {
            Endpoint::Tcp { prefix, .. } | Endpoint::Https { prefix, .. } => prefix,
            Endpoint::Unix(_) => "",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { authority, prefix } => write!(f, "http://{authority}{prefix}"),
            Endpoint::Https { authority, prefix } => write!(f, "https://{authority}{prefix}"),
            Endpoint::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Why a text is no address of an agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error(
        "not an address of an agent: give an http or https URL, host:port, or the path of the agent's control socket"
    )]
    Unreadable,
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Reads `http://HOST[:PORT][/PREFIX]`, the same with `https`, `HOST:PORT`, `unix:PATH`, or a path that has a slash in it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err(EndpointError::Unreadable) } else { Ok(Endpoint::Unix(path.into())) };
        }
        if !text.contains("://") && text.contains('/') {
            return Ok(Endpoint::Unix(text.into()));
        }
        let uri: Uri = text.parse().map_err(|_| EndpointError::Unreadable)?;
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let authority = uri.authority().ok_or(EndpointError::Unreadable)?;
        let known = secure || uri.scheme().is_none_or(|scheme| *scheme == Scheme::HTTP);
        // Without a scheme only `host:port` is meant: a bare word is a typo sooner than a host's name.
        let complete = uri.scheme().is_some() || authority.port().is_some();
        if !known || !complete || authority.as_str().contains('@') || uri.query().is_some() || uri.host() == Some("") {
            return Err(EndpointError::Unreadable);
        }
        let authority = match authority.port() {
            Some(_) => authority.to_string(),
            None => format!("{}:{}", authority.host(), if secure { 443 } else { 80 }),
        };
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(if secure { Endpoint::Https { authority, prefix } } else { Endpoint::Tcp { authority, prefix } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let tcp = |authority: &str, prefix: &str| Endpoint::Tcp { authority: authority.into(), prefix: prefix.into() };
        let https =
            |authority: &str, prefix: &str| Endpoint::Https { authority: authority.into(), prefix: prefix.into() };
        for (text, expected) in [
            ("http://127.0.0.1:7420", tcp("127.0.0.1:7420", "")),
            ("http://127.0.0.1:7420/", tcp("127.0.0.1:7420", "")),
            ("http://fleet.example.com", tcp("fleet.example.com:80", "")),
            ("http://[::1]:7420/fleet/", tcp("[::1]:7420", "/fleet")),
            ("https://fleet.example.com", https("fleet.example.com:443", "")),
            ("https://[::1]:7420/fleet/", https("[::1]:7420", "/fleet")),
            ("localhost:7420", tcp("localhost:7420", "")),
            ("unix:///run/a.sock", Endpoint::Unix("/run/a.sock".into())),
            ("unix:a.sock", Endpoint::Unix("a.sock".into())),
            ("/run/a.sock", Endpoint::Unix("/run/a.sock".into())),
            ("./a.sock", Endpoint::Unix("./a.sock".into())),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "agent",
            "unix:",
            "ftp://a",
            "http://",
            "http://u:p@a",
            "https://u:p@a",
            "http://a?b",
            "http://:80",
            "a b:1",
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(EndpointError::Unreadable), "{text:?}");
        }
    }

    #[test]
    fn names() {
        for (text, expected) in
            [("https://a.example/x", "a.example"), ("https://[::1]:1", "::1"), ("https://10.0.0.1", "10.0.0.1")]
        {
            assert_eq!(text.parse::<Endpoint>().unwrap().name(), expected);
        }
    }
}
