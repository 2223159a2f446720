//! One file: bytes in, resources and diagnostics out.

use super::{
    Diagnostic, Place, Position,
    decode::{Context, resource, user_places},
    place::Places,
    risk::Risks,
    text::{Finding, Mark, Text, whole_lines},
    yaml::{self, Content, Node},
};
use crate::resource::{Kind, Resource, ResourceId, check_name};
use std::sync::Arc;

/// A resource and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    pub resource: Resource,
    /// From the source's root, with `/` between components.
    pub path: Arc<str>,
    /// Where its document starts.
    pub position: Position,
    /// Where the parts of it are written that other files matter to.
    pub places: Places,
}

/// What one file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedFile {
    /// The documents that are valid by themselves.
    pub resources: Vec<Located>,
    /// Resources that an invalid document of the file is evidently about: its kind and name could be read.
    pub claims: Vec<ResourceId>,
    pub diagnostics: Vec<Diagnostic>,
}

impl ParsedFile {
    /// Whether the file may take effect. A file is the unit: one bad document holds all of it.
    pub fn is_valid(&self) -> bool {
        self.diagnostics.iter().all(|d| d.severity != super::Severity::Error)
    }
}

/// Reads one file. Bounded in time and memory whatever the bytes are; never panics.
pub fn parse_file(path: &str, bytes: &[u8]) -> ParsedFile {
    parse(path, bytes, None)
}

/// As [`parse_file`], with warnings of what is allowed and yet a risk. For those who write and check files: whoever runs
/// them has nothing to do about it.
pub fn check_file(path: &str, bytes: &[u8]) -> ParsedFile {
    parse(path, bytes, Some(Risks::default()))
}

fn parse(path: &str, bytes: &[u8], mut risks: Option<Risks>) -> ParsedFile {
    let bytes = whole_lines(bytes);
    let text = match Text::new(path, &bytes) {
        Ok(text) => text,
        Err(diagnostic) => return ParsedFile { diagnostics: vec![*diagnostic], ..ParsedFile::default() },
    };
    let reading = yaml::read(&text);
    let context = Context::new();
    let starts: Vec<Mark> = match reading.findings.as_slice() {
        [] => Vec::new(),
        _ => reading.documents.iter().map(|document| document.mark).collect(),
    };
    for finding in reading.findings {
        let before = starts.iter().take_while(|start| start.line <= finding.mark.line).count();
        context.report(Finding { document: u32::try_from(before).ok().filter(|n| *n > 0), ..finding });
    }
    let shared: Arc<str> = path.into();
    let mut file = ParsedFile::default();
    for (document, number) in reading.documents.into_iter().zip(1..) {
        let (kind, name) = match document.content {
            Content::Valid(node) => {
                let (errors, findings) = (context.errors(), context.findings());
                let decoded = resource(&node, &context);
                context.locate(findings, number, &node);
                match decoded.filter(|_| context.errors() == errors) {
                    Some(resource) => {
                        if let Some(risks) = &mut risks {
                            risks.look_at(&resource, &node, number);
                        }
                        let places = places(&resource, &node, &text);
                        let position = node.mark.position().unwrap_or(Position { line: 1, column: 1 });
                        file.resources.push(Located { resource, path: shared.clone(), position, places });
                        continue;
                    }
                    None => identity(&node),
                }
            }
            Content::Refused { kind, name } => (kind, name),
        };
        file.claims.extend(claim(kind.as_deref(), name));
    }
    file.diagnostics = context.into_diagnostics(&text);
    if let Some(risks) = risks {
        risks.add_to(&mut file.diagnostics, &text);
    }
    file
}

fn places(resource: &Resource, node: &Node, text: &Text) -> Places {
    let name = node.get("metadata").and_then(|m| m.get("name"));
    let user = matches!(resource, Resource::User(_)).then(|| Arc::new(user_places(node, text)));
    Places { name: name.map(|n| Place::new(n.mark, text)).unwrap_or_default(), user }
}

/// What a document that is not valid says that it is about.
fn identity(node: &Node) -> (Option<String>, Option<String>) {
    let string = |node: Option<&Node>| node.and_then(Node::as_str).map(str::to_owned);
    (string(node.get("kind")), string(node.get("metadata").and_then(|m| m.get("name"))))
}

/// The resource that a document with this `kind` and `metadata.name` is evidently about.
pub(super) fn claim(kind: Option<&str>, name: Option<String>) -> Option<ResourceId> {
    let kind = Kind::ALL.into_iter().find(|k| Some(k.as_str()) == kind)?;
    let name = name.filter(|name| check_name(name).is_ok())?;
    Some(ResourceId { kind, name })
}
