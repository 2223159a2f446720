use super::complain;
use crate::{
    cli::{
        Outcome,
        agent_args::{AgentArgs, block_on},
        terminal::{escape_lines, print},
    },
    client::{
        endpoint::Endpoint,
        settings::{self, Change, Client, Way},
    },
    status::model::AppStatus,
};
use anyhow::Context;
use serde_json::{Map, Value};
use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

/// Configure an MCP client for the servers that the agent runs.
///
/// Prints what belongs into the client's configuration file or, with --write, puts it there: other entries and
/// settings stay as they are, and the file as it was before is kept beside it with the ending .bak.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet mcp config --client claude-code demo --write
  mcpfleet mcp config --client vscode --file .vscode/mcp.json --write

Exit codes: 0 all is well, 1 the agent refuses it, 2 wrong usage, or no agent is found, 3 something went wrong")]
pub struct Args {
    /// The client to configure.
    #[arg(long, value_enum)]
    client: Client,
    /// The apps. Without names all that the agent runs are meant.
    names: Vec<String>,
    /// Change the client's configuration file.
    #[arg(long)]
    write: bool,
    /// The file to change, if not the one in which the client keeps the user's own settings.
    #[arg(long, value_name = "PATH", requires = "write")]
    file: Option<PathBuf>,
    /// Replace entries of the same names that mcpfleet did not write.
    #[arg(long, requires = "write")]
    force: bool,
    /// Let the client start `mcpfleet mcp connect`. The default where the client needs it.
    #[arg(long, conflicts_with = "http")]
    stdio: bool,
    /// Let the client connect to the agent's gateway by itself. The default where the client can.
    #[arg(long)]
    http: bool,
    #[command(flatten)]
    agent: AgentArgs,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    if args.http && !args.client.knows_http() {
        complain(format_args!("this client's file knows commands only: leave --http out"));
        return Ok(Outcome::Usage);
    }
    if args.http && args.agent.token_file.is_some() {
        complain(format_args!("the client cannot read the token file by itself: leave --http out"));
        return Ok(Outcome::Usage);
    }
    let agent = args.agent.client()?;
    let status = block_on(async { Ok(agent.status().await?) })?;
    let runs = |app: &&AppStatus| app.state.is_some();
    let unknown: Vec<&str> = args
        .names
        .iter()
        .map(String::as_str)
        .filter(|name| !status.apps.iter().filter(runs).any(|app| app.name == **name))
        .collect();
    if !unknown.is_empty() {
        complain(format_args!("the agent runs no app {}", unknown.join(", ")));
        return Ok(Outcome::Findings);
    }
    let wanted = |app: &&AppStatus| args.names.is_empty() || args.names.contains(&app.name);
    let mut entries = Vec::new();
    for app in status.apps.iter().filter(runs).filter(wanted) {
        entries.push((app.name.clone(), args.client.entry(&way(&args, app)?)));
    }
    if args.write { write(&args, &entries) } else { show(args.client, entries) }
}

fn way(args: &Args, app: &AppStatus) -> anyhow::Result<Way> {
    let http = args.http || (args.client.knows_http() && !args.stdio && args.agent.token_file.is_none());
    if http {
        return Ok(Way::Http { url: app.url.clone() });
    }
    let text = |path: PathBuf| path.into_os_string().into_string().ok().context("a path is not valid UTF-8");
    let command = text(std::env::current_exe().context("this program does not know where it is")?)?;
    let mut words = vec!["mcp".to_owned(), "connect".to_owned(), app.name.clone()];
    // The client starts the bridge in a folder and with an environment of its own.
    if let Some(endpoint) = &args.agent.agent {
        let endpoint = match endpoint {
            Endpoint::Unix(path) => text(absolute(path)?)?,
            Endpoint::Tcp { .. } | Endpoint::Https { .. } => endpoint.to_string(),
        };
        words.extend(["--agent".to_owned(), endpoint]);
    }
    if let Some(path) = &args.agent.token_file {
        words.extend(["--token-file".to_owned(), text(absolute(path)?)?]);
    }
    if let Some(path) = &args.agent.ca_file {
        words.extend(["--ca-file".to_owned(), text(absolute(path)?)?]);
    }
    Ok(Way::Stdio { command, args: words })
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{} has no absolute form", path.display()))
}

fn show(client: Client, entries: Vec<(String, Map<String, Value>)>) -> anyhow::Result<Outcome> {
    print(&client.text(entries))?;
    Ok(Outcome::Fine)
}

fn write(args: &Args, entries: &[(String, Map<String, Value>)]) -> anyhow::Result<Outcome> {
    let path = match &args.file {
        Some(path) => path.clone(),
        None => {
            let home = std::env::home_dir().context("there is no home folder: say --file")?;
            let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
            args.client.file(&home, config.as_deref())
        }
    };
    let written = match settings::write(&path, args.client.key(), entries, args.force) {
        Ok(written) => written,
        Err(error @ settings::FileError::Merge { .. }) => {
            let force = matches!(&error, settings::FileError::Merge { error: settings::MergeError::Foreign(_), .. });
            complain(format_args!("{error}{}", if force { "; --force replaces it" } else { "" }));
            return Ok(Outcome::Findings);
        }
        Err(error) => return Err(error.into()),
    };
    let mut text = String::new();
    for (word, change) in [("added", Change::Added), ("updated", Change::Updated), ("unchanged", Change::Unchanged)] {
        let names: Vec<&str> =
            written.changes.iter().filter(|(_, made)| *made == change).map(|(name, _)| name.as_str()).collect();
        if !names.is_empty() {
            writeln!(text, "{word}: {}", names.join(", "))?;
        }
    }
    match &written.backup {
        Some(backup) => {
            writeln!(text, "in {}; as it was before: {}", written.path.display(), backup.display())?;
        }
        None => writeln!(text, "in {}", written.path.display())?,
    }
    print(&escape_lines(&text))?;
    Ok(Outcome::Fine)
}
