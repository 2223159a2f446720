//! What the judgement knows of git: names of objects, and where to get their contents.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr, sync::Arc};

/// The name of an object: its SHA-1, written as 40 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 20]);

/// A text that is not the full name of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a full object id of 40 hexadecimal digits")]
pub struct NotAnId;

impl ObjectId {
    pub const fn new(bytes: [u8; 20]) -> Self {
        ObjectId(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The first digits, for display.
    pub fn short(&self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

impl FromStr for ObjectId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let mut bytes = [0; 20];
        if text.len() != 40 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NotAnId);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| NotAnId)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NotAnId)?;
        }
        Ok(ObjectId(bytes))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ObjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a tree says of one of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeItem {
    /// One component of a path; any bytes but `/` and NUL.
    pub name: Vec<u8>,
    /// `0o040000` a tree, `0o100644` and `0o100755` a file, `0o120000` a symlink, `0o160000` a submodule. Git knows no
    /// others, but what somebody pushed may.
    pub mode: u32,
    pub id: ObjectId,
}

/// The content of a file, if it is not too large to be one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blob {
    Bytes(Vec<u8>),
    /// Larger than was asked for; its size in bytes.
    TooLarge(u64),
}

/// An object database. Reading an object that exists always gives the same.
pub trait Objects {
    /// A commit as git stores it: headers, an empty line, the message.
    fn commit(&self, id: ObjectId) -> Result<Arc<[u8]>, ObjectError>;

    /// The names in a tree, in git's order.
    fn tree(&self, id: ObjectId) -> Result<Arc<[TreeItem]>, ObjectError>;

    /// The content of a file of at most `limit` bytes.
    fn blob(&self, id: ObjectId, limit: usize) -> Result<Blob, ObjectError>;

    /// Whether the repository has this commit without its parents.
    fn is_shallow(&self, id: ObjectId) -> bool;
}

/// Why an object could not be had.
///
/// Without an object that the repository should have, nothing can be judged: whatever was decided before stays. An object
/// that is there and is itself what is wrong is another matter: see [`ObjectError::is_about_content`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    #[error("object {0} is not in the repository")]
    Missing(ObjectId),
    /// Whole, and of the right kind, but what it says makes no sense.
    #[error("object {id} is damaged: {message}")]
    Damaged { id: ObjectId, message: String },
    /// What is stored here is not what was stored, or the disk does not give it.
    #[error("object {id} cannot be read: {message}")]
    Unreadable { id: ObjectId, message: String },
    /// A commit or tree beyond the bounds of what is read.
    #[error("object {id} is larger than {limit} bytes")]
    TooLarge { id: ObjectId, limit: usize },
    /// What led to the object took it for something else.
    #[error("object {id} is a {found}, not a {expected}")]
    WrongKind { id: ObjectId, expected: &'static str, found: &'static str },
}

impl ObjectError {
    /// Whether it says something of what was pushed, and reading again would give the same; and not of the disk.
    pub fn is_about_content(&self) -> bool {
        match self {
            ObjectError::Damaged { .. } | ObjectError::TooLarge { .. } | ObjectError::WrongKind { .. } => true,
            ObjectError::Missing(_) | ObjectError::Unreadable { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_names_are_names() {
        let text = "0123456789abcdef0123456789ABCDEF01234567";
        assert_eq!(text.parse::<ObjectId>().map(|id| id.to_string()), Ok(text.to_lowercase()));
        for bad in ["", "01234567", &text[1..], &format!("{text}0"), "+123456789abcdef0123456789abcdef01234567"] {
            assert_eq!(bad.parse::<ObjectId>(), Err(NotAnId), "{bad:?}");
        }
    }
}
