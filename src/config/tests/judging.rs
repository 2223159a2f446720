//! Sources whose commits are judged, and what of them is shown.

use super::*;

#[test]
fn settings_for_judging_stand_alone_or_in_a_source() {
    let read = |text: &str, source: Option<&str>| Judging::read("a.yaml", text.as_bytes(), source, &root());
    let good = |text: &str, source: Option<&str>| {
        let read = read(text, source);
        read.value.unwrap_or_else(|| panic!("{text}: {:#?}", read.diagnostics)).authorization.max_commits
    };
    let one = "{name: a, git: {url: /a.git}, authorization: {max_commits: 7}}";
    let other = "{name: b, git: {url: /b.git}, authorization: {max_commits: 8}}";
    let directory = "{name: c, directory: {path: c}}";
    assert_eq!(good("authorization: {max_commits: 6}", None), 6);
    assert_eq!(good("version: v1\nauthorization: {}", None), 100_000);
    assert_eq!(good(&format!("sources: [{directory}, {one}]\ngateway: {{auth: open}}"), None), 7);
    assert_eq!(good(&format!("sources: [{one}, {other}]"), Some("b")), 8);
    for (text, source, expected) in [
        (format!("sources: [{one}, {other}]"), None, "this configuration has several git sources"),
        (format!("sources: [{one}]"), Some("x"), "this configuration has no git source `x`"),
        (format!("sources: [{directory}]"), None, "this configuration has no git source, and no `authorization`"),
        (String::new(), None, "this configuration has no git source, and no `authorization`"),
        ("authorization: {max_comits: 6}".into(), None, "unknown field `max_comits` in `authorization`"),
        ("authorization: {}\nsources: []".into(), None, "unknown field `sources`"),
    ] {
        let read = read(&text, source);
        let messages: Vec<_> = read.diagnostics.iter().map(|d| d.message.as_str()).collect();
        assert_eq!((read.value, messages), (None, vec![expected]), "{text}");
    }
}

#[test]
fn credentials_in_urls_are_not_repeated() {
    let text = "sources: [{name: a, git: {url: 'https://me:geheim@git.example.com/a@b.git', x: 'http://geheim@h'}}]";
    for read in [read_with(text, &[]), read_with("", &["sources[0].git.url=https://geheim@x"])] {
        assert!(read.value.is_none());
        assert!(!read.diagnostics.is_empty());
        let shown = serde_json::to_string(&read.diagnostics).unwrap_or_default();
        assert!(!shown.contains("geheim"), "{shown}");
    }
    let shown = read_with(text, &[]).diagnostics.first().and_then(|d| d.line_text.clone()).unwrap_or_default();
    assert_eq!(
        shown,
        "sources: [{name: a, git: {url: 'https://*********@git.example.com/a@b.git', x: 'http://******@h'}}]"
    );
}
