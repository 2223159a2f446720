//! What the operators of this host decide over the repository's head. Everything here was written on this host, says
//! who did it and why, and ends up in a log.

use super::file::{self, StateError};
use crate::authorize::ObjectId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::Path;

const VERSION: u32 = 1;

const PENDING: &str = "override.json";
const DENIED: &str = "denied-keys.json";
const LOG: &str = "overrides.log";

/// An order to trust another commit from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub version: u32,
    pub commit: ObjectId,
    pub reason: String,
    pub by: String,
    pub at: Timestamp,
}

/// A key whose signatures count no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeniedKey {
    /// As in `denied_keys` of the configuration.
    pub key: String,
    pub reason: String,
    pub by: String,
    pub at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct DeniedKeys {
    version: u32,
    keys: Vec<DeniedKey>,
}

/// A line of the log.
#[derive(Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
enum Entry<'a> {
    Trust(&'a Override),
    DenyKey(&'a DeniedKey),
}

/// The same, read again.
#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
enum Logged {
    Trust(Override),
    #[serde(other)]
    Other,
}

impl Override {
    pub fn new(commit: ObjectId, reason: String, by: String, at: Timestamp) -> Override {
        Override { version: VERSION, commit, reason, by, at }
    }

    /// Gives the order, in the place of one that has not been carried out.
    pub fn give(&self, state_dir: &Path) -> Result<(), StateError> {
        leave(state_dir, PENDING, self)
    }
}

impl DeniedKey {
    /// Puts the key on the list. `false`: it was there.
    pub fn deny(self, state_dir: &Path) -> Result<bool, StateError> {
        let mut keys = denied_keys(state_dir)?;
        if keys.iter().any(|denied| denied.key == self.key) {
            return Ok(false);
        }
        keys.push(self);
        leave(state_dir, DENIED, &DeniedKeys { version: VERSION, keys })?;
        Ok(true)
    }
}

/// Leaves a file for an agent to find.
fn leave(state_dir: &Path, name: &str, content: &impl Serialize) -> Result<(), StateError> {
    // Nothing in it can fail to be written as JSON.
    file::leave(&state_dir.join(name), &serde_json::to_vec(content).unwrap_or_default())
}

/// What was decided on this host for a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// The order that has not been carried out yet.
    pub pending: Option<Override>,
    pub denied_keys: Vec<DeniedKey>,
    /// The orders that have been, oldest first.
    pub carried_out: Vec<Override>,
}

impl Orders {
    /// Reads what is kept in a source's state directory.
    pub fn read(state_dir: &Path) -> Result<Orders, StateError> {
        let log = file::read(&state_dir.join(LOG))?.unwrap_or_default();
        // A line that a crash cut off is not the last one of its kind: the order is still pending.
        let entries = log.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        let carried_out = entries.filter_map(|entry| match entry {
            Logged::Trust(order) => Some(order),
            Logged::Other => None,
        });
        let carried_out = carried_out.collect();
        Ok(Orders { pending: pending(state_dir)?, denied_keys: denied_keys(state_dir)?, carried_out })
    }
}

/// The order that has not been carried out yet.
pub(super) fn pending(state_dir: &Path) -> Result<Option<Override>, StateError> {
    file::read_json(&state_dir.join(PENDING), "remove it, and give the order again with `mcpfleet trust set`")
}

/// Notes that an order has been carried out.
pub(super) fn settle(state_dir: &Path, order: &Override) -> Result<(), StateError> {
    log(state_dir, &Entry::Trust(order))?;
    file::remove(&state_dir.join(PENDING))
}

/// The keys that are denied on this host.
pub(super) fn denied_keys(state_dir: &Path) -> Result<Vec<DeniedKey>, StateError> {
    let help = "correct it, or deny the keys again with `mcpfleet trust deny-key`";
    let list: Option<DeniedKeys> = file::read_json(&state_dir.join(DENIED), help)?;
    Ok(list.map(|list| list.keys).unwrap_or_default())
}

/// Notes that keys are denied from now on.
pub(super) fn note(state_dir: &Path, keys: &[DeniedKey]) -> Result<(), StateError> {
    keys.iter().try_for_each(|key| log(state_dir, &Entry::DenyKey(key)))
}

fn log(state_dir: &Path, entry: &Entry) -> Result<(), StateError> {
    // Nothing in it can fail to be written as JSON.
    let line = serde_json::to_string(entry).unwrap_or_default();
    file::append_once(&state_dir.join(LOG), &line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn an_order_is_carried_out_once_and_logged() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        assert!(matches!(pending(dir.path()), Ok(None)));
        let text = r#"{"version":1,"commit":"0123456789abcdef0123456789abcdef01234567","reason":"gone wrong","by":"root","at":"2026-11-23T12:00:00Z"}"#;
        fs::write(dir.path().join(PENDING), text).expect("written");
        let order = pending(dir.path()).expect("readable").expect("an order");
        // Twice, as after a crash in between.
        for _ in 0..2 {
            settle(dir.path(), &order).expect("settled");
        }
        assert!(matches!(pending(dir.path()), Ok(None)));
        let log = fs::read_to_string(dir.path().join(LOG)).expect("a log");
        assert_eq!(log, format!("{{\"action\":\"trust\",{}\n", text.trim_start_matches('{')));
    }

    #[test]
    fn what_is_ordered_is_found_again() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let state_dir = dir.path().join("sources/fleet");
        assert_eq!(Orders::read(&state_dir).expect("nothing"), Orders::default());
        let at: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
        let order = |digit: u8| Override::new(ObjectId::new([digit; 20]), "why".into(), "root".into(), at);
        let key = |key: &str| DeniedKey { key: key.into(), reason: "stolen".into(), by: "root".into(), at };
        order(1).give(&state_dir).expect("given");
        order(2).give(&state_dir).expect("given in its place");
        assert!(key("SHA256:a").deny(&state_dir).expect("added"));
        assert!(key("SHA256:b").deny(&state_dir).expect("added"));
        assert!(!key("SHA256:a").deny(&state_dir).expect("read"));
        let denied_keys = vec![key("SHA256:a"), key("SHA256:b")];
        let expected = Orders { pending: Some(order(2)), denied_keys: denied_keys.clone(), carried_out: Vec::new() };
        assert_eq!(Orders::read(&state_dir).expect("readable"), expected);
        note(&state_dir, &denied_keys).expect("logged");
        settle(&state_dir, &order(2)).expect("settled");
        let expected = Orders { pending: None, denied_keys, carried_out: vec![order(2)] };
        assert_eq!(Orders::read(&state_dir).expect("readable"), expected);
    }

    #[test]
    fn a_list_that_is_damaged_is_not_an_empty_one() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(denied_keys(dir.path()).expect("none"), []);
        fs::write(dir.path().join(DENIED), "{").expect("written");
        denied_keys(dir.path()).expect_err("damaged");
        let keys = r#"[{"key":"SHA256:abc","reason":"stolen","by":"root","at":"2026-11-23T12:00:00Z"}]"#;
        fs::write(dir.path().join(DENIED), format!("{{\"version\":1,\"keys\":{keys}}}")).expect("written");
        let keys = denied_keys(dir.path()).expect("readable");
        note(dir.path(), &keys).expect("logged");
        assert!(fs::read_to_string(dir.path().join(LOG)).expect("a log").contains("\"action\":\"deny-key\""));
    }
}
