//! SSH, by libssh2: none of the user's own settings (`~/.ssh/config`, agents, jump hosts) matter.

use super::{
    dial::{self, Conversation, Duplex},
    known_hosts::{KnownKeys, Standing},
};
use crate::git::{
    address::HostAddress,
    bounds::Bounds,
    credentials::Secret,
    error::{FetchError, FetchFailure},
    protocol::{refused, said},
    remote::Remote,
};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use ssh2::{Channel, ErrorCode, HashType, MethodType, Session};
use std::io::{self, Read, Write};

/// The user that the forges have.
const USUAL_USER: &str = "git";

/// What libssh2 calls its errors.
mod code {
    pub const KEX_FAILURE: i32 = -5;
    pub const TIMEOUT: i32 = -9;
    pub const HOSTKEY_INIT: i32 = -10;
    pub const HOSTKEY_SIGN: i32 = -11;
    pub const FILE: i32 = -16;
    pub const METHOD_NONE: i32 = -17;
    pub const AUTHENTICATION_FAILED: i32 = -18;
    pub const PUBLICKEY_UNVERIFIED: i32 = -19;
}

/// Connects, checks the server's key, authenticates and starts `git-upload-pack`.
pub(super) fn connect<'a>(
    address: &HostAddress,
    remote: &Remote,
    bounds: &'a Bounds,
) -> Result<Conversation<'a>, FetchError> {
    let (Some(known_hosts), Some(key)) = (&remote.known_hosts_file, &remote.ssh_key_file) else {
        return Err(FetchError::new(FetchFailure::Settings, "ssh needs `known_hosts_file` and `ssh_key_file`"));
    };
    // Whatever can be wrong here is found before anybody is talked to.
    let known_hosts = Secret::file("known_hosts_file", known_hosts)?;
    let known = KnownKeys::of(known_hosts.reveal(), &address.host, address.port);
    if known.is_empty() {
        return Err(host_key(address, "is not in `known_hosts_file`", "after you have compared its keys, add it"));
    }
    let key = Secret::file("ssh_key_file", key)?;
    let passphrase = remote.ssh_passphrase_file.as_deref();
    let passphrase = passphrase.map(|path| Secret::line("ssh_passphrase_file", path)).transpose()?;
    let user = match (&address.user, &remote.username_file) {
        (Some(user), _) => user.clone(),
        (None, Some(path)) => Secret::line("username_file", path)?.reveal().to_owned(),
        (None, None) => USUAL_USER.to_owned(),
    };

    let failed = |error: ssh2::Error| failed(bounds, &error);
    let stream = dial::connect(&address.host, address.port, bounds)?.into_stream();
    let mut session = Session::new().map_err(failed)?;
    let supported = session.supported_algs(MethodType::HostKey).map_err(failed)?;
    session.method_pref(MethodType::HostKey, &known.preference(&supported).join(",")).map_err(failed)?;
    session.set_tcp_stream(stream);
    hurry(&session, bounds)?;
    session.handshake().map_err(failed)?;
    check_host(&session, address, &known)?;

    hurry(&session, bounds)?;
    session
        .userauth_pubkey_memory(&user, None, key.reveal(), passphrase.as_ref().map(Secret::reveal))
        .map_err(|error| unauthorized(bounds, &user, &error))?;
    hurry(&session, bounds)?;
    let mut channel = session.channel_session().map_err(failed)?;
    // Servers that do not allow it answer in the old way.
    let _ = channel.setenv("GIT_PROTOCOL", "version=2");
    channel.exec(&format!("git-upload-pack {}", quoted(&address.path))).map_err(failed)?;
    Ok(Conversation::new(Box::new(Pipe { session, channel, bounds })))
}

/// Gives the next call the time that is left.
fn hurry(session: &Session, bounds: &Bounds) -> Result<(), FetchError> {
    let left = u32::try_from(bounds.left()?.as_millis()).unwrap_or(u32::MAX);
    // Zero is for ever.
    session.set_timeout(left.max(1));
    Ok(())
}

