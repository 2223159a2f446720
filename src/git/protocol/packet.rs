//! Git's packets: four hexadecimal digits of length, which count themselves, and that many bytes.

use crate::{
    escape::escape,
    git::{
        bounds::Bounds,
        error::{FetchError, FetchFailure},
    },
};
use std::io::Read;

/// Ends a list.
pub(super) const FLUSH: &[u8] = b"0000";
/// Between a command and its arguments.
pub(super) const DELIMITER: &[u8] = b"0001";
/// The longest packet that there is.
const LONGEST: usize = 65520;
/// The most bytes of a list of references: a million of them. They are kept, as a pack is not.
const MAX_LISTING: u64 = 64 << 20;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Line(&'a [u8]),
    Flush,
    /// Between the sections of an answer.
    Delimiter,
}

/// Reads packets, within bounds.
pub(super) struct Packets<'a> {
    reader: Box<dyn Read + 'a>,
    bounds: &'a Bounds,
    buffer: Vec<u8>,
    /// How many bytes may still come.
    left: u64,
}

impl<'a> Packets<'a> {
    pub fn new(reader: Box<dyn Read + 'a>, bounds: &'a Bounds) -> Self {
        Packets { reader, bounds, buffer: vec![0; LONGEST], left: u64::MAX }
    }

    /// Reads a list, which may not be as long as a pack.
    pub fn listing(reader: Box<dyn Read + 'a>, bounds: &'a Bounds) -> Self {
        Packets { left: MAX_LISTING, ..Packets::new(reader, bounds) }
    }

    pub fn bounds(&self) -> &'a Bounds {
        self.bounds
    }

    /// The next packet; a line is as it was sent, with the newline that it may have.
    ///
    /// # Errors
    /// The end of the stream is one, and so is a packet by which the server refuses.
    pub fn next(&mut self) -> Result<Packet<'_>, FetchError> {
        self.bounds.left()?;
        let mut header = [0; 4];
        self.reader.read_exact(&mut header).map_err(|error| FetchError::of_io(self.bounds, &error))?;
        let length = std::str::from_utf8(&header).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let bytes = length.unwrap_or(0).max(4);
        self.bounds.spend(bytes)?;
        self.left = self.left.checked_sub(bytes as u64).ok_or_else(|| {
            let what = format!("{} lists more than {MAX_LISTING} bytes of references", self.bounds.remote);
            FetchError::new(FetchFailure::TooLarge, what)
        })?;
        let line = match length {
            Some(0 | 2) => return Ok(Packet::Flush),
            Some(1) => return Ok(Packet::Delimiter),
            Some(length @ 4..=LONGEST) => self.buffer.get_mut(..length - 4).unwrap_or_default(),
            _ => return Err(not_git(self.bounds)),
        };
        self.reader.read_exact(line).map_err(|error| FetchError::of_io(self.bounds, &error))?;
        match line.strip_prefix(b"ERR ") {
            Some(text) => Err(refused(self.bounds, text)),
            None => Ok(Packet::Line(line)),
        }
    }
}

/// Appends a packet with a text.
pub(super) fn line(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(format!("{:04x}{text}\n", text.len() + 5).as_bytes());
}

/// A text line without the newline that it may have.
pub(super) fn text(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

pub(super) fn not_git(bounds: &Bounds) -> FetchError {
    FetchError::new(FetchFailure::NotGit, format!("what answers at {} does not speak git", bounds.remote))
}

/// What a server says when it will not, in words that are its own.
pub(in crate::git) fn refused(bounds: &Bounds, text: &[u8]) -> FetchError {
    let text = said(text);
    let lower = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let kind = if says(&["not our ref", "unadvertised object"]) {
        FetchFailure::RefMoved
    } else if says(&["not found", "not exist", "not exported", "no such", "not appear to be a git"]) {
        FetchFailure::NotFound
    } else if says(&["denied", "forbidden", "not allowed", "not authorized", "unauthorized"]) {
        FetchFailure::Forbidden
    } else {
        FetchFailure::ServerError
    };
    FetchError::new(kind, format!("{} says: {text}", bounds.remote))
}

/// A text of somebody else, fit to be shown.
pub(in crate::git) fn said(text: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(text).trim().chars().take(300).collect();
    escape(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn bounds() -> Bounds {
        Bounds::new("the remote".to_owned(), Duration::from_secs(60), 1000)
    }

    /// A packet, or the code of an error.
    type Read = Result<Vec<u8>, &'static str>;

    fn codes(stream: &[u8]) -> Vec<Read> {
        let bounds = bounds();
        let mut packets = Packets::new(Box::new(stream), &bounds);
        let mut found = Vec::new();
        loop {
            let next = match packets.next() {
                Ok(Packet::Line(line)) => Ok(line.to_vec()),
                Ok(Packet::Flush) => Ok(b"flush".to_vec()),
                Ok(Packet::Delimiter) => Ok(b"delimiter".to_vec()),
                Err(error) => Err(error.code()),
            };
            let end = next.is_err();
            found.push(next);
            if end {
                return found;
            }
        }
    }

    #[test]
    fn packets_are_read_to_the_end_of_the_stream() {
        let table: [(&[u8], Vec<Read>); 7] = [
            (b"", vec![Err("truncated")]),
            (b"00", vec![Err("truncated")]),
            (b"0009done\n", vec![Ok(b"done\n".to_vec()), Err("truncated")]),
            (b"0009do", vec![Err("truncated")]),
            (b"00000001", vec![Ok(b"flush".to_vec()), Ok(b"delimiter".to_vec()), Err("truncated")]),
            (b"<html>", vec![Err("not-git")]),
            (b"0003", vec![Err("not-git")]),
        ];
        for (stream, expected) in table {
            assert_eq!(codes(stream), expected, "{}", String::from_utf8_lossy(stream));
        }
    }

    #[test]
    fn what_is_more_than_allowed_is_too_large() {
        let stream: Vec<u8> = b"0008abcd".repeat(200);
        assert_eq!(codes(&stream).pop(), Some(Err("too-large")));
    }

    #[test]
    fn a_refusal_is_told_apart_and_made_fit_to_be_shown() {
        let table = [
            ("upload-pack: not our ref 0123", "ref-moved"),
            ("access denied or repository not exported: /a", "not-found"),
            ("Repository not found.", "not-found"),
            ("access denied", "forbidden"),
            ("\x1b[31mout of memory", "server-error"),
        ];
        for (text, code) in table {
            let mut stream = Vec::new();
            line(&mut stream, &format!("ERR {text}"));
            assert_eq!(codes(&stream), [Err(code)], "{text}");
            let bounds = bounds();
            assert!(!refused(&bounds, text.as_bytes()).to_string().contains('\x1b'));
        }
    }
}
