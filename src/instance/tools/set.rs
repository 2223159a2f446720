//! The tools of a server, as far as it matters whether they have changed. Pure.

use crate::resource::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// How many tools are named in a sentence about a change.
const NAMED: usize = 5;
/// The longest name of a tool, in bytes. Models take 64 at most.
const MAX_NAME: usize = 256;

/// A name is longer than any tool's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameTooLong;

/// By the name of each tool, the digest of all that is said of it: description, schemas, annotations, title.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ToolSet(BTreeMap<String, String>);

impl ToolSet {
    /// Takes in the tools of a `tools/list` result. `_meta` is the server's own business and does not count.
    ///
    /// # Errors
    /// A name is longer than anybody can use.
    pub fn add(&mut self, tools: &[Value]) -> Result<(), NameTooLong> {
        for tool in tools {
            let Some(name) = tool.get("name").and_then(Value::as_str) else { continue };
            let mut said = tool.clone();
            if let Some(said) = said.as_object_mut() {
                said.remove("_meta");
            }
            if name.len() > MAX_NAME {
                return Err(NameTooLong);
            }
            self.0.insert(name.to_owned(), Digest::of(&said).to_string());
        }
        Ok(())
    }

    /// Each tool's name, and the digest of what is said of it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, digest)| (name.as_str(), digest.as_str()))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Two sets are the same when their digests are.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// What has become of `before`, in a clause; `None` when nothing has.
    pub fn changes_from(&self, before: &ToolSet) -> Option<String> {
        let missing = |from: &ToolSet, of: &ToolSet| -> Vec<String> {
            of.0.keys().filter(|name| !from.0.contains_key(*name)).cloned().collect()
        };
        let differs = |(name, digest): &(&String, &String)| before.0.get(*name).is_some_and(|old| old != *digest);
        let changed = self.0.iter().filter(differs).map(|(name, _)| name.clone()).collect();
        let clauses: Vec<String> =
            [("new", missing(before, self)), ("gone", missing(self, before)), ("changed", changed)]
                .into_iter()
                .filter(|(_, names)| !names.is_empty())
                .map(|(what, names)| format!("{what}: {}", named(&names)))
                .collect();
        (!clauses.is_empty()).then(|| clauses.join("; "))
    }
}

fn named(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(tools: Value) -> ToolSet {
        let mut set = ToolSet::default();
        set.add(tools.as_array().unwrap()).unwrap();
        set
    }

    #[test]
    fn what_counts_as_a_change() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "number"}}});
        let before = set(json!([{"name": "add", "description": "Adds", "inputSchema": schema}, {"name": "echo"}]));
        let same = set(json!([{"name": "echo", "_meta": {"n": 1}},
            {"inputSchema": schema, "description": "Adds", "name": "add"}]));
        assert_eq!((same.changes_from(&before), same.digest()), (None, before.digest()));
        for (tools, expected) in [
            (json!([]), "gone: add, echo"),
            (json!([{"name": "add", "description": "Adds", "inputSchema": schema}]), "gone: echo"),
            (json!([{"name": "add", "description": "Adds!", "inputSchema": schema}, {"name": "echo"}]), "changed: add"),
            (json!([{"name": "add", "description": "Adds"}, {"name": "echo"}, {"name": "x"}]), "new: x; changed: add"),
            (
                json!([{"name": "add", "description": "Adds", "inputSchema": schema},
                {"name": "echo", "annotations": {"readOnlyHint": true}}]),
                "changed: echo",
            ),
        ] {
            let after = set(tools);
            assert_eq!(after.changes_from(&before).as_deref(), Some(expected));
            assert_ne!(after.digest(), before.digest());
        }
    }

    #[test]
    fn a_long_list_is_cut() {
        let many: Vec<Value> = (0..8).map(|n| json!({"name": format!("t{n}")})).collect();
        let mut set = ToolSet::default();
        set.add(&many).unwrap();
        let endless = json!({"name": "x".repeat(MAX_NAME + 1)});
        assert_eq!(set.add(&[endless]), Err(NameTooLong));
        let text = set.changes_from(&ToolSet::default()).unwrap();
        assert_eq!(text, "new: t0, t1, t2, t3, t4 and 3 more");
    }
}
