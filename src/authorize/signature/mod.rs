//! Signatures of commits: which key signed, and whether it did. Pure.
//!
//! The bytes come from whoever may push, so every length is bounded and nothing panics. Dates, names and mail addresses in
//! keys and signatures are not looked at: a key counts as long as the policy lists it.

mod commit;
mod openpgp;
mod ssh;

pub use crate::resource::signing_key::{KeyError, KeyName, SigningKey};

use crate::resource::signing_key::armour::{self, ArmourError};
use commit::Found;

/// The longest signature, armour included, in bytes. The longest of common ones has under 2 KiB.
const MAX_SIGNATURE: usize = 32 << 10;

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
pub struct Signature(Form);

#[derive(Clone, Debug)]
enum Form {
    /// Made by the key of that name, which is part of the signature.
    Ssh(KeyName),
    OpenPgp(openpgp::Signature),
}

/// What a key says of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    Good,
    /// Another key made it.
    OtherKey,
    /// This key is said to have made it, and has not or may not; a clause for people says why.
    Bad(String),
    /// Only the fingerprint of the OpenPGP key is known, which does not do to verify anything.
    FingerprintOnly,
}

impl Signature {
    /// What it calls its key. An OpenPGP signature may name none, or one by a short id only: then candidates are all.
    pub fn names(&self) -> Vec<KeyName> {
        match &self.0 {
            Form::Ssh(name) => vec![name.clone()],
            Form::OpenPgp(signature) => signature.names().to_vec(),
        }
    }

    /// Whether `key` made it.
    pub fn check(&self, key: &SigningKey) -> Check {
        match &self.0 {
            Form::Ssh(name) if name == key.name() => Check::Good,
            Form::Ssh(_) => Check::OtherKey,
            Form::OpenPgp(signature) => match key.openpgp() {
                Some(key) => signature.check(key),
                None if key.is_openpgp_fingerprint() && signature.may_be_by(key.name()) => Check::FingerprintOnly,
                None => Check::OtherKey,
            },
        }
    }

    /// How its key is called for people: `SHA256:…` or a fingerprint.
    pub fn shown(&self) -> String {
        match &self.0 {
            Form::Ssh(name) => name.to_string(),
            Form::OpenPgp(signature) => signature.shown(),
        }
    }
}

/// Finds and, as far as it can be without knowing keys, verifies the signature of a commit, given as git stores it.
pub fn evidence(commit: &[u8]) -> Evidence {
    let (signature, payload) = match commit::signature_of(commit) {
        Found::None => return Evidence::Unsigned,
        Found::Several => return Evidence::Several,
        Found::OtherFormat => {
            return Evidence::Bad("signs only the form that the commit has in a SHA-256 repository".to_owned());
        }
        Found::One { signature, payload } => (signature, payload),
    };
    // Git writes none, and shows people only what comes before it.
    if memchr::memchr(0, commit).is_some() {
        return Evidence::Bad("is of a commit with a NUL character".to_owned());
    }
    match read(&signature, &payload) {
        Ok(form) => Evidence::Signed(Signature(form)),
        Err(Wrong::Several) => Evidence::Several,
        Err(Wrong::Bad(why)) => Evidence::Bad(why),
    }
}

/// Why a signature does not count.
enum Wrong {
    Several,
    Bad(String),
}

impl From<&str> for Wrong {
    fn from(why: &str) -> Wrong {
        Wrong::Bad(why.to_owned())
    }
}

fn read(signature: &[u8], payload: &[u8]) -> Result<Form, Wrong> {
    if signature.len() > MAX_SIGNATURE {
        return Err("is too long".into());
    }
    let text = std::str::from_utf8(signature).map_err(|_| "is not text")?;
    let block = armour::remove(text).map_err(|error| match error {
        ArmourError::Damaged => "is damaged".into(),
        ArmourError::Several => Wrong::Several,
    })?;
    match block.label {
        "SSH SIGNATURE" => ssh::verify(&block.bytes, payload).map(Form::Ssh).map_err(Wrong::Bad),
        "PGP SIGNATURE" => openpgp::Signature::read(&block.bytes, payload).map(Form::OpenPgp),
        "SIGNED MESSAGE" => Err("is of X.509, which is not supported".into()),
        _ => Err("is of an unknown format".into()),
    }
}

#[cfg(test)]
mod tests;
