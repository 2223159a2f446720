//! Where a repository is, what of it is followed, and how it is reached.

use super::address::{Address, AddressError, HostAddress, HttpAddress, is_loopback};
use crate::authorize::ObjectId;
use std::{path::PathBuf, time::Duration};

/// A repository elsewhere, and what it takes to read it. Credentials are always files, read at each connection, so that
/// they can be replaced while the agent runs; this has only their paths.
#[derive(Clone, Debug)]
pub struct Remote {
    /// `https://`, `http://`, `ssh://`, `user@host:path`, `git://`, `file://` or a path.
    pub url: String,
    /// The longest that a look, or a fetch, may take as a whole.
    pub timeout: Duration,
    /// Of HTTP and, where the URL names no user, of SSH.
    pub username_file: Option<PathBuf>,
    /// A password or a token, of HTTP.
    pub password_file: Option<PathBuf>,
    /// A private key.
    pub ssh_key_file: Option<PathBuf>,
    pub ssh_passphrase_file: Option<PathBuf>,
    /// The keys of the hosts that may be talked to by SSH.
    pub known_hosts_file: Option<PathBuf>,
    /// Certificates of authorities, trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// `http://host:port`, of HTTP and HTTPS.
    pub proxy: Option<String>,
    /// The most bytes that one fetch may bring.
    pub max_bytes: u64,
}

/// Settings of a remote that cannot work, with what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("ssh needs `known_hosts_file`: the keys of the hosts that are trusted, as `ssh-keyscan HOST` prints them")]
    KnownHostsRequired,
    #[error("ssh needs `ssh_key_file`: a private key that may read the repository")]
    SshKeyRequired,
    #[error("`{0}` is of no use for this url: remove it")]
    Useless(&'static str),
    #[error("`{0}` needs `{1}` as well")]
    Needs(&'static str, &'static str),
    #[error("`proxy` is to be `http://HOST:PORT`")]
    Proxy,
    #[error(
        "`password_file` would be sent in the clear, for anybody on the way to read: use an https url, with `ca_file` if \
         its certificate is from an authority of your own"
    )]
    Cleartext,
    #[error("`timeout` is to be more than nothing")]
    Timeout,
}

impl Remote {
    /// Whether the settings can work, as far as that can be told without trying.
    ///
    /// # Errors
    /// The first thing that is wrong, with what to do about it.
    pub fn check(&self) -> Result<(), RemoteError> {
        let address = Address::parse(&self.url)?;
        let (http, ssh) = (matches!(address, Address::Http(_)), matches!(address, Address::Ssh(_)));
        let useless = [
            ("username_file", self.username_file.is_some() && !http && !ssh),
            ("password_file", self.password_file.is_some() && !http),
            ("ca_file", self.ca_file.is_some() && !self.url.to_ascii_lowercase().starts_with("https:")),
            ("proxy", self.proxy.is_some() && !http),
            ("ssh_key_file", self.ssh_key_file.is_some() && !ssh),
            ("ssh_passphrase_file", self.ssh_passphrase_file.is_some() && !ssh),
            ("known_hosts_file", self.known_hosts_file.is_some() && !ssh),
        ];
        if let Some((name, _)) = useless.into_iter().find(|(_, useless)| *useless) {
            return Err(RemoteError::Useless(name));
        }
        if ssh && self.known_hosts_file.is_none() {
            return Err(RemoteError::KnownHostsRequired);
        }
        if ssh && self.ssh_key_file.is_none() {
            return Err(RemoteError::SshKeyRequired);
        }
        if http && self.username_file.is_some() && self.password_file.is_none() {
            return Err(RemoteError::Needs("username_file", "password_file"));
        }
        if self.proxy.as_deref().is_some_and(|proxy| !is_proxy(proxy)) {
            return Err(RemoteError::Proxy);
        }
        if http && self.password_file.is_some() && self.is_in_the_clear() {
            return Err(RemoteError::Cleartext);
        }
        if self.timeout.is_zero() {
            return Err(RemoteError::Timeout);
        }
        Ok(())
    }

