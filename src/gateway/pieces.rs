//! A large answer, given out piece by piece, so that it is known how long it waits for its client.

use crate::instance::mailbox::Unread;
use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

/// What is asked for at a time. More is taken only when most of what was taken before has been sent; of one whole piece
/// nobody could tell when it is gone.
const PIECE: usize = 64 << 10;

struct Pieces {
    rest: Bytes,
    /// All of it counts until the last piece has been taken.
    _unread: Unread,
}

/// A body; one that is no larger than a piece is as good as sent.
pub fn body(bytes: Bytes) -> Body {
    if bytes.len() <= PIECE {
        return Body::from(bytes);
    }
    Body::new(Pieces { _unread: Unread::new(bytes.len()), rest: bytes })
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn all_of_it_arrives_in_pieces() {
        let bytes: Bytes = (0..200_000u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut body = body(bytes.clone());
        assert_eq!(body.size_hint().exact(), Some(200_000));
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.push(frame.unwrap().into_data().unwrap());
        }
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [65_536, 65_536, 65_536, 3_392]);
        assert_eq!(pieces.concat(), bytes);
        assert!(HttpBody::is_end_stream(&body));
    }
}
