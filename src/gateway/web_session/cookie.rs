//! The cookie of a session, and the proof that belongs to it. Pure.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use std::time::Duration;

/// What a page shows besides the cookie. Cookies are shared by all ports of a host, and what a page keeps is not.
pub const PROOF: HeaderName = HeaderName::from_static("x-mcpfleet-proof");

/// The length of a secret, as text: 256 bits.
pub const SECRET: usize = 43;

/// So many cookies of the name are looked at.
const MAX_COOKIES: usize = 8;

/// How the cookie of an agent is called and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// With the port of the gateway: of two agents on a host, each has its own.
    name: String,
    /// Only over TLS.
    secure: bool,
}

impl Cookie {
    /// `url` is where clients find the gateway.
    pub fn of_agent_at(url: &str) -> Cookie {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let secure = scheme == "https";
        let authority = rest.split('/').next().unwrap_or_default();
        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let port = port.unwrap_or(if secure { 443 } else { 80 });
        // Browsers take one that begins so from nobody but this very host, over TLS.
        let prefix = if secure { "__Host-" } else { "" };
        Cookie { name: format!("{prefix}mcpfleet-{port}"), secure }
    }

    /// `Set-Cookie` for a session; `None`: for its end.
    pub fn set(&self, secret: Option<(&str, Duration)>) -> HeaderValue {
        let Cookie { name, secure } = self;
        let secure = if *secure { "; Secure" } else { "" };
        let (secret, seconds) = secret.map_or(("", 0), |(secret, life)| (secret, life.as_secs()));
        let text = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
        // A secret is of letters, digits, `-` and `_`.
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }

    /// What the cookies of this name are. Others on the host may set cookies too, of whatever bytes: what is no secret of ours
    /// is left out.
    pub fn shown<'h>(&self, headers: &'h HeaderMap) -> Vec<&'h str> {
        let pairs =
            headers.get_all(header::COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
        let of_name = |pair: &'h [u8]| {
            let pair = pair.trim_ascii();
            let value = pair.strip_prefix(self.name.as_bytes())?.strip_prefix(b"=")?;
            secret(value)
        };
        pairs.filter_map(of_name).take(MAX_COOKIES).collect()
    }
}

/// The proof that is shown, if it is one and one only.
pub fn proof(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(PROOF).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { secret(value.as_bytes()) }
}

/// Bytes as a secret, if they have the shape of one.
pub fn secret(bytes: &[u8]) -> Option<&str> {
    let fits = bytes.len() == SECRET && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
    std::str::from_utf8(bytes).ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(header::COOKIE, HeaderValue::from_bytes(value).unwrap());
        }
        map
    }

    #[test]
    fn names() {
        for (url, name) in [
            ("http://127.0.0.1:7420", "mcpfleet-7420"),
            ("http://[::1]:1", "mcpfleet-1"),
            ("http://fleet.example", "mcpfleet-80"),
            ("http://[::1]", "mcpfleet-80"),
            ("https://fleet.example", "__Host-mcpfleet-443"),
            ("https://fleet.example:8443/x", "__Host-mcpfleet-8443"),
            ("", "mcpfleet-80"),
        ] {
            assert_eq!(Cookie::of_agent_at(url).name, name, "{url}");
        }
    }

    #[test]
    fn attributes() {
        let secret = "a".repeat(SECRET);
        let plain = Cookie::of_agent_at("http://localhost:1").set(Some((&secret, Duration::from_secs(60))));
        assert_eq!(plain, format!("mcpfleet-1={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age=60"));
        let gone = Cookie::of_agent_at("https://x").set(None);
        assert_eq!(gone, "__Host-mcpfleet-443=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure");
    }

    #[test]
    fn what_is_shown() {
        let cookie = Cookie::of_agent_at("http://localhost:1");
        let [a, b] = ["a", "b"].map(|letter| letter.repeat(SECRET));
        let of = |values: &[&[u8]]| cookie.shown(&headers(values)).iter().map(|v| v.to_string()).collect::<Vec<_>>();
        let pair = |value: &str| format!("mcpfleet-1={value}").into_bytes();
        assert_eq!(of(&[]), [""; 0]);
        assert_eq!(of(&[&pair(&a)]), [&*a]);
        assert_eq!(of(&[b"x=\xff\xfe; ", &pair(&a)]), [&*a]);
        assert_eq!(of(&[&[b"x=\xff\x80;=;;  ".as_slice(), &pair(&a), b" ;y"].concat()]), [&*a]);
        assert_eq!(of(&[&pair(&a), &pair(&b)]), [&*a, &*b]);
        assert_eq!(of(&[&[pair(&a), b"; ".to_vec(), pair(&b)].concat()]), [&*a, &*b]);
        for wrong in [
            pair(""),
            pair(&a[1..]),
            pair(&format!("{a}a")),
            pair(&format!("\"{a}\"")),
            pair(&format!("{}=", &a[1..])),
            pair(&format!("{}%", &a[1..])),
            [&pair(&a[1..])[..], b"\xff"].concat(),
            format!("MCPFLEET-1={a}").into_bytes(),
            format!("xmcpfleet-1={a}").into_bytes(),
            format!("mcpfleet-1 ={a}").into_bytes(),
            format!("mcpfleet-2={a}").into_bytes(),
            format!("mcpfleet-1,{a}").into_bytes(),
        ] {
            assert_eq!(of(&[&wrong]), [""; 0], "{}", String::from_utf8_lossy(&wrong));
        }
        let many: Vec<u8> = (0..1000).flat_map(|_| [pair(&a), b";".to_vec()].concat()).collect();
        assert_eq!(of(&[&many]).len(), MAX_COOKIES);
    }

    #[test]
    fn one_proof() {
        let a = "a".repeat(SECRET);
        let of = |values: &[&[u8]]| {
            let mut map = HeaderMap::new();
            values.iter().for_each(|value| _ = map.append(PROOF, HeaderValue::from_bytes(value).unwrap()));
            proof(&map).map(str::to_owned)
        };
        assert_eq!(of(&[a.as_bytes()]), Some(a.clone()));
        for wrong in [&[][..], &[a.as_bytes(), a.as_bytes()], &[b""], &[b"\xff"], &[&a.as_bytes()[1..]]] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }
}