    /// Whether what is sent leaves this machine as it is. A proxy is sent all that is not encrypted.
    fn is_in_the_clear(&self) -> bool {
        let encrypted = self.url.to_ascii_lowercase().starts_with("https:");
        !encrypted && ![Some(&self.url), self.proxy.as_ref()].into_iter().flatten().all(|url| is_loopback(url))
    }

    /// The folder of a repository on this machine, which can be watched.
    pub fn local(&self) -> Option<PathBuf> {
        match Address::parse(&self.url) {
            Ok(Address::Local(path)) => Some(path),
            _ => None,
        }
    }

    /// Where the pages of the server are that has the repository, and its path there, if the URL tells.
    pub fn web(&self) -> Option<WebAddress> {
        let (origin, path) = match Address::parse(&self.url).ok()? {
            Address::Http(HttpAddress { base }) => {
                let (scheme, rest) = base.split_once("://")?;
                let (authority, path) = rest.split_once('/')?;
                let usual = if scheme == "https" { ":443" } else { ":80" };
                let authority = authority.strip_suffix(usual).unwrap_or(authority);
                (format!("{scheme}://{authority}"), path.to_owned())
            }
            Address::Ssh(HostAddress { host, path, .. }) if host.contains(':') => (format!("https://[{host}]"), path),
            Address::Ssh(HostAddress { host, path, .. }) => (format!("https://{host}"), path),
            Address::Git(_) | Address::Local(_) => return None,
        };
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        (!path.is_empty()).then(|| WebAddress { origin, path: path.to_owned() })
    }

    /// The URL as it may be shown: without the user and password that somebody may have put into it.
    pub fn shown(&self) -> String {
        Address::shown(&self.url)
    }
}

/// Where the pages of a repository are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress {
    /// `https://git.example.com`, with a port if it is not the usual one.
    pub origin: String,
    /// `platform/fleet`.
    pub path: String,
}

/// `http://host:port`, without a user: a credential would be shown.
pub fn is_proxy(proxy: &str) -> bool {
    let rest = proxy.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '/', '?', '#']) && rest.is_ascii())
}

/// What of a remote is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follow {
    /// The branch that the remote says is its own (its `HEAD`), even when that changes.
    Default,
    Branch(String),
    Tag(String),
    Commit(ObjectId),
}

impl Follow {
    /// The full name of the reference; none for a commit.
    pub(super) fn reference(&self) -> Option<String> {
        match self {
            Follow::Default => Some("HEAD".to_owned()),
            Follow::Branch(name) => Some(format!("refs/heads/{name}")),
            Follow::Tag(name) => Some(format!("refs/tags/{name}")),
            Follow::Commit(_) => None,
        }
    }

