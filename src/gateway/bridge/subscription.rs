//! What the client of a session hears of a stateless server: a subscription that is renewed when what it is about
//! changes, or the server does.

use super::translate::Introduction;
use crate::{
    gateway::{feed::Cancel, session::Session},
    instance::{
        fleet::Fleet,
        link::Call,
        mailbox::{Delivery, Mailbox},
        view::Route,
    },
    protocol::{Message, Object, meta},
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// How long a server that has ended a subscription is left alone, at first and at most.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Listens for as long as the stream of the session is read.
#[derive(Debug)]
pub struct Subscription {
    session: Arc<Session>,
    fleet: Arc<Fleet>,
    uris: watch::Receiver<BTreeSet<String>>,
    route: watch::Receiver<Arc<Route>>,
    open: Option<(Arc<Mailbox>, Cancel)>,
    /// Heard on a subscription that another has taken the place of.
    heard: VecDeque<Bytes>,
    /// When to subscribe again; `None`: when something changes.
    due: Option<Instant>,
    pause: Duration,
}

impl Subscription {
    /// `None`: the server of the session knows sessions itself.
    pub fn of(session: &Arc<Session>, fleet: &Arc<Fleet>) -> Option<Self> {
        let uris = session.upgrade()?.uris.subscribe();
        let route = fleet.get(&session.app)?.route.clone();
        let (session, fleet) = (session.clone(), fleet.clone());
        let mut subscription =
            Subscription { session, fleet, uris, route, open: None, heard: VecDeque::new(), due: None, pause: PAUSE };
        // Now, not when somebody first reads: what happens from here on belongs to the stream.
        subscription.renew();
        Some(subscription)
    }

    /// The next notification. Never ends by itself. Cancel safe.
    pub async fn next(&mut self) -> Bytes {
        loop {
            if let Some(message) = self.heard.pop_front() {
                return message;
            }
            let heard = async {
                match &self.open {
                    Some((mailbox, _)) => mailbox.next().await,
                    None => std::future::pending().await,
                }
            };
            let pause = async {
                match self.due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                delivery = heard => match delivery {
                    Some(Delivery::Message(message)) => {
                        if let Some(message) = passed_on(&message) {
                            self.pause = PAUSE;
                            return message;
                        }
                    }
                    Some(Delivery::Answer { .. }) | None => {
                        self.open = None;
                        self.due = Some(Instant::now() + self.pause);
                        self.pause = LONGEST_PAUSE.min(self.pause * 2);
                    }
                },
                () = pause => self.renew(),
                Ok(()) = self.uris.changed() => self.renew(),
                Ok(()) = self.route.changed() => self.renew(),
            }
        }
    }

    fn renew(&mut self) {
        self.due = None;
        // Until the other listens, so that nothing falls in between.
        let before = self.open.take();
        self.open_another();
        if let Some((mailbox, _)) = before {
            while let Some(Delivery::Message(message)) = mailbox.try_next() {
                self.heard.extend(passed_on(&message));
            }
        }
    }

    fn open_another(&mut self) {
        let uris = self.uris.borrow_and_update().clone();
        let wanted = match &**self.route.borrow_and_update() {
            Route::Ready(service) => wanted(&service.profile.introduction, &uris),
            Route::Unready { .. } => return,
        };
        let Some((wanted, upgrade)) = wanted.zip(self.session.upgrade()) else { return };
        match self.subscribe(&wanted, &upgrade.client()) {
            Some(open) => self.open = Some(open),
            None => self.due = Some(Instant::now() + PAUSE),
        }
    }

    fn subscribe(&self, wanted: &Value, client: &Introduction) -> Option<(Arc<Mailbox>, Cancel)> {
        let bytes = crate::protocol::request(0, "subscriptions/listen", &json!({ "notifications": wanted }));
        let message = Message::parse(&bytes).ok()?;
        let bytes = super::translate::to_stateless(&message, &message.params(), client, &[]);
        let message = Message::parse(&bytes).ok()?;
        let link = self.session.link(&self.fleet).ok()?;
        let mailbox = Arc::new(Mailbox::for_answers(1));
        let call = Call { message: &message, params: &message.params(), owner: self.session.owner };
        let call = link.open(call, &mailbox).ok()?;
        Some((mailbox, Cancel { link, call }))
    }
}

/// What there is to listen for: all that the server tells of lists, since clients of sessions are told without asking.
fn wanted(discovered: &Value, uris: &BTreeSet<String>) -> Option<Value> {
    let can = |pointer: &str| discovered.pointer(pointer) == Some(&Value::Bool(true));
    let mut wanted = serde_json::Map::new();
    for (key, pointer) in [
        ("toolsListChanged", "/capabilities/tools/listChanged"),
        ("promptsListChanged", "/capabilities/prompts/listChanged"),
        ("resourcesListChanged", "/capabilities/resources/listChanged"),
    ] {
        if can(pointer) {
            wanted.insert(key.into(), true.into());
        }
    }
    if !uris.is_empty() {
        wanted.insert("resourceSubscriptions".into(), uris.iter().cloned().collect());
    }
    (!wanted.is_empty()).then(|| wanted.into())
}

/// A notification as the client of a session knows it.
fn passed_on(bytes: &Bytes) -> Option<Bytes> {
    let message = Message::parse(bytes).ok()?;
    if message.method == "notifications/subscriptions/acknowledged" {
        return None;
    }
    let params = Object::read(message.params.unwrap_or("{}"));
    let meta = Object::read(params.get("_meta").unwrap_or("{}")).without(&[meta::SUBSCRIPTION_ID]);
    let params = match meta.is_empty() {
        true => params.without(&["_meta"]).with(&[]),
        false => params.with(&[("_meta", &meta.with(&[]))]),
    };
    Some(Object::read(message.raw).with(&[("params", &params)]).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_on() {
        let on = |text: &str| passed_on(&Bytes::copy_from_slice(text.as_bytes()));
        let key = meta::SUBSCRIPTION_ID;
        let sent = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"a","_meta":{{"{key}":3}}}}}}"#
        );
        let expected = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a"}}"#;
        assert_eq!(on(&sent).unwrap(), expected);
        assert_eq!(on(r#"{"method":"notifications/subscriptions/acknowledged"}"#), None);
    }

    #[test]
    fn what_is_wanted() {
        let server = json!({"capabilities": {"tools": {"listChanged": true}}});
        assert_eq!(wanted(&server, &BTreeSet::new()), Some(json!({"toolsListChanged": true})));
        assert_eq!(wanted(&json!({}), &BTreeSet::new()), None);
        let uris = BTreeSet::from(["a".to_owned()]);
        assert_eq!(wanted(&json!({}), &uris), Some(json!({"resourceSubscriptions": ["a"]})));
    }
}
