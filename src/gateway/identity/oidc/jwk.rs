//! The keys of an issuer (RFC 7517), of which only those count that can verify a signature. Pure.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The most keys that an issuer may have.
const MAX_KEYS: usize = 64;

/// How a token may be signed: with a private key, so that whoever can verify cannot sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// By the name that `alg` has.
    pub fn named(name: &str) -> Option<Algorithm> {
        Some(match name {
            "RS256" => Algorithm::Rs256,
            "RS384" => Algorithm::Rs384,
            "RS512" => Algorithm::Rs512,
            "PS256" => Algorithm::Ps256,
            "PS384" => Algorithm::Ps384,
            "PS512" => Algorithm::Ps512,
            "ES256" => Algorithm::Es256,
            "ES384" => Algorithm::Es384,
            "EdDSA" | "Ed25519" => Algorithm::EdDsa,
            _ => return None,
        })
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
            _ => return None,
        })
    }
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub id: Option<String>,
    /// The only algorithm that it is for, if it is for one only.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Key {
    /// Whether a signature of that algorithm can be one of this key.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match &self.material {
            Material::Rsa { .. } => algorithm.rsa().is_some(),
            Material::P256(_) => algorithm == Algorithm::Es256,
            Material::P384(_) => algorithm == Algorithm::Es384,
            Material::Ed25519(_) => algorithm == Algorithm::EdDsa,
        };
        kind && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// Whether this key has signed it so.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let point = |algorithm: &'static dyn VerificationAlgorithm, point: &[u8]| {
            UnparsedPublicKey::new(algorithm, point).verify(message, signature).is_ok()
        };
        self.fits(algorithm)
            && match &self.material {
                Material::Rsa { n, e } => algorithm.rsa().is_some_and(|parameters| {
                    RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
                }),
                Material::P256(key) => point(&signature::ECDSA_P256_SHA256_FIXED, key),
                Material::P384(key) => point(&signature::ECDSA_P384_SHA384_FIXED, key),
                Material::Ed25519(key) => point(&signature::ED25519, key),
            }
    }
}

/// Reads a set of keys. What is of no use here (for encryption, of other kinds, not readable) is left out.
///
/// # Errors
/// It is no set of keys, or one that is too large.
pub fn parse_set(bytes: &[u8]) -> Result<Vec<Key>, String> {
    #[derive(Deserialize)]
    struct Set<'a> {
        #[serde(borrow)]
        keys: Vec<&'a RawValue>,
    }
    let set: Set<'_> = serde_json::from_slice(bytes).map_err(|error| format!("it is no set of keys: {error}"))?;
    if set.keys.len() > MAX_KEYS {
        return Err(format!("it has {} keys, and more than {MAX_KEYS} are not read", set.keys.len()));
    }
    Ok(set.keys.into_iter().filter_map(|raw| parse(raw.get())).collect())
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

fn parse(raw: &str) -> Option<Key> {
    let jwk: Jwk = serde_json::from_str(raw).ok()?;
    let signs = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
        && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if !signs {
        return None;
    }
    // For an algorithm that is not known here it is of no use.
    let algorithm = jwk.alg.as_deref().map(|name| Algorithm::named(name).ok_or(())).transpose().ok()?;
    let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
    let coordinates = |length: usize| {
        let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
        (x.len() == length && y.len() == length).then(|| [&[4], &*x, &*y].concat())
    };
    let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => {
            let number = |text: &Option<String>| {
                let bytes = bytes(text)?;
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                bytes.get(zeros..).filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec)
            };
            Material::Rsa { n: number(&jwk.n)?, e: number(&jwk.e)? }
        }
        ("EC", Some("P-256")) => Material::P256(coordinates(32)?),
        ("EC", Some("P-384")) => Material::P384(coordinates(48)?),
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&jwk.x).filter(|x| x.len() == 32)?),
        _ => return None,
    };
    Some(Key { id: jwk.kid, algorithm, material })
}
