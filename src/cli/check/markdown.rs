//! The report as Markdown, for a comment on the change or the summary of a job.

use super::{
    super::{
        page::{Page, short},
        plan,
    },
    report::Report,
};
use crate::{
    authorize::CommitAnswer,
    manifest::{Diagnostic, Severity},
};

/// How many rows of mistakes, and of refused changes, there are at most, so that there is room for the plan.
const MAX_ROWS: usize = 40;
/// How many characters of a message are shown, and of a path.
const MAX_MESSAGE: usize = 400;
const MAX_PATH: usize = 120;

pub fn markdown(report: &Report) -> String {
    let mut page = Page::default();
    let verdict = if report.passed { "✅ can be merged" } else { "❌ cannot be merged as it is" };
    page.paragraph(&format!("### mcpfleet: {verdict}"));
    if report.behind {
        page.paragraph(
            "The base has moved on since the change left it: what both do together is known after a rebase or merge.",
        );
    }
    files(&mut page, report);
    authors(&mut page, report);
    plan::markdown(report.plan, &mut page);
    page.finish()
}

fn files(page: &mut Page, report: &Report) {
    let validation = &report.validation;
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    page.paragraph(&format!(
        "**Files**: {} in {}, {}, {}",
        count(validation.resources, "resource"),
        count(validation.files, "file"),
        count(validation.errors, "error"),
        count(validation.warnings, "warning")
    ));
    let mut worst_first: Vec<&Diagnostic> = validation.diagnostics.iter().collect();
    worst_first.sort_by_key(|diagnostic| diagnostic.severity);
    let row = |d: &&Diagnostic| {
        let mark = if d.severity == Severity::Error { "❌" } else { "⚠️" };
        let place = d.position.map(|position| format!(":{position}")).unwrap_or_default();
        let help = d.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        vec![
            mark.to_owned(),
            format!("{}{place}", short(&d.path, MAX_PATH)),
            short(&d.code.to_string(), MAX_PATH),
            short(&format!("{}{help}", d.message), MAX_MESSAGE),
        ]
    };
    page.table(&["", "Place", "Code", "What"], worst_first.iter().take(MAX_ROWS).map(row));
    more(page, worst_first.len());
    if report.earlier_problems > 0 {
        let earlier = report.earlier_problems;
        page.paragraph(&format!("{earlier} more was wrong before, in files that this change does not touch."));
    }
}

fn authors(page: &mut Page, report: &Report) {
    let authorization = report.authorization;
    if let Some(refusal) = &authorization.error {
        let (code, message) = (short(&refusal.code.to_string(), MAX_PATH), short(&refusal.message, MAX_MESSAGE));
        return page.paragraph(&format!("**Authors**: ❌ {code}: {message}"));
    }
    let of = |answer| authorization.commits.iter().filter(|commit| commit.verdict == answer).count();
    page.paragraph(&format!(
        "**Authors**: {} accepted, {} refused, {} without anything to decide",
        of(CommitAnswer::Accepted),
        of(CommitAnswer::Refused),
        of(CommitAnswer::NothingToDecide)
    ));
    let rows = report.refused().take(MAX_ROWS).map(|(commit, change)| {
        let signer = commit.signer.as_deref().map_or("nobody who is known".to_owned(), |name| short(name, MAX_PATH));
        let why = change.code.map(|code| code.to_string()).unwrap_or_default();
        vec![
            short(&commit.id.short().to_string(), MAX_PATH),
            signer,
            short(&change.path, MAX_PATH),
            short(&why, MAX_PATH),
            short(&change.message, MAX_MESSAGE),
        ]
    });
    page.table(&["Commit", "Signer", "File", "Refused", "Why"], rows);
    more(page, report.refused().count());
    if authorization.assumed_root {
        page.paragraph("There is no root of trust: everything that the base has is taken as accepted.");
    }
    if !report.enforced {
        page.paragraph("By this configuration agents apply what is refused.");
    }
}

fn more(page: &mut Page, rows: usize) {
    if rows > MAX_ROWS {
        page.paragraph(&format!("… and {} more", rows - MAX_ROWS));
    }
}
