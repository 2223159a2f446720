//! Who may knock: peers of the control socket, the Host and Origin of everybody else. Pure.

use super::{
    access::Principal,
    identity::{Shown, shown},
};
use axum::http::{HeaderMap, StatusCode, Uri, header};

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
    /// Only users that the sources know may come in; where there are none, nobody may.
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
    /// Seconds.
    pub retry_after: Option<u64>,
    /// There was a token, and it is no good.
    pub invalid_token: bool,
}

impl Denial {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Denial { status, code, message: message.into(), retry_after: None, invalid_token: false }
    }
}

/// How far a request has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    Known(Principal),
    /// Whoever has this token.
    Token(&'a str),
    /// A user of this host.
    HostUser(u32),
    /// Whoever shows nothing, over TCP.
    Stranger,
}

impl Guard {
    /// Checks a request before anything of it is read, and says by what it is to be found out whose it is. Host and Origin
    /// are checked because a web page can make a browser on this machine talk to loopback addresses (DNS rebinding).
    /// `open_path`: it asks for what everybody may have.
    pub fn admit<'a>(
        &self,
        peer: Peer,
        uri: &Uri,
        headers: &'a HeaderMap,
        open_path: bool,
    ) -> Result<Entry<'a>, Denial> {
        match peer {
            Peer::Local { uid } if uid == 0 || uid == self.uid => return Ok(Entry::Known(Principal::Operator)),
            Peer::Local { .. } => {}
            Peer::Tcp => {
                self.check_origin(headers)?;
                if open_path {
                    return Ok(Entry::Known(Principal::Anonymous));
                }
            }
        }
        let token = match shown(uri, headers) {
            Shown::Unfit(why) => return Err(Denial::new(StatusCode::BAD_REQUEST, "invalid-request", why)),
            Shown::Token(token) => Some(token),
            Shown::Nothing => None,
        };
        match (peer, token) {
            (Peer::Tcp, Some(_)) if self.access == Access::Open => Ok(Entry::Known(Principal::Anonymous)),
            (_, Some(token)) => Ok(Entry::Token(token)),
            (Peer::Local { uid }, None) => Ok(Entry::HostUser(uid)),
            (Peer::Tcp, None) => Ok(Entry::Stranger),
        }
    }

    /// Who one is who has shown nothing.
    ///
    /// # Errors
    /// Nobody who may come in.
    pub fn stranger(&self) -> Result<Principal, Denial> {
        if self.access == Access::Open {
            return Ok(Principal::Anonymous);
        }
        let text = "this gateway requires a token: `Authorization: Bearer TOKEN` (gateway.auth: required)";
        Err(Denial::new(StatusCode::UNAUTHORIZED, "unauthenticated", text))
    }

    fn check_origin(&self, headers: &HeaderMap) -> Result<(), Denial> {
        let forbidden = |message: String| Denial::new(StatusCode::FORBIDDEN, "wrong-host", message);
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
            let admitted = guard.admit(Peer::Tcp, &Uri::default(), &headers(host, origin), false).is_ok();
            assert_eq!(admitted, expected, "{host} {origin:?}");
        }
        let mut twice = headers("localhost", None);
        twice.append(header::HOST, "evil.example".parse().unwrap());
        assert!(guard.admit(Peer::Tcp, &Uri::default(), &twice, false).is_err());
    }

    #[test]
    fn peers() {
        let (required, open) = (guard(Access::Required), guard(Access::Open));
        let mut map = headers("localhost", None);
        let none = HeaderMap::new();
        let (plain, query): (Uri, Uri) = ("/mcp/x".parse().unwrap(), "/mcp/x?access_token=t".parse().unwrap());
        let operator = Ok(Entry::Known(Principal::Operator));
        for uid in [0, 1000] {
            assert_eq!(required.admit(Peer::Local { uid }, &plain, &none, false), operator);
        }
        let other = Peer::Local { uid: 1001 };
        assert_eq!(required.admit(other, &plain, &none, true), Ok(Entry::HostUser(1001)));
        assert_eq!(open.admit(other, &plain, &none, false), Ok(Entry::HostUser(1001)));
        for guard in [&required, &open] {
            assert_eq!(guard.admit(Peer::Tcp, &plain, &map, false), Ok(Entry::Stranger));
        }
        assert_eq!(required.stranger().unwrap_err().status, 401);
        assert_eq!(open.stranger(), Ok(Principal::Anonymous));
        let anonymous = Ok(Entry::Known(Principal::Anonymous));
        assert_eq!(required.admit(Peer::Tcp, &plain, &map, true), anonymous);
        map.insert(header::AUTHORIZATION, "Bearer t".parse().unwrap());
        assert_eq!(required.admit(Peer::Tcp, &plain, &map, false), Ok(Entry::Token("t")));
        assert_eq!(required.admit(other, &plain, &map, false), Ok(Entry::Token("t")));
        // Being asked does not make what an open gateway does less open; and a token in the URL is refused by every one.
        assert_eq!(open.admit(Peer::Tcp, &plain, &map, false), anonymous);
        for guard in [&required, &open] {
            assert_eq!(guard.admit(Peer::Tcp, &query, &map, false).unwrap_err().status, 400);
        }
        map.insert(header::AUTHORIZATION, "Basic t".parse().unwrap());
        assert_eq!(required.admit(Peer::Tcp, &plain, &map, false).unwrap_err().status, 400);
    }
}
