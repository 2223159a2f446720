//! Any message survives to the byte, but for the fields that are mapped and the line breaks between its parts.

mod exchange;
mod template;
mod text;

use super::stage::Stage;
use exchange::{Conversation, Era, converse};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::json;
use template::{Hole, Template};
use text::{answer, id, message, object, value};

/// What a client asks in the modern era, and whether it listens.
const MODERN: &[(&str, bool)] =
    &[("tools/call", false), ("resources/read", false), ("nobody/knows this", false), ("subscriptions/listen", true)];

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text")
}

/// The request, with what the server is to say in its parameters.
fn request(
    era: Era,
    method: &str,
    name: &str,
    script: &[Template],
    meta: Vec<(&'static str, Template)>,
) -> BoxedStrategy<Template> {
    let mut meta = meta;
    if era == Era::Modern {
        meta.push(("io.modelcontextprotocol/protocolVersion", r#""2026-07-28""#.into()));
        meta.push(("io.modelcontextprotocol/logLevel", r#""debug""#.into()));
        meta.push(("io.modelcontextprotocol/clientCapabilities", "{}".into()));
    }
    let script: Vec<Vec<String>> = script.iter().map(Template::script).collect();
    let script = Template::from(json!(script).to_string());
    let (method, name) = (Template::from(quoted(method)), Template::from(quoted(name)));
    let parts = (object(meta), value());
    parts
        .prop_flat_map(move |(meta, arguments)| {
            let params = vec![
                ("_meta", meta),
                ("mirror", script.clone()),
                ("name", name.clone()),
                ("uri", name.clone()),
                ("arguments", arguments.into()),
            ];
            let method = method.clone();
            object(params).prop_flat_map(move |params| {
                message(vec![("id", Hole::Id.into()), ("method", method.clone()), ("params", params)])
            })
        })
        .boxed()
}

fn notification(method: &'static str, params: Vec<(&'static str, Template)>) -> BoxedStrategy<Template> {
    object(params)
        .prop_flat_map(move |params| message(vec![("method", Template::from(quoted(method))), ("params", params)]))
        .boxed()
}

fn progress() -> BoxedStrategy<Template> {
    notification("notifications/progress", vec![("progressToken", Hole::Token.into()), ("progress", "1".into())])
}

/// An id as another program would write it back.
fn respelled(id: &str) -> String {
    serde_json::from_str::<String>(id).map_or_else(|_| id.to_owned(), |text| quoted(&text))
}

/// A conversation in the era of sessions.
fn legacy() -> BoxedStrategy<Conversation> {
    let asks = (id(), "[a-z]{1,9}(/[a-z]{1,9})?", value(), vec(value(), 0..2));
    let asks = asks.prop_flat_map(|(asked, method, result, extra)| {
        let params = object(extra.into_iter().map(|value| ("extra", value.into())).collect());
        let question = params.prop_flat_map({
            let asked = asked.clone();
            move |params| {
                let id = ("id", asked.as_str().into());
                message(vec![id, ("method", quoted(&method).into()), ("params", params)])
            }
        });
        (question, message(vec![("id", respelled(&asked).into()), ("result", result.into())]))
    });
    let said = (progress(), notification("notifications/message", vec![]), asks, answer(false));
    let told = notification("notifications/of_a_kind", vec![("requestId", "1".into())]);
    (said, told, id(), id(), "[a-z]{1,9}/[a-z]{1,9}", ".{0,9}")
        .prop_flat_map(|((progress, log, (question, reply), answer), told, id, token, method, name)| {
            let said = vec![progress, log, question, answer];
            let meta = vec![("progressToken", Hole::Token.into())];
            let request = request(Era::Legacy, &method, &name, &said, meta);
            request.prop_map(move |request| Conversation {
                headers: Vec::new(),
                request,
                id: id.clone(),
                token: Some(token.clone()),
                said: said.clone(),
                told: vec![reply.clone(), told.clone()],
            })
        })
        .boxed()
}

/// A conversation in the stateless era.
fn modern() -> BoxedStrategy<Conversation> {
    let kind = proptest::sample::select(MODERN);
    let begun = (kind, id(), option::of(id()), "\\PC{0,9}");
    let held = begun.prop_flat_map(|((method, listens), id, token, name)| {
        let subscription = object(vec![("io.modelcontextprotocol/subscriptionId", Hole::Id.into())]);
        let changed =
            subscription.prop_flat_map(|meta| notification("notifications/tools/list_changed", vec![("_meta", meta)]));
        let log = notification("notifications/message", vec![("level", r#""info""#.into())]);
        let told = if listens { changed.boxed() } else { log };
        (told, progress(), answer(listens)).prop_flat_map(move |(told, progress, answer)| {
            let mut said = vec![told, answer];
            if token.is_some() {
                said.insert(0, progress);
            }
            let meta = token.iter().map(|_| ("progressToken", Hole::Token.into())).collect();
            let (id, token) = (id.clone(), token.clone());
            let headers = exchange::headers(method, &name);
            request(Era::Modern, method, &name, &said, meta).prop_map(move |request| Conversation {
                headers: headers.clone(),
                request,
                id: id.clone(),
                token: token.clone(),
                said: said.clone(),
                told: Vec::new(),
            })
        })
    });
    held.boxed()
}

fn hold(era: Era, conversations: &BoxedStrategy<Conversation>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = runtime.block_on(Stage::with(&["--mirror"], json!({})));
    let session = runtime.block_on(stage.session());
    runtime.block_on(exchange::heard(&session));
    let session = (era == Era::Legacy).then_some(&session);
    // A process and a session for all of them: what one leaves behind would show with the next.
    let mut runner =
        TestRunner::new(Config { cases: 100, max_shrink_iters: 30, failure_persistence: None, ..Config::default() });
    let held = runner.run(conversations, |conversation| {
        runtime.block_on(converse(&stage, session, &conversation)).map_err(TestCaseError::fail)
    });
    if let Err(error) = held {
        panic!("{error}");
    }
}

#[test]
fn any_message_of_a_session_survives() {
    hold(Era::Legacy, &legacy());
}

#[test]
fn any_message_of_the_stateless_era_survives() {
    hold(Era::Modern, &modern());
}

/// What is too large to be made at random.
#[tokio::test]
async fn large_and_deep_messages_survive() {
    let stage = Stage::with(&["--mirror"], json!({})).await;
    let session = stage.session().await;
    exchange::heard(&session).await;
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let digits = "12345678901234567890123456789012345678901234567890,".repeat(1000);
    // A message may have 4 MiB in all.
    for value in [format!("\"{}\"", "x".repeat(4_000_000)), deep(1_000_000), format!("[{digits}-0.0]")] {
        for era in [Era::Legacy, Era::Modern] {
            for outwards in [false, true] {
                let (given, extra) = if outwards { ("0", value.as_str()) } else { (value.as_str(), "0") };
                let conversation = plain(era, given, extra);
                let session = (era == Era::Legacy).then_some(&session);
                converse(&stage, session, &conversation).await.unwrap();
            }
        }
    }
}

/// A call with `given` for its arguments, answered with `extra`.
fn plain(era: Era, given: &str, extra: &str) -> Conversation {
    let answer = Template::from(format!(r#"{{"jsonrpc":"2.0","result":{{"extra":{extra},"line":"#));
    let answer = answer.then(Hole::Line).then(r#"},"id":"#).then(Hole::Id).then("}");
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let (meta, headers) = match era {
        Era::Legacy => (json!({}), Vec::new()),
        Era::Modern => (meta, exchange::headers("tools/call", "n")),
    };
    let script = json!([answer.script()]);
    let request = Template::from(r#"{"jsonrpc":"2.0","id":"#).then(Hole::Id).then(format!(
        r#","method":"tools/call","params":{{"name":"n","_meta":{meta},"mirror":{script},"arguments":{given}}}}}"#
    ));
    Conversation { headers, request, id: "\"1\"".into(), token: None, said: vec![answer], told: Vec::new() }
}
