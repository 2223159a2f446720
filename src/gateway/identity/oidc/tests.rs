use super::{
    jwk::{Algorithm, Key, parse_set},
    jwt::{Fault, Unverified, Verified},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};
use std::time::Duration;

const ISSUER: &str = "https://id.example";
const NOW: u64 = 1_800_000_000;

fn now() -> Duration {
    Duration::from_secs(NOW)
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Two keys of an issuer, by id.
struct Signer {
    ed25519: Ed25519KeyPair,
    p256: EcdsaKeyPair,
}

impl Signer {
    fn new() -> Signer {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Signer {
            ed25519: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap(),
            p256: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap(),
        }
    }

    fn jwks(&self) -> Value {
        let point = self.p256.public_key().as_ref();
        json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "x": encode(self.ed25519.public_key()) },
            { "kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256", "x": encode(&point[1..33]), "y": encode(&point[33..]) },
        ]})
    }

    fn keys(&self) -> Vec<Key> {
        parse_set(self.jwks().to_string().as_bytes()).unwrap()
    }

    fn sign(&self, header: &Value, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims));
        let signature = match header["alg"].as_str() {
            Some("ES256") => self.p256.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec(),
            _ => self.ed25519.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", encode(signature))
    }
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "42", "aud": "fleet", "exp": NOW + 60, "nbf": NOW - 60, "other": [1, 2] })
}

fn prove(token: &str, keys: &[Key]) -> Result<Verified, Fault> {
    let unverified = Unverified::parse(token)?;
    unverified.check(ISSUER, "fleet", now())?;
    unverified.verify(keys)
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "kid": "ed", "typ": "JWT" })
}

#[test]
fn what_is_right_is_accepted() {
    let signer = Signer::new();
    let keys = signer.keys();
    for header in [
        header(),
        json!({ "alg": "EdDSA" }),
        json!({ "alg": "Ed25519", "kid": "ed" }),
        json!({ "alg": "ES256", "kid": "ec" }),
        json!({ "alg": "ES256" }),
    ] {
        let verified = prove(&signer.sign(&header, &claims().to_string()), &keys);
        let expected = Verified {
            issuer: ISSUER.into(),
            subject: "42".into(),
            until: Duration::from_secs(NOW + 60) + Duration::from_secs(30),
        };
        assert_eq!(verified, Ok(expected), "{header}");
    }
    let several = Value::from(vec!["other", "fleet"]);
    for (name, value) in
        [("aud", several), ("exp", json!(NOW as f64 + 0.5)), ("exp", json!(NOW - 29)), ("nbf", json!(NOW + 29))]
    {
        let mut claims = claims();
        claims[name] = value.clone();
        assert!(prove(&signer.sign(&header(), &claims.to_string()), &keys).is_ok(), "{name}: {value}");
    }
}

#[test]
fn what_is_wrong_is_not() {
    let signer = Signer::new();
    let keys = signer.keys();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        prove(&signer.sign(&header(), &claims.to_string()), &keys)
    };
    for (name, value, fault) in [
        ("iss", json!("https://id.example/"), Fault::Issuer),
        ("iss", json!(1), Fault::Unreadable("its claims")),
        ("aud", json!("other"), Fault::Audience),
        ("aud", json!(["other", "fleet2"]), Fault::Audience),
        ("aud", json!([]), Fault::Audience),
        ("sub", json!(""), Fault::Claim("sub")),
        ("exp", json!(NOW - 30), Fault::Expired),
        ("exp", json!(-1), Fault::Claim("exp")),
        ("exp", json!(1e300), Fault::Claim("exp")),
        ("exp", json!("1900000000"), Fault::Unreadable("its claims")),
        ("nbf", json!(NOW + 31), Fault::Early),
    ] {
        assert_eq!(with(name, value.clone()), Err(fault), "{name}: {value}");
    }
    for name in ["iss", "sub", "aud", "exp", "nbf"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(prove(&signer.sign(&header(), &claims.to_string()), &keys), Err(Fault::Claim(name)));
    }
    // Two readers could take one or the other.
    let twice = claims().to_string().replacen('{', "{\"sub\":\"1\",", 1);
    assert!(prove(&signer.sign(&header(), &twice), &keys).is_err());
}

