//! An `sshd` of the test's own.

use super::process::{Running, free_port};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const SSHD: &str = "/usr/sbin/sshd";

/// A server with host keys of two types, which lets one key in.
pub struct Sshd {
    folder: PathBuf,
    port: u16,
    _running: Running,
}

impl Sshd {
    /// None, and a word about it, where there is no sshd.
    pub fn start(test: &str, folder: &Path, old: bool) -> Option<Sshd> {
        if !Path::new(SSHD).exists() {
            crate::support::missing(test, "there is no sshd: install openssh-server");
            return None;
        }
        let folder = folder.join("sshd");
        fs::create_dir(&folder).expect("a folder");
        for (kind, name) in [("ed25519", "host-ed25519"), ("ecdsa", "host-ecdsa"), ("ed25519", "stranger")] {
            keygen(&["-q", "-t", kind, "-N", "", "-f", &folder.join(name).to_string_lossy()]);
        }
        keygen(&["-q", "-t", "ed25519", "-N", "", "-f", &folder.join("client").to_string_lossy()]);
        keygen(&["-q", "-t", "rsa", "-N", "open sesame", "-f", &folder.join("locked").to_string_lossy()]);
        let public = |name: &str| fs::read_to_string(folder.join(format!("{name}.pub"))).expect("a key");
        fs::write(folder.join("authorized"), format!("{}{}", public("client"), public("locked"))).expect("a file");
        let port = free_port();
        let path = std::env::var("PATH").unwrap_or_default();
        let shown = folder.display();
        let accept = if old { "" } else { "AcceptEnv GIT_PROTOCOL\n" };
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {shown}/host-ed25519\nHostKey {shown}/host-ecdsa\n\
             AuthorizedKeysFile {shown}/authorized\nStrictModes no\nUsePAM no\nPidFile none\n\
             PasswordAuthentication no\nPermitRootLogin yes\nSetEnv PATH={path}\n{accept}"
        );
        fs::write(folder.join("config"), config).expect("a configuration");
        if nix::unistd::geteuid().is_root() {
            // Where it goes before somebody has logged in; the service's start would make it.
            fs::create_dir_all("/run/sshd").expect("a folder");
        }
        let mut command = Command::new(SSHD);
        command.args(["-D", "-e", "-f"]).arg(folder.join("config")).stderr(Stdio::null());
        let running = Running::start(&mut command, port);
        Some(Sshd { folder, port, _running: running })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self, path: &Path) -> String {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).expect("a user").expect("a user").name;
        format!("ssh://{user}@127.0.0.1:{}{}", self.port, path.display())
    }

    /// A file of the server's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file that has the public half of a key for a host.
    pub fn known_hosts(&self, host: &str, key: &str) -> PathBuf {
        let public = fs::read_to_string(self.file(&format!("{key}.pub"))).expect("a key");
        let path = self.file("known_hosts");
        fs::write(&path, format!("{host} {public}")).expect("a file");
        path
    }

    /// The name under which the server is known.
    pub fn host(&self) -> String {
        format!("[127.0.0.1]:{}", self.port)
    }
}

pub fn keygen(arguments: &[&str]) {
    let status = Command::new("ssh-keygen").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.expect("ssh-keygen").success(), "{arguments:?}");
}
