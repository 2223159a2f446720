//! Who may knock: peers of the control socket, the Host and Origin of everybody else. Pure.

use super::{access::Principal, caller::Caller};
use axum::http::{HeaderMap, StatusCode, header};

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Tcp,
    /// A process on this host, on the control socket; the kernel says whose.
    Local {
        uid: u32,
    },
}

/// Whether clients over TCP must say who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Open,
    /// Only users with a token may come in; as long as none can be known, nobody may.
    Required,
}

#[derive(Clone, Debug)]
pub struct Guard {
    pub access: Access,
    /// Host names, lower-case and without a port, by which this gateway may be called, besides loopback's.
    pub hosts: Vec<String>,
    /// The agent's own user, who with root is its operator.
    pub uid: u32,
}

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
}

impl Guard {
    /// Checks a request before anything of it is read. Host and Origin are checked because a web page can make a
    /// browser on this machine talk to loopback addresses (DNS rebinding).
    pub fn admit(&self, peer: Peer, headers: &HeaderMap, open_path: bool) -> Result<Caller, Denial> {
        let caller = |principal| Caller { principal, peer, address: None };
        match peer {
            Peer::Local { uid } if uid == 0 || uid == self.uid => Ok(caller(Principal::Operator)),
            Peer::Local { uid } => Err(Denial {
                status: StatusCode::FORBIDDEN,
                code: "not-allowed",
                message: format!("user {uid} may not use this agent's control socket"),
            }),
            Peer::Tcp => {
                self.check_origin(headers)?;
                if open_path || self.access == Access::Open {
                    return Ok(caller(Principal::Anonymous));
                }
                Err(Denial {
                    status: StatusCode::UNAUTHORIZED,
                    code: "unauthenticated",
                    message: "this gateway requires authentication (gateway.auth: required)".into(),
                })
            }
        }
    }

    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Denial> {
        let forbidden = |message: String| Denial { status: StatusCode::FORBIDDEN, code: "wrong-host", message };
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok()).unwrap_or_default();
        if hosts.next().is_some() || !self.knows(host) {
            return Err(forbidden(format!("the host {host:?} is not one of this gateway's (gateway.allowed_hosts)")));
        }
        for origin in headers.get_all(header::ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            if !host.is_some_and(|host| self.knows(host)) {
                return Err(forbidden(format!("requests from pages of {origin:?} are not accepted")));
            }
        }
        Ok(())
    }

    fn knows(&self, authority: &str) -> bool {
        let Some(host) = host_of(authority) else { return false };
        let loopback = ["localhost", "127.0.0.1", "[::1]"];
        loopback.iter().any(|known| known.eq_ignore_ascii_case(host))
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

/// The host of an authority, without its port; `None` if it is none.
fn host_of(authority: &str) -> Option<&str> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = (authority.get(..end)?, authority.get(end..)?);
    let port_ok = port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok());
    (port_ok && !host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(access: Access) -> Guard {
        Guard { access, hosts: vec!["mcp.example.com".into()], uid: 1000 }
    }

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut map = HeaderMap::new();
        map.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            map.insert(header::ORIGIN, origin.parse().unwrap());
        }
        map
    }

    #[test]
    fn hosts_and_origins() {
        let guard = guard(Access::Open);
        for (host, origin, expected) in [
            ("localhost:7420", None, true),
            ("LOCALHOST", None, true),
            ("127.0.0.1:1", Some("http://127.0.0.1:3000"), true),
            ("[::1]:7420", Some("http://localhost"), true),
            ("mcp.example.com", Some("https://MCP.example.com"), true),
            ("evil.example", None, false),
            ("localhost.evil.example", None, false),
            ("localhost:7420:1", None, false),
            ("localhost@evil.example", None, false),
            ("", None, false),
            ("127.0.0.1.evil.example:80", None, false),
            ("localhost", Some("http://evil.example"), false),
            ("localhost", Some("null"), false),
            ("localhost", Some("file://"), false),
            ("localhost", Some("http://localhost.evil.example"), false),
            ("localhost", Some("http://localhost/"), false),
        ] {
            let admitted = guard.admit(Peer::Tcp, &headers(host, origin), false).is_ok();
            assert_eq!(admitted, expected, "{host} {origin:?}");
        }
        let mut twice = headers("localhost", None);
        twice.append(header::HOST, "evil.example".parse().unwrap());
        assert!(guard.admit(Peer::Tcp, &twice, false).is_err());
    }

    #[test]
    fn peers() {
        let required = guard(Access::Required);
        let none = HeaderMap::new();
        assert!(required.admit(Peer::Local { uid: 0 }, &none, false).is_ok());
        assert!(required.admit(Peer::Local { uid: 1000 }, &none, false).is_ok());
        assert_eq!(required.admit(Peer::Local { uid: 1001 }, &none, true).unwrap_err().status, 403);
        let fine = headers("localhost", None);
        assert_eq!(required.admit(Peer::Tcp, &fine, false).unwrap_err().status, 401);
        assert!(required.admit(Peer::Tcp, &fine, true).is_ok());
    }
}
