//! Tokens that this program gives out: `mcpf_` and 48 characters. Any other token is as good, if a user has its digest.

use crate::resource::Digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::fmt;

/// Tells people, and programs that look for secrets where none should be, what they have found.
pub const PREFIX: &str = "mcpf_";

/// So many bytes nobody can guess.
pub const RANDOM: usize = 32;

/// So many bytes of a digest of them make a typing error show.
const CHECK: usize = 4;

/// A new token. It is kept by whoever it is for; the gateway knows its digest alone.
pub struct Token(String);

impl Token {
    /// The token of these bytes, which must be random.
    pub fn new(random: &[u8; RANDOM]) -> Token {
        let bytes = [&random[..], &check(random)].concat();
        Token(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// As a user's `gateway.token_sha256` has it.
    pub fn digest(&self) -> Digest {
        Digest::of_bytes(self.0.as_bytes())
    }
}

/// Never the token.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Whether a text begins like one of these tokens and is none: it has been cut off, or mistyped.
pub fn is_damaged(text: &str) -> bool {
    let Some(encoded) = text.strip_prefix(PREFIX) else { return false };
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(encoded) else { return true };
    match bytes.split_at_checked(RANDOM) {
        Some((random, rest)) => rest != check(random),
        None => true,
    }
}

fn check(random: &[u8]) -> [u8; CHECK] {
    let digest = Digest::of_bytes(&[b"mcpfleet token ", random].concat());
    let mut check = [0; CHECK];
    check.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mistyped_shows() {
        let token = Token::new(&[7; RANDOM]);
        assert_eq!(token.reveal().len(), 53);
        assert!(!is_damaged(token.reveal()));
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_eq!(token.digest(), Digest::of_bytes(token.reveal().as_bytes()));
        assert_ne!(token.digest(), Token::new(&[8; RANDOM]).digest());
        assert!(!is_damaged("anything else"));
        for at in PREFIX.len()..token.reveal().len() {
            let mut other = token.reveal().to_owned();
            other.replace_range(at..=at, if other[at..].starts_with('x') { "y" } else { "x" });
            assert!(is_damaged(&other), "{other}");
            assert!(is_damaged(&token.reveal()[..at]), "{at}");
        }
    }
}
