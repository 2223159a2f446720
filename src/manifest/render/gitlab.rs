//! GitLab's Code Quality report: what `artifacts:reports:codequality` takes, and merge requests show.

use super::fingerprint::fingerprints;
use crate::manifest::{Diagnostic, Severity};
use serde_json::{Value, json};

/// The report. The names of files must be as they are from the root of the repository.
pub fn gitlab(diagnostics: &[Diagnostic]) -> Value {
    let issue = |(diagnostic, fingerprint): (&Diagnostic, String)| {
        let mut description = diagnostic.message.clone();
        if let Some(help) = &diagnostic.help {
            description += &format!(" ({help})");
        }
        json!({
            "description": description,
            "check_name": diagnostic.code,
            "fingerprint": fingerprint,
            "severity": match diagnostic.severity {
                Severity::Error => "major",
                Severity::Warning => "minor",
            },
            "location": {
                "path": diagnostic.path,
                // A finding needs a line: what is about the file as a whole is shown at the first.
                "lines": { "begin": diagnostic.position.map_or(1, |position| position.line) },
            },
        })
    };
    diagnostics.iter().zip(fingerprints(diagnostics)).map(issue).collect()
}
