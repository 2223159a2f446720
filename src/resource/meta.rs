//! What every resource has: a name, a description, labels, and (apps only) an end.

use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// The `metadata` section of a resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metadata {
    /// 1 to 128 characters; part of URLs, file names and logs. See [`check_name`].
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Apps only: from this moment on the app counts as absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl Metadata {
    /// Metadata with a name and nothing else.
    pub fn named(name: impl Into<String>) -> Self {
        Metadata { name: name.into(), description: None, labels: BTreeMap::new(), expires: None }
    }
}

/// Why a text cannot be a resource's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name has 1 to 128 characters")]
    Length,
    #[error("a name consists of letters, digits, `.`, `_` and `-`, and starts and ends with a letter or digit")]
    Characters,
}

/// Checks a resource name: `[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?`, 1 to 128 characters.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() || name.len() > 128 {
        return Err(NameError::Length);
    }
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let inner = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner) {
        Ok(())
    } else {
        Err(NameError::Characters)
    }
}

/// Whether a text may be a label's key: `^[a-zA-Z/.0-9_:*-]+$`.
pub fn check_label_key(key: &str) -> bool {
    !key.is_empty()
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b':' | b'*' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "7", "everything", "a.b_c-d", "A1", &"x".repeat(128)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["-a", "a-", ".", "..", "a/b", "a b", "ä", "a\n", "a."] {
            assert_eq!(check_name(bad), Err(NameError::Characters), "{bad}");
        }
        for bad in ["", &"x".repeat(129)] {
            assert_eq!(check_name(bad), Err(NameError::Length), "{bad}");
        }
    }

    #[test]
    fn label_keys() {
        assert!(["env", "a/b", "teleport.dev/origin", "*", "a:b-c_d"].iter().all(|k| check_label_key(k)));
        assert!(!["", "a b", "ä", "a\n"].iter().any(|k| check_label_key(k)));
    }
}
