//! Lists, and mappings with free keys.

use super::Context;
use crate::manifest::{
    Code,
    yaml::{Entry, Node, Value},
};
use std::collections::BTreeMap;

/// A list of what `each` reads.
pub fn list<T>(each: impl Fn(&Node, &Context) -> Option<T>) -> impl Fn(&Node, &Context) -> Option<Vec<T>> {
    move |node, context| match &node.value {
        Value::List(nodes) => {
            // All of them are read before the first that failed decides, so that all mistakes are found.
            let values: Vec<Option<T>> = nodes.iter().map(|n| each(n, context)).collect();
            values.into_iter().collect()
        }
        other => {
            let message = format!("expected a list, found {}", other.describe());
            context.error_with_help(Code::WrongType, node.mark, message, "write `[a, b]`, or one `- a` a line")
        }
    }
}

/// A mapping with free keys, as `each` reads its entries.
pub fn map<T>(each: impl Fn(&Entry, &Context) -> Option<T>) -> impl Fn(&Node, &Context) -> Option<BTreeMap<String, T>> {
    move |node, context| {
        let mut failed = false;
        let mut values = BTreeMap::new();
        for entry in entries(node, context)? {
            match each(entry, context) {
                Some(value) => {
                    values.insert(entry.key.to_string(), value);
                }
                None => failed = true,
            }
        }
        (!failed).then_some(values)
    }
}

/// The nodes of a list; none if it is no list.
pub fn items<'n, 'a>(node: &'n Node<'a>) -> &'n [Node<'a>] {
    match &node.value {
        Value::List(nodes) => nodes,
        _ => &[],
    }
}

/// The entries of a mapping with free keys, in the order of the file.
pub fn entries<'n, 'a>(node: &'n Node<'a>, context: &Context) -> Option<&'n [Entry<'a>]> {
    match &node.value {
        Value::Map(entries) => Some(entries),
        other => context.error(Code::WrongType, node.mark, format!("expected a mapping, found {}", other.describe())),
    }
}
