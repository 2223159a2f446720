//! Which arguments of which tools have headers.

use super::{Streamable, lock};
use crate::{
    instance::{
        link::MAX_MESSAGE,
        question::modern_meta,
        remote::{conversation::Conversation, events::Events, http::Form},
    },
    protocol::{Kind, Message, Object, headers, text_member},
};
use bytes::Bytes;
use http::Method;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

/// The most pages of a list of tools, and how long each may take.
const MAX_PAGES: usize = 50;
const PAGE_WITHIN: Duration = Duration::from_secs(30);

const ID: &str = "\"mcpfleet-tools\"";

impl Streamable {
    /// Takes in the result of `tools/list`.
    pub(super) fn learn(&self, talk: &Conversation, result: &str) -> bool {
        let (changed, wrong) = lock(&self.parameters).learn(result);
        for tool in wrong {
            talk.outlet
                .say(&format!("tool {tool:?} has an `x-mcp-header` against the rules: no header is sent for it"));
        }
        changed
    }

    /// Asks for the tools again, because the headers of a call were not what the server expects. Answers whether it
    /// would be other ones now.
    pub(super) async fn relearn(&self, talk: &Conversation) -> bool {
        let (mut changed, mut cursor) = (false, None);
        for _ in 0..MAX_PAGES {
            let page = timeout(PAGE_WITHIN, self.page(talk, cursor.take())).await;
            let Some(result) = page.ok().flatten() else { break };
            changed |= self.learn(talk, &result);
            cursor = Object::read(&result).get("nextCursor").and_then(text_member).map(|next| next.into_owned());
            if cursor.is_none() {
                break;
            }
        }
        changed
    }

    async fn page(&self, talk: &Conversation, cursor: Option<String>) -> Option<String> {
        let mut params = json!({ "_meta": modern_meta() });
        if let (Some(cursor), Some(params)) = (cursor, params.as_object_mut()) {
            params.insert("cursor".into(), cursor.into());
        }
        let line = format!(r#"{{"jsonrpc":"2.0","id":{ID},"method":"tools/list","params":{params}}}"#);
        let headers = headers::modern(&Message::parse(line.as_bytes()).ok()?);
        let url = &talk.http.target.url;
        let mut answer = talk.http.send(&Method::POST, url, &headers, &Bytes::from(line.clone())).await.ok()?;
        let result = |bytes: &[u8]| {
            let message = Message::parse(bytes).ok().filter(|message| message.kind == Kind::Response)?;
            message.result.map(str::to_owned)
        };
        match answer.form() {
            Form::Json => result(&answer.body.read(MAX_MESSAGE).await.ok()?),
            Form::Events => {
                let mut events = Events::new(answer.body);
                while let Some(event) = events.next().await.ok()? {
                    if let Some(result) = result(&event.data) {
                        return Some(result);
                    }
                }
                None
            }
            Form::Other => None,
        }
    }
}
