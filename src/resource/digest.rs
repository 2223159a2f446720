//! Content digests: how equality of two values is decided.

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A SHA-256 digest. Two specs are the same when their digests are; two directory revisions likewise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Digest(Sha256::digest(bytes).into())
    }

    /// The digest of a value's canonical form: its JSON, whose field order is the declaration's and whose maps are
    /// sorted because the model holds only `BTreeMap`s.
    pub fn of<T: Serialize>(value: &T) -> Self {
        struct Into256(Sha256);
        impl std::io::Write for Into256 {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.update(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut hasher = Into256(Sha256::new());
        // Neither the model (string keys, no floats) nor the writer can fail; an error would be a bug in the model,
        // and then a digest that equals no other is the safe answer.
        if serde_json::to_writer(&mut hasher, value).is_err() {
            debug_assert!(false, "a model value has no JSON form");
        }
        Digest(hasher.0.finalize().into())
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(digits: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Digest(bytes))
    }

    /// The first `n` hexadecimal digits, for display.
    pub fn short(&self, n: usize) -> String {
        self.to_string().chars().take(n).collect()
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short(12))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
