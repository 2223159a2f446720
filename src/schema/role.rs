//! `role`, versions v3 to v8.

use super::form::{Form, any_of, defined, filled_text, list, object, word};
use serde_json::json;

pub const VERSIONS: &[&str] = &["v3", "v4", "v5", "v6", "v7", "v8"];

/// `spec` of a role.
pub fn spec() -> Form {
    object(vec![
        ("allow", defined("conditions").about("What holders of the role may do.")),
        ("deny", defined("conditions").about("What they may not do, whatever a role allows.")),
    ])
    .about("What holders of the role may do.")
}

/// What [`spec`] is made of.
pub fn definitions() -> Vec<(&'static str, Form)> {
    vec![
        ("conditions", object(vec![
            ("rules", list(&defined("rule")).default(json!([])).about("Which changes of resources, and which operations of the agent.")),
            ("app_labels", defined("selectors").about("Which apps may be used through the gateway. Left out: none (in a v3 role: all).")),
            ("mcp", object(vec![
                ("tools", list(&filled_text()).default(json!([])).about("Which tools of those apps: names, in which `*` is any run of characters, or `^…$` as a regular expression. Left out: none.").example(json!(["search_*"]))),
            ]).about("What of an MCP server.")),
        ])),
        ("rule", object(vec![
            ("resources!", list(&word(&["app", "role", "user", "agent", "*"])).filled().about("Kinds of resources; `agent` is the agent itself.")),
            ("verbs!", list(&word(&["list", "create", "read", "update", "delete", "restart", "suspend", "reconcile", "*"])).filled().about("What may be done; `restart`, `suspend` and `reconcile` are verbs of `agent`, which has `read` besides.")),
            ("paths", list(&filled_text().pattern(r"^(?!/)(?!(.*/)?\.{1,2}(/|$))")).filled().about("Only files that match one of these globs, from the root of the source.").example(json!(["apps/team-a/**"]))),
            ("labels", defined("selector").about("Only apps with these labels, before and after the change.")),
            ("where", any_of(&[filled_text()]).about("A condition, with `equals`, `contains`, `&&`, `||`, `!` over `resource.*` and `user.*`.").example("contains(user.spec.traits[\"team\"], resource.metadata.labels[\"team\"])")),
        ])),
    ]
}
