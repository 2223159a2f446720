//! Apps from what other programs have: the files of MCP clients, entries of a registry, and Teleport's resources. Pure.
//!
//! A file becomes resources as a whole, or diagnostics that say what is wrong. What of it has no counterpart is told of in
//! notes. What looks like a secret becomes a reference, and is never shown.

mod clients;
mod desk;
mod detect;
mod jsonc;
mod names;
mod object;
mod registry;
mod report;
mod secrets;
mod server;
mod teleport;
mod template;
mod value;
mod vscode;
pub(super) mod yaml;

pub use desk::Note;
pub use report::{Existing, report};
pub use secrets::{Content, Found, Secret};
pub use server::secrets_of;

use super::AuthorError;
use crate::{
    manifest::{
        Code, Diagnostic,
        text::{Text, quoted, whole_lines},
        yaml::{self as strict, Node, Value},
    },
    resource::App,
};
use desk::{Desk, without_line};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The most apps that one file may become.
const MAX_APPS: usize = 1000;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `mcpServers` of Claude Desktop, Claude Code, Cursor and others
    McpServers,
    /// VS Code's `mcp.json`: `servers` and `inputs`
    #[value(name = "vscode")]
    VsCode,
    /// `server.json` of the MCP registry
    ServerJson,
    /// What `tctl get apps` prints, in YAML or JSON
    Tctl,
}

/// What the user has to say.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `None`: it is told from the file.
    pub format: Option<Format>,
    /// For all apps.
    pub labels: BTreeMap<String, String>,
    /// For stdio servers that name none.
    pub run_as_host_user: Option<String>,
    /// Only these; empty: all.
    pub only: BTreeSet<String>,
    pub except: BTreeSet<String>,
    /// What stands for references that have no value of their own.
    pub vars: BTreeMap<String, String>,
    /// Values that are no secrets, each `APP.FIELD`.
    pub not_secret: BTreeSet<String>,
    /// Of the ways in which a registry's server can be run: `packages.0`, `remotes.1`.
    pub way: Option<String>,
}

impl Options {
    /// Whether a server with these names is to be imported.
    fn wants(&self, names: &[&str]) -> bool {
        let any = |set: &BTreeSet<String>| names.iter().any(|name| set.contains(*name));
        (self.only.is_empty() || any(&self.only)) && !any(&self.except)
    }
}

/// An app, and its document.
#[derive(Clone, Debug)]
pub struct ImportedApp {
    app: Arc<App>,
    pub text: String,
}

/// What a file has become.
#[derive(Clone, Debug)]
pub struct Import {
    pub format: Format,
    pub apps: Vec<ImportedApp>,
    pub notes: Vec<Note>,
    pub secrets: Vec<Secret>,
}

/// Converts a file. `path` is what messages call it.
///
/// # Errors
/// [`AuthorError::Invalid`] with all that is wrong, none of which shows a line of the file; [`AuthorError::Usage`] when the
/// options do not fit it.
pub fn import(path: &str, bytes: &[u8], options: &Options) -> Result<Import, AuthorError> {
    let bytes = whole_lines(bytes);
    let invalid = |diagnostic: Diagnostic| AuthorError::Invalid(vec![without_line(diagnostic)]);
    let text = Text::new(path, &bytes).map_err(|diagnostic| invalid(*diagnostic))?;
    let roots = roots(&text, options.format)?;
    let Some(format) = options.format.or_else(|| roots.first().and_then(detect)) else {
        let message = "this is none of the formats that are read";
        let mut wrong = Diagnostic::about_file(Code::UnknownKind, path, message);
        wrong.help = Some(
            "a client's file has `mcpServers` or `servers`, a registry's `packages` or `remotes`, Teleport's `kind`"
                .to_owned(),
        );
        return Err(AuthorError::Invalid(vec![wrong]));
    };
    let mut desk = Desk::new(options, &text);
    let apps = convert(format, &roots, &mut desk);
    if !desk.has_problems() {
        if let Some(unused) = desk.unused() {
            return Err(AuthorError::Usage(unused));
        }
        if apps.len() > MAX_APPS {
            let message =
                format!("{path} has {} servers; at most {MAX_APPS} are imported at once (`--only`)", apps.len());
            return Err(AuthorError::Refused(message));
        }
    }
    let (problems, notes, secrets) = desk.finish();
    if !problems.is_empty() {
        return Err(AuthorError::Invalid(problems));
    }
    // A secret of a server that came to nothing is none of anybody's.
    let used: BTreeSet<&str> = apps.iter().flat_map(|app| secrets_of(&app.app)).collect();
    let secrets = secrets.into_vec().into_iter().filter(|secret| used.contains(&*secret.name)).collect();
    Ok(Import { format, apps, notes, secrets })
}

