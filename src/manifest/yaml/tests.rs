use super::*;
use crate::manifest::Code;
use std::time::{Duration, Instant};

/// The findings of a text: code, line, column, length.
fn findings(text: &str) -> Vec<(Code, u32, u32, u32)> {
    let text = Text::new("f.yaml", text.as_bytes()).expect("a readable text");
    let mut found: Vec<_> =
        read(&text).findings.iter().map(|f| (f.code, f.mark.line, f.mark.column, f.mark.length)).collect();
    found.sort_by_key(|f| (f.1, f.2));
    found
}

fn document(text: &str) -> Node<'static> {
    let text: &'static str = text.to_owned().leak();
    let text = Text::new("f.yaml", text.as_bytes()).expect("a readable text");
    let mut reading = read(&text);
    assert_eq!(reading.findings, [], "{}", text.as_str());
    assert_eq!(reading.documents.len(), 1);
    match reading.documents.remove(0).content {
        Content::Valid(node) => node,
        refused => panic!("{refused:?}"),
    }
}

fn number(text: &str, amount: Amount) -> Value<'static> {
    Value::Number(Box::new(Number { text: text.to_owned().into(), amount }))
}

#[test]
fn values_have_the_places_where_they_are_written() {
    let root = document("a: x\nlist:\n  - \"größe\"\n  - 1.10\nempty:\nlast: {k: ~}\n");
    let mark = |line, column, length| Mark { line, column, length };
    assert_eq!(root.mark, mark(1, 1, 1));
    assert_eq!(root.get("a").map(|n| n.mark), Some(mark(1, 4, 1)));
    let Some(Node { value: Value::List(list), .. }) = root.get("list") else { panic!() };
    let places: Vec<Mark> = list.iter().map(|n| n.mark).collect();
    assert_eq!(places, [mark(3, 5, 7), mark(4, 5, 4)]);
    assert_eq!(list.get(1).map(|n| &n.value), Some(&number("1.10", Amount::Float(1.1))));
    // What is not there is where its key is.
    assert_eq!(root.get("empty").map(|n| n.mark), Some(mark(5, 1, 5)));
    assert_eq!(root.get("last").and_then(|n| n.get("k")).map(|n| n.mark), Some(mark(6, 11, 1)));
}

#[test]
fn scalars_are_what_they_look_like() {
    let integer = |text: &str, amount| number(text, Amount::Integer(amount));
    let unclear = |text: &str| number(text, Amount::Unclear);
    let string = |text: &str| Value::String(text.to_owned().into());
    for (text, value) in [
        ("12", integer("12", 12)),
        ("-3", integer("-3", -3)),
        ("0x1f", integer("0x1f", 31)),
        ("0123", unclear("0123")),
        ("\"0123\"", string("0123")),
        ("true", Value::Bool(true)),
        ("yes", string("yes")),
        ("~", Value::Null),
        ("'~'", string("~")),
        ("2026-01-01", string("2026-01-01")),
        ("1_000", string("1_000")),
        ("|\n  two\n  lines\n", string("two\nlines\n")),
        (">-\n  one\n  line\n", string("one line")),
        ("\"a\\u0000b\"", string("a\0b")),
        ("'it''s'", string("it's")),
        ("a\n  b", string("a b")),
    ] {
        assert_eq!(document(&format!("k: {text}\n")).get("k").map(|n| &n.value), Some(&value), "{text}");
    }
    for float in [".inf", "-.inf", ".nan", "1e3", "340282366920938463463374607431768211455"] {
        let root = document(&format!("k: {float}"));
        assert!(matches!(&root.get("k").unwrap().value, Value::Number(n) if n.text == float), "{root:?}");
    }
}

#[test]
fn what_hides_something_is_refused_with_its_place() {
    use Code::*;
    for (text, expected) in [
        ("a: &x 1\nb: *x\n", vec![(Anchor, 1, 4, 4), (Alias, 2, 4, 2)]),
        ("a:\n  <<: {b: 1}\n", vec![(MergeKey, 2, 3, 2)]),
        ("a: !!str 1\n", vec![(Tag, 1, 4, 7)]),
        ("a: 1\nb: 2\n\"a\": 3\n", vec![(DuplicateKey, 3, 1, 3)]),
        (
            "x:\n  a: 1\n  a: 2\n  a: 3\nx: 4\n",
            vec![(DuplicateKey, 3, 3, 1), (DuplicateKey, 4, 3, 1), (DuplicateKey, 5, 1, 1)],
        ),
        ("? [a]\n: 1\n", vec![(KeyType, 1, 3, 1)]),
        ("1: x\ntrue: y\n~: z\n", vec![(KeyType, 1, 1, 1), (KeyType, 2, 1, 4), (KeyType, 3, 1, 1)]),
        ("a: [1\nb: 2\n", vec![(Syntax, 2, 2, 1)]),
        ("a: 'x\n", vec![(Syntax, 1, 4, 1)]),
        ("a: @x\n", vec![(Syntax, 1, 4, 1)]),
        ("- a\nb: c\n", vec![(Syntax, 2, 1, 1)]),
    ] {
        assert_eq!(findings(text), expected, "{text}");
    }
    let many: String = (0..40).map(|i| format!("k{i}: 1\n")).chain(["k7: 2\n".to_owned()]).collect();
    assert_eq!(findings(&many), [(DuplicateKey, 41, 1, 2)]);
}

