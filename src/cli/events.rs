use super::{
    Outcome, Output,
    agent_args::{AgentArgs, block_on},
    terminal::{document, escape, print_on},
};
use crate::status::model::event::{Event, EventLevel};
use anstyle::{AnsiColor, Style};

const WARNING: Style = AnsiColor::Yellow.on_default();

/// Show what has happened: starts, ends, updates, what was applied and what was refused.
///
/// Events are kept in memory, and begin anew with the agent.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet events
  mcpfleet events demo -f

Exit codes: 0 all is well, 1 the agent refuses it, 2 wrong usage, or no agent is found, 3 something went wrong")]
pub struct Args {
    /// Only those of this app.
    name: Option<String>,
    /// Go on with what happens from now on.
    #[arg(short, long)]
    follow: bool,
    /// How many of the last events to show.
    #[arg(short = 'n', long = "tail", value_name = "N", default_value_t = 100)]
    tail: usize,
    /// How to print the events: as text, or with all details as JSON or YAML documents.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    agent: AgentArgs,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    block_on(async {
        let mut events = agent.events(args.name.as_deref(), args.tail, args.follow).await?;
        while let Some(event) = events.next().await? {
            if !print_on(&written(&event, args.output)?)? {
                break;
            }
        }
        Ok(())
    })?;
    Ok(Outcome::Fine)
}

fn written(event: &Event, output: Output) -> anyhow::Result<String> {
    Ok(document(output, event)?.unwrap_or_else(|| text(event)))
}

/// When, what, of which process, app or source, and how.
fn text(event: &Event) -> String {
    let style = if event.level == EventLevel::Warning { WARNING } else { Style::new() };
    let subject = [&event.instance, &event.app, &event.details.source].into_iter().flatten().next();
    let subject = subject.map_or("-", String::as_str);
    let (kind, subject, message) = (escape(&event.kind), escape(subject), escape(&event.message));
    format!("{:.0} {style}{kind}{style:#} {subject}: {message}\n", event.time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_text_and_for_machines() {
        let event: Event = serde_json::from_value(serde_json::json!({
            "sequence": 3, "time": "2026-11-23T12:00:00.123Z", "level": "warning", "kind": "ended", "app": "demo",
            "instance": "demo-1", "message": "exit \u{1b}[31m 1\nx", "exit": 1,
        }))
        .unwrap();
        let plain = |output| anstream::adapter::strip_str(&written(&event, output).unwrap()).to_string();
        assert_eq!(plain(Output::Text), "2026-11-23T12:00:00Z ended demo-1: exit \\u{1b}[31m 1\\nx\n");
        let json = plain(Output::Json);
        assert_eq!((json.lines().count(), serde_json::from_str::<Event>(&json).unwrap()), (1, event.clone()));
        let yaml = plain(Output::Yaml);
        let read: serde_json::Value = serde_yaml::from_str(&yaml).unwrap();
        assert_eq!((read["exit"].as_i64(), read["kind"].as_str()), (Some(1), Some("ended")), "{yaml}");
    }
}
