//! Messages of one era in the words of the other. Pure.

use crate::protocol::{Edit, LEGACY_VERSIONS, MODERN_VERSION, Message, Object, Params, codes, meta, one_line};
use serde_json::{Value, json};

/// The capability with which a client declares that it answers requests of a method; `None`: it is not asked such.
pub fn capability(method: &str) -> Option<&'static str> {
    match method {
        "elicitation/create" => Some("elicitation"),
        "sampling/createMessage" => Some("sampling"),
        "roots/list" => Some("roots"),
        _ => None,
    }
}

/// What in `_meta` belongs to the stateless era.
const STATELESS: &[&str] = &[meta::PROTOCOL_VERSION, meta::CLIENT_CAPABILITIES, meta::CLIENT_INFO, meta::LOG_LEVEL];

/// A stateless request as the server of a session understands it.
pub fn to_session(message: &Message<'_>, params: &Params<'_>) -> Vec<u8> {
    let Some(raw) = message.params else { return message.raw.into() };
    let meta = Object::read(params.meta.unwrap_or("{}")).without(STATELESS);
    let object = Object::read(raw);
    let params = match meta.is_empty() {
        true => object.without(&["_meta"]).with(&[]),
        false => object.with(&[("_meta", &meta.with(&[]))]),
    };
    replaced(message, raw, &params)
}

/// What a client of a session has said of itself, for each of its requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Introduction {
    /// Raw JSON.
    pub capabilities: String,
    /// Raw JSON.
    pub info: Option<String>,
    /// Raw JSON; the level of `logging/setLevel`.
    pub level: Option<String>,
}

impl Introduction {
    /// From the `params` of `initialize`.
    pub fn read(params: Option<&str>) -> Self {
        let params = Object::read(params.unwrap_or("{}"));
        let object = |key| params.get(key).filter(|raw| raw.starts_with('{')).map(str::to_owned);
        let capabilities = object("capabilities").unwrap_or_else(|| "{}".to_owned());
        Introduction { capabilities, info: object("clientInfo"), level: None }
    }

    /// `_meta` of a request, with what the client itself has put there.
    fn meta(&self, own: Option<&str>) -> String {
        let version = format!("\"{MODERN_VERSION}\"");
        let mut set = vec![(meta::PROTOCOL_VERSION, version.as_str()), (meta::CLIENT_CAPABILITIES, &self.capabilities)];
        set.extend(self.info.as_deref().map(|info| (meta::CLIENT_INFO, info)));
        set.extend(self.level.as_deref().map(|level| (meta::LOG_LEVEL, level)));
        Object::read(own.unwrap_or("{}")).with(&set)
    }
}

/// A request of a session as a stateless server understands it; with the answers that the server has asked for, if it
/// has.
pub fn to_stateless(
    message: &Message<'_>,
    params: &Params<'_>,
    client: &Introduction,
    retry: &[(&str, &str)],
) -> Vec<u8> {
    let meta = client.meta(params.meta);
    let set: Vec<_> = retry.iter().copied().chain([("_meta", meta.as_str())]).collect();
    let object = Object::read(message.params.unwrap_or("{}")).with(&set);
    match message.params {
        Some(raw) => replaced(message, raw, &object),
        None => Object::read(message.raw).with(&[("params", &object)]).into(),
    }
}

/// An answer of a session's server as a stateless client understands it, under the client's own id, and its error code.
pub fn answer_to_stateless(
    answer: &Message<'_>,
    id: &str,
    method: &str,
    server_info: Option<&str>,
) -> (Vec<u8>, Option<i64>) {
    if let Some(error) = answer.error {
        // "Resource not found" has a code of its own in sessions only.
        let code = answer.error_code().map(|code| if code == -32002 { codes::INVALID_PARAMS } else { code });
        let number = code.unwrap_or(codes::INTERNAL_ERROR).to_string();
        let error = match code == answer.error_code() {
            true => error.to_owned(),
            false => Object::read(error).with(&[("code", &number)]),
        };
        return (format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into(), code);
    }
    let object = Object::read(answer.result.unwrap_or("{}"));
    let own_meta = Object::read(object.get("_meta").unwrap_or("{}"));
    let meta = server_info.filter(|_| own_meta.get(meta::SERVER_INFO).is_none());
    let meta = meta.map(|info| own_meta.with(&[(meta::SERVER_INFO, info)]));
    let mut set = Vec::new();
    if object.get("resultType").is_none() {
        set.push(("resultType", "\"complete\""));
    }
    if is_cacheable(method) && object.get("ttlMs").is_none() {
        // Nobody has promised that it stays so, nor that it is the same for everybody.
        set.extend([("ttlMs", "0"), ("cacheScope", "\"private\"")]);
    }
    set.extend(meta.as_deref().map(|meta| ("_meta", meta)));
    (result(id, &object.with(&set)), None)
}

