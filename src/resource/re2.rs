//! Regular expressions with the syntax and meaning of RE2, which is what the reference system uses.
//!
//! The `regex` crate is close, but not the same: its `\d \w \s \b` know Unicode, and it has operators that RE2
//! reads differently. So an expression is parsed, its classes are rewritten in place, and what RE2 does not have is
//! refused. A few spellings of RE2 that the crate lacks (`\Q…\E`, octal escapes) are refused too: an error where the
//! expression is written is better than another meaning.
//!
//! Checking and compiling are two steps. What a file says is checked when the file is read, in time and memory
//! proportional to its text; the program, which may be thousands of times larger than the expression, is made when
//! something is matched for the first time.

use regex::{Regex, RegexBuilder};
use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassSetItem, ClassUnicodeKind, Flag, FlagsItemKind, HexLiteralKind,
};
use regex_syntax::ast::{
    ClassPerl, ClassPerlKind, ClassUnicode, Literal, LiteralKind, RepetitionKind, RepetitionRange,
};
use regex_syntax::hir::{Class, Hir, HirKind};
use std::sync::{Arc, OnceLock};

/// The longest expression, in bytes.
const MAX_LENGTH: usize = 4096;
/// The deepest nesting of groups.
const MAX_NESTING: u32 = 100;
/// The largest program, in states as [`states`] estimates them.
const MAX_STATES: u64 = 1 << 17;
/// The largest program, in bytes: more than so many states can need.
const MAX_PROGRAM: usize = 32 << 20;
/// RE2's bound for counted repetitions, and for the product of nested ones.
const MAX_REPEAT: u32 = 1000;

/// An expression that has been checked, and is compiled when it is first used. Copies share the program.
#[derive(Clone)]
pub(super) struct Expression(Arc<Lazy>);

struct Lazy {
    rewritten: String,
    program: OnceLock<Option<Regex>>,
}

impl Expression {
    /// Checks an expression. The error is one line for the person who wrote it.
    pub(super) fn new(pattern: &str) -> Result<Expression, String> {
        Ok(Expression(Arc::new(Lazy { rewritten: rewrite(pattern)?, program: OnceLock::new() })))
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        let compile = || RegexBuilder::new(&self.0.rewritten).size_limit(MAX_PROGRAM).build().ok();
        let program = self.0.program.get_or_init(compile);
        debug_assert!(program.is_some(), "`{}` was checked and does not compile", self.0.rewritten);
        program.as_ref().is_some_and(|program| program.is_match(text))
    }
}

/// The expression in the syntax of the `regex` crate, which is sure to compile.
fn rewrite(pattern: &str) -> Result<String, String> {
    if pattern.len() > MAX_LENGTH {
        return Err(format!("a regular expression has at most {MAX_LENGTH} bytes"));
    }
    let parsed = ast::parse::ParserBuilder::new()
        .nest_limit(MAX_NESTING)
        .build()
        .parse(pattern)
        .map_err(|e| at(e.span(), &e.kind().to_string()))?;
    let rewritten = ast::visit(&parsed, Rewriter::new(pattern))?;
    let meaning = regex_syntax::parse(&rewritten).map_err(|e| match e {
        regex_syntax::Error::Parse(e) => e.kind().to_string(),
        regex_syntax::Error::Translate(e) => e.kind().to_string(),
        other => other.to_string(),
    })?;
    if states(&meaning) > MAX_STATES {
        return Err("the regular expression repeats too much: its program would be too large".to_owned());
    }
    Ok(rewritten)
}

/// How large the program of an expression is, at most, in states of a machine that reads bytes.
fn states(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        // Characters beyond ASCII are several bytes, and their ranges share states.
        HirKind::Class(Class::Unicode(class)) => {
            (if class.is_ascii() { 2 } else { 40 }) + 2 * class.iter().count() as u64
        }
        HirKind::Class(Class::Bytes(class)) => class.iter().count() as u64,
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            states(&repetition.sub).saturating_add(1).saturating_mul(times.into())
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().fold(1, |sum, part| states(part).saturating_add(1).saturating_add(sum))
        }
    }
}

