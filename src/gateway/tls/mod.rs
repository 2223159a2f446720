//! TLS at the gateway's port: a certificate and its key from files, read again when they change.
//!
//! The files may be replaced in any way: written anew, renamed over, or swapped with the folder that a symlink leads to.
//! What is read counts, and not what is told of it. New ones that do not fit change nothing: the old ones stay.

mod material;
mod validity;

pub use material::{Files, TlsError};

use crate::{
    instance::journal::{Draft, Journal},
    status::model::{TlsStatus, event::EventKind},
};
use jiff::Timestamp;
use material::Material;
use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

/// A client that takes longer to agree on a connection is disconnected.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// So long before its end a certificate is warned of.
const NEAR: Duration = Duration::from_secs(7 * 24 * 3600);

/// The certificate that is shown, and how connections are made with it.
pub struct Tls {
    files: Files,
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    state: Mutex<State>,
}

/// Without the key.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

#[derive(Debug)]
struct State {
    /// What the files had that is shown.
    digest: [u8; 32],
    since: Timestamp,
    expires: Option<Timestamp>,
    /// What was wrong at the last look. It is told when it is so at two looks: a look may come while the files are being
    /// replaced.
    seen: Option<String>,
    told: Option<String>,
    warned: bool,
}

/// What a look at the files came to.
#[derive(Debug, PartialEq)]
enum News {
    Renewed,
    Failed(String),
    /// What was wrong is not any more, and what is shown is what the files have.
    Recovered,
    Expires(Timestamp),
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be read, or are no certificate and key that belong together.
    pub fn open(files: Files) -> Result<Arc<Tls>, TlsError> {
        let material = Material::read(&files)?;
        let key = material.key(&files)?;
        let shown = Arc::new(Shown(RwLock::new(key)));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Provider)?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let state = State {
            digest: material.digest,
            since: Timestamp::now(),
            expires: material.expires(),
            seen: None,
            told: None,
            warned: false,
        };
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Arc::new(Tls { files, acceptor, shown, state: Mutex::new(state) }))
    }

    /// Whether the files can be used as they are now.
    ///
    /// # Errors
    /// As those of [`Tls::open`].
    pub fn check(files: &Files) -> Result<(), TlsError> {
        Material::read(files)?.key(files).map(drop)
    }

    /// Agrees on a connection with a client.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let agreed = tokio::time::timeout(HANDSHAKE, self.acceptor.accept(stream)).await;
        agreed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads the files again whenever they have changed, until `stop`.
    pub async fn watch(self: Arc<Self>, journal: Journal, stop: CancellationToken) {
        let mut interval = tokio::time::interval(LOOK);
        while stop.run_until_cancelled(interval.tick()).await.is_some() {
            let tls = self.clone();
            // A folder on a network may hang.
            let Ok(news) = tokio::task::spawn_blocking(move || tls.look(Timestamp::now())).await else { return };
            news.into_iter().for_each(|news| journal.record(self.told(news)));
        }
    }

    /// How it stands with the certificate.
    pub fn status(&self) -> TlsStatus {
        let state = self.state();
        TlsStatus {
            cert_file: self.files.cert_file.display().to_string(),
            since: state.since,
            expires: state.expires,
            problem: state.told.clone(),
        }
    }

    /// Looks at the files, and shows what they have if it is new and fits. Blocking.
    fn look(&self, now: Timestamp) -> Vec<News> {
        let mut state = self.state();
        let material = Material::read(&self.files);
        let new = match material {
            Ok(material) if material.digest == state.digest => Ok(None),
            Ok(material) => material.key(&self.files).map(|key| Some((material, key))),
            Err(error) => Err(error),
        };
        let mut news = Vec::new();
        match new {
            Ok(fine) => {
                let told = state.told.take();
                state.seen = None;
                if let Some((material, key)) = fine {
                    *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = key;
                    (state.digest, state.since, state.expires) = (material.digest, now, material.expires());
                    state.warned = false;
                    news.push(News::Renewed);
                } else if told.is_some() {
                    news.push(News::Recovered);
                }
            }
            Err(error) => {
                let error = Some(error.to_string());
                if state.seen == error && state.told != error {
                    state.told = error.clone();
                    news.extend(error.clone().map(News::Failed));
                }
                state.seen = error;
            }
        }
        if let Some(expires) = state.expires.filter(|expires| is_near(*expires, now) && !state.warned) {
            state.warned = true;
            news.push(News::Expires(expires));
        }
        news
    }

    fn told(&self, news: News) -> Draft {
        let file = self.files.cert_file.display();
        match news {
            News::Renewed => Draft::info(
                EventKind::CertificateRenewed,
                format!("new connections get the certificate that {file} has now"),
            ),
            News::Recovered => Draft::info(
                EventKind::CertificateRenewed,
                format!("{file} and its key have the certificate that is shown again"),
            ),
            News::Failed(why) => {
                Draft::warning(EventKind::CertificateFailed, format!("the certificate from before stays: {why}"))
                    .with(|details| details.reason = Some(why))
            }
            News::Expires(at) => Draft::warning(
                EventKind::CertificateFailed,
                format!("the certificate of {file} is good until {at:.0}: renew it"),
            ),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_near(end: Timestamp, now: Timestamp) -> bool {
    Duration::try_from(end.duration_since(now)).is_ok_and(|left| left < NEAR) || end <= now
}

#[cfg(test)]
mod tests;
