use super::super::{
    Outcome, UsageError,
    judging::settings_of_commit,
    rules::globs,
    terminal::{escape, print},
};
use crate::{
    authorize::{Blob, Objects as _},
    git::{Repository, id_of},
    manifest::{Code, Diagnostic, cross_check, parse_file, render::Report, text::MAX_FILE_SIZE},
};
use anyhow::Context as _;
use globset::GlobSet;

/// Check what is about to be committed: the resource files as they are staged, not as they are in the work tree.
///
/// Which files are resources is what `authorization.managed` says in `.mcpfleet/agent.yaml` of the current commit.
///
/// Git calls this through the hook that `mcpfleet hook install --pre-commit` writes.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet hook install --pre-commit

Exit codes: 0 all is well, 1 there are errors, 2 wrong usage, 3 something went wrong")]
pub struct Args {}

/// Paths that are about to be committed and are symlinks or submodules have one of these modes.
const PLAIN: [u32; 2] = [0o100644, 0o100755];

pub fn run(_args: Args) -> anyhow::Result<Outcome> {
    let repository = Repository::from_environment().map_err(|error| UsageError::new(error.to_string()))?;
    let index = repository.git().index().context("cannot read the index")?;
    let managed = managed(&repository);
    let (mut files, mut resources, mut diagnostics) = (0, Vec::new(), Vec::new());
    for entry in index.iter() {
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        if !is_resource_file(&path) || managed.as_ref().is_some_and(|managed| !managed.is_match(&path)) {
            continue;
        }
        files += 1;
        if !PLAIN.contains(&entry.mode) {
            let message = "only plain files hold resources; this would be refused";
            diagnostics.push(Diagnostic::about_file(Code::SpecialFile, &path, message.to_owned()));
            continue;
        }
        match repository.blob(id_of(entry.id), MAX_FILE_SIZE)? {
            Blob::Bytes(bytes) => {
                let file = parse_file(&path, &bytes);
                diagnostics.extend(file.diagnostics);
                resources.extend(file.resources);
            }
            Blob::TooLarge(size) => {
                let message = format!("the file has {size} bytes; at most {MAX_FILE_SIZE} are read");
                diagnostics.push(Diagnostic::about_file(Code::FileTooLarge, &path, message));
            }
        }
    }
    diagnostics.extend(cross_check(&resources));
    diagnostics.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    let report = Report::new(files, resources.len(), &diagnostics);
    if report.valid {
        return Ok(Outcome::Fine);
    }
    print(&report.text())?;
    anstream::eprintln!(
        "mcpfleet: {} (`git commit --no-verify` commits it all the same)",
        escape("what is staged is not valid")
    );
    Ok(Outcome::Findings)
}

/// Which files the current commit says are resources. A mistake in there keeps nobody from committing.
fn managed(repository: &Repository) -> Option<GlobSet> {
    let settings = settings_of_commit(repository.commit_at("HEAD").ok()?, repository).ok()?;
    globs(&settings.authorization.managed).ok()
}

/// Whether a file is taken for one of ours: YAML, and not hidden.
fn is_resource_file(path: &str) -> bool {
    let hidden = path.split('/').any(|part| part.starts_with('.'));
    !hidden && (path.ends_with(".yaml") || path.ends_with(".yml"))
}

#[cfg(test)]
mod tests {
    use super::is_resource_file;

    #[test]
    fn hidden_files_and_others_are_not_looked_at() {
        for path in ["a.yaml", "apps/a.yml", "a.b/c.d.yaml"] {
            assert!(is_resource_file(path), "{path}");
        }
        for path in [".mcpfleet/agent.yaml", "apps/.a.yaml", "README.md", "yaml", ".github/ci.yml"] {
            assert!(!is_resource_file(path), "{path}");
        }
    }
}
