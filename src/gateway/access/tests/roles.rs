//! What a role says of the use of apps: every row of the resource reference.

use super::*;
use crate::resource::Verb;

/// What a user with these roles may do with the app `x`, which has the labels `{env: prod, team: docs}`: `None`, or of the
/// tools `get`, `get_all` and `put` those that it may call.
fn tools(version: u8, specs: &[&str]) -> Option<Vec<&'static str>> {
    let roles: Vec<String> = specs.iter().enumerate().map(|(n, spec)| role(version, &format!("r{n}"), spec)).collect();
    let names: Vec<String> = (0..specs.len()).map(|n| format!("r{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (user, app) = (user("ada", &names), app("x", "{env: prod, team: docs}"));
    let mut documents: Vec<&str> = roles.iter().map(String::as_str).collect();
    documents.extend([user.as_str(), &app]);
    let policy = policy_of(&[&documents], &[], &BTreeMap::new());
    let permit = permit(&policy, "ada", "x")?;
    Some(["get", "get_all", "put"].into_iter().filter(|tool| permit.allows_tool(tool)).collect())
}

const ALL: &[&str] = &["get", "get_all", "put"];
const NONE: &[&str] = &[];

/// Roles, and what they come to.
type Row = (&'static [&'static str], Option<&'static [&'static str]>);

const ROWS: &[Row] = &[
    // Absent or empty: no app.
    (&[], None),
    (&["{}"], None),
    (&["{allow: {}}"], None),
    (&["{allow: {mcp: {tools: [\"*\"]}}}"], None),
    (&["{allow: {app_labels: {}, mcp: {tools: [\"*\"]}}}"], None),
    (&["{allow: {app_labels: [], mcp: {tools: [\"*\"]}}}"], None),
    // An app without its tools: absent or empty, no tool.
    (&["{allow: {app_labels: {\"*\": \"*\"}}}"], Some(NONE)),
    (&["{allow: {app_labels: {\"*\": \"*\"}, mcp: {}}}"], Some(NONE)),
    (&["{allow: {app_labels: {\"*\": \"*\"}, mcp: {tools: []}}}"], Some(NONE)),
    // Which apps: each rule of selectors, and lists of them.
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [\"*\"]}}}"], Some(ALL)),
    (&["{allow: {app_labels: {env: [test, prod]}, mcp: {tools: [\"*\"]}}}"], Some(ALL)),
    (&["{allow: {app_labels: {env: \"^pr.*$\"}, mcp: {tools: [\"*\"]}}}"], Some(ALL)),
    (&["{allow: {app_labels: {env: \"p*\"}, mcp: {tools: [\"*\"]}}}"], Some(ALL)),
    (&["{allow: {app_labels: {env: test}, mcp: {tools: [\"*\"]}}}"], None),
    (&["{allow: {app_labels: {env: Prod}, mcp: {tools: [\"*\"]}}}"], None),
    (&["{allow: {app_labels: {env: prod, team: other}, mcp: {tools: [\"*\"]}}}"], None),
    (&["{allow: {app_labels: {env: prod, missing: \"*\"}, mcp: {tools: [\"*\"]}}}"], None),
    (&["{allow: {app_labels: [{env: test}, {team: docs}], mcp: {tools: [\"*\"]}}}"], Some(ALL)),
    // Which tools: literals, globs, expressions.
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [get]}}}"], Some(&["get"])),
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [Get]}}}"], Some(NONE)),
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [\"get*\"]}}}"], Some(&["get", "get_all"])),
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [\"*_*\"]}}}"], Some(&["get_all"])),
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [\"^(get|put)$\"]}}}"], Some(&["get", "put"])),
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [\"^get|x$\"]}}}"], Some(&["get", "get_all"])),
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [get, put]}}}"], Some(&["get", "put"])),
    // A role's tools count only for apps that the same role's labels match.
    (&["{allow: {app_labels: {env: prod}}}", "{allow: {app_labels: {env: test}, mcp: {tools: [\"*\"]}}}"], Some(NONE)),
    (&["{allow: {app_labels: {env: prod}}}", "{allow: {mcp: {tools: [\"*\"]}}}"], Some(NONE)),
    // Those of several add up.
    (
        &[
            "{allow: {app_labels: {env: prod}, mcp: {tools: [get]}}}",
            "{allow: {app_labels: {team: docs}, mcp: {tools: [put]}}}",
        ],
        Some(&["get", "put"]),
    ),
    // Denied apps are hidden, whoever allows them.
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [\"*\"]}}, deny: {app_labels: {team: docs}}}"], None),
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [\"*\"]}}}", "{deny: {app_labels: {\"*\": \"*\"}}}"], None),
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [get]}}, deny: {app_labels: {env: test}}}"], Some(&["get"])),
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [get]}}, deny: {app_labels: {}}}"], Some(&["get"])),
    // Denied tools are denied on every app, whatever labels the role that denies them has.
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [\"*\"]}}, deny: {mcp: {tools: [\"get*\"]}}}"], Some(&["put"])),
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [get]}}}", "{deny: {mcp: {tools: [\"^get$\"]}}}"], Some(NONE)),
    (
        &[
            "{allow: {app_labels: {env: prod}, mcp: {tools: [\"*\"]}}}",
            "{allow: {app_labels: {env: test}}, deny: {mcp: {tools: [put]}}}",
        ],
        Some(&["get", "get_all"]),
    ),
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [\"*\"]}}, deny: {mcp: {tools: [\"*\"]}}}"], Some(NONE)),
    (&["{allow: {app_labels: {env: prod}, mcp: {tools: [\"*\"]}}, deny: {mcp: {tools: []}}}"], Some(ALL)),
    // Rules are about other things.
    (&["{allow: {rules: [{resources: [\"*\"], verbs: [\"*\"]}]}}"], None),
    (
        &["{allow: {app_labels: {env: prod}, mcp: {tools: [get]}}, deny: {rules: [{resources: [\"*\"], verbs: \
             [\"*\"]}]}}"],
        Some(&["get"]),
    ),
];