#[test]
fn signatures_are_of_the_key_that_is_named() {
    let signer = Signer::new();
    let (keys, text) = (signer.keys(), claims().to_string());
    let good = signer.sign(&header(), &text);
    for (header, fault) in [
        (json!({ "alg": "none" }), Fault::Algorithm("none".into())),
        (json!({ "alg": "HS256", "kid": "ed" }), Fault::Algorithm("HS256".into())),
        (json!({ "alg": "eddsa" }), Fault::Algorithm("eddsa".into())),
        (json!({ "alg": "ES512" }), Fault::Algorithm("ES512".into())),
        (json!({ "alg": "EdDSA", "kid": "ec" }), Fault::UnknownKey),
        (json!({ "alg": "ES256", "kid": "ed" }), Fault::UnknownKey),
        (json!({ "alg": "RS256" }), Fault::UnknownKey),
        (json!({ "alg": "EdDSA", "kid": "new" }), Fault::UnknownKey),
        (json!({ "alg": "EdDSA", "crit": ["b64"], "b64": false }), Fault::Unreadable("its header has `crit`")),
        (json!({ "kid": "ed" }), Fault::Unreadable("its header")),
    ] {
        assert_eq!(prove(&signer.sign(&header, &text), &keys), Err(fault), "{header}");
    }
    let other = Signer { ed25519: Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap(), ..Signer::new() };
    assert_eq!(prove(&other.sign(&header(), &text), &keys), Err(Fault::Signature));
    // Whatever of it is touched, it is not accepted any more.
    for at in 0..good.len() {
        let mut touched = good.clone();
        touched.replace_range(at..=at, if good[at..].starts_with('A') { "B" } else { "A" });
        assert!(prove(&touched, &keys).is_err(), "{at}: {touched}");
    }
    for bad in ["", ".", "..", "a.b.c", "ey.ey", "e30.e30.", "e30.e30.AA"] {
        assert!(prove(bad, &keys).is_err(), "{bad}");
    }
    let mut both = keys.clone();
    both.extend(keys.clone());
    assert_eq!(prove(&signer.sign(&json!({ "alg": "EdDSA" }), &text), &both), Err(Fault::SeveralKeys));
}

/// Made with OpenSSL 3 of the message `a.b`: a key of 2048 bits, its RS256 and PS384 signatures; one of 1024 bits, its RS256
/// signature.
const RSA: [&str; 5] = [
    "i-gf2RSYbZl75HpOggmbIA_UPs94EyfkRQ7Ch7uFiDrckcaS40QTl-1ds6hC2qQ18ymdYuCXcGduwMTqgcHw_PJ9YQfqgdcOZx1mvbiKQvkl0lu4KQgdHFTu1JTjyAXKWyiSVbINHrGyprv4sv1AAhpEBXOyKXNjO7wLhLTrh8Q-ncH3-YOzZBOQQOgbQQRvi_WxKanyUsIHBya1lYUtuHfCYMUb3Z5YEUF6d1qYl0Z41LrJWdIfO92Yg_wJxI4-TxY8qntA3shCEnQBf1k6uwYB2QVHH6NsV0G4OtakgYv309496JpWM1WYwF-rsFE8y99o1N-cBB4e1tyYfXXG3w",
    "Yb-eb1y7MIVchFpK95RXX4G9XjRDZS673JhiaVtWcGFMQb1D24Lo8x-fO8y3LBT8wd5UYPy_J2RIqWNZpuEh0pSSDDMyHZZElouATQM_VvzR86RdaWvP2HLsGz2dhN62mpfbdbqbV9csqAQtko9Xzq4AM-YDKwyrU2AHO2OBtjaPSY35Bzk6a_lGolEq5MdalnYs7vyWrFis0WJI2qh4oO-D_MEN-PmXNNEdRWfdJfDetiGJwu1hx0u2ofqrIqqvWQEQq8IXjXX-2LzGg41I5ENrqCG8biq_i40eVD0l1duA65mH5y687GTcyXK6ik6sCtdDJsaInHmJH_kXwppmjw",
    "ihItn4KY96XJPqVfs193zslb-jeehODrLCtfzMHMt1KuU1y9xlBTsmUwXy-oid6EcOC8DzX4Uq00GkujvQWJ4_gXvHypL9XcAZbvL1h-YPUNLDOLz0PHDt-wZC8q02wYZF3D3lTlbQ9sE6TnXyOlp1Xsa_nQgleGTUjp_MqzwKW0tlRwDlypcrG1kPOqgS0wAAJiwgGL3W2neM1B2_LBev1dPeTOl9a6ssad0tUqTWT965k_ZJ9aH_vh9sgED_9hDswrSIB1rtah06krDMZ_L6WhZJ-K4S-5WQUySeFhQbZQ5RFyYwtbopu2fOBvIJkZD9NWpFCnIe079Ufe2z_irg",
    "rascroSHgTv6Kc2b6cOwq9QfeucddLDW7mD-fz4uAUG5c0s-3aN0cA3rk2gk_7iLzvTdDSDlQLAWkp8JRwCq3sTzHWZUtbV1uWoxtVtLLGCsLH-qmFRCiK8H6nuB98k03oMRJv4S-GeGv2nw47zlUf1kyWvCcdp63a3wctaxD8c",
    "jt_XHY1QQiUwTDDn6kaLzdS8_Agl1FJ9dHzW0AYbWD-6hiz6Jk9-wOMvnGj2QM8stmtsWZJoUVWgbklejAhIkxJg1Txg7x0fLEwTD_8GRvc31sH9hneo-tqTM1bhI-SChdSyylxunHGgxMIs66fZ15Irmcjl6bghKUxX3mNVfsw",
];

