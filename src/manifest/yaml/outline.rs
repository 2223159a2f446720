//! Where everything is written, and what is refused because of how it is written.

use crate::manifest::{
    Code,
    text::{Finding, Mark, quoted},
};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};
use std::{borrow::Cow, cmp::Ordering, ops::Range};

/// How deep collections may be nested.
pub const MAX_DEPTH: usize = 64;

/// How many documents a file may have.
pub const MAX_DOCUMENTS: usize = 10_000;

/// The nodes of a text, parents before children, in the order in which they are written.
#[derive(Debug, Default)]
pub struct Outline<'a> {
    pub nodes: Vec<Item<'a>>,
    pub documents: Vec<Sheet>,
    pub findings: Vec<Finding>,
    /// The structure of the text is unknown from some place on.
    pub lost: bool,
}

/// A node without its value.
#[derive(Debug)]
pub struct Item<'a> {
    pub shape: Shape,
    pub mark: Mark,
    /// Of a scalar: its content.
    pub text: Cow<'a, str>,
    /// Of a list: its entries. Of a mapping: its keys.
    pub children: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Plain,
    Quoted,
    List,
    Map,
}

/// A document: which nodes are its own, and whether it was refused.
#[derive(Debug)]
pub struct Sheet {
    pub nodes: Range<usize>,
    pub refused: bool,
    /// The nodes that say what the document is about, as far as it goes: `kind` and `metadata.name`.
    pub kind: Option<usize>,
    pub name: Option<usize>,
    /// The line of the `---` that it starts with, if it has one.
    pub marker: Option<u32>,
    /// The line after its content: of its `...`, of the next document's `---`, or of the end of the text.
    pub end: u32,
}

/// Walks the text once, up to the first mistake after which its structure is unknown.
pub fn outline(text: &str) -> Outline<'_> {
    let mut walk = Walk::default();
    // An ordinary file has a node every eight bytes.
    walk.outline.nodes.reserve((text.len() / 8).min(1024));
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let result = match event {
            Ok((Event::StreamEnd, _)) => break,
            Ok((event, span)) => walk.step(event, span),
            Err(error) => Err(syntax(&error)),
        };
        if let Err(finding) = result {
            walk.give_up(finding);
            break;
        }
    }
    walk.outline
}

fn syntax(error: &ScanError) -> Finding {
    // The parser looks ahead in brackets: it may meet its own limit before the collections get here one by one.
    let too_deep = error.info().contains("recursion limit");
    let place = mark(*error.marker(), 1);
    if too_deep { nesting(place) } else { Finding::error(Code::Syntax, place, error.info()) }
}

fn nesting(place: Mark) -> Finding {
    Finding::error(Code::Nesting, place, format!("collections are nested more than {MAX_DEPTH} deep"))
}

/// An open collection.
struct Frame {
    /// The collection itself.
    node: usize,
    children: usize,
    /// Of a mapping: whether a key comes next, and where its keys start in [`Walk::keys`].
    map: Option<Keys>,
}

struct Keys {
    next_is_key: bool,
    start: usize,
}

#[derive(Default)]
struct Walk<'a> {
    outline: Outline<'a>,
    frames: Vec<Frame>,
    /// The indices of the keys of all open mappings.
    keys: Vec<usize>,
}

