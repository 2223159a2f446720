//! Where a remote server is, and what belongs to it. Pure.

use http::Uri;

/// The URL of a remote server, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Over TLS.
    pub secure: bool,
    /// In lower case; an IPv6 address in brackets.
    pub host: String,
    pub port: u16,
    pub url: Uri,
}

impl Target {
    /// Takes a URL apart; `None` if it is none of HTTP.
    pub fn new(url: &str) -> Option<Target> {
        let url: Uri = url.parse().ok()?;
        let secure = match url.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = url.authority()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Some(Target { secure, host: authority.host().to_ascii_lowercase(), port, url })
    }

    /// Host and port, for people.
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What a reference that the server gives in an answer from `base` leads to, if that is on this very server, by the
    /// same scheme: nothing that is meant for it may go elsewhere.
    pub fn resolve(&self, base: &Uri, reference: &str) -> Option<Uri> {
        let reference = reference.split('#').next().unwrap_or_default();
        if reference.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return None;
        }
        let scheme = if self.secure { "https" } else { "http" };
        let authority = base.authority()?;
        let path = base.path();
        let absolute = if let Some(rest) = reference.strip_prefix("//") {
            format!("{scheme}://{rest}")
        } else if reference.starts_with('/') {
            format!("{scheme}://{authority}{reference}")
        } else if reference.starts_with('?') {
            format!("{scheme}://{authority}{path}{reference}")
        } else if reference.is_empty() {
            base.to_string()
        } else if reference.split(['/', '?']).next().is_some_and(|first| first.contains(':')) {
            // With a scheme, whichever.
            reference.to_owned()
        } else {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{reference}")
        };
        let other = Target::new(&absolute)?;
        let same = (other.secure, &other.host, other.port) == (self.secure, &self.host, self.port);
        same.then_some(other.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_on_the_same_server_is_followed() {
        let target = Target::new("https://mcp.example.com/a/b?x=1").unwrap();
        assert_eq!(target.place(), "mcp.example.com:443");
        for (reference, expected) in [
            ("/messages?id=1", Some("https://mcp.example.com/messages?id=1")),
            ("messages?id=1", Some("https://mcp.example.com/a/messages?id=1")),
            ("?id=1", Some("https://mcp.example.com/a/b?id=1")),
            ("", Some("https://mcp.example.com/a/b?x=1")),
            ("#x", Some("https://mcp.example.com/a/b?x=1")),
            ("/c#x", Some("https://mcp.example.com/c")),
            ("https://MCP.example.com:443/c", Some("https://MCP.example.com:443/c")),
            ("//mcp.example.com/c", Some("https://mcp.example.com/c")),
            ("a/b:c", Some("https://mcp.example.com/a/a/b:c")),
            ("http://mcp.example.com/c", None),
            ("https://mcp.example.com:444/c", None),
            ("https://mcp.example.com.evil.org/c", None),
            ("https://evil.org/c", None),
            ("//evil.org/c", None),
            ("https://user@mcp.example.com/c", None),
            ("https://mcp.example.com@evil.org/c", None),
            ("javascript:alert(1)", None),
            ("file:///etc/passwd", None),
            ("/a b", None),
            ("/a\r\nHost: x", None),
        ] {
            let found = target.resolve(&target.url, reference).map(|url| url.to_string());
            assert_eq!(found.as_deref(), expected, "{reference:?}");
        }
    }

    #[test]
    fn ports_and_addresses() {
        for (url, expected) in [
            ("http://x", Some("x:80")),
            ("http://X:8080/", Some("x:8080")),
            ("https://[::1]/", Some("[::1]:443")),
            ("ftp://x/", None),
            ("/x", None),
            ("http://u:p@x/", None),
        ] {
            assert_eq!(Target::new(url).map(|target| target.place()).as_deref(), expected, "{url}");
        }
    }
}
