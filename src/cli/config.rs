//! `mcpfleet config`: what an agent with this configuration would be.

use super::{
    Outcome,
    configuration::{Loaded, describe, load},
    run::tls_files,
    terminal::{escape, escape_json, escape_lines, print},
};
use crate::{config::Config, gateway::tls::Tls, manifest::yaml};
use clap::{ValueEnum, ValueHint};
use std::path::PathBuf;

/// Look at the agent's configuration.
#[derive(clap::Subcommand)]
pub enum Command {
    Show(Show),
    Check(File),
}

/// Print the whole configuration, defaults included.
///
/// What is printed is a configuration file itself: it means the same, and says all that is left to defaults.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet config show -c agent.yaml --set gateway.listen=127.0.0.1:7421

Exit codes: 0 all is well, 2 the configuration is wrong, 3 it could not be read")]
pub struct Show {
    #[command(flatten)]
    file: File,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Check the configuration and print every mistake in it.
///
/// The certificate of the gateway and its key are looked at, too: they must be there and belong together.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet config check -c agent.yaml

Exit codes: 0 all is well, 2 the configuration is wrong, 3 it could not be read")]
pub struct File {
    /// The agent's configuration file
    #[arg(short, long = "config", value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: PathBuf,
    /// Set a single value, whatever the file says: `gateway.listen=127.0.0.1:7421`. May be repeated
    #[arg(long = "set", value_name = "SETTING=VALUE")]
    set: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Yaml,
    Json,
}

pub fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Show(show) => {
            let config = match load(&show.file.config, &show.file.set)? {
                Loaded::Good(config, warnings) => {
                    anstream::eprint!("{}", describe(&warnings));
                    config
                }
                Loaded::Bad(diagnostics) => return Ok(refuse(&describe(&diagnostics))),
                Loaded::Missing(message) => return Ok(refuse(&format!("error: {message}\n"))),
            };
            print(&show.output.write(&config)?)?;
            Ok(Outcome::Fine)
        }
        Command::Check(file) => match load(&file.config, &file.set)? {
            Loaded::Good(config, warnings) => {
                let name = file.config.display().to_string();
                if let Some(tls) = &config.gateway.tls
                    && let Err(error) = Tls::check(&tls_files(tls))
                {
                    let error = escape_lines(&error.to_string()).into_owned();
                    print(&format!("{}error: {error}\n1 error in the configuration\n", describe(&warnings)))?;
                    return Ok(Outcome::Usage);
                }
                print(&format!("{}{}: no errors\n", describe(&warnings), escape(&name)))?;
                Ok(Outcome::Fine)
            }
            Loaded::Bad(diagnostics) => {
                print(&describe(&diagnostics))?;
                Ok(Outcome::Usage)
            }
            Loaded::Missing(message) => Ok(refuse(&format!("error: {message}\n"))),
        },
    }
}

fn refuse(text: &str) -> Outcome {
    anstream::eprint!("{text}");
    Outcome::Usage
}

impl Format {
    fn write(self, config: &Config) -> anyhow::Result<String> {
        Ok(match self {
            Format::Yaml => escape_lines(&yaml::to_string(config)?).into_owned(),
            Format::Json => escape_json(&(serde_json::to_string_pretty(config)? + "\n")).into_owned(),
        })
    }
}
