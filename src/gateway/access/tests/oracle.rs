//! The permit against the definition, written down as plainly as can be.

use super::*;
use proptest::{collection, prelude::*, sample::subsequence};

/// A side of a role: selectors over the label `l`, and tool patterns.
#[derive(Clone, Debug, Default)]
struct Side {
    labels: Vec<&'static str>,
    tools: Vec<&'static str>,
}

#[derive(Clone, Debug)]
struct Role {
    allow: Side,
    deny: Side,
}

const VALUES: &[&str] = &["x", "y", "*", "x*", "^y|z$"];
const TOOLS: &[&str] = &["get", "put", "g*", "*", "^.*t$"];

fn side() -> impl Strategy<Value = Side> {
    let labels = prop_oneof![2 => Just(vec![]), 3 => subsequence(VALUES, 1..3)];
    let tools = prop_oneof![1 => Just(vec![]), 3 => subsequence(TOOLS, 1..3)];
    (labels, tools).prop_map(|(labels, tools)| Side { labels, tools })
}

fn a_role() -> impl Strategy<Value = Role> {
    let deny = prop_oneof![2 => Just(Side::default()), 1 => side()];
    (side(), deny).prop_map(|(allow, deny)| Role { allow, deny })
}

fn matches(pattern: &str, text: &str) -> bool {
    let expression = match pattern.starts_with('^') {
        true => pattern.to_owned(),
        false => format!("^{}$", pattern.replace('*', ".*")),
    };
    regex::Regex::new(&expression).unwrap().is_match(text)
}

/// Whether a user with these roles may know of the app, and call the tool.
fn oracle(roles: &[&Role], label: Option<&str>, tool: &str) -> (bool, bool) {
    let about = |side: &Side| side.labels.iter().any(|value| label.is_some_and(|label| matches(value, label)));
    let names = |side: &Side| side.tools.iter().any(|pattern| matches(pattern, tool));
    if roles.iter().any(|role| about(&role.deny)) {
        return (false, false);
    }
    let known = roles.iter().any(|role| about(&role.allow));
    let denied = roles.iter().any(|role| names(&role.deny));
    (known, !denied && roles.iter().any(|role| about(&role.allow) && names(&role.allow)))
}

fn written(role: &Role) -> String {
    let side = |side: &Side| {
        let labels: Vec<String> = side.labels.iter().map(|value| format!("{{l: {value:?}}}")).collect();
        format!("{{app_labels: [{}], mcp: {{tools: {:?}}}}}", labels.join(", "), side.tools)
    };
    format!("{{allow: {}, deny: {}}}", side(&role.allow), side(&role.deny))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn permits_are_what_the_roles_say(
        roles in collection::vec(a_role(), 1..4),
        users in collection::vec(collection::btree_set(0usize..4, 0..4), 1..4),
        apps in collection::vec(prop_oneof![Just(None), "[xyz]{1,2}".prop_map(Some)], 1..4),
    ) {
        let mut documents: Vec<String> =
            roles.iter().enumerate().map(|(n, one)| role(8, &format!("r{n}"), &written(one))).collect();
        let holds = |held: &std::collections::BTreeSet<usize>| held.iter().copied().filter(|n| *n < roles.len()).collect::<Vec<_>>();
        for (n, held) in users.iter().enumerate() {
            let names: Vec<String> = holds(held).iter().map(|role| format!("r{role}")).collect();
            documents.push(user(&format!("u{n}"), &names.iter().map(String::as_str).collect::<Vec<_>>()));
        }
        for (n, label) in apps.iter().enumerate() {
            let labels = label.as_ref().map_or("{}".to_owned(), |label| format!("{{l: {label:?}}}"));
            documents.push(app(&format!("a{n}"), &labels));
        }
        let policy = policy_of(&[&documents.iter().map(String::as_str).collect::<Vec<_>>()], &[], &BTreeMap::new());
        // Twice: what is remembered is the same.
        for _ in 0..2 {
            for (u, held) in users.iter().enumerate() {
                let held: Vec<&Role> = holds(held).into_iter().filter_map(|n| roles.get(n)).collect();
                for (a, label) in apps.iter().enumerate() {
                    let permit = permit(&policy, &format!("u{u}"), &format!("a{a}"));
                    for tool in ["get", "put", "go", ""] {
                        let (known, callable) = oracle(&held, label.as_deref(), tool);
                        prop_assert_eq!(permit.is_some(), known);
                        let allows = permit.as_ref().is_some_and(|permit| permit.allows_tool(tool));
                        prop_assert_eq!(allows, callable, "{} of {:?} with {:?}", tool, label, held);
                    }
                }
            }
        }
    }
}