fn convert(format: Format, roots: &[Node], desk: &mut Desk) -> Vec<ImportedApp> {
    let Some(root) = roots.first() else { return Vec::new() };
    match format {
        Format::McpServers => {
            let Some(mut object) = object::Object::read(root, "", desk) else { return Vec::new() };
            let servers = match object.object("mcpServers", desk) {
                Some(servers) => servers.entries(),
                // Some clients have nothing around them.
                None if bare(root) => return clients::read(object.entries(), &clients::meaning, desk),
                None => {
                    let help = "name the format with `--format`, or correct the file";
                    desk.problem(Code::MissingField, root.mark, "there is no `mcpServers`", help);
                    return Vec::new();
                }
            };
            let others = object.entries().iter().filter(|entry| entry.key != "mcpServers");
            let others: Vec<String> = others.map(|entry| quoted(&entry.key)).collect();
            if !others.is_empty() {
                let shown = others.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
                let more = if others.len() > 8 { format!(" and {} more", others.len() - 8) } else { String::new() };
                desk.note(root.mark, format!("other settings of the client are left out: {shown}{more}"));
            }
            clients::read(servers, &clients::meaning, desk)
        }
        Format::VsCode => vscode::read(root, desk).unwrap_or_default(),
        Format::ServerJson => registry::read(root, desk),
        Format::Tctl => match &root.value {
            Value::List(resources) if roots.len() == 1 => teleport::read(resources, desk),
            _ => teleport::read(roots, desk),
        },
    }
}

/// The documents of a text: JSON, or a stream of YAML.
fn roots<'a>(text: &'a Text<'a>, format: Option<Format>) -> Result<Vec<Node<'a>>, AuthorError> {
    let mut found = Vec::new();
    let mut report = |finding| found.push(without_line(text.diagnostic(finding)));
    let is_json = text.as_str().trim_start().starts_with(['{', '[', '/']);
    if is_json || format.is_some_and(|format| format != Format::Tctl) {
        match jsonc::read(text.as_str()) {
            Ok(node) => return Ok(vec![node]),
            Err(finding) => report(*finding),
        }
        return Err(AuthorError::Invalid(found));
    }
    let reading = strict::read(text);
    reading.findings.into_iter().for_each(report);
    if !found.is_empty() {
        return Err(AuthorError::Invalid(found));
    }
    let valid = |document: strict::Document<'a>| match document.content {
        strict::Content::Valid(node) => Some(node),
        strict::Content::Refused { .. } => None,
    };
    Ok(reading.documents.into_iter().filter_map(valid).collect())
}

/// The format of a document, by the fields that only it has.
fn detect(root: &Node) -> Option<Format> {
    let is_map = |node: &Node| matches!(node.value, Value::Map(_));
    if matches!(root.value, Value::List(_)) || root.get("kind").is_some() {
        return Some(Format::Tctl);
    }
    if root.get("mcpServers").is_some() {
        return Some(Format::McpServers);
    }
    let inner = root.get("mcp").and_then(|mcp| mcp.get("servers"));
    if root.get("servers").or(inner).is_some_and(is_map) {
        return Some(Format::VsCode);
    }
    let of_registry = ["packages", "remotes", "server", "servers"].iter().any(|field| root.get(field).is_some());
    if of_registry {
        return Some(Format::ServerJson);
    }
    bare(root).then_some(Format::McpServers)
}

/// Whether a document is nothing but servers by name.
fn bare(root: &Node) -> bool {
    let is_server = |node: &Node| node.get("command").or_else(|| node.get("url")).is_some();
    matches!(&root.value, Value::Map(entries) if !entries.is_empty() && entries.iter().all(|e| is_server(&e.value)))
}
