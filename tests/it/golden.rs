//! Every invalid fixture has its diagnostics written down, every valid one the model that it becomes.
//!
//! `UPDATE_GOLDEN=1 cargo nextest run golden` writes them anew: look at the difference before it is committed.

use mcpfleet::manifest::{Code, Severity, cross_check, parse_file, render::Report};
use mcpfleet::resource::Resource;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(!files.is_empty());
    files
}

/// The diagnostics of a file that is a source of its own, as they are printed.
fn diagnostics(path: &Path) -> (String, bool) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let file = parse_file(name, &fs::read(path).unwrap());
    let mut diagnostics = file.diagnostics.clone();
    diagnostics.extend(cross_check(&file.resources));
    diagnostics.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    let valid = diagnostics.iter().all(|d| d.severity == Severity::Warning);
    let text = Report::new(1, file.resources.len(), &diagnostics).text();
    (anstream::adapter::strip_str(&text).to_string(), valid)
}

/// Compares with what is written down, or writes it down.
fn compare(golden: &Path, actual: &str, different: &mut Vec<String>) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(golden, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(golden).unwrap_or_default();
    if expected != actual {
        let name = golden.file_name().unwrap().to_string_lossy();
        different.push(format!("{name}: expected\n{expected}\nfound\n{actual}"));
    }
}

#[test]
fn invalid_files_say_what_is_wrong() {
    let mut different = Vec::new();
    for path in fixtures("invalid") {
        let (text, valid) = diagnostics(&path);
        assert!(!valid, "{} is valid", path.display());
        compare(&path.with_extension("txt"), &text, &mut different);
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn valid_files_become_the_model() {
    let mut different = Vec::new();
    for path in fixtures("valid") {
        let (text, valid) = diagnostics(&path);
        assert!(valid, "{}:\n{text}", path.display());
        let resources = parse_file("f.yaml", &fs::read(&path).unwrap()).resources;
        let values: Vec<serde_json::Value> = resources
            .iter()
            .map(|located| match &located.resource {
                Resource::App(app) => serde_json::to_value(&**app),
                Resource::Role(role) => serde_json::to_value(&**role),
                Resource::User(user) => serde_json::to_value(&**user),
            })
            .collect::<Result<_, _>>()
            .unwrap();
        let model = serde_json::to_string_pretty(&values).unwrap() + "\n" + &text;
        compare(&path.with_extension("txt"), &model, &mut different);
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Codes that no single file can have: those of reading a folder, of the agent's configuration, and of files too
/// large to be kept as a fixture.
const ELSEWHERE: &[&str] = &[
    // Risks, which `parse_file` does not look for: see the tests of `manifest::risk`, and of what `explain` says.
    "container-not-removed",
    "host-access",
    "literal-secret",
    "loose-pattern",
    "no-host-user",
    "privileged-container",
    "refused-by-agent",
    "secret-in-clear",
    "unpinned-image",
    "unpinned-package",
    "unselected",
    "unreadable",
    "file-too-large",
    "special-file",
    "file-name",
    "too-deep",
    "symlink-escapes",
    "symlink-dangling",
    "symlink-loop",
    "too-many-documents",
    "not-yet-supported",
    "invalid-address",
    "open-gateway",
];

#[test]
fn every_code_has_a_fixture() {
    let codes: BTreeSet<String> = Code::ALL.iter().map(Code::to_string).collect();
    assert!(codes.len() > 40, "{codes:?}");

    let texts: String =
        ["invalid", "valid"].iter().flat_map(|kind| fixtures(kind)).map(|p| diagnostics(&p).0).collect();
    let missing: Vec<&String> = codes
        .iter()
        .filter(|code| !ELSEWHERE.contains(&code.as_str()) && !texts.contains(&format!("[{code}]")))
        .collect();
    assert!(missing.is_empty(), "no fixture has {missing:?}");
}
