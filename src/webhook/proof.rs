//! Whether a call comes from somebody who knows the secret. Pure.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName};
use serde::Serialize;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// How a caller proves to know the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// By the HMAC-SHA256 of the body in hexadecimal digits, with or without `sha256=` before them.
    HmacSha256,
    /// By showing it.
    Token,
}

/// Where the usual forges put the HMAC: GitHub, then Gitea and Forgejo, which send all of them.
const SIGNATURES: [HeaderName; 3] = [
    HeaderName::from_static("x-hub-signature-256"),
    HeaderName::from_static("x-forgejo-signature"),
    HeaderName::from_static("x-gitea-signature"),
];

/// Where GitLab puts the secret.
const TOKENS: [HeaderName; 1] = [HeaderName::from_static("x-gitlab-token")];

/// What a caller has shown, not looked into yet. Not to be logged: it may be the secret.
#[derive(Clone, Copy)]
pub struct Proof<'a> {
    scheme: Scheme,
    shown: &'a [u8],
}

impl<'a> Proof<'a> {
    /// Finds the proof in the headers of a call: in the named one, or where the usual forges put it. `None` if there is
    /// none, or a header is there twice: which one counts would be a matter of luck.
    pub fn find(scheme: Scheme, header: Option<&HeaderName>, headers: &'a HeaderMap) -> Option<Proof<'a>> {
        let usual: &[HeaderName] = match scheme {
            Scheme::HmacSha256 => &SIGNATURES,
            Scheme::Token => &TOKENS,
        };
        let name = match header {
            Some(name) => name,
            None => usual.iter().find(|name| headers.contains_key(*name))?,
        };
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Some(Proof { scheme, shown: value.as_bytes() }),
            _ => None,
        }
    }

    /// Whether it proves that the sender of `body` knows `secret`. Takes as long for a bad proof as for a good one of
    /// its length. An empty secret is known to everybody, and so proves nothing.
    pub fn holds(&self, secret: &[u8], body: &[u8]) -> bool {
        if secret.is_empty() {
            return false;
        }
        match self.scheme {
            Scheme::Token => bool::from(self.shown.ct_eq(secret)),
            Scheme::HmacSha256 => {
                let digits = self.shown.strip_prefix(b"sha256=").unwrap_or(self.shown);
                let Some(tag) = from_hex(digits) else { return false };
                // Of any length is fine for a key.
                let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
                mac.update(body);
                mac.verify_slice(&tag).is_ok()
            }
        }
    }
}

/// 32 bytes from 64 hexadecimal digits.
fn from_hex(digits: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's documentation on validating deliveries.
    const SECRET: &[u8] = b"It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const TAG: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn holds(scheme: Scheme, header: Option<&'static str>, pairs: &[(&'static str, &str)]) -> bool {
        let headers = headers(pairs);
        let header = header.map(HeaderName::from_static);
        Proof::find(scheme, header.as_ref(), &headers).is_some_and(|proof| proof.holds(SECRET, BODY))
    }

    #[test]
    fn hmacs() {
        let tagged = format!("sha256={TAG}");
        let upper = TAG.to_uppercase();
        let wrong = TAG.replace('7', "8");
        let hmac = |header, pairs: &[(&'static str, &str)]| holds(Scheme::HmacSha256, header, pairs);
        for name in ["x-hub-signature-256", "x-gitea-signature", "x-forgejo-signature"] {
            for (value, good) in [
                (tagged.as_str(), true),
                (TAG, true),
                (&upper, true),
                (&wrong, false),
                ("", false),
                ("sha256=", false),
                (&TAG[1..], false),
                (&TAG.replacen('7', "g", 1), false),
                ("It's a Secret to Everybody", false),
            ] {
                assert_eq!(hmac(None, &[(name, value)]), good, "{name}: {value}");
            }
        }
        assert!(hmac(Some("x-mine"), &[("x-mine", TAG)]));
        // Where a header is named, no other one counts.
        assert!(!hmac(Some("x-mine"), &[("x-hub-signature-256", TAG)]));
        // Twice is not at all, and a good one does not make up for a bad one.
        assert!(!hmac(None, &[("x-hub-signature-256", TAG), ("x-hub-signature-256", TAG)]));
        assert!(!hmac(None, &[("x-hub-signature-256", &wrong), ("x-gitea-signature", TAG)]));
        assert!(!hmac(None, &[("x-gitlab-token", TAG)]));
        assert!(!hmac(None, &[]));
    }

    #[test]
    fn tokens() {
        let secret = std::str::from_utf8(SECRET).unwrap();
        let token = |header, pairs: &[(&'static str, &str)]| holds(Scheme::Token, header, pairs);
        assert!(token(None, &[("x-gitlab-token", secret)]));
        assert!(token(Some("x-mine"), &[("x-mine", secret)]));
        for wrong in ["", "it's a secret to everybody", &secret[1..], &format!("{secret}x"), TAG] {
            assert!(!token(None, &[("x-gitlab-token", wrong)]), "{wrong}");
        }
        assert!(!token(None, &[("x-gitlab-token", secret), ("x-gitlab-token", secret)]));
    }

    #[test]
    fn an_empty_secret_proves_nothing() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"").unwrap();
        mac.update(BODY);
        let tag: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        for (scheme, name, value) in
            [(Scheme::Token, "x-gitlab-token", ""), (Scheme::HmacSha256, "x-hub-signature-256", tag.as_str())]
        {
            let headers = headers(&[(name, value)]);
            assert!(!Proof::find(scheme, None, &headers).unwrap().holds(b"", BODY));
        }
    }
}
