//! The span of a request at its server, and what the server is told of the trace that it belongs to.

use super::Link;
use crate::{
    protocol::{Message, Object, Params, text_member, trace_context},
    telemetry::span::{Described, KeyValue, Parent, Span, SpanKind, text},
};
use std::ops::Range;

/// A request that the server has.
#[derive(Debug)]
pub(super) struct Traced {
    span: Span,
    calls_tool: bool,
    /// It has come to its end by itself.
    answered: bool,
}

/// Parts of a message with what is to stand there instead.
type Edits = Vec<(Range<usize>, String)>;

impl Traced {
    /// Begins a span below the one that this thread works for, if there is one: then the server is told of it, in the
    /// changes of the message that are returned. Without, everything is left as it is.
    pub(super) fn begin(
        link: &Link,
        message: &Message<'_>,
        params: &Params<'_>,
        id: u64,
    ) -> (Option<Box<Traced>>, Edits) {
        let parent = Parent::current();
        if parent.is_none() {
            return (None, Vec::new());
        }
        // Of what nobody collects the server is told as much, so that it does not begin to.
        let traced = parent.is_sampled().then(|| {
            let span = Span::start(SpanKind::Client, &parent, || {
                let mut described = of_message(message, params);
                described.attributes.extend([
                    KeyValue::new("jsonrpc.request.id", id.to_string()),
                    KeyValue::new("network.transport", link.transport),
                    KeyValue::new("mcpfleet.app.name", link.app.to_string()),
                    KeyValue::new("mcpfleet.instance.id", link.instance.to_string()),
                ]);
                described
            });
            Box::new(Traced { span, calls_tool: message.method == "tools/call", answered: false })
        });
        let parent = traced.as_ref().map_or(parent, |traced| traced.span.as_parent());
        let edits = parent.carried().map(|(own, state)| trace_context::carry(message, params, &own, &state));
        (traced, edits.unwrap_or_default())
    }

    /// The server has answered.
    pub(super) fn answered(mut self, answer: &Message<'_>) {
        self.answered = true;
        if answer.error.is_some() {
            self.failed(answer.error_code());
        } else if self.calls_tool && answer.result.is_some_and(is_tool_error) {
            self.span.failed("tool_error");
        }
    }

    /// It is over, as such requests are.
    pub(super) fn ended(mut self) {
        self.answered = true;
    }

    /// It was answered in the server's place.
    pub(super) fn gone(mut self, code: i64) {
        self.answered = true;
        self.failed(Some(code));
    }

    /// Its client has cancelled it, or does not wait any more.
    pub(super) fn cancelled(mut self) {
        self.answered = true;
        self.span.failed("cancelled");
    }

    fn failed(&self, code: Option<i64>) {
        let code = code.map_or_else(|| "_OTHER".to_owned(), |code| code.to_string());
        self.span.set(KeyValue::new("rpc.response.status_code", code.clone()));
        self.span.failed(code);
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if !self.answered {
            self.span.failed("abandoned");
        }
    }
}

/// Whether the result of a call (raw JSON) says that the tool has failed.
fn is_tool_error(result: &str) -> bool {
    // Most have no such member, and are not read once more to find that out.
    memchr::memmem::find(result.as_bytes(), b"\"isError\"").is_some()
        && Object::read(result).get("isError") == Some("true")
}

/// Whether an answer (a whole message) says so.
pub fn has_tool_failed(answer: &[u8]) -> bool {
    memchr::memmem::find(answer, b"\"isError\"").is_some()
        && Message::parse(answer).is_ok_and(|answer| answer.result.is_some_and(is_tool_error))
}

/// What the conventions for MCP say of a message, whoever receives it: name and attributes, all text bounded.
pub fn of_message(message: &Message<'_>, params: &Params<'_>) -> Described {
    let method = text(&message.method);
    let mut attributes = Vec::with_capacity(12);
    let mut name = method.clone();
    attributes.push(KeyValue::new("mcp.method.name", method));
    let mut target = |key: &'static str| {
        if let Some(target) = params.name.and_then(text_member).map(|target| text(&target)) {
            name = format!("{name} {target}");
            attributes.push(KeyValue::new(key, target));
        }
    };
    match message.method.as_ref() {
        "tools/call" => {
            target("gen_ai.tool.name");
            attributes.push(KeyValue::new("gen_ai.operation.name", "execute_tool"));
        }
        "prompts/get" => target("gen_ai.prompt.name"),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            let uri = params.uri.and_then(text_member);
            attributes.extend(uri.map(|uri| KeyValue::new("mcp.resource.uri", text(&plain_uri(&uri)))));
        }
        _ => {}
    }
    Described { name: name.into(), attributes, ..Described::default() }
}

/// A URI without what may be a secret in it: the user, and what comes after `?` and `#`.
fn plain_uri(uri: &str) -> String {
    let uri = uri.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = uri.split_once("://") else { return uri.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(raw: &str) -> (String, Vec<String>) {
        let message = Message::parse(raw.as_bytes()).unwrap();
        let Described { name, attributes, .. } = of_message(&message, &message.params());
        let attributes = attributes.iter().map(|pair| format!("{}={}", pair.key, pair.value));
        (name.into_owned(), attributes.collect())
    }

    #[test]
    fn what_is_told_of_messages() {
        let (name, attributes) = described(r#"{"id":1,"method":"tools/call","params":{"name":"e\u001bcho"}}"#);
        assert_eq!(name, r"tools/call e\u{1b}cho");
        let expected =
            ["mcp.method.name=tools/call", r"gen_ai.tool.name=e\u{1b}cho", "gen_ai.operation.name=execute_tool"];
        assert_eq!(attributes, expected);
        let uri = r#"{"id":1,"method":"resources/read","params":{"uri":"db://u:p@h:1/a@b?token=x#y"}}"#;
        assert_eq!(described(uri).0, "resources/read");
        assert_eq!(described(uri).1, ["mcp.method.name=resources/read", "mcp.resource.uri=db://h:1/a@b"]);
        let secret = r#"{"id":1,"method":"tools/call","params":{"name":7,"arguments":{"password":"hunter2"}}}"#;
        assert_eq!(described(secret).0, "tools/call");
        assert!(!described(secret).1.concat().contains("hunter2"));
        let long = format!(r#"{{"id":1,"method":"prompts/get","params":{{"name":"{}é"}}}}"#, "x".repeat(255));
        assert_eq!(described(&long).0, format!("prompts/get {}", "x".repeat(255)));
    }

    #[test]
    fn tools_that_have_failed() {
        for (answer, failed) in [
            (r#"{"id":1,"result":{"isError":true,"content":[]}}"#, true),
            (r#"{"id":1,"result":{"isError":false}}"#, false),
            (r#"{"id":1,"result":{"content":[{"isError":true}]}}"#, false),
            (r#"{"id":1,"result":{}}"#, false),
            (r#"{"id":1,"error":{"code":1}}"#, false),
        ] {
            assert_eq!(has_tool_failed(answer.as_bytes()), failed, "{answer}");
        }
    }
}
