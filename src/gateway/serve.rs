//! Connections: TCP and the control socket, served alike.

use super::guard::Peer;
use axum::{Router, body::Body, extract::Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{future::poll_fn, io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service as _;

/// A client that takes longer to send the head of its request, or the next one's, is disconnected.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// From where a request comes, where that is an address.
#[derive(Clone, Copy, Debug)]
pub struct Origin(pub SocketAddr);

/// Serves connections until `shutdown`; then lets open requests end, and returns when no connection is left.
pub async fn serve(listener: Listener, router: Router, shutdown: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener) => accepted,
        };
        match accepted {
            Ok(Accepted::Tcp(stream, address)) => {
                connections.spawn(converse(stream, Peer::Tcp, Some(address), router.clone(), shutdown.clone()));
            }
            Ok(Accepted::Unix(stream, uid)) => {
                connections.spawn(converse(stream, Peer::Local { uid }, None, router.clone(), shutdown.clone()));
            }
            // Out of descriptors, most likely: those in use come back as clients go.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

enum Accepted {
    Tcp(tokio::net::TcpStream, SocketAddr),
    Unix(tokio::net::UnixStream, u32),
}

async fn accept(listener: &Listener) -> io::Result<Accepted> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, address) = listener.accept().await?;
            // Answers are small and awaited: they must not wait for more to send.
            stream.set_nodelay(true)?;
            Ok(Accepted::Tcp(stream, address))
        }
        Listener::Unix(listener) => {
            let (stream, _) = listener.accept().await?;
            let uid = stream.peer_cred()?.uid();
            Ok(Accepted::Unix(stream, uid))
        }
    }
}

async fn converse<S>(stream: S, peer: Peer, address: Option<SocketAddr>, router: Router, shutdown: CancellationToken)
where
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
}
