//! What the page's files may not have in them: the ways in which text becomes markup or code, and other hosts.

use std::{collections::BTreeSet, fs, path::Path};

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/status/web/assets");

/// What turns text into something else, or loads what is not the page's own.
const FORBIDDEN: &[&str] = &[
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "setHTML",
    "document.write",
    "createContextualFragment",
    "DOMParser",
    "srcdoc",
    "eval(",
    "new Function",
    "setTimeout(\"",
    "setInterval(\"",
    ".cssText",
    "style=",
    "\"style\"",
    "<style",
    "onclick=",
    "onload=",
    "onerror=",
    "javascript:",
    "@import",
    "https://",
    "sourceMappingURL",
];

fn files() -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(ASSETS)
        .expect("the page's files")
        .map(|entry| {
            let path = entry.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("text"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn text_stays_text() {
    for (name, text) in files() {
        for forbidden in FORBIDDEN {
            assert!(!text.contains(forbidden), "{name} has {forbidden}");
        }
        // The only address of another kind is the name of SVG's language, which nothing is fetched from.
        let others = text.matches("http://").count() - text.matches("http://www.w3.org/2000/svg").count();
        assert_eq!(others, 0, "{name} names another host");
    }
}

/// A script within a page would not run: the policy of the page forbids it.
#[test]
fn pages_have_no_scripts_of_their_own() {
    for (name, text) in files().iter().filter(|(name, _)| name.ends_with(".html")) {
        for script in text.split("<script").skip(1) {
            let (tag, rest) = script.split_once('>').expect("an end of the tag");
            assert!(tag.contains("src=") && rest.starts_with("</script>"), "{name}: <script{tag}>");
        }
    }
}

/// Each is served by its name, and what names another names one that is there.
#[test]
fn all_files_are_served_and_found() {
    let list = fs::read_to_string(Path::new(ASSETS).with_extension("rs")).expect("the list of files");
    let names: BTreeSet<String> = files().into_iter().map(|(name, _)| name).collect();
    for name in &names {
        assert!(list.contains(&format!("assets/{name}\"")), "{name} is in no list");
    }
    for (file, text) in files() {
        let imports = text.split("from \"./").skip(1).chain(text.split("import(\"./").skip(1));
        let links = text.split("=\"web/").skip(1);
        for found in imports.chain(links).filter_map(|rest| rest.split('"').next()) {
            assert!(names.contains(found), "{file} names {found}");
        }
    }
}

/// One who has none of them loads what the first view needs at once, and not one after the other.
#[test]
fn the_first_view_is_announced() {
    let all = files();
    let text =
        |wanted: &str| all.iter().find(|(name, _)| name == wanted).map(|(_, text)| text.as_str()).expect("a file");
    let announced: BTreeSet<&str> = text("index.html")
        .split("modulepreload\" href=\"web/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let mut needed = BTreeSet::new();
    let mut left = vec!["app.js"];
    while let Some(name) = left.pop() {
        for import in text(name).split("from \"./").skip(1).filter_map(|rest| rest.split('"').next()) {
            if needed.insert(import) {
                left.push(import);
            }
        }
    }
    assert_eq!(announced, needed);
}
