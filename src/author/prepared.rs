//! A commit that no branch leads to yet: whoever watches the repository does not see it while it is judged.

use super::{
    AuthorError,
    git::{Work, ask, ask_for, plain, run, tell},
};
use crate::authorize::ObjectId;
use std::{ffi::OsStr, fs, path::Path, process::Stdio};
use tempfile::TempDir;

/// What git takes for "there is no such reference yet".
const UNBORN: &str = "0000000000000000000000000000000000000000";

/// A commit in the repository that nothing refers to. If it stays so, git removes it some day.
pub struct Prepared {
    pub commit: ObjectId,
    parent: Option<ObjectId>,
    paths: Vec<String>,
    subject: String,
}

impl Work {
    /// Makes a commit of these paths as they are in the work tree, on `parent`, and of nothing else of what may be
    /// staged. The hooks of `git commit` run, and see an index with just that.
    ///
    /// # Errors
    /// When git, or a hook, does not want to. Branch and index are as before in any case.
    pub fn prepare(&self, parent: Option<ObjectId>, paths: &[&str], message: &str) -> Result<Prepared, AuthorError> {
        let scratch = self.scratch()?;
        let index = scratch.path().join("index");
        self.stage(parent, paths, &index)?;
        self.hook("pre-commit", Some(&index), &[])?;
        // Not before: hooks may stage what they have put in order.
        let tree = ask(self.git().env("GIT_INDEX_FILE", &index).arg("write-tree"))?;
        if let Some(parent) = parent
            && ask(self.git().args(["rev-parse", &format!("{parent}^{{tree}}")]))? == tree
        {
            return Err(AuthorError::Refused("to git these files are what is committed already".to_owned()));
        }

        let file = scratch.path().join("COMMIT_EDITMSG");
        let io = |action, error| AuthorError::io(action, &file, error);
        fs::write(&file, format!("{message}\n")).map_err(|error| io("write", error))?;
        self.hook("prepare-commit-msg", Some(&index), &[file.as_os_str(), OsStr::new("message")])?;
        self.hook("commit-msg", Some(&index), &[file.as_os_str()])?;
        let message = tidy(&fs::read(&file).map_err(|error| io("read", error))?);
        if message.is_empty() {
            return Err(AuthorError::Refused("the message is empty; nothing has changed".to_owned()));
        }
        fs::write(&file, &message).map_err(|error| io("write", error))?;
        let commit = self.commit_tree(&tree, parent, &file)?;
        let subject = message.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Ok(Prepared {
            commit,
            parent,
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            subject: String::from_utf8_lossy(subject).into_owned(),
        })
    }

    /// Lets the current branch lead to a commit, provided that it still is where the commit begins.
    ///
    /// # Errors
    /// When the branch is elsewhere by now, or cannot be moved. Nothing has changed then.
    pub fn advance(&self, prepared: &Prepared) -> Result<(), AuthorError> {
        let (new, old) = (prepared.commit.to_string(), prepared.parent.map(|id| id.to_string()));
        let what = if old.is_some() { "commit" } else { "commit (initial)" };
        let reason = format!("{what}: {}", prepared.subject);
        let command = &mut self.git();
        ask(command.args(["update-ref", "-m", &reason, "HEAD", &new, old.as_deref().unwrap_or(UNBORN)]))
            .map(drop)
            .map_err(|error| AuthorError::Refused(format!("the branch was not moved, nothing has changed: {error}")))
    }

    /// Makes the index say of the commit's paths what the commit says, now that it is the current one, and tells the
    /// hook.
    ///
    /// # Errors
    /// When the index cannot be written. The commit stays.
    pub fn settle(&self, prepared: &Prepared) -> Result<(), AuthorError> {
        ask(self.git().args(["reset", "--quiet", "--"]).args(&prepared.paths)).map_err(|error| {
            AuthorError::Program(format!(
                "commit {} is made, and not pushed, but git's index does not know of it: {error}\n  help: `git reset -- \
                 {}` mends that, and `git push` pushes",
                prepared.commit.short(),
                prepared.paths.join(" ")
            ))
        })?;
        // It comes too late to refuse anything.
        let _ = self.hook("post-commit", None, &[]);
        Ok(())
    }