#[test]
fn documents_are_told_apart() {
    let read_all = |text: &str| {
        let text = Text::new("f.yaml", text.as_bytes()).unwrap();
        let reading = read(&text);
        let marks: Vec<u32> = reading.documents.iter().map(|d| d.mark.line).collect();
        (marks, reading.findings.len())
    };
    for (text, expected) in [
        ("", (vec![], 0)),
        ("# only a comment\n", (vec![], 0)),
        ("---\n---\n# nothing\n---\n", (vec![], 0)),
        ("a: 1\n---\nb: 2\n...\n---\n---\nc: 3\n", (vec![1, 3, 7], 0)),
        ("%YAML 1.2\n---\na: 1\n", (vec![3], 0)),
        // What comes before a mistake is still read.
        ("a: 1\n---\nb: [\n", (vec![1, 3], 1)),
    ] {
        assert_eq!(read_all(text), expected, "{text:?}");
    }
}

#[test]
fn a_refused_document_still_says_what_it_is_about() {
    for text in [
        "kind: app\nmetadata: {name: web}\nspec: &a {}\n",
        "kind: app\nmetadata:\n  labels: {a: b}\n  name: web\nspec: [\n",
        "kind: app\nmetadata:\n  name: web\n  1: x\n",
    ] {
        let text = Text::new("f.yaml", text.as_bytes()).unwrap();
        let reading = read(&text);
        let [Document { content: Content::Refused { kind, name }, .. }] = &*reading.documents else { panic!() };
        assert_eq!((kind.as_deref(), name.as_deref()), (Some("app"), Some("web")), "{}", text.as_str());
    }
}

#[test]
fn hostile_texts_cost_no_more_than_their_size() {
    let bomb = (1..9).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, i| {
        let refs = vec![format!("*a{}", i - 1); 9].join(", ");
        format!("{text}a{i}: &a{i} [{refs}]\n")
    });
    let limit = 1024 * 1024;
    for (what, text, code) in [
        ("brackets", "[".repeat(100_000), Some(Code::Nesting)),
        ("braces", "{a: ".repeat(100_000), Some(Code::Nesting)),
        ("dashes", "- ".repeat(100_000), Some(Code::Nesting)),
        ("complex keys", "? ".repeat(100_000), Some(Code::KeyType)),
        ("bomb", bomb, Some(Code::Anchor)),
        ("documents", "---\na\n".repeat(10_001), Some(Code::TooManyDocuments)),
        ("open string", format!("a: \"{}", "x ".repeat(limit / 2 - 10)), Some(Code::Syntax)),
        ("one line", format!("a: {}", "x ".repeat(limit / 2 - 10)), None),
        ("many lines", "x\n".repeat(limit / 2), None),
        ("long list", format!("[{}]", "a,".repeat(limit / 8)), None),
        ("flow pairs", format!("[{}]", "a: b,".repeat(limit / 20)), None),
        ("many keys", (0..30_000).map(|i| format!("k{i}: \n")).collect(), None),
        ("colons", ":".repeat(limit), None),
        ("hashes", " #".repeat(limit / 2), None),
        ("question marks", "?\n".repeat(limit / 8), Some(Code::DuplicateKey)),
        ("quotes", "''".repeat(limit / 2), None),
        ("escapes", format!("\"{}\"", "\\n".repeat(limit / 2 - 2)), None),
        ("bangs", "!".repeat(limit), Some(Code::Syntax)),
        ("directives", "%TAG !a! x\n".repeat(limit / 11), Some(Code::Syntax)),
        ("indents", (0..1000).map(|i| format!("{}a:\n", " ".repeat(i))).collect(), Some(Code::Nesting)),
    ] {
        let start = Instant::now();
        let text = Text::new("f.yaml", text.as_bytes()).unwrap();
        let reading = read(&text);
        let took = start.elapsed();
        if let Some(code) = code {
            assert_eq!(reading.findings.first().map(|f| f.code), Some(code), "{what}");
        }
        assert!(took < Duration::from_secs(30), "{what} took {took:?}");
    }
}
