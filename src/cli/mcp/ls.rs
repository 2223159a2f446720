use crate::{
    cli::{
        Outcome, Output,
        agent_args::{AgentArgs, block_on},
        status::state_style,
        terminal::{Cell, Table, print, print_structured, shell_words},
    },
    status::model::{AppState, AppStatus, Status},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// List the MCP servers that the agent runs.
#[derive(clap::Args)]
#[command(after_help = "Example:
  mcpfleet mcp ls -v")]
pub struct Args {
    /// Also show the command that runs each server.
    #[arg(short, long)]
    verbose: bool,
    /// How to print the list.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    agent: AgentArgs,
}

/// An app as it is listed.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    description: Option<&'a str>,
    #[serde(rename = "type")]
    transport: &'a str,
    state: AppState,
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dynamic_labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dynamic_label_problems: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a [String]>,
    url: &'a str,
}

impl<'a> Listed<'a> {
    /// `None` for an app that this agent does not run: nobody can use it here.
    fn of(app: &'a AppStatus, verbose: bool) -> Option<Listed<'a>> {
        Some(Listed {
            name: &app.name,
            description: app.description.as_deref(),
            transport: &app.transport,
            state: app.state?,
            labels: &app.labels,
            dynamic_labels: &app.dynamic_labels,
            dynamic_label_problems: &app.dynamic_label_problems,
            command: verbose.then_some(&app.command),
            url: &app.url,
        })
    }
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    let status = block_on(async { Ok(agent.status().await?) })?;
    let apps = listed(&status, args.verbose);
    if print_structured(args.output, &apps)?.is_none() {
        print(&table(&apps, args.verbose))?;
    }
    Ok(Outcome::Fine)
}

fn listed(status: &Status, verbose: bool) -> Vec<Listed<'_>> {
    status.apps.iter().filter_map(|app| Listed::of(app, verbose)).collect()
}

fn table(apps: &[Listed<'_>], verbose: bool) -> String {
    if apps.is_empty() {
        return "The agent runs no MCP servers. `mcpfleet status` says what it sees.\n".into();
    }
    let mut heading = vec!["NAME", "DESCRIPTION", "TYPE", "STATE", "LABELS"];
    heading.extend(verbose.then_some("COMMAND"));
    let mut table = Table::new(&heading);
    for app in apps {
        let labels = app.labels.iter().chain(app.dynamic_labels);
        let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
        let mut row = vec![
            Cell::new(app.name),
            Cell::new(app.description.unwrap_or_default()),
            Cell::new(app.transport),
            Cell::styled(&app.state.to_string(), state_style(app.state)),
            Cell::new(&labels.join(",")),
        ];
        row.extend(app.command.map(|command| Cell::new(&shell_words(command))));
        table.row(row);
    }
    table.render()
}
