//! `POST /hooks/NAME`.

use super::{Calls, Webhook, pace::Paced, proof::Proof};
use crate::{source::Trigger, telemetry::Seldom};
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use http_body_util::BodyExt as _;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{self, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;

/// The largest call. GitHub's go up to 25 MiB for pushes of thousands of commits; what is larger than this waits for the
/// next poll.
const MAX_BODY: usize = 1 << 20;
/// How much of what is too large is read all the same, so that its sender sees the answer.
const MAX_DROPPED: usize = 32 << 20;
/// The longest secret.
const MAX_SECRET: u64 = 4096;
/// How long a caller may take to send its call, waiting for its turn included.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at a source that webhooks ask for.
const PACE: Duration = Duration::from_secs(1);
/// How many calls are read at a time.
const AT_A_TIME: usize = 128;

/// Why the secret of a webhook cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the webhook's secret {} cannot be read: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("the webhook's secret {} is empty", .0.display())]
    Empty(PathBuf),
    #[error("the webhook's secret {} is longer than {MAX_SECRET} bytes", .0.display())]
    TooLong(PathBuf),
}

/// Whether there is a secret in a file that will do.
///
/// # Errors
/// Why not.
pub fn check_secret(path: &path::Path) -> Result<(), SecretError> {
    secret(path).map(drop)
}

/// The content of the file, without the end of its line.
fn secret(path: &path::Path) -> Result<Vec<u8>, SecretError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_SECRET + 1).read_to_end(&mut bytes));
    read.map_err(|error| SecretError::Read { path: path.to_owned(), error })?;
    if bytes.len() as u64 > MAX_SECRET {
        return Err(SecretError::TooLong(path.to_owned()));
    }
    let length = bytes.trim_ascii_end().len();
    bytes.truncate(length);
    if bytes.is_empty() { Err(SecretError::Empty(path.to_owned())) } else { Ok(bytes) }
}

/// A webhook and what it does.
struct Hook {
    settings: Webhook,
    source: Paced,
}

struct Hooks {
    by_name: BTreeMap<String, Hook>,
    turns: Semaphore,
    calls: Arc<Calls>,
    /// Whoever can reach it can have calls refused.
    refused: Seldom,
}

/// Answers webhooks until `shutdown`; `sources` are to be had by name. A webhook of a source that is not among them is
/// not there. `calls` is told of all calls.
pub fn router(
    hooks: Vec<Webhook>,
    sources: &BTreeMap<String, Trigger>,
    calls: Arc<Calls>,
    shutdown: &CancellationToken,
) -> Router {
    // One pace for a source, however many webhooks it has.
    let paced: BTreeMap<&str, Paced> = sources
        .iter()
        .map(|(name, trigger)| (name.as_str(), Paced::new(trigger.clone(), PACE, shutdown.clone())))
        .collect();
    let hook = |settings: Webhook| {
        let source = paced.get(settings.source.as_str())?.clone();
        Some((settings.name.clone(), Hook { settings, source }))
    };
    let by_name = hooks.into_iter().filter_map(hook).collect();
    let hooks = Arc::new(Hooks { by_name, turns: Semaphore::new(AT_A_TIME), calls, refused: Seldom::default() });
    Router::new().route("/hooks/{name}", post(call)).with_state(hooks)
}

async fn call(
    State(hooks): State<Arc<Hooks>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    mut body: Body,
) -> StatusCode {
    let hook = hooks.by_name.get(&name);
    let judging = async {
        let hook = hook.ok_or(StatusCode::NOT_FOUND)?;
        let proof = Proof::find(hook.settings.scheme, hook.settings.header.as_ref(), &headers);
        judge(&hooks.turns, &hook.settings, proof.ok_or(StatusCode::UNAUTHORIZED)?, &mut body).await?;
        Ok(hook)
    };
    let judged = timeout(PATIENCE, judging).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT));
    hooks.calls.add(&name, judged.is_ok());
    match judged {
        Ok(hook) => {
            tracing::debug!(webhook = name, source = hook.settings.source, "called");
            hook.source.ask();
            StatusCode::ACCEPTED
        }
        Err(status) => {
            match hook {
                Some(hook) => {
                    let name = hook.settings.name.as_str();
                    if let Some(more) = hooks.refused.next() {
                        tracing::warn!(webhook = name, status = status.as_u16(), more, "a call was refused");
                    }
                }
                // Its name is the caller's choice, and so is how often it is called.
                None => tracing::debug!(status = status.as_u16(), "a call to no webhook"),
            }
            // A caller that is still sending would see a broken connection instead of the answer.
            let _ = timeout(PATIENCE, read(&mut body, 0)).await;
            status
        }
    }
}

/// Whether a call counts, or what to answer if it does not.
async fn judge(turns: &Semaphore, hook: &Webhook, proof: Proof<'_>, body: &mut Body) -> Result<(), StatusCode> {
    let _turn = turns.acquire().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let body = read(body, MAX_BODY).await?;
    let path = hook.secret_file.clone();
    let secret = tokio::task::spawn_blocking(move || secret(&path)).await;
    let secret = secret.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?.map_err(|error| {
        tracing::error!(webhook = hook.name, "{error}");
        StatusCode::SERVICE_UNAVAILABLE
    })?;
    if proof.holds(&secret, &body) { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
}

/// The body, of at most `limit` bytes. What is over that is dropped, up to a point.
async fn read(body: &mut Body, limit: usize) -> Result<Vec<u8>, StatusCode> {
    let mut bytes = Vec::new();
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        total += data.len();
        if total <= limit {
            bytes.extend_from_slice(&data);
        } else if total > MAX_DROPPED {
            break;
        }
    }
    if total <= limit { Ok(bytes) } else { Err(StatusCode::PAYLOAD_TOO_LARGE) }
}
