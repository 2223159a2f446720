//! The pages are a book: each is in its table of contents, and none leads out of it.

use super::{pages, root};
use std::{collections::BTreeSet, fs, path::PathBuf};

/// What is between `](` and `)` in a text.
pub fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

#[test]
fn every_page_is_in_the_table_of_contents_once() {
    let docs = root().join("docs");
    let summary = docs.join("SUMMARY.md");
    let written: BTreeSet<PathBuf> =
        pages().into_iter().filter(|page| page.starts_with(&docs) && *page != summary).collect();
    let text = fs::read_to_string(&summary).expect("a readable page");
    let listed: Vec<PathBuf> = targets(&text).map(|target| docs.join(target)).collect();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), written);
    assert_eq!(listed.len(), written.len(), "a page is listed twice");
}

#[test]
fn the_book_needs_nothing_outside_of_its_folder() {
    let docs = root().join("docs");
    for page in pages().into_iter().filter(|page| page.starts_with(&docs)) {
        let text = fs::read_to_string(&page).expect("a readable page");
        let folder = page.parent().expect("a page is in a folder").canonicalize().expect("a folder");
        for target in targets(&text).filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let file = folder.join(target.split('#').next().unwrap_or_default());
            let file = file.canonicalize().unwrap_or_else(|error| panic!("{}: {target}: {error}", page.display()));
            assert!(file.starts_with(docs.canonicalize().expect("a folder")), "{}: {target}", page.display());
        }
    }
}
