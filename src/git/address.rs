//! The ways to write where a repository is.

use std::{net::IpAddr, path::PathBuf};

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Local(PathBuf),
    Http(HttpAddress),
    Ssh(HostAddress),
    Git(HostAddress),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpAddress {
    /// `https://host:port/path`, without a slash at the end.
    pub base: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostAddress {
    pub user: Option<String>,
    /// Without the brackets of an IPv6 address.
    pub host: String,
    pub port: u16,
    /// As the server is asked for it.
    pub path: String,
}

/// A text that does not say where a repository is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("`{0}://` is not a way to fetch that this version has: use https, ssh, git, file or a path")]
    Scheme(String),
    /// The text itself is not repeated: it may hold a password.
    #[error("a url with credentials in it is refused, because urls are shown: use `username_file` and `password_file`")]
    Credentials,
    #[error("the url names no host")]
    Host,
    #[error("the url has no valid port")]
    Port,
    #[error("the url names no repository on its host")]
    Path,
    #[error("the url has a character that it cannot have: a control character, a space, or a broken %XX")]
    Character,
    #[error("a file:// url is to be file:///PATH, without a host")]
    FileHost,
    #[error("the url may not have `?` or `#`")]
    Query,
}

impl Address {
    pub fn parse(url: &str) -> Result<Address, AddressError> {
        if url.is_empty() {
            return Err(AddressError::Path);
        }
        if url.chars().any(char::is_control) {
            return Err(AddressError::Character);
        }
        let Some((scheme, rest)) = url.split_once("://") else { return Address::parse_bare(url) };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => Address::parse_file(rest),
            "http" => Address::parse_http("http", rest),
            "https" => Address::parse_http("https", rest),
            "ssh" | "git+ssh" | "ssh+git" => Ok(Address::Ssh(HostAddress::parse(rest, 22)?)),
            "git" => {
                let address = HostAddress::parse(rest, 9418)?;
                if address.user.is_some() {
                    return Err(AddressError::Credentials);
                }
                Ok(Address::Git(address))
            }
            other => Err(AddressError::Scheme(other.chars().take(20).collect())),
        }
    }

    /// `user@host:path`, or a path. As git has it, what has a colon before the first slash is on a host.
    fn parse_bare(text: &str) -> Result<Address, AddressError> {
        let on_host = match text.strip_prefix('[').or_else(|| text.split_once("@[").map(|(_, rest)| rest)) {
            Some(bracketed) if !text.split('[').next().is_some_and(|before| before.contains('/')) => {
                bracketed.split_once("]:").map(|(_, path)| path)
            }
            _ => text.split_once(':').filter(|(before, _)| !before.contains('/')).map(|(_, path)| path),
        };
        let Some(path) = on_host else { return Ok(Address::Local(PathBuf::from(text))) };
        let authority = text.strip_suffix(path).and_then(|rest| rest.strip_suffix(':')).unwrap_or_default();
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user.to_owned()), host),
            None => (None, authority),
        };
        // `user:password@host:path`: to git this is a path on a host named like the user.
        if path.split('/').next().is_some_and(|first| first.contains('@')) {
            return Err(AddressError::Credentials);
        }
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if path.is_empty() {
            return Err(AddressError::Path);
        }
        Ok(Address::Ssh(HostAddress { user, host: checked_host(host)?, port: 22, path: path.to_owned() }))
    }

    fn parse_file(rest: &str) -> Result<Address, AddressError> {
        let path = rest.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(rest);
        if !path.starts_with('/') {
            return Err(AddressError::FileHost);
        }
        Ok(Address::Local(PathBuf::from(decoded(path)?)))
    }

    fn parse_http(scheme: &str, rest: &str) -> Result<Address, AddressError> {
        let (authority, path) = rest.split_once('/').ok_or(AddressError::Path)?;
        if authority.contains('@') {
            return Err(AddressError::Credentials);
        }
        if rest.contains(['?', '#']) {
            return Err(AddressError::Query);
        }
        if rest.contains(|c: char| c.is_whitespace() || !c.is_ascii()) {
            return Err(AddressError::Character);
        }
        let default = if scheme == "https" { 443 } else { 80 };
        let (host, port) = host_and_port(authority, default)?;
        let path = path.trim_end_matches('/');
        if path.is_empty() {
            return Err(AddressError::Path);
        }
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host };
        Ok(Address::Http(HttpAddress { base: format!("{scheme}://{bracketed}:{port}/{path}") }))
    }

    /// The text as it may be shown: whatever it is, no password in it is left.
    pub fn shown(url: &str) -> String {
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, url),
        };
        // A path may well have an `@`; only what stands before the host is a user.
        let end = match scheme {
            Some(_) => rest.find('/').unwrap_or(rest.len()),
            None if rest.starts_with(['/', '.']) => 0,
            None => rest.len(),
        };
        let (authority, path) = rest.split_at(end);
        let authority = match authority.rsplit_once('@') {
            Some((user, host)) if scheme.is_none_or(|scheme| scheme.contains("ssh")) && !user.contains(':') => {
                format!("{user}@{host}")
            }
            Some((_, host)) => host.to_owned(),
            None => authority.to_owned(),
        };
        let text = match scheme {
            Some(scheme) => format!("{scheme}://{authority}{path}"),
            None => format!("{authority}{path}"),
        };
        crate::escape::escape(&text).into_owned()
    }
}

