//! Text to expression, by recursive descent with bounded depth.

use super::{Expression, Operand, PredicateError, field::Field};

/// The longest predicate, in bytes.
const MAX_LENGTH: usize = 4096;
/// The deepest nesting of parentheses and negations.
const MAX_DEPTH: usize = 32;

pub(super) fn parse(text: &str) -> Result<Expression> {
    if text.len() > MAX_LENGTH {
        return Err(PredicateError { offset: MAX_LENGTH, message: format!("longer than {MAX_LENGTH} bytes") });
    }
    let mut parser = Parser { text, offset: 0, depth: 0 };
    let expression = parser.any()?;
    match parser.rest() {
        "" => Ok(expression),
        rest if rest.starts_with(')') => Err(parser.error("unopened parenthesis")),
        _ => Err(parser.error("expected `&&`, `||` or the end")),
    }
}

struct Parser<'t> {
    text: &'t str,
    offset: usize,
    depth: usize,
}

type Result<T> = std::result::Result<T, PredicateError>;

impl<'t> Parser<'t> {
    /// What is left, without leading white space.
    fn rest(&mut self) -> &'t str {
        let rest = self.text.get(self.offset..).unwrap_or_default();
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.offset += rest.len() - trimmed.len();
        trimmed
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.offset += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.take(token) { Ok(()) } else { Err(self.error(format!("expected `{token}`"))) }
    }

    fn error(&self, message: impl Into<String>) -> PredicateError {
        PredicateError { offset: self.offset, message: message.into() }
    }

    fn any(&mut self) -> Result<Expression> {
        let first = self.all()?;
        if !self.rest().starts_with("||") {
            return Ok(first);
        }
        let mut terms = vec![first];
        while self.take("||") {
            terms.push(self.all()?);
        }
        Ok(Expression::Any(terms))
    }

    fn all(&mut self) -> Result<Expression> {
        let first = self.unary()?;
        if !self.rest().starts_with("&&") {
            return Ok(first);
        }
        let mut terms = vec![first];
        while self.take("&&") {
            terms.push(self.unary()?);
        }
        Ok(Expression::All(terms))
    }

    fn unary(&mut self) -> Result<Expression> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(format!("nested deeper than {MAX_DEPTH}")));
        }
        self.depth += 1;
        let expression = if self.take("!") {
            Expression::Not(Box::new(self.unary()?))
        } else if self.take("(") {
            let inner = self.any()?;
            self.expect(")")?;
            inner
        } else {
            self.call()?
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn call(&mut self) -> Result<Expression> {
        let rest = self.rest();
        let start = self.offset;
        let name = self.word();
        let make = match name {
            "equals" => Expression::Equals,
            "contains" => Expression::Contains,
            "" if rest.is_empty() => return Err(self.error("expected a condition, found the end")),
            _ => {
                return Err(PredicateError {
                    offset: start,
                    message: "expected `equals(…)`, `contains(…)`, `!` or a parenthesis".to_owned(),
                });
            }
        };
        self.expect("(")?;
        self.rest();
        let first_offset = self.offset;
        let first = self.operand()?;
        if name == "contains" && matches!(first, Operand::Text(_)) {
            return Err(PredicateError {
                offset: first_offset,
                message: "`contains(list, x)` has the list first, and that is a field".to_owned(),
            });
        }
        self.expect(",")?;
        let second = self.operand()?;
        self.expect(")")?;
        Ok(make(first, second))
    }

    fn operand(&mut self) -> Result<Operand> {
        let rest = self.rest();
        if rest.starts_with('"') || rest.starts_with('`') {
            return self.string().map(Operand::Text);
        }
        let start = self.offset;
        let mut steps = vec![self.word().to_owned()];
        if steps.iter().all(String::is_empty) {
            return Err(self.error("expected a field or a string in double quotes"));
        }
        loop {
            if self.take(".") {
                self.rest();
                let step = self.word();
                if step.is_empty() {
                    return Err(self.error("expected a name after `.`"));
                }
                steps.push(step.to_owned());
            } else if self.take("[") {
                self.rest();
                steps.push(self.string()?);
                self.expect("]")?;
            } else {
                break;
            }
        }
        Field::new(steps).map(Operand::Field).map_err(|message| PredicateError { offset: start, message })
    }

    /// A name, right here.
    fn word(&mut self) -> &'t str {
        let rest = self.text.get(self.offset..).unwrap_or_default();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.offset += end;
        rest.get(..end).unwrap_or_default()
    }

    /// A string, right here: in double quotes with escapes, or in backquotes as it stands.
    fn string(&mut self) -> Result<String> {
        let start = self.offset;
        let rest = self.text.get(start..).unwrap_or_default();
        let mut chars = rest.char_indices();
        let raw = match chars.next() {
            Some((_, '"')) => false,
            Some((_, '`')) => true,
            _ => return Err(self.error("expected a string in double quotes")),
        };
        let mut out = String::new();
        while let Some((at, c)) = chars.next() {
            match c {
                '`' if raw => {
                    self.offset = start + at + 1;
                    return Ok(out);
                }
                '"' if !raw => {
                    self.offset = start + at + 1;
                    return Ok(out);
                }
                '\\' if !raw => out.push(match chars.next() {
                    Some((_, c @ ('"' | '\\'))) => c,
                    Some((_, 'n')) => '\n',
                    Some((_, 'r')) => '\r',
                    Some((_, 't')) => '\t',
                    _ => {
                        let message = r#"unknown escape; there are `\"`, `\\`, `\n`, `\r` and `\t`"#.to_owned();
                        return Err(PredicateError { offset: start + at, message });
                    }
                }),
                c => out.push(c),
            }
        }
        Err(PredicateError { offset: start, message: "the string does not end".to_owned() })
    }
}
