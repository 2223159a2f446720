//! `mcpfleet validate`: what the agent would say of some files, before they get anywhere near it.

mod agents;
mod changed;
mod checked;
pub(super) mod output;

use super::{
    Outcome, UsageError,
    destination::{Destination, Outputs, is_github},
    progress::Waiting,
};
use crate::{
    manifest::{Code, Severity, render::Report},
    source::{Ignore, ReadError},
};
use agents::Agent;
use changed::Changed;
use checked::Checked;
use clap::ValueHint;
use output::Format;
use std::path::{Path, PathBuf};

/// Check resource files: syntax, fields, values, and what they say of each other.
///
/// All mistakes of all files are printed, each with the line where it is and what to do about it. The files of all
/// PATHs are checked as one source: names are unique among them, and roles that users name must exist.
///
/// Of a folder, every `*.yaml` and `*.yml` file below it is read, except hidden ones. `mcpfleet explain CODE` says more
/// about a kind of mistake.
///
/// Formats: `text` for people, `json` and `yaml` for programs, `github` for annotations of GitHub Actions, `gitlab` for
/// GitLab's code quality report, `sarif` (2.1.0) for code scanning, `junit` for test reports. Without an output for stdout
/// it is text, and in GitHub Actions (`GITHUB_ACTIONS=true`) annotations too.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet validate .
  mcpfleet validate apps roles/admin.yaml --ignore 'drafts/**'
  mcpfleet validate . -o json | jq -r '.diagnostics[] | \"\\(.path):\\(.line) \\(.message)\"'
  mcpfleet validate . --changed-since origin/main --warnings-as-errors
  mcpfleet validate . --config prod.yaml --config staging.yaml
  mcpfleet validate . -o sarif=mcpfleet.sarif -o junit=mcpfleet.xml
  mcpfleet validate - --stdin-name apps/web.yaml <apps/web.yaml

Exit codes: 0 all is well, 1 there are errors, 2 wrong usage, 3 a PATH cannot be read at all")]
pub struct Args {
    /// Folders and files to check; `-` is stdin
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// Leave out files that match, seen from the folder: `drafts/**`, `**/*.test.yaml`. May be repeated
    #[arg(long, value_name = "GLOB")]
    ignore: Vec<String>,
    /// Print the result in this format, or write it into a file. May be repeated
    #[arg(short, long, value_name = "FORMAT[=FILE]")]
    output: Vec<Destination<Format>>,
    /// End with exit code 1 for warnings too
    #[arg(long)]
    warnings_as_errors: bool,
    /// Accept a risk: no warnings with this code (`mcpfleet explain` lists them). May be repeated
    #[arg(long, value_name = "CODE", value_parser = allowed)]
    allow: Vec<Code>,
    /// An agent's configuration: warn of apps that none of the agents selects, by labels, and of what an agent would
    /// refuse. REV:PATH takes it from a commit. May be repeated
    #[arg(long = "config", value_name = "FILE|REV:PATH")]
    configs: Vec<String>,
    /// Report only what concerns files that differ from the commit where this branch left REV, uncommitted and untracked
    /// ones included. All files are read all the same
    #[arg(long, value_name = "REV")]
    changed_since: Option<String>,
    /// The path that stdin is shown as, and that is not read then
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    stdin_name: Option<String>,
}

/// Reads the code of a risk that is accepted.
pub(super) fn allowed(word: &str) -> Result<Code, String> {
    Code::ALL.iter().copied().find(|code| code.to_string() == word).ok_or_else(|| "there is no such code".to_owned())
}

/// What stdin is called when it has no name.
const STDIN: &str = "<stdin>";

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let is_stdin = |path: &&PathBuf| **path == Path::new("-");
    let stdin = args.paths.iter().any(|path| is_stdin(&path));
    if args.stdin_name.is_some() && !stdin {
        return Err(UsageError::new("`--stdin-name` says what `-` is, and `-` is not among the PATHs").into());
    }
    let ignore = Ignore::new(&args.ignore).map_err(|error| UsageError::new(error.to_string()))?;
    let agents = args.configs.iter().map(|place| Agent::read(place)).collect::<anyhow::Result<Vec<_>>>()?;
    let outputs = Outputs::new(&args.output)?;
    let files = || args.paths.iter().filter(|path| !is_stdin(path));
    let changed = args.changed_since.as_deref();
    let first = files().next().map_or(Path::new("."), PathBuf::as_path);
    let several = args.paths.len() > 1;
    let mut checked = Checked::new(several, changed.map(|revision| Changed::since(first, revision)).transpose()?);
    if stdin {
        checked.read_stdin(args.stdin_name.as_deref().unwrap_or(STDIN))?;
    }
    let waiting = Waiting::for_files();
    for path in files() {
        match checked.read(path, &ignore) {
            Err(error @ (ReadError::Missing { .. } | ReadError::NotAFile { .. } | ReadError::NotAFolder { .. })) => {
                return Err(UsageError::new(error.to_string()).into());
            }
            read => read?,
        }
    }
    let mut diagnostics = checked.diagnostics(&agents);
    diagnostics.retain(|d| d.severity == Severity::Error || !args.allow.contains(&d.code));
    drop(waiting);
    let report = Report::new(checked.files.len(), checked.resources.len(), &diagnostics);
    let fine = report.valid && !(args.warnings_as_errors && report.warnings > 0);
    let result = output::Findings { report, files: &checked.reported(), warnings_as_errors: args.warnings_as_errors };
    outputs.write(|format| result.render(format), || Ok(result.usual(is_github())))?;
    // The process ends now. To give back the memory of all resources, piece by piece, would take as long as to read them.
    std::mem::forget(checked);
    Ok(if fine { Outcome::Fine } else { Outcome::Findings })
}
