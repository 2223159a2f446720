//! The tools of each app, as its server describes them.

use crate::{
    gateway::feed::Cancel,
    instance::{
        fleet::Entry,
        mailbox::{Delivery, Mailbox},
        question,
        tools::Look,
        view::{Route, Service},
    },
    protocol::{Message, Object, text_member},
};
use serde_json::{json, value::RawValue};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};
use tokio::sync::Mutex as Turn;

/// How long a server may take to list its tools.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that says nothing when its tools change is asked again after so long.
const KEPT: Duration = Duration::from_secs(60);

/// One that has not said what its tools are is left alone for so long.
const RESPITE: Duration = Duration::from_secs(5);

/// The most tools of one app, and the most bytes of their descriptions.
const MAX_TOOLS: usize = 5_000;
const MAX_BYTES: usize = 16 << 20;
const MAX_PAGES: usize = 256;

/// A tool as its server describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    pub name: String,
    /// Raw JSON.
    pub description: String,
}

#[derive(Debug)]
struct Page {
    service: Weak<Service>,
    look: Option<Arc<Look>>,
    until: Instant,
    tools: Arc<[Tool]>,
}

impl Page {
    fn is_of(&self, service: &Arc<Service>) -> bool {
        self.service.upgrade().is_some_and(|known| Arc::ptr_eq(&known, service))
    }
}

/// What has been found out of each app, by name.
#[derive(Debug, Default)]
pub struct Catalog {
    pages: Mutex<HashMap<String, Page>>,
    /// One after the other: many clients ask at the same time.
    turns: Mutex<HashMap<String, Arc<Turn<()>>>>,
}

impl Catalog {
    /// The tools of an app; none if it does not serve, or does not say.
    pub async fn tools(&self, entry: &Entry) -> Arc<[Tool]> {
        if let Some(known) = self.known(entry) {
            return known;
        }
        let turn = lock(&self.turns).entry(entry.name.to_string()).or_default().clone();
        // Whoever comes after one who has waited long does not wait as long again.
        let Ok(_turn) = tokio::time::timeout(PATIENCE, turn.lock()).await else { return Arc::new([]) };
        if let Some(known) = self.known(entry) {
            return known;
        }
        let route = entry.route.borrow().clone();
        let Route::Ready(service) = &*route else { return Arc::new([]) };
        let look = entry.view.borrow().tools.clone();
        let listed = tokio::time::timeout(PATIENCE, list(service)).await.ok().flatten();
        let mut pages = lock(&self.pages);
        let (tools, kept): (Arc<[Tool]>, _) = match listed {
            Some(tools) => (tools.into(), KEPT),
            None => {
                tracing::debug!(app = &*entry.name, "its tools cannot be listed");
                let before = pages.get(&*entry.name).filter(|page| page.is_of(service));
                (before.map_or_else(|| Arc::new([]) as Arc<[Tool]>, |page| page.tools.clone()), RESPITE)
            }
        };
        let until = Instant::now() + kept;
        let page = Page { service: Arc::downgrade(service), look, until, tools: tools.clone() };
        pages.insert(entry.name.to_string(), page);
        tools
    }

    /// Forgets the apps that are there no more.
    pub fn retain(&self, is_there: impl Fn(&str) -> bool) {
        lock(&self.pages).retain(|app, _| is_there(app));
        lock(&self.turns).retain(|app, _| is_there(app));
    }

    fn known(&self, entry: &Entry) -> Option<Arc<[Tool]>> {
        let route = entry.route.borrow().clone();
        let Route::Ready(service) = &*route else { return None };
        let look = entry.view.borrow().tools.clone();
        let pages = lock(&self.pages);
        let page = pages.get(&*entry.name)?;
        (page.is_of(service) && page.look == look && Instant::now() < page.until).then(|| page.tools.clone())
    }
}

/// Asks the process that stands for the app. `None`: it does not say.
async fn list(service: &Service) -> Option<Vec<Tool>> {
    let link = &service.primary.link;
    let (mut tools, mut bytes) = (Vec::new(), 0);
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let mut params = question::params(service.profile.era);
        if let (Some(cursor), Some(params)) = (&cursor, params.as_object_mut()) {
            params.insert("cursor".into(), json!(cursor));
        }
        let (call, mailbox) = link.ask("tools/list", &params).ok()?;
        // If nobody waits any more, the server need not answer.
        let _asked = Cancel { link: link.clone(), call };
        let answer = answer(&mailbox).await?;
        let message = Message::parse(&answer).ok()?;
        let result = Object::read(message.result?);
        let page: Vec<&RawValue> = serde_json::from_str(result.get("tools")?).ok()?;
        for raw in page {
            let Some(name) = Object::read(raw.get()).get("name").and_then(text_member) else { continue };
            bytes += raw.get().len();
            if tools.len() >= MAX_TOOLS || bytes > MAX_BYTES {
                tracing::warn!(instance = link.instance(), "it has more tools than are listed");
                return Some(tools);
            }
            tools.push(Tool { name: name.into_owned(), description: raw.get().to_owned() });
        }
        match result.get("nextCursor").and_then(text_member).map(|next| next.into_owned()) {
            // One that gives the same page again and again has no more of them.
            Some(next) if cursor.as_ref() != Some(&next) && !next.is_empty() => cursor = Some(next),
            _ => return Some(tools),
        }
    }
    Some(tools)
}

async fn answer(mailbox: &Mailbox) -> Option<bytes::Bytes> {
    loop {
        match mailbox.next().await? {
            Delivery::Answer { message, .. } => return Some(message),
            Delivery::Message(_) => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