/// Walks the syntax tree in the order of the text, copies the text, and replaces what means something else in RE2.
struct Rewriter<'p> {
    pattern: &'p str,
    out: String,
    /// How much of the pattern is in `out`.
    copied: usize,
    /// Largest product of counted repetitions around the current node, one entry an open repetition.
    repeats: Vec<u32>,
}

impl<'p> Rewriter<'p> {
    fn new(pattern: &'p str) -> Self {
        Rewriter { pattern, out: String::with_capacity(pattern.len()), copied: 0, repeats: Vec::new() }
    }

    fn replace(&mut self, span: &ast::Span, with: &str) {
        self.out.push_str(self.pattern.get(self.copied..span.start.offset).unwrap_or_default());
        self.out.push_str(with);
        self.copied = span.end.offset;
    }

    fn perl(&mut self, class: &ClassPerl) {
        let with = match (&class.kind, class.negated) {
            (ClassPerlKind::Digit, false) => "[0-9]",
            (ClassPerlKind::Digit, true) => "[^0-9]",
            (ClassPerlKind::Space, false) => r"[\t\n\f\r ]",
            (ClassPerlKind::Space, true) => r"[^\t\n\f\r ]",
            (ClassPerlKind::Word, false) => "[0-9A-Za-z_]",
            (ClassPerlKind::Word, true) => "[^0-9A-Za-z_]",
        };
        self.replace(&class.span, with);
    }

    fn unicode(&mut self, class: &ClassUnicode) -> Result<(), String> {
        let name = match &class.kind {
            ClassUnicodeKind::OneLetter(_) => return Ok(()),
            ClassUnicodeKind::Named(name) => name,
            ClassUnicodeKind::NamedValue { .. } => {
                return Err(at(&class.span, "RE2 has no Unicode properties with a value, only categories and scripts"));
            }
        };
        // RE2 knows general categories, which have short names there, and scripts. Asking for a script by its
        // property keeps other properties, which only the crate has, from matching.
        if name.len() > 2 && name != "Any" {
            let sign = if class.negated { 'P' } else { 'p' };
            self.replace(&class.span, &format!("\\{sign}{{sc={name}}}"));
        }
        Ok(())
    }

    fn assertion(&mut self, assertion: &ast::Assertion) -> Result<(), String> {
        match assertion.kind {
            AssertionKind::StartLine | AssertionKind::EndLine | AssertionKind::StartText | AssertionKind::EndText => {}
            AssertionKind::WordBoundary => self.replace(&assertion.span, r"(?-u:\b)"),
            AssertionKind::NotWordBoundary => self.replace(&assertion.span, r"(?-u:\B)"),
            // To RE2 these are escaped punctuation.
            AssertionKind::WordBoundaryStartAngle => self.replace(&assertion.span, "<"),
            AssertionKind::WordBoundaryEndAngle => self.replace(&assertion.span, ">"),
            AssertionKind::WordBoundaryStart
            | AssertionKind::WordBoundaryEnd
            | AssertionKind::WordBoundaryStartHalf
            | AssertionKind::WordBoundaryEndHalf => {
                return Err(at(&assertion.span, r"RE2 has no word boundaries but `\b` and `\B`"));
            }
        }
        Ok(())
    }

    fn repetition(&mut self, repetition: &ast::Repetition) -> Result<(), String> {
        if matches!(*repetition.ast, Ast::Repetition(_)) {
            return Err(at(&repetition.op.span, "RE2 does not repeat a repetition; put the inner one in a group"));
        }
        let count = match &repetition.op.kind {
            RepetitionKind::Range(RepetitionRange::Exactly(n) | RepetitionRange::AtLeast(n)) => *n,
            RepetitionKind::Range(RepetitionRange::Bounded(_, n)) => *n,
            RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => 1,
        };
        let outer = self.repeats.last().copied().unwrap_or(1);
        let product = outer.saturating_mul(count.max(1));
        if product > MAX_REPEAT {
            return Err(at(&repetition.op.span, "RE2 repeats at most 1000 times, nested repetitions multiplied"));
        }
        self.repeats.push(product);
        Ok(())
    }
}

