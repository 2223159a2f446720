//! Which hosts remote servers may be on: `app_service.remote_hosts`. Pure.

use super::Target;
use crate::resource::glob;
use serde::{Serialize, Serializer};
use std::fmt;

/// A host, or a host and a port, in which `*` is any run of characters, dots too. Case makes no difference. Without a
/// port it is any port of that host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    host: String,
    /// `None`: any.
    port: Option<u16>,
}

impl HostPattern {
    /// Reads a pattern; the error is a clause that says what is wrong with it.
    ///
    /// # Errors
    /// For anything that no host could match.
    pub fn new(text: &str) -> Result<HostPattern, &'static str> {
        if text.contains("://") {
            return Err("it has a scheme");
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '@' | '?' | '#')) {
            return Err("it has something that is not part of a host");
        }
        let lower = text.to_ascii_lowercase();
        let (host, port) = match lower.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((inside, "")) => (format!("[{inside}]"), None),
            Some((inside, after)) => {
                (format!("[{inside}]"), Some(after.strip_prefix(':').ok_or("something follows the address")?))
            }
            None => match lower.split_once(':') {
                Some((_, port)) if port.contains(':') => return Err("an IPv6 address stands in brackets"),
                Some((host, port)) => (host.to_owned(), Some(port)),
                None => (lower, None),
            },
        };
        let port = match port {
            None | Some("*") => None,
            Some(port) => Some(port.parse().ok().filter(|port| *port != 0).ok_or("its port is no port")?),
        };
        let host = without_dot(&host).to_owned();
        if host.is_empty() { Err("it has no host") } else { Ok(HostPattern { host, port }) }
    }

    /// Whether a host is meant, which has an IPv6 address in brackets.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        self.port.is_none_or(|own| own == port) && glob(&self.host, without_dot(&host.to_ascii_lowercase()))
    }
}

/// Whether a server may be where it is. `None`: anywhere.
///
/// # Errors
/// It may not; for people.
pub fn is_listed(hosts: Option<&[HostPattern]>, target: &Target) -> Result<(), String> {
    match hosts {
        Some(hosts) if !hosts.iter().any(|pattern| pattern.matches(&target.host, target.port)) => {
            let place = target.place();
            Err(format!("the agent's configuration does not list {place} in `app_service.remote_hosts`"))
        }
        _ => Ok(()),
    }
}

/// A name with a dot at its end is the same name.
fn without_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (pattern, host, port, expected) in [
            ("*", "anything", 1, true),
            ("mcp.example.com", "mcp.example.com", 443, true),
            ("MCP.Example.com", "mcp.EXAMPLE.com.", 443, true),
            ("mcp.example.com", "mcp.example.com.evil.org", 443, false),
            ("mcp.example.com", "xmcp.example.com", 443, false),
            ("*.example.com", "a.b.example.com", 443, true),
            ("*.example.com", "example.com", 443, false),
            ("*.example.com", "example.com.evil.org", 443, false),
            ("api-*.example.*", "api-1.example.org", 443, true),
            ("mcp.example.com:8443", "mcp.example.com", 8443, true),
            ("mcp.example.com:8443", "mcp.example.com", 443, false),
            ("*:8443", "x", 8443, true),
            ("x:*", "x", 7, true),
            ("127.0.0.1", "127.0.0.1", 80, true),
            ("[::1]", "[::1]", 80, true),
            ("[::1]:81", "[::1]", 80, false),
            ("[::1]:80", "[::1]", 80, true),
        ] {
            let read = HostPattern::new(pattern).unwrap();
            assert_eq!(read.matches(host, port), expected, "{pattern} {host}:{port}");
            assert_eq!(HostPattern::new(&read.to_string()), Ok(read), "{pattern}");
        }
    }

    #[test]
    fn what_is_no_host() {
        for text in ["", ".", ":80", "https://x", "x/y", "u@x", "x:0", "x:y", "x:", "::1", "[::1]x", "a b", "x:99999"] {
            assert!(HostPattern::new(text).is_err(), "{text}");
        }
    }
}
