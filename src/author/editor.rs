//! Editing a resource in the user's editor, until it is valid or the user gives up. What was typed is never lost.

use super::{AuthorError, Draft, Place, git};
use crate::{
    manifest::{Diagnostic, render},
    resource::ResourceId,
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Lines that say what is wrong; they are taken out again when the file is read.
const NOTE: &str = "#! ";

/// What came of an editor.
pub enum Edited<'p> {
    /// A valid draft, and the file that has the text, which the caller removes when the draft has been published.
    Draft(Box<Draft<'p>>, PathBuf),
    /// The text is what it was, or was emptied, which is how one gives up.
    Nothing,
    /// It is not valid, and the user did not go on. The file has the text.
    Invalid(Vec<Diagnostic>, PathBuf),
}

/// Lets the user edit a resource.
pub fn edit<'p>(place: &'p Place, id: &ResourceId) -> Result<Edited<'p>, AuthorError> {
    let draft = Draft::new(place)?;
    let path = draft.expect(id)?;
    let original = draft.body(&path, id)?;
    let file = temporary(id, &original)?;
    let mut text = original.clone();
    let mut notes = String::new();
    loop {
        write(&file, &format!("{notes}{text}"))?;
        if let Err(error) = open(place, &file) {
            return Err(kept(&file, &error.to_string()));
        }
        let bytes = fs::read(&file).map_err(|error| AuthorError::io("read", &file, error))?;
        let Ok(edited) = String::from_utf8(bytes) else {
            return Err(kept(&file, "the text is not UTF-8"));
        };
        let edited = without_notes(&edited);
        if edited == original || edited.trim().is_empty() {
            let _ = fs::remove_file(&file);
            return Ok(Edited::Nothing);
        }
        let mut draft = Draft::new(place)?;
        if draft.expect(id).ok().as_ref() != Some(&path) || draft.body(&path, id)? != original {
            return Err(kept(&file, &format!("{id} has changed meanwhile, and nothing has been written")));
        }
        match apply(&mut draft, &path, id, &edited) {
            Ok(()) => {
                write(&file, &edited)?;
                draft.settle();
                return Ok(Edited::Draft(Box::new(draft), file));
            }
            Err(AuthorError::Invalid(diagnostics)) if edited == text => {
                // The same mistakes once more: the user has nothing to add.
                write(&file, &edited)?;
                return Ok(Edited::Invalid(diagnostics, file));
            }
            Err(AuthorError::Invalid(diagnostics)) => notes = as_notes(&diagnostics),
            Err(AuthorError::Usage(message)) if edited != text => notes = as_note(&message),
            Err(error) => return Err(kept(&file, &error.to_string())),
        }
        text = edited;
    }
}

/// Drafts the edited text, if it still is the one resource that it was.
fn apply(draft: &mut Draft, path: &str, id: &ResourceId, edited: &str) -> Result<(), AuthorError> {
    let shown = id.to_string();
    let pieces = crate::manifest::pieces::Pieces::read(&shown, edited.as_bytes());
    let pieces = pieces.map_err(|_| AuthorError::Invalid(mistakes(&shown, edited)))?;
    let found: Vec<(usize, &ResourceId)> = pieces.ids().collect();
    let body = match found.as_slice() {
        [(index, only)] if *only == id => pieces.body(*index),
        [] => return Err(AuthorError::Invalid(mistakes(&shown, edited))),
        _ => {
            return Err(AuthorError::Usage(format!(
                "this must stay the one resource {id}: `create` and `rm` add, rename and remove"
            )));
        }
    };
    let own = mistakes(&shown, edited);
    if !own.is_empty() {
        return Err(AuthorError::Invalid(own));
    }
    draft.replace(path, id, &body)?;
    draft.validate()
}

/// What is wrong with the text by itself, with places in it and not in the file that it comes from.
fn mistakes(shown: &str, edited: &str) -> Vec<Diagnostic> {
    let mut found = crate::manifest::parse_file(shown, edited.as_bytes()).diagnostics;
    found.retain(|diagnostic| diagnostic.severity == crate::manifest::Severity::Error);
    if found.is_empty() && crate::manifest::parse_file(shown, edited.as_bytes()).resources.is_empty() {
        let message = "there is no resource here";
        found.push(Diagnostic::about_file(crate::manifest::Code::MissingField, shown, message));
    }
    found
}

fn as_notes(diagnostics: &[Diagnostic]) -> String {
    let text: String = diagnostics.iter().map(render::text).collect();
    as_note(&anstream::adapter::strip_str(&text).to_string())
}

fn as_note(text: &str) -> String {
    let advice = "Correct it, or leave it as it is to give up; lines with `#!` are taken out.";
    text.lines().chain([advice]).map(|line| format!("{NOTE}{line}\n")).collect()
}

fn without_notes(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut rest = text.as_str();
    while rest.starts_with(NOTE.trim_end()) {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest.to_owned()
}

fn kept(file: &Path, why: &str) -> AuthorError {
    AuthorError::Refused(format!("{why}\n  help: the text is in {}", file.display()))
}

fn temporary(id: &ResourceId, text: &str) -> Result<PathBuf, AuthorError> {
    let failed = |error| AuthorError::io("make a file in", &env::temp_dir(), error);
    let prefix = format!("mcpfleet-{}-{}-", id.kind, id.name);
    let file = tempfile::Builder::new().prefix(&prefix).suffix(".yaml").tempfile().map_err(failed)?;
    let (_, path) = file.keep().map_err(|error| failed(error.error))?;
    write(&path, text)?;
    Ok(path)
}

fn write(file: &Path, text: &str) -> Result<(), AuthorError> {
    fs::write(file, text).map_err(|error| AuthorError::io("write", file, error))
}

/// Opens a file in the editor and waits for it.
fn open(place: &Place, file: &Path) -> Result<(), AuthorError> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = match set("VISUAL").or_else(|| set("EDITOR")) {
        Some(editor) => Some(editor),
        None if place.is_git() => git::ask_for(git::git(place.root()).args(["var", "GIT_EDITOR"]))?,
        None => None,
    };
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    // The variables hold a command line, not the name of a program.
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$@\"")).arg(&editor).arg(file);
    let status = command.status().map_err(|error| AuthorError::io("start an editor for", file, error))?;
    if status.success() {
        return Ok(());
    }
    Err(AuthorError::Program(format!("the editor `{editor}` failed ({status})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_out_again() {
        let text = "# mine\n#! also mine?\nkind: app\n";
        assert_eq!(without_notes(&format!("{}{text}", as_note("one\ntwo"))), text);
        assert_eq!(without_notes("kind: app\r\n"), "kind: app\n");
        assert_eq!(without_notes("#!"), "");
    }
}
