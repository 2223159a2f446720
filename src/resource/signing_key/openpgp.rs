//! OpenPGP keys: which of a key's parts may sign.

use super::{
    KeyError, KeyName,
    armour::{self, ArmourError},
};
use pgp::{
    composed::{Deserializable as _, SignedPublicKey, SignedPublicSubKey},
    crypto::hash::HashAlgorithm,
    packet::{PublicKey, PublicSubkey, Signature, SignatureType, SubpacketData},
    ser::Serialize as _,
    types::{EcdsaPublicParams, EddsaLegacyPublicParams, KeyDetails, KeyVersion, PublicParams, Tag, VerifyingKey},
};

/// The longest armoured key, in bytes: some hundred signatures on it.
const MAX_TEXT: usize = 64 << 10;
/// How many subkeys are looked at, and how many signatures of the key itself on each of its parts.
const MAX_PARTS: usize = 32;

/// An OpenPGP key with what of it may sign.
#[derive(Debug)]
pub struct Key {
    primary: KeyName,
    parts: Vec<Part>,
}

/// The primary key or a subkey.
#[derive(Debug)]
pub struct Part {
    /// Its fingerprint.
    pub name: KeyName,
    /// The short id by which old signatures name it, eight bytes.
    pub id: [u8; 8],
    /// The key itself, if it may sign; otherwise why not, as the end of a sentence that began with the key.
    pub signer: Result<Signer, String>,
}

/// A part that may sign.
#[derive(Debug)]
pub enum Signer {
    Primary(Box<PublicKey>),
    Subkey(Box<PublicSubkey>),
}

impl Key {
    /// Reads one armoured key.
    pub fn parse(text: &str) -> Result<Key, KeyError> {
        let error = |why: &str| KeyError(why.to_owned());
        if text.len() > MAX_TEXT {
            return Err(error("is longer than 64 KiB: export it with `--export-options export-minimal`"));
        }
        let block = armour::remove(text).map_err(|armour| match armour {
            ArmourError::Damaged => error("is not a whole armoured OpenPGP public key"),
            ArmourError::Several => error("is more than one armoured key: list each by itself"),
        })?;
        if block.label != "PGP PUBLIC KEY BLOCK" {
            return Err(error("is not an armoured OpenPGP public key"));
        }
        let damaged = || error("is damaged: it does not contain an OpenPGP public key");
        let mut keys = SignedPublicKey::from_bytes_many(block.bytes.as_slice()).map_err(|_| damaged())?;
        let key = keys.next().and_then(Result::ok).ok_or_else(damaged)?;
        match keys.next() {
            None => Key::of(&key).map_err(KeyError),
            Some(Ok(_)) => Err(error("is more than one key: list each by itself")),
            Some(Err(_)) => Err(damaged()),
        }
    }

    fn of(key: &SignedPublicKey) -> Result<Key, String> {
        if key.public_subkeys.len() > MAX_PARTS {
            return Err(format!("has more than {MAX_PARTS} subkeys"));
        }
        let primary = may_primary_sign(key)?.map(|()| Signer::Primary(Box::new(key.primary_key.clone())));
        let mut parts = vec![part(&key.primary_key, primary)];
        for subkey in &key.public_subkeys {
            let signer = may_subkey_sign(&key.primary_key, subkey);
            parts.push(part(&subkey.key, signer.map(|()| Signer::Subkey(Box::new(subkey.key.clone())))));
        }
        if parts.iter().all(|part| part.signer.is_err()) {
            let why: Vec<&str> =
                parts.iter().filter_map(|part| part.signer.as_ref().err()).map(String::as_str).collect();
            return Err(format!("has no part that may sign: the primary key {}", why.join(", a subkey ")));
        }
        Ok(Key { primary: name(&key.primary_key), parts })
    }

    pub fn primary(&self) -> &KeyName {
        &self.primary
    }