impl ast::Visitor for Rewriter<'_> {
    type Output = String;
    type Err = String;

    fn finish(mut self) -> Result<String, String> {
        self.out.push_str(self.pattern.get(self.copied..).unwrap_or_default());
        Ok(self.out)
    }

    fn visit_pre(&mut self, node: &Ast) -> Result<(), String> {
        match node {
            Ast::ClassPerl(class) => self.perl(class),
            Ast::ClassUnicode(class) => self.unicode(class)?,
            Ast::Assertion(assertion) => self.assertion(assertion)?,
            Ast::Literal(literal) => check_literal(literal)?,
            Ast::Flags(set) => check_flags(&set.flags)?,
            Ast::Group(group) => group.flags().map_or(Ok(()), check_flags)?,
            Ast::Repetition(repetition) => self.repetition(repetition)?,
            Ast::Empty(_) | Ast::Dot(_) | Ast::ClassBracketed(_) | Ast::Alternation(_) | Ast::Concat(_) => {}
        }
        Ok(())
    }

    fn visit_post(&mut self, node: &Ast) -> Result<(), String> {
        if matches!(node, Ast::Repetition(_)) {
            self.repeats.pop();
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), String> {
        match item {
            ClassSetItem::Perl(class) => self.perl(class),
            ClassSetItem::Unicode(class) => self.unicode(class)?,
            ClassSetItem::Literal(literal) => check_literal(literal)?,
            ClassSetItem::Range(range) => {
                check_literal(&range.start)?;
                check_literal(&range.end)?;
            }
            ClassSetItem::Bracketed(inner) => {
                return Err(at(&inner.span, r"RE2 has no classes within classes; write `\[` for a bracket"));
            }
            ClassSetItem::Empty(_) | ClassSetItem::Ascii(_) | ClassSetItem::Union(_) => {}
        }
        Ok(())
    }

    fn visit_class_set_binary_op_pre(&mut self, op: &ast::ClassSetBinaryOp) -> Result<(), String> {
        Err(at(&op.span, "RE2 has no set operations (`&&`, `--`, `~~`) in classes; escape the characters"))
    }
}

fn check_literal(literal: &Literal) -> Result<(), String> {
    let long = |kind: &HexLiteralKind| !matches!(kind, HexLiteralKind::X);
    match &literal.kind {
        LiteralKind::HexFixed(kind) | LiteralKind::HexBrace(kind) if long(kind) => {
            Err(at(&literal.span, r"RE2 has no `\u` and `\U`; write `\x{…}`"))
        }
        _ => Ok(()),
    }
}

fn check_flags(flags: &ast::Flags) -> Result<(), String> {
    for item in &flags.items {
        let flag = match &item.kind {
            FlagsItemKind::Negation => continue,
            FlagsItemKind::Flag(flag) => flag,
        };
        match flag {
            Flag::CaseInsensitive | Flag::MultiLine | Flag::DotMatchesNewLine | Flag::SwapGreed => {}
            Flag::Unicode | Flag::CRLF | Flag::IgnoreWhitespace => {
                return Err(at(&item.span, "RE2 has no flags but `i`, `m`, `s` and `U`"));
            }
        }
    }
    Ok(())
}

