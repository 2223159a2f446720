//! Each form is what those who publish it say it is.

use super::{folder, mistakes, validate};
use crate::support::outside;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The reports in a format of a folder with mistakes, and of one with none.
fn reports(format: &str, test: impl Fn(&Path)) {
    for folder in [mistakes(), folder(&[("a.yaml", &super::app("a"))]), folder(&[])] {
        let output = format!("{format}=report");
        let status = validate(folder.path(), &[".", "-o", &output]).output().expect("it starts").status;
        assert!(matches!(status.code(), Some(0 | 1)), "{status}");
        test(&folder.path().join("report"));
    }
}

fn passes(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

fn check_json(checkers: &Path, schema: &Path, report: &Path) -> Command {
    let mut command = Command::new(checkers.join("bin/check-jsonschema"));
    // Of the expressions in SARIF's schema not all are ones that JavaScript has.
    command.args(["--regex-variant", "python", "--schemafile"]).arg(schema).arg(report);
    command
}

#[test]
fn sarif_is_what_oasis_says_it_is() {
    let Some(checkers) = outside("SARIF", "MCPFLEET_TEST_REPORT_CHECKERS") else { return };
    let Some(package) = outside("SARIF", "MCPFLEET_TEST_SARIF") else { return };
    let schema = package.join("node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json");
    reports("sarif", |report| passes(&mut check_json(&checkers, &schema, report)));
    // And the schema is really looked at.
    let wrong = folder(&[("report", "{\"version\": \"2.1.0\", \"runs\": [{}]}")]);
    let mut command = check_json(&checkers, &schema, &wrong.path().join("report"));
    assert!(!command.output().expect("it starts").status.success());
}

/// GitLab publishes no schema; this one has the fields that its documentation lists for the code quality report.
#[test]
fn code_quality_is_what_gitlab_says_it_is() {
    let Some(checkers) = outside("code quality", "MCPFLEET_TEST_REPORT_CHECKERS") else { return };
    let schema = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reports/gitlab.schema.json");
    reports("gitlab", |report| passes(&mut check_json(&checkers, &schema, report)));
    reports("gitlab", |report| {
        let text = std::fs::read_to_string(report).expect("a report");
        let issues: Vec<serde_json::Value> = serde_json::from_str(&text).expect("a list");
        let prints: std::collections::BTreeSet<_> = issues.iter().map(|issue| issue["fingerprint"].as_str()).collect();
        assert_eq!(prints.len(), issues.len(), "fingerprints are unique: {text}");
    });
}

#[test]
fn junit_is_what_jenkins_says_it_is() {
    let Some(checkers) = outside("JUnit", "MCPFLEET_TEST_REPORT_CHECKERS") else { return };
    let check = |report: &Path| {
        let mut command = Command::new(checkers.join("bin/xmlschema-validate"));
        command.arg("--schema").arg(checkers.join("junit-10.xsd")).arg(report);
        command
    };
    reports("junit", |report| passes(&mut check(report)));
    let wrong = folder(&[("report", "<testsuites><testcase/></testsuites>")]);
    assert!(!check(&wrong.path().join("report")).output().expect("it starts").status.success());
}
