//! What is told line by line: logs and events, those that are kept and, for who follows, those to come.

use super::{Api, sight::Sight};
use crate::{
    gateway::{Caller, problem},
    instance::logs::{Line, NoLines, Whose},
    status::{
        asked::{Named, Wanted},
        model::{
            LogLine,
            event::{Details, Event, EventKind, EventLevel},
        },
    },
};
use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{convert::Infallible, pin::Pin, sync::Arc};
use tokio::sync::broadcast::{Receiver, error::RecvError};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogQuery {
    /// How many of the last lines.
    #[serde(default = "hundred")]
    #[param(required = false, default = 100)]
    tail: usize,
    /// Also those to come: then the answer has no end.
    #[serde(default)]
    #[param(required = false, default = false)]
    follow: bool,
    /// Only those of this process, by its id in the status.
    instance: Option<String>,
    /// Those of the last process that stood for the app and has ended.
    #[serde(default)]
    #[param(required = false, default = false)]
    previous: bool,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventQuery {
    /// Only those about this app.
    app: Option<String>,
    /// How many of the last ones.
    #[serde(default = "hundred")]
    #[param(required = false, default = 100)]
    tail: usize,
    /// Also those to come: then the answer has no end.
    #[serde(default)]
    #[param(required = false, default = false)]
    follow: bool,
}

fn hundred() -> usize {
    100
}

/// What the servers of an app wrote to their standard error, as JSON lines, oldest first.
#[utoipa::path(get, path = "/v1/apps/{name}/logs", tag = "status", params(("name" = String, Path, description = "The app."), LogQuery),
    responses((status = 200, content_type = "application/x-ndjson", body = LogLine, description = "One line of theirs a line.")))]
pub(super) async fn logs(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Named(name): Named,
    Wanted(query): Wanted<LogQuery>,
) -> Response {
    let mut sight = Sight::of(&api, caller.clone());
    if !sight.reads(Some(&name)) && sight.uses(&name) {
        let text = format!("no role of yours has a rule with the resource `app` and the verb `read` for {name:?}");
        return problem(StatusCode::FORBIDDEN, "not-allowed", &text);
    }
    let entry = api.store.gateway.fleet.all().into_iter().find(|entry| *entry.name == *name);
    let Some(entry) = entry.filter(|_| sight.reads(Some(&name))) else {
        return problem(StatusCode::NOT_FOUND, "unknown-app", &format!("there is no app {name:?} here"));
    };
    let LogQuery { tail, follow, instance, previous } = query;
    let whose = match instance {
        Some(instance) => Whose::Instance(instance),
        None if previous => Whose::Previous,
        None => Whose::All,
    };
    // What has ended writes nothing more.
    let found = match follow && whose != Whose::Previous {
        true => entry.logs.follow(&whose, tail).map(|(kept, coming)| (kept, Some(coming))),
        false => entry.logs.tail_of(&whose, tail).map(|kept| (kept, None)),
    };
    match found {
        Ok((kept, coming)) => lines(Lines {
            kept: kept.iter().map(|line| LogLine::from(&**line)).collect(),
            coming,
            wanted: move |line: &Line| match &whose {
                Whose::Instance(wanted) => (*line.instance == **wanted).then(|| line.into()),
                Whose::All | Whose::Previous => Some(line.into()),
            },
            missed: lines_missed,
            over: until(caller, async move { sight.lost(|sight| sight.reads(Some(&name))).await }),
        }),
        Err(error @ NoLines::Instance(_)) => problem(StatusCode::NOT_FOUND, "unknown-instance", &error.to_string()),
        Err(error @ NoLines::Previous) => problem(StatusCode::NOT_FOUND, "no-previous-run", &error.to_string()),
    }
}

/// What happened to apps, sources and changes, as JSON lines, oldest first.
#[utoipa::path(get, path = "/v1/events", tag = "status", params(EventQuery),
    responses((status = 200, content_type = "application/x-ndjson", body = Event, description = "One event a line.")))]
