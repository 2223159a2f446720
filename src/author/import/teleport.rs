//! What `tctl get apps` prints: the resources as Teleport's backend has them.

use super::{
    ImportedApp,
    desk::{Desk, Field, Meaning, Setting},
    object::Object,
    server::{checked, document},
    template::Template,
    yaml,
};
use crate::manifest::{
    text::{Mark, quoted},
    yaml::{Entry, Node, Value},
};
use std::{borrow::Cow, collections::BTreeMap};

/// What the backend adds.
const STORED: [&str; 2] = ["id", "revision"];

/// Of an app's `spec`, in this order; everything else is about other things than MCP servers.
const SPEC: [&str; 5] = ["uri", "mcp", "rewrite", "insecure_skip_verify", "dynamic_labels"];

pub fn read(resources: &[Node], desk: &mut Desk) -> Vec<ImportedApp> {
    let mut apps = Vec::new();
    let mut others: BTreeMap<String, (usize, Mark)> = BTreeMap::new();
    for node in resources {
        let kind = node.get("kind").and_then(Node::as_str).unwrap_or_default();
        if kind == "app" {
            apps.extend(app(node, desk));
        } else {
            others.entry(kind.to_owned()).or_insert((0, node.mark)).0 += 1;
        }
    }
    for (kind, (count, mark)) in others {
        desk.note(mark, format!("{count} of kind {} left out: only apps are imported", quoted(&kind)));
    }
    apps
}

fn app(node: &Node, desk: &mut Desk) -> Option<ImportedApp> {
    let mut object = Object::read(node, "app", desk)?;
    let mut metadata = object.object("metadata", desk)?;
    let name = metadata.text("name", desk)?.0;
    if !desk.options.wants(&[name]) {
        return None;
    }
    let mut spec = object.object("spec", desk)?;
    let uri = spec.text("uri", desk).map(|(uri, _)| uri).unwrap_or_default();
    if !uri.starts_with("mcp+") && (spec.get("mcp").is_none() || !uri.is_empty()) {
        desk.note(object.mark, format!("{name}: is no MCP server, and left out"));
        return None;
    }
    for field in ["kind", "version"] {
        object.get(field);
    }
    if let Some(entry) = object.get("sub_kind").filter(|entry| !matches!(entry.value.as_str(), Some("mcp" | ""))) {
        desk.note(entry.mark, format!("{name}: `sub_kind` is left out"));
    }
    object.finish(desk);
    let metadata = self::metadata(name, metadata, desk);
    let is_remote = !uri.is_empty() && uri != "mcp+stdio://";
    let spec = self::spec(name, spec, is_remote, desk)?;
    checked(name, document(metadata, spec), node.mark, desk)
}

fn metadata<'a>(name: &'a str, mut object: Object<'a, 'a>, desk: &mut Desk) -> Node<'a> {
    let mut out = vec![(Cow::from("name"), yaml::text(name))];
    for field in STORED {
        object.get(field);
    }
    if let Some(entry) = object.get("namespace").filter(|entry| entry.value.as_str() != Some("default")) {
        desk.note(entry.mark, format!("{name}: `metadata.namespace` is left out: there are no namespaces"));
    }
    if let Some(entry) = object.get("description").filter(|entry| entry.value.as_str() != Some("")) {
        out.push(("description".into(), entry.value.clone()));
    }
    let labels = object.object("labels", desk).map(|labels| labels.entries()).unwrap_or_default();
    let labels = labels.iter().filter(|entry| entry.key != "teleport.dev/origin");
    let mut labels: Vec<(Cow<str>, Node)> = labels.map(|entry| (entry.key.clone(), entry.value.clone())).collect();
    for (key, value) in &desk.options.labels {
        labels.retain(|(other, _)| *other != *key);
        labels.push((key.clone().into(), yaml::text(value.clone())));
    }
    if !labels.is_empty() {
        out.push(("labels".into(), yaml::map(labels)));
    }
    if let Some(entry) = object.get("expires").filter(|e| !e.value.as_str().is_some_and(|t| t.starts_with("0001-"))) {
        out.push(("expires".into(), entry.value.clone()));
    }
    object.finish(desk);
    yaml::map(out)
}

