//! The documents of a file as parts of its text, so that one can be changed and the others stay byte for byte.

use super::{
    Code, Diagnostic,
    load::claim,
    text::{Text, whole_lines},
    yaml::{self, Extent},
};
use crate::resource::ResourceId;
use std::ops::Range;

/// A file taken apart.
#[derive(Debug)]
pub struct Pieces<'a> {
    bytes: &'a [u8],
    pieces: Vec<Piece>,
}

/// One document of a file. Comments belong to the document after whose `---` they stand.
#[derive(Debug)]
struct Piece {
    id: Option<ResourceId>,
    /// All of it, with `---` and `...`, in bytes of the file.
    whole: Range<usize>,
    /// What stands between them.
    body: Range<usize>,
    /// Its content starts on the line of its `---`, which the body then includes.
    inline: bool,
    /// Its `...`, empty if it has none.
    end: Range<usize>,
}

const MARKER: &str = "---";

impl<'a> Pieces<'a> {
    /// Takes the file at `path` apart. Mistakes within a document do not matter.
    ///
    /// # Errors
    /// The diagnostic that says why it cannot be told where one document ends and the next begins.
    pub fn read(path: &str, bytes: &'a [u8]) -> Result<Pieces<'a>, Box<Diagnostic>> {
        let whole = whole_lines(bytes);
        let text = Text::new(path, &whole)?;
        let Some(extents) = yaml::extents(&text) else {
            let message = "the file is not YAML all the way: where its documents end cannot be told";
            return Err(Box::new(Diagnostic::about_file(Code::Syntax, path, message)));
        };
        let start = whole.len().saturating_sub(text.as_str().len());
        let starts: Vec<usize> =
            std::iter::once(start).chain(memchr::memchr_iter(b'\n', bytes).map(|i| i + 1)).collect();
        let lines = Lines { bytes, starts };
        let mut pieces: Vec<Piece> = Vec::with_capacity(extents.len());
        for extent in &extents {
            let from = pieces.last().map_or(start, |piece| piece.whole.end);
            pieces.push(lines.piece(extent, from));
        }
        Ok(Pieces { bytes, pieces })
    }

    /// Which of the documents is evidently about a resource.
    pub fn find(&self, id: &ResourceId) -> Option<usize> {
        self.pieces.iter().position(|piece| piece.id.as_ref() == Some(id))
    }

    /// The resources that the documents are evidently about, in order.
    pub fn ids(&self) -> impl Iterator<Item = (usize, &ResourceId)> {
        self.pieces.iter().enumerate().filter_map(|(index, piece)| Some((index, piece.id.as_ref()?)))
    }

    /// The text of a document as a file of its own would have it: without `---` and `...`, with `\n` at the end of
    /// every line.
    pub fn body(&self, index: usize) -> String {
        let Some(piece) = self.pieces.get(index) else { return String::new() };
        let body = self.slice(piece.body.clone());
        let body = String::from_utf8_lossy(body).replace("\r\n", "\n");
        let body = match body.strip_prefix(MARKER).filter(|_| piece.inline) {
            Some(rest) => rest.trim_start_matches([' ', '\t']).to_owned(),
            None => body,
        };
        if body.ends_with('\n') { body } else { body + "\n" }
    }

    /// The file with another text for a document.
    pub fn replace(&self, index: usize, body: &str) -> Vec<u8> {
        let Some(piece) = self.pieces.get(index) else { return self.bytes.to_vec() };
        let marker = if piece.inline { self.line(MARKER) } else { Vec::new() };
        let before = self.slice(0..piece.body.start);
        let after = self.slice(piece.body.end..self.bytes.len());
        [before, &marker, &self.adapt(body), after].concat()
    }

    /// The file without a document; `None` if no other is in it.
    pub fn remove(&self, index: usize) -> Option<Vec<u8>> {
        let piece = self.pieces.get(index)?;
        let has_others = self.ids().any(|(other, _)| other != index)
            || self.pieces.iter().enumerate().any(|(other, piece)| other != index && !self.is_blank(piece));
        if !has_others {
            return None;
        }
        let before = self.slice(0..piece.whole.start);
        // A directive may only come after an end.
        let is_open = |previous: &Piece| previous.end.is_empty();
        let previous = index.checked_sub(1).and_then(|i| self.pieces.get(i));
        let end = previous.filter(|previous| is_open(previous)).map_or(piece.whole.end, |_| piece.end.start);
        let after = self.slice(end..self.bytes.len());
        Some([before, after].concat())
    }

    /// The file with one more document at its end.
    pub fn append(&self, body: &str) -> Vec<u8> {
        let mut file = self.bytes.to_vec();
        if !matches!(self.bytes, [] | [.., b'\n']) {
            file.extend(self.line(""));
        }
        if !self.pieces.is_empty() {
            file.extend(self.line(MARKER));
        }
        file.extend(self.adapt(body));
        file
    }

    fn is_blank(&self, piece: &Piece) -> bool {
        let body = self.slice(piece.body.clone());
        body.split(|b| *b == b'\n').all(|line| matches!(line.trim_ascii(), [] | [b'#', ..]))
    }

    fn slice(&self, range: Range<usize>) -> &'a [u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// A line with the end that lines of this file have.
    fn line(&self, text: &str) -> Vec<u8> {
        self.adapt(&format!("{text}\n"))
    }

    /// A text with the line ends of this file.
    fn adapt(&self, body: &str) -> Vec<u8> {
        let first = memchr::memchr(b'\n', self.bytes);
        let crlf = first.and_then(|end| end.checked_sub(1)).and_then(|i| self.bytes.get(i)) == Some(&b'\r');
        if crlf { body.replace('\n', "\r\n").into_bytes() } else { body.as_bytes().to_vec() }
    }
}

/// Where the lines of a file start.
struct Lines<'a> {
    bytes: &'a [u8],
    starts: Vec<usize>,
}

impl Lines<'_> {
    /// Where a line starts, counted from 1; the end of the file if it has no such line.
    fn start(&self, line: u32) -> usize {
        let index = (line as usize).saturating_sub(1);
        self.starts.get(index).copied().unwrap_or(self.bytes.len())
    }

    /// A line after the three characters of a marker.
    fn after_marker(&self, line: u32) -> &[u8] {
        self.bytes.get(self.start(line) + MARKER.len()..self.start(line + 1)).unwrap_or_default()
    }

    /// The document that stands from the byte `from` on.
    fn piece(&self, extent: &Extent, from: usize) -> Piece {
        let inline = extent.marker.is_some_and(|line| !matches!(self.after_marker(line).trim_ascii(), [] | [b'#', ..]));
        let end = self.start(extent.end).max(from);
        let ended = self.bytes.get(end..end + 3) == Some(b"...");
        let after = if ended { self.start(extent.end + 1) } else { end };
        let body = match extent.marker {
            None => from,
            Some(line) if inline => self.start(line),
            Some(line) => self.start(line + 1),
        };
        let id = claim(extent.kind.as_deref(), extent.name.clone());
        Piece { id, whole: from..after, body: body.min(end)..end, inline, end: end..after }
    }
}

#[cfg(test)]
mod tests;
