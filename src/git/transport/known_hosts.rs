//! The file of host keys that OpenSSH has as well: which keys a host may have.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// The keys that a file has for one host.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KnownKeys {
    /// Type and key, as the server sends it.
    keys: Vec<(String, Vec<u8>)>,
    revoked: Vec<Vec<u8>>,
}

/// What a file says of the key that a host has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Known,
    /// The host is not in the file.
    UnknownHost,
    /// The host is, with other keys.
    OtherKey,
    Revoked,
}

impl KnownKeys {
    /// Reads what a file says of a host. A line that cannot be read says nothing, as with OpenSSH: it can only lead to
    /// fewer keys that are trusted.
    pub fn of(file: &str, host: &str, port: u16) -> KnownKeys {
        let name = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
        let mut known = KnownKeys::default();
        for line in file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let first = words.next().unwrap_or_default();
            let (marker, hosts) =
                if first.starts_with('@') { (Some(first), words.next().unwrap_or_default()) } else { (None, first) };
            let (Some(kind), Some(key)) = (words.next(), words.next()) else { continue };
            let Ok(key) = BASE64_STANDARD.decode(key) else { continue };
            if !is_for(hosts, &name) {
                continue;
            }
            match marker {
                None => known.keys.push((kind.to_owned(), key)),
                Some("@revoked") => known.revoked.push(key),
                // Keys of authorities sign certificates, which are not asked for.
                Some(_) => {}
            }
        }
        known
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub fn standing(&self, key: &[u8]) -> Standing {
        if self.revoked.iter().any(|revoked| revoked == key) {
            Standing::Revoked
        } else if self.keys.iter().any(|(_, known)| known == key) {
            Standing::Known
        } else if self.keys.is_empty() {
            Standing::UnknownHost
        } else {
            Standing::OtherKey
        }
    }

    /// Puts the signature algorithms for keys that are known first. A server has keys of several types and shows one: it
    /// is to be the one that can be checked. Nothing is taken that rests on SHA-1.
    pub fn preference(&self, supported: &[&str]) -> Vec<String> {
        let usable = |algorithm: &&str| !algorithm.contains("-cert-") && !matches!(*algorithm, "ssh-rsa" | "ssh-dss");
        let known = |algorithm: &&str| {
            let kind = if algorithm.starts_with("rsa-sha2-") { "ssh-rsa" } else { algorithm };
            self.keys.iter().any(|(known, _)| known == kind)
        };
        let usable: Vec<&str> = supported.iter().copied().filter(|algorithm| usable(algorithm)).collect();
        let (first, rest): (Vec<&str>, Vec<&str>) = usable.into_iter().partition(|algorithm| known(algorithm));
        first.into_iter().chain(rest).map(str::to_owned).collect()
    }
}

/// Whether a list of names, of which those with `!` are exceptions, has a host; or a salted hash is the host's.
fn is_for(hosts: &str, name: &str) -> bool {
    if let Some(hashed) = hosts.strip_prefix("|1|") {
        return hashed.split_once('|').is_some_and(|(salt, hash)| is_hash_of(salt, hash, name));
    }
    let mut found = false;
    for pattern in hosts.split(',') {
        match pattern.strip_prefix('!') {
            Some(except) if matches(&except.to_ascii_lowercase(), name) => return false,
            Some(_) => {}
            None => found |= matches(&pattern.to_ascii_lowercase(), name),
        }
    }
    found
}

fn is_hash_of(salt: &str, hash: &str, name: &str) -> bool {
    let (Ok(salt), Ok(hash)) = (BASE64_STANDARD.decode(salt), BASE64_STANDARD.decode(hash)) else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&salt) else { return false };
    mac.update(name.as_bytes());
    mac.verify_slice(&hash).is_ok()
}

