//! JSON as clients of MCP read it: with comments and trailing commas, and with the place of every value.

use crate::manifest::{
    Code,
    text::{Finding, Mark, quoted},
    yaml::{Amount, Entry, Node, Number, Value},
};
use std::{borrow::Cow, collections::HashSet};

/// How deep values may be nested.
const MAX_DEPTH: usize = 64;

/// Reads a text that is one value. Time and memory are linear in its size.
///
/// # Errors
/// The first mistake.
pub fn read(text: &str) -> Result<Node<'_>, Box<Finding>> {
    let mut reader = Reader { text, at: 0, line: 1, column: 1 };
    reader.space()?;
    let node = reader.value(0)?;
    reader.space()?;
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.unexpected("the end of the file")),
    }
}

type Result<T, E = Box<Finding>> = std::result::Result<T, E>;

struct Reader<'a> {
    text: &'a str,
    /// In bytes, always between two characters.
    at: usize,
    line: u32,
    column: u32,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            (self.line, self.column) = (self.line.saturating_add(1), 1);
        } else {
            self.column = self.column.saturating_add(1);
        }
        Some(c)
    }

    fn skip(&mut self, characters: usize) {
        for _ in 0..characters {
            self.next();
        }
    }

    fn mark(&self) -> Mark {
        Mark { line: self.line, column: self.column, length: 1 }
    }

    fn error(&self, mark: Mark, message: impl Into<String>) -> Box<Finding> {
        Box::new(Finding::error(Code::Syntax, mark, message))
    }

    fn unexpected(&self, expected: &str) -> Box<Finding> {
        let found = match self.peek() {
            // What stands there may be a part of a secret: one character says enough.
            Some(c) => quoted(&c.to_string()),
            None => "the end of the file".to_owned(),
        };
        self.error(self.mark(), format!("expected {expected}, found {found}"))
    }

    /// Passes white space and comments.
    fn space(&mut self) -> Result<()> {
        loop {
            let rest = self.rest();
            if rest.starts_with([' ', '\t', '\r', '\n']) {
                self.next();
            } else if rest.starts_with("//") {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.next();
                }
            } else if rest.starts_with("/*") {
                let start = self.mark();
                self.skip(2);
                while !self.rest().starts_with("*/") {
                    if self.next().is_none() {
                        return Err(self.error(start, "the comment has no end"));
                    }
                }
                self.skip(2);
            } else {
                return Ok(());
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>> {
        let mark = self.mark();
        if depth > MAX_DEPTH {
            let message = format!("values are nested more than {MAX_DEPTH} deep");
            return Err(Box::new(Finding::error(Code::Nesting, mark, message)));
        }
        let value = match self.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.array(depth)?,
            Some('"') => Value::String(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            Some('a'..='z') => self.word()?,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Node { value, mark })
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>> {
        self.next();
        let mut entries = Vec::new();
        let mut keys = HashSet::new();
        loop {
            self.space()?;
            match self.peek() {
                Some('}') => break,
                Some('"') => {}
                _ => return Err(self.unexpected("a key in double quotes, or `}`")),
            }
            let mark = self.mark();
            let key = self.string()?;
            if !keys.insert(key.clone()) {
                let message = format!("the key {} is there twice", quoted(&key));
                let finding = Finding::error(Code::DuplicateKey, mark, message);
                return Err(Box::new(finding.help("clients take one of the two and say nothing: remove the other")));
            }
            self.space()?;
            if self.peek() != Some(':') {
                return Err(self.unexpected("`:`"));
            }
            self.next();
            self.space()?;
            let value = self.value(depth + 1)?;
            entries.push(Entry { key, mark, value });
            self.separator('}')?;
        }
        self.next();
        Ok(Value::Map(entries))
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>> {
        self.next();
        let mut items = Vec::new();
        loop {
            self.space()?;
            if self.peek() == Some(']') {
                break;
            }
            items.push(self.value(depth + 1)?);
            self.separator(']')?;
        }
        self.next();
        Ok(Value::List(items))
    }

    /// Passes a comma, which may be missing before the end.
    fn separator(&mut self, end: char) -> Result<()> {
        self.space()?;
        match self.peek() {
            Some(',') => drop(self.next()),
            Some(c) if c == end => {}
            _ => return Err(self.unexpected(&format!("`,` or `{end}`"))),
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Cow<'a, str>> {
        let start = self.mark();
        self.next();
        let from = self.at;
        // Most have no escape, and are what they are.
        let plain = self.rest().find(['"', '\\', '\n']).unwrap_or(self.rest().len());
        let mut text = Cow::Borrowed(self.rest().get(..plain).unwrap_or_default());
        while self.at < from + plain {
            self.next();
        }
        loop {
            match self.peek() {
                Some('"') => break,
                Some('\\') => {
                    let c = self.escape()?;
                    text.to_mut().push(c);
                }
                Some('\n') | None => return Err(self.error(start, "the string has no end on its line")),
                Some(c) => {
                    self.next();
                    text.to_mut().push(c);
                }
            }
        }
        self.next();
        Ok(text)
    }

    fn escape(&mut self) -> Result<char> {
        let mark = self.mark();
        self.next();
        let unknown = |reader: &Self| reader.error(mark, "there is no such escape in JSON");
        Ok(match self.next() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let first = self.unit(mark)?;
                let code = match first {
                    0xd800..=0xdbff if self.rest().starts_with("\\u") => {
                        self.skip(2);
                        let second = self.unit(mark)?;
                        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
                        low.map(|low| 0x10000 + ((first - 0xd800) << 10) + low)
                    }
                    code => Some(code),
                };
                code.and_then(char::from_u32).ok_or_else(|| unknown(self))?
            }
            _ => return Err(unknown(self)),
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self, mark: Mark) -> Result<u32> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.skip(4);
        unit.ok_or_else(|| self.error(mark, "`\\u` is followed by four hexadecimal digits"))
    }

    fn number(&mut self) -> Result<Value<'a>> {
        let (start, mark) = (self.at, self.mark());
        while self.peek().is_some_and(|c| c.is_ascii_digit() || "+-.eE".contains(c)) {
            self.next();
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        // JSON's own rules: no leading zeros, no bare dots.
        if serde_json::from_str::<serde_json::Number>(text).is_err() {
            return Err(self.error(mark, "this is not a number"));
        }
        let amount = match text.parse::<i128>() {
            Ok(integer) => Amount::Integer(integer),
            Err(_) => Amount::Float(text.parse().unwrap_or(f64::NAN)),
        };
        Ok(Value::Number(Box::new(Number { text: Cow::Borrowed(text), amount })))
    }

    fn word(&mut self) -> Result<Value<'a>> {
        for (word, value) in [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)] {
            if self.rest().starts_with(word) {
                self.skip(word.len());
                return Ok(value);
            }
        }
        Err(self.unexpected("a value"))
    }
}

#[cfg(test)]
mod tests;
