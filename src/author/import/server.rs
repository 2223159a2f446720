//! A server on its way to be a resource.

use super::{
    ImportedApp,
    desk::{Desk, Field, Meaning, Setting},
    template::Template,
    yaml,
};
use crate::{
    manifest::{
        Code, Severity, parse_file,
        text::{Finding, Mark, quoted},
        yaml::Node,
    },
    resource::{App, EnvValue, HeaderValue, Resource, Server as Kind},
};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

pub struct Server {
    /// The app's name.
    pub name: String,
    pub description: Option<String>,
    pub run: Run,
    pub mark: Mark,
}

pub enum Run {
    Stdio { command: String, args: Vec<String>, env: Vec<(String, Setting)>, working_directory: Option<String> },
    Remote { uri: String, headers: Vec<(String, Setting)> },
}

/// Engines whose `-e NAME` hands a variable on.
const ENGINES: [&str; 3] = ["docker", "podman", "nerdctl"];

impl Server {
    /// The resource, if it is valid. What is wrong with it is reported.
    pub fn finish(self, desk: &mut Desk) -> Option<ImportedApp> {
        let mut labels: BTreeMap<&str, &str> = BTreeMap::new();
        labels.extend(desk.options.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let host_user = desk.options.run_as_host_user.as_deref();
        let text = document(self.metadata(&labels), self.run.spec(host_user));
        checked(&self.name, text, self.mark, desk)
    }

    fn metadata<'a>(&'a self, labels: &BTreeMap<&'a str, &'a str>) -> Node<'a> {
        let mut metadata = vec![("name".into(), yaml::text(&*self.name))];
        if let Some(description) = self.description.as_deref().filter(|text| !text.trim().is_empty()) {
            metadata.push(("description".into(), yaml::text(description)));
        }
        if !labels.is_empty() {
            let labels = labels.iter().map(|(key, value)| (Cow::Borrowed(*key), yaml::text(*value)));
            metadata.push(("labels".into(), yaml::map(labels)));
        }
        yaml::map(metadata)
    }
}

impl Run {
    fn spec<'a>(&'a self, host_user: Option<&'a str>) -> Node<'a> {
        match self {
            Run::Stdio { command, args, env, working_directory } => {
                let mut mcp = vec![(Cow::from("command"), yaml::text(&**command))];
                if !args.is_empty() {
                    mcp.push(("args".into(), yaml::list(args.iter().map(|arg| yaml::text(&**arg)))));
                }
                if let Some(user) = host_user {
                    mcp.push(("run_as_host_user".into(), yaml::text(user)));
                }
                if !env.is_empty() {
                    let env = env.iter().map(|(name, value)| (Cow::Borrowed(&**name), value.node()));
                    mcp.push(("env".into(), yaml::map(env)));
                }
                if let Some(folder) = working_directory {
                    mcp.push(("working_directory".into(), yaml::text(&**folder)));
                }
                yaml::map([("mcp".into(), yaml::map(mcp))])
            }
            Run::Remote { uri, headers } => {
                let mut spec = vec![(Cow::from("uri"), yaml::text(&**uri))];
                if !headers.is_empty() {
                    let header = |(name, value): &'a (String, Setting)| {
                        yaml::map([("name".into(), yaml::text(&**name)), ("value".into(), value.node())])
                    };
                    let headers = yaml::list(headers.iter().map(header));
                    spec.push(("rewrite".into(), yaml::map([("headers".into(), headers)])));
                }
                yaml::map(spec)
            }
        }
    }
}

impl Setting {
    pub fn node(&self) -> Node<'_> {
        match self {
            Setting::Literal(value) => yaml::text(&**value),
            Setting::Secret(name) => yaml::map([("secret".into(), yaml::text(&**name))]),
            Setting::FromAgent(name) => yaml::map([("from_agent".into(), yaml::text(&**name))]),
        }
    }
}

/// An app's document.
pub fn document(metadata: Node, spec: Node) -> String {
    yaml::write(&yaml::map([
        ("kind".into(), yaml::text("app")),
        ("version".into(), yaml::text("v3")),
        ("metadata".into(), metadata),
        ("spec".into(), spec),
    ]))
}

