use super::*;
use proptest::prelude::*;
use serde_json::json;

fn entry(url: &str) -> Map<String, Value> {
    json!({ "url": url }).as_object().unwrap().clone()
}

fn one(name: &str, url: &str) -> Vec<(String, Map<String, Value>)> {
    vec![(name.to_owned(), entry(url))]
}

fn merged(text: &str) -> Merged {
    merge(text, "mcpServers", &one("a", "http://h/mcp/a"), false).unwrap()
}

const A: &str = "\"a\": {\n      \"url\": \"http://h/mcp/a\"\n    }";

#[test]
fn everything_else_stays_as_it_stands() {
    for (text, expected) in [
        ("", format!("{{\n  \"mcpServers\": {{\n    {A}\n  }}\n}}\n")),
        ("{}", format!("{{\n  \"mcpServers\": {{\n    {A}\n  }}\n}}")),
        (" {\n }\n", format!(" {{\n  \"mcpServers\": {{\n    {A}\n  }}\n}}\n")),
        (
            "{\n  \"z\": 1.0e5,\n  \"b\": [ 1,2 ]\n}\n",
            format!("{{\n  \"z\": 1.0e5,\n  \"b\": [ 1,2 ],\n  \"mcpServers\": {{\n    {A}\n  }}\n}}\n"),
        ),
        (
            "{\n  \"mcpServers\": {},\n  \"x\": 1\n}",
            format!("{{\n  \"mcpServers\": {{\n    {A}\n  }},\n  \"x\": 1\n}}"),
        ),
        (
            "{\n  \"mcpServers\": {\n    \"o\": {\"command\":\"x\"}\n  }\n}",
            format!("{{\n  \"mcpServers\": {{\n    \"o\": {{\"command\":\"x\"}},\n    {A}\n  }}\n}}"),
        ),
        ("{\"m\":1}", format!("{{\"m\":1,\n  \"mcpServers\": {{\n    {A}\n  }}}}")),
    ] {
        let merged = merged(text);
        assert_eq!(merged.text, expected, "{text:?}");
        assert_eq!(merged.changes, [("a".to_owned(), Change::Added)]);
    }
    let tabs = merged("{\n\t\"x\": 1\n}\n");
    assert_eq!(
        tabs.text,
        "{\n\t\"x\": 1,\n\t\"mcpServers\": {\n\t\t\"a\": {\n\t\t\t\"url\": \"http://h/mcp/a\"\n\t\t}\n\t}\n}\n"
    );
    assert!(merged("\u{feff}{}").text.starts_with("\u{feff}{\n"));
}

#[test]
fn entries_of_ours_are_updated_and_keep_what_the_user_added() {
    let text = r#"{"mcpServers":{"a":{"url":"http://old:1/mcp/a","headers":{"X":"y"}},"b":1}}"#;
    let updated = merged(text);
    assert_eq!(updated.changes, [("a".to_owned(), Change::Updated)]);
    let value: Value = serde_json::from_str(&updated.text).unwrap();
    assert_eq!(value, json!({"mcpServers": {"a": {"url": "http://h/mcp/a", "headers": {"X": "y"}}, "b": 1}}));
    // From the bridge to the URL.
    let text =
        r#"{"mcpServers":{"a":{"type":"stdio","command":"/x","args":["mcp","connect","a","--agent","/s"],"env":{}}}}"#;
    let value: Value = serde_json::from_str(&merged(text).text).unwrap();
    assert_eq!(value, json!({"mcpServers": {"a": {"url": "http://h/mcp/a", "env": {}}}}));
}

#[test]
fn the_same_again_changes_nothing() {
    for text in ["", "{\n    \"x\": [1.50]\n}\n", r#"{"mcpServers":{"o":{}}}"#] {
        let once = merged(text);
        let twice = merged(&once.text);
        assert_eq!(twice, Merged { text: once.text, changes: vec![("a".into(), Change::Unchanged)] });
    }
}

#[test]
fn entries_of_others_are_left_alone() {
    for present in
        [r#"{"command":"npx","args":["a"]}"#, r#"{"url":"http://h/mcp/ab"}"#, "1", r#"{"args":["mcp","connect","b"]}"#]
    {
        let text = format!(r#"{{"mcpServers":{{"a":{present}}}}}"#);
        let entries = one("a", "http://h/mcp/a");
        assert!(matches!(merge(&text, "mcpServers", &entries, false), Err(MergeError::Foreign(_))), "{present}");
        let forced = merge(&text, "mcpServers", &entries, true).unwrap();
        assert_eq!(forced.changes, [("a".to_owned(), Change::Updated)]);
        let value: Value = serde_json::from_str(&forced.text).unwrap();
        assert_eq!(value["mcpServers"]["a"], json!({"url": "http://h/mcp/a"}));
    }
}

#[test]
fn what_cannot_be_kept_is_not_touched() {
    let entries = one("a", "http://h/mcp/a");
    let refused = |text: &str| merge(text, "servers", &entries, true).unwrap_err().to_string();
    for text in ["{ // mine\n}", "{\"a\": 1,}", "{", "{} {}", "/* x */ {}", "{\"servers\": {\"x\": 01}}"] {
        let reason = refused(text);
        assert!(reason.contains("not plain JSON") && reason.contains("by hand"), "{text}: {reason}");
    }
    for text in ["[]", "1", "{\"servers\": []}", "{\"servers\": null}"] {
        assert!(refused(text).contains("is not an object"), "{text}");
    }
    for text in ["{\"servers\": {}, \"servers\": {}}", "{\"servers\": {\"a\": {}, \"\\u0061\": {}}}"] {
        assert!(refused(text).contains("twice"), "{text}");
    }
}

/// Any JSON value, nested a little.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~é\n]{0,8}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-zé\"]{0,5}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn only_what_is_ours_changes(
        rest in proptest::collection::btree_map("[a-zé\"]{0,5}", any_json(), 0..4),
        servers in proptest::option::of(proptest::collection::btree_map("[d-z]{1,3}", any_json(), 0..4)),
        names in proptest::collection::btree_set("[a-c]{1,2}", 0..4),
        compact: bool,
    ) {
        let mut before: Map<String, Value> = rest.into_iter().collect();
        if let Some(servers) = &servers {
            before.insert("servers".into(), Value::Object(servers.clone().into_iter().collect()));
        }
        let before = Value::Object(before);
        let text = if compact { before.to_string() } else { format!("{before:#}") };
        let entries: Vec<_> = names.iter().map(|name| (name.clone(), entry(&format!("http://h/mcp/{name}")))).collect();
        let merged = merge(&text, "servers", &entries, false).unwrap();
        let mut expected = before;
        if servers.is_none() {
            expected["servers"] = json!({});
        }
        for (name, entry) in &entries {
            expected["servers"][name] = Value::Object(entry.clone());
        }
        prop_assert_eq!(serde_json::from_str::<Value>(&merged.text).unwrap(), expected);
        prop_assert_eq!(merge(&merged.text, "servers", &entries, false).unwrap().text, merged.text);
    }
}