pub(super) async fn events(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Wanted(query): Wanted<EventQuery>,
) -> Response {
    let mut sight = Sight::of(&api, caller.clone());
    let journal = api.store.gateway.fleet.journal();
    let EventQuery { app, tail, follow } = query;
    // Of all that are kept, where not all of them count.
    let look_at = if sight.is_limited() { usize::MAX } else { tail };
    let (mut kept, coming) = match follow {
        true => {
            let (kept, coming) = journal.follow(app.as_deref(), look_at);
            (kept, Some(coming))
        }
        false => (journal.tail(app.as_deref(), look_at), None),
    };
    kept.retain(|event| sight.reads(event.app.as_deref()));
    kept.drain(..kept.len().saturating_sub(tail));
    let mut known = Sight::clone(&sight);
    lines(Lines {
        kept,
        coming,
        wanted: move |event: &Event| {
            let wanted = app.is_none() || event.app == app;
            (wanted && sight.reads(event.app.as_deref())).then(|| event.clone())
        },
        missed: events_missed,
        over: until(caller, async move { known.lost(|sight| sight.is_known()).await }),
    })
}

/// Waits until that is lost, or what the caller has shown of itself ends.
pub(super) fn until(
    caller: Caller,
    lost: impl Future<Output = ()> + Send + 'static,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        tokio::select! {
            () = lost => {}
            () = caller.over() => {}
        }
    })
}

/// An answer of JSON lines.
pub(super) struct Lines<K, T, W, L> {
    /// What is there already.
    pub kept: Vec<K>,
    /// `None`: the answer ends with that.
    pub coming: Option<Receiver<Arc<T>>>,
    /// What is told of one that comes, if anything.
    pub wanted: W,
    /// What is told to who was too slow for so many.
    pub missed: fn(u64) -> L,
    /// Ends when nothing more may be told.
    pub over: Pin<Box<dyn Future<Output = ()> + Send>>,
}

pub(super) fn lines<K, T, W, L>(lines: Lines<K, T, W, L>) -> Response
where
    K: Serialize,
    T: Send + Sync + 'static,
    W: FnMut(&T) -> Option<L> + Send + 'static,
    L: Serialize + 'static,
{
    let Lines { kept, coming, wanted, missed, over } = lines;
    let opening: Bytes = kept.iter().flat_map(written).collect::<Vec<u8>>().into();
    let body = match coming {
        None => Body::from(opening),
        Some(coming) => {
            let state = (Some(opening), coming, wanted, over);
            Body::from_stream(futures_util::stream::unfold(state, move |state| async move {
                let (opening, mut coming, mut wanted, mut over) = state;
                if let Some(opening) = opening {
                    return Some((Ok::<_, Infallible>(opening), (None, coming, wanted, over)));
                }
                loop {
                    let received = tokio::select! {
                        biased;
                        () = &mut over => return None,
                        received = coming.recv() => received,
                    };
                    let line = match received {
                        Ok(item) => wanted(&item).map(|line| written(&line)),
                        // A reader that is too slow misses something, and holds up nobody.
                        Err(RecvError::Lagged(count)) => Some(written(&missed(count))),
                        Err(RecvError::Closed) => return None,
                    };
                    if let Some(line) = line {
                        return Some((Ok(line.into()), (None, coming, wanted, over)));
                    }
                }
            }))
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-ndjson"));
    response
}

fn lines_missed(count: u64) -> LogLine {
    let text = format!("{count} lines of this app came faster than they were read, and are left out here");
    LogLine { time: Timestamp::now(), instance: String::new(), text, missed: Some(count) }
}

pub(super) fn events_missed(count: u64) -> Event {
    Event {
        sequence: 0,
        time: Timestamp::now(),
        level: EventLevel::Warning,
        kind: EventKind::Missed.word().into(),
        app: None,
        instance: None,
        message: format!("{count} events came faster than they were read, and are left out here"),
        details: Details { missed: Some(count), ..Details::default() },
    }
}

fn written(item: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(item).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
