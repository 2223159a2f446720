use super::{
    Outcome,
    author::{PlaceArgs, PublishArgs, fail, finish, say},
    create::read,
    terminal::escape,
};
use crate::{
    author::{
        AuthorError, Draft, Input, Place, SecretFiles, Wish, create,
        import::{Existing, Format, Import, Options, import, report, secrets_of},
    },
    manifest::FileState,
    resource::{Resource, check_label_key},
};
use clap::ValueHint;
use std::path::PathBuf;

/// Create apps from what other programs have: files of MCP clients, a registry's server.json, Teleport's apps.
///
/// Every server becomes an app in a file of its own, `apps/NAME.yaml`, which is checked, committed and pushed as by `mcpfleet
/// create`. If one of them cannot be imported, none is. What has no counterpart is told of.
///
/// What looks like a secret is never printed, and never becomes part of a resource: the variable or header refers to a file of
/// the agent's `secrets_dir`, and a list says what to put where, with the grants for the agent's configuration. All that is
/// printed to stderr.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet import ~/.config/Claude/claude_desktop_config.json --label team=platform
  mcpfleet import .vscode/mcp.json --var workspaceFolder=/srv/project --dry-run
  mcpfleet import server.json --var log_level=debug --stdout
  tctl get apps | mcpfleet import - --format tctl

Exit codes: 0 done, 1 not valid or refused, 2 wrong usage, 3 something went wrong")]
pub struct Args {
    /// The file; `-` is stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Its format [default: told from the file]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The folder for new files, from the repository's root [default: apps]
    #[arg(long, value_name = "DIR", conflicts_with = "path")]
    dir: Option<PathBuf>,
    /// One file for all new apps, from the repository's root
    #[arg(long, value_name = "PATH")]
    path: Option<PathBuf>,
    /// A label for every app; can be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// The user of the host that stdio servers run as, unless they name one
    #[arg(long, value_name = "USER")]
    run_as_host_user: Option<String>,
    /// Import only the server of this name; can be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Leave the server of this name out; can be given several times
    #[arg(long, value_name = "NAME")]
    except: Vec<String>,
    /// What a reference or an input stands for, as in `--var workspaceFolder=/srv/a`; can be given several times
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = pair)]
    vars: Vec<(String, String)>,
    /// A value that is no secret although it looks like one, as in `github.env.MODE`; can be given several times
    #[arg(long, value_name = "APP.FIELD")]
    not_secret: Vec<String>,
    /// Which of a registry's packages and remotes is taken, as in `remotes.0` [default: the first that can be run]
    #[arg(long, value_name = "WAY")]
    way: Option<String>,
    /// Write the values of secrets that were found to files in this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    secrets_dir: Option<PathBuf>,
    /// Replace the apps that are there already, each where it is
    #[arg(short, long)]
    force: bool,
    /// Print the resources instead of writing files; needs no repository
    #[arg(long, conflicts_with_all = ["dry_run", "dir", "path", "force", "secrets_dir"])]
    stdout: bool,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    publish: PublishArgs,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    attempt(&args).or_else(fail)
}

fn attempt(args: &Args) -> Result<Outcome, AuthorError> {
    let input = read(&args.file)?;
    let imported = import(&input.shown, &input.bytes, &options(args))?;
    if imported.apps.is_empty() {
        anstream::eprint!("{}", report(&imported, &input.shown, &Existing::new(), None));
        return Err(AuthorError::Refused(format!("there is no server to import in {}", input.shown)));
    }
    if args.stdout {
        let documents: Vec<&str> = imported.apps.iter().map(|app| app.text.as_str()).collect();
        say(&documents.join("---\n"))?;
        anstream::eprint!("{}", report(&imported, &input.shown, &Existing::new(), None));
        return Ok(Outcome::Fine);
    }
    let place = args.place.open()?;
    write(args, &place, &imported, &input.shown)
}

/// Writes the files, and says what is left to do.
fn write(args: &Args, place: &Place, imported: &Import, shown: &str) -> Result<Outcome, AuthorError> {
    let existing = existing(place, imported)?;
    let inputs: Vec<Input> = imported
        .apps
        .iter()
        .map(|app| Input {
            shown: format!("app {} of {shown}", app.name()),
            file: None,
            bytes: app.text.clone().into_bytes(),
        })
        .collect();
    let wish = Wish { replace: args.force, path: args.path.clone(), folder: args.dir.clone() };
    let draft: Draft = create(place, &inputs, &wish)?;
    draft.validate()?;
    let folder = args.secrets_dir.as_deref().filter(|_| !args.publish.is_dry_run());
    let files = folder.map(|folder| SecretFiles::write(folder, Some(place), &imported.secrets)).transpose()?;
    let outcome = finish(place, &draft, &args.publish)?;
    if let Some(files) = files {
        files.keep();
    }
    let folder = folder.map(|folder| escape(&folder.to_string_lossy()).into_owned());
    anstream::eprint!("{}", report(imported, shown, &existing, folder.as_deref()));
    Ok(outcome)
}

/// The secrets that other apps of the repository refer to.
fn existing(place: &Place, imported: &Import) -> Result<Existing, AuthorError> {
    let mut existing = Existing::new();
    for state in place.tree()?.values() {
        let FileState::Parsed(file) = state else { continue };
        for located in &file.resources {
            if let Resource::App(app) = &located.resource
                && !imported.apps.iter().any(|new| new.name() == app.metadata.name)
            {
                existing.extend(secrets_of(app).into_iter().map(|name| (name.to_owned(), app.metadata.name.clone())));
            }
        }
    }
    Ok(existing)
}

fn options(args: &Args) -> Options {
    Options {
        format: args.format,
        labels: args.labels.iter().cloned().collect(),
        run_as_host_user: args.run_as_host_user.clone(),
        only: args.only.iter().cloned().collect(),
        except: args.except.iter().cloned().collect(),
        vars: args.vars.iter().cloned().collect(),
        not_secret: args.not_secret.iter().cloned().collect(),
        way: args.way.clone(),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = pair(text).map_err(|_| "it must be KEY=VALUE")?;
    if check_label_key(&key) { Ok((key, value)) } else { Err("a key has letters, digits and `/._:*-`".to_owned()) }
}
