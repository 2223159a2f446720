//! Files of strangers: bounded, never a panic, and never a secret in what is said or written.

use mcpfleet::{
    author::{
        AuthorError,
        import::{Content, Existing, Format, Import, Options, import, report},
    },
    manifest::{Severity, parse_file, render},
};
use proptest::prelude::*;
use serde_json::{Value, json};

const FORMATS: [Option<Format>; 5] =
    [None, Some(Format::McpServers), Some(Format::VsCode), Some(Format::ServerJson), Some(Format::Tctl)];

/// All that a user gets to see or a repository gets to hold.
fn visible(result: &Result<Import, AuthorError>) -> String {
    match result {
        Ok(imported) => {
            let texts: String = imported.apps.iter().map(|app| app.text.clone()).collect();
            format!("{texts}{}{imported:?}", report(imported, "f.json", &Existing::new(), None))
        }
        Err(AuthorError::Invalid(diagnostics)) => {
            diagnostics.iter().map(render::text).collect::<String>() + &format!("{diagnostics:?}")
        }
        Err(error) => error.to_string(),
    }
}

/// Values with the names that are looked for, in places where they may not be.
fn anything() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("mcpServers"),
        Just("servers"),
        Just("inputs"),
        Just("command"),
        Just("args"),
        Just("env"),
        Just("url"),
        Just("headers"),
        Just("type"),
        Just("packages"),
        Just("remotes"),
        Just("name"),
        Just("kind"),
        Just("app"),
        Just("metadata"),
        Just("spec"),
        Just("mcp"),
        Just("value"),
        Just("variables"),
        Just("environmentVariables"),
        Just("registryType"),
        Just("npm"),
        Just("identifier"),
        Just("${X}"),
        Just("${input:a}"),
        Just("${"),
        Just("{a}"),
        Just("http://a"),
        Just("mcp+http://a"),
        Just("stdio"),
        Just("\u{202e}"),
        Just("")
    ];
    let word = word.prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_imported_or_refused(value in anything()) {
        for format in FORMATS {
            let options = Options { format, ..Options::default() };
            if let Ok(imported) = import("f.json", value.to_string().as_bytes(), &options) {
                for app in &imported.apps {
                    let file = parse_file("a.yaml", app.text.as_bytes());
                    prop_assert!(file.diagnostics.iter().all(|d| d.severity != Severity::Error), "{}", app.text);
                    prop_assert_eq!(file.resources.len(), 1);
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_imported(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,200}") {
        for format in FORMATS {
            let options = Options { format, ..Options::default() };
            let _ = import("f", &bytes, &options);
            let _ = import("f", text.as_bytes(), &options);
        }
    }

    #[test]
    fn no_secret_is_ever_shown(secret in "ghp_[B-DF-HJ-NP-TVWb-df-hj-np-tvw0-9]{35}7", broken in any::<bool>(), name in "[A-Z]{1,8}", flag in "--[a-z]{1,8}") {
        let bearer = format!("Bearer {secret}");
        let url = format!("https://example.com/mcp?token={secret}");
        let user = format!("https://me:{secret}@example.com/mcp");
        let with = |extra: Value| {
            let mut server = json!({"command": "x", "args": []});
            server.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            json!({"mcpServers": {"a": server}, "servers": {"a": server}})
        };
        let package = |part: Value| json!({"name": "a/b", "packages": [{"registryType": "npm", "identifier": "x", "version": "1.0.0",
            "transport": {"type": "stdio"}, "environmentVariables": part}]});
        let files = [
            with(json!({"env": {name.clone(): secret}})),
            with(json!({"env": {name.clone(): format!("{secret}${{X}}")}})),
            with(json!({"env": {name.clone(): format!("${{X:-{secret}}}")}})),
            with(json!({"args": [flag, secret]})),
            with(json!({"args": [format!("{flag}={secret}")]})),
            with(json!({"args": [secret]})),
            with(json!({"args": ["--header", format!("Authorization: Bearer {secret}")]})),
            with(json!({"command": "env", "args": [format!("{name}={secret}"), "x"]})),
            with(json!({"args": [format!("Authorization:${{{name}}}")], "env": {name.clone(): bearer}})),
            with(json!({"command": "docker", "args": ["run", "-e", format!("{name}={secret}"), "image"]})),
            with(json!({"command": secret})),
            with(json!({"cwd": format!("/{secret}"), "env": {name.clone(): secret}})),
            json!({"mcpServers": {"a": {"url": "https://example.com", "headers": {"X-A": bearer}}}}),
            json!({"mcpServers": {"a": {"url": "https://example.com", "headers": {"X-A": format!("{secret}\n")}}}}),
            json!({"mcpServers": {"a": {"url": url}}}),
            json!({"mcpServers": {"a": {"url": user}}}),
            package(json!([{"name": name, "value": secret}])),
            package(json!([{"name": name, "default": secret}])),
            json!({"name": "a/b", "remotes": [{"type": "sse", "url": "https://example.com", "headers": [{"name": "X-A", "value": bearer}]}]}),
            json!([{"kind": "app", "version": "v3", "metadata": {"name": "a"}, "spec": {"mcp": {"command": "x", "args": [secret]}}}]),
            json!([{"kind": "app", "version": "v3", "metadata": {"name": "a"}, "spec": {"uri": "mcp+https://example.com",
                "rewrite": {"headers": [{"name": "X-A", "value": bearer}]}}}]),
        ];
        for file in files {
            let mut text = format!("{file:#}");
            if broken {
                text.push('}');
            }
            for format in FORMATS {
                let result = import("f.json", text.as_bytes(), &Options { format, ..Options::default() });
                let visible = visible(&result);
                // The folder is not looked at, and not of a secret's own.
                let visible = visible.replace(&format!("/{secret}"), "");
                prop_assert!(!visible.contains(&secret), "{text}\n{visible}");
            }
        }
    }
}

#[test]
fn a_value_is_found_where_it_was() {
    let file = br#"{"mcpServers": {"a": {"command": "x", "env": {"A_TOKEN": "t-1"}}}}"#;
    let imported = import("f", file, &Options::default()).unwrap();
    let Content::Found(found) = &imported.secrets[0].content else { panic!("{imported:?}") };
    assert_eq!((&*imported.secrets[0].name, found.reveal()), ("a-token", "t-1"));
}

#[test]
fn size_and_number_are_bounded() {
    let servers: serde_json::Map<String, Value> =
        (0..1001).map(|n| (format!("s{n}"), json!({"command": "x"}))).collect();
    let file = json!({ "mcpServers": servers }).to_string();
    assert!(matches!(import("f", file.as_bytes(), &Options::default()), Err(AuthorError::Refused(_))));
    let large = format!("{{\"mcpServers\": {{}}, \"x\": \"{}\"}}", "a".repeat(1 << 20));
    assert!(matches!(import("f", large.as_bytes(), &Options::default()), Err(AuthorError::Invalid(_))));
    let deep = format!("{{\"mcpServers\": {}{}}}", "[".repeat(90_000), "]".repeat(90_000));
    assert!(matches!(import("f", deep.as_bytes(), &Options::default()), Err(AuthorError::Invalid(_))));
}
