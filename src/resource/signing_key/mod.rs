//! Keys that commits are signed with, as `signing_keys` of a user, `root_keys` and the like have them.
//!
//! What cannot be verified is refused where it is written. Dates in a key are not looked at: it counts as long as it is
//! listed.

pub mod armour;
pub mod openpgp;
pub mod ssh;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// A key that commits may be signed with. Two are equal if they name the same key, however they are written: an
/// armoured OpenPGP key is equal to its fingerprint.
#[derive(Clone, Debug)]
pub struct SigningKey(Form);

#[derive(Clone, Debug)]
enum Form {
    /// An SSH signature brings its key along, so that this is all that is needed of one.
    Ssh(KeyName),
    OpenPgp(Arc<openpgp::Key>),
    OpenPgpFingerprint(KeyName),
}

/// What a key is called: the `SHA256:…` fingerprint of an SSH key, or the upper-case hexadecimal fingerprint of an
/// OpenPGP key or subkey.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(pub String);

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a signing key, as the end of a sentence that began with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(pub String);

impl SigningKey {
    /// Reads an OpenSSH public key, an armoured OpenPGP public key, or a fingerprint of either (`SHA256:…`, 40 or 64
    /// hexadecimal digits).
    pub fn parse(text: &str) -> Result<SigningKey, KeyError> {
        let text = text.trim();
        if text.starts_with("-----BEGIN") {
            return openpgp::Key::parse(text).map(|key| SigningKey(Form::OpenPgp(Arc::new(key))));
        }
        if let Some(digest) = text.strip_prefix("SHA256:") {
            let digest = STANDARD_NO_PAD.decode(digest).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            let digest = digest.ok_or_else(|| KeyError("is not a whole SHA256 fingerprint".to_owned()))?;
            return Ok(SigningKey(Form::Ssh(KeyName(format!("SHA256:{}", STANDARD_NO_PAD.encode(digest))))));
        }
        if let Some(key) = ssh::read(text) {
            return key.map(|name| SigningKey(Form::Ssh(name)));
        }
        let digits: String = text.strip_prefix("0x").unwrap_or(text).split_whitespace().collect();
        match digits.len() {
            40 | 64 if is_hex(&digits) => {
                Ok(SigningKey(Form::OpenPgpFingerprint(KeyName(digits.to_ascii_uppercase()))))
            }
            8 | 16 if is_hex(&digits) => Err(KeyError("is a short key id, which others can imitate".to_owned())),
            _ => Err(KeyError("is not a signing key".to_owned())),
        }
    }

    /// The one name by which the key is told from others; of an OpenPGP key, that of its primary key.
    pub fn name(&self) -> &KeyName {
        match &self.0 {
            Form::Ssh(name) | Form::OpenPgpFingerprint(name) => name,
            Form::OpenPgp(key) => key.primary(),
        }
    }

    /// The names by which a signature of this key is found, [`SigningKey::name`] first: an OpenPGP key has subkeys.
    pub fn names(&self) -> Vec<KeyName> {
        match &self.0 {
            Form::OpenPgp(key) => key.names(),
            Form::Ssh(_) | Form::OpenPgpFingerprint(_) => vec![self.name().clone()],
        }
    }

    /// The key material of an OpenPGP key, if it is known.
    pub fn openpgp(&self) -> Option<&openpgp::Key> {
        match &self.0 {
            Form::OpenPgp(key) => Some(key),
            Form::Ssh(_) | Form::OpenPgpFingerprint(_) => None,
        }
    }

    /// Whether this is only the fingerprint of an OpenPGP key, which names a key and cannot verify what it signed.
    pub fn is_openpgp_fingerprint(&self) -> bool {
        matches!(self.0, Form::OpenPgpFingerprint(_))
    }
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &SigningKey) -> bool {
        self.name() == other.name()
    }
}

impl Eq for SigningKey {}

impl Hash for SigningKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

/// Base64 as keys and signatures have it, in one piece.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
