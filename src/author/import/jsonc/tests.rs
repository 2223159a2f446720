use super::*;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// The same as a value of serde_json.
fn plain(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::from(*value),
        Value::Number(number) => serde_json::from_str(&number.text).unwrap(),
        Value::String(text) => Json::from(&**text),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Map(entries) => entries.iter().map(|entry| (entry.key.to_string(), plain(&entry.value))).collect(),
    }
}

#[test]
fn comments_and_trailing_commas() {
    let text = "// head\n{ /* a \"b */ \"a\": [1, -2.5e3, true, null,], // \"x\": 1\n  \"b//c\": \"/* no */ \\u00e9\\ud83d\\udE00\\/\",\n}\n/* end */";
    let read = read(text).unwrap();
    assert_eq!(plain(&read), json!({"a": [1, -2500.0, true, null], "b//c": "/* no */ é😀/"}));
    let Value::Map(entries) = &read.value else { panic!("{read:?}") };
    let places: Vec<_> = entries.iter().map(|e| (e.mark.line, e.mark.column, e.value.mark.column)).collect();
    assert_eq!(places, [(2, 14, 19), (3, 3, 11)]);
}

#[test]
fn mistakes_have_a_place() {
    for (text, place, message) in [
        ("", (1, 1), "expected a value, found the end of the file"),
        ("{\"a\": }", (1, 7), "expected a value, found `}`"),
        ("{\"a\" 1}", (1, 6), "expected `:`, found `1`"),
        ("{a: 1}", (1, 2), "expected a key in double quotes, or `}`, found `a`"),
        ("[1 2]", (1, 4), "expected `,` or `]`, found `2`"),
        ("[1,\n  \"a\nb\"]", (2, 3), "the string has no end on its line"),
        ("/* a", (1, 1), "the comment has no end"),
        ("{\"a\": 1,\n \"a\": 2}", (2, 2), "the key `a` is there twice"),
        ("\"\\x\"", (1, 2), "there is no such escape in JSON"),
        ("\"\\ud800\"", (1, 2), "there is no such escape in JSON"),
        ("\"\\u12\"", (1, 2), "`\\u` is followed by four hexadecimal digits"),
        ("01", (1, 1), "this is not a number"),
        ("{} {}", (1, 4), "expected the end of the file, found `{`"),
        ("nul", (1, 1), "expected a value, found `n`"),
    ] {
        let finding = read(text).expect_err(text);
        assert_eq!(((finding.mark.line, finding.mark.column), &*finding.message), (place, message), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert!(read(&deep(MAX_DEPTH)).is_ok());
    let finding = read(&deep(100_000)).expect_err("too deep");
    assert_eq!(finding.code, Code::Nesting);
}

proptest! {
    #[test]
    fn json_is_read_as_json(text in "\\PC{0,24}", number: i64, float in -1e9f64..1e9, key in "[a-z\"\\\\\n]{1,6}") {
        let value = json!({"k": [text, number, float, {key: null, "other": {}}], "l": [[], false]});
        for written in [value.to_string(), format!("{value:#}")] {
            // Not the value itself: floats come back a little different.
            let strict: Json = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(plain(&read(&written).unwrap()), strict);
        }
    }

    #[test]
    fn whatever_it_is_it_is_read_or_refused(text in "[\\[\\]{}:,\"\\\\/*\n a1tu.-]{0,60}") {
        let strict: Result<Json, _> = serde_json::from_str(&text);
        let read = read(&text);
        // Lenient where JSON is strict, and never the other way round but for what is there twice.
        if let Ok(strict) = strict {
            match read {
                Ok(node) => prop_assert_eq!(plain(&node), strict),
                Err(finding) => prop_assert!(matches!(finding.code, Code::DuplicateKey | Code::Nesting), "{finding:?}"),
            }
        }
    }
}
