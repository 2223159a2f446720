use super::{
    Outcome,
    author::{PlaceArgs, PublishArgs, fail, finish},
};
use crate::{
    author::{AuthorError, Input, Wish, create},
    manifest::text::MAX_FILE_SIZE,
};
use clap::ValueHint;
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Create resources: write, check, commit and push their files.
///
/// In a git repository the files are committed with your identity and signed as your git is set up to, and pushed if the
/// branch has an upstream; before that, the new commit is judged as the agent will. In a plain folder they are only
/// written. What is not valid, or would be refused, changes nothing.
///
/// A new resource gets a file of its own, `apps/NAME.yaml`, `roles/NAME.yaml` or `users/NAME.yaml`. A FILE that is already in
/// the repository stays where it is.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mcpfleet create server.yaml
  mcpfleet create -f server.yaml --dry-run
  sed 's/name: demo/name: second/' apps/demo.yaml | mcpfleet create -

Exit codes: 0 done, 1 not valid or refused, 2 wrong usage, 3 something went wrong")]
pub struct Args {
    /// Files of resources; `-` is stdin
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Replace the resources that are there already, each where it is
    #[arg(short, long)]
    force: bool,
    /// The file for new resources, from the repository's root. If it is there, they are added at its end
    #[arg(long, value_name = "PATH")]
    path: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    publish: PublishArgs,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    attempt(&args).or_else(fail)
}

fn attempt(args: &Args) -> Result<Outcome, AuthorError> {
    let place = args.place.open()?;
    let inputs = args.files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
    let wish = Wish { replace: args.force, path: args.path.clone(), folder: None };
    let draft = create(&place, &inputs, &wish)?;
    finish(&place, &draft, &args.publish)
}

/// Reads a file, and at most one byte more than a resource file may have, which is then found to be too large.
pub(super) fn read(file: &Path) -> Result<Input, AuthorError> {
    let mut bytes = Vec::new();
    let limit = MAX_FILE_SIZE as u64 + 1;
    let stdin = file == Path::new("-");
    let read = match stdin {
        true => io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    match read {
        Ok(_) => {
            let shown = if stdin { "stdin".to_owned() } else { file.to_string_lossy().into_owned() };
            Ok(Input { shown, file: (!stdin).then(|| file.to_owned()), bytes })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(AuthorError::Usage(format!("there is no file {}", file.display())))
        }
        Err(source) => Err(AuthorError::Io { action: "read", path: file.to_owned(), source }),
    }
}
