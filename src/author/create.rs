//! New resources, and new texts for ones that are there.

use super::{AuthorError, Draft, Place, files::check_path};
use crate::{
    manifest::{Severity, decode::nearest, parse_file, pieces::Pieces},
    resource::{Kind, ResourceId},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A file, or what came over stdin.
pub struct Input {
    /// As diagnostics call it.
    pub shown: String,
    /// `None`: stdin.
    pub file: Option<PathBuf>,
    pub bytes: Vec<u8>,
}

/// How resources are to be created.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Those that are there already get the new text.
    pub replace: bool,
    /// The file for those that are not there yet. Without it, each gets one of its own.
    pub path: Option<PathBuf>,
    /// The folder for such files of apps. Without it, `apps`.
    pub folder: Option<PathBuf>,
}

/// Drafts the resources of some files. A file that is already where it belongs is taken as it stands.
pub fn create<'p>(place: &'p Place, inputs: &[Input], wish: &Wish) -> Result<Draft<'p>, AuthorError> {
    let path = wish.path.as_deref().map(check_path).transpose()?;
    let folder = wish.folder.as_deref().map(check_folder).transpose()?;
    check_inputs(inputs)?;
    let unmanaged = |path: &str| {
        AuthorError::Usage(format!(
            "{path} would not be one of the resource files, by `authorization.managed` in .mcpfleet/agent.yaml: name another \
             with `--path`"
        ))
    };
    if let Some(path) = path.as_deref().filter(|path| !place.manages(path)) {
        return Err(unmanaged(path));
    }
    let mut draft = Draft::new(place)?;
    let mut existing = Vec::new();
    for input in inputs {
        match input.file.as_deref().and_then(|file| place.own_path(file)) {
            Some(own) => existing.extend(adopt(place, &mut draft, &own, input, wish)?),
            None => existing.extend(add(&mut draft, input, wish, path.as_deref(), folder.as_deref())?),
        }
    }
    if !existing.is_empty() {
        let list: Vec<String> = existing.iter().map(|(id, path)| format!("{id} is there already, in {path}")).collect();
        return Err(AuthorError::Refused(format!("{}\n  help: `-f` replaces it", list.join("\n"))));
    }
    draft.settle();
    if let Some(path) = draft.edits().keys().find(|path| !place.manages(path)) {
        return Err(unmanaged(path));
    }
    Ok(draft)
}

/// Every mistake of every file, and resources that two of them have.
fn check_inputs(inputs: &[Input]) -> Result<(), AuthorError> {
    let mut diagnostics = Vec::new();
    let mut seen: BTreeMap<ResourceId, &str> = BTreeMap::new();
    let mut twice = None;
    for input in inputs {
        let file = parse_file(&input.shown, &input.bytes);
        if file.resources.is_empty() && file.diagnostics.is_empty() {
            return Err(AuthorError::Refused(format!("there is no resource in {}", input.shown)));
        }
        for located in &file.resources {
            if let Some(first) = seen.insert(located.resource.id(), &input.shown) {
                twice.get_or_insert((located.resource.id(), first, input.shown.as_str()));
            }
        }
        diagnostics.extend(file.diagnostics);
    }
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(AuthorError::Invalid(diagnostics));
    }
    match twice {
        Some((id, first, second)) if first == second => Err(AuthorError::Refused(format!("{id} is twice in {first}"))),
        Some((id, first, second)) => Err(AuthorError::Refused(format!("{id} is in both {first} and {second}"))),
        None => Ok(()),
    }
}

/// What is in the way: resources that are there already, with the files that they are in.
type InTheWay = Vec<(ResourceId, String)>;

fn adopt(place: &Place, draft: &mut Draft, own: &str, input: &Input, wish: &Wish) -> Result<InTheWay, AuthorError> {
    if wish.path.is_some() {
        return Err(AuthorError::Usage(format!("{own} is in the repository already: leave `--path` out")));
    }
    let before = place.committed(own)?;
    let known = match &before {
        Some(bytes) => parse_file(own, bytes).resources.iter().map(|located| located.resource.id()).collect(),
        None => Vec::new(),
    };
    let mut existing = Vec::new();
    for located in parse_file(own, &input.bytes).resources {
        let id = located.resource.id();
        if known.contains(&id) && !wish.replace {
            existing.push((id, own.to_owned()));
        }
    }
    draft.adopt(own, before, input.bytes.clone());
    Ok(existing)
}

fn add(
    draft: &mut Draft,
    input: &Input,
    wish: &Wish,
    path: Option<&str>,
    folder: Option<&str>,
) -> Result<InTheWay, AuthorError> {
    let pieces = Pieces::read(&input.shown, &input.bytes).map_err(|d| AuthorError::Invalid(vec![*d]))?;
    let mut existing = Vec::new();
    for (index, id) in pieces.ids() {
        let body = pieces.body(index);
        match (draft.find(id)?, path) {
            (Some(found), _) if !wish.replace => existing.push((id.clone(), found)),
            (Some(found), Some(path)) if found != path => {
                return Err(AuthorError::Usage(format!(
                    "{id} is in {found}, where its new text goes: leave `--path` out, or remove it first"
                )));
            }
            (Some(found), _) => draft.replace(&found, id, &body)?,
            (None, Some(path)) => draft.append(path, id, &body)?,
            (None, None) => {
                let own = default_path(id, folder);
                if draft.holds(&own) {
                    return Err(AuthorError::Refused(format!(
                        "{own}, where {id} would go, is there already with something else in it: name a file with `--path`"
                    )));
                }
                draft.append(&own, id, &body)?;
            }
        }
    }
    Ok(existing)
}

/// The file that a new resource gets.
fn default_path(id: &ResourceId, apps: Option<&str>) -> String {
    let folder = match id.kind {
        Kind::App => apps.unwrap_or("apps"),
        Kind::Role => "roles",
        Kind::User => "users",
    };
    if folder.is_empty() { format!("{}.yaml", id.name) } else { format!("{folder}/{}.yaml", id.name) }
}

/// A folder for new files, in the form that paths of a source have; empty: the root.
fn check_folder(folder: &Path) -> Result<String, AuthorError> {
    let file = check_path(&folder.join("app.yaml"))?;
    Ok(file.rsplit_once('/').map(|(folder, _)| folder.to_owned()).unwrap_or_default())
}

/// The resource that somebody who wrote `id` may have meant.
pub fn nearest_id(all: impl Iterator<Item = ResourceId>, id: &ResourceId) -> Option<String> {
    let names: Vec<String> = all.map(|other| other.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    nearest(&id.to_string(), &names).map(str::to_owned)
}
