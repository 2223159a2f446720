//! From YAML nodes to values of the model, collecting all mistakes on the way.
//!
//! A *decoder* is any function `Fn(&Node, &Context) -> Option<T>`: it answers with a value, or reports to the context
//! what is wrong and answers `None`. Decoders are composed: `list(string)` reads a list of strings. A mapping with
//! known fields is read with [`fields()`]:
//!
//! ```
//! use mcpfleet::manifest::decode::{Context, decode_document, fields, integer, list, string};
//! use mcpfleet::manifest::yaml::Node;
//!
//! struct Job { command: String, args: Vec<String>, retries: u32 }
//!
//! fn job(node: &Node, context: &Context) -> Option<Job> {
//!     let mut f = fields(node, "job", context)?;
//!     let command = f.required("command", string);
//!     let args = f.optional("args", list(string)).unwrap_or_default();
//!     let retries = f.optional("retries", integer(0..=10)).unwrap_or(3);
//!     f.finish(); // reports what has not been asked for
//!     Some(Job { command: command?, args, retries })
//! }
//!
//! let read = decode_document("job.yaml", b"command: true\nretris: 4\n", job);
//! assert!(read.value.is_none());
//! let messages: Vec<_> = read.diagnostics.iter().map(|d| d.message.as_str()).collect();
//! assert_eq!(messages, ["`true` is a boolean where a string is expected", "unknown field `retris` in `job`"]);
//! ```
//!
//! Ask for every field before the first `?` on a field's value, so that nothing that is there counts as unknown, and
//! no mistake hides another. A default that stands in for a bad value is harmless: a document with an error has no value.

mod app;
mod collection;
mod document;
mod fields;
mod identifier;
mod role;
mod scalar;
mod server;
mod user;
mod value;

pub use app::static_app;
pub use collection::{entries, items, list, map};
pub use document::{filled, name, resource, unique};
pub use fields::{Fields, fields};
pub use identifier::{environment_name, host_user, is_secure_url, issuer, secret_name};
pub use scalar::{boolean, integer, nearest, number, one_of, string, text};
pub use user::{normal_key, places as user_places};
pub use value::{absolute_path, cpu, duration, duration_within, label_key, selector, selectors, size};

use super::{
    Code, Diagnostic, Severity,
    text::{Finding, Mark, Text, whole_lines},
    yaml::{self, Content, Node, Value},
};
use std::cell::{Cell, RefCell};

/// How many diagnostics one file is worth; what is beyond is counted.
const MAX_DIAGNOSTICS: usize = 100;

/// Collects what decoders find wrong.
#[derive(Debug, Default)]
pub struct Context {
    findings: RefCell<Vec<Finding>>,
    errors: Cell<usize>,
    /// How many findings were not kept, because there are so many.
    dropped: Cell<usize>,
}

impl Context {
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports a finding.
    pub fn report(&self, finding: Finding) {
        if finding.severity == Severity::Error {
            self.errors.set(self.errors.get() + 1);
        }
        let mut findings = self.findings.borrow_mut();
        if findings.len() < MAX_DIAGNOSTICS {
            findings.push(finding);
        } else {
            self.dropped.set(self.dropped.get() + 1);
        }
    }

    /// Reports an error and answers `None`, as a decoder does.
    pub fn error<T>(&self, code: Code, mark: Mark, message: impl Into<String>) -> Option<T> {
        self.report(Finding::error(code, mark, message));
        None
    }

    /// [`Context::error`] that also says what to do about it.
    pub fn error_with_help<T>(
        &self,
        code: Code,
        mark: Mark,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.report(Finding::error(code, mark, message).help(help));
        None
    }

    pub fn warning(&self, code: Code, mark: Mark, message: impl Into<String>, help: impl Into<String>) {
        self.report(Finding { severity: Severity::Warning, ..Finding::error(code, mark, message).help(help) });
    }

    /// How many findings there are until now.
    pub fn findings(&self) -> usize {
        self.findings.borrow().len()
    }

    /// Says of all findings since there were `since` of them which values of a document they are about.
    pub fn locate(&self, since: usize, document: u32, root: &Node) {
        let mut findings = self.findings.borrow_mut();
        let Some(findings) = findings.get_mut(since..).filter(|findings| !findings.is_empty()) else { return };
        let wanted = findings.iter().map(|finding| finding.mark).collect();
        let pointers = yaml::pointers(root, &wanted);
        for finding in findings {
            finding.document = Some(document);
            finding.pointer = pointers.get(&finding.mark).cloned();
        }
    }

    /// How many errors have been reported until now.
    pub fn errors(&self) -> usize {
        self.errors.get()
    }

    /// All findings as diagnostics of `text`, in the order of the file.
    pub fn into_diagnostics(self, text: &Text) -> Vec<Diagnostic> {
        let mut findings = self.findings.into_inner();
        // A stable sort: what is wrong at one place stays in the order in which it was found.
        findings.sort_by_key(|f| (f.mark.line, f.mark.column));
        let dropped = self.dropped.get();
        let more = (dropped > 0).then(|| {
            let message =
                format!("the file has more mistakes than the {MAX_DIAGNOSTICS} that are shown: {dropped} more");
            Diagnostic::about_file(Code::TooManyErrors, text.path(), message)
        });
        findings.into_iter().map(|f| text.diagnostic(f)).chain(more).collect()
    }
}

/// What reading a file of one document came to.
#[derive(Debug)]
pub struct Decoded<T> {
    /// There only if no diagnostic is an error.
    pub value: Option<T>,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a file that is one document, such as the agent's configuration. A file without content reads as an empty
/// mapping. Strict and bounded in the same way as resources are.
pub fn decode_document<T>(path: &str, bytes: &[u8], decode: impl FnOnce(&Node, &Context) -> Option<T>) -> Decoded<T> {
    let bytes = whole_lines(bytes);
    let text = match Text::new(path, &bytes) {
        Ok(text) => text,
        Err(diagnostic) => return Decoded { value: None, diagnostics: vec![*diagnostic] },
    };
    let context = Context::new();
    let reading = yaml::read(&text);
    reading.findings.into_iter().for_each(|f| context.report(f));
    let mut documents = reading.documents.into_iter();
    let first = documents.next().map(|d| d.content);
    if let Some(second) = documents.next() {
        context.report(Finding::error(Code::TooManyDocuments, second.mark, "this file must have only one document"));
    }
    let value = match first {
        Some(Content::Valid(node)) => decode(&node, &context),
        Some(Content::Refused { .. }) => None,
        None => decode(&Node { value: Value::Map(Vec::new()), mark: Mark::default() }, &context),
    };
    let value = value.filter(|_| context.errors() == 0);
    Decoded { value, diagnostics: context.into_diagnostics(&text) }
}
