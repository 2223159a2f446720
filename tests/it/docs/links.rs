//! Links lead somewhere, to the heading that they name too.

use super::{book::targets, pages};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A page without its fenced blocks.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        if !is_fence && !fenced {
            prose.push_str(line);
            prose.push('\n');
        }
        fenced ^= is_fence;
    }
    prose
}

/// The anchors of a page, as forges and mdBook make them: letters, digits, `-` and `_` of the heading in lower case, blanks
/// as `-`, and a number behind those that come again.
fn anchors(prose: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        let name: String = kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect();
        let times = seen.entry(name.clone()).and_modify(|times| *times += 1).or_insert(0);
        if *times == 0 { name } else { format!("{name}-{times}") }
    };
    headings.map(anchor).collect()
}

#[test]
fn links_in_the_documentation_lead_somewhere() {
    let texts: BTreeMap<PathBuf, String> = pages()
        .into_iter()
        .map(|page| (page.canonicalize().expect("a page"), prose(&fs::read_to_string(&page).expect("a readable page"))))
        .collect();
    let mut seen = 0;
    let mut dangling = Vec::new();
    for (page, text) in &texts {
        let folder = page.parent().expect("a page is in a folder");
        for target in targets(text).filter(|target| !target.contains("://")) {
            seen += 1;
            let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
            let file = if file.is_empty() { Ok(page.clone()) } else { folder.join(file).canonicalize() };
            let headed = |file: &Path, anchor: &str| {
                texts.get(file).is_some_and(|text| anchors(text).iter().any(|known| known == anchor))
            };
            if !file.is_ok_and(|file| anchor.is_none_or(|anchor| headed(&file, anchor))) {
                dangling.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(dangling.is_empty(), "{dangling:#?}");
    assert!(seen > 100, "only {seen} links were found");
}

#[test]
fn anchors_are_made_as_forges_do() {
    let page = prose("# One\n```text\n# no heading\n```\n## `gateway.auth`: open, or not\n## One\n");
    assert_eq!(anchors(&page), ["one", "gatewayauth-open-or-not", "one-1"]);
}
