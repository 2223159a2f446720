use super::{
    Outcome,
    author::{PlaceArgs, PublishArgs, fail, finish, resource_id},
};
use crate::{
    author::{AuthorError, Draft},
    resource::ResourceId,
};

/// Remove resources: check, commit and push.
///
/// Of a file with several resources only the named ones go; a file with nothing else is deleted. The rest is as with
/// `mcpfleet create`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet rm app/demo
  mcpfleet rm user/grace role/interns -m 'Goodbye Grace'

Exit codes: 0 done, 1 not valid or refused, 2 wrong usage, 3 something went wrong")]
pub struct Args {
    /// The resources
    #[arg(value_name = "KIND/NAME", required = true, value_parser = resource_id)]
    resources: Vec<ResourceId>,
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
    let mut draft = Draft::new(&place)?;
    for id in &args.resources {
        let path = draft.expect(id)?;
        draft.remove(&path, id)?;
    }
    finish(&place, &draft, &args.publish)
}
