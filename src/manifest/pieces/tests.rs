use super::*;
use crate::{manifest::parse_file, resource::Kind};
use proptest::{collection, prelude::*};

fn app(name: &str) -> String {
    format!("kind: app\nversion: v3\nmetadata: {{name: {name}}}\nspec: {{mcp: {{command: x}}}}\n")
}

fn id(name: &str) -> ResourceId {
    ResourceId { kind: Kind::App, name: name.to_owned() }
}

fn pieces(text: &str) -> Pieces<'_> {
    Pieces::read("f.yaml", text.as_bytes()).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn names(bytes: &[u8]) -> Vec<String> {
    parse_file("f.yaml", bytes).resources.iter().map(|l| l.resource.metadata().name.clone()).collect()
}

#[test]
fn one_document_is_changed_and_the_others_stay() {
    let [a, b, c] = ["a", "b", "c"].map(app);
    for (what, file, replaced, removed) in [
        ("the only one", b.clone(), "NEW\n".to_owned(), None),
        ("a comment before", format!("# b\n{b}"), "NEW\n".into(), None),
        ("the first", format!("{b}---\n{c}"), format!("NEW\n---\n{c}"), Some(format!("---\n{c}"))),
        ("the last", format!("{a}---\n# b\n{b}"), format!("{a}---\nNEW\n"), Some(a.clone())),
        (
            "between",
            format!("# a\n{a}# still a\n---  # mark\n# b\n{b}\n---\n{c}"),
            format!("# a\n{a}# still a\n---  # mark\nNEW\n---\n{c}"),
            Some(format!("# a\n{a}# still a\n---\n{c}")),
        ),
        (
            "ends",
            format!("{a}...\n---\n# b\n{b}...\n---\n# c\n{c}..."),
            format!("{a}...\n---\nNEW\n...\n---\n# c\n{c}..."),
            Some(format!("{a}...\n---\n# c\n{c}...")),
        ),
        (
            "a directive",
            format!("{a}...\n%YAML 1.2\n---\n{b}"),
            format!("{a}...\n%YAML 1.2\n---\nNEW\n"),
            Some(format!("{a}...\n")),
        ),
        (
            "an end that a directive needs",
            format!("{a}---\n{b}...\n%YAML 1.2\n---\n{c}"),
            format!("{a}---\nNEW\n...\n%YAML 1.2\n---\n{c}"),
            Some(format!("{a}...\n%YAML 1.2\n---\n{c}")),
        ),
        ("no line end", format!("{b}---\n{}", c.trim_end()), format!("NEW\n---\n{}", c.trim_end()), None),
        ("nothing else", format!("---\n# nothing\n---\n{b}---\n"), "---\n# nothing\n---\nNEW\n---\n".into(), None),
        ("a byte order mark", format!("\u{feff}{b}---\n{c}"), format!("\u{feff}NEW\n---\n{c}"), None),
        (
            "carriage returns",
            format!("{b}---\n{c}").replace('\n', "\r\n"),
            format!("NEW\n---\n{c}").replace('\n', "\r\n"),
            None,
        ),
        (
            "on the line of the marker",
            format!("{a}--- {{kind: app, metadata: {{name: b}}}}\n---\n{c}"),
            format!("{a}---\nNEW\n---\n{c}"),
            Some(format!("{a}---\n{c}")),
        ),
    ] {
        let found = pieces(&file);
        let index = found.find(&id("b")).unwrap_or_else(|| panic!("{what}: {found:?}"));
        assert_eq!(text(found.replace(index, "NEW\n")), replaced, "{what}");
        if let Some(removed) = removed {
            assert_eq!(found.remove(index).map(text), Some(removed), "{what}");
        }
    }
    assert_eq!(pieces(&format!("# only\n---\n# b\n{b}")).remove(1), None);
}

#[test]
fn the_text_of_a_document() {
    let b = app("b");
    for (file, body) in [
        (format!("# b\n{b}"), format!("# b\n{b}")),
        (format!("%YAML 1.2\n---\n{b}...\n"), b.clone()),
        (format!("\u{feff}{}", b.trim_end().replace('\n', "\r\n")), b.clone()),
        ("---   {kind: app, metadata: {name: b}}".to_owned(), "{kind: app, metadata: {name: b}}\n".to_owned()),
    ] {
        let found = pieces(&file);
        assert_eq!(found.find(&id("b")).map(|index| found.body(index)), Some(body), "{file}");
    }
}

#[test]
fn a_document_is_added_at_the_end() {
    let (a, b) = (app("a"), app("b"));
    for (file, expected) in [
        (String::new(), b.clone()),
        ("# head\n".to_owned(), format!("# head\n{b}")),
        (a.clone(), format!("{a}---\n{b}")),
        (a.trim_end().to_owned(), format!("{a}---\n{b}")),
        (format!("{a}...\n"), format!("{a}...\n---\n{b}")),
        (a.replace('\n', "\r\n"), format!("{a}---\n{b}").replace('\n', "\r\n")),
    ] {
        assert_eq!(text(pieces(&file).append(&b)), expected);
    }
}

#[test]
fn what_is_not_clear_is_not_touched() {
    for file in [format!("{}---\na: [\n---\n{}", app("a"), app("c")), "a: 1\n\0".to_owned(), "\u{7}".to_owned()] {
        assert!(Pieces::read("f.yaml", file.as_bytes()).is_err(), "{file:?}");
    }
}

/// Texts between documents that mean nothing.
fn separator() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("---\n"),
        Just("--- # mark\n# after\n"),
        Just("# before\n---\n"),
        Just("...\n---\n"),
        Just("...\n# between\n---\n"),
        Just("---\n---\n"),
        Just("---\n# nothing\n---\n\n"),
        Just("...\n%YAML 1.2\n---\n"),
    ]
}

proptest! {
    #[test]
    fn only_what_is_meant_changes(
        head in prop_oneof![Just(""), Just("---\n"), Just("# head\n\n"), Just("\u{feff}# head\n---\n")],
        separators in collection::vec(separator(), 0..5),
        tail in prop_oneof![Just(""), Just("..."), Just("...\n# tail"), Just("# tail\n"), Just("---\n")],
        crlf: bool,
        chosen: prop::sample::Index,
    ) {
        let count = separators.len() + 1;
        let mut file = format!("{head}{}", app("n0"));
        for (i, separator) in separators.iter().enumerate() {
            file += separator;
            file += &app(&format!("n{}", i + 1));
        }
        file += tail;
        if crlf {
            file = file.replace('\n', "\r\n");
        }
        let all: Vec<String> = (0..count).map(|i| format!("n{i}")).collect();
        prop_assert_eq!(&names(file.as_bytes()), &all);
        let found = pieces(&file);
        let chosen = chosen.index(count);
        let index = found.find(&id(&format!("n{chosen}"))).expect("it is there");

        let replaced = found.replace(index, &app("new"));
        let mut expected = all.clone();
        expected[chosen] = "new".to_owned();
        prop_assert_eq!(names(&replaced), expected);

        let mut expected = all.clone();
        expected.remove(chosen);
        match found.remove(index) {
            Some(removed) => prop_assert_eq!(names(&removed), expected),
            None => prop_assert_eq!(count, 1),
        }

        prop_assert_eq!(names(&found.append(&app("new"))), [all, vec!["new".to_owned()]].concat());
        // What is put back where it was changes nothing, but for the end of the last line.
        let same = found.replace(index, &found.body(index));
        prop_assert_eq!(names(&same), names(file.as_bytes()));
    }
}
