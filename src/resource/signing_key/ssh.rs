//! SSH keys: which ones count.

use super::{KeyError, KeyName, decode_base64};
use ssh_key::{Algorithm, HashAlg, PublicKey, public::KeyData};

/// The bits of an RSA key's modulus, at least and at most.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// The name of the key in an OpenSSH public key, `KIND BASE64 COMMENT`. `None`: the text does not begin like one.
pub fn read(text: &str) -> Option<Result<KeyName, KeyError>> {
    let mut words = text.split_whitespace();
    let (kind, material) = (words.next()?, words.next().unwrap_or_default());
    let error = |why: &str| Some(Err(KeyError(why.to_owned())));
    if kind.ends_with("-cert-v01@openssh.com") {
        return error("is a certificate, and only the key itself can be listed");
    }
    match Algorithm::new(kind) {
        Err(_) | Ok(Algorithm::Other(_)) => None,
        Ok(Algorithm::Rsa { hash: Some(_) }) => None,
        Ok(Algorithm::Dsa) => error("is a DSA key, which is too weak"),
        Ok(algorithm) => {
            let key = decode_base64(material).and_then(|bytes| PublicKey::from_bytes(&bytes).ok());
            match key.filter(|key| key.algorithm() == algorithm) {
                Some(key) => Some(accept(key.key_data()).map_err(KeyError)),
                None => error("is damaged: it does not contain a key of its kind"),
            }
        }
    }
}

/// What a key is called, unless it is of a kind that proves nothing: then the end of a sentence that says why.
pub fn accept(key: &KeyData) -> Result<KeyName, String> {
    match key {
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => {}
        KeyData::Rsa(key) => {
            let modulus = key.n.as_positive_bytes().unwrap_or_default();
            let unused = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
            let bits = 8 * modulus.len() - unused;
            if !RSA_BITS.contains(&bits) {
                let (least, most) = RSA_BITS.into_inner();
                return Err(format!("is an RSA key of {bits} bits; {least} to {most} will do"));
            }
        }
        KeyData::Dsa(_) => return Err("is a DSA key, which is too weak".to_owned()),
        other => return Err(format!("is a key of an unknown kind, {}", other.algorithm().as_str().escape_debug())),
    }
    Ok(KeyName(key.fingerprint(HashAlg::Sha256).to_string()))
}
