use crate::{
    cli::{
        Outcome, Output,
        agent_args::{AgentArgs, block_on},
        status::state_style,
        terminal::{Cell, Table, escape, print, print_structured, shell_words},
    },
    status::model::{AllowedTools, AppState, AppStatus, Status},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// List the MCP servers that you may use, and which of their tools.
///
/// On the control socket root and the agent's own user may use everything. Others see what the roles of their user allow.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet mcp ls -v

Exit codes: 0 all is well, 1 the agent refuses it, 2 wrong usage, or no agent is found, 3 something went wrong")]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_tools: Option<&'a AllowedTools>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dynamic_labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dynamic_label_problems: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a [String]>,
    url: &'a str,
}

impl<'a> Listed<'a> {
    /// `None` for an app that this agent does not run, or that whoever asks (`limited`) may only watch.
    fn of(app: &'a AppStatus, limited: bool, verbose: bool) -> Option<Listed<'a>> {
        if limited && app.allowed_tools.is_none() {
            return None;
        }
        Some(Listed {
            name: &app.name,
            description: app.description.as_deref(),
            transport: &app.transport,
            state: app.state?,
            labels: &app.labels,
            allowed_tools: app.allowed_tools.as_ref(),
            dynamic_labels: &app.dynamic_labels,
            dynamic_label_problems: &app.dynamic_label_problems,
            command: verbose.then_some(&*app.command).filter(|command| !command.is_empty()),
            url: &app.url,
        })
    }
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    let status = block_on(async { Ok(agent.status().await?) })?;
    let apps = listed(&status, args.verbose);
    if print_structured(args.output, &apps)?.is_none() {
        print(&table(&apps, status.agent.principal.as_deref(), args.verbose))?;
    }
    Ok(Outcome::Fine)
}

fn listed(status: &Status, verbose: bool) -> Vec<Listed<'_>> {
    let limited = status.agent.principal.is_some();
    status.apps.iter().filter_map(|app| Listed::of(app, limited, verbose)).collect()
}

fn table(apps: &[Listed<'_>], user: Option<&str>, verbose: bool) -> String {
    if apps.is_empty() {
        return match user {
            None => "The agent runs no MCP servers. `mcpfleet status` says what it sees.\n".into(),
            Some(user) => format!(
                "There are no MCP servers that user {} may use. A role with `allow.app_labels` gives access to those that \
                 have such labels.\n",
                escape(user)
            ),
        };
    }
    let mut heading = vec!["NAME", "DESCRIPTION", "TYPE", "STATE", "LABELS", "ALLOWED TOOLS"];
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
            Cell::new(&app.allowed_tools.map_or("*".into(), |tools| summary(tools, verbose))),
        ];
        row.extend(verbose.then(|| Cell::new(&app.command.map(shell_words).unwrap_or_default())));
        table.row(row);
    }
    table.render()
}

/// So many patterns are shown of each kind, unless all are asked for.
const SHOWN: usize = 3;

/// `read_*, list_* but not *_all`, in short.
fn summary(tools: &AllowedTools, verbose: bool) -> String {
    let written = |patterns: &[String]| {
        let shown = if verbose { patterns.len() } else { SHOWN };
        let mut text = patterns.iter().take(shown).map(String::as_str).collect::<Vec<_>>().join(", ");
        if let Some(more @ 1..) = patterns.len().checked_sub(shown) {
            text.push_str(&format!(", {more} more"));
        }
        text
    };
    match (tools.allow.is_empty(), tools.deny.is_empty()) {
        (true, _) => "(none)".into(),
        (false, true) => written(&tools.allow),
        (false, false) => format!("{} but not {}", written(&tools.allow), written(&tools.deny)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries() {
        let tools = |allow: &[&str], deny: &[&str]| {
            let owned = |patterns: &[&str]| patterns.iter().map(ToString::to_string).collect();
            AllowedTools { allow: owned(allow), deny: owned(deny) }
        };
        for (allow, deny, short, long) in [
            (&["*"][..], &[][..], "*", "*"),
            (&[], &["x"], "(none)", "(none)"),
            (&["a", "b*"], &["*_all"], "a, b* but not *_all", "a, b* but not *_all"),
            (&["a", "b", "c", "d", "e"], &[], "a, b, c, 2 more", "a, b, c, d, e"),
        ] {
            assert_eq!(summary(&tools(allow, deny), false), short);
            assert_eq!(summary(&tools(allow, deny), true), long);
        }
    }
}
