//! `sources`: where resources come from, and whose changes of them count.

use super::duration;
use crate::{
    authorize::{Identity, ObjectId, signature::SigningKey},
    git::{Follow, Remote},
    source::{Mode, WatchSetting},
};
use serde::{Serialize, Serializer};
use std::{path::PathBuf, time::Duration};

/// The most bytes that one fetch may bring: what a repository of YAML files never has.
const MAX_FETCH: u64 = 1 << 30;

/// One of `sources`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceConfig {
    /// Unique when case is ignored.
    pub name: String,
    #[serde(flatten)]
    pub from: SourceFrom,
    /// Only apps below this folder are this agent's: relative, with `/`.
    pub path: Option<String>,
    /// Globs of files that are not read, from the source's root.
    pub ignore: Vec<String>,
}

/// What kind of source it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SourceFrom {
    Directory {
        directory: DirectoryConfig,
    },
    Git {
        git: Box<GitConfig>,
        /// A directory has none: it has no commits.
        authorization: Box<Authorization>,
    },
}

/// `sources[].directory`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DirectoryConfig {
    pub path: PathBuf,
    pub watch: WatchSetting,
    #[serde(serialize_with = "duration")]
    pub window: Duration,
    #[serde(serialize_with = "duration")]
    pub resync: Duration,
}

/// `sources[].git`: which repository, which of its refs, and how to get at it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GitConfig {
    /// An `https`, `http`, `ssh`, `git` or `file` URL without credentials, or an absolute path.
    pub url: String,
    /// At most one of these three; without any, the remote's default branch is followed.
    pub branch: Option<String>,
    pub tag: Option<String>,
    pub commit: Option<ObjectId>,
    /// Between two polls.
    #[serde(serialize_with = "duration")]
    pub interval: Duration,
    /// How long a remote may be silent.
    #[serde(serialize_with = "duration")]
    pub timeout: Duration,
    pub username_file: Option<PathBuf>,
    /// Holds a password or a token.
    pub password_file: Option<PathBuf>,
    pub ssh_key_file: Option<PathBuf>,
    pub ssh_passphrase_file: Option<PathBuf>,
    pub known_hosts_file: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub proxy: Option<String>,
}

/// `sources[].authorization`: which commits take effect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Authorization {
    #[serde(serialize_with = "mode")]
    pub mode: Mode,
    #[serde(serialize_with = "identity")]
    pub identity: Identity,
    /// The commit from which on every change is judged.
    pub root: Option<RootCommit>,
    /// Whatever the first fetch finds is the root.
    pub trust_on_first_use: bool,
    /// Globs of the files that are judged.
    pub managed: Vec<String>,
    /// A folder of role and user files that rule instead of the repository's.
    pub policy_dir: Option<PathBuf>,
    /// How many commits are judged at a time.
    pub max_commits: u32,
    pub forge_keys: Vec<KeySetting>,
    pub root_keys: Vec<KeySetting>,
    pub denied_keys: Vec<KeySetting>,
    pub merge_approves: bool,
}

/// `authorization.root`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RootCommit {
    pub commit: ObjectId,
    /// The key that must have signed it.
    pub signer: Option<String>,
}

/// One of the lists of keys.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum KeySetting {
    /// As written; [`SigningKey::parse`] reads it.
    Key(String),
    /// Where the key is, in the same form.
    File { file: PathBuf },
}

fn mode<S: Serializer>(value: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn identity<S: Serializer>(value: &Identity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match value {
        Identity::Signature => "signature",
        Identity::Author => "author",
    })
}

impl SourceConfig {
    pub(super) fn new(name: String, from: SourceFrom) -> SourceConfig {
        SourceConfig { name, from, path: None, ignore: Vec::new() }
    }

    pub fn is_git(&self) -> bool {
        matches!(self.from, SourceFrom::Git { .. })
    }
}

impl DirectoryConfig {
    /// All defaults.
    pub(super) fn new(path: PathBuf) -> DirectoryConfig {
        DirectoryConfig {
            path,
            watch: WatchSetting::Auto,
            window: Duration::from_millis(100),
            resync: Duration::from_secs(60),
        }
    }
}

impl GitConfig {
    /// Where to fetch from.
    pub fn remote(&self) -> Remote {
        Remote {
            url: self.url.clone(),
            timeout: self.timeout,
            username_file: self.username_file.clone(),
            password_file: self.password_file.clone(),
            ssh_key_file: self.ssh_key_file.clone(),
            ssh_passphrase_file: self.ssh_passphrase_file.clone(),
            known_hosts_file: self.known_hosts_file.clone(),
            ca_file: self.ca_file.clone(),
            proxy: self.proxy.clone(),
            max_bytes: MAX_FETCH,
        }
    }

    /// What to follow.
    pub fn follow(&self) -> Follow {
        match (&self.branch, &self.tag, &self.commit) {
            (Some(branch), ..) => Follow::Branch(branch.clone()),
            (None, Some(tag), _) => Follow::Tag(tag.clone()),
            (None, None, Some(commit)) => Follow::Commit(*commit),
            (None, None, None) => Follow::Default,
        }
    }

    /// All defaults.
    pub(super) fn new(url: String) -> GitConfig {
        GitConfig {
            url,
            branch: None,
            tag: None,
            commit: None,
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(60),
            username_file: None,
            password_file: None,
            ssh_key_file: None,
            ssh_passphrase_file: None,
            known_hosts_file: None,
            ca_file: None,
            proxy: None,
        }
    }
}

impl Default for Authorization {
    fn default() -> Self {
        Authorization {
            mode: Mode::Enforce,
            identity: Identity::Signature,
            root: None,
            trust_on_first_use: false,
            managed: vec!["**/*.yaml".into(), "**/*.yml".into()],
            policy_dir: None,
            max_commits: 100_000,
            forge_keys: Vec::new(),
            root_keys: Vec::new(),
            denied_keys: Vec::new(),
            merge_approves: false,
        }
    }
}

/// Why a text is no signing key, if it is none; a clause for people.
pub(super) fn wrong_with_key(text: &str) -> Option<String> {
    SigningKey::parse(text).err().map(|error| error.0)
}
