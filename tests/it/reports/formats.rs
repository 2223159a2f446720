//! Each form is written down. `UPDATE_GOLDEN=1` writes them anew: look at the difference before it is committed.

use super::{ended, mistakes, validate};
use std::{fs, path::Path};

const FORMATS: [&str; 7] = ["text", "json", "yaml", "github", "gitlab", "sarif", "junit"];

#[test]
fn every_form_is_as_it_is_written_down() {
    let folder = mistakes();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reports");
    let mut different = Vec::new();
    for format in FORMATS {
        let file = format!("{format}=report");
        let output = validate(folder.path(), &[".", "-o", format, "-o", &file]).output().expect("it starts");
        let (code, printed, errors) = ended(output);
        assert_eq!((code, errors.as_str()), (1, ""), "{format}");
        let written = fs::read_to_string(folder.path().join("report")).expect("a report");
        assert_eq!(printed, written, "{format}: the same is printed and written");
        let actual = written.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        let path = golden.join(format);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(path, actual).expect("a file that can be written");
        } else if fs::read_to_string(path).unwrap_or_default() != actual {
            different.push(format!("{format}:\n{actual}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// What GitHub's runner takes for a command of a line.
fn is_command(line: &str) -> bool {
    line.trim_start().starts_with("::") || line.contains("##[")
}

#[test]
fn nobodys_text_is_a_command_to_a_runner() {
    let folder = mistakes();
    for format in FORMATS {
        let output = validate(folder.path(), &[".", "-o", format]).output().expect("it starts");
        let (_, printed, _) = ended(output);
        let commands: Vec<_> = printed.split(['\n', '\r']).filter(|line| is_command(line)).collect();
        let ours = |line: &&str| ["::error file=", "::warning file="].iter().any(|start| line.starts_with(start));
        assert!(commands.iter().all(|line| format == "github" && ours(line)), "{format}: {commands:#?}");
        assert_eq!(commands.len(), if format == "github" { 9 } else { 0 }, "{commands:#?}");
    }
}
