//! Values that the resource model knows how to read: durations, sizes, selectors, paths.

use super::{Context, entries, scalar::text};
use crate::{
    manifest::{
        Code,
        text::{Finding, quoted},
        yaml::{Amount, Entry, Node, Value},
    },
    resource::{
        Selector,
        quantity::{QuantityError, parse_cpu, parse_duration, parse_size},
    },
};
use std::{collections::BTreeMap, ops::RangeInclusive, path::PathBuf, time::Duration};

/// A duration: `500ms`, `30s`, `1h30m`.
pub fn duration(node: &Node, context: &Context) -> Option<Duration> {
    if let Some(number) = whole_number(node) {
        let message = format!("a duration needs a unit, found `{number}`");
        let help = format!("write `{number}s` for seconds");
        return context.error_with_help(Code::InvalidDuration, node.mark, message, help);
    }
    let text = text(node, context)?;
    parse_duration(text).map_or_else(|error| not_a_quantity(Code::InvalidDuration, node, &error, context), Some)
}

/// A [`duration`] within bounds.
pub fn duration_within(bounds: RangeInclusive<Duration>) -> impl Fn(&Node, &Context) -> Option<Duration> {
    move |node, context| {
        let value = duration(node, context)?;
        if bounds.contains(&value) {
            return Some(value);
        }
        let show = crate::resource::quantity::format_duration;
        let message = format!("{} is not within {} to {}", show(value), show(*bounds.start()), show(*bounds.end()));
        context.error(Code::OutOfRange, node.mark, message)
    }
}

/// A size in bytes: `512Mi`, `1Gi`, or a plain number of bytes.
pub fn size(node: &Node, context: &Context) -> Option<u64> {
    if let Some(number) = whole_number(node) {
        return u64::try_from(number)
            .ok()
            .or_else(|| context.error(Code::OutOfRange, node.mark, format!("{number} is no size")));
    }
    let text = text(node, context)?;
    parse_size(text).map_or_else(|error| not_a_quantity(Code::InvalidSize, node, &error, context), Some)
}

fn whole_number(node: &Node) -> Option<i128> {
    match &node.value {
        Value::Number(number) => match number.amount {
            Amount::Integer(amount) => Some(amount),
            Amount::Float(_) | Amount::Unclear => None,
        },
        _ => None,
    }
}

fn not_a_quantity<T>(code: Code, node: &Node, error: &QuantityError, context: &Context) -> Option<T> {
    let shown = node.as_str().map(quoted).unwrap_or_default();
    context.error(code, node.mark, format!("{shown}: {error}"))
}

/// A share of a processor in thousandths of a core: `2`, `0.5`, `250m`.
pub fn cpu(node: &Node, context: &Context) -> Option<u64> {
    let written = match &node.value {
        Value::Number(number) => &number.text,
        _ => text(node, context)?,
    };
    match parse_cpu(written) {
        Ok(millis) => Some(millis),
        Err(error) => context.error(Code::InvalidSize, node.mark, format!("{}: {error}", quoted(written))),
    }
}

/// An absolute path without `.` and `..`.
pub fn absolute_path(node: &Node, context: &Context) -> Option<PathBuf> {
    let path = text(node, context)?;
    if !path.starts_with('/') {
        return context.error(Code::InvalidPath, node.mark, format!("{} is not an absolute path", quoted(path)));
    }
    if path.split('/').any(|part| matches!(part, "." | "..")) {
        let message = format!("{} contains `.` or `..`", quoted(path));
        return context.error_with_help(Code::InvalidPath, node.mark, message, "write the path that is meant");
    }
    Some(path.into())
}

/// A label selector: a mapping from label keys to a value or a list of values.
pub fn selector(node: &Node, context: &Context) -> Option<Selector> {
    let mut failed = false;
    let mut values = BTreeMap::new();
    let mut nodes: BTreeMap<&str, &[Node]> = BTreeMap::new();
    for entry in entries(node, context)? {
        let Some((strings, parts)) = selector_values(entry, context) else {
            failed = true;
            continue;
        };
        values.insert(entry.key.to_string(), strings);
        nodes.insert(&entry.key, parts);
    }
    match Selector::new(values) {
        Ok(selector) => (!failed).then_some(selector),
        Err(errors) => {
            for error in errors {
                let place = nodes.get(&*error.key).and_then(|parts| parts.get(error.index)).unwrap_or(node);
                let shown = place.as_str().map(quoted).unwrap_or_default();
                context.report(Finding::error(
                    Code::InvalidSelector,
                    place.mark,
                    format!("{shown}: {}", error.message),
                ));
            }
            None
        }
    }
}

type SelectorValues<'n, 'a> = (Vec<String>, &'n [Node<'a>]);

fn selector_values<'n, 'a>(entry: &'n Entry<'a>, context: &Context) -> Option<SelectorValues<'n, 'a>> {
    let key_is_good = label_key(entry, context);
    let parts = match &entry.value.value {
        Value::List(parts) if parts.is_empty() => {
            let message = format!("{} has no values: it would match nothing", quoted(&entry.key));
            return context.error_with_help(Code::InvalidSelector, entry.value.mark, message, "write `\"*\"` for any");
        }
        Value::List(parts) => parts.as_slice(),
        _ => std::slice::from_ref(&entry.value),
    };
    let strings: Vec<Option<String>> = parts.iter().map(|part| super::string(part, context)).collect();
    let strings: Option<Vec<String>> = strings.into_iter().collect();
    strings.filter(|_| key_is_good).map(|strings| (strings, parts))
}

/// One selector, or a list of them of which any may match.
pub fn selectors(node: &Node, context: &Context) -> Option<Vec<Selector>> {
    match &node.value {
        Value::List(_) => super::list(selector)(node, context),
        _ => selector(node, context).map(|s| vec![s]),
    }
}

/// Checks that the key of an entry can be a label's key.
pub fn label_key(entry: &Entry, context: &Context) -> bool {
    let good = crate::resource::check_label_key(&entry.key);
    if !good {
        let message = format!("{} cannot be a label's key", quoted(&entry.key));
        let help = "it has one or more of letters, digits and `/ . _ : * -`";
        context.report(Finding::error(Code::InvalidLabelKey, entry.mark, message).help(help));
    }
    good
}
