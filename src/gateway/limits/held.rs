//! An answer that holds on to something until it has been sent.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

struct Held<G> {
    body: Body,
    _guard: G,
}

/// What is no larger is as good as sent, in bytes.
const SMALL: u64 = 64 << 10;

/// Keeps `guard` until the body of an answer has been read to its end, or is dropped.
pub fn hold<G: Send + Unpin + 'static>(response: Response, guard: G) -> Response {
    if response.body().size_hint().exact().is_some_and(|bytes| bytes <= SMALL) {
        return response;
    }
    response.map(|body| Body::new(Held { body, _guard: guard }))
}

impl<G: Unpin> HttpBody for Held<G> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
