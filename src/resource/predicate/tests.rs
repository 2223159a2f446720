use super::*;
use proptest::prelude::*;
use serde_json::json;

fn eval(text: &str, resource: Option<&Value>) -> bool {
    let user = json!({
        "metadata": {"name": "alice"},
        "spec": {"traits": {"team": ["web", "infra"], "one": ["web"], "two": ["web", "infra"]}},
    });
    Predicate::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")).eval(resource, &user)
}

fn app() -> Value {
    json!({
        "metadata": {"name": "alice", "labels": {"team": "web", "teleport.dev/origin": "git", "empty": ""}},
        "spec": {"mcp": {
            "command": "npx",
            "args": ["web", "infra"],
            "warm": 2,
            "env": {"TOKEN": {"secret": "x"}},
            "sandbox": {"network": false},
        }},
    })
}

#[test]
fn what_holds() {
    let app = app();
    for (text, expected) in [
        (r#"equals(resource.metadata.labels["team"], "web")"#, true),
        (r#"equals("web", resource.metadata.labels.team)"#, true),
        (r#"equals(resource.metadata.labels["teleport.dev/origin"], `git`)"#, true),
        (r#"equals("a\"\\\n", "a\"\\\n")"#, true),
        (r#"equals(user.metadata.name, resource.metadata.name)"#, true),
        (r#"contains(user.spec.traits["team"], "infra")"#, true),
        (r#"contains(user.spec.traits.team, resource.metadata.labels["team"])"#, true),
        (r#"contains(user.spec.traits.team, "Web")"#, false),
        (r#"contains(resource.spec.mcp.command, "npx")"#, false),
        (r#"equals(user.spec.traits.team, "web")"#, false),
        // A list of one is not its element.
        (r#"equals(user.spec.traits.one, "web")"#, false),
        (r#"equals(user.spec.traits.team, user.spec.traits.two)"#, true),
        (r#"equals(user.spec.traits.team, resource.spec.mcp.args)"#, true),
        (r#"equals(user.spec.traits.team, user.spec.traits.one)"#, false),
        (r#"equals(resource.spec.mcp.warm, "2")"#, true),
        (r#"equals(resource.spec.mcp.sandbox.network, "false")"#, true),
        (r#"equals(resource.spec.mcp.env["TOKEN"], "x")"#, false),
        // Absent.
        (r#"equals(resource.metadata.labels["none"], "")"#, true),
        (r#"equals(resource.metadata.description, "")"#, true),
        (r#"equals(resource.metadata.labels["empty"], "")"#, true),
        (r#"equals(resource.metadata.labels["none"], resource.metadata.labels["nor"])"#, false),
        (r#"equals(resource.metadata.labels["empty"], resource.metadata.labels["none"])"#, false),
        (r#"contains(user.spec.traits.none, "")"#, false),
        (r#"contains(user.spec.traits.team, resource.metadata.labels.none)"#, false),
        (r#"equals(resource.spec.uri, "mcp+stdio://")"#, false),
        // `!` binds tighter than `&&`, and that tighter than `||`.
        (r#"equals("a", "a") || equals("a", "a") && equals("a", "b")"#, true),
        (r#"(equals("a", "a") || equals("a", "a")) && equals("a", "b")"#, false),
        (r#"!equals("a", "b") && equals("a", "a")"#, true),
        (r#"!(equals("a", "b") || equals("a", "a"))"#, false),
        (r#" ! ! equals ( "a" , "a" ) "#, true),
    ] {
        assert_eq!(eval(text, Some(&app)), expected, "{text}");
    }
}

#[test]
fn without_a_resource_what_needs_one_is_false() {
    for (text, expected) in [
        (r#"equals(resource.metadata.name, "x")"#, false),
        (r#"!equals(resource.metadata.name, "x")"#, false),
        (r#"equals("a", "a") || equals(resource.metadata.name, "x")"#, false),
        (r#"equals(user.metadata.name, "alice")"#, true),
        (r#"!equals(user.metadata.name, "bob")"#, true),
    ] {
        assert_eq!(eval(text, None), expected, "{text}");
    }
}

#[test]
fn mistakes_and_where_they_are() {
    for (text, offset, message) in [
        ("", 0, "found the end"),
        ("equals", 6, "expected `(`"),
        (r#"equals("a")"#, 10, "expected `,`"),
        (r#"equals("a", "b""#, 15, "expected `)`"),
        (r#"equals("a", "b"))"#, 16, "unopened"),
        (r#"equals("a", "b") & x"#, 17, "expected `&&`"),
        (r#"equals("a", "b") && "#, 20, "found the end"),
        (r#"equals("a", 'b')"#, 12, "double quotes"),
        (r#"equals("a, "b")"#, 12, "expected `,`"),
        (r#"equals("a", "b)"#, 12, "does not end"),
        (r#"equals("a", "\q")"#, 13, "unknown escape"),
        (r#"has_prefix("a", "b")"#, 0, "expected `equals(…)`"),
        (r#"contains("a", "b")"#, 9, "list first"),
        ("equals(resource.metdata.name, \"a\")", 7, "did you mean `metadata`"),
        ("equals(ressource.metadata.name, \"a\")", 7, "did you mean `resource`"),
        ("equals(user.spec.roles, \"a\")", 7, "here there are `traits`"),
        ("equals(resource.metadata.labels, \"a\")", 7, "is a map"),
        ("equals(resource.metadata, \"a\")", 7, "ends too early"),
        ("equals(resource.metadata.name.x, \"a\")", 7, "nothing below"),
        ("equals(resource.metadata.labels[x], \"a\")", 32, "double quotes"),
        ("equals(resource., \"a\")", 16, "name after `.`"),
    ] {
        match check(text) {
            Ok(()) => panic!("{text} was accepted"),
            Err(e) => {
                assert!(e.message.contains(message), "{text}: {e}");
                assert_eq!(e.offset, offset, "{text}: {e}");
            }
        }
    }
}

#[test]
fn size_is_bounded() {
    let nested = |n: usize| format!("{}equals(\"\", \"\"){}", "(".repeat(n), ")".repeat(n));
    assert_eq!(check(&nested(31)), Ok(()));
    assert!(check(&nested(32)).is_err());
    assert!(check(&format!("{}equals(\"\", \"\")", "!".repeat(4000))).is_err());
    assert!(check(&format!("equals(\"\", \"{}\")", "x".repeat(5000))).is_err());
    assert_eq!(check(&vec!["equals(\"\", \"\")"; 200].join(" && ")), Ok(()));
}

/// A formula over constants, its text and its value.
fn formula() -> impl Strategy<Value = (String, bool)> {
    let leaf = any::<bool>().prop_map(|b| (format!("equals(\"a\", \"{}\")", if b { 'a' } else { 'b' }), b));
    leaf.prop_recursive(5, 24, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|(t, v)| (format!("!({t})"), !v)),
            (inner.clone(), inner.clone()).prop_map(|((a, x), (b, y))| (format!("({a}) && ({b})"), x && y)),
            (inner.clone(), inner).prop_map(|((a, x), (b, y))| (format!("({a}) || ({b})"), x || y)),
        ]
    })
}

proptest! {
    #[test]
    fn formulas_have_their_value((text, value) in formula()) {
        prop_assert_eq!(eval(&text, None), value, "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_inside(text in "[a-z!&|()\\[\\]\",.\\\\é`]{0,40}") {
        if let Err(e) = check(&text) {
            prop_assert!(e.offset <= text.len() && text.is_char_boundary(e.offset));
        }
    }
}
