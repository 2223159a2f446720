//! A conversation of a client with the server, and whether each has heard what the other has said.

use super::{
    super::stage::{MODERN, Session, Stage, is_stream},
    template::{Hole, Part, Template, on_one_line},
};
use crate::support::PATIENCE;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    Legacy,
    Modern,
}

#[derive(Clone, Debug)]
pub struct Conversation {
    pub headers: Vec<(&'static str, String)>,
    /// What the client asks, with what the server is to say in it.
    pub request: Template,
    /// Raw JSON.
    pub id: String,
    pub token: Option<String>,
    /// What the server says. The last is its answer, which has the line in it that the server has read.
    pub said: Vec<Template>,
    /// What the client says afterwards, without being answered; in a session only.
    pub told: Vec<Template>,
}

/// The headers that go with a modern request.
pub fn headers(method: &str, name: &str) -> Vec<(&'static str, String)> {
    let name = format!("=?base64?{}?=", BASE64.encode(name));
    vec![("mcp-protocol-version", MODERN.into()), ("mcp-method", method.into()), ("mcp-name", name)]
}

/// Holds a conversation; an error says what has not survived.
pub async fn converse(stage: &Stage, session: Option<&Session<'_>>, c: &Conversation) -> Result<(), String> {
    let held = tokio::time::timeout(PATIENCE, hold(stage, session, c)).await;
    held.unwrap_or_else(|_| Err("nothing has come for too long".into()))
}

async fn hold(stage: &Stage, session: Option<&Session<'_>>, c: &Conversation) -> Result<(), String> {
    let token = || c.token.clone().unwrap_or_else(|| "null".into());
    let sent = c.request.with(|hole| if hole == Hole::Id { c.id.clone() } else { token() });
    let mut request = post(stage, session, sent);
    for (name, value) in &c.headers {
        request = request.header(*name, value);
    }
    let received = messages(request.send().await.map_err(|e| e.to_string())?).await?;
    let (Some(answer), Some(last)) = (c.said.last(), received.last()) else { return Err("no answer".into()) };
    let known = |hole| if hole == Hole::Id { c.id.clone() } else { token() };
    let line = line_in(answer, last, known)?;
    same("to the server", &line, &at_server(&c.request, &line)?)?;
    let quoted = serde_json::to_string(&line).expect("a text");
    let expected = c
        .said
        .iter()
        .map(|said| on_one_line(&said.with(|hole| if hole == Hole::Line { quoted.clone() } else { known(hole) })));
    for (received, expected) in received.iter().zip(expected) {
        same("to the client", received, &expected)?;
    }
    if received.len() != c.said.len() {
        return Err(format!("{} messages have come, not {}", received.len(), c.said.len()));
    }
    let Some(session) = session else { return Ok(()) };
    for told in &c.told {
        let status = post(stage, Some(session), told.with(|_| String::new())).send().await.map(|got| got.status());
        if !matches!(status, Ok(StatusCode::ACCEPTED)) {
            return Err(format!("{status:?} for {told:?}"));
        }
    }
    let told = c.told.iter().map(|told| on_one_line(&told.with(|_| String::new())));
    let heard = heard(session).await;
    if heard.len() != c.told.len() {
        return Err(format!("{heard:?} has been heard of {:?}", c.told));
    }
    heard.iter().zip(told).try_for_each(|(heard, told)| same("to the server, unanswered", heard, &told))
}

fn post(stage: &Stage, session: Option<&Session<'_>>, body: String) -> RequestBuilder {
    let request = stage.post(body);
    match session {
        Some(session) => request.header("mcp-session-id", &session.id),
        None => request,
    }
}

fn same(way: &str, is: &str, should: &str) -> Result<(), String> {
    if is == should {
        return Ok(());
    }
    let at = is.bytes().zip(should.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| {
        String::from_utf8_lossy(text.as_bytes().get(at.saturating_sub(60)..).unwrap_or_default())
            .chars()
            .take(160)
            .collect::<String>()
    };
    Err(format!("{way}, at byte {at}:\n{}\nshould be\n{}", around(is), around(should)))
}

/// The line that the server has read, from its answer.
fn line_in(answer: &Template, text: &str, mut known: impl FnMut(Hole) -> String) -> Result<String, String> {
    let before = answer.0.iter().take_while(|part| **part != Part::Hole(Hole::Line)).cloned().collect();
    let before = Template(before).with(&mut known).replace(['\r', '\n'], " ");
    let rest = text.strip_prefix(before.trim_start()).ok_or_else(|| format!("another answer: {text:.400}"))?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    values.next().and_then(Result::ok).ok_or_else(|| format!("no line in {text:.400}"))
}

/// What the server should have read: the request with another id, and the same for a token.
fn at_server(request: &Template, line: &str) -> Result<String, String> {
    let before = request.0.iter().take_while(|part| matches!(part, Part::Text(_))).cloned().collect();
    let before = Template(before).with(|_| String::new()).replace(['\r', '\n'], " ");
    let rest = line.strip_prefix(before.trim_start()).ok_or_else(|| format!("another request: {line:.400}"))?;
    let mapped: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Ok(on_one_line(&request.with(|_| mapped.clone())))
}

/// The messages of an answer, as they stand in it.
async fn messages(response: Response) -> Result<Vec<String>, String> {
    let stream = is_stream(&response);
    let body = response.text().await.map_err(|e| e.to_string())?;
    if !stream {
        return Ok(vec![body]);
    }
    let data = |event: &str| event.lines().find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    Ok(body.split("\n\n").filter_map(data).collect())
}

/// What has reached the server of a session without being a request, since this was last asked for.
pub async fn heard(session: &Session<'_>) -> Vec<String> {
    #[derive(Deserialize)]
    struct Answer {
        result: Vec<String>,
    }
    let script = [["{\"jsonrpc\":\"2.0\",\"id\":", "id", ",\"result\":", "heard", "}"]];
    let body = json!({"jsonrpc": "2.0", "id": "heard", "method": "x", "params": {"mirror": script}});
    let response = session.post(body).send().await.unwrap();
    response.json::<Answer>().await.unwrap().result
}
