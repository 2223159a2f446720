//! `role`, versions v3 to v8.

use super::{
    Context,
    document::{filled, unsupported},
    fields, list, one_of, selector, selectors, string, text,
};
use crate::{
    manifest::{
        Code,
        text::{Finding, quoted},
        yaml::Node,
    },
    resource::{Conditions, Metadata, Role, Rule, RuleResource, Selector, Verb, predicate, selector::check_pattern},
};
use globset::GlobBuilder;
use std::collections::BTreeSet;

/// Conditions of the reference system's roles that are about other things than MCP servers.
const NOT_FOR_MCP: &[&str] = &[
    "app_labels_expression",
    "aws_role_arns",
    "azure_identities",
    "cluster_labels",
    "db_labels",
    "db_names",
    "db_roles",
    "db_users",
    "desktop_groups",
    "gcp_service_accounts",
    "group_labels",
    "host_groups",
    "impersonate",
    "join_sessions",
    "kubernetes_groups",
    "kubernetes_labels",
    "kubernetes_resources",
    "kubernetes_users",
    "logins",
    "node_labels",
    "request",
    "require_session_join",
    "review_requests",
    "windows_desktop_labels",
    "windows_desktop_logins",
];

const RESOURCES: &[(&str, RuleResource)] = &[
    ("app", RuleResource::App),
    ("role", RuleResource::Role),
    ("user", RuleResource::User),
    ("agent", RuleResource::Agent),
    ("*", RuleResource::Any),
];

const VERBS: &[(&str, Verb)] = &[
    ("list", Verb::List),
    ("create", Verb::Create),
    ("read", Verb::Read),
    ("update", Verb::Update),
    ("delete", Verb::Delete),
    ("restart", Verb::Restart),
    ("suspend", Verb::Suspend),
    ("reconcile", Verb::Reconcile),
    ("*", Verb::Any),
];

/// The `spec` of a role: what it allows, what it denies.
pub struct Spec {
    allow: Conditions,
    deny: Conditions,
}

pub fn role(version: u8, metadata: Metadata, spec: Spec) -> Role {
    Role { version, metadata, allow: spec.allow, deny: spec.deny }
}

/// Reads the `spec` of a role of that version.
pub fn spec(version: u8, node: &Node, context: &Context) -> Option<Spec> {
    let mut f = fields(node, "spec", context)?;
    // In version 3, a role that does not say which apps it is about is about all of them.
    let default = if version == 3 { vec![Selector::everything()] } else { Vec::new() };
    let allow = f.optional("allow", |n, c| conditions("spec.allow", default.clone(), n, c));
    let allow = allow.unwrap_or_else(|| Conditions { app_labels: default, ..Conditions::default() });
    let deny = f.optional("deny", |n, c| conditions("spec.deny", Vec::new(), n, c)).unwrap_or_default();
    unsupported(&mut f, &["options"], "it is about other things than MCP servers");
    f.finish();
    Some(Spec { allow, deny })
}

fn conditions(place: &'static str, app_labels: Vec<Selector>, node: &Node, context: &Context) -> Option<Conditions> {
    let mut f = fields(node, place, context)?;
    let rules = f.optional("rules", list(rule)).unwrap_or_default();
    let app_labels = f.optional("app_labels", selectors).unwrap_or(app_labels);
    let mcp_tools = f.optional("mcp", tools).unwrap_or_default();
    unsupported(&mut f, NOT_FOR_MCP, "it is not about MCP servers");
    f.finish();
    Some(Conditions { rules, app_labels, mcp_tools })
}

fn tools(node: &Node, context: &Context) -> Option<Vec<String>> {
    let mut f = fields(node, "mcp", context)?;
    let tools = f.optional("tools", list(tool)).unwrap_or_default();
    f.finish();
    Some(tools)
}

fn tool(node: &Node, context: &Context) -> Option<String> {
    let pattern = text(node, context)?;
    if pattern.is_empty() {
        return context.error(Code::InvalidToolPattern, node.mark, "the name of a tool is never empty");
    }
    match check_pattern(pattern) {
        Ok(()) => Some(pattern.to_owned()),
        Err(why) => context.error(Code::InvalidToolPattern, node.mark, format!("{}: {why}", quoted(pattern))),
    }
}

fn rule(node: &Node, context: &Context) -> Option<Rule> {
    let mut f = fields(node, "rules", context)?;
    let resources: Option<BTreeSet<RuleResource>> = f.required("resources", set(RESOURCES));
    let verbs = f.required("verbs", |n, c| {
        let verbs = set(VERBS)(n, c)?;
        if let Some(resources) = &resources {
            check_verbs(resources, n, c);
        }
        Some(verbs)
    });
    let paths = f.optional("paths", filled(list(glob)));
    let labels = f.optional("labels", selector);
    let condition = f.optional("where", condition);
    unsupported(&mut f, &["actions"], "rules have no actions");
    f.finish();
    Some(Rule { resources: resources?, verbs: verbs?, paths, labels, condition })
}

fn set<T: Copy + Ord>(words: &'static [(&'static str, T)]) -> impl Fn(&Node, &Context) -> Option<BTreeSet<T>> {
    move |node, context| Some(filled(list(one_of(words)))(node, context)?.into_iter().collect())
}

/// Reports verbs that none of the rule's resources has.
fn check_verbs(resources: &BTreeSet<RuleResource>, node: &Node, context: &Context) {
    let any = resources.contains(&RuleResource::Any);
    let agent = any || resources.contains(&RuleResource::Agent);
    let file = any || resources.iter().any(|r| !matches!(r, RuleResource::Agent));
    for node in super::items(node) {
        let Some(verb) = node.as_str().and_then(|word| VERBS.iter().find(|(name, _)| *name == word)) else { continue };
        let possible = match verb.1 {
            Verb::Read | Verb::Any => true,
            Verb::List | Verb::Create | Verb::Update | Verb::Delete => file,
            Verb::Restart | Verb::Suspend | Verb::Reconcile => agent,
        };
        if !possible {
            let message = format!("none of the rule's resources has the verb `{}`", verb.0);
            let help = "`restart`, `suspend` and `reconcile` are verbs of `agent`, which has `read` besides";
            context.report(Finding::error(Code::UnknownValue, node.mark, message).help(help));
        }
    }
}

fn glob(node: &Node, context: &Context) -> Option<String> {
    let glob = text(node, context)?;
    if glob.is_empty() || glob.starts_with('/') || glob.split('/').any(|part| matches!(part, "." | "..")) {
        let message = format!("{} can match no file", quoted(glob));
        let help = "paths start at the source's root, without `/`, `.` or `..`: `apps/**`";
        return context.error_with_help(Code::InvalidGlob, node.mark, message, help);
    }
    match GlobBuilder::new(glob).literal_separator(true).build() {
        Ok(_) => Some(glob.to_owned()),
        Err(error) => context.error(Code::InvalidGlob, node.mark, format!("{}: {}", quoted(glob), error.kind())),
    }
}

fn condition(node: &Node, context: &Context) -> Option<String> {
    let source = string(node, context)?;
    match predicate::check(&source) {
        Ok(()) => Some(source),
        Err(error) => context.error(Code::InvalidPredicate, node.mark, format!("{}: {error}", quoted(&source))),
    }
}
