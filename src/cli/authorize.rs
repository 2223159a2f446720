//! `mcpfleet authorize`: the verdicts of an agent, without one.

use super::{
    Outcome, Output, UsageError,
    judging::{Resolved, between, open, resolve, said, settings},
    rules::rules,
    terminal::{escape_lines, print, print_structured},
};
use crate::{
    authorize::{self, Cache, Code, Failure, Judge, ObjectId, Refusal, Report, Rules},
    config::Judging,
    git::Repository,
    source::Mode,
};
use clap::ValueHint;
use std::path::PathBuf;

/// Judge commits: who may make which change, by the roles and users of the repository.
///
/// Every commit from --base to --head gets a verdict, and every refused change a reason. An agent that follows the
/// repository decides in the same way.
///
/// With --root history is judged from there on, as an agent does it: what is refused or held at the base is known. Without
/// it everything that the base has counts as accepted.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet authorize --base origin/main --head HEAD
  mcpfleet authorize --root 4f2c8b1d --base origin/main --head HEAD --config origin/main:.mcpfleet/agent.yaml
  mcpfleet authorize --base HEAD~5 --head HEAD -o json | jq '.held'

Exit codes: 0 all is accepted, 1 something is held or refused, 2 wrong usage or configuration, 3 something went wrong")]
pub struct Args {
    /// The repository, or a folder in it
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    repo: PathBuf,
    /// Where to begin: a commit that is in force already
    #[arg(long, value_name = "REV")]
    base: String,
    /// What is to take effect
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    head: String,
    /// The root of trust: judge everything since then, and list what is after the base
    #[arg(long, value_name = "REV")]
    root: Option<String>,
    /// The agent's configuration, or a file with its `authorization` alone; REV:PATH takes it from a commit
    #[arg(long, value_name = "FILE|REV:PATH")]
    config: Option<String>,
    /// The git source of the configuration that is meant, if it has several
    #[arg(long, value_name = "NAME", requires = "config")]
    source: Option<String>,
    /// How to print the verdicts
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let repository = open(&args.repo)?;
    let judging = match &args.config {
        Some(place) => settings(place, args.source.as_deref(), &repository)?,
        None => Judging::default(),
    };
    let rules = rules(&judging.authorization)?;
    let range = Range {
        root: args.root.as_deref().map(|root| resolve(&repository, root)).transpose()?,
        base: resolve(&repository, &args.base)?,
        head: resolve(&repository, &args.head)?,
    };
    advise(&judging, &args);
    let report = range.judge(&repository, &rules)?;
    if print_structured(args.output, &report)?.is_none() {
        print(&authorize::text::report(&report, said(&repository)))?;
    }
    Ok(if report.outcome == authorize::Outcome::Accepted { Outcome::Fine } else { Outcome::Findings })
}

/// Says where the configuration would have an agent decide otherwise.
fn advise(judging: &Judging, args: &Args) {
    let note = |text: &str| anstream::eprintln!("note: {}", escape_lines(text));
    match judging.authorization.mode {
        Mode::Enforce => {}
        mode => note(&format!("by this configuration (`mode: {mode}`) an agent applies what is refused here")),
    }
    if args.root.is_none() && args.output == Output::Text {
        note("everything that the base has is taken as accepted; `--root REV` judges from a root of trust on");
    }
}

/// What is to be judged.
struct Range {
    root: Option<Resolved>,
    base: Resolved,
    head: Resolved,
}

impl Range {
    fn judge(&self, repository: &Repository, rules: &Rules) -> anyhow::Result<Report> {
        let (base, head, assumed) = (self.base.id(), self.head.id(), self.root.is_none());
        let missing = [&self.base, &self.head].into_iter().chain(&self.root).find_map(|one| match one {
            Resolved::Missing(id) => Some(*id),
            Resolved::Commit(_) => None,
        });
        if let Some(id) = missing {
            return Ok(Report::refused(base, head, shallow(id), assumed));
        }
        let mut cache = Cache::default();
        let mut judge = Judge::new(repository, rules, &mut cache);
        let from = self.root.as_ref().unwrap_or(&self.base).id();
        let judged = judge.root(from).and_then(|root| {
            if !assumed {
                root.check_root(rules)?;
            }
            judge.advance(&root, head)
        });
        match judged {
            Ok(judgement) => {
                let listed = between(repository, base, head)?;
                Ok(Report::new(base, &judgement, assumed, |commit| listed.contains(&commit)))
            }
            // A root without an administrator is nothing to begin with.
            Err(Failure::Refused(refusal)) if refusal.code == Code::PolicyLockout => {
                Err(UsageError::new(refusal.message).into())
            }
            Err(Failure::Refused(refusal)) => Ok(Report::refused(base, head, refusal, assumed)),
            Err(Failure::Object(error)) => Err(error.into()),
        }
    }
}

fn shallow(id: ObjectId) -> Refusal {
    let message = format!(
        "commit {id} is not there, because this is a shallow clone; fetch everything, with `git fetch --unshallow` or \
         `fetch-depth: 0`"
    );
    Refusal { code: Code::Shallow, message }
}