fn spec<'a>(app: &str, mut object: Object<'a, 'a>, is_remote: bool, desk: &mut Desk) -> Option<Node<'a>> {
    let mut out: Vec<(Cow<str>, Node)> = Vec::new();
    let mut good = true;
    for field in SPEC {
        let Some(entry) = object.get(field).filter(|entry| !is_empty(&entry.value)) else { continue };
        let value = match field {
            "uri" if !is_remote => continue,
            "uri" => {
                let at = Field { app, path: "uri", name: "url", mark: entry.value.mark, from_agent: false };
                let text = entry.value.as_str().unwrap_or_default();
                good &= desk.plain(at, &Template::literal(text), &|_| Meaning::Foreign).is_some();
                entry.value.clone()
            }
            "mcp" if is_remote => {
                desk.note(entry.mark, format!("{app}: `mcp` is left out: the server is remote"));
                continue;
            }
            "mcp" => process(app, &entry.value, &mut good, desk),
            "rewrite" => match rewrite(app, &entry.value, &mut good, desk) {
                Some(value) => value,
                None => continue,
            },
            "dynamic_labels" => without(&entry.value, "result"),
            _ => entry.value.clone(),
        };
        out.push((field.into(), value));
    }
    for entry in object.entries().iter().filter(|e| !SPEC.contains(&&*e.key) && !is_empty(&e.value)) {
        desk.note(entry.mark, format!("{app}: `spec.{}` is left out: it is not about MCP servers", entry.key));
    }
    good.then(|| yaml::map(out))
}

/// `spec.mcp`, with the host user that was asked for where there is none.
fn process<'a>(app: &str, node: &Node<'a>, good: &mut bool, desk: &mut Desk) -> Node<'a> {
    let Value::Map(entries) = &node.value else { return node.clone() };
    let mut before = "";
    if let Some(Node { value: Value::List(args), .. }) = node.get("args") {
        for (index, arg) in args.iter().enumerate() {
            let text = arg.as_str().unwrap_or_default();
            let path = format!("args[{index}]");
            let name = if before.starts_with('-') && !text.starts_with('-') { before } else { "" };
            let name = text.split_once('=').map_or(name, |(name, _)| name);
            let value = text.split_once('=').map_or(text, |(_, value)| value);
            let field = Field { app, path: &path, name, mark: arg.mark, from_agent: false };
            *good &= desk.plain(field, &Template::literal(value), &|_| Meaning::Foreign).is_some();
            before = text;
        }
    }
    let order = ["command", "args", "run_as_host_user"];
    let place = |entry: &&Entry| order.iter().position(|name| *name == entry.key).unwrap_or(order.len());
    let mut entries: Vec<&Entry> = entries.iter().filter(|entry| !is_empty(&entry.value)).collect();
    entries.sort_by_key(place);
    let mut out: Vec<(Cow<str>, Node)> = entries.iter().map(|e| (e.key.clone(), e.value.clone())).collect();
    if let Some(user) = &desk.options.run_as_host_user
        && !out.iter().any(|(key, _)| key == "run_as_host_user")
    {
        out.push(("run_as_host_user".into(), yaml::text(user.clone())));
    }
    yaml::map(out)
}

fn rewrite<'a>(app: &str, node: &Node, good: &mut bool, desk: &mut Desk) -> Option<Node<'a>> {
    let mut object = Object::read(node, app, desk)?;
    object.leave_out("redirect", "it is for web applications", desk);
    object.leave_out("jwt_claims", "it is for web applications", desk);
    let mut headers = Vec::new();
    for (index, node) in object.list("headers", desk).iter().enumerate() {
        let parts = match &node.value {
            Value::String(line) => line.split_once(':').map(|(name, value)| (name.trim(), value.trim())),
            _ => node.get("name").and_then(Node::as_str).zip(node.get("value").and_then(Node::as_str)),
        };
        let Some((name, value)) = parts else {
            desk.note(node.mark, format!("{app}: `rewrite.headers[{index}]` is left out: it is no header"));
            continue;
        };
        if value.contains("{{") {
            let why = "what is between `{{` and `}}` is filled in by Teleport";
            desk.note(node.mark, format!("{app}: the header {} is left out: {why}", quoted(name)));
            continue;
        }
        let path = format!("headers.{name}");
        let field = Field { app, path: &path, name, mark: node.mark, from_agent: false };
        match desk.setting(field, &Template::literal(value), &|_| Meaning::Foreign) {
            Some(setting) => {
                let value = match setting {
                    Setting::Secret(secret) => yaml::map([("secret".into(), yaml::text(secret))]),
                    Setting::Literal(text) | Setting::FromAgent(text) => yaml::text(text),
                };
                headers.push(yaml::map([("name".into(), yaml::text(name.to_owned())), ("value".into(), value)]));
            }
            None => *good = false,
        }
    }
    object.finish(desk);
    (!headers.is_empty()).then(|| yaml::map([("headers".into(), yaml::list(headers))]))
}

/// The same mapping of mappings, each without one of its fields.
fn without<'a>(node: &Node<'a>, field: &str) -> Node<'a> {
    let Value::Map(entries) = &node.value else { return node.clone() };
    let inner = |value: &Node<'a>| match &value.value {
        Value::Map(entries) => {
            let kept = entries.iter().filter(|entry| entry.key != field);
            yaml::map(kept.map(|entry| (entry.key.clone(), entry.value.clone())))
        }
        _ => value.clone(),
    };
    yaml::map(entries.iter().map(|entry| (entry.key.clone(), inner(&entry.value))))
}

/// What the backend fills in where nothing was written.
fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        _ => false,
    }
}
