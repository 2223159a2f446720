//! What every resource document has: `kind`, `version`, `metadata`, `spec`.

use super::{Context, Fields, app, fields, label_key, map, role, string, text, user};
use crate::{
    manifest::{
        Code,
        text::{Finding, quoted},
        yaml::{Entry, Node},
    },
    resource::{Kind, Metadata, Resource, check_name},
};
use jiff::Timestamp;
use std::sync::Arc;

/// Label keys that only the agent may set.
const RESERVED_LABELS: &str = "mcpfleet.dev/";

/// Fields of a stored resource of the reference system, which a file that was exported from it may have.
const STORED: &str = "the reference system's storage sets it";

/// Reads a resource document.
pub fn resource(node: &Node, context: &Context) -> Option<Resource> {
    let mut f = fields(node, "", context)?;
    let kind = f.required("kind", kind)?;
    let version = f.required("version", version(kind));
    let metadata = f.required("metadata", |n, c| metadata(kind, n, c));
    unsupported(&mut f, &["sub_kind", "id", "revision"], STORED);
    let resource = match kind {
        Kind::App => {
            let spec = f.required("spec", |n, c| app::spec(metadata.as_ref(), n, c));
            metadata.zip(spec).map(|(metadata, spec)| Resource::App(Arc::new(app::app(metadata, spec))))
        }
        Kind::Role => {
            let spec = f.required("spec", |n, c| role::spec(version.unwrap_or_default(), n, c));
            let parts = version.zip(metadata).zip(spec);
            parts.map(|((version, metadata), spec)| Resource::Role(Arc::new(role::role(version, metadata, spec))))
        }
        Kind::User => {
            let spec = f.required("spec", user::spec);
            metadata.zip(spec).map(|(metadata, spec)| Resource::User(Arc::new(user::user(metadata, spec))))
        }
    };
    f.finish();
    version.and(resource)
}

fn kind(node: &Node, context: &Context) -> Option<Kind> {
    let word = text(node, context)?;
    Kind::ALL.into_iter().find(|kind| kind.as_str() == word).or_else(|| {
        let names: Vec<&str> = Kind::ALL.into_iter().map(Kind::as_str).collect();
        let help = match super::nearest(word, &names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => {
                "a resource is an `app`, a `role` or a `user`; leave other files out with an ignore glob".to_owned()
            }
        };
        context.error_with_help(Code::UnknownKind, node.mark, format!("unknown kind {}", quoted(word)), help)
    })
}

/// The number in `v3`.
fn version(kind: Kind) -> impl Fn(&Node, &Context) -> Option<u8> {
    move |node, context| {
        let word = text(node, context)?;
        let known: &[u8] = match kind {
            Kind::App => &[3],
            Kind::Role => &[3, 4, 5, 6, 7, 8],
            Kind::User => &[2],
        };
        known.iter().copied().find(|n| word.strip_prefix('v') == Some(&n.to_string())).or_else(|| {
            let help = match known {
                [only] => format!("write `v{only}`"),
                _ => "write one of `v3` to `v8`".to_owned(),
            };
            let message = format!("there is no version {} of `{kind}`", quoted(word));
            context.error_with_help(Code::UnknownVersion, node.mark, message, help)
        })
    }
}

/// The `metadata` section of a resource of that kind.
pub fn metadata(kind: Kind, node: &Node, context: &Context) -> Option<Metadata> {
    let mut f = fields(node, "metadata", context)?;
    let name = f.required("name", name);
    let description = f.optional("description", string);
    let labels = f.optional("labels", map(label)).unwrap_or_default();
    let expires = match kind {
        Kind::App => f.optional("expires", timestamp),
        Kind::Role | Kind::User => {
            let message = format!("a {kind} does not expire");
            f.refuse(
                "expires",
                Code::MisplacedField,
                message,
                Some("its end is a change of the file, with its author"),
            );
            None
        }
    };
    unsupported(&mut f, &["namespace", "id", "revision"], STORED);
    f.finish();
    Some(Metadata { name: name?, description, labels, expires })
}

/// Reports fields that exist in the reference system and have no meaning here.
pub fn unsupported(f: &mut Fields, names: &[&'static str], why: &str) {
    for name in names {
        f.refuse(name, Code::UnsupportedField, format!("`{name}` has no meaning here: {why}"), Some("remove it"));
    }
}

/// The name of a resource.
pub fn name(node: &Node, context: &Context) -> Option<String> {
    let name = text(node, context)?;
    match check_name(name) {
        Ok(()) => Some(name.to_owned()),
        Err(error) => context.error_with_help(
            Code::InvalidName,
            node.mark,
            format!("{} cannot be a name", quoted(name)),
            error.to_string(),
        ),
    }
}

fn label(entry: &Entry, context: &Context) -> Option<String> {
    let key_is_good = own_label_key(entry, context);
    string(&entry.value, context).filter(|_| key_is_good)
}

/// Checks the key of a label that a file sets.
pub fn own_label_key(entry: &Entry, context: &Context) -> bool {
    if entry.key.starts_with(RESERVED_LABELS) {
        let message =
            format!("label {}: keys under `{RESERVED_LABELS}` are set by the agent alone", quoted(&entry.key));
        context.report(Finding::error(Code::ReservedLabel, entry.mark, message).help("choose another key"));
        return false;
    }
    label_key(entry, context)
}

fn timestamp(node: &Node, context: &Context) -> Option<Timestamp> {
    let word = text(node, context)?;
    // jiff reads more than RFC 3339: seconds left out, a space for the `T`, a time zone's name in brackets.
    let at = |i: usize| word.as_bytes().get(i).copied();
    let strict = matches!(at(10), Some(b'T' | b't')) && at(13) == Some(b':') && at(16) == Some(b':');
    let parsed = if strict && !word.contains('[') { word.parse().ok() } else { None };
    parsed.or_else(|| {
        let message = format!("{} is not an RFC 3339 timestamp", quoted(word));
        context.error_with_help(Code::InvalidTimestamp, node.mark, message, "write it like `2027-01-31T18:00:00Z`")
    })
}

/// A list that must not be empty.
pub fn filled<T>(list: impl Fn(&Node, &Context) -> Option<Vec<T>>) -> impl Fn(&Node, &Context) -> Option<Vec<T>> {
    move |node, context| {
        let values = list(node, context)?;
        if values.is_empty() {
            return context.error_with_help(Code::EmptyValue, node.mark, "the list is empty", "name at least one");
        }
        Some(values)
    }
}

/// Reports the entries of a list that are there already, by what identifies them.
pub fn unique<T, K: PartialEq + Ord>(
    list: impl Fn(&Node, &Context) -> Option<Vec<T>>,
    key: impl Fn(&T) -> K,
) -> impl Fn(&Node, &Context) -> Option<Vec<T>> {
    move |node, context| {
        let values = list(node, context)?;
        let mut seen = std::collections::BTreeMap::new();
        for (index, value) in values.iter().enumerate() {
            if let Some(first) = seen.insert(key(value), index) {
                let items = super::items(node);
                let mark = items.get(index).map_or(node.mark, |n| n.mark);
                let line = items.get(first).map_or(node.mark, |n| n.mark).line;
                let finding = Finding::error(Code::DuplicateValue, mark, "this entry is in the list already");
                context.report(finding.help(format!("the other one is on line {line}")));
            }
        }
        Some(values)
    }
}