fn check_host(session: &Session, address: &HostAddress, known: &KnownKeys) -> Result<(), FetchError> {
    let Some((key, kind)) = session.host_key() else {
        return Err(host_key(address, "has shown no key", "it is not talked to"));
    };
    let hash = session.host_key_hash(HashType::Sha256).map(|hash| BASE64_STANDARD_NO_PAD.encode(hash));
    let shown = format!("its key is {kind:?} SHA256:{}", hash.unwrap_or_default());
    match known.standing(key) {
        Standing::Known => Ok(()),
        Standing::UnknownHost => Err(host_key(address, "is not in `known_hosts_file`", &shown)),
        Standing::Revoked => Err(host_key(address, "has shown a key that `known_hosts_file` revokes", &shown)),
        Standing::OtherKey => {
            let advice = format!("{shown}; somebody may be in between, or the server has a new key: ask who runs it");
            Err(host_key(address, "has shown a key that is not the one in `known_hosts_file`", &advice))
        }
    }
}

fn host_key(address: &HostAddress, what: &str, more: &str) -> FetchError {
    let HostAddress { host, port, .. } = address;
    let shown = if *port == 22 { host.clone() } else { format!("[{host}]:{port}") };
    FetchError::new(FetchFailure::HostKey, format!("{shown} {what}: {more}"))
}

fn unauthorized(bounds: &Bounds, user: &str, error: &ssh2::Error) -> FetchError {
    let what = match error.code() {
        ErrorCode::Session(code::FILE) => {
            let what = format!("`ssh_key_file` cannot be used: {}, or it needs another passphrase", error.message());
            return FetchError::new(FetchFailure::CredentialFile, what);
        }
        ErrorCode::Session(code::AUTHENTICATION_FAILED | code::PUBLICKEY_UNVERIFIED | code::METHOD_NONE) => {
            format!("{} does not let {user} in with the key in `ssh_key_file`", bounds.remote)
        }
        _ => return failed(bounds, error),
    };
    FetchError::new(FetchFailure::Unauthorized, what)
}

fn failed(bounds: &Bounds, error: &ssh2::Error) -> FetchError {
    let kind = match error.code() {
        ErrorCode::Session(code::TIMEOUT) => return bounds.timed_out(),
        ErrorCode::Session(code::HOSTKEY_INIT | code::HOSTKEY_SIGN) => FetchFailure::HostKey,
        ErrorCode::Session(code::KEX_FAILURE) => FetchFailure::NotGit,
        _ => FetchFailure::Unreachable,
    };
    FetchError::new(kind, format!("the connection to {} failed: {}", bounds.remote, said(error.message().as_bytes())))
}

/// One word for a shell, whatever is in it.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// The two ends of a program elsewhere.
struct Pipe<'a> {
    session: Session,
    channel: Channel,
    bounds: &'a Bounds,
}

impl Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        hurry(&self.session, self.bounds).map_err(io::Error::other)?;
        self.channel.read(buffer)
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        hurry(&self.session, self.bounds).map_err(io::Error::other)?;
        self.channel.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.channel.flush()
    }
}

impl Duplex for Pipe<'_> {
    /// What the program has said to standard error.
    fn last_words(&mut self) -> Option<FetchError> {
        hurry(&self.session, self.bounds).ok()?;
        let mut text = Vec::new();
        // What was read before an error is better than nothing.
        let _ = self.channel.stderr().take(4096).read_to_end(&mut text);
        (!text.is_empty()).then(|| refused(self.bounds, &text))
    }
}

impl Drop for Pipe<'_> {
    /// Says goodbye, if that takes no time: the channel would wait for an answer.
    fn drop(&mut self) {
        self.session.set_timeout(1000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_to_a_shell() {
        assert_eq!(quoted("/srv/a b"), "'/srv/a b'");
        assert_eq!(quoted("/srv/'; rm -rf ~; '"), r"'/srv/'\''; rm -rf ~; '\'''");
    }
}