#[test]
fn every_row() {
    for (specs, expected) in ROWS {
        for version in [4, 8] {
            assert_eq!(tools(version, specs).as_deref(), *expected, "v{version} {specs:?}");
        }
        // The order of roles never matters.
        let reversed: Vec<&str> = specs.iter().rev().copied().collect();
        assert_eq!(tools(8, &reversed).as_deref(), *expected, "{reversed:?}");
    }
}

#[test]
fn a_role_of_version_3_that_names_no_apps_is_about_all() {
    for (specs, expected) in [
        (&["{}"][..], Some(NONE)),
        (&["{allow: {}}"], Some(NONE)),
        (&["{allow: {mcp: {tools: [get]}}}"], Some(&["get"][..])),
        (&["{allow: {app_labels: {}, mcp: {tools: [get]}}}"], None),
        (&["{allow: {app_labels: {env: test}, mcp: {tools: [get]}}}"], None),
        (&["{deny: {}}"], Some(NONE)),
        (&["{deny: {app_labels: {env: prod}}}"], None),
    ] {
        assert_eq!(tools(3, specs).as_deref(), expected, "{specs:?}");
    }
}

#[test]
fn labels_that_are_found_out_count_too_but_never_against_those_that_are_written() {
    let role = role(8, "r", "{allow: {app_labels: {revision: v1, env: prod}, mcp: {tools: [get]}}}");
    let (user, app) = (user("ada", &["r"]), app("x", "{env: prod}"));
    let may = |dynamic: &[(&str, &str)]| {
        let dynamic = dynamic.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        permit(&policy_of(&[&[&role, &user, &app]], &[], &dynamic), "ada", "x").is_some()
    };
    assert!(may(&[("revision", "v1")]));
    assert!(may(&[("revision", "v1"), ("env", "test")]));
    assert!(!may(&[("revision", "v2")]));
    assert!(!may(&[]));
}

