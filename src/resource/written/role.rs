//! A role as it is written.

use crate::resource::{Conditions, Metadata, Role, Rule, RuleResource, Selector, Verb};
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Serialize)]
pub struct Written<'a> {
    metadata: &'a Metadata,
    spec: Spec<'a>,
}

#[derive(Serialize)]
struct Spec<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    allow: Option<Side<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deny: Option<Side<'a>>,
}

#[derive(Serialize)]
struct Side<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<WrittenRule<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_labels: Option<AppLabels<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mcp: Option<Mcp<'a>>,
}

#[derive(Serialize)]
struct WrittenRule<'a> {
    resources: &'a BTreeSet<RuleResource>,
    verbs: &'a BTreeSet<Verb>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paths: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a Selector>,
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    condition: Option<&'a str>,
}

/// One selector, as nearly every role has, or several.
#[derive(Serialize)]
#[serde(untagged)]
enum AppLabels<'a> {
    One(&'a Selector),
    Any(&'a [Selector]),
}

#[derive(Serialize)]
struct Mcp<'a> {
    tools: &'a [String],
}

impl<'a> Written<'a> {
    pub fn of(role: &'a Role) -> Written<'a> {
        // In version 3, what is not said of apps means all of them.
        let says_of_apps = role.version == 3 || !role.allow.app_labels.is_empty();
        let spec = Spec {
            allow: Side::of(&role.allow, says_of_apps),
            deny: Side::of(&role.deny, !role.deny.app_labels.is_empty()),
        };
        Written { metadata: &role.metadata, spec }
    }
}

impl<'a> Side<'a> {
    fn of(conditions: &'a Conditions, says_of_apps: bool) -> Option<Side<'a>> {
        let Conditions { rules, app_labels, mcp_tools } = conditions;
        let app_labels = says_of_apps.then_some(match app_labels.as_slice() {
            [only] => AppLabels::One(only),
            any => AppLabels::Any(any),
        });
        let mcp = (!mcp_tools.is_empty()).then_some(Mcp { tools: mcp_tools });
        let side = Side { rules: rules.iter().map(WrittenRule::of).collect(), app_labels, mcp };
        let says_something = !side.rules.is_empty() || side.app_labels.is_some() || side.mcp.is_some();
        says_something.then_some(side)
    }
}

impl<'a> WrittenRule<'a> {
    fn of(rule: &'a Rule) -> WrittenRule<'a> {
        WrittenRule {
            resources: &rule.resources,
            verbs: &rule.verbs,
            paths: rule.paths.as_deref(),
            labels: rule.labels.as_ref(),
            condition: rule.condition.as_deref(),
        }
    }
}
