//! One message of a client's, from its arrival to its answer: what its sender may do is decided here, and nowhere else.

use super::{
    access::{Permit, Policy, Principal, permitted_tools},
    all,
    caller::Caller,
    classify::Fault,
    trail::{Trace, Trail},
};
use crate::{
    protocol::{Kind, Message, Params, RawId, codes, error_response, text_member},
    status::model::audit::Outcome,
};
use axum::http::StatusCode;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::watch;

/// A request that has been admitted and awaits its answer.
#[derive(Debug)]
pub struct Exchange {
    /// The raw id of the request.
    pub id: Box<str>,
    right: Right,
    /// The answer is a list of tools, of which the client is to see those it may use.
    lists_tools: bool,
    trail: Trail,
    answered: bool,
}

/// That which has been granted, for as long as it is.
#[derive(Clone, Debug)]
pub struct Right {
    caller: Caller,
    app: Arc<str>,
    /// The tool that it is about, if it is about one.
    tool: Option<Arc<str>>,
    policy: watch::Receiver<Arc<Policy>>,
    trace: Trace,
}

impl Right {
    /// What is granted now.
    pub fn permit(&self) -> Option<Arc<Permit>> {
        let policy = self.policy.borrow();
        if *self.app == *all::NAME {
            return policy.knows(&self.caller.principal).then(|| Arc::new(Permit::everything()));
        }
        policy.permit(&self.caller.principal, &self.app)
    }

    /// The right to use an app at all.
    pub fn to_use(policy: &watch::Receiver<Arc<Policy>>, caller: &Caller, app: &str, trace: Trace) -> Option<Right> {
        let mut policy = policy.clone();
        policy.mark_unchanged();
        let right = Right { caller: caller.clone(), app: app.into(), tool: None, policy, trace };
        right.permit().map(|_| right)
    }

    /// The right to ask for all apps at once what one may have of each.
    pub fn to_all(policy: &watch::Receiver<Arc<Policy>>, caller: &Caller, trace: Trace) -> Right {
        let mut policy = policy.clone();
        policy.mark_unchanged();
        Right { caller: caller.clone(), app: all::NAME.into(), tool: None, policy, trace }
    }

    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Records that what was sent is no message, or cannot be taken for one.
    pub fn refused(&self, fault: &Fault) {
        self.trace.refused(&self.caller, &self.app, Outcome::Error, fault);
    }

    /// What has become of it since it was looked at last. Costs next to nothing as long as the policy stays.
    pub fn review(&mut self) -> Review {
        if self.caller.is_over() {
            return Review::Withdrawn;
        }
        if !self.policy.has_changed().unwrap_or(false) {
            return Review::Same;
        }
        self.policy.mark_unchanged();
        match self.permit() {
            Some(permit) if self.tool.as_ref().is_none_or(|tool| permit.allows_tool(tool)) => Review::Holds(permit),
            _ => {
                // So that this is the answer from now on.
                self.policy.mark_changed();
                Review::Withdrawn
            }
        }
    }

    /// Waits until another policy is in force than the one by which this was looked at last, or what the caller has shown of
    /// itself ends.
    pub async fn reviewed(&self) {
        let mut policy = self.policy.clone();
        let changed = async {
            if policy.changed().await.is_err() {
                // The agent is ending, and with it whatever this is about.
                std::future::pending().await
            }
        };
        tokio::select! {
            () = changed => {}
            () = self.caller.over() => {}
        }
    }
}

/// What has become of a right.
#[derive(Clone, Debug)]
pub enum Review {
    /// The policy is as it was.
    Same,
    /// By another policy, with this.
    Holds(Arc<Permit>),
    Withdrawn,
}

/// What has been decided of a message.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made once for each message and moved on; nearly all are requests")]
pub enum Admitted {
    Request(Exchange),
    /// A notification, or a response: nobody answers it.
    Other(Trail),
}

impl Admitted {
    /// What is recorded of it.
    pub fn trail(&self) -> &Trail {
        match self {
            Admitted::Request(exchange) => &exchange.trail,
            Admitted::Other(trail) => trail,
        }
    }
}