    /// A folder for files in the making, next to git's own.
    fn scratch(&self) -> Result<TempDir, AuthorError> {
        for (reference, what) in [("MERGE_HEAD", "a merge"), ("CHERRY_PICK_HEAD", "a cherry-pick")] {
            if ask_for(self.git().args(["rev-parse", "--quiet", "--verify", reference]))?.is_some() {
                return Err(AuthorError::Refused(format!("{what} is under way: finish it first, or abort it")));
            }
        }
        let folder = self.git_folder()?;
        let lock = folder.join("index.lock");
        if lock.exists() {
            return Err(AuthorError::Refused(format!(
                "another git is at work in this repository; if it is not, remove {}",
                lock.display()
            )));
        }
        let made = tempfile::Builder::new().prefix("mcpfleet-").tempdir_in(&folder);
        made.map_err(|error| AuthorError::io("make a folder in", &folder, error))
    }

    /// Fills a new index: what `parent` has, with the paths as they are in the work tree.
    fn stage(&self, parent: Option<ObjectId>, paths: &[&str], index: &Path) -> Result<(), AuthorError> {
        let git = || {
            let mut git = self.git();
            git.env("GIT_INDEX_FILE", index);
            git
        };
        if let Some(parent) = parent {
            let own = self.git_folder()?.join("index");
            // From the usual index git knows which files it need not read again.
            if own.exists() {
                fs::copy(&own, index).map_err(|error| AuthorError::io("read", &own, error))?;
            }
            ask(git().args(["read-tree", "--reset", &parent.to_string()]))?;
        }
        ask(git().args(["add", "--all", "--"]).args(paths))?;
        // It fails if a file has changes, which is none of our business.
        ask_for(git().args(["update-index", "-q", "--refresh"])).map(drop)
    }

    fn commit_tree(&self, tree: &str, parent: Option<ObjectId>, message: &Path) -> Result<ObjectId, AuthorError> {
        let command = &mut self.git();
        command.args(["commit-tree", tree, "-F"]).arg(message);
        if let Some(parent) = parent {
            command.args(["-p", &parent.to_string()]);
        }
        // Unlike `git commit` it does not look for itself.
        if ask_for(self.git().args(["config", "--type=bool", "--get", "commit.gpgsign"]))?.as_deref() == Some("true") {
            command.arg("-S");
        }
        let id = tell(command)?.and_then(|id| id.parse().ok());
        id.ok_or_else(|| AuthorError::Program("git could not commit it; nothing has changed".to_owned()))
    }

    /// Runs a hook as `git commit` does, if there is one.
    fn hook(&self, name: &str, index: Option<&Path>, arguments: &[&OsStr]) -> Result<(), AuthorError> {
        let command = &mut plain(self.root());
        command.args(["hook", "run", "--ignore-missing", name, "--"]).args(arguments);
        // So it is when no editor is to open.
        command.env("GIT_EDITOR", ":").stdin(Stdio::null());
        if let Some(index) = index {
            command.env("GIT_INDEX_FILE", index);
        }
        if run(command)?.success() {
            return Ok(());
        }
        // Asked for help, a git that has the command ends with 129.
        let known = plain(self.root()).args(["hook", "-h"]).output();
        Err(match known.is_ok_and(|output| output.status.code() != Some(1)) {
            true => AuthorError::Refused(format!("the hook {name} does not agree to the commit; nothing has changed")),
            false => AuthorError::Usage("git 2.36 or newer is needed, to run hooks".to_owned()),
        })
    }
}

/// A message as `git commit --message` tidies it: no spaces at the end of lines, and no more empty lines than one.
fn tidy(message: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = Vec::new();
    for line in message.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end) {
        if !line.is_empty() || lines.last().is_some_and(|last| !last.is_empty()) {
            lines.push(line);
        }
    }
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect()
}

#[cfg(test)]
mod tests {
    use super::tidy;

    #[test]
    fn messages_are_tidied() {
        for (message, expected) in [
            ("One\n", "One\n"),
            ("\n\n  One \n\n\n\nTwo\t\n# three\n\n\n", "  One\n\nTwo\n# three\n"),
            (" \n\n", ""),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(tidy(message.as_bytes())).as_deref(), Ok(expected), "{message:?}");
        }
    }
}
