//! What somebody sees at a moment, and what has changed since another. Pure.

use crate::status::model::{AppStatus, Status};
use bytes::Bytes;
use serde::Serialize;
use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    sync::{Arc, OnceLock},
};

/// A status as JSON, in pieces that are shared with the one before as far as they are the same.
#[derive(Debug, Default)]
pub struct Picture {
    /// `"agent":…,"sources":…`
    head: String,
    apps: Vec<Arc<Shown>>,
    /// Two apps have the same key, so that nobody could be told which of them has changed.
    ambiguous: bool,
    /// Made once for all who begin with this one.
    whole: OnceLock<Bytes>,
}

#[derive(Debug)]
struct Shown {
    key: String,
    json: String,
}

/// By what a follower tells apps: there can be several of a name, of which one runs.
pub fn key(app: &AppStatus) -> String {
    format!("{}/{}/{}", app.name, app.source, app.path)
}

impl Picture {
    pub fn of(status: &Status, before: &Picture) -> Picture {
        let known: HashMap<&str, &Arc<Shown>> = before.apps.iter().map(|app| (&*app.key, app)).collect();
        let shown = |app: &AppStatus| {
            let (key, json) = (key(app), json(app));
            match known.get(&*key) {
                Some(known) if known.json == json => Arc::clone(known),
                _ => Arc::new(Shown { key, json }),
            }
        };
        let apps: Vec<_> = status.apps.iter().map(shown).collect();
        let ambiguous = apps.iter().map(|app| &app.key).collect::<BTreeSet<_>>().len() < apps.len();
        let head = format!("\"agent\":{},\"sources\":{}", json(&status.agent), json(&status.sources));
        Picture { head, apps, ambiguous, whole: OnceLock::new() }
    }

    pub fn is_like(&self, other: &Picture) -> bool {
        self.head == other.head
            && self.apps.len() == other.apps.len()
            && self.apps.iter().zip(&other.apps).all(|(one, other)| Arc::ptr_eq(one, other))
    }

    /// All of it, as an event.
    pub fn whole(&self) -> Bytes {
        let make = || {
            let apps = joined(self.apps.iter().map(|app| &*app.json));
            event("status", &format!("{{{},\"apps\":[{apps}]}}", self.head))
        };
        self.whole.get_or_init(make).clone()
    }

    /// What is another than in `before`, as an event; `None`: nothing.
    pub fn since(&self, before: &Picture) -> Option<Bytes> {
        if self.is_like(before) {
            return None;
        }
        if self.ambiguous || before.ambiguous {
            return Some(self.whole());
        }
        let mut old: HashMap<&str, &Arc<Shown>> = before.apps.iter().map(|app| (&*app.key, app)).collect();
        let is_new = |app: &&Arc<Shown>| old.remove(&*app.key).is_none_or(|old| !Arc::ptr_eq(old, app));
        let apps: Vec<_> = self.apps.iter().filter(is_new).map(|app| &*app.json).collect();
        let gone: BTreeSet<&str> = old.into_keys().collect();
        let (apps, gone) = (joined(apps.into_iter()), json(&gone));
        Some(event("change", &format!("{{{},\"apps\":[{apps}],\"gone\":{gone}}}", self.head)))
    }
}

/// An event of a stream; `data` has no line breaks.
pub fn event(name: &str, data: &str) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// A value of the API as JSON, which it always has.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.enumerate().fold(String::new(), |mut all, (index, text)| {
        // Writing to a string cannot fail.
        let _ = write!(all, "{}{text}", if index == 0 { "" } else { "," });
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::model::{AgentState, AgentStatus, AppState, AuditStatus};
    use serde_json::{Value, json};

    fn status(message: &str, apps: &[(&str, Option<AppState>)]) -> Status {
        let agent = AgentStatus {
            version: "1".into(),
            principal: None,
            pid: None,
            started: None,
            gateway: "http://x".into(),
            auth: "open".into(),
            state: AgentState::Ready,
            message: message.into(),
            suspended: None,
            suspended_apps: Vec::new(),
            audit: AuditStatus::default(),
            tls: None,
            notifications: Vec::new(),
        };
        let app = |(name, state): &(&str, Option<AppState>)| AppStatus {
            state: *state,
            source: "s".into(),
            path: "a\nb.yaml".into(),
            ..AppStatus::bare(name, "http://x".into())
        };
        Status { agent, sources: Vec::new(), apps: apps.iter().map(app).collect() }
    }

    /// Name and data of an event.
    fn read(bytes: &Bytes) -> (String, Value) {
        let text = std::str::from_utf8(bytes).unwrap();
        let lines: Vec<_> = text.split('\n').collect();
        let [name, data, "", ""] = lines[..] else { panic!("{text}") };
        let data = data.strip_prefix("data: ").unwrap();
        (name.strip_prefix("event: ").unwrap().to_owned(), serde_json::from_str(data).unwrap())
    }

    #[test]
    fn the_whole_is_the_status() {
        let status = status("a\r\nevent: x\n\ndata: y", &[("a", None), ("b", Some(AppState::Ready))]);
        let picture = Picture::of(&status, &Picture::default());
        assert_eq!(read(&picture.whole()), ("status".into(), serde_json::to_value(&status).unwrap()));
    }

    #[test]
    fn what_has_changed() {
        let (ready, backoff) = (Some(AppState::Ready), Some(AppState::Backoff));
        let first = Picture::of(&status("m", &[("a", ready), ("b", ready), ("c", ready)]), &Picture::default());
        let same = Picture::of(&status("m", &[("a", ready), ("b", ready), ("c", ready)]), &first);
        assert!(same.is_like(&first) && same.since(&first).is_none());
        let second = Picture::of(&status("m", &[("a", ready), ("b", backoff), ("d", ready)]), &same);
        let (name, change) = read(&second.since(&first).unwrap());
        assert_eq!(name, "change");
        let names: Vec<_> = change["apps"].as_array().unwrap().iter().map(|app| app["name"].clone()).collect();
        assert_eq!((names, &change["gone"]), (vec![json!("b"), json!("d")], &json!(["c/s/a\nb.yaml"])));
        let third = Picture::of(&status("n", &[("a", ready), ("b", backoff), ("d", ready)]), &second);
        let (_, change) = read(&third.since(&second).unwrap());
        assert_eq!((&change["apps"], &change["gone"]), (&json!([]), &json!([])));
        assert_eq!(change["agent"]["message"], "n");
        // Also for somebody who has not seen what was in between.
        let (_, change) = read(&third.since(&first).unwrap());
        assert_eq!(change["apps"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_cannot_be_told_apart_is_told_whole() {
        let (ready, backoff) = (Some(AppState::Ready), Some(AppState::Backoff));
        let one = Picture::of(&status("m", &[("a", ready)]), &Picture::default());
        let two = Picture::of(&status("m", &[("a", ready), ("a", backoff)]), &one);
        assert_eq!(read(&two.since(&one).unwrap()).0, "status");
        assert_eq!(read(&one.since(&two).unwrap()).0, "status");
        assert_eq!(read(&Picture::of(&status("m", &[("a", ready)]), &one).since(&two).unwrap()).0, "status");
    }
}
