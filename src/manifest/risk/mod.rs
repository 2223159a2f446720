//! What is allowed in a file and yet a risk: reported to whoever writes the file, never to whoever runs it.

mod commands;
mod container;
mod package;
mod pattern;
pub mod secret;
#[cfg(test)]
mod tests;

use super::{
    Code, Diagnostic,
    decode::{Context, is_secure_url, items},
    text::{Mark, Text},
    yaml::{Node, Value},
};
use crate::resource::{App, Resource, Server};
use commands::{Word, commands};
use secret::{Clue, literal, within};

/// The program that is this one, and needs nothing of a host.
const OWN: &str = "mcpfleet";

/// Collects what is a risk in the documents of a file.
#[derive(Debug, Default)]
pub(super) struct Risks {
    context: Context,
    /// Where there are secrets, of which no diagnostic may show the lines as they are.
    secrets: Vec<(Mark, String)>,
}

impl Risks {
    /// Looks at a valid document, the file's `number`th.
    pub(super) fn look_at(&mut self, resource: &Resource, node: &Node, number: u32) {
        let since = self.context.findings();
        match resource {
            Resource::App(app) => self.app(app, node),
            Resource::Role(_) => pattern::role(node, &self.context),
            Resource::User(_) => {}
        }
        self.context.locate(since, number, node);
    }

    /// Puts the warnings among what else is wrong with the file, by place. No line of them shows a secret.
    pub(super) fn add_to(self, diagnostics: &mut Vec<Diagnostic>, text: &Text) {
        for mut warning in self.context.into_diagnostics(text) {
            // That there are too many of them is no error either.
            warning.severity = super::Severity::Warning;
            diagnostics.push(warning);
        }
        diagnostics.sort_by_key(|diagnostic| diagnostic.position);
        for diagnostic in diagnostics.iter_mut().filter(|_| !self.secrets.is_empty()) {
            let (line, position) = (diagnostic.line_text.take(), diagnostic.position);
            diagnostic.line_text = line.map(|line| {
                let on_line = self.secrets.iter().filter(|(mark, _)| position.is_some_and(|p| p.line == mark.line));
                let line = on_line.fold(line, |line, (mark, _)| masked(&line, *mark));
                self.secrets.iter().fold(line, |line, (_, value)| line.replace(value.as_str(), "***"))
            });
        }
    }

    fn app(&mut self, app: &App, node: &Node) {
        let spec = node.get("spec");
        let mcp = spec.and_then(|spec| spec.get("mcp"));
        match &app.spec.server {
            Server::Stdio(stdio) => {
                let command = mcp.and_then(|mcp| mcp.get("command"));
                if stdio.run_as_host_user.is_none() && stdio.command != OWN {
                    let mark = command.map_or(node.mark, |command| command.mark);
                    let message = "the app names no `run_as_host_user`: it runs as whoever the agent has for such apps";
                    let help = "name a host user who may do what this server needs and nothing else";
                    self.context.warning(Code::NoHostUser, mark, message, help);
                }
                let arguments = mcp.and_then(|mcp| mcp.get("args")).map(items).unwrap_or_default();
                self.words(command.into_iter().chain(arguments));
                for entry in mcp.and_then(|mcp| mcp.get("env")).map(entries).unwrap_or_default() {
                    let clue = entry.value.as_str().and_then(|value| literal(&entry.key, value));
                    self.secret(clue, &entry.value, "the variable");
                }
            }
            Server::Remote(remote) => {
                let uri = spec.and_then(|spec| spec.get("uri"));
                if let Some(uri) = uri {
                    let query = remote.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
                    let clue = query.split('#').flat_map(|query| query.split('&')).find_map(within);
                    self.secret(clue, uri, "a parameter of the URI");
                }
                let headers = spec.and_then(|spec| spec.get("rewrite")).and_then(|rewrite| rewrite.get("headers"));
                let headers = headers.map(items).unwrap_or_default();
                let mut carries = !remote.headers.is_empty()
                    && remote.headers.iter().any(|h| matches!(h.value, crate::resource::HeaderValue::Secret(_)));
                for header in headers {
                    let (name, value) = match (header.get("name"), header.get("value")) {
                        (Some(name), Some(value)) => (name.as_str(), value),
                        _ => (header.as_str().and_then(|line| line.split_once(':')).map(|(name, _)| name), header),
                    };
                    let text = value.as_str().unwrap_or_default();
                    let text = if std::ptr::eq(value, header) {
                        text.split_once(':').map_or("", |(_, value)| value.trim())
                    } else {
                        text
                    };
                    let clue = literal(name.unwrap_or_default(), text);
                    carries |= clue.is_some();
                    self.secret(clue, value, "the header");
                }
                if let Some(uri) = uri.filter(|_| carries && !is_secure_url(&remote.url)) {
                    let message = "secrets are sent over plain HTTP: anyone on the way can read them";
                    self.context.warning(Code::SecretInClear, uri.mark, message, "write `mcp+https://`");
                }
            }
        }
        for label in spec.and_then(|spec| spec.get("dynamic_labels")).map(entries).unwrap_or_default() {
            self.words(label.value.get("command").map(items).unwrap_or_default().iter());
        }
    }

    /// A program and its arguments.
    fn words<'n>(&mut self, nodes: impl Iterator<Item = &'n Node<'n>>) {
        let nodes: Vec<&Node> = nodes.collect();
        let mut option: Option<&str> = None;
        for node in nodes.iter().skip(1) {
            let text = node.as_str().unwrap_or_default();
            let clue = match option.filter(|_| !text.starts_with('-')) {
                Some(option) => literal(option, text).or_else(|| within(text)),
                None => within(text),
            };
            self.secret(clue, node, "the argument");
            option = (text.starts_with("--") && !text.contains('=')).then(|| text.trim_start_matches('-'));
        }
        let words = nodes.iter().map(|node| Word::new(node.as_str().unwrap_or_default(), node.mark)).collect();
        for command in commands(words) {
            container::look_at(&command, &self.context);
            package::look_at(&command, &self.context);
        }
    }

    fn secret(&mut self, clue: Option<Clue>, node: &Node, what: &str) {
        let Some(clue) = clue else { return };
        let message = format!("{what} holds a literal that {clue}: whoever can read the repository has it");
        let help = "put it into the agent's `secrets_dir` and write `{secret: NAME}`, in a variable or header; then \
                    replace it where it was issued, because it stays in the history";
        self.context.warning(Code::LiteralSecret, node.mark, message, help);
        let value = node.as_str().unwrap_or_default();
        self.secrets.extend(value.lines().map(str::trim).filter(|l| l.len() > 3).map(|l| (node.mark, l.to_owned())));
    }
}

fn entries<'n, 'a>(node: &'n Node<'a>) -> &'n [super::yaml::Entry<'a>] {
    match &node.value {
        Value::Map(entries) => entries,
        _ => &[],
    }
}

/// A line with what is at the mark, which starts on it, made unreadable.
fn masked(line: &str, mark: Mark) -> String {
    let start = mark.column.saturating_sub(1) as usize;
    let end = start.saturating_add(mark.length as usize);
    line.chars().enumerate().map(|(at, c)| if (start..end).contains(&at) { '*' } else { c }).collect()
}
