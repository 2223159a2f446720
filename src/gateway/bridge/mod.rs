//! Clients and servers of different eras.
//!
//! A stateless client on the server of a session ([`open`]): the gateway opens sessions in its name, and what the server
//! asks becomes an answer that says what is asked, while the call waits for the client to come back. The client of a
//! session on a stateless server ([`upgrade`]): the gateway keeps what the client has said, adds it to each request, and
//! asks the client what the server wants to know before it goes on.

mod asking;
mod call;
mod held;
mod listen;
mod processes;
pub mod rounds;
pub mod subscription;
pub mod translate;
pub mod upgrade;

pub use call::Call;
pub use listen::Listening;

use super::{
    Gateway, SILENT,
    classify::Fault,
    feed::{Cancel, Feed},
    http::Post,
};
use crate::{
    instance::{
        link::{self, Refused, Sink},
        mailbox::{Delivery, Mailbox},
        pool::Unavailable,
        view::Service,
    },
    protocol::{Message, Object, codes, text_member},
    resource::Sessions as Sharing,
};
use axum::http::StatusCode;
use call::{Pending, Subject, Terms};
use held::Held;
use listen::Filter;
use processes::{Kind, Listener, Processes, Use};
use std::sync::Arc;

/// What the gateway keeps for stateless clients of servers that know sessions only.
#[derive(Debug, Default)]
pub struct Bridge {
    processes: Processes,
    held: Arc<Held>,
}

impl Bridge {
    /// Gives up what nobody has come back for.
    pub fn sweep(&self) {
        self.held.sweep();
        self.processes.sweep();
    }

    /// Makes room for a session where processes are kept that nobody uses, or for clients that have not come back for
    /// long. Whether there may be room soon.
    pub fn make_room(&self, app: &str) -> bool {
        self.processes.evict(app) || self.held.give_up(app, SILENT)
    }
}

/// Why a request has not been opened.
#[derive(Debug)]
pub enum NotOpened {
    /// It is the request's own fault.
    Fault(Fault),
    /// The process takes nothing, or nothing now.
    Refused(Refused),
    /// There is no process for it.
    Unavailable(Unavailable),
}

impl From<Refused> for NotOpened {
    fn from(refused: Refused) -> Self {
        NotOpened::Refused(refused)
    }
}

impl From<Unavailable> for NotOpened {
    fn from(unavailable: Unavailable) -> Self {
        NotOpened::Unavailable(unavailable)
    }
}

/// Opens a request of a stateless client on a server that knows sessions only.
///
/// # Errors
/// When it is not to be, or there is no process to take it.
pub async fn open(gateway: &Gateway, post: &Post<'_>, service: &Arc<Service>) -> Result<Feed, NotOpened> {
    let Post { message, params, .. } = post;
    let id = message.id.map_or("null", |id| id.0);
    let introduction = &service.profile.introduction;
    match message.method.as_ref() {
        "server/discover" => {
            let result = translate::discovery(introduction).to_string();
            let message = translate::result(id, &result).into();
            return Ok(Feed::Ready(Some(Delivery::Answer { message, error_code: None })));
        }
        "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => {
            let text = format!("there is no {:?} in this protocol version", message.method);
            return Err(NotOpened::Fault(Fault::new(StatusCode::NOT_FOUND, codes::METHOD_NOT_FOUND, text)));
        }
        "subscriptions/listen" => return listen(gateway, post, service).await,
        _ => {}
    }
    let subject = Subject {
        principal: post.right.caller().principal.clone(),
        app: post.app.to_owned(),
        method: message.method.to_string(),
        name: call::named(params.name.or(params.uri)),
    };
    let terms = Terms {
        id: id.into(),
        progress_token: params.meta_progress_token.map(Into::into),
        capabilities: params.meta_capabilities.unwrap_or("{}").into(),
        wants_logs: params.meta_log_level.is_some(),
    };
    let retry = Object::read(message.params.unwrap_or("{}"));
    if let Some(state) = retry.get("requestState").and_then(text_member).filter(|state| Held::is_own(state)) {
        let Some(held) = gateway.bridge.held.take(&state, &subject) else {
            let text = "`requestState` belongs to no call of yours that waits: make the call again without it";
            return Err(NotOpened::Fault(Fault::new(StatusCode::OK, codes::INVALID_PARAMS, text)));
        };
        let answers = retry.get("inputResponses").unwrap_or("{}");
        return Ok(Feed::Bridged(Box::new(Call::resume(gateway.bridge.held.clone(), held, terms, answers))));
    }
    let process = process(gateway, post, service).await?;
    if let (Some(process), Some(level)) = (&process, params.meta_log_level)
        && introduction.pointer("/capabilities/logging").is_some()
    {
        process.log_from(level).await;
    }
    let bytes = translate::to_session(message, params);
    let message = Message::parse(&bytes).map_err(|error| Refused::Closed(error.to_string().into()))?;
    let mailbox = Arc::new(Mailbox::for_answers(1));
    let link = process.as_ref().map_or(&service.primary.link, Use::link).clone();
    // On a process that many share, a log line goes to the only call that wants any.
    let owner = u64::from(terms.wants_logs) << 63;
    let call = link.open(link::Call { message: &message, params: &message.params(), owner }, &mailbox)?;
    let pending = Pending { mailbox, cancel: Cancel { link, call }, process };
    let info = introduction.get("serverInfo").map(|info| info.to_string().into());
    Ok(Feed::Bridged(Box::new(Call::new(gateway.bridge.held.clone(), subject, terms, info, pending))))
}

/// The process for a request; `None`: the one that all clients share.
async fn process(gateway: &Gateway, post: &Post<'_>, service: &Arc<Service>) -> Result<Option<Use>, Unavailable> {
    if service.sessions == Sharing::Shared {
        return Ok(None);
    }
    let params = post.params;
    let capabilities = params.meta_capabilities.unwrap_or("{}");
    let info = Object::read(params.meta.unwrap_or("{}")).get(crate::protocol::meta::CLIENT_INFO);
    let kind = Kind {
        principal: post.right.caller().principal.clone(),
        capabilities: capabilities.to_owned(),
        info: info.map(str::to_owned),
        alone: call::can_be_asked(capabilities) || params.meta_log_level.is_some(),
    };
    let checkout = gateway.checkout(service, post.app);
    gateway.bridge.processes.acquire(post.app, service, kind, checkout).await.map(Some)
}

async fn listen(gateway: &Gateway, post: &Post<'_>, service: &Arc<Service>) -> Result<Feed, NotOpened> {
    let id = post.message.id.map_or("null", |id| id.0);
    let filter = Filter::read(post.message.params, &service.profile.introduction);
    let sink = Sink::listening(filter.uris.clone());
    let listener = Listener {
        principal: post.right.caller().principal.clone(),
        sink: Arc::downgrade(&sink),
        uris: filter.uris.iter().cloned().collect(),
    };
    let process = match service.sessions {
        Sharing::Shared => None,
        // Somebody has to be listened to, even if there is no call; and it hears of whatever other calls cause.
        _ => {
            let capabilities = "{}".to_owned();
            let kind = Kind { principal: listener.principal.clone(), capabilities, info: None, alone: false };
            let checkout = gateway.checkout(service, post.app);
            Some(gateway.bridge.processes.acquire(post.app, service, kind, checkout).await?)
        }
    };
    let running = process.as_ref().map_or(&service.primary, Use::running).clone();
    match process {
        Some(_) => gateway.bridge.processes.listen(post.app, listener),
        None => listener.listen_to(&running.link),
    }
    Ok(Feed::Listening(Box::new(Listening::new(id, filter, sink, running, process))))
}