    /// In the words of the settings.
    pub(super) fn shown(&self) -> String {
        match self {
            Follow::Default => "default branch (its HEAD leads to no commit)".to_owned(),
            Follow::Branch(name) => format!("branch {name}"),
            Follow::Tag(name) => format!("tag {name}"),
            Follow::Commit(id) => format!("commit {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(url: &str) -> Remote {
        Remote {
            url: url.to_owned(),
            timeout: Duration::from_secs(60),
            username_file: None,
            password_file: None,
            ssh_key_file: None,
            ssh_passphrase_file: None,
            known_hosts_file: None,
            ca_file: None,
            proxy: None,
            max_bytes: 1 << 30,
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let file = || Some(PathBuf::from("/run/secrets/file"));
        let ssh = Remote { known_hosts_file: file(), ssh_key_file: file(), ..remote("git@example.com:fleet.git") };
        assert_eq!(ssh.check(), Ok(()));
        assert_eq!(remote("/srv/fleet.git").check(), Ok(()));
        assert_eq!(remote("https://example.com/fleet.git").check(), Ok(()));
        let table = [
            (Remote { known_hosts_file: None, ..ssh.clone() }, RemoteError::KnownHostsRequired),
            (Remote { ssh_key_file: None, ..ssh.clone() }, RemoteError::SshKeyRequired),
            (Remote { password_file: file(), ..ssh.clone() }, RemoteError::Useless("password_file")),
            (Remote { password_file: file(), ..remote("/srv/fleet.git") }, RemoteError::Useless("password_file")),
            (Remote { ca_file: file(), ..remote("http://example.com/a") }, RemoteError::Useless("ca_file")),
            (
                Remote { username_file: file(), ..remote("https://example.com/a") },
                RemoteError::Needs("username_file", "password_file"),
            ),
            (
                Remote { proxy: Some("http://user:secret@proxy:1".to_owned()), ..remote("https://example.com/a") },
                RemoteError::Proxy,
            ),
            (Remote { timeout: Duration::ZERO, ..remote("/srv/fleet.git") }, RemoteError::Timeout),
            (remote("ftp://example.com/a"), RemoteError::Address(AddressError::Scheme("ftp".to_owned()))),
            (remote("https://user:secret@example.com/a"), RemoteError::Address(AddressError::Credentials)),
        ];
        for (remote, expected) in table {
            assert_eq!(remote.check(), Err(expected), "{}", remote.url);
        }
    }

    #[test]
    fn a_password_does_not_leave_the_machine_in_the_clear() {
        let table = [
            ("https://example.com/a", None, true),
            ("https://example.com/a", Some("http://proxy.example.com:3128"), true),
            ("http://example.com/a", None, false),
            ("HTTP://example.com:8080/a", None, false),
            ("http://10.0.0.1/a", None, false),
            ("http://localhost.example.com/a", None, false),
            ("http://127.0.0.1.example.com/a", None, false),
            ("http://localhost/a", None, true),
            ("http://LocalHost:8080/a", None, true),
            ("http://127.1.2.3:80/a", None, true),
            ("http://[::1]:80/a", None, true),
            ("http://localhost/a", Some("http://127.0.0.1:3128"), true),
            ("http://localhost/a", Some("http://proxy.example.com:3128"), false),
        ];
        for (url, proxy, fine) in table {
            let open = Remote { proxy: proxy.map(str::to_owned), ..remote(url) };
            let with = Remote { password_file: Some(PathBuf::from("/run/secrets/token")), ..open.clone() };
            assert_eq!(open.check(), Ok(()), "{url}");
            assert_eq!(with.check(), if fine { Ok(()) } else { Err(RemoteError::Cleartext) }, "{url} {proxy:?}");
        }
    }

    #[test]
    fn where_the_pages_are() {
        let table = [
            ("https://git.example.com/platform/fleet.git", Some(("https://git.example.com", "platform/fleet"))),
            ("https://git.example.com:8443/a/b/c/", Some(("https://git.example.com:8443", "a/b/c"))),
            ("http://127.0.0.1:3000/me/fleet", Some(("http://127.0.0.1:3000", "me/fleet"))),
            ("git@github.com:platform/fleet.git", Some(("https://github.com", "platform/fleet"))),
            ("ssh://git@git.example.com:2222/platform/fleet", Some(("https://git.example.com", "platform/fleet"))),
            ("git@[::1]:a/b", Some(("https://[::1]", "a/b"))),
            ("git://example.com/a/b", None),
            ("/srv/fleet.git", None),
            ("file:///srv/fleet.git", None),
        ];
        for (url, expected) in table {
            let web = remote(url).web().map(|web| (web.origin, web.path));
            assert_eq!(web, expected.map(|(origin, path)| (origin.to_owned(), path.to_owned())), "{url}");
        }
    }

    #[test]
    fn only_a_repository_on_this_machine_is_local() {
        assert_eq!(remote("/srv/fleet.git").local(), Some(PathBuf::from("/srv/fleet.git")));
        assert_eq!(remote("file:///srv/a%20b").local(), Some(PathBuf::from("/srv/a b")));
        assert_eq!(remote("git@example.com:fleet").local(), None);
    }
}
