//! Signatures of SSH keys, in the format that `ssh-keygen -Y sign` writes.

use crate::resource::signing_key::{KeyName, ssh};
use ssh_encoding::Decode as _;
use ssh_key::{PublicKey, SshSig, public::KeyData};

/// What the signatures of git are for. One that was made for anything else is not about a commit.
const NAMESPACE: &str = "git";
/// Set by a security key when somebody touched it.
const USER_PRESENT: u8 = 1;

/// The name of the key that made a signature over `payload`, or why there is none, as a clause for people.
pub fn verify(signature: &[u8], payload: &[u8]) -> Result<KeyName, String> {
    let damaged = || "is damaged".to_owned();
    if memchr::memmem::find(signature, b"-cert-v01@openssh.com").is_some() {
        return Err("is by a certificate, and only keys can be listed".to_owned());
    }
    let mut rest = signature;
    let signature = SshSig::decode(&mut rest).map_err(|_| damaged())?;
    if !rest.is_empty() || signature.version() != SshSig::VERSION {
        return Err(damaged());
    }
    if signature.namespace() != NAMESPACE {
        return Err(format!("was made for {:?} and not for git", signature.namespace()));
    }
    let name = ssh::accept(signature.public_key()).map_err(|why| format!("is by a key that {why}"))?;
    let security_key = matches!(signature.public_key(), KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_));
    // Before the counter of four bytes, at the end.
    let flags = signature.signature_bytes().iter().rev().nth(4);
    if security_key && flags.is_none_or(|flags| flags & USER_PRESENT == 0) {
        return Err("was made by a security key that nobody touched".to_owned());
    }
    let key = PublicKey::from(signature.public_key().clone());
    key.verify(NAMESPACE, payload, &signature).map_err(|_| "does not fit the commit".to_owned())?;
    Ok(name)
}
