//! The fields that a predicate may name, and where they are found.

use super::Context;
use serde_json::Value;

/// A path to a value of the resource or of the user.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) root: Root,
    path: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Resource,
    User,
}

/// What follows a name in a path.
enum Shape {
    /// A text, number, boolean or list: the path ends.
    Value,
    /// A map whose keys are the users': exactly one more step.
    Map,
    /// The known names below.
    Fields(&'static [(&'static str, Shape)]),
}

use Shape::{Fields, Map, Value as Leaf};

const RESOURCE: &[(&str, Shape)] = &[
    ("metadata", Fields(&[("name", Leaf), ("description", Leaf), ("expires", Leaf), ("labels", Map)])),
    ("spec", Fields(&[("uri", Leaf), ("mcp", Fields(MCP))])),
];

const MCP: &[(&str, Shape)] = &[
    ("command", Leaf),
    ("args", Leaf),
    ("run_as_host_user", Leaf),
    ("env", Map),
    ("working_directory", Leaf),
    ("sessions", Leaf),
    ("warm", Leaf),
    ("max_instances", Leaf),
    ("idle_timeout", Leaf),
    ("restart", Fields(&[("policy", Leaf), ("initial_backoff", Leaf), ("max_backoff", Leaf), ("reset_after", Leaf)])),
    ("startup_timeout", Leaf),
    ("health", Fields(&[("interval", Leaf), ("timeout", Leaf), ("failures", Leaf)])),
    ("stop", Fields(&[("signal", Leaf), ("grace_period", Leaf), ("drain_timeout", Leaf)])),
    ("on_tool_change", Leaf),
    ("limits", Fields(&[("memory", Leaf), ("cpu", Leaf), ("processes", Leaf), ("open_files", Leaf)])),
    ("sandbox", Fields(&[("read", Leaf), ("write", Leaf), ("network", Leaf)])),
];

const USER: &[(&str, Shape)] = &[("metadata", Fields(&[("name", Leaf)])), ("spec", Fields(&[("traits", Map)]))];

impl Field {
    /// Makes a field of the steps of a path, the root first. The error names the step that is wrong.
    pub(super) fn new(mut steps: Vec<String>) -> Result<Field, String> {
        let (root, fields) = match steps.first().map(String::as_str) {
            Some("resource") => (Root::Resource, RESOURCE),
            Some("user") => (Root::User, USER),
            other => return Err(unknown(other.unwrap_or_default(), ["resource", "user"].into_iter())),
        };
        let path = steps.split_off(1);
        let mut shape = &Fields(fields);
        for step in &path {
            shape = match shape {
                Leaf => return Err(format!("there is nothing below this field, so no `{step}`")),
                Map => &Leaf,
                Fields(fields) => match fields.iter().find(|(name, _)| name == step) {
                    Some((_, shape)) => shape,
                    None => return Err(unknown(step, fields.iter().map(|(name, _)| *name))),
                },
            };
        }
        match shape {
            Leaf => Ok(Field { root, path }),
            Map => Err("this field is a map: name one of its keys, as in `labels[\"team\"]`".to_owned()),
            Fields(fields) => {
                let names: Vec<_> = fields.iter().map(|(name, _)| format!("`{name}`")).collect();
                Err(format!("the path ends too early; below it there are {}", names.join(", ")))
            }
        }
    }

    /// The value, if there is one. `null` is none.
    pub(super) fn find<'a>(&self, context: &Context<'a>) -> Option<&'a Value> {
        let root = match self.root {
            Root::Resource => context.resource,
            Root::User => context.user,
        };
        self.path.iter().try_fold(root, |value, step| value.get(step)).filter(|value| !value.is_null())
    }
}

fn unknown<'a>(step: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    let nearest = names
        .clone()
        .map(|name| (strsim::damerau_levenshtein(step, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min();
    match nearest {
        Some((_, name)) => format!("unknown field `{step}`, did you mean `{name}`?"),
        None => {
            let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
            format!("unknown field `{step}`; here there are {}", names.join(", "))
        }
    }
}
