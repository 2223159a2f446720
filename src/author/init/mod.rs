//! A new repository, ready to be run: an app, roles, the user who calls, and the check in CI.

mod identity;
mod key;
mod template;

pub use identity::Identity;
pub use key::{Key, Origin};

use super::{
    AuthorError, files,
    git::{ask, ask_for, git, run},
};
use crate::authorize::ObjectId;
use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// What has been made.
#[derive(Clone, Debug)]
pub struct Made {
    pub folder: PathBuf,
    /// The first commit, from which on every change is judged.
    pub root: ObjectId,
    pub branch: String,
    /// The name of the user resource.
    pub user: String,
    pub identity: Identity,
    pub key: Key,
    /// The URL of `origin`, if the folder is a clone.
    pub remote: Option<String>,
}

/// Makes a repository in a folder that is empty, not there yet, or holds nothing but a repository without commits.
///
/// What has been written is removed again when something fails, but for a signing key.
pub fn init(folder: &Path) -> Result<Made, AuthorError> {
    let mut traces = Traces::new(folder)?;
    let made = make(folder, &mut traces);
    if made.is_err() {
        traces.remove();
    }
    made
}

fn make(folder: &Path, traces: &mut Traces) -> Result<Made, AuthorError> {
    fs::create_dir_all(folder).map_err(|error| AuthorError::io("make", folder, error))?;
    let folder = folder.canonicalize().map_err(|error| AuthorError::io("open", folder, error))?;
    if !traces.had_repository {
        ask(git(&folder).args(["init", "--quiet", "--initial-branch=main"]))?;
    }
    let branch = ask(git(&folder).args(["symbolic-ref", "--short", "HEAD"]))?;
    let identity = Identity::find(&folder)?;
    let key = Key::find_or_make(&folder, &identity)?;
    let settings = identity.settings().into_iter().chain(key.settings());
    for (name, value) in settings {
        ask(git(&folder).args(["config", "--local", &name, &value]))?;
    }

    let user = identity.resource_name();
    let first = template::resources(&user, &identity, &key);
    let root = commit(&folder, traces, &first, "Start with a demo server, two roles and an administrator")?;
    let second = template::rest(&root, &branch);
    commit(&folder, traces, &second, "Check changes from the first commit on")?;

    let remote = ask_for(git(&folder).args(["remote", "get-url", "origin"]))?;
    let root = root.parse().map_err(|_| AuthorError::Program(format!("git calls the first commit {root}")))?;
    Ok(Made { folder, root, branch, user, identity, key, remote })
}

/// Writes files, commits them, signed, and gives the commit's id.
fn commit(
    folder: &Path,
    traces: &mut Traces,
    content: &[(String, String)],
    message: &str,
) -> Result<String, AuthorError> {
    for (path, text) in content {
        traces.files.push(path.clone());
        files::write(folder, path, Some(text.as_bytes()))?;
    }
    // What the user's git ignores everywhere must not be left out here.
    ask(git(folder).args(["add", "--force", "--"]).args(content.iter().map(|(path, _)| path)))?;
    let status = run(git(folder).args(["commit", "--quiet", "--gpg-sign", "--message", message]))?;
    if !status.success() {
        let message = "git could not make a signed commit; nothing is left of what was begun\n  help: `git commit -S` must \
                       work for you: see `git config user.signingkey`";
        return Err(AuthorError::Program(message.to_owned()));
    }
    ask(git(folder).args(["rev-parse", "HEAD"]))
}

/// What has to go again if something fails.
struct Traces {
    folder: PathBuf,
    had_folder: bool,
    had_repository: bool,
    files: Vec<String>,
}

impl Traces {
    /// Finds out what is there, and refuses what is not empty.
    fn new(folder: &Path) -> Result<Traces, AuthorError> {
        let mut traces =
            Traces { folder: folder.to_owned(), had_folder: true, had_repository: false, files: Vec::new() };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Traces { had_folder: false, ..traces }),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(AuthorError::Usage(format!("{} is not a folder", folder.display())));
            }
            Err(error) => return Err(AuthorError::io("read", folder, error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| AuthorError::io("read", folder, error))?;
            if entry.file_name() != ".git" {
                let message = format!("{} is not empty: name a folder that is, or is not there yet", folder.display());
                return Err(AuthorError::Usage(message));
            }
            traces.had_repository = true;
        }
        if traces.had_repository && ask_for(git(folder).args(["rev-parse", "--quiet", "--verify", "HEAD"]))?.is_some() {
            return Err(AuthorError::Usage(format!("{} is a repository that has commits", folder.display())));
        }
        Ok(traces)
    }

    /// Best effort: why it is called is what the user must hear.
    fn remove(&self) {
        if !self.had_folder {
            let _ = fs::remove_dir_all(&self.folder);
            return;
        }
        for path in &self.files {
            let _ = fs::remove_file(self.folder.join(path));
            for parent in Path::new(path).ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
                let _ = fs::remove_dir(self.folder.join(parent));
            }
        }
        let git_folder = self.folder.join(".git");
        if !self.had_repository {
            let _ = fs::remove_dir_all(git_folder);
        } else {
            let _ = ask(git(&self.folder).args(["update-ref", "-d", "HEAD"]));
            let _ = fs::remove_file(git_folder.join("index"));
        }
    }
}

/// The user's home folder.
fn home() -> Option<PathBuf> {
    env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}
