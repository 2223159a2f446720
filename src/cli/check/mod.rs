//! `mcpfleet check`: everything that is to be known of a change before it is merged, in one step of CI.

mod markdown;
mod report;
mod resources;
mod text;

use super::{
    Outcome,
    change::{Change, Judged},
    destination::{Destination, Outputs, is_github},
    judging::{in_commit, open, resolve, said},
    plan::{Agent, AgentsArgs, previews},
    rules::rules,
    validate::{
        allowed,
        output::{self, Findings},
    },
};
use crate::{
    git::Repository,
    manifest::{
        Code,
        render::github::{self, Annotation, Level},
    },
    source::Mode,
};
use anyhow::Context as _;
use clap::{ValueEnum, ValueHint};
use report::{Demands, Report};
use resources::Resources;
use std::{env, fs::OpenOptions, io::Write as _, path::PathBuf};

/// Check a change before it is merged: whether its files are valid, whether its authors may make it, and what agents will
/// do with it.
///
/// This is `validate`, `authorize` and `plan` in one step for CI. All of it is read from git's objects, so that nothing of
/// the change is run, and nothing has to be checked out. The rules are those of the base: without --config they are in its
/// `.mcpfleet/agent.yaml`, so that no change can bring its own.
///
/// A change answers for what it touches and for what was not wrong before; what else is wrong in the repository is only
/// counted.
///
/// The plan is shown and decides nothing: look at `mcpfleet plan` for its options.
///
/// On GitHub Actions what is wrong is also printed as annotations, and the summary of the job gets the report.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet check --base origin/main
  mcpfleet check --base origin/main --head HEAD --warnings-as-errors
  mcpfleet check --base origin/main -o text -o markdown=comment.md -o gitlab=gl-code-quality-report.json

Exit codes: 0 the change can be merged, 1 it is not valid or not all of it would take effect, 2 wrong usage or
configuration, 3 something went wrong")]
pub struct Args {
    /// The repository, or a folder in it
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    repo: PathBuf,
    /// Where the change is to be merged
    #[arg(long, value_name = "REV")]
    base: String,
    /// The change's last commit
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    head: String,
    /// The root of trust [default: `authorization.root` of the configuration, else all that the base has is accepted]
    #[arg(long, value_name = "REV")]
    root: Option<String>,
    #[command(flatten)]
    agents: AgentsArgs,
    /// Fail for warnings too
    #[arg(long)]
    warnings_as_errors: bool,
    /// Leave out the warnings of this code: a risk that is accepted. May be repeated
    #[arg(long, value_name = "CODE", value_parser = allowed)]
    allow: Vec<Code>,
    /// How to print the report: text, markdown, json, github, gitlab, sarif or junit, the last three of the files only; with
    /// `=FILE` into a file, as often as needed [default: text]
    #[arg(short, long, value_name = "FORMAT[=FILE]")]
    output: Vec<Destination<Format>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For a comment on the change, or the summary of a job.
    Markdown,
    Json,
    /// Annotations for GitHub Actions.
    Github,
    Gitlab,
    Sarif,
    Junit,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let outputs = Outputs::new(&args.output)?;
    let repository = open(&args.repo)?;
    let base = resolve(&repository, &args.base)?.known()?;
    let head = resolve(&repository, &args.head)?.known()?;
    let judging = args.agents.judging(base, &repository)?;
    let rules = rules(&judging.authorization)?;
    let agents = Agent::all(&args.agents, base, &repository)?;
    let change = Change::new(&repository, (base, head), args.root.as_deref(), &judging)?;
    let Judged { report: authorization, states } = change.judge(&repository, &rules)?;
    let demands =
        Demands { enforced: judging.authorization.mode == Mode::Enforce, no_warnings: args.warnings_as_errors };
    let (resources, plans) = match &states {
        Some(states) => (
            Resources::compare(&states.fork, &states.head, |path| {
                in_commit(&repository, &head.to_string(), path).ok()?
            })
            .without(&args.allow),
            previews(&agents, states, &authorization, demands.enforced),
        ),
        None => (Resources::default(), Vec::new()),
    };
    let report = Report::new(base, &resources, &authorization, &plans, demands);
    let written = Written {
        report: &report,
        files: Findings {
            report: report.validation.clone(),
            files: &resources.files,
            warnings_as_errors: args.warnings_as_errors,
        },
        repository: &repository,
    };
    outputs.write(|format| written.render(format), || written.usual())?;
    if outputs.is_usual() && is_github() {
        summarize(&report)?;
    }
    Ok(if report.passed { Outcome::Fine } else { Outcome::Findings })
}

/// What is written of a change.
struct Written<'a> {
    report: &'a Report<'a>,
    /// What is told of it where only files are.
    files: Findings<'a>,
    repository: &'a Repository,
}

impl Written<'_> {
    fn usual(&self) -> anyhow::Result<String> {
        let text = text::text(self.report, said(self.repository));
        Ok(match is_github() {
            true => format!("{}{}", github::harmless(&text), github::github(annotations(self.report))),
            false => text,
        })
    }

    fn render(&self, format: Format) -> anyhow::Result<String> {
        match format {
            Format::Text => Ok(github::harmless(&text::text(self.report, said(self.repository))).into_owned()),
            Format::Markdown => Ok(markdown::markdown(self.report)),
            Format::Json => Ok(github::harmless_json(&serde_json::to_string_pretty(self.report)?) + "\n"),
            Format::Github => Ok(github::github(annotations(self.report))),
            Format::Gitlab => self.files.render(output::Format::Gitlab),
            Format::Sarif => self.files.render(output::Format::Sarif),
            Format::Junit => self.files.render(output::Format::Junit),
        }
    }
}

/// Adds the report to the summary of GitHub's job.
fn summarize(report: &Report) -> anyhow::Result<()> {
    let Some(path) = env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return Ok(()) };
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(markdown::markdown(report).as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// What is wrong, at the place where it is.
fn annotations<'r>(report: &'r Report) -> impl Iterator<Item = Annotation<'r>> {
    let level = if report.enforced { Level::Error } else { Level::Notice };
    let refused = report.refused().map(move |(commit, change)| Annotation {
        severity: level,
        path: Some(change.path.as_str().into()),
        position: None,
        title: change.code.map_or("refused".into(), |code| format!("refused: {code}").into()),
        message: format!("commit {}: {}", commit.id.short(), change.message).into(),
    });
    let error = report.authorization.error.iter().map(move |refusal| Annotation {
        severity: level,
        path: None,
        position: None,
        title: refusal.code.to_string().into(),
        message: refusal.message.as_str().into(),
    });
    report.validation.diagnostics.iter().map(Annotation::from).chain(error).chain(refused)
}
