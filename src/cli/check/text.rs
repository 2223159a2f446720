//! The report for people.

use super::{super::plan, report::Report};
use crate::authorize::{self, ObjectId, text::Said};
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

/// With colours; the writer strips them where they are not wanted. Whatever comes from the repository is escaped.
pub fn text(report: &Report, said: impl Fn(ObjectId) -> Option<Said>) -> String {
    let mut out = String::new();
    heading(&mut out, "Files");
    out += &report.validation.text();
    if report.earlier_problems > 0 {
        let _ = writeln!(
            out,
            "{} of what is wrong was so before, in files that this change does not touch: `mcpfleet validate` shows it",
            report.earlier_problems
        );
    }
    heading(&mut out, "Authors");
    if report.authorization.error.is_none() && report.authorization.commits.is_empty() {
        out += "there are no commits to judge\n";
    } else {
        out += &authorize::text::report(report.authorization, said);
    }
    if report.authorization.assumed_root {
        out += "note: there is no root of trust, so everything that the base has is taken as accepted\n";
    }
    if !report.enforced {
        out += "note: by this configuration agents apply what is refused\n";
    }
    if report.authorization.error.is_none() {
        heading(&mut out, "Plan");
        out += &plan::text(report.plan);
    }
    if report.behind {
        out += "note: the base has moved on since the change left it; what both do together is known after a rebase or merge\n";
    }
    let (style, verdict) = match report.passed {
        true => (AnsiColor::Green.on_default().bold(), "the change can be merged"),
        false => (AnsiColor::Red.on_default().bold(), "the change cannot be merged as it is"),
    };
    let _ = writeln!(out, "\n{style}{verdict}{style:#}");
    out
}

fn heading(out: &mut String, text: &str) {
    let bold = Style::new().bold();
    let gap = if out.is_empty() { "" } else { "\n" };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{gap}{bold}{text}{bold:#}");
}
