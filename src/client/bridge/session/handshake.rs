//! Opening a legacy session.

use super::{Failure, Patience, Session};
use crate::{
    client::{answer::Messages, api::ApiError, http::Response},
    protocol::{Kind, Message, Params, codes, headers, text_member},
};
use bytes::Bytes;
use hyper::{Method, StatusCode, header::HeaderValue};
use serde::Deserialize;
use std::time::Instant;

/// The server's answer to `initialize`.
pub struct Opened {
    pub answer: Vec<u8>,
    /// Session id and protocol version, unless the server refused.
    pub terms: Option<(Option<HeaderValue>, HeaderValue)>,
}

impl Session {
    /// Sends the client's own words until the server answers, or patience ends.
    pub(super) async fn handshake(&self, initialize: &Bytes) -> Result<Opened, Failure> {
        let mut patience = Patience::until(Instant::now() + self.patience);
        loop {
            let sent = self.agent.http.send(Method::POST, &self.path, headers::post(), initialize.clone()).await;
            // Opening a session that nobody uses does no harm, so it may be tried again whatever happened.
            let (failure, asked) = match sent {
                Ok(response) if response.status == StatusCode::SERVICE_UNAVAILABLE => {
                    let asked = response.retry_after();
                    (Failure::from(ApiError::from_response(response).await), asked)
                }
                Ok(response) => match self.opened(response).await {
                    Err(failure) if failure.may_pass => (failure, None),
                    done => return done,
                },
                Err(error) => (Failure::from(error), None),
            };
            match patience.pause(Instant::now(), asked) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failure),
            }
        }
    }

    async fn opened(&self, response: Response) -> Result<Opened, Failure> {
        let (status, session) = (response.status, response.headers.get(headers::SESSION_ID).cloned());
        let mut messages = Messages::of(response);
        while let Some(body) = messages.next().await? {
            match Message::parse(&body) {
                Ok(message) if message.kind == Kind::Response => {
                    let version = message.result.and_then(|result| Params::parse(result).protocol_version);
                    let version = version.and_then(text_member).and_then(|text| HeaderValue::from_str(&text).ok());
                    let terms = version.map(|version| (session, version));
                    return Ok(Opened { answer: body, terms });
                }
                Ok(_) => drop(self.outlet.line(body).await),
                Err(_) if !status.is_success() => return Err(ApiError::refused(status, &body).into()),
                Err(error) => return Err(Failure::new(codes::INTERNAL_ERROR, error.to_string())),
            }
        }
        match status.is_success() {
            true => Err(Failure::new(codes::SERVER_GONE, "the server did not answer `initialize`")),
            false => Err(ApiError::refused(status, b"").into()),
        }
    }
}

/// The notifications of changed lists that an answer to `initialize` promises.
pub fn list_changes(answer: &[u8]) -> Vec<&'static str> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Answer {
        result: InitializeResult,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct InitializeResult {
        capabilities: Capabilities,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Capabilities {
        tools: List,
        prompts: List,
        resources: List,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct List {
        #[serde(rename = "listChanged")]
        list_changed: bool,
    }
    let Capabilities { tools, prompts, resources } =
        serde_json::from_slice::<Answer>(answer).unwrap_or_default().result.capabilities;
    [
        (tools, "notifications/tools/list_changed"),
        (prompts, "notifications/prompts/list_changed"),
        (resources, "notifications/resources/list_changed"),
    ]
    .into_iter()
    .filter_map(|(list, method)| list.list_changed.then_some(method))
    .collect()
}
