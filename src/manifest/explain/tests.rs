use super::*;

#[test]
fn every_code_says_what_why_and_how() {
    for code in Code::ALL {
        let Explanation { summary, why, wrong, right, .. } = explain(*code);
        assert!(!summary.ends_with('.') && !summary.contains('\n') && summary.len() < 120, "{code}: {summary}");
        assert!(why.ends_with('.') && !why.contains('\n'), "{code}: {why}");
        assert!(wrong.ends_with('\n') && right.ends_with('\n') && wrong != right, "{code}");
    }
}

#[test]
fn the_examples_of_files_are_what_they_are_said_to_be() {
    use crate::manifest::{ParsedFile, check_file, cross_check, parse_file};
    let codes = |text: &str, read: fn(&str, &[u8]) -> ParsedFile| -> Vec<Code> {
        let file = read("example.yaml", text.as_bytes());
        file.diagnostics.into_iter().chain(cross_check(&file.resources)).map(|diagnostic| diagnostic.code).collect()
    };
    let is_resource = |text: &str| text.lines().any(|line| line.starts_with("kind:"));
    let (mut seen, mut false_ones) = (0, Vec::new());
    for code in Code::ALL {
        let Explanation { language, wrong, right, .. } = explain(*code);
        if language == Language::Yaml && is_resource(wrong) {
            seen += 1;
            let (of_wrong, of_right) = (codes(wrong, check_file), codes(right, parse_file));
            let risky = codes(right, check_file).contains(code);
            if !of_wrong.contains(code) || !of_right.is_empty() || risky {
                false_ones.push((code, of_wrong, of_right));
            }
        }
    }
    assert!(false_ones.is_empty(), "{false_ones:#?}");
    assert!(seen > 40, "only {seen} examples are resources");
}
