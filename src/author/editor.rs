//! Editing a resource in the user's editor, until it is valid or the user gives up. What was typed is never lost.

use super::{AuthorError, Draft, Place, git};
use crate::{
    manifest::{Diagnostic, render},
    resource::ResourceId,
};
use std::{
    env, fs,
    io::{self, Write as _},
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
}

/// Lets the user edit a resource.
///
/// # Errors
/// [`AuthorError::Kept`] when anything goes wrong after something was typed, and when it is not valid and the user did
/// not go on.
pub fn edit<'p>(place: &'p Place, id: &ResourceId) -> Result<Edited<'p>, AuthorError> {
    let draft = Draft::new(place)?;
    let path = draft.expect(id)?;
    let original = draft.body(&path, id)?;
    let file = temporary(id)?;
    match rounds(place, id, &path, &original, &file) {
        Ok(Some(draft)) => Ok(Edited::Draft(Box::new(draft), file)),
        Ok(None) => {
            let _ = fs::remove_file(&file);
            Ok(Edited::Nothing)
        }
        Err(error) => match fs::read(&file) {
            Ok(bytes) if without_notes(&String::from_utf8_lossy(&bytes)) == original => {
                let _ = fs::remove_file(&file);
                Err(error)
            }
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Err(error),
            _ => Err(error.keeping(&file)),
        },
    }
}

/// Opens the editor until there is a valid draft, or until the user gives up: `None`. The file has what was typed at
/// any time.
fn rounds<'p>(
    place: &'p Place,
    id: &ResourceId,
    path: &str,
    original: &str,
    file: &Path,
) -> Result<Option<Draft<'p>>, AuthorError> {
    let mut text = original.to_owned();
    let mut notes = String::new();
    loop {
        write(file, &format!("{notes}{text}"))?;
        open(place, file)?;
        let bytes = fs::read(file).map_err(|error| AuthorError::io("read", file, error))?;
        let Ok(edited) = String::from_utf8(bytes) else {
            return Err(AuthorError::Refused("the text is not UTF-8".to_owned()));
        };
        let edited = without_notes(&edited);
        if edited == original || edited.trim().is_empty() {
            return Ok(None);
        }
        let mut draft = Draft::new(place)?;
        if draft.expect(id).ok().as_deref() != Some(path) || draft.body(path, id)? != original {
            return Err(AuthorError::Refused(format!("{id} has changed meanwhile, and nothing has been written")));
        }
        match apply(&mut draft, path, id, &edited) {
            Ok(()) => {
                write(file, &edited)?;
                draft.settle();
                return Ok(Some(draft));
            }
            // The same mistakes once more: the user has nothing to add.
            Err(error @ (AuthorError::Invalid(_) | AuthorError::Usage(_))) if edited == text => {
                write(file, &edited)?;
                return Err(match error {
                    AuthorError::Usage(message) => AuthorError::Refused(message),
                    error => error,
                });
            }
            Err(AuthorError::Invalid(diagnostics)) => notes = as_notes(&diagnostics),
            Err(AuthorError::Usage(message)) => notes = as_note(&message),
            Err(error) => return Err(error),
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

/// An empty file for the text, in the folder for such files.
fn temporary(id: &ResourceId) -> Result<PathBuf, AuthorError> {
    let failed = |error| AuthorError::io("make a file in", &env::temp_dir(), error);
    let prefix = format!("mcpfleet-{}-{}-", id.kind, id.name);
    let file = tempfile::Builder::new().prefix(&prefix).suffix(".yaml").tempfile().map_err(failed)?;
    let (_, path) = file.keep().map_err(|error| failed(error.error))?;
    Ok(path)
}

/// Gives the file another text in one step: on a full disk it still has what was typed.
fn write(file: &Path, text: &str) -> Result<(), AuthorError> {
    let put = || -> io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        let mut beside = tempfile::Builder::new().prefix(".mcpfleet-").tempfile_in(folder)?;
        beside.write_all(text.as_bytes())?;
        beside.persist(file)?;
        Ok(())
    };
    put().map_err(|error| AuthorError::io("write", file, error))
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
    Err(AuthorError::Refused(format!("the editor `{editor}` failed ({status})")))
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
