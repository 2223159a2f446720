//! The document of an app in a file, and how two of them differ. Other documents of the file are never shown: whoever may
//! read one app need not be allowed to read the next.

use crate::{
    authorize::{Blob, ObjectError, ObjectId, Objects as _},
    git::Repository,
    manifest::{hidden, pieces::Pieces, text::MAX_FILE_SIZE},
    resource::ResourceId,
};
use similar::TextDiff;
use std::{fmt::Write as _, time::Duration};

/// The most bytes of a difference.
const MAX_BYTES: usize = 64 << 10;
/// The lines around a change that are shown with it.
const CONTEXT: usize = 3;
/// How long is looked for the smallest difference.
const TIME: Duration = Duration::from_millis(200);

/// What a file has of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Document {
    Absent,
    /// Its text.
    There(String),
    /// It cannot be told, and so not shown.
    Unclear,
}

impl Document {
    /// What a blob, which is a file at `path`, has of an app.
    pub fn read(
        repository: &Repository,
        path: &str,
        blob: Option<ObjectId>,
        id: &ResourceId,
    ) -> Result<Document, ObjectError> {
        let Some(blob) = blob else { return Ok(Document::Absent) };
        Ok(match repository.blob(blob, MAX_FILE_SIZE) {
            Ok(Blob::Bytes(bytes)) => Document::of(path, &bytes, id),
            Ok(Blob::TooLarge(_)) => Document::Unclear,
            // A submodule.
            Err(ObjectError::Missing(_)) => Document::Absent,
            Err(error) => return Err(error),
        })
    }

    fn of(path: &str, bytes: &[u8], id: &ResourceId) -> Document {
        match Pieces::read(path, bytes) {
            Ok(pieces) => pieces.find(id).map_or(Document::Absent, |index| Document::There(pieces.body(index))),
            Err(_) => Document::Unclear,
        }
    }
}

/// How two documents of an app differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// A unified diff, without what may be a secret.
    pub text: String,
    /// There is more of it.
    pub truncated: bool,
    /// Why it is not shown, or not all of it.
    pub note: Option<&'static str>,
}

const UNCLEAR: &str =
    "the file is no YAML that can be read, or is too large: what of it is about this app cannot be told";
const ONLY_HIDDEN: &str = "only values that are not shown differ";

impl Difference {
    /// From what an app was, in which file, to what it is.
    pub(super) fn between(before: (&str, &Document), after: (&str, &Document)) -> Difference {
        let shown = |document: &Document| match document {
            Document::Absent => Some(None),
            Document::There(text) => hidden::shown(text).map(Some),
            Document::Unclear => None,
        };
        let (Some(old), Some(new)) = (shown(before.1), shown(after.1)) else {
            return Difference { note: Some(UNCLEAR), ..Difference::default() };
        };
        if old == new {
            let note = (before.1 != after.1).then_some(ONLY_HIDDEN);
            return Difference { note, ..Difference::default() };
        }
        let name = |side: char, path: &str, there: bool| match there {
            true => format!("{side}/{path}"),
            false => "/dev/null".to_owned(),
        };
        let names = (name('a', before.0, old.is_some()), name('b', after.0, new.is_some()));
        unified(names, &old.unwrap_or_default(), &new.unwrap_or_default())
    }
}

fn unified(names: (String, String), old: &str, new: &str) -> Difference {
    let diff = TextDiff::configure().timeout(TIME).diff_lines(old, new);
    let mut text = format!("--- {}\n+++ {}\n", names.0, names.1);
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", hunk.header());
        for change in hunk.iter_changes() {
            let _ = write!(text, "{}{}", change.tag(), change.value());
            if text.len() > MAX_BYTES {
                let end = text.floor_char_boundary(MAX_BYTES);
                let end = text.get(..end).and_then(|kept| kept.rfind('\n')).map_or(end, |line| line + 1);
                text.truncate(end);
                return Difference { text, truncated: true, note: None };
            }
        }
    }
    Difference { text, truncated: false, note: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Kind;

    fn id(name: &str) -> ResourceId {
        ResourceId { kind: Kind::App, name: name.to_owned() }
    }

    fn app(name: &str, argument: &str) -> String {
        format!(
            "kind: app\nversion: v3\nmetadata:\n  name: {name}\nspec:\n  mcp:\n    command: {argument}\n    env:\n      A: {argument}\n"
        )
    }

    fn there(text: &str) -> Document {
        Document::There(text.to_owned())
    }

    #[test]
    fn only_the_document_is_read() {
        let file = format!("{}---\n{}", app("a", "one"), app("b", "two"));
        assert_eq!(Document::of("x", file.as_bytes(), &id("b")), there(&app("b", "two")));
        assert_eq!(Document::of("x", file.as_bytes(), &id("c")), Document::Absent);
        for bytes in [&b"a: ["[..], b"\xff\xfe", b"\0\x01", "a: \u{202e}".as_bytes()] {
            assert_eq!(Document::of("x", bytes, &id("a")), Document::Unclear, "{bytes:?}");
        }
    }

    #[test]
    fn differences() {
        let (one, two) = (there(&app("a", "one")), there(&app("a", "two")));
        let seen = Difference::between(("old.yaml", &one), ("new.yaml", &two));
        let expected = "--- a/old.yaml\n+++ b/new.yaml\n@@ -4,6 +4,6 @@\n   name: a\n spec:\n   mcp:\n-    command: \
                        one\n+    command: two\n     env:\n       A: [hidden]\n";
        assert_eq!(seen, Difference { text: expected.to_owned(), truncated: false, note: None });
        let created = Difference::between(("a", &Document::Absent), ("a", &one));
        assert!(created.text.starts_with("--- /dev/null\n+++ b/a\n@@ -0,0 +1,9 @@\n+kind: app\n"), "{}", created.text);
        let deleted = Difference::between(("a", &one), ("a", &Document::Absent));
        assert!(deleted.text.starts_with("--- a/a\n+++ /dev/null\n@@ -1,9 +0,0 @@\n-kind: app\n"), "{}", deleted.text);
        let value = |text: &str| there(&app("a", "one").replace("A: one", text));
        let hidden = Difference::between(("a", &value("A: x")), ("a", &value("A: y")));
        assert_eq!((hidden.text.as_str(), hidden.note), ("", Some(ONLY_HIDDEN)));
        let unclear = Difference::between(("a", &one), ("a", &Document::Unclear));
        assert_eq!((unclear.text.as_str(), unclear.note), ("", Some(UNCLEAR)));
    }

    #[test]
    fn there_is_a_bound_on_it() {
        let long: String = (0..20_000).map(|number| format!("k{number}: 'ö'\n")).collect();
        let seen = Difference::between(("a", &Document::Absent), ("a", &there(&long)));
        assert!(seen.truncated && seen.text.len() <= MAX_BYTES && seen.text.ends_with('\n'));
        let line = format!("a: '{}'\n", "ö ".repeat(100_000));
        assert!(Difference::between(("a", &Document::Absent), ("a", &there(&line))).truncated);
    }
}
