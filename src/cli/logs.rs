use super::{
    Outcome, Output,
    agent_args::{AgentArgs, block_on},
    terminal::{escape, escape_json, escape_lines},
};
use crate::status::model::LogLine;
use std::io::Write;

/// Show what a server wrote to its standard error.
#[derive(clap::Args)]
#[command(after_help = "Example:
  mcpfleet logs demo -f")]
pub struct Args {
    /// The app.
    name: String,
    /// Go on with what the server writes from now on.
    #[arg(short, long)]
    follow: bool,
    /// How many of the last lines to show.
    #[arg(short = 'n', long = "tail", value_name = "N", default_value_t = 200)]
    tail: usize,
    /// How to print the lines: as text, or with time and instance as JSON or YAML documents.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    agent: AgentArgs,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    block_on(async {
        let mut log = agent.logs(&args.name, args.tail, args.follow).await?;
        let mut stdout = std::io::stdout();
        while let Some(line) = log.next().await? {
            match stdout.write_all(written(&line, args.output)?.as_bytes()).and_then(|()| stdout.flush()) {
                // Whoever reads has seen enough: nobody is left to follow the log for.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
                result => result?,
            }
        }
        Ok(())
    })?;
    Ok(Outcome::Fine)
}

fn written(line: &LogLine, output: Output) -> anyhow::Result<String> {
    Ok(match output {
        Output::Text => format!("{:.0} {} {}\n", line.time, escape(&line.instance), escape(&line.text)),
        Output::Json => escape_json(&serde_json::to_string(line)?).into_owned() + "\n",
        Output::Yaml => format!("---\n{}", escape_lines(&serde_yaml::to_string(line)?)),
    })
}
