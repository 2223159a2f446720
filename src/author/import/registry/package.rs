//! Packages: which command runs one, in the version that the entry names.

use super::{
    super::{
        desk::{Desk, Field, Setting},
        object::Object,
        server::Run,
    },
    input::Input,
    settings,
};
use crate::manifest::{
    Code,
    text::{Mark, quoted},
    yaml::Node,
};

/// Whether a package is one that is run here and speaks over stdin and stdout.
pub fn is_runnable(node: &Node) -> bool {
    let text = |node: Option<&Node>| node.and_then(Node::as_str).map(str::to_owned);
    let kind = text(node.get("registryType").or_else(|| node.get("registry_type")));
    let transport = text(node.get("transport").and_then(|transport| transport.get("type")));
    matches!(kind.as_deref(), Some("npm" | "pypi" | "oci" | "nuget"))
        && matches!(transport.as_deref(), None | Some("stdio"))
}

pub fn read(app: &str, node: &Node, desk: &mut Desk) -> Option<Run> {
    let mut object = Object::read(node, app, desk)?;
    let (kind, mark) = object.text("registryType", desk).unwrap_or(("", object.mark));
    let identifier = object.text("identifier", desk).map(|(text, _)| text).unwrap_or_default();
    let version = object.text("version", desk).map(|(text, _)| text);
    let hint = object.text("runtimeHint", desk);
    let runtime = arguments(app, "runtimeArguments", object.list("runtimeArguments", desk), true, desk);
    let own = arguments(app, "packageArguments", object.list("packageArguments", desk), false, desk);
    let env = settings(app, "env", object.list("environmentVariables", desk), desk);
    object.get("transport");
    object.leave_out("fileSha256", "whoever installs the package does not check it", desk);
    if let Some((url, mark)) = object.text("registryBaseUrl", desk)
        && !USUAL.contains(&url.trim_end_matches('/'))
    {
        let message = format!("{app}: the package is in {}, which the agent's machine must be set up for", quoted(url));
        desk.note(mark, message);
    }
    object.finish(desk);
    let (runtime, own, env) = (runtime?, own?, env?);
    if identifier.is_empty() || identifier.starts_with('-') {
        desk.problem(Code::MissingField, mark, format!("{app}: the package has no identifier"), "name one");
        return None;
    }
    if version.is_none_or(|version| version == "latest") && kind != "oci" {
        desk.note(mark, format!("{app}: the package has no version: whatever is the newest will run"));
    }
    let line = Line { identifier, version, runtime, own, env: &env };
    let (command, args) = match kind {
        "npm" => ("npx", line.npx()),
        "pypi" => ("uvx", line.uvx()),
        "oci" => ("docker", line.docker()),
        "nuget" => ("dnx", line.dnx()),
        other => {
            let message = format!("{app}: packages of {} cannot be run", quoted(other));
            desk.problem(
                Code::UnknownValue,
                mark,
                message,
                "choose another one with `--way`, or install it and write the command",
            );
            return None;
        }
    };
    let command = match hint {
        None => command,
        Some((hint, _)) if hint == command => command,
        // The same command line by another engine.
        Some(("podman", _)) if kind == "oci" => "podman",
        Some((hint, mark)) => {
            desk.note(mark, format!("{app}: `runtimeHint` {} is left out: {command} runs the package", quoted(hint)));
            command
        }
    };
    Some(Run::Stdio { command: command.to_owned(), args, env, working_directory: None })
}

/// Registries that commands take packages from unless told otherwise.
const USUAL: [&str; 5] = [
    "https://registry.npmjs.org",
    "https://pypi.org",
    "https://docker.io",
    "https://api.nuget.org",
    "https://api.nuget.org/v3/index.json",
];

struct Line<'p> {
    identifier: &'p str,
    version: Option<&'p str>,
    runtime: Vec<String>,
    own: Vec<String>,
    env: &'p [(String, Setting)],
}

impl Line<'_> {
    fn pinned(&self) -> String {
        self.version.map_or_else(|| self.identifier.to_owned(), |version| format!("{}@{version}", self.identifier))
    }

    fn has(&self, flags: &[&str]) -> bool {
        self.runtime.iter().any(|arg| flags.contains(&arg.as_str()))
    }

    fn npx(self) -> Vec<String> {
        // Nobody is there to say yes.
        let yes = if self.has(&["-y", "--yes"]) { None } else { Some("-y".to_owned()) };
        let package = self.pinned();
        yes.into_iter().chain(self.runtime).chain([package]).chain(self.own).collect()
    }

    fn uvx(self) -> Vec<String> {
        let package = self.pinned();
        self.runtime.into_iter().chain([package]).chain(self.own).collect()
    }

    fn docker(self) -> Vec<String> {
        let missing = [("-i", ["-i", "--interactive"]), ("--rm", ["--rm", "--rm=true"])];
        let missing = missing.into_iter().filter(|(_, flags)| !self.has(flags)).map(|(flag, _)| flag.to_owned());
        let missing: Vec<String> = missing.collect();
        let variables = self.env.iter().flat_map(|(name, _)| ["-e".to_owned(), name.clone()]);
        let tagged =
            self.identifier.contains('@') || self.identifier.rsplit('/').next().is_some_and(|n| n.contains(':'));
        let image = match self.version {
            Some(version) if !tagged => format!("{}:{version}", self.identifier),
            _ => self.identifier.to_owned(),
        };
        let run = ["run".to_owned()].into_iter().chain(missing);
        run.chain(self.runtime).chain(variables).chain([image]).chain(self.own).collect()
    }

    fn dnx(self) -> Vec<String> {
        let package = self.pinned();
        let yes = if self.has(&["-y", "--yes"]) { None } else { Some("--yes".to_owned()) };
        let end = (!self.own.is_empty()).then(|| "--".to_owned());
        self.runtime.into_iter().chain([package]).chain(yes).chain(end).chain(self.own).collect()
    }
}

/// The words of a list of arguments. `of_runtime`: a flag without a value is just that.
fn arguments(app: &str, what: &str, nodes: &[Node], of_runtime: bool, desk: &mut Desk) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut good = true;
    for (index, node) in nodes.iter().enumerate() {
        let Some(input) = Input::read(node, app, desk) else {
            good = false;
            continue;
        };
        let path = format!("{what}[{index}]");
        let mark: Mark = input.mark;
        let field = Field { app, path: &path, name: &input.name, mark, from_agent: false };
        if input.is_named && of_runtime && input.value.is_none() && input.default.is_none() {
            words.push(input.name.clone());
            continue;
        }
        let value = match input.template(field, desk) {
            Ok(Some(template)) => desk.plain(field, &template, &|name| input.meaning(name)),
            Ok(None) => continue,
            Err(()) => None,
        };
        match value {
            None => good = false,
            Some(value) if !input.is_named => words.push(value),
            Some(value) if value.is_empty() => words.push(input.name.clone()),
            Some(value) if input.name.starts_with("--") => words.push(format!("{}={value}", input.name)),
            Some(value) => words.extend([input.name.clone(), value]),
        }
    }
    good.then_some(words)
}
