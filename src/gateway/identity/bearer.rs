//! The bearer token of a request. Pure.

use axum::http::{HeaderMap, Uri, header};

/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 8 << 10;

/// What a request shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    Nothing,
    Token(&'a str),
    /// Something else than one token; says what, for its sender.
    Unfit(&'static str),
}

/// What a request shows of its sender. A token in the URL is refused: it would end up in logs.
pub fn shown<'a>(uri: &Uri, headers: &'a HeaderMap) -> Shown<'a> {
    let query = uri.query().unwrap_or_default();
    if query.split('&').any(|pair| pair.split('=').next().is_some_and(|name| name.eq_ignore_ascii_case("access_token")))
    {
        return Shown::Unfit(
            "a token belongs in the Authorization header, never in the URL: this one is not safe any more",
        );
    }
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Shown::Nothing };
    if values.next().is_some() {
        return Shown::Unfit("there is more than one Authorization header");
    }
    let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
        return Shown::Unfit("the Authorization header must be `Bearer TOKEN`");
    };
    let token = token.trim_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || !token.bytes().all(is_of_tokens) {
        return Shown::Unfit("the Authorization header must be `Bearer TOKEN`");
    }
    if token.len() > MAX_TOKEN { Shown::Unfit("the token is too long") } else { Shown::Token(token) }
}

/// Whether a text can be a token.
pub fn fits(token: &str) -> bool {
    !token.is_empty() && token.len() <= MAX_TOKEN && token.bytes().all(is_of_tokens)
}

/// Of what RFC 6750 has tokens consist.
fn is_of_tokens(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(uri: &str, headers: &'a HeaderMap) -> Option<&'a str> {
        match shown(&uri.parse().unwrap(), headers) {
            Shown::Nothing => Some(""),
            Shown::Token(token) => Some(token),
            Shown::Unfit(_) => None,
        }
    }

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let value = |value: &&[u8]| (header::AUTHORIZATION, axum::http::HeaderValue::from_bytes(value).unwrap());
        values.iter().map(value).fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
    }

    #[test]
    fn one_token_in_the_header() {
        for (values, expected) in [
            (&[][..], Some("")),
            (&[&b"Bearer abc"[..]], Some("abc")),
            (&[b"bearer a.b-c_d~e+f/g=="], Some("a.b-c_d~e+f/g==")),
            (&[b"BEARER  abc "], Some("abc")),
            (&[b"Bearer"], None),
            (&[b"Bearer "], None),
            (&[b"Bearer a b"], None),
            (&[b"Bearer a,Bearer b"], None),
            (&[b"Bearer \"a\""], None),
            (&[b"Bearer a\xffb"], None),
            (&[b"Basic YTpi"], None),
            (&[b"abc"], None),
            (&[b"Bearer a", b"Bearer a"], None),
        ] {
            assert_eq!(of("/mcp/x", &headers(values)), expected, "{values:?}");
        }
        let long = "x".repeat(MAX_TOKEN);
        assert_eq!(of("/", &headers(&[format!("Bearer {long}").as_bytes()])), Some(&*long));
        assert_eq!(of("/", &headers(&[format!("Bearer {long}x").as_bytes()])), None);
    }

    #[test]
    fn none_in_the_url() {
        let good = headers(&[b"Bearer abc"]);
        for (uri, fine) in [
            ("/mcp/x", true),
            ("/v1/events?app=access_token", true),
            ("/mcp/x?access_token=abc", false),
            ("/mcp/x?a=b&access_token", false),
            ("/mcp/x?Access_Token=abc", false),
        ] {
            assert_eq!(of(uri, &good), fine.then_some("abc"), "{uri}");
        }
    }
}
