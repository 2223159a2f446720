//! What is to be run when there is no file: a directory, or a repository and a root of trust.

use super::super::{
    UsageError,
    judging::{open, resolve},
};
use crate::{
    authorize::ObjectId,
    config::{Authorization, Config, Environment, NoHome, RootCommit},
};
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// What the command line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Directory(PathBuf),
    /// A repository by its URL or absolute path.
    Git(String),
}

impl Target {
    /// What a word means: a URL and a bare repository are git, a folder is a directory, even one with a work tree in it.
    ///
    /// # Errors
    /// [`UsageError`] if it leads nowhere.
    pub fn of(word: &Path) -> anyhow::Result<Target> {
        let text = word.to_string_lossy();
        // `host:path`, as git understands it: a folder of that name would be there.
        let short = text.split('/').next().is_some_and(|first| first.contains(':')) && !word.exists();
        if text.contains("://") || short {
            return Ok(Target::Git(text.into_owned()));
        }
        if is_bare_repository(word) {
            return Target::repository(word);
        }
        // A directory that does not exist yet is waited for by a configured source; on the command line it is a slip.
        if !word.is_dir() {
            return Err(UsageError::new(format!("there is no directory {text}")).into());
        }
        Ok(Target::Directory(absolute(word)?))
    }

    /// The repository at a path, with or without a work tree.
    ///
    /// # Errors
    /// [`UsageError`] if there is none.
    pub fn repository(path: &Path) -> anyhow::Result<Target> {
        open(path)?;
        let path = absolute(path)?.into_os_string().into_string();
        Ok(Target::Git(path.map_err(|_| UsageError::new("the path of the repository is not UTF-8"))?))
    }

    /// The configuration for it. `root` and `trust_first` are how the history is to be trusted.
    ///
    /// # Errors
    /// [`UsageError`] if the root is not the name of a commit, or makes no sense for a directory.
    pub fn config(&self, root: Option<&str>, trust_first: bool, environment: &Environment) -> anyhow::Result<Config> {
        let nowhere = |error: NoHome| UsageError::new(error.to_string());
        match self {
            Target::Directory(_) if root.is_some() || trust_first => {
                let message = "a directory has no commits to trust; `--git PATH` takes a work tree's repository";
                Err(UsageError::new(message).into())
            }
            Target::Directory(path) => Ok(Config::for_directory(path.clone(), environment).map_err(nowhere)?),
            Target::Git(url) => {
                let root = root.map(|root| self.commit(url, root)).transpose()?;
                let authorization = Authorization {
                    root: root.map(|commit| RootCommit { commit, signer: None }),
                    trust_on_first_use: trust_first,
                    ..Authorization::default()
                };
                Ok(Config::for_git(name(url), url.clone(), authorization, environment).map_err(nowhere)?)
            }
        }
    }

    /// The commit that is meant by a revision: in a repository on this machine any, elsewhere a full id.
    fn commit(&self, url: &str, root: &str) -> anyhow::Result<ObjectId> {
        if let Ok(id) = root.parse() {
            return Ok(id);
        }
        match Path::new(url).is_absolute() {
            true => resolve(&open(Path::new(url))?, root)?.known(),
            false => {
                let message =
                    format!("{root} is not the full id of a commit, which it must be for a repository elsewhere");
                Err(UsageError::new(message).into())
            }
        }
    }
}

/// What the source is called, and so where its state is: after the repository, and not like another one that is called
/// the same.
fn name(url: &str) -> String {
    let last = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let word = last.strip_suffix(".git").unwrap_or(last);
    let plain: String = word.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    let word = plain.trim_matches('-').to_ascii_lowercase();
    let digits: String = Sha256::digest(url).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    if word.is_empty() { format!("git-{digits}") } else { format!("{word}-{digits}") }
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot find out where {} is", path.display()))
}

fn is_bare_repository(path: &Path) -> bool {
    path.join("HEAD").is_file() && path.join("objects").is_dir() && path.join("refs").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::check_name;

    #[test]
    fn sources_are_called_after_their_repositories() {
        for (url, expected) in [
            ("https://git.example.com/platform/Fleet.git", "fleet-"),
            ("git@host:fleet", "fleet-"),
            ("/srv/fleet.git/", "fleet-"),
            ("/srv/..", "git-"),
            ("ssh://host/ü", "git-"),
        ] {
            let name = name(url);
            assert!(name.starts_with(expected) && name.len() == expected.len() + 8, "{url}: {name}");
            assert!(check_name(&name).is_ok(), "{name}");
        }
        assert_ne!(name("https://a/fleet"), name("https://b/fleet"));
    }

    #[test]
    fn words_and_what_they_mean() {
        let folder = tempfile::tempdir().unwrap();
        git2::Repository::init_bare(folder.path().join("bare.git")).unwrap();
        git2::Repository::init(folder.path().join("tree")).unwrap();
        let path = |name: &str| folder.path().join(name);
        let git = |name: &str| Target::Git(path(name).to_str().unwrap().to_owned());
        let of = |path: &Path| Target::of(path).unwrap();
        assert_eq!(of(&path("bare.git")), git("bare.git"));
        assert_eq!(of(&path("tree")), Target::Directory(path("tree")));
        assert_eq!(Target::repository(&path("tree")).unwrap(), git("tree"));
        for url in ["https://x/y", "file:///x", "git@host:x/y", "host:x"] {
            assert_eq!(of(Path::new(url)), Target::Git(url.to_owned()));
        }
        assert!(Target::of(&path("nowhere")).unwrap_err().is::<UsageError>());
        assert!(Target::repository(folder.path()).unwrap_err().is::<UsageError>());
    }
}
