//! The registry's `server.json` (2025-12-11): packages and remotes of one server, of which one is taken.

mod input;
mod package;

use super::{
    ImportedApp,
    desk::{Desk, Field, Setting},
    names::resource_name,
    object::Object,
    secrets::Content,
    server::{Run, Server, uri},
};
use crate::manifest::{
    Code,
    text::{Mark, quoted},
    yaml::{Node, Value},
};
use input::{Input, Inputs};
use std::collections::BTreeSet;

/// What says nothing of how a server is run.
const ABOUT: [&str; 8] = ["$schema", "_meta", "icons", "repository", "status", "title", "version", "websiteUrl"];

/// Reads a `server.json`, an answer of a registry about one server, or its list of several.
pub fn read(root: &Node, desk: &mut Desk) -> Vec<ImportedApp> {
    let listed = match root.get("servers").map(|servers| &servers.value) {
        Some(Value::List(servers)) => servers.iter().collect(),
        _ => vec![root],
    };
    let mut taken = BTreeSet::new();
    let mut apps = Vec::new();
    for node in listed {
        apps.extend(
            server(node.get("server").unwrap_or(node), &mut taken, desk).and_then(|server| server.finish(desk)),
        );
    }
    apps
}

fn server(node: &Node, taken: &mut BTreeSet<String>, desk: &mut Desk) -> Option<Server> {
    let mut object = Object::read(node, "", desk)?;
    let full = object.text("name", desk).map(|(name, _)| name).unwrap_or_default();
    let short = full.rsplit('/').next().unwrap_or_default();
    let name = resource_name(short, taken);
    if !desk.options.wants(&[full, &name]) {
        return None;
    }
    let description = object.text("description", desk).map(|(text, _)| text.to_owned());
    let packages = object.list("packages", desk);
    let remotes = object.list("remotes", desk);
    let about: Vec<&str> = ABOUT.into_iter().filter(|field| object.get(field).is_some()).collect();
    if !about.is_empty() {
        let list = about.join("`, `");
        desk.note(object.mark, format!("{name}: left out, as they do not say how it is run: `{list}`"));
    }
    let mark = object.mark;
    object.finish(desk);
    let ways = packages.iter().enumerate().map(|(index, node)| (format!("packages.{index}"), node, true));
    let ways: Vec<_> =
        ways.chain(remotes.iter().enumerate().map(|(i, node)| (format!("remotes.{i}"), node, false))).collect();
    let wanted = desk.options.way.as_deref();
    let chosen = match wanted {
        Some(wanted) => ways.iter().find(|(id, ..)| id == wanted),
        None => ways.iter().find(|(_, node, is_package)| !is_package || package::is_runnable(node)),
    };
    let Some((id, way, is_package)) = chosen else {
        let all: Vec<&str> = ways.iter().map(|(id, ..)| id.as_str()).collect();
        let message = match wanted {
            Some(wanted) => format!("{name}: there is no {}", quoted(wanted)),
            None => format!("{name}: none of its packages can be run over stdio, and it has no remote"),
        };
        let help = match all.as_slice() {
            [] => format!("`--except {name}` leaves the server out"),
            all => format!(
                "it has {}; npm, pypi, oci and nuget packages with the stdio transport can be run",
                all.join(", ")
            ),
        };
        desk.problem(Code::MissingField, mark, message, help);
        return None;
    };
    if let [_, _, ..] = ways.as_slice() {
        let others: Vec<&str> = ways.iter().map(|(id, ..)| id.as_str()).filter(|other| other != id).collect();
        desk.note(way.mark, format!("{name}: `{id}` is taken; the others are {} (`--way`)", others.join(", ")));
    }
    let run = if *is_package { package::read(&name, way, desk)? } else { remote(&name, way, desk)? };
    Some(Server { name, description, run, mark })
}

fn remote(app: &str, node: &Node, desk: &mut Desk) -> Option<Run> {
    let mut object = Object::read(node, app, desk)?;
    let kind = object.text("type", desk).or_else(|| object.text("transport_type", desk));
    let (url, mark) = object.text("url", desk).unwrap_or_default();
    let variables = Inputs::read(object.get("variables").map(|entry| &entry.value), app, desk);
    let headers = object.list("headers", desk);
    object.finish(desk);
    let sse = match kind {
        Some(("sse", _)) => true,
        Some(("streamable-http" | "http", _)) | None => false,
        Some((kind, mark)) => return unknown(app, kind, mark, desk),
    };
    let field = Field { app, path: "url", name: "url", mark, from_agent: false };
    let url = desk.plain(field, &variables.template(url), &|name| variables.meaning(name));
    let headers = settings(app, "headers", headers, desk);
    Some(Run::Remote { uri: uri(app, &url?, sse, mark, desk)?, headers: headers? })
}

fn unknown<T>(app: &str, kind: &str, mark: Mark, desk: &mut Desk) -> Option<T> {
    let message = format!("{app}: there is no transport {}", quoted(kind));
    desk.problem(Code::UnknownValue, mark, message, "a remote server has `streamable-http` or `sse`");
    None
}

/// Variables of the environment, or headers.
fn settings(app: &str, what: &str, nodes: &[Node], desk: &mut Desk) -> Option<Vec<(String, Setting)>> {
    let mut settings = Vec::new();
    let mut good = true;
    for node in nodes {
        let Some(input) = Input::read(node, app, desk) else {
            good = false;
            continue;
        };
        let path = format!("{what}.{}", input.name);
        let field = Field { app, path: &path, name: &input.name, mark: input.mark, from_agent: false };
        match input.template(field, desk) {
            Ok(Some(template)) => match desk.setting(field, &template, &|name| input.meaning(name)) {
                // A text that is declared a secret is one, whatever it looks like.
                Some(Setting::Literal(value)) if input.is_secret && !desk.keeps(&field) => {
                    let secret = desk.secrets.of_field(field, Content::Found(value.into()));
                    settings.push((input.name.clone(), Setting::Secret(secret)));
                }
                Some(setting) => settings.push((input.name.clone(), setting)),
                None => good = false,
            },
            Ok(None) => {}
            Err(()) => good = false,
        }
    }
    good.then_some(settings)
}
