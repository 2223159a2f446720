use super::{
    Outcome,
    author::{PlaceArgs, PublishArgs, fail, finish, kept, resource_id, say},
};
use crate::{
    author::{AuthorError, Edited, edit},
    resource::ResourceId,
};

/// Edit a resource in your editor: check, commit and push the result.
///
/// The editor is $VISUAL, $EDITOR, or what git uses. It gets the resource's own document. If the result is not valid the
/// editor opens again and the text begins with what is wrong; to save it once more as it is, or empty, is to give up. A
/// text that is not used for any other reason, as with --dry-run, is kept in a file, which is named. The rest is as with `mcpfleet create`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet edit app/demo
  EDITOR='code --wait' mcpfleet edit role/developers --no-push

Exit codes: 0 done, 1 not valid or refused, 2 wrong usage, 3 something went wrong")]
pub struct Args {
    /// The resource
    #[arg(value_name = "KIND/NAME", value_parser = resource_id)]
    resource: ResourceId,
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
    match edit(&place, &args.resource)? {
        Edited::Nothing => {
            say("nothing changes\n")?;
            Ok(Outcome::Fine)
        }
        Edited::Draft(draft, file) => {
            let outcome = finish(&place, &draft, &args.publish).map_err(|error| error.keeping(&file))?;
            if args.publish.is_dry_run() && !draft.edits().is_empty() {
                kept(&file);
            } else {
                // It is in the repository.
                let _ = std::fs::remove_file(&file);
            }
            Ok(outcome)
        }
    }
}
