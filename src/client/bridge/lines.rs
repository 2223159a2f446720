//! Messages on stdin: one a line, none without bound.

use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// A line, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Whole(Vec<u8>),
    /// Longer than allowed; it has been read over, but for its beginning.
    TooLong {
        head: Vec<u8>,
    },
}

/// Reads lines of up to `limit` bytes.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    limit: usize,
    line: Vec<u8>,
    /// Of a line that is too long.
    head: Option<Vec<u8>>,
}

/// How much is kept of a line that is too long, in bytes.
const HEAD: usize = 1024;

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub fn new(reader: R, limit: usize) -> Lines<R> {
        Lines { reader, limit, line: Vec::new(), head: None }
    }

    /// The next line that is not blank; `None` at the end. A last line needs no end. May be dropped and called again
    /// without losing anything.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let available = self.reader.fill_buf().await?;
            let at_end = available.is_empty();
            let (text, complete) = match memchr::memchr(b'\n', available) {
                Some(end) => (available.get(..end).unwrap_or_default(), true),
                None => (available, at_end),
            };
            if self.head.is_none() && self.line.len() + text.len() > self.limit {
                let mut head = std::mem::take(&mut self.line);
                head.extend(text.iter().take(HEAD));
                head.truncate(HEAD);
                self.head = Some(head);
            } else if self.head.is_none() {
                self.line.extend_from_slice(text);
            }
            let taken = text.len() + usize::from(complete && !at_end);
            self.reader.consume(taken);
            if !complete {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if let Some(head) = self.head.take() {
                return Ok(Some(Line::TooLong { head }));
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(Line::Whole(line)));
            }
            if at_end {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::BufReader;

    async fn lines(input: &[u8], buffer: usize) -> Vec<Option<String>> {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, input), 5);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            all.push(match line {
                Line::Whole(bytes) => Some(String::from_utf8(bytes).unwrap()),
                Line::TooLong { head } => {
                    assert!(input.windows(head.len().max(6)).any(|part| part.starts_with(&head)));
                    None
                }
            });
        }
        all
    }

    #[tokio::test]
    async fn reads_lines_whatever_the_buffer() {
        for (input, expected) in [
            ("", &[][..]),
            ("a", &[Some("a")]),
            ("a\nb\n", &[Some("a"), Some("b")]),
            ("\n \r\n\na\r\n\n", &[Some("a\r")]),
            ("12345\n123456\n1\n", &[Some("12345"), None, Some("1")]),
            ("123456789", &[None]),
            ("1\n123456789012345678901234567890\n", &[Some("1"), None]),
        ] {
            for buffer in [1, 2, 3, 7, 100] {
                let expected: Vec<_> = expected.iter().map(|line| line.map(str::to_owned)).collect();
                assert_eq!(lines(input.as_bytes(), buffer).await, expected, "{input:?} by {buffer}");
            }
        }
    }
}
