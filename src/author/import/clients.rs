//! The configuration files of clients: `mcpServers` of Claude Desktop, Claude Code, Cursor and others, and `servers` with
//! `inputs` of VS Code.

use super::{
    ImportedApp,
    desk::{Desk, Field, Meaning, Setting},
    names::resource_name,
    object::Object,
    server::{Run, Server, command_line, uri},
    template::{Piece, Template},
};
use crate::manifest::{
    Code,
    text::{Mark, quoted},
    yaml::{Entry, Node, Value},
};
use std::collections::BTreeSet;

/// Settings of clients that say nothing of how a server is run.
const OF_CLIENTS: [&str; 8] =
    ["alwaysAllow", "autoApprove", "tools", "disabledTools", "dev", "gallery", "timeout", "trust"];

/// Reads the servers of a file, each by its name.
pub fn read(servers: &[Entry], lookup: &dyn Fn(&str) -> Meaning, desk: &mut Desk) -> Vec<ImportedApp> {
    let mut taken = BTreeSet::new();
    let mut apps = Vec::new();
    for entry in servers {
        let name = resource_name(&entry.key, &mut taken);
        if !desk.options.wants(&[&entry.key, &name]) {
            continue;
        }
        if name != entry.key {
            desk.note(entry.mark, format!("{} becomes the app `{name}`", quoted(&entry.key)));
        }
        apps.extend(server(name, entry, lookup, desk).and_then(|server| server.finish(desk)));
    }
    apps
}

fn server(name: String, entry: &Entry, lookup: &dyn Fn(&str) -> Meaning, desk: &mut Desk) -> Option<Server> {
    let mut object = Object::read(&entry.value, &name, desk)?;
    if object.flag("disabled", desk) || object.get("enabled").is_some_and(|e| e.value.value == Value::Bool(false)) {
        desk.note(entry.mark, format!("{name}: is disabled, and left out"));
        return None;
    }
    let kind = object.text("type", desk).or_else(|| object.text("transport", desk));
    let description = object.text("description", desk).map(|(text, _)| text.to_owned());
    let urls = ["url", "serverUrl", "httpUrl"].map(|field| object.text(field, desk));
    let (url, is_http) = (urls.iter().flatten().next().copied(), urls[2].is_some());
    let command = object.text("command", desk);
    let run = match (command, url) {
        (Some(command), None) => stdio(&name, command, &mut object, lookup, desk),
        (None, Some(url)) => remote(&name, url, kind, is_http, &mut object, lookup, desk),
        (command, _) => {
            let both = if command.is_some() { "both `command` and `url`" } else { "neither `command` nor `url`" };
            let message = format!("{name}: it has {both}");
            desk.problem(Code::MissingField, entry.mark, message, format!("`--except {name}` leaves the server out"));
            None
        }
    };
    for field in OF_CLIENTS {
        object.leave_out(field, "it is about the client", desk);
    }
    object.leave_out("envFile", "it is not read; put its variables into `env` of the resource", desk);
    object.leave_out("oauth", "signing in is not done for servers; give a token in a header", desk);
    object.leave_out("auth", "signing in is not done for servers; give a token in a header", desk);
    object.leave_out("headersHelper", "headers are not computed; give a token in a header", desk);
    object.finish(desk);
    Some(Server { name, description, run: run?, mark: entry.mark })
}

fn stdio(
    app: &str,
    command: (&str, Mark),
    object: &mut Object,
    lookup: &dyn Fn(&str) -> Meaning,
    desk: &mut Desk,
) -> Option<Run> {
    let args = texts(app, "args", object.list("args", desk), desk);
    let env = object.object("env", desk);
    let env = env.map(|env| settings(app, "env", env.entries(), true, lookup, desk));
    let mut env = env.unwrap_or_else(|| Some(Vec::new()));
    let mut more = Vec::new();
    let args = args?;
    // Programs such as mcp-remote fill in variables by themselves.
    let own = |name: &str| env.as_ref().is_some_and(|env| env.iter().any(|(other, _)| other == name));
    let by_itself = |name: &str| if own(name) { Meaning::Value(format!("${{{name}}}")) } else { lookup(name) };
    for (arg, mark) in &args {
        for piece in Template::dollar(arg).pieces {
            if let Piece::Reference { name, .. } = piece
                && own(&name)
            {
                let message = format!(
                    "{app}: {} stays in its arguments: it has a variable of that name, and may fill it in",
                    quoted(&format!("${{{name}}}"))
                );
                desk.note(*mark, message);
            }
        }
    }
    let line = command_line(app, command, &args, &mut more, &by_itself, desk);
    if let Some(env) = &mut env {
        env.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        env.append(&mut more);
    }
    let (command, args) = line?;
    let working_directory = object.text("cwd", desk).and_then(|(folder, mark)| {
        let relative = !folder.starts_with('/') && !folder.starts_with("${");
        let foreign = folder.starts_with("${workspaceFolder") && desk.var("workspaceFolder").is_none();
        if relative || foreign {
            let why = "it is no absolute path; the server runs in a private folder of its own";
            desk.note(mark, format!("{app}: `cwd` is left out: {why}"));
            return None;
        }
        desk.plain(Field { app, path: "cwd", name: "", mark, from_agent: false }, &Template::dollar(folder), lookup)
    });
    Some(Run::Stdio { command, args, env: env?, working_directory })
}

