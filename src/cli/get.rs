use super::{
    Outcome, Output,
    author::{PlaceArgs, fail, kind, resource_id, say},
    terminal::{Cell, Table, escape_json},
};
use crate::{
    author::{AuthorError, Draft},
    manifest::{FileState, Located, write},
    resource::{Document, Kind, ResourceId},
};

/// Show resources as they are written, every default of an app filled in.
///
/// In a git repository that is what the current commit says. YAML and JSON are what `mcpfleet create` reads.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet get
  mcpfleet get apps
  mcpfleet get app/demo -o yaml

Exit codes: 0 it is printed, 1 there is no such resource, 2 wrong usage, 3 something went wrong")]
pub struct Args {
    /// One resource, or those of one kind [default: all]
    #[arg(value_name = "KIND[/NAME]", value_parser = which)]
    which: Option<Which>,
    /// How to print them
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Clone)]
enum Which {
    Kind(Kind),
    One(ResourceId),
}

fn which(text: &str) -> Result<Which, String> {
    if text.contains('/') { resource_id(text).map(Which::One) } else { kind(text).map(Which::Kind) }
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    attempt(&args).or_else(fail)
}

fn attempt(args: &Args) -> Result<Outcome, AuthorError> {
    let place = args.place.open()?;
    let draft = Draft::new(&place)?;
    let mut found: Vec<&Located> = Vec::new();
    let mut faulty = 0;
    for state in draft.tree().values() {
        match state {
            FileState::Parsed(file) => {
                faulty += usize::from(!file.is_valid());
                found.extend(&file.resources);
            }
            FileState::Unreadable(_) => faulty += 1,
        }
    }
    found.retain(|located| match &args.which {
        None => true,
        Some(Which::Kind(kind)) => located.resource.kind() == *kind,
        Some(Which::One(id)) => located.resource.id() == *id,
    });
    if let (Some(Which::One(id)), []) = (&args.which, found.as_slice()) {
        let path = draft.expect(id)?;
        return Err(AuthorError::Refused(format!("{id}, in {path}, is not valid: see `mcpfleet validate`")));
    }
    found.sort_by_key(|located| located.resource.id());
    let one = matches!(args.which, Some(Which::One(_)));
    say(&match args.output {
        Output::Text => table(&found),
        Output::Yaml => documents(&found)?,
        Output::Json => json(&found, one)?,
    })?;
    if faulty > 0 && !one {
        let files = if faulty == 1 { "1 file is" } else { &format!("{faulty} files are") };
        anstream::eprintln!("{files} not valid, and may hold more: see `mcpfleet validate`");
    }
    Ok(Outcome::Fine)
}

fn table(found: &[&Located]) -> String {
    let mut table = Table::new(&["KIND", "NAME", "DESCRIPTION", "LABELS", "FILE"]);
    for located in found {
        let metadata = located.resource.metadata();
        let labels: Vec<String> = metadata.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        table.row(vec![
            Cell::new(located.resource.kind().as_str()),
            Cell::new(&metadata.name),
            Cell::new(metadata.description.as_deref().unwrap_or_default()),
            Cell::new(&labels.join(",")),
            Cell::new(&located.path),
        ]);
    }
    table.render()
}

fn documents(found: &[&Located]) -> Result<String, AuthorError> {
    let documents: Result<Vec<String>, _> = found.iter().map(|located| write(&located.resource)).collect();
    Ok(documents.map_err(|error| AuthorError::Program(error.to_string()))?.join("---\n"))
}

fn json(found: &[&Located], one: bool) -> Result<String, AuthorError> {
    let documents: Vec<Document> = found.iter().map(|located| Document::of(&located.resource)).collect();
    let text = match documents.as_slice() {
        [only] if one => serde_json::to_string_pretty(only),
        all => serde_json::to_string_pretty(all),
    };
    let text = text.map_err(|error| AuthorError::Program(error.to_string()))?;
    Ok(escape_json(&text).into_owned() + "\n")
}