impl<'a> Walk<'a> {
    fn step(&mut self, event: Event<'a>, span: Span) -> Result<(), Finding> {
        match event {
            Event::DocumentStart(explicit) => self.open_document(explicit, span)?,
            Event::DocumentEnd => self.close_document(span),
            Event::Alias(_) => {
                self.refuse(Code::Alias, span, "aliases are not allowed", "write the value out");
                self.node(Shape::Plain, span, Cow::Borrowed(""));
                self.node_done();
            }
            Event::Scalar(text, style, anchor, tag) => {
                let shape = if style == ScalarStyle::Plain { Shape::Plain } else { Shape::Quoted };
                self.properties(anchor, tag.is_some(), span);
                if shape == Shape::Plain && text == "<<" && self.key_is_next() {
                    self.refuse(Code::MergeKey, span, "merge keys are not allowed", "write the fields out");
                }
                self.node(shape, span, text);
                self.node_done();
            }
            Event::SequenceStart(anchor, tag) => {
                self.properties(anchor, tag.is_some(), span);
                self.open(Shape::List, span)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.properties(anchor, tag.is_some(), span);
                self.open(Shape::Map, span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
        }
        Ok(())
    }

    fn open_document(&mut self, explicit: bool, span: Span) -> Result<(), Finding> {
        if self.outline.documents.len() == MAX_DOCUMENTS {
            let message = format!("the file has more than {MAX_DOCUMENTS} documents");
            return Err(Finding::error(Code::TooManyDocuments, mark(span.start, 3), message));
        }
        let start = self.outline.nodes.len();
        let line = mark(span.start, 3).line;
        let marker = explicit.then_some(line);
        let sheet = Sheet { nodes: start..start, refused: false, kind: None, name: None, marker, end: line };
        self.outline.documents.push(sheet);
        Ok(())
    }

    fn close_document(&mut self, span: Span) {
        if let Some(document) = self.outline.documents.last_mut() {
            document.nodes.end = self.outline.nodes.len();
            document.end = mark(span.start, 3).line;
        }
    }

    /// The structure from here on is unknown: whatever the open document is, it is not valid.
    fn give_up(&mut self, finding: Finding) {
        let at_end = self.outline.nodes.len();
        let open = self.outline.documents.last_mut().filter(|d| d.nodes.end != at_end || d.nodes.is_empty());
        if let Some(document) = open {
            document.refused = true;
            document.nodes.end = at_end;
        }
        self.outline.findings.push(finding);
        self.outline.lost = true;
    }

    fn key_is_next(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { map: Some(Keys { next_is_key: true, .. }), .. }))
    }

    fn properties(&mut self, anchor: usize, tagged: bool, span: Span) {
        if anchor != 0 {
            self.refuse(Code::Anchor, span, "anchors are not allowed", "write the value out where it is used");
        }
        if tagged {
            self.refuse(Code::Tag, span, "tags are not allowed", "remove the tag; quote a value to make it a string");
        }
    }

    fn refuse(&mut self, code: Code, span: Span, message: &str, help: &str) {
        self.refuse_at(Finding::error(code, span_mark(span), message).help(help));
    }

    fn refuse_at(&mut self, finding: Finding) {
        self.outline.findings.push(finding);
        if let Some(document) = self.outline.documents.last_mut() {
            document.refused = true;
        }
    }

    fn node(&mut self, shape: Shape, span: Span, text: Cow<'a, str>) {
        let index = self.outline.nodes.len();
        let mut mark = span_mark(span);
        match self.frames.last_mut().and_then(|f| f.map.as_mut()) {
            Some(keys) if keys.next_is_key => {
                let map = index.checked_sub(1).filter(|_| self.keys.len() == keys.start);
                if let Some(map) = map.and_then(|i| self.outline.nodes.get_mut(i)) {
                    // A mapping in a block has no sign of its own: its first key stands for it.
                    let same = (map.mark.line, map.mark.column) == (mark.line, mark.column);
                    map.mark.length = if same { mark.length } else { map.mark.length };
                }
                self.keys.push(index);
                if matches!(shape, Shape::List | Shape::Map) {
                    let message = format!("a key must be a string, not a {}", shape.describe());
                    self.refuse_at(Finding::error(Code::KeyType, mark, message));
                }
            }
            // A value that is not there has no place of its own: the parser names the next token's.
            Some(_) if span.is_empty() && matches!(shape, Shape::Plain) => {
                if let Some(key) = index.checked_sub(1).and_then(|i| self.outline.nodes.get(i)) {
                    mark = key.mark;
                }
            }
            _ => {}
        }
        if self.frames.len() <= 2 && shape.is_scalar() {
            self.note_identity(index);
        }
        self.outline.nodes.push(Item { shape, mark, text, children: 0 });
    }

