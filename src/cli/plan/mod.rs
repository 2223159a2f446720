//! `mcpfleet plan`: what agents would do, before they do it.

mod agents;
mod markdown;
mod running;
mod text;

pub use agents::{Agent, AgentsArgs};
pub use markdown::markdown;
pub use text::text;

use super::{
    Outcome,
    agent_args::AgentArgs,
    change::Change,
    destination::{Destination, Outputs},
    judging::{open, resolve},
    page::Page,
    rules::rules,
    terminal::escape_lines,
};
use crate::{
    authorize::{Proposed, Report},
    manifest::render::github::{harmless, harmless_json},
    reconcile::preview::{Plans, Preview},
    source::Mode,
};
use clap::{ValueEnum, ValueHint};
use jiff::Timestamp;
use std::path::PathBuf;

/// Show what agents would start, replace, update and stop for a change, what would be held, and why.
///
/// The change is what HEAD has since it left BASE. It is judged as `authorize` and agents do: what is refused, or not valid,
/// is shown as held, because what was accepted before stays in force. Everything is read from git's objects.
///
/// Each --config is an agent, with its selectors, static apps, prune guard, and the `path` and `ignore` of its source; each
/// --selector is one that runs what has these labels. With --running the agent is one that runs: BASE is what it has accepted
/// of its git source, and selectors, static apps, prune guard, rules and root of trust are its own. Values of environment
/// variables and headers are never shown.
#[derive(clap::Args)]
#[command(
    group(clap::ArgGroup::new("from").required(true).args(["base", "running"])),
    after_help = "\
Examples:
  mcpfleet plan --base origin/main
  mcpfleet plan --base origin/main --head HEAD --selector env=prod --selector 'env=dev|test'
  mcpfleet plan --base HEAD~1 --config origin/main:agents/eu.yaml --config origin/main:agents/us.yaml
  mcpfleet plan --base origin/main -o markdown=plan.md
  mcpfleet plan --running

Exit codes: 0 nothing changes, 1 something changes or is held, 2 wrong usage or configuration, 3 something went wrong"
)]
pub struct Args {
    /// The repository, or a folder in it
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    repo: PathBuf,
    /// What runs
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// Ask a running agent what runs, and by what it decides
    #[arg(long, group = "whose", conflicts_with_all = ["root", "selectors"])]
    running: bool,
    /// What is to run
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    head: String,
    /// The root of trust [default: `authorization.root` of the configuration, else all that the base has is accepted]
    #[arg(long, value_name = "REV")]
    root: Option<String>,
    #[command(flatten)]
    agents: AgentsArgs,
    #[command(flatten)]
    agent: AgentArgs,
    /// How to print the plan: text, json, yaml or markdown; with `=FILE` into a file, as often as needed [default: text]
    #[arg(short, long, value_name = "FORMAT[=FILE]")]
    output: Vec<Destination<Format>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Yaml,
    Markdown,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let outputs = Outputs::new(&args.output)?;
    let repository = open(&args.repo)?;
    let source = args.agents.source.as_deref();
    let (base, judging, agents) = match &args.base {
        Some(base) => {
            let base = resolve(&repository, base)?.known()?;
            (base, args.agents.judging(base, &repository)?, Agent::all(&args.agents, base, &repository)?)
        }
        None => {
            let running::Asked { agent, base, judging } = running::ask(&args.agent, source, &repository)?;
            (base, judging, vec![agent])
        }
    };
    let head = resolve(&repository, &args.head)?.known()?;
    let rules = rules(&judging.authorization)?;
    let change = Change::new(&repository, (base, head), args.root.as_deref(), &judging)?;
    let judged = change.judge(&repository, &rules)?;
    let enforced = judging.authorization.mode == Mode::Enforce;
    let previews = match &judged.states {
        Some(states) => previews(&agents, states, &judged.report, enforced),
        None => Vec::new(),
    };
    let plans = Plans::new(Some(change.fork), Some(head), previews);
    let plans = Printed(Plans { error: judged.report.error.clone(), ..plans });
    outputs.write(|format| plans.render(format), || plans.render(Format::Text))?;
    let same = plans.0.error.is_none() && plans.0.agents.iter().all(Preview::is_empty);
    Ok(if same { Outcome::Fine } else { Outcome::Findings })
}

/// What each agent would do. Where `enforced` is false, what is refused takes effect all the same.
pub fn previews(agents: &[Agent], states: &Proposed, report: &Report, enforced: bool) -> Vec<Preview> {
    let now = Timestamp::now();
    agents.iter().map(|agent| agent.preview(states, report, enforced, now)).collect()
}

/// What is printed.
struct Printed(Plans);

impl Printed {
    fn text(&self) -> String {
        match &self.0.error {
            Some(refusal) => format!("nothing moves: [{}] {}\n", refusal.code, escape_lines(&refusal.message)),
            None => text(&self.0.agents),
        }
    }

    fn render(&self, format: Format) -> anyhow::Result<String> {
        Ok(match format {
            Format::Text => harmless(&self.text()).into_owned(),
            Format::Json => harmless_json(&serde_json::to_string_pretty(&self.0)?) + "\n",
            // Through JSON, so that both say the same.
            Format::Yaml => {
                harmless(&escape_lines(&serde_yaml::to_string(&serde_json::to_value(&self.0)?)?)).into_owned()
            }
            Format::Markdown => match &self.0.error {
                Some(refusal) => format!("Nothing moves: {}\n", crate::escape::markdown_code(&refusal.message)),
                None => {
                    let mut page = Page::default();
                    markdown(&self.0.agents, &mut page);
                    page.finish()
                }
            },
        })
    }
}
