//! Signatures of OpenPGP keys.

use super::{Check, Wrong};
use crate::resource::signing_key::{
    KeyName,
    openpgp::{Key, Part, Signer, is_strong_digest},
};
use pgp::{
    crypto::hash::HashAlgorithm,
    packet::{Packet, PacketParser, SignatureConfig, SignatureType, SignatureVersionSpecific, SubpacketData},
    types::{Fingerprint, KeyVersion, SignatureBytes, VerifyingKey},
};

/// A signature and the digest of what it signs.
#[derive(Clone, Debug)]
pub struct Signature {
    /// Fingerprints of the key that it says made it: almost always one.
    names: Vec<KeyName>,
    /// Short ids of that key.
    ids: Vec<[u8; 8]>,
    key_version: KeyVersion,
    algorithm: HashAlgorithm,
    digest: Vec<u8>,
    value: SignatureBytes,
}

impl Signature {
    /// Reads a signature, and computes what it should sign.
    pub fn read(bytes: &[u8], payload: &[u8]) -> Result<Signature, Wrong> {
        let damaged = || Wrong::from("is damaged");
        let mut packets = PacketParser::new(bytes);
        let Some(Ok(Packet::Signature(signature))) = packets.next() else { return Err(damaged()) };
        match packets.next() {
            None => {}
            Some(Ok(Packet::Signature(_))) => return Err(Wrong::Several),
            Some(_) => return Err(damaged()),
        }
        let (Some(config), Some(value)) = (signature.config(), signature.signature()) else {
            return Err("is of an unknown version".into());
        };
        let key_version = match config.version_specific {
            SignatureVersionSpecific::V4 => KeyVersion::V4,
            SignatureVersionSpecific::V6 { .. } => KeyVersion::V6,
            _ => return Err("is of an outdated version".into()),
        };
        if !is_strong_digest(config.hash_alg) {
            return Err(Wrong::Bad(format!("uses {}, which is too weak", config.hash_alg)));
        }
        // One over a text does not tell apart what differs in the ends of lines only.
        if config.typ != SignatureType::Binary {
            return Err("is not over a file as it is".into());
        }
        if config.hashed_subpackets().any(|packet| packet.is_critical && is_unknown(&packet.data)) {
            return Err("has a condition that is not understood here".into());
        }
        // Whatever git has signed says it. Without it every key that there is would have to be tried.
        if config.issuer_fingerprint().is_empty() && config.issuer_key_id().is_empty() {
            return Err("does not say by which key it is".into());
        }
        let digest = digest(config, payload).ok_or_else(damaged)?;
        if signature.signed_hash_value().is_none_or(|start| !digest.starts_with(&start)) {
            return Err("does not fit the commit".into());
        }
        Ok(Signature {
            names: config.issuer_fingerprint().into_iter().map(fingerprint).collect(),
            ids: config.issuer_key_id().into_iter().filter_map(|id| id.as_ref().try_into().ok()).collect(),
            key_version,
            algorithm: config.hash_alg,
            digest,
            value: value.clone(),
        })
    }

    pub fn names(&self) -> &[KeyName] {
        &self.names
    }

    /// Whether it could be by the key with that fingerprint.
    pub fn may_be_by(&self, name: &KeyName) -> bool {
        // The short id of a key is part of its fingerprint: at the end of a version 4 one, at the start of others.
        let id = |id: &[u8; 8]| {
            let id = hex(id);
            if name.0.len() == 40 { name.0.ends_with(&id) } else { name.0.starts_with(&id) }
        };
        self.names.contains(name) || self.names.is_empty() && self.ids.iter().any(id)
    }

    pub fn shown(&self) -> String {
        match (self.names.first(), self.ids.first()) {
            (Some(name), _) => name.to_string(),
            (None, Some(id)) => hex(id),
            (None, None) => "an OpenPGP key without a name".to_owned(),
        }
    }

    pub fn check(&self, key: &Key) -> Check {
        let named = |part: &&Part| self.names.contains(&part.name);
        let by_id = |part: &&Part| self.ids.contains(&part.id);
        if let Some(part) = key.parts().iter().find(named) {
            return match &part.signer {
                Err(why) => Check::Bad(format!("is by a key that {why}")),
                Ok(signer) if self.is_by(signer) => Check::Good,
                Ok(_) => Check::Bad("does not fit the commit".to_owned()),
            };
        }
        // Without a fingerprint everything is a candidate that the id, if there is one, does not rule out. Such an id
        // accuses nobody: others can have the same.
        let unnamed = self.names.is_empty();
        let mut candidates = key.parts().iter().filter(|part| unnamed && (self.ids.is_empty() || by_id(part)));
        let good = candidates.any(|part| part.signer.as_ref().is_ok_and(|signer| self.is_by(signer)));
        if good { Check::Good } else { Check::OtherKey }
    }

    fn is_by(&self, signer: &Signer) -> bool {
        fn verifies(signature: &Signature, key: &impl VerifyingKey) -> bool {
            key.version() == signature.key_version
                && key.verify(signature.algorithm, &signature.digest, &signature.value).is_ok()
        }
        match signer {
            Signer::Primary(key) => verifies(self, &**key),
            Signer::Subkey(key) => verifies(self, &**key),
        }
    }
}

/// What a signature with these settings over `payload` signs.
fn digest(config: &SignatureConfig, payload: &[u8]) -> Option<Vec<u8>> {
    let mut hasher = config.hash_alg.new_hasher().ok()?;
    if let SignatureVersionSpecific::V6 { salt } = &config.version_specific {
        if config.hash_alg.salt_len() != Some(salt.len()) {
            return None;
        }
        hasher.update(salt);
    }
    hasher.update(payload);
    let length = config.hash_signature_data(&mut hasher).ok()?;
    hasher.update(&config.trailer(length).ok()?);
    Some(hasher.finalize().into_vec())
}

/// Whether a statement in a signature has a meaning that is not known here. A notation's is known to its users only.
fn is_unknown(statement: &SubpacketData) -> bool {
    matches!(statement, SubpacketData::Other(..) | SubpacketData::Experimental(..) | SubpacketData::Notation(_))
}

fn fingerprint(fingerprint: &Fingerprint) -> KeyName {
    KeyName(format!("{fingerprint:X}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
