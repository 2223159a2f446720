//! Answers in fewer bytes, for those who take them so.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use std::io::Write as _;

/// What is shorter gains nothing, in bytes.
const SMALL: u64 = 1 << 10;

/// What is longer keeps a thread busy for a while, which must not be one that serves others.
const LARGE: u64 = 128 << 10;

/// Whether whoever asks takes gzip.
pub fn accepts(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut any = None;
    for coding in values.flat_map(|value| value.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.is_some_and(|weight| !weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
        });
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            return !refused;
        }
        if name == "*" {
            any = Some(!refused);
        }
    }
    any.unwrap_or(false)
}

/// Some bytes, compressed; `None` if that fails, which it does for nobody.
pub fn compressed(bytes: &[u8], level: Compression) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), level);
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// The pieces of a stream, compressed as one body. Each can be read before the next one comes.
pub struct Pieces(GzEncoder<Vec<u8>>);

impl Pieces {
    pub fn begin() -> Pieces {
        Pieces(GzEncoder::new(Vec::new(), Compression::new(3)))
    }

    /// What a piece adds to the body; `None` if that fails, which it does for nobody.
    pub fn add(&mut self, piece: &[u8]) -> Option<Bytes> {
        self.0.write_all(piece).ok()?;
        self.0.flush().ok()?;
        Some(std::mem::take(self.0.get_mut()).into())
    }

    /// The same on a thread of its own where it is long, so that nobody else waits for it.
    pub async fn add_first(mut self, piece: Bytes) -> Option<(Pieces, Bytes)> {
        if piece.len() as u64 <= LARGE {
            let small = self.add(&piece)?;
            return Some((self, small));
        }
        let adding = tokio::task::spawn_blocking(move || self.add(&piece).map(|small| (self, small)));
        adding.await.ok().flatten()
    }

    /// The end of the body.
    pub fn end(self) -> Option<Bytes> {
        self.0.finish().ok().map(Bytes::from)
    }
}

/// Compresses what is whole, and is text. Only what was asked for with GET: no such answer has a secret in it that somebody who
/// sees its length could want to guess.
pub async fn json(request: Request, next: Next) -> Response {
    let wanted = *request.method() == Method::GET && accepts(request.headers());
    let response = next.run(request).await;
    let length = response.body().size_hint().exact();
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|value| {
        value.as_bytes().starts_with(b"application/json") || value.as_bytes().starts_with(b"application/x-ndjson")
    });
    if !is_json || length.is_none_or(|length| length < SMALL) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    head.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !wanted {
        return Response::from_parts(head, body);
    }
    // It is all there already.
    let Ok(whole) = body.collect().await else { return Response::from_parts(head, Body::empty()) };
    let bytes = whole.to_bytes();
    let small = if bytes.len() as u64 > LARGE {
        let bytes = bytes.clone();
        tokio::task::spawn_blocking(move || compressed(&bytes, Compression::new(3))).await.ok().flatten()
    } else {
        compressed(&bytes, Compression::new(3))
    };
    match small {
        Some(small) => {
            head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            head.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(head, Body::from(Bytes::from(small)))
        }
        None => Response::from_parts(head, Body::from(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_can_be_read_as_they_come() {
        let first = Bytes::from("a".repeat(200 << 10));
        let (mut pieces, small) = Pieces::begin().add_first(first.clone()).await.unwrap();
        assert!(small.len() < 2 << 10);
        let mut reader = flate2::write::GzDecoder::new(Vec::new());
        reader.write_all(&small).unwrap();
        reader.flush().unwrap();
        assert_eq!(reader.get_ref().len(), first.len());
        for piece in ["event: change", "\n\n"] {
            let before = reader.get_ref().len();
            reader.write_all(&pieces.add(piece.as_bytes()).unwrap()).unwrap();
            reader.flush().unwrap();
            assert_eq!(&reader.get_ref()[before..], piece.as_bytes());
        }
        reader.write_all(&pieces.end().unwrap()).unwrap();
        assert_eq!(reader.finish().unwrap().len(), first.len() + "event: change\n\n".len());
    }

    #[test]
    fn who_takes_it() {
        for (values, expected) in [
            (&[][..], false),
            (&["gzip"], true),
            (&["deflate, GZIP;q=0.5"], true),
            (&["br", "gzip"], true),
            (&["gzip;q=0"], false),
            (&["gzip; q=0.0, *"], false),
            (&["*"], true),
            (&["*;q=0"], false),
            (&["*;q=0, gzip"], true),
            (&["identity"], false),
            (&["gzip;q=x"], false),
            (&["gzipped"], false),
            (&[""], false),
        ] {
            let mut map = HeaderMap::new();
            values.iter().for_each(|value| _ = map.append(header::ACCEPT_ENCODING, value.parse().unwrap()));
            assert_eq!(accepts(&map), expected, "{values:?}");
        }
        let mut odd = HeaderMap::new();
        odd.insert(header::ACCEPT_ENCODING, HeaderValue::from_bytes(b"gzip\xff").unwrap());
        assert!(!accepts(&odd));
    }
}
