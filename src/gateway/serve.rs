//! Connections: TCP, with TLS or without, and the control socket, served alike.

use super::{
    guard::Peer,
    limits::{ConnectionLimits, Connections, Place},
    patience::Patient,
    tls::Tls,
};
use crate::telemetry::Seldom;
use axum::{Router, body::Body, extract::Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{future::poll_fn, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service as _;

/// The most bytes of a request's head, which are kept before anybody knows whose it is.
const MAX_HEAD: usize = 64 << 10;

/// A client that takes longer to send the head of its request, or the next one's, is disconnected.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is told that connections were refused.
const COMPLAINT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener, Arc<Tls>),
    Unix(UnixListener),
}

/// From where a request comes, where that is an address.
#[derive(Clone, Copy, Debug)]
pub struct Origin(pub SocketAddr);

/// Serves connections until `shutdown`; then lets open requests end, and returns when no connection is left.
pub async fn serve(listener: Listener, router: Router, shutdown: CancellationToken) {
    serve_within(listener, ConnectionLimits::default(), router, shutdown).await;
}

/// The same with other bounds than usual.
pub async fn serve_within(listener: Listener, limits: ConnectionLimits, router: Router, shutdown: CancellationToken) {
    let connections = Connections::new(limits);
    let tasks = TaskTracker::new();
    let (mut complained, unaccepted) = (None, Seldom::default());
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let (router, shutdown) = (router.clone(), shutdown.clone());
        match accepted {
            Ok(Accepted::Tcp(stream, address, place)) => {
                tasks.spawn(converse(Patient::new(stream), Peer::Tcp, Some(address), place, router, shutdown));
            }
            Ok(Accepted::Tls(stream, address, place, tls)) => {
                tasks.spawn(async move {
                    let agreed = shutdown.run_until_cancelled(tls.accept(stream)).await;
                    match agreed {
                        Some(Ok(stream)) => {
                            converse(Patient::new(stream), Peer::Tcp, Some(address), place, router, shutdown).await;
                        }
                        Some(Err(error)) => tracing::debug!(%error, %address, "no TLS with a client"),
                        None => {}
                    }
                });
            }
            Ok(Accepted::Unix(stream, uid, place)) => {
                tasks.spawn(converse(stream, Peer::Local { uid }, None, place, router, shutdown));
            }
            Ok(Accepted::Refused) => {
                if complained.is_none_or(|at: Instant| at.elapsed() >= COMPLAINT) {
                    complained = Some(Instant::now());
                    let refused = connections.take_refused();
                    tracing::warn!(refused, "connections were refused: there are as many as may be (gateway.limits)");
                }
            }
            // Out of descriptors, most likely: those in use come back as clients go.
            Err(error) => {
                if let Some(more) = unaccepted.next() {
                    tracing::warn!(%error, more, "a connection could not be accepted");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

enum Accepted {
    Tcp(TcpStream, SocketAddr, Place),
    Tls(TcpStream, SocketAddr, Place, Arc<Tls>),
    Unix(UnixStream, u32, Place),
    /// There is no room for it; it has been closed.
    Refused,
}

async fn accept(listener: &Listener, connections: &Connections) -> io::Result<Accepted> {
    let (listener, tls) = match listener {
        Listener::Tcp(listener) => (listener, None),
        Listener::Tls(listener, tls) => (listener, Some(tls)),
        Listener::Unix(listener) => {
            let (stream, _) = listener.accept().await?;
            let uid = stream.peer_cred()?.uid();
            return Ok(connections
                .from_user(uid)
                .map_or(Accepted::Refused, |place| Accepted::Unix(stream, uid, place)));
        }
    };
    let (stream, address) = listener.accept().await?;
    let Some(place) = connections.from_address(address.ip()) else { return Ok(Accepted::Refused) };
    // Answers are small and awaited: they must not wait for more to send. Where this fails the client has gone, which is
    // noticed when it is read from.
    let _ = stream.set_nodelay(true);
    Ok(match tls {
        None => Accepted::Tcp(stream, address, place),
        Some(tls) => Accepted::Tls(stream, address, place, tls.clone()),
    })
}

async fn converse<S>(
    stream: S,
    peer: Peer,
    address: Option<SocketAddr>,
    place: Place,
    router: Router,
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        if let Some(address) = address {
            request.extensions_mut().insert(Origin(address));
        }
        let mut router = router.clone();
        async move {
            // A router is always ready; the trait wants it asked all the same.
            poll_fn(|context| <Router as tower_service::Service<Request>>::poll_ready(&mut router, context)).await?;
            router.call(request).await
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended badly");
    }
    drop(place);
}
