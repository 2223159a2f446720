//! Diagnostics for people and for machines, in the forms that are at home there. Pure: where they go is said elsewhere.

mod fingerprint;
pub mod github;
mod gitlab;
mod junit;
mod sarif;
mod text;

pub use gitlab::gitlab;
pub use junit::junit;
pub use sarif::sarif;
pub use text::text;

use super::{Diagnostic, Severity};
use anstyle::AnsiColor;
use serde::Serialize;
use std::fmt::Write as _;

/// What the check of some files came to, as it is printed for machines.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    /// Of this form. It grows by fields; a change that could break a reader has another number.
    pub version: u32,
    /// Whether there are no errors.
    pub valid: bool,
    /// How many files were read.
    pub files: usize,
    /// How many resources they hold, valid by themselves.
    pub resources: usize,
    pub errors: usize,
    pub warnings: usize,
    /// By file and place.
    pub diagnostics: &'a [Diagnostic],
}

impl<'a> Report<'a> {
    pub fn new(files: usize, resources: usize, diagnostics: &'a [Diagnostic]) -> Self {
        let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
        let errors = count(Severity::Error);
        Report {
            version: 1,
            valid: errors == 0,
            files,
            resources,
            errors,
            warnings: count(Severity::Warning),
            diagnostics,
        }
    }

    /// All diagnostics as text, and a line that sums them up. With colours; the writer strips them where they are
    /// not wanted.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for diagnostic in self.diagnostics {
            out += &text(diagnostic);
            out.push('\n');
        }
        if let Some(first) = self.diagnostics.first() {
            let _ = writeln!(out, "`mcpfleet explain {}` says more about a code.\n", first.code);
        }
        out + &self.sum()
    }

    /// The line that sums them up.
    pub fn sum(&self) -> String {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let mut parts = vec![count(self.files, "file"), count(self.resources, "resource")];
        parts.push(if self.errors == 0 { "no errors".to_owned() } else { count(self.errors, "error") });
        if self.warnings > 0 {
            parts.push(count(self.warnings, "warning"));
        }
        let style = if self.errors == 0 { AnsiColor::Green } else { AnsiColor::Red }.on_default();
        format!("{style}{}{style:#}\n", parts.join(", "))
    }
}