    /// Remembers the node to come if it is the value of `kind` or `metadata.name`.
    fn note_identity(&mut self, index: usize) {
        let key = |at: Option<&usize>| at.and_then(|i| self.outline.nodes.get(*i)).map(|n| &*n.text);
        let Some(document) = self.outline.documents.last_mut() else { return };
        match &*self.frames {
            [Frame { map: Some(Keys { next_is_key: false, .. }), .. }] if key(self.keys.last()) == Some("kind") => {
                document.kind = Some(index);
            }
            [Frame { map: Some(_), .. }, Frame { map: Some(Keys { next_is_key: false, start }), .. }]
                if key(self.keys.last()) == Some("name")
                    && key(start.checked_sub(1).and_then(|i| self.keys.get(i))) == Some("metadata") =>
            {
                document.name = Some(index);
            }
            _ => {}
        }
    }

    /// A node is complete: in a mapping, the other half of an entry comes next.
    fn node_done(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        match &mut frame.map {
            Some(keys) => {
                frame.children += usize::from(keys.next_is_key);
                keys.next_is_key = !keys.next_is_key;
            }
            None => frame.children += 1,
        }
    }

    fn open(&mut self, shape: Shape, span: Span) -> Result<(), Finding> {
        if self.frames.len() == MAX_DEPTH {
            return Err(nesting(mark(span.start, 1)));
        }
        let node = self.outline.nodes.len();
        self.node(shape, span, Cow::Borrowed(""));
        let map = (shape == Shape::Map).then_some(Keys { next_is_key: true, start: self.keys.len() });
        self.frames.push(Frame { node, children: 0, map });
        Ok(())
    }

    fn close(&mut self) {
        if let Some(frame) = self.frames.pop() {
            if let Some(node) = self.outline.nodes.get_mut(frame.node) {
                node.children = frame.children;
            }
            if let Some(keys) = frame.map {
                self.find_duplicates(keys.start);
                self.keys.truncate(keys.start);
            }
        }
        self.node_done();
    }

    fn find_duplicates(&mut self, start: usize) {
        let Outline { nodes, .. } = &self.outline;
        let keys = self.keys.get_mut(start..).unwrap_or_default();
        let text = |index: usize| nodes.get(index).filter(|n| n.shape.is_scalar()).map(|n| &*n.text);
        let same = |a: usize, b: usize| text(a).is_some() && text(a) == text(b);
        let few = keys.len() <= 12;
        if few && !keys.iter().enumerate().any(|(i, a)| keys.iter().skip(i + 1).any(|b| same(*a, *b))) {
            return;
        }
        keys.sort_unstable_by(|a, b| text(*a).cmp(&text(*b)).then(Ordering::reverse(b.cmp(a))));
        let mut findings = Vec::new();
        for group in keys.chunk_by(|a, b| same(*a, *b)).filter(|group| group.len() > 1) {
            let Some(first) = group.first().and_then(|i| nodes.get(*i)) else { continue };
            for twin in group.iter().skip(1).filter_map(|i| nodes.get(*i)) {
                let message = format!("duplicate key {}", quoted(&twin.text));
                let help = format!("it is already written on line {}", first.mark.line);
                findings.push(Finding::error(Code::DuplicateKey, twin.mark, message).help(help));
            }
        }
        findings.into_iter().for_each(|f| self.refuse_at(f));
    }
}

impl Shape {
    pub fn is_scalar(self) -> bool {
        matches!(self, Shape::Plain | Shape::Quoted)
    }

    fn describe(self) -> &'static str {
        match self {
            Shape::Plain | Shape::Quoted => "scalar",
            Shape::List => "list",
            Shape::Map => "mapping",
        }
    }
}

fn mark(at: Marker, length: usize) -> Mark {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Mark { line: count(at.line()), column: count(at.col() + 1), length: count(length) }
}

fn span_mark(span: Span) -> Mark {
    // Not `Span::len`, which takes for granted that a span does not end before it starts.
    mark(span.start, span.end.index().saturating_sub(span.start.index()).max(1))
}