impl Exchange {
    /// Decides whether a message may be forwarded.
    pub fn admit(right: &Right, message: &Message<'_>, params: &Params<'_>) -> Result<Admitted, Fault> {
        Exchange::judge(right, message, params)
            .inspect_err(|fault| right.trace.denied(&right.caller, &right.app, message, params, fault))
    }

    fn judge(right: &Right, message: &Message<'_>, params: &Params<'_>) -> Result<Admitted, Fault> {
        let begin = || right.trace.begin(&right.caller, &right.app, message, params);
        if message.kind == Kind::Notification && !message.method.starts_with("notifications/") {
            // What is forwarded without being judged must not be taken for a call by a server that looks at methods only.
            let text = format!("{:?} is no notification, and a request has an id", message.method);
            return Err(Fault::new(StatusCode::BAD_REQUEST, codes::INVALID_REQUEST, text));
        }
        if message.kind != Kind::Request {
            return Ok(Admitted::Other(begin()));
        }
        let permit = right.permit().ok_or_else(|| unknown_app(&right.app))?;
        let mut granted = right.clone();
        if message.method == "tools/call" && matches!(right.caller.principal, Principal::User(_)) {
            let name = params.name.and_then(text_member);
            // Whatever else stands for a name is the server's to refuse, but for one who may not call everything.
            if permit.is_restricted() && !name.as_ref().is_some_and(|name| permit.allows_tool(name)) {
                return Err(denied(params));
            }
            granted.tool = name.map(Into::into);
        }
        let lists_tools = message.method == "tools/list";
        let id = message.id.map_or("null", |RawId(raw)| raw).into();
        let trail = begin();
        Ok(Admitted::Request(Exchange { id, right: granted, lists_tools, trail, answered: false }))
    }

    /// A request in whose answer there is nothing to be judged.
    pub fn unjudged(right: Right, id: &str) -> Exchange {
        Exchange { id: id.into(), right, lists_tools: false, trail: Trail::default(), answered: false }
    }

    /// The same, where it stands for another one: what is recorded is recorded of that one.
    #[must_use]
    pub fn in_place_of(self, other: &Exchange) -> Exchange {
        Exchange { trail: self.trail.in_place_of(&other.trail), ..self }
    }

    /// The answer as its client is to have it.
    pub fn answered(&mut self, answer: Bytes, error_code: Option<i64>) -> Bytes {
        self.trail.answered(Some(&answer), error_code);
        self.answered = true;
        if !self.lists_tools {
            return answer;
        }
        // By what is granted now: this may have taken a while.
        match self.right.permit() {
            Some(permit) => {
                let text = std::str::from_utf8(&answer).unwrap_or_default();
                permitted_tools(text, &permit).map_or(answer, Bytes::from)
            }
            None => self.withdrawal(),
        }
    }

    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// What the client gets instead of an answer that it may not have any more.
    pub fn withdrawal(&self) -> Bytes {
        error_response(&self.id, codes::INVALID_PARAMS, "you may not use this any more", None).into()
    }

    /// Whether the client may not have the answer any more. Costs next to nothing as long as the policy stays.
    pub fn is_withdrawn(&mut self) -> bool {
        matches!(self.right.review(), Review::Withdrawn)
    }

    /// Waits until another policy is in force.
    pub async fn reviewed(&self) {
        self.right.reviewed().await;
    }

    /// What is recorded of it.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }
}

/// The answer is the same as for an app that nobody has.
pub fn unknown_app(app: &str) -> Fault {
    Fault::new(StatusCode::NOT_FOUND, codes::INVALID_REQUEST, format!("there is no app {app:?} here"))
}

/// A result of the protocol's own: the server would say the same of a tool that it does not have.
fn denied(params: &Params<'_>) -> Fault {
    let name = params.name.and_then(text_member).unwrap_or_default();
    let text = format!("there is no tool {name:?} here that you may call");
    Fault { denied: true, ..Fault::new(StatusCode::OK, codes::INVALID_PARAMS, text) }
}