#[test]
fn a_label_that_is_not_known_yet_hides_from_whom_it_could_hide() {
    let role = role(
        8,
        "r",
        "{allow: {app_labels: {env: prod}, mcp: {tools: [get]}}, deny: {app_labels: [{kind: secret}, {env: prod, area: x}]}}",
    );
    let labels = "dynamic_labels: {kind: {command: [x]}}, mcp";
    let app = app("x", "{env: prod}").replace("mcp", labels);
    let user = user("ada", &["r"]);
    let may = |dynamic: &[(&str, &str)]| {
        let dynamic = dynamic.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        permit(&policy_of(&[&[&role, &user, &app]], &[], &dynamic), "ada", "x").is_some()
    };
    assert!(!may(&[]));
    assert!(!may(&[("kind", "secret")]));
    assert!(may(&[("kind", "open")]));
}

/// What the rules of a role give of the app `x` in `2.yaml`, of the agent, and of the app `y` in `3.yaml`.
fn rights(spec: &str) -> [bool; 4] {
    let role = role(8, "r", spec);
    let (user, x, y) = (user("ada", &["r"]), app("x", "{env: prod}"), app("y", "{env: test}"));
    let policy = policy_of(&[&[&role, &user, &x, &y]], &[], &BTreeMap::new());
    let ada = principal(&policy, "ada");
    [
        policy.may_read(&ada, "x"),
        policy.may_read(&ada, "y"),
        policy.may_order(&ada, Verb::Read, None),
        policy.may_order(&ada, Verb::Restart, Some("x")),
    ]
}

#[test]
fn rules_give_sight_and_orders() {
    for (rules, expected) in [
        ("", [false, false, false, false]),
        ("{resources: [app], verbs: [read]}", [true, true, false, false]),
        ("{resources: [app], verbs: [list, create, update, delete]}", [false; 4]),
        ("{resources: [app], verbs: [\"*\"]}", [true, true, false, false]),
        ("{resources: [\"*\"], verbs: [\"*\"]}", [true; 4]),
        ("{resources: [\"*\"], verbs: [read]}", [true, true, true, false]),
        ("{resources: [role, user], verbs: [read]}", [false; 4]),
        ("{resources: [app], verbs: [read], labels: {env: prod}}", [true, false, false, false]),
        ("{resources: [app], verbs: [read], paths: [\"3.yaml\"]}", [false, true, false, false]),
        (
            "{resources: [app], verbs: [read], where: 'equals(resource.metadata.name, \"y\")'}",
            [false, true, false, false],
        ),
        (
            "{resources: [app], verbs: [read], where: 'contains(user.spec.traits.teams, \"docs\")'}",
            [true, true, false, false],
        ),
        ("{resources: [agent], verbs: [read]}", [false, false, true, false]),
        ("{resources: [agent], verbs: [restart]}", [false, false, false, true]),
        ("{resources: [agent], verbs: [suspend, reconcile]}", [false; 4]),
        // What needs a resource does not hold of the agent as a whole.
        ("{resources: [agent], verbs: [\"*\"], labels: {env: prod}}", [false, false, false, true]),
        ("{resources: [agent], verbs: [\"*\"], labels: {env: test}}", [false; 4]),
        ("{resources: [agent], verbs: [\"*\"], paths: [\"**\"]}", [false, false, false, true]),
        (
            "{resources: [agent], verbs: [\"*\"], where: '!equals(resource.metadata.name, \"z\")'}",
            [false, false, false, true],
        ),
    ] {
        assert_eq!(rights(&format!("{{allow: {{rules: [{rules}]}}}}")), expected, "{rules}");
        // Deny wins.
        let all = "{resources: [\"*\"], verbs: [\"*\"]}";
        let denied = rights(&format!("{{allow: {{rules: [{all}]}}, deny: {{rules: [{rules}]}}}}"));
        assert_eq!(denied, expected.map(|given| !given), "deny {rules}");
    }
    // Sight is not use, and use is no right to see.
    assert_eq!(rights("{allow: {app_labels: {\"*\": \"*\"}, mcp: {tools: [\"*\"]}}}"), [false; 4]);
}
