//! `mcpfleet validate`: what the agent would say of some files, before they get anywhere near it.

use super::{
    Outcome, Output,
    terminal::{escape_lines, print, print_structured},
};
use crate::{
    manifest::{Diagnostic, FileState, Located, cross_check, render::Report},
    source::{Cache, Ignore, ReadError, read_file, read_tree},
};
use clap::ValueHint;
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Check resource files: syntax, fields, values, and what they say of each other.
///
/// All mistakes of all files are printed, each with the line where it is and what to do about it. The files of all
/// PATHs are checked as one source: names are unique among them, and roles that users name must exist.
///
/// Of a folder, every `*.yaml` and `*.yml` file below it is read, except hidden ones.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet validate .
  mcpfleet validate apps roles/admin.yaml --ignore 'drafts/**'
  mcpfleet validate . -o json | jq -r '.diagnostics[] | \"\\(.path):\\(.line) \\(.message)\"'

Exit codes: 0 all is well, 1 there are errors, 2 wrong usage, 3 a PATH cannot be read at all")]
pub struct Args {
    /// Folders and files to check
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// Leave out files that match, seen from the folder: `drafts/**`, `**/*.test.yaml`. May be repeated
    #[arg(long, value_name = "GLOB")]
    ignore: Vec<String>,
    /// How to print the result
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let ignore = match Ignore::new(&args.ignore) {
        Ok(ignore) => ignore,
        Err(error) => return Ok(usage(&error)),
    };
    let mut checked = Checked::default();
    for path in &args.paths {
        match checked.read(path, &ignore) {
            Ok(()) => {}
            Err(error @ (ReadError::Missing { .. } | ReadError::NotAFile { .. } | ReadError::NotAFolder { .. })) => {
                return Ok(usage(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let diagnostics = checked.diagnostics();
    let report = Report::new(checked.files.len(), checked.resources.len(), &diagnostics);
    if print_structured(args.output, &report)?.is_none() {
        print(&report.text())?;
    }
    Ok(if report.valid { Outcome::Fine } else { Outcome::Findings })
}

fn usage(error: &dyn std::error::Error) -> Outcome {
    anstream::eprintln!("error: {}", escape_lines(&error.to_string()));
    Outcome::Usage
}

/// What has been read, with paths as they lead there from the current directory.
#[derive(Default)]
struct Checked {
    /// Where the files really are: one that is named twice is read once.
    files: HashSet<PathBuf>,
    resources: Vec<Located>,
    diagnostics: Vec<Diagnostic>,
}

impl Checked {
    fn read(&mut self, path: &Path, ignore: &Ignore) -> Result<(), ReadError> {
        let shown = path.to_string_lossy();
        let shown = shown.strip_prefix("./").unwrap_or(&shown);
        if !path.is_dir() {
            if !ignore.file(shown) {
                let state = read_file(path, shown)?;
                self.add(path, shown, &state);
            }
            return Ok(());
        }
        let prefix = match shown.trim_end_matches('/') {
            "." | "" if !path.has_root() => String::new(),
            folder => format!("{folder}/"),
        };
        for (below, state) in read_tree(path, ignore, &mut Cache::default())?.tree {
            self.add(&path.join(&*below), &format!("{prefix}{below}"), &state);
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, shown: &str, state: &FileState) {
        // What cannot be resolved cannot be named twice in different ways either.
        if !self.files.insert(path.canonicalize().unwrap_or_else(|_| path.to_owned())) {
            return;
        }
        let shown: Arc<str> = shown.into();
        let here = |diagnostic: &Diagnostic| Diagnostic { path: shown.to_string(), ..diagnostic.clone() };
        match state {
            FileState::Unreadable(diagnostic) => self.diagnostics.push(here(diagnostic)),
            FileState::Parsed(file) => {
                self.diagnostics.extend(file.diagnostics.iter().map(here));
                let moved = |located: &Located| Located { path: shown.clone(), ..located.clone() };
                self.resources.extend(file.resources.iter().map(moved));
            }
        }
    }

    /// All diagnostics, those across files included, by file and place.
    fn diagnostics(&mut self) -> Vec<Diagnostic> {
        let mut all = std::mem::take(&mut self.diagnostics);
        all.extend(cross_check(&self.resources));
        all.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        all
    }
}
