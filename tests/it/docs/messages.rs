//! Messages that the page on troubleshooting quotes are ones that the program has.

use super::root;
use std::fs;

/// All that is in the source, with strings that go on in the next line put together.
fn source() -> String {
    let files = walkdir::WalkDir::new(root().join("src")).into_iter().map(|entry| entry.expect("a readable tree"));
    let mut source = String::new();
    for file in files.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs")) {
        let text = fs::read_to_string(file.path()).expect("a readable file");
        let mut pieces = text.split("\\\n");
        source.push_str(pieces.next().unwrap_or_default());
        pieces.for_each(|piece| source.push_str(piece.trim_start()));
    }
    source
}

#[test]
fn quoted_messages_are_ours() {
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).expect("a readable page");
    let source = source();
    let mut seen = 0;
    for heading in page.lines().filter_map(|line| line.strip_prefix("### ")) {
        // What is quoted is between back quotes; `…` stands for what differs.
        for quoted in heading.split('`').skip(1).step_by(2) {
            seen += 1;
            for fixed in quoted.split('…').map(str::trim).filter(|fixed| !fixed.is_empty()) {
                assert!(source.contains(fixed), "nothing says {fixed:?}, which is quoted in: {heading}");
            }
        }
    }
    assert!(seen > 20, "only {seen} messages were found");
}