fn at(span: &ast::Span, message: &str) -> String {
    format!("{message} (at character {})", span.start.column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Expression::new(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}")).is_match(text)
    }

    #[test]
    fn classes_and_boundaries_are_ascii() {
        for (pattern, text, expected) in [
            (r"^\d+$", "123", true),
            (r"^\d+$", "١٢٣", false),
            (r"^\D$", "١", true),
            (r"^\w+$", "aZ_9", true),
            (r"^\w+$", "é", false),
            (r"^\W$", "é", true),
            (r"^a\sb$", "a\tb", true),
            (r"^a\sb$", "a\u{a0}b", false),
            // Unlike in Perl, a vertical tab is no space.
            (r"^a\sb$", "a\u{b}b", false),
            (r"^a\Sb$", "a\u{b}b", true),
            (r"^[\d.]+$", "1.2", true),
            (r"^[^\d.]+$", "1.2", false),
            (r"^[\W]$", "é", true),
            (r"^[\d-]+$", "1-2", true),
            (r"^é\b.*$", "éa", true),
            (r"^a\b.*$", "aé", true),
            (r"^a\b.*$", "ab", false),
            (r"^é\B.*$", "éé", true),
            (r"^é\B.*$", "éa", false),
            (r"^(?i)straße$", "STRASSE", false),
            (r"^(?i)é$", "É", true),
            (r"^\pL+$", "éa", true),
            (r"^\p{Lu}$", "É", true),
            (r"^\p{Greek}+$", "αβ", true),
            (r"^\P{Greek}$", "α", false),
            (r"^[\p{Greek}x]+$", "αx", true),
            (r"^\p{Any}$", "x", true),
            (r"^\<a\>$", "<a>", true),
            (r"^[[:alpha:]]+$", "ab", true),
            (r"^[[:word:]]$", "é", false),
            (r"^\x{e9}\x41$", "éA", true),
            (r"^(?P<a>x)(?<b>y)$", "xy", true),
            (r"^a{1000}$", "a", false),
            (r"^.{1,1000}$", "a", true),
            // Exactly as written, so the anchors belong to the branches.
            (r"^a|b$", "ax", true),
            (r"^a|b$", "xb", true),
            (r"^a|b$", "xax", false),
            (r"^a$", "a\n", false),
            (r"^.$", "\n", false),
            (r"^(?s).$", "\n", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn what_re2_does_not_have_is_refused() {
        for (pattern, message) in [
            (r"^(?=a)$", "look-around"),
            (r"^(a)\1$", "backreferences"),
            (r"^[a-z&&[aeiou]]$", "set operations"),
            (r"^[a--b]$", "set operations"),
            (r"^[a[b]]$", "classes within classes"),
            (r"^(?x) a$", "no flags but"),
            (r"^(?R)a$", "no flags but"),
            (r"^(?-u:a)$", "no flags but"),
            (r"^\u{e9}$", r"no `\u`"),
            (r"^[\u00e9-\u00ff]$", r"no `\u`"),
            (r"^\b{start}a$", "no word boundaries"),
            (r"^a{1001}$", "at most 1000"),
            (r"^(a{100}){11}$", "at most 1000"),
            (r"^a**$", "does not repeat a repetition"),
            (r"^a{2}{3}$", "does not repeat a repetition"),
            (r"^\p{Alphabetic}$", "not found"),
            (r"^\p{sc=Greek}$", "with a value"),
            (r"^\p{Nonsense}$", "not found"),
            (r"^\Qa.b\E$", "escape"),
            (r"^[a$", "unclosed"),
            (r"^(a$", "unclosed"),
            (r"^a)$", "unopened"),
            (r"^*$|+$", "missing"),
            (r"^(\pL{100}){10}$", "repeats too much"),
        ] {
            match Expression::new(pattern) {
                Ok(_) => panic!("{pattern} was accepted"),
                Err(e) => {
                    assert!(e.contains(message), "{pattern}: {e}");
                    assert!(!e.contains('\n'), "{pattern}: {e}");
                }
            }
        }
        assert!(Expression::new(&format!("^{}$", "a".repeat(MAX_LENGTH))).is_err());
        assert!(Expression::new(&format!("^{}a{}$", "(".repeat(200), ")".repeat(200))).is_err());
    }

    /// The estimate must not be too low, or a checked expression would not compile and match nothing.
    #[test]
    fn what_is_nearly_too_large_compiles() {
        for unit in
            [r"\pL", ".", "[a-z]", "[a-zA-Z0-9_]", "é", "(?i)k", "a?", "(a|bc)", r"\PL?", "[αβγ]", "(?:)", r"\b"]
        {
            let large = |n: usize| format!("^{}$", format!("(?:{unit}){{500}}").repeat(n));
            let size = |pattern: &str| regex_syntax::parse(pattern).map_or(u64::MAX, |hir| states(&hir));
            let most = (1..200).take_while(|n| size(&large(*n)) <= MAX_STATES).last();
            let pattern = match most {
                Some(n) => large(n),
                None => format!("^(?:{unit}){{90}}$"),
            };
            assert!(size(&pattern) <= MAX_STATES, "{unit}");
            // Twice as large would do, too.
            let program = RegexBuilder::new(&pattern).size_limit(MAX_PROGRAM / 2).build();
            assert!(program.is_ok(), "{unit}: {} states", size(&pattern));
        }
    }
}
