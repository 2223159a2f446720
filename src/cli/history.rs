use super::{
    Outcome, Output,
    author::{PlaceArgs, fail, resource_id},
    terminal::{Cell, Table, print, print_structured},
};
use crate::{
    author::{
        AuthorError,
        history::{Event, history},
    },
    resource::ResourceId,
};
use serde::Serialize;

/// Show the commits that created, changed or deleted a resource, newest first.
///
/// The resource is followed by kind and name, wherever it was kept. The author is what the commit says, which proves nothing;
/// `mcpfleet authorize` says who signed, and whether it took effect.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet history app/demo
  mcpfleet history user/grace -n 1 -o json

Exit codes: 0 it is printed, 1 there is no such resource, 2 wrong usage, 3 something went wrong")]
pub struct Args {
    /// The resource
    #[arg(value_name = "KIND/NAME", value_parser = resource_id)]
    resource: ResourceId,
    /// How many commits to show at most
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    limit: usize,
    /// How to print them
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Serialize)]
struct Report<'a> {
    /// Of this form.
    version: u32,
    resource: String,
    commits: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    id: String,
    verb: String,
    path: &'a str,
    author: &'a str,
    time: Option<String>,
    subject: &'a str,
    signed: bool,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    match args.place.open().and_then(|place| history(&place, &args.resource, args.limit)) {
        Ok(events) if events.is_empty() => {
            fail(AuthorError::Refused(format!("there is no {}, and never was", args.resource)))
        }
        Ok(events) => show(&args, &events),
        Err(error) => fail(error),
    }
}

fn show(args: &Args, events: &[Event]) -> anyhow::Result<Outcome> {
    let commits = events.iter().map(|event| Line {
        id: event.commit.to_string(),
        verb: event.change.verb.to_string(),
        path: &event.change.path,
        author: &event.author,
        time: event.time.as_ref().map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()),
        subject: &event.subject,
        signed: event.signed,
    });
    let report = Report { version: 1, resource: args.resource.to_string(), commits: commits.collect() };
    if print_structured(args.output, &report)?.is_some() {
        return Ok(Outcome::Fine);
    }
    let mut table = Table::new(&["COMMIT", "TIME", "VERB", "SIGNED", "AUTHOR", "SUBJECT", "FILE"]);
    for event in events {
        let time = event.time.as_ref().map(|time| time.strftime("%Y-%m-%d %H:%M").to_string());
        table.row(vec![
            Cell::new(&event.commit.short()),
            Cell::new(&time.unwrap_or_default()),
            Cell::new(&event.change.verb.to_string()),
            Cell::new(if event.signed { "yes" } else { "no" }),
            Cell::new(&event.author),
            Cell::new(&event.subject),
            Cell::new(&event.change.path),
        ]);
    }
    print(&table.render())?;
    Ok(Outcome::Fine)
}
