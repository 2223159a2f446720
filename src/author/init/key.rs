//! The key that the user signs commits with: the one that git is set up with, an SSH key that is there, or a new one.

use super::{
    super::{
        AuthorError,
        git::{ask, ask_for, git},
    },
    Identity, home,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// As `signing_keys` of a user has it.
    pub public: String,
    pub origin: Origin,
    /// Whether git is not set up to sign every commit.
    must_be_told: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Git's own set-up.
    Configured,
    /// An SSH key of the user's; the path of its public half.
    Found(PathBuf),
    /// Nothing was there, so it has been made; likewise.
    Made(PathBuf),
}

/// The keys that `ssh` uses by itself, best first.
const USUAL: &[&str] = &["id_ed25519", "id_ecdsa", "id_rsa"];

/// What a key that is made here is called, next to them.
const OWN: &str = "mcpfleet_signing";

impl Key {
    pub fn find_or_make(folder: &Path, identity: &Identity) -> Result<Key, AuthorError> {
        let signs = ask_for(git(folder).args(["config", "--type=bool", "--get", "commit.gpgsign"]))?;
        let signs = signs.as_deref() == Some("true");
        if let Some(public) = configured(folder, identity, signs)? {
            return Ok(Key { public, origin: Origin::Configured, must_be_told: !signs });
        }
        let Some(ssh) = home().map(|home| home.join(".ssh")) else {
            return Err(AuthorError::Usage("there is no HOME to find or make a signing key in".to_owned()));
        };
        for name in USUAL.iter().chain([&OWN]) {
            let public = ssh.join(format!("{name}.pub"));
            if ssh.join(name).is_file() && public.is_file() {
                let origin = Origin::Found(public.clone());
                return Ok(Key { public: read_public(&public)?, origin, must_be_told: !signs });
            }
        }
        let public = make(&ssh, identity)?;
        Ok(Key { public: read_public(&public)?, origin: Origin::Made(public), must_be_told: !signs })
    }

    #[cfg(test)]
    pub fn for_tests(public: &str, origin: Origin) -> Key {
        Key { public: public.to_owned(), origin, must_be_told: true }
    }

    /// What is to be set for this repository so that git signs with it.
    pub fn settings(&self) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        let mut set = |name: &str, value: &str| settings.push((name.to_owned(), value.to_owned()));
        if let Origin::Found(path) | Origin::Made(path) = &self.origin {
            set("gpg.format", "ssh");
            set("user.signingkey", &path.to_string_lossy());
        }
        if self.must_be_told {
            set("commit.gpgsign", "true");
        }
        settings
    }
}

/// The public half of the key that git signs with.
fn configured(folder: &Path, identity: &Identity, signs: bool) -> Result<Option<String>, AuthorError> {
    let setting = |name: &str| ask_for(git(folder).args(["config", "--get", name]));
    let format = setting("gpg.format")?.unwrap_or_else(|| "openpgp".to_owned());
    let key = setting("user.signingkey")?;
    match (format.as_str(), key) {
        ("ssh", Some(key)) => match key.strip_prefix("key::").or(key.starts_with("ssh-").then_some(&key)) {
            Some(literal) => Ok(Some(literal.trim().to_owned())),
            None => {
                let path = ask(git(folder).args(["config", "--type=path", "--get", "user.signingkey"]))?;
                // Git takes either half.
                let path = path.strip_suffix(".pub").unwrap_or(&path);
                read_public(Path::new(&format!("{path}.pub"))).map(Some)
            }
        },
        ("ssh", None) => match setting("gpg.ssh.defaultKeyCommand")? {
            Some(line) => {
                let keys = ask(Command::new("sh").arg("-c").arg(&line).current_dir(folder))?;
                let first = keys.lines().find_map(|line| line.strip_prefix("key::").or(Some(line)));
                Ok(first.filter(|line| !line.is_empty()).map(str::to_owned))
            }
            None => Ok(None),
        },
        ("openpgp", key) => {
            // Without a key, git has GnuPG look for one by the committer, if it signs at all.
            let Some(key) = key.or_else(|| signs.then(|| format!("{} <{}>", identity.name, identity.email))) else {
                return Ok(None);
            };
            let program = match setting("gpg.openpgp.program")? {
                Some(program) => Some(program),
                None => setting("gpg.program")?,
            };
            let mut gpg = Command::new(program.unwrap_or_else(|| "gpg".to_owned()));
            gpg.args(["--batch", "--armor", "--export-options", "export-minimal", "--export", "--", &key]);
            let armoured = ask(&mut gpg)?;
            if armoured.is_empty() {
                return Err(AuthorError::Usage(format!("git signs with `{key}`, which GnuPG does not know")));
            }
            Ok(Some(armoured))
        }
        (other, _) => Err(AuthorError::Usage(format!(
            "git is set up to sign with {other}, which is not understood here\n  help: set `gpg.format` to `ssh` or `openpgp`"
        ))),
    }
}

fn read_public(path: &Path) -> Result<String, AuthorError> {
    let text = fs::read_to_string(path).map_err(|error| AuthorError::io("read the signing key", path, error))?;
    match text.lines().find(|line| !line.trim().is_empty()) {
        Some(line) => Ok(line.trim().to_owned()),
        None => Err(AuthorError::Usage(format!("there is no key in {}", path.display()))),
    }
}

/// Makes a key without a passphrase and gives the path of its public half.
fn make(ssh: &Path, identity: &Identity) -> Result<PathBuf, AuthorError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(ssh);
    made.map_err(|error| AuthorError::io("make", ssh, error))?;
    let private = ssh.join(OWN);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", &identity.email, "-f"]).arg(&private);
    match ask(&mut keygen) {
        Ok(_) => Ok(ssh.join(format!("{OWN}.pub"))),
        Err(AuthorError::Usage(message)) => Err(AuthorError::Usage(format!(
            "git is not set up to sign commits, and a key cannot be made: {message}\n  help: install OpenSSH's client"
        ))),
        Err(error) => Err(error),
    }
}
