//! One value of a selector, or one entry of `mcp.tools`: a literal, a glob, or a regular expression.

use super::re2::Expression;
use serde::{Serialize, Serializer};
use std::fmt;

/// A pattern that has been checked.
///
/// What starts with `^` and ends with `$` is a regular expression, used exactly as written with the meaning of RE2.
/// Anything else is a case-sensitive literal, anchored at both ends, in which only `*` is special: any run of
/// characters. Matching takes time linear in the text, whatever the pattern; the first match of a regular expression
/// also compiles it.
#[derive(Clone)]
pub struct Pattern {
    source: Box<str>,
    matcher: Matcher,
}

#[derive(Clone)]
enum Matcher {
    /// `*` alone.
    Any,
    Literal,
    /// At least one `*`.
    Glob,
    Regex(Expression),
}

impl Pattern {
    /// Checks a pattern; the error is one line that says what is wrong with the regular expression.
    pub fn new(source: &str) -> Result<Pattern, String> {
        let matcher = if source.len() > 1 && source.starts_with('^') && source.ends_with('$') {
            Matcher::Regex(Expression::new(source)?)
        } else if source == "*" {
            Matcher::Any
        } else if source.contains('*') {
            Matcher::Glob
        } else {
            Matcher::Literal
        };
        Ok(Pattern { source: source.into(), matcher })
    }

    /// The pattern `*`, which matches everything.
    pub fn any() -> Pattern {
        Pattern { source: "*".into(), matcher: Matcher::Any }
    }

    pub fn matches(&self, text: &str) -> bool {
        match &self.matcher {
            Matcher::Any => true,
            Matcher::Literal => *self.source == *text,
            Matcher::Glob => glob(&self.source, text),
            Matcher::Regex(expression) => expression.is_match(text),
        }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

/// Whether a text is what a pattern says in which only `*` is special: any run of characters.
///
/// The first part is a prefix, the last a suffix; every part between may take its leftmost place after the one
/// before, because that leaves the most text to the others.
pub fn glob(pattern: &str, text: &str) -> bool {
    let Some((prefix, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(prefix) else { return false };
    let (middle, suffix) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(suffix)
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_kinds() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything\nat all", true),
            ("prod", "prod", true),
            ("prod", "Prod", false),
            ("prod", "production", false),
            ("a.c", "abc", false),
            ("a?c", "abc", false),
            ("[ab]", "a", false),
            ("stag*", "stag", true),
            ("stag*", "staging", true),
            ("*-eu-*", "prod-eu-1", true),
            ("*-eu-*", "prod-eu", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*ab*ab", "ab", false),
            ("**", "", true),
            ("^stag.*$", "staging", true),
            ("^stag.*$", "xstaging", false),
            // Neither of these is a regular expression.
            ("^stag*", "^stage", true),
            ("stag.*$", "stag.x$", true),
            ("^", "^", true),
            ("$", "$", true),
            ("^$", "", true),
        ] {
            let compiled = Pattern::new(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            assert_eq!(compiled.matches(text), expected, "{pattern} on {text:?}");
        }
        assert!(Pattern::new("^($").is_err());
    }

    /// The definition, one character at a time.
    fn oracle(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => {
                oracle(rest, text) || text.split_first().is_some_and(|(_, tail)| oracle(pattern, tail))
            }
            (Some((p, rest)), Some((t, tail))) => p == t && oracle(rest, tail),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn globs_match_as_defined(pattern in "[ab*é]{0,8}", text in "[abé]{0,10}") {
            let expected = oracle(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
            let compiled = Pattern::new(&pattern).map_err(TestCaseError::fail)?;
            prop_assert_eq!(compiled.matches(&text), expected);
        }

        #[test]
        fn any_pattern_compiles_or_is_refused(pattern in "\\PC{0,40}", text in "\\PC{0,20}") {
            for source in [pattern.clone(), format!("^{pattern}$")] {
                if let Ok(compiled) = Pattern::new(&source) {
                    compiled.matches(&text);
                }
            }
        }
    }
}