fn remote(
    app: &str,
    url: (&str, Mark),
    kind: Option<(&str, Mark)>,
    is_http: bool,
    object: &mut Object,
    lookup: &dyn Fn(&str) -> Meaning,
    desk: &mut Desk,
) -> Option<Run> {
    let headers = object.object("headers", desk);
    let headers = headers.map(|headers| settings(app, "headers", headers.entries(), false, lookup, desk));
    let headers = headers.unwrap_or_else(|| Some(Vec::new()));
    let field = Field { app, path: "url", name: "url", mark: url.1, from_agent: false };
    let plain = desk.plain(field, &Template::dollar(url.0), lookup)?;
    let path = plain.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let sse = match kind.map(|(kind, mark)| (kind.to_ascii_lowercase(), mark)) {
        Some((kind, _)) if kind == "sse" => true,
        Some((kind, _)) if matches!(kind.replace(['-', '_'], "").as_str(), "http" | "streamablehttp") => false,
        Some((kind, mark)) => {
            let message = format!("{app}: there is no transport {}", quoted(&kind));
            desk.problem(Code::UnknownValue, mark, message, "a remote server has `http` or `sse`");
            return None;
        }
        None if !is_http && path.ends_with("/sse") => {
            desk.note(url.1, format!("{app}: taken for one of the SSE transport, as its URL ends with `/sse`"));
            true
        }
        None => false,
    };
    Some(Run::Remote { uri: uri(app, &plain, sse, url.1, desk)?, headers: headers? })
}

/// The texts of a list.
fn texts<'n>(app: &str, what: &str, nodes: &'n [Node], desk: &mut Desk) -> Option<Vec<(&'n str, Mark)>> {
    let mut texts = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        match &node.value {
            Value::String(text) => texts.push((&**text, node.mark)),
            Value::Number(number) => texts.push((&*number.text, node.mark)),
            other => {
                let message = format!("{app}: `{what}[{index}]`: expected a string, found {}", other.describe());
                desk.problem(Code::WrongType, node.mark, message, "put it in quotes");
            }
        }
    }
    (texts.len() == nodes.len()).then_some(texts)
}

/// Variables or headers.
fn settings(
    app: &str,
    what: &str,
    entries: &[Entry],
    from_agent: bool,
    lookup: &dyn Fn(&str) -> Meaning,
    desk: &mut Desk,
) -> Option<Vec<(String, Setting)>> {
    let mut settings = Vec::new();
    let mut good = true;
    for Entry { key, mark, value } in entries {
        let path = format!("{what}.{key}");
        let text = match &value.value {
            Value::String(text) => text.to_string(),
            Value::Number(number) => number.text.to_string(),
            Value::Bool(value) => value.to_string(),
            // VS Code takes it for "not set".
            Value::Null => {
                desk.note(*mark, format!("{app}: `{path}` has no value and is left out"));
                continue;
            }
            other => {
                let message = format!("{app}: `{path}`: expected a string, found {}", other.describe());
                desk.problem(Code::WrongType, value.mark, message, "put it in quotes");
                good = false;
                continue;
            }
        };
        let field = Field { app, path: &path, name: key, mark: value.mark, from_agent };
        match desk.setting(field, &Template::dollar(&text), lookup) {
            Some(setting) => settings.push((key.to_string(), setting)),
            None => good = false,
        }
    }
    good.then_some(settings)
}

/// What a reference of a client stands for that has no inputs.
pub fn meaning(name: &str) -> Meaning {
    match name.strip_prefix("env:") {
        Some(variable) => Meaning::Environment(variable.to_owned()),
        None if is_variable(name) => Meaning::Environment(name.to_owned()),
        None => Meaning::Foreign,
    }
}

/// Names as those of variables are, but for the few that editors have.
fn is_variable(name: &str) -> bool {
    const EDITORS: [&str; 8] = [
        "workspaceFolder",
        "workspaceFolderBasename",
        "userHome",
        "cwd",
        "file",
        "pathSeparator",
        "fileDirname",
        "execPath",
    ];
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !EDITORS.contains(&name)
}
