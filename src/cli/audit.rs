use super::{
    Outcome, Output,
    agent_args::{AgentArgs, block_on},
    terminal::{document, escape, print_on},
};
use crate::{
    resource::quantity::parse_duration,
    status::model::audit::{self, Filter, Kind, Record},
};
use anstyle::{AnsiColor, Style};
use clap::builder::PossibleValuesParser;
use jiff::Timestamp;
use std::{fmt::Write, time::Duration};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// Show who did what: sessions, calls and other requests, what was denied, operations, changes of resources.
///
/// The records of the file that `audit.file` names, and of those before it, are shown; without such a file the last
/// ones, which the agent has in memory. Only operators may see them: root and the agent's own user, on the control
/// socket.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet audit -f
  mcpfleet audit --outcome denied --since 24h
  mcpfleet audit --app github --principal alice -n 1000 -o json

Exit codes: 0 all is well, 1 the agent refuses it, 2 wrong usage, or no agent is found, 3 something went wrong")]
pub struct Args {
    /// Go on with what happens from now on.
    #[arg(short, long)]
    follow: bool,
    /// Only what is about this app.
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Only what this user did, or `operator`, or `anonymous`.
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    /// Only calls of this tool.
    #[arg(long, value_name = "TOOL")]
    tool: Option<String>,
    /// Only what came to this.
    #[arg(long, value_name = "OUTCOME", value_parser = outcomes())]
    outcome: Option<String>,
    /// Only records of this kind.
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    kind: Option<String>,
    /// Only what is no older than this (`30m`, `24h`), or not before this time (`2026-11-28T08:00:00Z`).
    #[arg(long, value_name = "AGE|TIME", value_parser = since)]
    since: Option<Since>,
    /// How many of the last records to show, up to 10000.
    #[arg(short = 'n', long = "tail", value_name = "N", default_value_t = 100)]
    tail: usize,
    /// How to print the records: as text, or with all details as JSON or YAML documents.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    agent: AgentArgs,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Since {
    Age(Duration),
    Time(Timestamp),
}

fn outcomes() -> PossibleValuesParser {
    PossibleValuesParser::new(audit::Outcome::ALL.iter().map(|outcome| outcome.word()))
}

fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(Kind::ALL.iter().filter(|kind| **kind != Kind::Missed).map(|kind| kind.word()))
}

fn since(text: &str) -> Result<Since, String> {
    match (parse_duration(text), text.parse()) {
        (Ok(age), _) => Ok(Since::Age(age)),
        (_, Ok(time)) => Ok(Since::Time(time)),
        (Err(error), Err(_)) => Err(format!("{error}; a time like `2026-11-28T08:00:00Z`")),
    }
}

impl Since {
    fn time(self, now: Timestamp) -> Timestamp {
        match self {
            Since::Age(age) => now.checked_sub(age).unwrap_or(Timestamp::MIN),
            Since::Time(time) => time,
        }
    }
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    let filter = Filter {
        app: args.app,
        principal: args.principal,
        tool: args.tool,
        outcome: args.outcome,
        kind: args.kind,
        since: args.since.map(|since| since.time(Timestamp::now())),
    };
    block_on(async {
        let mut records = agent.audit(&filter, args.tail, args.follow).await?;
        while let Some(record) = records.next().await? {
            if !print_on(&written(&record, args.output)?)? {
                break;
            }
        }
        Ok(())
    })?;
    Ok(Outcome::Fine)
}

fn written(record: &Record, output: Output) -> anyhow::Result<String> {
    Ok(document(output, record)?.unwrap_or_else(|| text(record)))
}

/// When, who, what of which app, what came of it and how long it took.
fn text(record: &Record) -> String {
    let style = match &*record.outcome {
        "ok" => GOOD,
        "cancelled" | "gone" => QUIET,
        _ => BAD,
    };
    let mut line = format!("{:.0}", record.time);
    let kind = match &*record.kind {
        // The method says more.
        "request" | "notification" | "operation" => None,
        _ => Some(&*record.kind),
    };
    let who = record.principal.as_deref().or(record.author.as_deref()).or(record.peer.as_deref()).unwrap_or("-");
    let about = record.app.as_deref().or(record.resource.as_deref()).or(record.source.as_deref());
    let words = [Some(who), kind, record.method.as_deref(), about, record.name.as_deref()];
    for word in words.into_iter().flatten() {
        // Writing to a string cannot fail.
        let _ = write!(line, " {}", escape(word));
    }
    let _ = write!(line, " {style}{}{style:#}", escape(&record.outcome));
    if let Some(code) = record.code {
        let _ = write!(line, " {code}");
    }
    if let Some(duration) = record.duration_ms {
        let _ = write!(line, " {duration:.1}ms");
    }
    if let Some(reason) = &record.reason {
        let _ = write!(line, ": {}", escape(reason));
    }
    if let Some(arguments) = &record.arguments {
        let _ = write!(line, " {QUIET}{}{QUIET:#}", escape(arguments));
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_text_and_for_machines() {
        let record: Record = serde_json::from_value(serde_json::json!({
            "sequence": 3, "time": "2026-11-23T12:00:00.123Z", "kind": "request", "outcome": "denied",
            "principal": "user/alice", "app": "demo", "method": "tools/call", "name": "e\u{1b}[31mcho\nx",
            "code": -32602, "duration_ms": 1.26, "reason": "no\u{202e}", "arguments": "{\"a\":\"\u{7}\"}",
        }))
        .unwrap();
        let plain = |output| anstream::adapter::strip_str(&written(&record, output).unwrap()).to_string();
        let expected = "2026-11-23T12:00:00Z user/alice tools/call demo e\\u{1b}[31mcho\\nx denied -32602 1.3ms: no\\u{202e} \
                        {\"a\":\"\\u{7}\"}\n";
        assert_eq!(plain(Output::Text), expected);
        let json = plain(Output::Json);
        assert_eq!((json.lines().count(), serde_json::from_str::<Record>(&json).unwrap()), (1, record.clone()));
        let change: Record = serde_json::from_value(serde_json::json!({
            "kind": "change", "outcome": "refused", "method": "update", "resource": "app/demo", "author": "Eve <e@x>",
        }))
        .unwrap();
        let shown = text(&change);
        assert_eq!(
            anstream::adapter::strip_str(&shown).to_string(),
            "1970-01-01T00:00:00Z Eve <e@x> change update app/demo refused\n"
        );
    }

    #[test]
    fn ages_and_times() {
        let now: Timestamp = "2026-11-28T08:00:00Z".parse().unwrap();
        let at = |text: &str| since(text).map(|since| since.time(now).to_string());
        assert_eq!(at("1h30m").as_deref(), Ok("2026-11-28T06:30:00Z"));
        assert_eq!(at("2026-01-01T00:00:00+01:00").as_deref(), Ok("2025-12-31T23:00:00Z"));
        assert!(at("yesterday").is_err() && at("5").is_err());
        assert!(at("9999999999h").is_ok());
    }
}
