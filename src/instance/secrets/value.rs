//! The value of a secret, and what can be known of it without showing it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::{collections::BTreeMap, fmt};
use zeroize::Zeroizing;

/// The most bytes that a secret may have. An environment variable can hold twice as many.
pub const MAX_BYTES: u64 = 64 << 10;

/// The value of a secret. Never shown, and overwritten when dropped.
#[derive(Clone)]
pub struct Value(Zeroizing<Vec<u8>>);

impl Value {
    /// Takes the content of a file. One newline at its end is not part of the value.
    ///
    /// # Errors
    /// Why no process can be given this, as a clause for people.
    pub fn new(mut content: Zeroizing<Vec<u8>>) -> Result<Value, &'static str> {
        if content.last() == Some(&b'\n') {
            content.pop();
        }
        if content.is_empty() {
            return Err("is empty");
        }
        if content.contains(&0) {
            return Err("has a NUL in it, which no environment variable can");
        }
        Ok(Value(content))
    }

    /// The value itself, for the one place that hands it on.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(…)")
    }
}

/// What tells one value from another, within one agent: without its key it says nothing of the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tag([u8; 32]);

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag(…)")
    }
}

/// The same for all secrets of an app together. The default is that of an app without secrets.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint(Option<Tag>);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

/// The key of an agent's tags: drawn at its start, never stored or shown.
pub struct Key(Zeroizing<[u8; 64]>);

impl Key {
    pub fn random() -> Key {
        let mut key = Zeroizing::new([0; 64]);
        // Tags never leave the process. The key is there in case one ever does, and chance fails on no Linux that is up.
        let _ = getrandom::fill(&mut *key);
        Key(key)
    }

    pub fn tag(&self, value: &Value) -> Tag {
        self.digest(|mac| mac.update(value.reveal()))
    }

    /// Of secrets by name.
    pub fn fingerprint(&self, tags: &BTreeMap<String, Tag>) -> Fingerprint {
        let all = || {
            self.digest(|mac| {
                for (name, Tag(tag)) in tags {
                    mac.update(name.as_bytes());
                    // In no name, so that no two sets look the same.
                    mac.update(b"\0");
                    mac.update(tag);
                }
            })
        };
        Fingerprint((!tags.is_empty()).then(all))
    }

    fn digest(&self, feed: impl FnOnce(&mut Hmac<Sha256>)) -> Tag {
        let mut mac = Hmac::<Sha256>::new(&(*self.0).into());
        feed(&mut mac);
        Tag(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(content: &[u8]) -> Result<Value, &'static str> {
        Value::new(Zeroizing::new(content.to_vec()))
    }

    #[test]
    fn one_newline_at_the_end_is_cut_off() {
        let table: [(&[u8], Option<&[u8]>); 9] = [
            (b"hush", Some(b"hush")),
            (b"hush\n", Some(b"hush")),
            (b"hush\n\n", Some(b"hush\n")),
            (b"hush\r\n", Some(b"hush\r")),
            (b"\nhu\nsh \xff", Some(b"\nhu\nsh \xff")),
            (b"", None),
            (b"\n", None),
            (b"hu\0sh", None),
            (b"\0", None),
        ];
        for (content, expected) in table {
            assert_eq!(value(content).ok().as_ref().map(Value::reveal), expected, "{content:?}");
        }
    }

    #[test]
    fn tags_tell_values_apart_and_agents_do_not_share_them() {
        let (key, other) = (Key::random(), Key::random());
        let (one, two) = (value(b"one").unwrap(), value(b"two").unwrap());
        assert_eq!(key.tag(&one), key.tag(&value(b"one\n").unwrap()));
        assert_ne!(key.tag(&one), key.tag(&two));
        assert_ne!(key.tag(&one), other.tag(&one));
        let print = |secrets: &[(&str, &Value)]| {
            key.fingerprint(&secrets.iter().map(|(name, value)| (name.to_string(), key.tag(value))).collect())
        };
        assert_eq!(print(&[]), Fingerprint::default());
        assert_eq!(print(&[("a", &one), ("b", &two)]), print(&[("b", &two), ("a", &one)]));
        assert_ne!(print(&[("a", &one), ("b", &two)]), print(&[("a", &two), ("b", &one)]));
        assert_ne!(print(&[("a", &one)]), Fingerprint::default());
    }

    #[test]
    fn nothing_of_a_value_is_shown() {
        let value = value(b"hush").unwrap();
        let key = Key::random();
        let tag = key.tag(&value);
        let print = key.fingerprint(&BTreeMap::from([("a".to_owned(), tag)]));
        assert_eq!(format!("{value:?} {tag:?} {print:?} {key:?}"), "Value(…) Tag(…) Fingerprint(…) Key(…)");
    }
}
