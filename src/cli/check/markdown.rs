//! The report as Markdown, for a comment on the change or the summary of a job. Whatever comes from the repository is
//! shown as code, in which forges find no markup, links or mentions.

use super::{super::plan, report::Report};
use crate::{
    authorize::{CommitAnswer, CommitVerdict},
    escape::markdown_code as code,
    manifest::{Diagnostic, Severity},
};
use std::fmt::Write as _;

/// How many rows a table has: a comment may have 65,536 characters.
const MAX_ROWS: usize = 40;
/// How many characters of a message are shown, for the same reason.
const MAX_MESSAGE: usize = 400;

pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    let verdict = if report.passed { "✅ can be merged" } else { "❌ cannot be merged as it is" };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "### mcpfleet: {verdict}\n");
    files(&mut out, report);
    authors(&mut out, report);
    out += &plan::markdown(report.plan);
    out
}

fn files(out: &mut String, report: &Report) {
    let validation = &report.validation;
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let _ = writeln!(
        out,
        "**Files**: {} in {}, {}, {}\n",
        count(validation.resources, "resource"),
        count(validation.files, "file"),
        count(validation.errors, "error"),
        count(validation.warnings, "warning")
    );
    let mut worst_first: Vec<&Diagnostic> = validation.diagnostics.iter().collect();
    worst_first.sort_by_key(|diagnostic| diagnostic.severity);
    let row = |d: &&Diagnostic| {
        let mark = if d.severity == Severity::Error { "❌" } else { "⚠️" };
        let place = d.position.map_or_else(|| d.path.clone(), |position| format!("{}:{position}", d.path));
        let help = d.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!(
            "| {mark} | {} | {} | {} |",
            code(&place),
            code(&d.code.to_string()),
            message(&format!("{}{help}", d.message))
        )
    };
    table(out, "| | Place | Code | What |\n| --- | --- | --- | --- |", &worst_first, row);
    if report.earlier_problems > 0 {
        let _ = writeln!(
            out,
            "{} more was wrong before, in files that this change does not touch.\n",
            report.earlier_problems
        );
    }
}

fn authors(out: &mut String, report: &Report) {
    let authorization = report.authorization;
    if let Some(refusal) = &authorization.error {
        let _ = writeln!(out, "**Authors**: ❌ {}: {}\n", code(&refusal.code.to_string()), message(&refusal.message));
        return;
    }
    let of = |answer| authorization.commits.iter().filter(|commit| commit.verdict == answer).count();
    let _ = writeln!(
        out,
        "**Authors**: {} accepted, {} refused, {} without anything to decide\n",
        of(CommitAnswer::Accepted),
        of(CommitAnswer::Refused),
        of(CommitAnswer::NothingToDecide)
    );
    let refused: Vec<_> = report.refused().collect();
    let row = |(commit, change): &(&CommitVerdict, &crate::authorize::ChangeVerdict)| {
        let signer = commit.signer.as_deref().map_or("nobody who is known".to_owned(), code);
        let why = change.code.map(|code| code.to_string()).unwrap_or_default();
        format!(
            "| {} | {signer} | {} | {} | {} |",
            code(&commit.id.short().to_string()),
            code(&change.path),
            code(&why),
            message(&change.message)
        )
    };
    table(out, "| Commit | Signer | File | Refused | Why |\n| --- | --- | --- | --- | --- |", &refused, row);
    if authorization.assumed_root {
        out.push_str("There is no root of trust: everything that the base has is taken as accepted.\n\n");
    }
    if !report.enforced {
        out.push_str("By this configuration agents apply what is refused.\n\n");
    }
}

fn table<T>(out: &mut String, heading: &str, rows: &[T], row: impl Fn(&T) -> String) {
    if rows.is_empty() {
        return;
    }
    out.push_str(heading);
    out.push('\n');
    for one in rows.iter().take(MAX_ROWS) {
        out.push_str(&row(one));
        out.push('\n');
    }
    if rows.len() > MAX_ROWS {
        let _ = write!(out, "\n… and {} more\n", rows.len() - MAX_ROWS);
    }
    out.push('\n');
}

fn message(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => code(&format!("{}…", text.get(..end).unwrap_or_default())),
        None => code(text),
    }
}