/// The document as what it is; its mistakes are those of the server that it was made of.
pub fn checked(name: &str, text: String, mark: Mark, desk: &mut Desk) -> Option<ImportedApp> {
    let file = parse_file(&format!("{name}.yaml"), text.as_bytes());
    for wrong in file.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error) {
        let help = wrong.help.as_deref().map(|help| format!("{help}; ")).unwrap_or_default();
        let finding = Finding::error(wrong.code, mark, format!("{name}: {}", wrong.message));
        desk.report(finding.help(format!("{help}`--except {name}` leaves the server out")));
    }
    match file.resources.into_iter().next().map(|located| located.resource) {
        Some(Resource::App(app)) if file.diagnostics.iter().all(|d| d.severity != Severity::Error) => {
            Some(ImportedApp { app, text })
        }
        _ => None,
    }
}

/// What the arguments of a command become. A variable that is given to a container by its value becomes one of the
/// server's own, which it can be a secret of.
pub fn command_line(
    app: &str,
    command: (&str, Mark),
    args: &[(&str, Mark)],
    env: &mut Vec<(String, Setting)>,
    lookup: &dyn Fn(&str) -> Meaning,
    desk: &mut Desk,
) -> Option<(String, Vec<String>)> {
    fn field<'f>(app: &'f str, path: &'f str, name: &'f str, mark: Mark) -> Field<'f> {
        Field { app, path, name, mark, from_agent: true }
    }
    let program = desk.plain(field(app, "command", "", command.1), &Template::dollar(command.0), lookup);
    let mut words = args.iter().copied();
    let mut program = program?;
    let mut skipped = 0;
    if matches!(program.to_ascii_lowercase().as_str(), "cmd" | "cmd.exe")
        && let Some((flag, _)) = args.first()
        && flag.eq_ignore_ascii_case("/c")
        && let Some((real, _)) = args.get(1)
    {
        desk.note(command.1, format!("{app}: `cmd /c`, which is for Windows, is left out"));
        program = (*real).to_owned();
        words.nth(1);
        skipped = 2;
    }
    if program.contains('\\') {
        let message = format!("{app}: {} is a path of Windows", quoted(&program));
        desk.problem(Code::InvalidPath, command.1, message, format!("`--except {app}` leaves the server out"));
        return None;
    }
    let engine = ENGINES.contains(&program.rsplit('/').next().unwrap_or_default());
    let mut out = Vec::new();
    let mut good = true;
    let mut before = "";
    for (index, (arg, mark)) in words.enumerate() {
        let path = format!("args[{}]", index + skipped);
        let variable = arg.split_once('=').filter(|_| engine && matches!(before, "-e" | "--env"));
        if let Some((name, value)) = variable {
            let path = format!("env.{name}");
            match desk.setting(field(app, &path, name, mark), &Template::dollar(value), lookup) {
                Some(Setting::Literal(value)) => out.push(format!("{name}={value}")),
                Some(setting) => {
                    env.retain(|(other, _)| other != name);
                    env.push((name.to_owned(), setting));
                    out.push(name.to_owned());
                }
                None => good = false,
            }
        } else {
            // `--api-key=VALUE`, or `--api-key VALUE`.
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) if arg.starts_with('-') => (name, value),
                _ if before.starts_with('-') && !before.contains('=') && !arg.starts_with('-') => (before, arg),
                _ => ("", arg),
            };
            let whole = arg.len() - value.len();
            match desk.plain(field(app, &path, name, mark), &Template::dollar(value), lookup) {
                Some(value) => out.push(arg.get(..whole).unwrap_or_default().to_owned() + &value),
                None => good = false,
            }
        }
        before = arg;
    }
    good.then_some((program, out))
}

/// The `spec.uri` of a URL.
pub fn uri(app: &str, url: &str, sse: bool, mark: Mark, desk: &mut Desk) -> Option<String> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Some(if sse { format!("mcp+sse+{url}") } else { format!("mcp+{url}") });
    }
    let message = format!("{app}: the URL is not one of http or https");
    desk.problem(Code::InvalidUri, mark, message, format!("`--except {app}` leaves the server out"));
    None
}

/// What an app refers to outside of the repository.
pub fn secrets_of(app: &App) -> Vec<&str> {
    let env = app.stdio().into_iter().flat_map(|stdio| stdio.env.values());
    let env = env.filter_map(|value| if let EnvValue::Secret(name) = value { Some(name.as_str()) } else { None });
    let headers = match &app.spec.server {
        Kind::Remote(remote) => remote.headers.as_slice(),
        Kind::Stdio(_) => &[],
    };
    let headers = headers.iter().filter_map(|header| match &header.value {
        HeaderValue::Secret(name) => Some(name.as_str()),
        HeaderValue::Literal(_) => None,
    });
    env.chain(headers).collect()
}

impl ImportedApp {
    pub fn name(&self) -> &str {
        &self.app.metadata.name
    }

    pub fn app(&self) -> &Arc<App> {
        &self.app
    }
}
