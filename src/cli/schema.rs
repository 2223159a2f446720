//! `mcpfleet schema`: what editors and other checkers know of the files.

use super::{Outcome, UsageError, terminal::print};
use crate::{
    schema::{Draft, Subject, schema},
    status::api::openapi_json,
};
use anyhow::Context as _;
use clap::{ValueEnum, ValueHint};
use std::{fs, path::PathBuf};

/// Print the JSON Schema of resources or of the agent's configuration, or what describes the agent's API.
///
/// Editors check and complete files with it: `init` puts it into the repository, and it and `create` begin files with a line
/// that leads there. It knows the shape of a file, and `mcpfleet validate` knows the rest.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet schema --draft 7 > .mcpfleet/schema/resource.json
  mcpfleet schema config --draft 7
  mcpfleet schema openapi
  mcpfleet schema --dir schemas

Exit codes: 0 it is printed, 2 wrong usage, 3 a file cannot be written")]
pub struct Args {
    /// What the schema is about; `resource` is any of `app`, `role` and `user`. `openapi` is no schema: it describes the agent's API in
    /// the words of OpenAPI 3.1
    #[arg(value_enum, default_value_t = About::Resource, conflicts_with = "dir")]
    about: About,
    /// The draft of JSON Schema; most editors understand 7 [default: 2020-12]
    #[arg(long, value_enum)]
    draft: Option<Words>,
    /// Write the schemas of everything in both drafts to this folder, as `NAME.schema.json` and `NAME.draft-07.schema.json`
    #[arg(long, value_name = "DIR", conflicts_with = "draft", value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum About {
    Resource,
    App,
    Role,
    User,
    Config,
    Openapi,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Words {
    #[value(name = "2020-12")]
    Draft2020,
    #[value(name = "7")]
    Draft7,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let Some(dir) = &args.dir else {
        let subject = match args.about {
            About::Resource => Subject::Resource,
            About::App => Subject::App,
            About::Role => Subject::Role,
            About::User => Subject::User,
            About::Config => Subject::Config,
            About::Openapi if args.draft.is_some() => {
                return Err(
                    UsageError::new("--draft is for schemas: the words of OpenAPI 3.1 are of draft 2020-12").into()
                );
            }
            About::Openapi => {
                print(openapi_json())?;
                return Ok(Outcome::Fine);
            }
        };
        let draft = match args.draft {
            None | Some(Words::Draft2020) => Draft::Draft2020,
            Some(Words::Draft7) => Draft::Draft7,
        };
        print(&written(subject, draft)?)?;
        return Ok(Outcome::Fine);
    };
    fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    for subject in Subject::ALL {
        for (draft, suffix) in [(Draft::Draft2020, ""), (Draft::Draft7, ".draft-07")] {
            let path = dir.join(format!("{}{suffix}.schema.json", subject.name()));
            fs::write(&path, written(subject, draft)?).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(Outcome::Fine)
}

fn written(subject: Subject, draft: Draft) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&schema(subject, draft))? + "\n")
}