/// A response with a result that is raw JSON.
pub fn result(id: &str, result: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).into()
}

/// What a stateless server has answered, for the client of a session.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Final(Vec<u8>),
    /// It wants to know something first.
    InputRequired {
        /// By key, each with its raw request.
        requests: Vec<(String, String)>,
        /// Raw JSON, to be given back as it is.
        state: Option<String>,
    },
}

pub fn answer_to_session(answer: &Message<'_>) -> Answer {
    let Some(raw) = answer.result else { return Answer::Final(answer.raw.into()) };
    let result = Object::read(raw);
    match result.get("resultType") {
        Some(r#""input_required""#) => {
            let requests = Object::read(result.get("inputRequests").unwrap_or("{}"));
            let requests = requests.iter().map(|(key, request)| (key.to_owned(), request.to_owned())).collect();
            Answer::InputRequired { requests, state: result.get("requestState").map(str::to_owned) }
        }
        Some(_) => Answer::Final(replaced(answer, raw, &result.without(&["resultType"]).with(&[]))),
        None => Answer::Final(answer.raw.into()),
    }
}

/// What `server/discover` says of a server that knows `initialize` only.
pub fn discovery(introduction: &Value) -> Value {
    let versions: Vec<_> = std::iter::once(MODERN_VERSION).chain(LEGACY_VERSIONS).collect();
    let mut capabilities = introduction.get("capabilities").cloned().unwrap_or_else(|| json!({}));
    if let Some(capabilities) = capabilities.as_object_mut() {
        // It is another thing in the stateless era.
        capabilities.remove("tasks");
    }
    let mut result = json!({
        "resultType": "complete",
        "supportedVersions": versions,
        "capabilities": capabilities,
        "ttlMs": 0,
        "cacheScope": "private",
    });
    for (from, to) in [("/instructions", "instructions"), ("/serverInfo", "_meta")] {
        if let (Some(value), Some(result)) = (introduction.pointer(from), result.as_object_mut()) {
            let value = if to == "_meta" { json!({ meta::SERVER_INFO: value }) } else { value.clone() };
            result.insert(to.into(), value);
        }
    }
    result
}

/// What `initialize` says of a server that knows `server/discover` only.
pub fn initialization(discovered: &Value, asked: &str) -> Value {
    let newest = LEGACY_VERSIONS.first().copied().unwrap_or_default();
    let version = if LEGACY_VERSIONS.contains(&asked) { asked } else { newest };
    let info = discovered.get("_meta").and_then(|m| m.get(meta::SERVER_INFO)).cloned();
    let mut capabilities = discovered.get("capabilities").cloned().unwrap_or_else(|| json!({}));
    if let Some(capabilities) = capabilities.as_object_mut() {
        // Each request says what of the log it wants, and the gateway remembers it for the session.
        capabilities.entry("logging").or_insert_with(|| json!({}));
    }
    let mut result = json!({
        "protocolVersion": version,
        "capabilities": capabilities,
        "serverInfo": info.unwrap_or_else(|| json!({ "name": "unknown", "version": "unknown" })),
    });
    if let (Some(text), Some(result)) = (discovered.get("instructions"), result.as_object_mut()) {
        result.insert("instructions".into(), text.clone());
    }
    result
}

/// A notification with the id of the subscription that it goes out on.
pub fn on_subscription(message: &Message<'_>, id: &str) -> Vec<u8> {
    let params = Object::read(message.params.unwrap_or("{}"));
    let meta = Object::read(params.get("_meta").unwrap_or("{}")).with(&[(meta::SUBSCRIPTION_ID, id)]);
    let params = params.with(&[("_meta", &meta)]);
    Object::read(message.raw).with(&[("params", &params)]).into()
}

/// The methods of the stateless era whose results say for how long they may be kept.
fn is_cacheable(method: &str) -> bool {
    matches!(method, "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list" | "resources/read")
}

/// A message with one raw value of it replaced, on one line.
fn replaced(message: &Message<'_>, value: &str, with: &str) -> Vec<u8> {
    let mut out = Vec::new();
    one_line(message.raw, &[Edit { at: message.span(value), with }], &mut out);
    out
}

#[cfg(test)]
mod tests;
