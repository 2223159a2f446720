//! The way to the client: whole lines, one after the other.

use crate::{
    client::{answer::AnswerError, api::ApiError, http::HttpError},
    protocol::{Edit, Kind, Message, codes, error_response, one_line},
};
use hyper::StatusCode;
use serde::Deserialize;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt, BufWriter},
    sync::mpsc,
    task::JoinHandle,
};

/// Messages that wait to be written. When the client does not read, those that have more to say wait too.
const QUEUE: usize = 16;

/// Why a request got no answer of a server's, in the words of JSON-RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: i64,
    pub message: String,
    /// Whether it may be gone with the next attempt.
    pub may_pass: bool,
}

impl Failure {
    pub fn new(code: i64, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), may_pass: false }
    }

    /// The error in an answer to `initialize` that the client will not see.
    pub fn from_answer(answer: &[u8]) -> Failure {
        #[derive(Deserialize)]
        struct Answer {
            error: Reason,
        }
        #[derive(Deserialize)]
        struct Reason {
            code: i64,
            message: String,
        }
        match serde_json::from_slice(answer) {
            Ok(Answer { error: Reason { code, message } }) => Failure::new(code, message),
            Err(_) => Failure::new(codes::INTERNAL_ERROR, "the session cannot be opened again"),
        }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Failure {
        let (code, may_pass) = match &error {
            HttpError::Unreachable(_) => (codes::UNAVAILABLE, true),
            HttpError::Lost(_) | HttpError::TimedOut(_) => (codes::SERVER_GONE, true),
            HttpError::TooLarge(_) | HttpError::Unwritable(_) => (codes::INTERNAL_ERROR, false),
        };
        Failure { code, message: error.to_string(), may_pass }
    }
}

impl From<AnswerError> for Failure {
    fn from(error: AnswerError) -> Failure {
        match error {
            AnswerError::Http(error) => error.into(),
            AnswerError::Sse(error) => Failure::new(codes::INTERNAL_ERROR, error.to_string()),
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Failure {
        let message = error.to_string();
        match error {
            ApiError::Http(error) => error.into(),
            ApiError::Refused { status: StatusCode::SERVICE_UNAVAILABLE, .. } => {
                Failure { may_pass: true, ..Failure::new(codes::UNAVAILABLE, message) }
            }
            ApiError::Refused { .. } => Failure::new(codes::INVALID_REQUEST, message),
            ApiError::Unreadable(_) => Failure::new(codes::INTERNAL_ERROR, message),
        }
    }
}

/// Takes messages for the client.
#[derive(Clone, Debug)]
pub struct Outlet {
    queue: mpsc::Sender<Vec<u8>>,
}

/// Opens the way to `output`. The task ends when the last outlet is dropped, or when nobody reads.
pub fn open(output: impl AsyncWrite + Unpin + Send + 'static) -> (Outlet, JoinHandle<()>) {
    let (queue, mut lines) = mpsc::channel::<Vec<u8>>(QUEUE);
    let writer = tokio::spawn(async move {
        let mut output = BufWriter::new(output);
        while let Some(line) = lines.recv().await {
            let written = async {
                output.write_all(&line).await?;
                // What is already there goes out together.
                if lines.is_empty() { output.flush().await } else { Ok(()) }
            };
            if let Err(error) = written.await {
                return tracing::info!(%error, "the client does not read any more");
            }
        }
    });
    (Outlet { queue }, writer)
}

impl Outlet {
    /// Ends when nobody reads any more.
    pub async fn closed(&self) {
        self.queue.closed().await;
    }

    /// Passes on a message as it is. Says whether it was an answer.
    pub async fn line(&self, message: Vec<u8>) -> bool {
        self.message(&message, "null").await
    }

    /// Passes on a message as it is, but for an answer that names no request: it gets the id of the request it came
    /// back for. Says whether it was an answer.
    pub async fn message(&self, message: &[u8], id: &str) -> bool {
        let mut line = Vec::new();
        let parsed = Message::parse(message);
        let answers = match &parsed {
            Ok(parsed) => {
                let nameless = parsed.id.filter(|raw| raw.0 == "null" && parsed.kind == Kind::Response);
                let edits: Vec<Edit<'_>> =
                    nameless.map(|raw| Edit { at: parsed.span(raw.0), with: id }).into_iter().collect();
                one_line(parsed.raw, &edits, &mut line);
                parsed.kind == Kind::Response
            }
            // The answers to a batch.
            Err(_) if message.trim_ascii_start().starts_with(b"[") => {
                one_line(&String::from_utf8_lossy(message), &[], &mut line);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "dropped what is no message");
                return false;
            }
        };
        self.write(line).await;
        answers
    }

    /// Answers a request that got no answer. `id` is raw JSON.
    pub async fn failure(&self, id: &str, failure: &Failure) {
        self.write(error_response(id, failure.code, &failure.message, None)).await;
    }

    async fn write(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        // That nobody reads is noticed by whoever waits in `closed`.
        let _ = self.queue.send(line).await;
    }
}
