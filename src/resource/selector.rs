//! Label selectors: one matcher for `app_service.resources[].labels`, `app_labels` and `rules[].labels`.
//!
//! A selector is a map from label key to one or more values.
//!
//! 1. An empty selector matches nothing.
//! 2. The key `*` with exactly the value `*` matches everything, labels or not, whatever else the selector says.
//! 3. Otherwise every key must hold: the label exists, and one of the values matches it. The value `*` matches any,
//!    also an empty one.
//! 4. Values are literals, globs or regular expressions; see [`Pattern`].
//!
//! A list of selectors matches when any of them does.

pub use super::pattern::Pattern;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// A map from label key to the values that match it. See the module's documentation for the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Selector(BTreeMap<String, Vec<Pattern>>);

/// A value of a selector that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {message}")]
pub struct SelectorError {
    pub key: String,
    /// Which of the key's values, from 0.
    pub index: usize,
    pub message: String,
}

impl Selector {
    /// Compiles a selector, or says everything that is wrong with it.
    pub fn new(values: BTreeMap<String, Vec<String>>) -> Result<Selector, Vec<SelectorError>> {
        let mut errors = Vec::new();
        let mut keys = BTreeMap::new();
        for (key, values) in values {
            let mut patterns = Vec::with_capacity(values.len());
            for (index, value) in values.iter().enumerate() {
                match Pattern::new(value) {
                    Ok(pattern) => patterns.push(pattern),
                    Err(message) => errors.push(SelectorError { key: key.clone(), index, message }),
                }
            }
            keys.insert(key, patterns);
        }
        if errors.is_empty() { Ok(Selector(keys)) } else { Err(errors) }
    }

    /// The selector `*: *`.
    pub fn everything() -> Selector {
        Selector::new(BTreeMap::from([("*".to_owned(), vec!["*".to_owned()])])).unwrap_or_default()
    }

    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.could_match(labels, &BTreeSet::new())
    }

    /// Whether it matches, or would if labels with these other keys had the right values.
    pub fn could_match(&self, labels: &BTreeMap<String, String>, unknown: &BTreeSet<String>) -> bool {
        if self.is_everything() {
            return true;
        }
        !self.0.is_empty()
            && self.0.iter().all(|(key, patterns)| match labels.get(key) {
                Some(value) => patterns.iter().any(|pattern| pattern.matches(value)),
                None => !patterns.is_empty() && unknown.contains(key),
            })
    }

    /// Whether rule 2 applies.
    pub fn is_everything(&self) -> bool {
        self.0.get("*").is_some_and(|patterns| matches!(patterns.as_slice(), [only] if only.as_str() == "*"))
    }

    /// Whether it has no keys, and so matches nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// For people: `env=prod|^stag.*$, team=*`.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("(nothing)");
        }
        for (n, (key, patterns)) in self.0.iter().enumerate() {
            write!(f, "{}{key}=", if n > 0 { ", " } else { "" })?;
            for (n, pattern) in patterns.iter().enumerate() {
                write!(f, "{}{pattern}", if n > 0 { "|" } else { "" })?;
            }
        }
        Ok(())
    }
}

/// Checks one value of a selector, or one entry of `mcp.tools`. The error is one line for the person who wrote it.
pub fn check_pattern(value: &str) -> Result<(), String> {
    Pattern::new(value).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection, prelude::*};

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    fn selector(pairs: &[(&str, &[&str])]) -> Selector {
        let values = pairs.iter().map(|(k, v)| (k.to_string(), v.iter().map(|v| v.to_string()).collect())).collect();
        Selector::new(values).unwrap_or_else(|e| panic!("{e:?}"))
    }

    #[test]
    fn the_rules() {
        let none = map(&[]);
        let prod = map(&[("env", "prod"), ("team", "")]);
        assert!(!selector(&[]).matches(&none));
        assert!(!selector(&[]).matches(&prod));
        assert!(Selector::everything().matches(&none));
        assert!(selector(&[("*", &["*"]), ("env", &["test"])]).matches(&none));
        // Only exactly `*` is everything; otherwise `*` is a label like others.
        assert!(!selector(&[("*", &["*", "*"])]).matches(&prod));
        assert!(!selector(&[("*", &["a"])]).matches(&prod));
        assert!(selector(&[("*", &["a"])]).matches(&map(&[("*", "a")])));
        assert!(selector(&[("env", &["test", "^pr.*$"])]).matches(&prod));
        assert!(!selector(&[("env", &["test"])]).matches(&prod));
        assert!(selector(&[("team", &["*"])]).matches(&prod));
        assert!(!selector(&[("team", &["*"])]).matches(&none));
        assert!(!selector(&[("env", &["prod"]), ("region", &["*"])]).matches(&prod));
        assert!(!selector(&[("env", &[])]).matches(&prod));
    }

    #[test]
    fn every_error_is_reported_with_its_place() {
        let values = BTreeMap::from([
            ("a".to_owned(), vec!["ok".to_owned(), "^($".to_owned()]),
            ("b".to_owned(), vec![r"^(?=x)$".to_owned()]),
        ]);
        let errors = Selector::new(values).expect_err("two values are wrong");
        let places: Vec<_> = errors.iter().map(|e| (e.key.as_str(), e.index)).collect();
        assert_eq!(places, [("a", 1), ("b", 0)]);
    }

    #[test]
    fn shown_and_serialized_as_written() {
        let s = selector(&[("env", &["prod", "^stag.*$"]), ("team", &["*"])]);
        assert_eq!(s.to_string(), "env=prod|^stag.*$, team=*");
        assert_eq!(serde_json::to_string(&s).ok(), Some(r#"{"env":["prod","^stag.*$"],"team":["*"]}"#.into()));
        assert_eq!(Selector::everything().to_string(), "*=*");
        assert_eq!(selector(&[]).to_string(), "(nothing)");
    }

    /// The rules once more, with every value as a regular expression of its own.
    fn oracle(values: &BTreeMap<String, Vec<String>>, labels: &BTreeMap<String, String>) -> bool {
        if values.get("*") == Some(&vec!["*".to_owned()]) {
            return true;
        }
        let mut held = 0;
        for (key, wanted) in values {
            let Some(label) = labels.get(key) else { return false };
            let hit = wanted.iter().any(|value| {
                let expression = if value.starts_with('^') && value.ends_with('$') {
                    value.clone()
                } else {
                    format!("^(?s:{})$", value.split('*').map(regex::escape).collect::<Vec<_>>().join(".*"))
                };
                regex::Regex::new(&expression).is_ok_and(|r| r.is_match(label))
            });
            if !hit {
                return false;
            }
            held += 1;
        }
        held > 0
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[ab]{0,3}", Just("a\nb".to_owned())]
    }

    fn value() -> impl Strategy<Value = String> {
        prop_oneof![text(), "[ab*]{0,4}", Just("*".to_owned()), Just("^a|b$".to_owned()), "\\^[ab.]{0,3}\\$"]
    }

    proptest! {
        #[test]
        fn matches_as_the_rules_say(
            values in collection::btree_map("[xy*]", collection::vec(value(), 0..3), 0..3),
            labels in collection::btree_map("[xy*]", text(), 0..3),
        ) {
            let expected = oracle(&values, &labels);
            let compiled = Selector::new(values).map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
            prop_assert_eq!(compiled.matches(&labels), expected);
        }
    }
}
