//! Connections to one server. The only place of this module that connects to anything.
//!
//! An address is checked here, between the look-up of the name and the connection, so that a name that leads elsewhere
//! at the second look is no way around the check. Proxies of the environment are not used: they would connect to
//! whatever they find.

use super::{Target, address::forbidden};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use nix::sys::socket::{setsockopt, sockopt};
use rustls::{ClientConfig, pki_types::ServerName};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How long it may take until a connection is there, TLS included.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A connection that was made ahead is used only this soon after: servers close those that nobody uses.
const FRESH: Duration = Duration::from_secs(1);

/// A peer that is silent is asked after so long whether it is still there, again after so long, and so often.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot connect to {place}: {why}")]
pub struct NotReached {
    pub place: String,
    pub why: String,
    /// It will be the same again until somebody changes something.
    pub lasting: bool,
}

#[derive(Clone)]
pub struct Connector(Arc<Inner>);

struct Inner {
    target: Target,
    tls: Option<Arc<ClientConfig>>,
    /// Names are looked up one at a time: a resolver that hangs has one thread of each instance, not of each request.
    look_up: Arc<Semaphore>,
    ahead: Mutex<Option<(Instant, Stream)>>,
}

impl Connector {
    /// To the one server at `target`; `tls` is for `https`.
    pub fn new(target: Target, tls: Option<Arc<ClientConfig>>) -> Self {
        Connector(Arc::new(Inner { target, tls, look_up: Arc::new(Semaphore::new(1)), ahead: Mutex::default() }))
    }

    /// Makes a connection, for the next request that needs one.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn connect_ahead(&self) -> Result<(), NotReached> {
        let stream = self.0.connect().await?;
        *self.0.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), stream));
        Ok(())
    }

    /// Makes a connection, only to see whether one can be made.
    ///
    /// # Errors
    /// Why not.
    pub async fn try_connect(&self) -> Result<(), NotReached> {
        self.0.connect().await.map(drop)
    }
}

impl tower_service::Service<http::Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = NotReached;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, NotReached>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NotReached>> {
        Poll::Ready(Ok(()))
    }

    /// The URL is always the target's: whoever sends requests sends none elsewhere.
    fn call(&mut self, _: http::Uri) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move {
            let ahead = inner.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
            match ahead.filter(|(made, _)| made.elapsed() < FRESH) {
                Some((_, stream)) => Ok(TokioIo::new(stream)),
                None => inner.connect().await.map(TokioIo::new),
            }
        })
    }
}

impl Inner {
    async fn connect(&self) -> Result<Stream, NotReached> {
        match timeout(CONNECT_WITHIN, self.try_connect()).await {
            Ok(result) => result.map_err(|(why, lasting)| NotReached { place: self.target.place(), why, lasting }),
            Err(_) => {
                let why = format!("no answer within {} s", CONNECT_WITHIN.as_secs());
                Err(NotReached { place: self.target.place(), why, lasting: false })
            }
        }
    }

    async fn try_connect(&self) -> Result<Stream, (String, bool)> {
        let found =
            self.addresses().await.map_err(|error| (format!("its name cannot be looked up: {error}"), false))?;
        let (refused, usable): (Vec<SocketAddr>, Vec<SocketAddr>) =
            found.iter().partition(|address| forbidden(address.ip()).is_some());
        let mut last = match refused.first() {
            Some(address) => {
                let what = forbidden(address.ip()).unwrap_or_default();
                (format!("{} is {what}, which is never connected to", address.ip()), true)
            }
            None => ("its name has no address".to_owned(), false),
        };
        for (tried, address) in usable.iter().enumerate() {
            // One that does not answer must leave time for those after it.
            let others = u32::try_from(usable.len() - tried).unwrap_or(u32::MAX);
            match timeout(CONNECT_WITHIN / others, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return self.secure(stream).await,
                Ok(Err(error)) => last = (error.to_string(), false),
                Err(_) => last = (format!("{address} does not answer"), false),
            }
        }
        Err(last)
    }

    async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = (self.target.host.clone(), self.target.port);
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let turn = self.look_up.clone().acquire_owned().await.map_err(io::Error::other)?;
        let looked = tokio::task::spawn_blocking(move || {
            let found = std::net::ToSocketAddrs::to_socket_addrs(&(host.as_str(), port)).map(Iterator::collect);
            drop(turn);
            found
        });
        looked.await.map_err(io::Error::other)?
    }

    async fn secure(&self, stream: TcpStream) -> Result<Stream, (String, bool)> {
        watch_over(&stream).map_err(|error| (error.to_string(), false))?;
        let Some(config) = &self.tls else { return Ok(Stream::Plain(stream)) };
        let host = self.target.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name =
            ServerName::try_from(host).map_err(|_| ("its name is none that a certificate has".to_owned(), true))?;
        match TlsConnector::from(config.clone()).connect(name, stream).await {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(error) => {
                let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                let lasting = matches!(tls, Some(rustls::Error::InvalidCertificate(_)));
                Err((tls.map_or_else(|| error.to_string(), ToString::to_string), lasting))
            }
        }
    }
}

/// Has the kernel notice when the other side is gone without a word: what is read may rightly be silent for hours.
fn watch_over(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (idle, interval, count) = KEEPALIVE;
    let seconds = |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    setsockopt(stream, sockopt::TcpKeepIdle, &seconds(idle))?;
    setsockopt(stream, sockopt::TcpKeepInterval, &seconds(interval))?;
    setsockopt(stream, sockopt::TcpKeepCount, &count)?;
    let all = (idle + interval * count).as_millis();
    setsockopt(stream, sockopt::TcpUserTimeout, &u32::try_from(all).unwrap_or(u32::MAX))?;
    Ok(())
}

/// A connection.
#[derive(Debug)]
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}