/// `*` is any number of characters, `?` is one. Takes at most the product of the lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on when it does not fit: after the last star, which then takes one character more.
    let mut again = None;
    while let Some(character) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                again = Some((p + 1, n));
                p += 1;
            }
            Some(expected) if *expected == b'?' || expected == character => {
                p += 1;
                n += 1;
            }
            _ => match again {
                Some((after, taken)) => {
                    again = Some((after, taken + 1));
                    p = after;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJbNXHdx4xr4rrEe8KYUwHzOs0mzBdBMMAkVBWLMQLoJ";

    fn key() -> Vec<u8> {
        BASE64_STANDARD.decode(KEY).expect("base64")
    }

    #[test]
    fn a_host_has_the_keys_of_its_lines() {
        let table = [
            ("example.com ssh-ed25519 KEY", Standing::Known),
            ("  example.com,192.0.2.1   ssh-ed25519 KEY a comment", Standing::Known),
            ("EXAMPLE.com ssh-ed25519 KEY", Standing::Known),
            ("*.com ssh-ed25519 KEY", Standing::Known),
            ("ex?mple.* ssh-ed25519 KEY", Standing::Known),
            ("# example.com ssh-ed25519 KEY", Standing::UnknownHost),
            ("*,!example.com ssh-ed25519 KEY", Standing::UnknownHost),
            ("[example.com]:2222 ssh-ed25519 KEY", Standing::UnknownHost),
            ("other.com ssh-ed25519 KEY", Standing::UnknownHost),
            ("example.com.evil.org ssh-ed25519 KEY", Standing::UnknownHost),
            ("@cert-authority example.com ssh-ed25519 KEY", Standing::UnknownHost),
            ("@unheard-of example.com ssh-ed25519 KEY", Standing::UnknownHost),
            ("example.com ssh-ed25519 not base64", Standing::UnknownHost),
            ("example.com ssh-ed25519", Standing::UnknownHost),
            ("example.com ssh-ed25519 AAAA", Standing::OtherKey),
            ("example.com ssh-ed25519 AAAA\nexample.com ssh-ed25519 KEY", Standing::Known),
            ("example.com ssh-ed25519 KEY\n@revoked * ssh-ed25519 KEY", Standing::Revoked),
            ("@revoked other.com ssh-ed25519 KEY\nexample.com ssh-ed25519 KEY", Standing::Known),
        ];
        for (file, expected) in table {
            let known = KnownKeys::of(&file.replace("KEY", KEY), "example.com", 22);
            assert_eq!(known.standing(&key()), expected, "{file}");
        }
        let known = KnownKeys::of(&format!("[example.com]:2222 ssh-ed25519 {KEY}"), "example.com", 2222);
        assert_eq!(known.standing(&key()), Standing::Known);
        let known = KnownKeys::of(&format!("example.com ssh-ed25519 {KEY}"), "example.com", 2222);
        assert_eq!(known.standing(&key()), Standing::UnknownHost, "another port is another server");
    }

    #[test]
    fn a_hashed_host_is_found() {
        let mut mac = Hmac::<Sha1>::new_from_slice(b"12345678901234567890").expect("any length");
        mac.update(b"[example.com]:2222");
        let hash = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let file = format!("|1|{}|{hash} ssh-ed25519 {KEY}", BASE64_STANDARD.encode(b"12345678901234567890"));
        assert_eq!(KnownKeys::of(&file, "example.com", 2222).standing(&key()), Standing::Known);
        assert!(KnownKeys::of(&file, "example.com", 22).is_empty());
        assert!(KnownKeys::of(&file.replace("|1|", "|2|"), "example.com", 2222).is_empty());
    }

    #[test]
    fn algorithms_for_known_keys_come_first_and_old_ones_not_at_all() {
        let known = KnownKeys::of(&format!("example.com ssh-rsa {KEY}"), "example.com", 22);
        let supported = [
            "ecdsa-sha2-nistp256",
            "ssh-ed25519",
            "rsa-sha2-512",
            "rsa-sha2-256",
            "ssh-rsa",
            "ssh-rsa-cert-v01@openssh.com",
        ];
        let expected = ["rsa-sha2-512", "rsa-sha2-256", "ecdsa-sha2-nistp256", "ssh-ed25519"];
        assert_eq!(known.preference(&supported), expected);
    }

    #[test]
    fn a_pattern_of_stars_ends() {
        assert!(!matches(&"*a".repeat(2000), &"a".repeat(1000)));
        assert!(matches("*", ""));
        assert!(!matches("?", ""));
    }
}
