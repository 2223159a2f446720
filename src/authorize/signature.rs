//! Signatures of commits: which key signed, and whether it did. Pure.
//!
//! The bytes come from whoever may push, so every length is bounded and nothing panics. Dates, names and mail addresses in
//! keys and signatures are not looked at: a key counts as long as the policy lists it.

/// A key that commits may be signed with, as `signing_keys` of a user, `root_keys` and the like have it.
#[derive(Clone, Debug)]
pub struct SigningKey;

/// How keys are found: the `SHA256:…` fingerprint of an SSH key, or the upper-case hexadecimal fingerprint of an OpenPGP
/// key or subkey. Only a means to find candidates; [`Signature::check`] decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(pub String);

/// What a commit says of its signature.
#[derive(Clone, Debug)]
pub enum Evidence {
    /// It has none.
    Unsigned,
    /// It has several, and it is not clear which counts.
    Several,
    /// What it has is no signature over the commit; a clause for people says why.
    Bad(String),
    /// It has one. That of an SSH key has been verified; whose it is, and whether an OpenPGP one is good, is told by
    /// [`Signature::check`].
    Signed(Signature),
}

/// The one signature of a commit.
#[derive(Clone, Debug)]
pub struct Signature;

/// What a key says of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    Good,
    /// Another key made it.
    OtherKey,
    /// This key is said to have made it, and has not; a clause for people says why.
    Bad(String),
    /// Only the fingerprint of the key is known, which does not do to verify anything.
    FingerprintOnly,
}

/// Why a text is not a signing key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(pub String);

impl SigningKey {
    /// Reads an OpenSSH public key, an armoured OpenPGP public key, or a fingerprint of either (`SHA256:…`, 40 or 64
    /// hexadecimal digits).
    pub fn parse(_text: &str) -> Result<SigningKey, KeyError> {
        todo!("helper")
    }

    /// By which a signature of this key is found: an OpenPGP key has subkeys.
    pub fn names(&self) -> Vec<KeyName> {
        todo!("helper")
    }
}

impl Signature {
    /// What it calls its key. An OpenPGP signature may name none, or one by a short id only: then candidates are all.
    pub fn names(&self) -> Vec<KeyName> {
        todo!("helper")
    }

    /// Whether `key` made it.
    pub fn check(&self, _key: &SigningKey) -> Check {
        todo!("helper")
    }

    /// How its key is called for people: `SHA256:…` or a fingerprint.
    pub fn shown(&self) -> String {
        todo!("helper")
    }
}

/// Finds and, as far as it can be without knowing keys, verifies the signature of a commit, given as git stores it.
pub fn evidence(_commit: &[u8]) -> Evidence {
    todo!("helper")
}
