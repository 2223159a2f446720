//! The bodies of requests, which wait in memory until they have arrived and been answered.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of all bodies together, beyond what each has free.
const TOTAL: usize = 256 << 20;

/// So much of a body is never counted: whoever sends little is not kept out by those who send much.
const FREE: usize = 64 << 10;

/// What is counted at a time, in bytes.
const UNIT: usize = 1 << 10;

/// What all bodies share.
#[derive(Debug)]
pub struct Bodies(Arc<Semaphore>);

impl Default for Bodies {
    fn default() -> Self {
        Bodies(Arc::new(Semaphore::new(TOTAL / UNIT)))
    }
}

/// A body that has arrived, and its room.
#[derive(Debug)]
pub struct Arrived {
    pub bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub enum NoBody {
    #[error("the message is larger than {0} bytes (gateway.limits.body)")]
    TooLarge(usize),
    #[error("the bodies of all requests take as much memory as they may: come back later")]
    NoRoom,
    #[error("the body could not be read: {0}")]
    Broken(axum::Error),
}

impl Bodies {
    /// Reads a body of at most `limit` bytes; room is taken as it arrives, not as it is announced.
    pub async fn read(&self, mut body: Body, limit: usize) -> Result<Arrived, NoBody> {
        let (mut bytes, mut room) = (BytesMut::new(), None::<OwnedSemaphorePermit>);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(NoBody::Broken)?.into_data() else { continue };
            if bytes.len() + data.len() > limit {
                return Err(NoBody::TooLarge(limit));
            }
            bytes.extend_from_slice(&data);
            let counted = bytes.len().saturating_sub(FREE).div_ceil(UNIT);
            let missing = counted.saturating_sub(room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
            if missing > 0 {
                let missing = u32::try_from(missing).map_err(|_| NoBody::NoRoom)?;
                let more = self.0.clone().try_acquire_many_owned(missing).map_err(|_| NoBody::NoRoom)?;
                match &mut room {
                    Some(room) => room.merge(more),
                    None => room = Some(more),
                }
            }
        }
        Ok(Arrived { bytes: bytes.freeze(), _room: room })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_shared_and_given_back() {
        let bodies = Bodies(Arc::new(Semaphore::new(100)));
        let read = async |bytes: usize| bodies.read(Body::from(vec![b'x'; bytes]), 1 << 20).await;
        let first = read(FREE + 60 * UNIT).await.unwrap();
        assert_eq!((first.bytes.len(), bodies.0.available_permits()), (FREE + 60 * UNIT, 40));
        assert!(matches!(read(FREE + 41 * UNIT).await, Err(NoBody::NoRoom)));
        assert_eq!(bodies.0.available_permits(), 40);
        assert!(read(FREE).await.is_ok(), "what is small has its place");
        drop(first);
        assert!(read(FREE + 100 * UNIT).await.is_ok());
        assert!(matches!(read((1 << 20) + 1).await, Err(NoBody::TooLarge(_))));
        assert_eq!(bodies.0.available_permits(), 100);
    }
}
