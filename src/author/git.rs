//! The user's `git`: it knows the user's identity, signing set-up, hooks and credentials.

use super::AuthorError;
use crate::escape::escape_lines;
use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

/// Variables that would make git work on another repository than the one that was named. They are set in hooks.
const ELSEWHERE: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
];

/// `git` in a folder. Paths that are given to it are taken literally.
pub fn git(folder: &Path) -> Command {
    let mut command = plain(folder);
    command.arg("--literal-pathspecs");
    command
}

/// `git` in a folder, for what calls hooks: how paths are taken would get to them.
pub fn plain(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder);
    for name in ELSEWHERE {
        command.env_remove(name);
    }
    command
}

/// Runs a command and gives what it printed, without the end of the line.
///
/// # Errors
/// With what it said, when it fails.
pub fn ask(command: &mut Command) -> Result<String, AuthorError> {
    let output = output(command)?;
    if !output.status.success() {
        return Err(AuthorError::Program(failure(command, &output)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// Like [`ask`], where failing means that there is no such thing.
pub fn ask_for(command: &mut Command) -> Result<Option<String>, AuthorError> {
    let output = output(command)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let text = text.trim_end_matches(['\n', '\r']);
    Ok((output.status.success() && !text.is_empty()).then(|| text.to_owned()))
}

/// Runs a command that talks to the user.
pub fn run(command: &mut Command) -> Result<ExitStatus, AuthorError> {
    // What git prints is none of the output of ours.
    command.stdout(io::stderr());
    command.status().map_err(|error| missing(command, &error))
}

/// Like [`run`], for a command that prints an answer all the same: its text, or `None` when it fails.
pub fn tell(command: &mut Command) -> Result<Option<String>, AuthorError> {
    let child = command.stdin(Stdio::inherit()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let output = child.and_then(Child::wait_with_output).map_err(|error| missing(command, &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success().then(|| text.trim_end_matches(['\n', '\r']).to_owned()))
}

fn output(command: &mut Command) -> Result<Output, AuthorError> {
    command.stdin(Stdio::null()).output().map_err(|error| missing(command, &error))
}

fn missing(command: &Command, error: &io::Error) -> AuthorError {
    let program = command.get_program().to_string_lossy();
    match error.kind() {
        io::ErrorKind::NotFound => AuthorError::Usage(format!("`{program}` is not installed, or not on the PATH")),
        _ => AuthorError::Program(format!("`{program}` cannot be started: {error}")),
    }
}

fn failure(command: &Command, output: &Output) -> String {
    let program = command.get_program().to_string_lossy();
    // What comes before a subcommand of git is ours.
    let mut words = command.get_args().skip_while(|word| !word.eq_ignore_ascii_case("--literal-pathspecs")).skip(1);
    let what = words.next().map(OsStr::to_string_lossy).unwrap_or_default();
    let said = String::from_utf8_lossy(&output.stderr);
    format!("`{}` failed: {}", format!("{program} {what}").trim_end(), escape_lines(said.trim_end()))
}

/// A work tree.
pub struct Work {
    root: PathBuf,
}

/// Where the current branch is pushed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub remote: String,
    /// On the remote: `refs/heads/main`.
    pub reference: String,
    /// As it was seen last: `refs/remotes/origin/main`.
    pub tracking: String,
}

impl Upstream {
    /// `origin/main`
    pub fn shown(&self) -> String {
        let branch = self.reference.strip_prefix("refs/heads/").unwrap_or(&self.reference);
        format!("{}/{branch}", self.remote)
    }
}

impl Work {
    /// The work tree that a folder is in.
    pub fn of(folder: &Path) -> Result<Work, AuthorError> {
        let root = PathBuf::from(ask(git(folder).args(["rev-parse", "--show-toplevel"]))?);
        let root = root.canonicalize().map_err(|error| AuthorError::io("open", &root, error))?;
        Ok(Work { root })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn git(&self) -> Command {
        git(&self.root)
    }

    /// Where git keeps what belongs to this work tree alone.
    pub(super) fn git_folder(&self) -> Result<PathBuf, AuthorError> {
        ask(self.git().args(["rev-parse", "--absolute-git-dir"])).map(PathBuf::from)
    }

    /// Whether index and work tree have what is committed at a path.
    pub fn is_clean(&self, path: &str) -> Result<bool, AuthorError> {
        let status = ask(self.git().args(["status", "--porcelain", "--untracked-files=all", "--"]).arg(path))?;
        Ok(status.is_empty())
    }

    /// The branch that is checked out; `None` on a detached head.
    pub fn branch(&self) -> Result<Option<String>, AuthorError> {
        ask_for(self.git().args(["symbolic-ref", "--quiet", "--short", "HEAD"]))
    }

    pub fn upstream(&self) -> Result<Option<Upstream>, AuthorError> {
        let Some(branch) = self.branch()? else { return Ok(None) };
        let setting = |name: &str| ask_for(self.git().args(["config", "--get", &format!("branch.{branch}.{name}")]));
        let (Some(remote), Some(reference)) = (setting("remote")?, setting("merge")?) else { return Ok(None) };
        if remote == "." {
            return Ok(None);
        }
        let name = reference.strip_prefix("refs/heads/").unwrap_or(&reference);
        let tracking = format!("refs/remotes/{remote}/{name}");
        Ok(Some(Upstream { remote, reference, tracking }))
    }

    pub fn has_remotes(&self) -> Result<bool, AuthorError> {
        Ok(!ask(self.git().arg("remote"))?.is_empty())
    }

    /// Pushes the current commit.
    ///
    /// # Errors
    /// When the remote refuses it, or cannot be reached. The commit stays.
    pub fn push(&self, upstream: &Upstream) -> Result<(), AuthorError> {
        let refspec = format!("HEAD:{}", upstream.reference);
        let status = run(plain(&self.root).args(["push", "--quiet", &upstream.remote, &refspec]))?;
        let place = upstream.shown();
        match status.code() {
            Some(0) => Ok(()),
            Some(1) => Err(AuthorError::Refused(format!(
                "{place} did not take the commit, which stays here\n  help: if others were faster, `git pull --rebase` and \
                 `git push`; `git reset --keep HEAD~1` takes it back"
            ))),
            _ => Err(AuthorError::Program(format!(
                "{place} could not be reached, and the commit stays here; `git push` tries again"
            ))),
        }
    }
}
