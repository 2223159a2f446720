//! JUnit's XML, as Jenkins, GitLab and others read it: a test case for each file.

use super::text;
use crate::manifest::{Diagnostic, Severity};
use std::{collections::BTreeMap, fmt::Write as _};

/// The report about these files. A file with errors has failed, and one with warnings too if those count as errors.
pub fn junit<'a>(
    files: impl IntoIterator<Item = &'a str>,
    diagnostics: &'a [Diagnostic],
    warnings_as_errors: bool,
) -> String {
    let mut by_file: BTreeMap<&str, Vec<&Diagnostic>> = files.into_iter().map(|file| (file, Vec::new())).collect();
    for diagnostic in diagnostics {
        by_file.entry(&diagnostic.path).or_default().push(diagnostic);
    }
    let fails = |diagnostic: &Diagnostic| warnings_as_errors || diagnostic.severity == Severity::Error;
    let failed = by_file.values().filter(|found| found.iter().any(|diagnostic| fails(diagnostic))).count();
    let totals = format!("tests=\"{}\" failures=\"{failed}\" errors=\"0\"", by_file.len());
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {totals}>\n  <testsuite name=\"mcpfleet validate\" \
         {totals} skipped=\"0\">\n"
    );
    for (file, found) in by_file {
        // Writing to a string cannot fail.
        let _ = write!(out, "    <testcase classname=\"mcpfleet.validate\" name=\"{}\"", xml(file));
        let (failures, others): (Vec<&Diagnostic>, Vec<_>) = found.iter().partition(|diagnostic| fails(diagnostic));
        if found.is_empty() {
            out += "/>\n";
            continue;
        }
        out += ">\n";
        if let Some(first) = failures.first() {
            let more = match failures.len() {
                1 => String::new(),
                n => format!(" (and {} more)", n - 1),
            };
            let _ = writeln!(
                out,
                "      <failure type=\"{}\" message=\"{}{more}\">{}</failure>",
                first.code,
                xml(&first.message),
                xml(&plain(&failures)),
            );
        }
        if !others.is_empty() {
            let _ = writeln!(out, "      <system-out>{}</system-out>", xml(&plain(&others)));
        }
        out += "    </testcase>\n";
    }
    out + "  </testsuite>\n</testsuites>\n"
}

fn plain(diagnostics: &[&Diagnostic]) -> String {
    let text: Vec<String> = diagnostics.iter().map(|diagnostic| text(diagnostic)).collect();
    anstream::adapter::strip_str(&text.join("\n")).to_string()
}

/// A text as it stands within XML. Characters that XML cannot have are written as escapes of Rust.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            // Two of them and a bracket would be a command to GitHub's runner, wherever they stand in a line.
            '#' => out += "&#35;",
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.extend(c.escape_default()),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Code;
    use proptest::prelude::*;

    #[test]
    fn warnings_fail_only_when_they_count_as_errors() {
        let warning = Diagnostic { severity: Severity::Warning, ..Diagnostic::about_file(Code::Tag, "a", "w") };
        let report = junit(["a", "b"], std::slice::from_ref(&warning), false);
        assert!(report.contains("tests=\"2\" failures=\"0\"") && report.contains("<system-out>"), "{report}");
        assert!(!report.contains("<failure"), "{report}");
        let report = junit(["a", "b"], &[warning], true);
        assert!(report.contains("failures=\"1\"") && report.contains("<failure type=\"tag\""), "{report}");
    }

    proptest! {
        #[test]
        fn nothing_gets_out_of_its_place(text in any::<String>()) {
            let written = xml(&text);
            let gets_out = |c: char| "<>\"\u{fffe}\u{ffff}".contains(c) || (c.is_control() && c != '\n' && c != '\t');
            prop_assert!(!written.contains(gets_out), "{}", written);
        }
    }
}