    /// The primary key's name, then those of the subkeys that may sign.
    pub fn names(&self) -> Vec<KeyName> {
        let subkeys = self.parts.iter().skip(1).filter(|part| part.signer.is_ok());
        std::iter::once(&self.primary).chain(subkeys.map(|part| &part.name)).cloned().collect()
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

fn part(key: &impl KeyDetails, signer: Result<Signer, String>) -> Part {
    let mut id = [0; 8];
    id.iter_mut().zip(key.legacy_key_id().as_ref()).for_each(|(to, from)| *to = *from);
    Part { name: name(key), id, signer }
}

fn name(key: &impl KeyDetails) -> KeyName {
    KeyName(format!("{:X}", key.fingerprint()))
}

/// Whether the primary key may sign: whoever listed it meant it to, unless the key itself says otherwise. An error in
/// the whole key is the outer one.
fn may_primary_sign(key: &SignedPublicKey) -> Result<Result<(), String>, String> {
    let primary = &key.primary_key;
    // Of others there may be any number; they say nothing here.
    let own = |signature: &&Signature| {
        signature.issuer_fingerprint().iter().any(|print| **print == primary.fingerprint())
            || signature.issuer_key_id().iter().any(|id| **id == primary.legacy_key_id())
    };
    let details = &key.details;
    let users = details.users.iter().flat_map(|user| user.signatures.iter().filter(own).map(move |s| (Some(user), s)));
    let direct = details.direct_signatures.iter().filter(own).map(|signature| (None, signature));
    let statements: Vec<_> = users.chain(direct).collect();
    if statements.len() + details.revocation_signatures.len() > MAX_PARTS {
        return Err(format!("has more than {MAX_PARTS} signatures of its own: export it with `export-minimal`"));
    }
    if details.revocation_signatures.iter().any(|signature| signature.verify_key(primary).is_ok()) {
        return Err("is revoked".to_owned());
    }
    let valid = statements.into_iter().filter(|(user, signature)| {
        is_strong(signature)
            && match user {
                Some(user) => signature.verify_certification(primary, Tag::UserId, &user.id).is_ok(),
                None => signature.verify_key(primary).is_ok(),
            }
    });
    // A revocation of a user id is a statement about that name, which nobody asked for.
    let says = valid.map(|(_, signature)| signature).filter(|s| s.typ() != Some(SignatureType::CertRevocation));
    Ok(match says.filter(|s| has_flags(s)).max_by_key(|s| s.created()) {
        Some(newest) if !newest.key_flags().sign() => Err("is not meant for signing".to_owned()),
        _ => can_sign(primary),
    })
}

/// Whether a subkey may sign: the primary key says so, and the subkey that it belongs to the primary key.
fn may_subkey_sign(primary: &PublicKey, subkey: &SignedPublicSubKey) -> Result<(), String> {
    if subkey.signatures.len() > MAX_PARTS {
        return Err(format!("has more than {MAX_PARTS} signatures on it"));
    }
    let mut newest: Option<&Signature> = None;
    for signature in subkey.signatures.iter().filter(|s| s.verify_subkey_binding(primary, &subkey.key).is_ok()) {
        if signature.typ() == Some(SignatureType::SubkeyRevocation) {
            return Err("is revoked".to_owned());
        }
        if is_strong(signature) && newest.is_none_or(|other| other.created() <= signature.created()) {
            newest = Some(signature);
        }
    }
    let binding = newest.ok_or("is not bound to the primary key by a good signature")?;
    if !binding.key_flags().sign() {
        return Err("is not meant for signing".to_owned());
    }
    let back = binding.embedded_signature().filter(|back| is_strong(back));
    if back.is_none_or(|back| back.verify_primary_key_binding(&subkey.key, primary).is_err()) {
        return Err("has not signed that it belongs to the primary key".to_owned());
    }
    can_sign(&subkey.key)
}

fn has_flags(signature: &Signature) -> bool {
    let mut said = signature.config().into_iter().flat_map(|config| config.hashed_subpackets());
    said.any(|packet| matches!(packet.data, SubpacketData::KeyFlags(_)))
}

fn is_strong(signature: &Signature) -> bool {
    signature.hash_alg().is_some_and(is_strong_digest)
}

/// Whether a digest can be trusted to belong to one text only.
pub fn is_strong_digest(digest: HashAlgorithm) -> bool {
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha256, Sha384, Sha512};
    matches!(digest, Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512)
}

/// Whether a key is of a kind that proves something.
fn can_sign(key: &impl VerifyingKey) -> Result<(), String> {
    if !matches!(key.version(), KeyVersion::V4 | KeyVersion::V6) {
        return Err("is of an outdated version".to_owned());
    }
    match key.public_params() {
        PublicParams::RSA(parameters) => {
            // Begins with the bits of the modulus, in two bytes.
            let bytes = parameters.to_bytes().unwrap_or_default();
            let bits = bytes.first_chunk::<2>().map_or(0, |bits| u16::from_be_bytes(*bits));
            if bits < 2048 { Err(format!("is an RSA key of {bits} bits; 2048 are the least")) } else { Ok(()) }
        }
        PublicParams::EdDSALegacy(EddsaLegacyPublicParams::Ed25519 { .. })
        | PublicParams::Ed25519(_)
        | PublicParams::Ed448(_) => Ok(()),
        PublicParams::ECDSA(parameters) if !matches!(parameters, EcdsaPublicParams::Unsupported { .. }) => Ok(()),
        _ => Err("is of a kind that cannot be verified".to_owned()),
    }
}