impl HostAddress {
    fn parse(rest: &str, default_port: u16) -> Result<HostAddress, AddressError> {
        let (authority, path) = rest.split_once('/').ok_or(AddressError::Path)?;
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(AddressError::Credentials);
        }
        let (host, port) = host_and_port(authority, default_port)?;
        let path = decoded(path)?;
        if path.trim_matches('/').is_empty() {
            return Err(AddressError::Path);
        }
        // `/~user/path` is below the home of that user.
        let path = if path.starts_with('~') { path } else { format!("/{path}") };
        Ok(HostAddress { user: user.map(decoded).transpose()?, host, port, path })
    }
}

/// Whether what is sent to an `http:` URL stays on this machine.
pub(super) fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let Ok((host, _)) = host_and_port(rest.split('/').next().unwrap_or_default(), 80) else { return false };
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn host_and_port(authority: &str, default: u16) -> Result<(String, u16), AddressError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(AddressError::Host)?;
            let port = if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or(AddressError::Port)?) };
            (host, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        None | Some("") => default,
        Some(digits) => digits.parse().ok().filter(|port| *port > 0).ok_or(AddressError::Port)?,
    };
    Ok((checked_host(host)?, port))
}

/// A name or an address; nothing that another program could take for an option or a path.
fn checked_host(host: &str) -> Result<String, AddressError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || host.starts_with('-') || !host.chars().all(fine) {
        return Err(AddressError::Host);
    }
    Ok(host.to_ascii_lowercase())
}

/// Undoes `%XX`.
fn decoded(text: &str) -> Result<String, AddressError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or(AddressError::Character)?;
        let digits = std::str::from_utf8(digits).map_err(|_| AddressError::Character)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| AddressError::Character)?);
        rest = after;
    }
    let text = String::from_utf8(bytes).map_err(|_| AddressError::Character)?;
    if text.chars().any(char::is_control) { Err(AddressError::Character) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh(user: Option<&str>, host: &str, port: u16, path: &str) -> Address {
        Address::Ssh(host_address(user, host, port, path))
    }

    fn host_address(user: Option<&str>, host: &str, port: u16, path: &str) -> HostAddress {
        HostAddress { user: user.map(str::to_owned), host: host.to_owned(), port, path: path.to_owned() }
    }

    #[test]
    fn every_way_to_write_an_address_is_read() {
        let http = |base: &str| Address::Http(HttpAddress { base: base.to_owned() });
        let local = |path: &str| Address::Local(PathBuf::from(path));
        let table = [
            ("/srv/fleet.git", local("/srv/fleet.git")),
            ("./a:b", local("./a:b")),
            ("fleet", local("fleet")),
            ("/srv/a@b:c", local("/srv/a@b:c")),
            ("file:///srv/fleet.git", local("/srv/fleet.git")),
            ("file:///srv/a%20b", local("/srv/a b")),
            ("file://localhost/srv", local("/srv")),
            ("https://Example.com/fleet.git", http("https://example.com:443/fleet.git")),
            ("HTTP://example.com:8080/a/b/", http("http://example.com:8080/a/b")),
            ("https://[::1]:8443/a", http("https://[::1]:8443/a")),
            ("git@example.com:team/fleet.git", ssh(Some("git"), "example.com", 22, "team/fleet.git")),
            ("example.com:fleet", ssh(None, "example.com", 22, "fleet")),
            ("git@[::1]:fleet", ssh(Some("git"), "::1", 22, "fleet")),
            ("ssh://git@example.com/fleet.git", ssh(Some("git"), "example.com", 22, "/fleet.git")),
            ("ssh://git@[fe80::1]:2222/a%20b", ssh(Some("git"), "fe80::1", 2222, "/a b")),
            ("ssh://example.com/~bob/fleet", ssh(None, "example.com", 22, "~bob/fleet")),
            ("git://example.com/fleet", Address::Git(host_address(None, "example.com", 9418, "/fleet"))),
        ];
        for (url, expected) in table {
            assert_eq!(Address::parse(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let table = [
            ("", AddressError::Path),
            ("ftp://example.com/a", AddressError::Scheme("ftp".to_owned())),
            ("https://user:secret@example.com/a", AddressError::Credentials),
            ("https://token@example.com/a", AddressError::Credentials),
            ("ssh://git:secret@example.com/a", AddressError::Credentials),
            ("git:secret@example.com:a", AddressError::Credentials),
            ("git://user@example.com/a", AddressError::Credentials),
            ("https:///a", AddressError::Host),
            ("https://example.com", AddressError::Path),
            ("https://example.com/", AddressError::Path),
            ("https://example.com:99999/a", AddressError::Port),
            ("https://example.com/a?b", AddressError::Query),
            ("https://example.com/a b", AddressError::Character),
            ("ssh://-oProxyCommand=x/a", AddressError::Host),
            ("-oProxyCommand=x:a", AddressError::Host),
            ("file://server/share", AddressError::FileHost),
            ("file:///a%0ab", AddressError::Character),
            ("/srv/a\nb", AddressError::Character),
        ];
        for (url, expected) in table {
            assert_eq!(Address::parse(url), Err(expected), "{url}");
        }
    }

    #[test]
    fn what_is_shown_has_no_password() {
        let table = [
            ("https://user:secret@example.com/a", "https://example.com/a"),
            ("https://secret@example.com/a@b", "https://example.com/a@b"),
            ("ssh://git:secret@example.com/a", "ssh://example.com/a"),
            ("ssh://git@example.com/a", "ssh://git@example.com/a"),
            ("git@example.com:a", "git@example.com:a"),
            ("git:secret@example.com:a", "example.com:a"),
            ("/srv/a@b:c", "/srv/a@b:c"),
        ];
        for (url, expected) in table {
            assert_eq!(Address::shown(url), expected, "{url}");
        }
    }
}
