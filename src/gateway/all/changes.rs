//! Notices when a principal gets other tools than it had: apps come and go, servers offer others, rights change.

use crate::gateway::bridge::translate;
use crate::{
    gateway::{Gateway, access::Policy, caller::Caller},
    instance::mailbox::Delivery,
    protocol::{Message, notification},
    resource::Digest,
};
use bytes::Bytes;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};

/// Changes come in numbers: they are looked at together.
const GATHER: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub struct Changes {
    gateway: Arc<Gateway>,
    caller: Caller,
    fleet: watch::Receiver<()>,
    policy: watch::Receiver<Arc<Policy>>,
    last: Digest,
}

impl Changes {
    pub fn new(gateway: &Arc<Gateway>, caller: &Caller) -> Self {
        let (fleet, policy) = (gateway.fleet.changes(), gateway.policy.clone());
        let last = offered(gateway, caller);
        Changes { gateway: gateway.clone(), caller: caller.clone(), fleet, policy, last }
    }

    /// Waits until the tools have changed since the last time. Cancel safe.
    pub async fn next(&mut self) {
        loop {
            let now = offered(&self.gateway, &self.caller);
            if now != self.last {
                self.last = now;
                return;
            }
            tokio::select! {
                Ok(()) = self.fleet.changed() => {}
                Ok(()) = self.policy.changed() => {}
                // Nobody will change anything any more.
                else => std::future::pending().await,
            }
            sleep(GATHER).await;
        }
    }

    /// Waits for the next change; the notification that says so.
    pub async fn told(&mut self) -> Bytes {
        self.next().await;
        notification("notifications/tools/list_changed", &json!({})).into()
    }
}

/// What a principal is offered, in a few bytes.
fn offered(gateway: &Gateway, caller: &Caller) -> Digest {
    let policy = gateway.policy.borrow().clone();
    let mut tools: Vec<(String, String, String)> = Vec::new();
    for entry in gateway.fleet.reachable() {
        let Some(permit) = policy.permit(&caller.principal, &entry.name) else { continue };
        let Some(look) = entry.view.borrow().tools.clone() else { continue };
        let allowed = look.tools.iter().filter(|(name, _)| permit.allows_tool(name));
        tools.extend(allowed.map(|(name, digest)| (entry.name.to_string(), name.to_owned(), digest.to_owned())));
    }
    Digest::of(&tools)
}

/// `subscriptions/listen` of a stateless client.
#[derive(Debug)]
pub struct Listening {
    /// The raw id of the request.
    id: Box<str>,
    /// `None`: the client wants to hear of nothing that is told here.
    changes: Option<Changes>,
    acknowledged: bool,
}

impl Listening {
    pub fn new(id: &str, changes: Option<Changes>) -> Self {
        Listening { id: id.into(), changes, acknowledged: false }
    }

    /// The next message. Goes on until the client has heard enough. Cancel safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        if !std::mem::replace(&mut self.acknowledged, true) {
            let granted = if self.changes.is_some() { json!({ "toolsListChanged": true }) } else { json!({}) };
            let params = json!({ "notifications": granted });
            return self.tagged(&notification("notifications/subscriptions/acknowledged", &params));
        }
        match &mut self.changes {
            Some(changes) => {
                let told = changes.told().await;
                self.tagged(&told)
            }
            None => std::future::pending().await,
        }
    }

    fn tagged(&self, bytes: &[u8]) -> Option<Delivery> {
        let message = Message::parse(bytes).ok()?;
        Some(Delivery::Message(translate::on_subscription(&message, &self.id).into()))
    }
}
