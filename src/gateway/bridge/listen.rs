//! What a stateless client has subscribed to, of a server that knows sessions only.

use super::{processes::Use, translate};
use crate::gateway::session::{MAX_SUBSCRIPTIONS, MAX_URI};
use crate::{
    instance::{link::Sink, mailbox::Delivery, running::Running},
    protocol::{Message, Object, meta, text_member},
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// What a client wants to hear of, as far as the server tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    tools: bool,
    prompts: bool,
    resources: bool,
    pub uris: BTreeSet<String>,
}

impl Filter {
    /// From the raw `params` of the request and what the server says that it can do.
    pub fn read(params: Option<&str>, introduction: &Value) -> Self {
        let wanted = Object::read(params.unwrap_or("{}")).get("notifications").unwrap_or("{}");
        let wanted = Object::read(wanted);
        let can = |pointer: &str| introduction.pointer(pointer) == Some(&Value::Bool(true));
        let wants = |key: &str, pointer: &str| wanted.get(key) == Some("true") && can(pointer);
        let uris = wanted.get("resourceSubscriptions").filter(|_| can("/capabilities/resources/subscribe"));
        let uris: Vec<String> = uris.and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default();
        Filter {
            tools: wants("toolsListChanged", "/capabilities/tools/listChanged"),
            prompts: wants("promptsListChanged", "/capabilities/prompts/listChanged"),
            resources: wants("resourcesListChanged", "/capabilities/resources/listChanged"),
            uris: uris.into_iter().filter(|uri| uri.len() <= MAX_URI).take(MAX_SUBSCRIPTIONS).collect(),
        }
    }

    fn lets_pass(&self, message: &Message<'_>) -> bool {
        match message.method.as_ref() {
            "notifications/tools/list_changed" => self.tools,
            "notifications/prompts/list_changed" => self.prompts,
            "notifications/resources/list_changed" => self.resources,
            "notifications/resources/updated" => {
                message.params().uri.and_then(text_member).is_some_and(|uri| self.uris.contains(uri.as_ref()))
            }
            _ => false,
        }
    }

    /// What the client is told that it will hear of.
    fn granted(&self) -> Value {
        let mut granted = json!({});
        if let Some(granted) = granted.as_object_mut() {
            let lists = [
                ("toolsListChanged", self.tools),
                ("promptsListChanged", self.prompts),
                ("resourcesListChanged", self.resources),
            ];
            granted.extend(lists.into_iter().filter(|(_, on)| *on).map(|(key, on)| (key.to_owned(), on.into())));
            if !self.uris.is_empty() {
                granted.insert("resourceSubscriptions".into(), self.uris.iter().cloned().collect());
            }
        }
        granted
    }
}

/// A subscription.
#[derive(Debug)]
pub struct Listening {
    /// The raw id of the request.
    id: Box<str>,
    filter: Filter,
    sink: Arc<Sink>,
    running: Arc<Running>,
    /// `None`: the process that all clients share.
    _process: Option<Use>,
    acknowledged: bool,
    over: bool,
}

impl Listening {
    pub fn new(id: &str, filter: Filter, sink: Arc<Sink>, running: Arc<Running>, process: Option<Use>) -> Self {
        Listening { id: id.into(), filter, sink, running, _process: process, acknowledged: false, over: false }
    }

    /// The next message; it goes on until the server is replaced or gone. Cancel safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        if let Some(first) = self.acknowledgement() {
            return Some(first);
        }
        if self.over {
            return None;
        }
        loop {
            let delivery = tokio::select! {
                biased;
                delivery = self.sink.mailbox.next() => delivery,
                () = self.running.leaves() => None,
            };
            let Some(delivery) = delivery else {
                self.over = true;
                // The client comes back, to the server that there is then.
                let result = json!({ "resultType": "complete", "_meta": {} }).to_string();
                let meta = Object::default().with(&[(meta::SUBSCRIPTION_ID, &*self.id)]);
                let result = Object::read(&result).with(&[("_meta", &meta)]);
                let message = translate::result(&self.id, &result).into();
                return Some(Delivery::Answer { message, error_code: None });
            };
            if let Some(delivery) = self.translate(&delivery) {
                return Some(delivery);
            }
        }
    }

    /// The next message, if there is one already.
    pub fn try_next(&mut self) -> Option<Delivery> {
        loop {
            let delivery = self.sink.mailbox.try_next()?;
            if let Some(delivery) = self.translate(&delivery) {
                return Some(delivery);
            }
        }
    }

    fn acknowledgement(&mut self) -> Option<Delivery> {
        if std::mem::replace(&mut self.acknowledged, true) {
            return None;
        }
        let params = json!({ "notifications": self.filter.granted() });
        let bytes = crate::protocol::notification("notifications/subscriptions/acknowledged", &params);
        let message = Message::parse(&bytes).ok()?;
        Some(Delivery::Message(translate::on_subscription(&message, &self.id).into()))
    }

    fn translate(&self, delivery: &Delivery) -> Option<Delivery> {
        let Delivery::Message(bytes) = delivery else { return None };
        let message = Message::parse(bytes).ok().filter(|message| self.filter.lets_pass(message))?;
        Some(Delivery::Message(Bytes::from(translate::on_subscription(&message, &self.id))))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        for uri in self.filter.uris.iter().filter(|uri| !self.running.link.subscribed_elsewhere(uri, &self.sink)) {
            // A server that is gone has forgotten it anyway.
            let _ = self.running.link.ask("resources/unsubscribe", &json!({ "uri": uri }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_what_both_know() {
        let server =
            json!({"capabilities": {"tools": {"listChanged": true}, "resources": {"subscribe": true}, "prompts": {}}});
        let wanted = r#"{"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["a","b"]}}"#;
        let filter = Filter::read(Some(wanted), &server);
        assert_eq!(filter.granted(), json!({"toolsListChanged": true, "resourceSubscriptions": ["a", "b"]}));
        let passes = |raw: &str| filter.lets_pass(&Message::parse(raw.as_bytes()).unwrap());
        assert!(passes(r#"{"method":"notifications/tools/list_changed"}"#));
        assert!(!passes(r#"{"method":"notifications/prompts/list_changed"}"#));
        assert!(passes(r#"{"method":"notifications/resources/updated","params":{"uri":"a"}}"#));
        assert!(!passes(r#"{"method":"notifications/resources/updated","params":{"uri":"c"}}"#));
        assert!(!passes(r#"{"method":"notifications/message","params":{}}"#));
        assert_eq!(Filter::read(None, &server), Filter::default());
    }
}
