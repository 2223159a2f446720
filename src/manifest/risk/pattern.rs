//! Regular expressions whose anchors hold for a part of them only.

use crate::manifest::{
    Code,
    decode::Context,
    text::quoted,
    yaml::{Node, Value},
};
use regex_syntax::ast::{AssertionKind, Ast, parse::Parser};

/// Looks at the selectors and tools of a role.
pub(super) fn role(node: &Node, context: &Context) {
    let Some(spec) = node.get("spec") else { return };
    for side in ["allow", "deny"].into_iter().filter_map(|side| spec.get(side)) {
        let rules = side.get("rules").map(super::items).unwrap_or_default();
        let labels = rules.iter().filter_map(|rule| rule.get("labels"));
        for part in [side.get("app_labels"), side.get("mcp")].into_iter().flatten().chain(labels) {
            values(part, context);
        }
    }
}

fn values(node: &Node, context: &Context) {
    match &node.value {
        Value::List(nodes) => nodes.iter().for_each(|node| values(node, context)),
        Value::Map(entries) => entries.iter().for_each(|entry| values(&entry.value, context)),
        Value::String(text) if is_loose(text) => {
            let message = format!("the anchors of {} hold for its first and last alternative only", quoted(text));
            let help = match text.get(1..text.len().saturating_sub(1)) {
                Some(inner) => format!("to match whole values write {}", quoted(&format!("^({inner})$"))),
                None => "put the alternatives into parentheses".to_owned(),
            };
            context.warning(Code::LoosePattern, node.mark, message, help);
        }
        _ => {}
    }
}

/// Whether a pattern is a regular expression of which an alternative lacks an anchor.
fn is_loose(pattern: &str) -> bool {
    if pattern.len() < 2 || !pattern.starts_with('^') || !pattern.ends_with('$') || !pattern.contains('|') {
        return false;
    }
    let Ok(Ast::Alternation(ref alternation)) = Parser::new().parse(pattern) else { return false };
    alternation.asts.iter().any(|part| {
        let (first, last) = match part {
            Ast::Concat(concat) => (concat.asts.first(), concat.asts.last()),
            other => (Some(other), Some(other)),
        };
        let is = |ast: Option<&Ast>, kinds: [AssertionKind; 2]| {
            matches!(ast, Some(Ast::Assertion(assertion)) if kinds.contains(&assertion.kind))
        };
        !(is(first, [AssertionKind::StartLine, AssertionKind::StartText])
            && is(last, [AssertionKind::EndLine, AssertionKind::EndText]))
    })
}
