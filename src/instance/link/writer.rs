//! The writing half of a link: stdin of a server that may be slow to read.

use bytes::{Buf, BytesMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{net::unix::pipe, sync::Notify};

/// The most that waits for a server to read it. Beyond this, clients are told to come back later.
const MAX_QUEUED: usize = 16 << 20;

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    Closed,
    Full,
}

/// Which side closed the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClosedBy {
    Us,
    Server,
}

#[derive(Debug)]
pub(super) struct Writer {
    inner: Mutex<Inner>,
    /// There is something to flush, or the pipe has been closed.
    changed: Notify,
}

#[derive(Debug)]
struct Inner {
    /// `None` once it has been closed.
    pipe: Option<Arc<pipe::Sender>>,
    queued: BytesMut,
    closing: bool,
}

impl Writer {
    pub(super) fn new(pipe: pipe::Sender) -> Self {
        Writer {
            inner: Mutex::new(Inner { pipe: Some(Arc::new(pipe)), queued: BytesMut::new(), closing: false }),
            changed: Notify::new(),
        }
    }

    /// Writes a whole line, at once if the pipe has room, which spares the flusher's wake-up, else later.
    pub(super) fn write(&self, line: &[u8]) -> Result<(), NotTaken> {
        let mut inner = self.lock();
        if inner.closing {
            return Err(NotTaken::Closed);
        }
        let Some(pipe) = &inner.pipe else { return Err(NotTaken::Closed) };
        let mut written = 0;
        if inner.queued.is_empty() {
            // A broken pipe shows at the flusher too, and the end of the process says more than the error.
            while let Some(rest) = line.get(written..).filter(|rest| !rest.is_empty()) {
                match pipe.try_write(rest) {
                    Ok(n) if n > 0 => written += n,
                    _ => break,
                }
            }
            if written == line.len() {
                return Ok(());
            }
        } else if inner.queued.len() + line.len() > MAX_QUEUED {
            return Err(NotTaken::Full);
        }
        inner.queued.extend_from_slice(line.get(written..).unwrap_or_default());
        drop(inner);
        self.changed.notify_one();
        Ok(())
    }

    /// Closes the pipe as soon as what is queued has been written.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.closing = true;
        if inner.queued.is_empty() {
            inner.pipe = None;
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Writes what is queued whenever the server reads; ends when the pipe has been closed, here or by the server.
    pub(super) async fn flush(&self) -> ClosedBy {
        loop {
            let notified = self.changed.notified();
            let pipe = {
                let inner = self.lock();
                match &inner.pipe {
                    None => return ClosedBy::Us,
                    Some(_) if inner.queued.is_empty() => None,
                    Some(pipe) => Some(pipe.clone()),
                }
            };
            let Some(pipe) = pipe else {
                notified.await;
                continue;
            };
            if pipe.writable().await.is_err() || !self.flush_some(&pipe) {
                *self.lock() = Inner { pipe: None, queued: BytesMut::new(), closing: true };
                return ClosedBy::Server;
            }
        }
    }

    /// Writes once; `false` if the pipe is broken.
    fn flush_some(&self, pipe: &pipe::Sender) -> bool {
        let mut inner = self.lock();
        match pipe.try_write(&inner.queued) {
            Ok(n) => {
                inner.queued.advance(n);
                if inner.queued.is_empty() {
                    // A large message must not hold its memory for ever.
                    inner.queued = BytesMut::new();
                    if inner.closing {
                        inner.pipe = None;
                    }
                }
                true
            }
            Err(e) => e.kind() == std::io::ErrorKind::WouldBlock,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