#[test]
fn rsa() {
    let [n, rs256, ps384, short, of_short] = RSA;
    let key = |n: &str, alg: Value| {
        let set = json!({ "keys": [{ "kty": "RSA", "n": n, "e": "AQAB", "alg": alg }] });
        parse_set(set.to_string().as_bytes()).unwrap().remove(0)
    };
    let verifies = |key: &Key, algorithm, message: &str, signature: &str| {
        key.verifies(algorithm, message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
    };
    for (alg, rs, ps) in [
        (json!(null), true, true),
        (json!("RS256"), true, false),
        (json!("PS384"), false, true),
        (json!("RS512"), false, false),
    ] {
        let key = key(n, alg.clone());
        assert_eq!(verifies(&key, Algorithm::Rs256, "a.b", rs256), rs, "{alg}");
        assert_eq!(verifies(&key, Algorithm::Ps384, "a.b", ps384), ps, "{alg}");
        assert!(!verifies(&key, Algorithm::Ps256, "a.b", ps384));
        assert!(!verifies(&key, Algorithm::Rs384, "a.b", rs256));
        assert!(!verifies(&key, Algorithm::Rs256, "a.c", rs256));
        assert!(!verifies(&key, Algorithm::EdDsa, "a.b", rs256));
    }
    // Right, and of a key that is too short to be worth anything.
    assert!(!verifies(&key(short, Value::Null), Algorithm::Rs256, "a.b", of_short));
}

#[test]
fn keys_of_no_use_are_left_out_and_sets_are_bounded() {
    let good = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode([1; 32]) });
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let bad = [
        json!(1),
        json!({}),
        json!({ "kty": "oct", "k": "AAAA", "alg": "HS256" }),
        json!({ "kty": "RSA", "n": "", "e": "AQAB" }),
        json!({ "kty": "RSA", "n": "AAAA", "e": "AQAB" }),
        json!({ "kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA" }),
        json!({ "kty": "EC", "crv": "secp256k1", "x": encode([1; 32]), "y": encode([1; 32]) }),
        with("use", json!("enc")),
        with("key_ops", json!(["encrypt"])),
        with("alg", json!("HS256")),
        with("x", json!(encode([1; 31]))),
        with("x", json!("!")),
    ];
    for key in &bad {
        assert_eq!(parse_set(json!({ "keys": [key] }).to_string().as_bytes()), Ok(vec![]), "{key}");
    }
    let fine = [good.clone(), with("use", json!("sig")), with("key_ops", json!(["verify"])), with("x5c", json!(["x"]))];
    let mixed: Vec<&Value> = bad.iter().chain(&fine).collect();
    assert_eq!(parse_set(json!({ "keys": mixed }).to_string().as_bytes()).unwrap().len(), fine.len());
    assert!(parse_set(json!({ "keys": vec![good; 65] }).to_string().as_bytes()).is_err());
    for text in ["", "[]", "{}", "{\"keys\":1}"] {
        assert!(parse_set(text.as_bytes()).is_err(), "{text}");
    }
}
