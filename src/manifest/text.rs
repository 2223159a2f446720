//! The text of one file: what characters it may consist of, and the lines that diagnostics show.

use super::{Code, Diagnostic, Position, Severity};
use std::{borrow::Cow, cell::OnceCell, str};

/// The largest file that is read, in bytes.
pub const MAX_FILE_SIZE: usize = 1024 * 1024;

/// How many characters of a line a diagnostic shows.
const SHOWN_LINE: usize = 240;

/// The lines that are found without an index of all lines.
const NEAR_LINES: usize = 32;

/// How many characters of a value a message quotes.
const SHOWN_VALUE: usize = 60;

/// Where something is written. The default is "nowhere": such a diagnostic is about the file as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mark {
    /// From 1; 0 is nowhere.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// In characters; the part on the first line is what is shown.
    pub length: u32,
}

impl Mark {
    pub fn position(self) -> Option<Position> {
        (self.line > 0).then_some(Position { line: self.line, column: self.column })
    }
}

/// What is wrong at a place of the file that is being read.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub severity: Severity,
    pub code: Code,
    pub mark: Mark,
    pub message: String,
    pub help: Option<String>,
    /// Which document it is about, from 1, and the value in there; filled in when there is anything to report.
    pub document: Option<u32>,
    pub pointer: Option<String>,
}

impl Finding {
    pub fn error(code: Code, mark: Mark, message: impl Into<String>) -> Self {
        Finding {
            severity: Severity::Error,
            code,
            mark,
            message: message.into(),
            help: None,
            document: None,
            pointer: None,
        }
    }

    /// Adds what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The bytes of a file with an end of line at the end. Where a block scalar ends the file, YAML parsers do not agree
/// on whether one was meant.
pub fn whole_lines(bytes: &[u8]) -> Cow<'_, [u8]> {
    if matches!(bytes, [] | [.., b'\n']) { Cow::Borrowed(bytes) } else { Cow::Owned([bytes, b"\n"].concat()) }
}

/// The text of a file that has been found to be readable: UTF-8 without a byte order mark, and without characters
/// that hide from a reviewer what is written.
#[derive(Debug)]
pub struct Text<'a> {
    path: &'a str,
    text: &'a str,
    /// Byte offsets at which lines start; found when the first diagnostic needs them.
    lines: OnceCell<Vec<usize>>,
}

impl<'a> Text<'a> {
    /// Checks the bytes of the file at `path`.
    ///
    /// One byte order mark at the start is accepted, and line ends of `\n` and `\r\n`.
    ///
    /// # Errors
    /// The one diagnostic that says why the bytes are not a text that can be read.
    pub fn new(path: &'a str, bytes: &'a [u8]) -> Result<Self, Box<Diagnostic>> {
        if bytes.len() > MAX_FILE_SIZE {
            let message = format!("the file has {} bytes; at most {MAX_FILE_SIZE} are read", bytes.len());
            return Err(Box::new(Diagnostic::about_file(Code::FileTooLarge, path, message)));
        }
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let (text, broken) = match str::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => (longest_prefix(bytes, error.valid_up_to()), Some(error.valid_up_to())),
        };
        let text = Text { path, text, lines: OnceCell::new() };
        let finding = match (hidden_character(text.text), broken) {
            (Some((offset, c)), _) => Some(text.hidden(offset, c)),
            (None, Some(offset)) => Some(text.not_utf8(offset, bytes)),
            (None, None) => None,
        };
        match finding {
            Some(finding) => Err(Box::new(text.diagnostic(finding))),
            None => Ok(text),
        }
    }

    pub fn as_str(&self) -> &'a str {
        self.text
    }

    pub fn path(&self) -> &'a str {
        self.path
    }

    /// Makes a diagnostic of a finding in this text.
    pub fn diagnostic(&self, finding: Finding) -> Diagnostic {
        let position = finding.mark.position();
        Diagnostic {
            severity: finding.severity,
            code: finding.code,
            message: finding.message,
            help: finding.help,
            path: self.path.to_owned(),
            position,
            line_text: position.map(|p| self.line(p.line)),
            length: position.map(|_| finding.mark.length),
            document: finding.document,
            pointer: finding.pointer,
            related: Vec::new(),
        }
    }

    /// A line as diagnostics show it: bounded, without its end.
    pub fn line(&self, number: u32) -> String {
        let index = (number as usize).saturating_sub(1);
        // What is asked for first is near the start, and nearly always all that is asked for.
        let line = if index < NEAR_LINES {
            self.text.split('\n').nth(index)
        } else {
            let starts = self.lines.get_or_init(|| line_starts(self.text));
            starts.get(index).and_then(|start| self.text.get(*start..)).and_then(|rest| rest.split('\n').next())
        };
        let line = line.unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        shorten(line, SHOWN_LINE)
    }

    fn mark_at(&self, offset: usize) -> Mark {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Mark {
            line: count(memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1),
            column: count(before.get(line_start..).map_or(0, |s| s.chars().count()) + 1),
            length: 1,
        }
    }

    fn hidden(&self, offset: usize, c: char) -> Finding {
        let message = match c {
            '\0' => "the file contains a NUL character: it is not a text file".to_owned(),
            '\r' => "a carriage return that is not part of a line end".to_owned(),
            c if is_bidi_control(c) => {
                format!("U+{:04X} changes the order in which the text around it is shown", u32::from(c))
            }
            c => format!("the control character U+{:04X} is not allowed", u32::from(c)),
        };
        let finding = Finding::error(Code::ControlCharacter, self.mark_at(offset), message);
        if c == '\0' { finding } else { finding.help("write it as an escape in a double-quoted string, or remove it") }
    }

    fn not_utf8(&self, offset: usize, bytes: &[u8]) -> Finding {
        let byte = bytes.get(offset).copied().unwrap_or_default();
        let message = format!("the file is not UTF-8: byte 0x{byte:02x} at offset {offset}");
        let finding = Finding::error(Code::Encoding, self.mark_at(offset), message);
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            finding.help("this looks like UTF-16: save the file as UTF-8")
        } else {
            finding.help("save the file as UTF-8")
        }
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|i| i + 1)).collect()
}

fn longest_prefix(bytes: &[u8], valid: usize) -> &str {
    bytes.get(..valid).and_then(|b| str::from_utf8(b).ok()).unwrap_or_default()
}

fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The first character that a reviewer would not see, or that YAML parsers disagree about: control characters other
/// than tab and line ends, Unicode's own line separators, bidirectional overrides, and non-characters.
fn hidden_character(text: &str) -> Option<(usize, char)> {
    let suspicious = |b: &u8| (*b < 0x20 && *b != b'\t' && *b != b'\n') || *b >= 0x7f;
    // Nearly all files are plain ASCII all the way, some with line ends of two bytes.
    let start = text.as_bytes().iter().position(suspicious)?;
    let mut chars = text.get(start..)?.char_indices().peekable();
    while let Some((offset, c)) = chars.next() {
        let hidden = match c {
            '\t' | '\n' => false,
            '\r' => !matches!(chars.peek(), Some((_, '\n'))),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
            c => c.is_control() || is_bidi_control(c),
        };
        if hidden {
            return Some((start + offset, c));
        }
    }
    None
}

/// A value as messages quote it: bounded, control characters escaped.
pub fn quoted(value: &str) -> String {
    let mut out = String::from("`");
    for (i, c) in value.chars().enumerate() {
        if i == SHOWN_VALUE {
            out.push('…');
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out.push('`');
    out
}

fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
