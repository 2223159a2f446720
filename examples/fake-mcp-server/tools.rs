//! The tools: ways to look into the server and to make it do things.

use crate::{
    reach,
    server::{Answer, Call, Server, refusal},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, io::Write, process, time::Duration};

/// Name, description, and the arguments with their JSON types.
type Tool<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

const TOOLS: &[Tool] = &[
    ("echo", "Gives `text` back", &[("text", "string")]),
    (
        "sleep",
        "Answers after `ms`, with `steps` notices of progress if asked",
        &[("ms", "integer"), ("steps", "integer")],
    ),
    ("hold", "Answers once there is a file `path`", &[("path", "string")]),
    ("touch", "Tells whoever has subscribed to it that the resource `uri` was updated", &[("uri", "string")]),
    ("ask", "Asks the client's model about `text`", &[("text", "string")]),
    ("pid", "The number of the process", &[]),
    ("meta", "The `_meta` of this call, as JSON", &[]),
    ("env", "The environment, as JSON", &[]),
    ("process", "Directory, umask, descriptors and /proc status, as JSON", &[]),
    ("stats", "What has been asked for so far, as JSON", &[]),
    ("crash", "Ends the process with `code`, or aborts without one", &[("code", "integer")]),
    ("big", "Gives `bytes` bytes of text", &[("bytes", "integer")]),
    ("stderr", "Writes `text` to stderr, `lines` times", &[("text", "string"), ("lines", "integer")]),
    ("log", "Sends `text` as a log notification", &[("text", "string")]),
    (
        "babble",
        "Sends `count` log notifications of `bytes` that nobody has asked for",
        &[("count", "integer"), ("bytes", "integer")],
    ),
    ("change", "Changes the list of tools", &[]),
    ("eat", "Uses `mib` MiB of memory for ever", &[("mib", "integer")]),
    ("spawn", "Starts `count` processes that never end, and says how many it could", &[("count", "integer")]),
    ("read", "Gives the beginning of a file, or the names in a folder", &[("path", "string")]),
    ("write", "Writes `text` to a file", &[("path", "string"), ("text", "string")]),
    ("connect", "Connects to a TCP `address`", &[("address", "string")]),
    ("fail", "Answers with a tool error", &[]),
    ("refuse", "Answers with a protocol error", &[]),
];

/// The `changes`th list of tools: what `change` has added is at the end.
pub fn list(changes: u64) -> Value {
    let tool = |(name, description, arguments): Tool| {
        let properties: BTreeMap<_, _> = arguments.iter().map(|(name, kind)| (*name, json!({"type": kind}))).collect();
        json!({
            "name": name,
            "description": description,
            "inputSchema": {"type": "object", "properties": properties},
        })
    };
    let extra = (1..=changes).map(|n| tool((&format!("extra-{n}"), "Added by `change`", &[])));
    TOOLS.iter().copied().map(tool).chain(extra).collect()
}

/// Whether a call has to run on a thread of its own, from its line.
pub fn is_slow(line: &str) -> bool {
    ["\"sleep\"", "\"hold\"", "\"ask\"", "\"big\"", "\"babble\""].iter().any(|name| line.contains(name))
}

pub fn call(server: &Server, call: &Call) -> Answer {
    let name = call.params.get("name").and_then(Value::as_str).unwrap_or_default();
    *server.state().seen.entry(format!("call:{name}")).or_default() += 1;
    let words = |name: &str| call.argument(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| call.argument(name).and_then(Value::as_u64);
    Ok(match name {
        "echo" => text(words("text")),
        "sleep" => sleep(server, call, number("ms").unwrap_or(1000), number("steps").unwrap_or(0)),
        "hold" => hold(server, call, words("path")),
        "touch" => {
            let uri = words("uri");
            if server.state().subscriptions.contains(uri) {
                server.notify("notifications/resources/updated", json!({"uri": uri}));
            }
            text("touched")
        }
        "ask" => ask(server, call, words("text")),
        "pid" => text(process::id().to_string()),
        "meta" => text(call.params.get("_meta").unwrap_or(&Value::Null).to_string()),
        "env" => {
            let variables = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
            text(json!(variables.collect::<BTreeMap<_, _>>()).to_string())
        }
        "process" => text(look_at_process().map_err(|error| refusal(-32603, error.to_string()))?.to_string()),
        "stats" => {
            let state = server.state();
            text(json!({"calls": state.calls, "seen": state.seen, "cancelled": state.cancelled}).to_string())
        }
        "crash" => match number("code").and_then(|code| i32::try_from(code).ok()) {
            Some(code) => process::exit(code),
            None => process::abort(),
        },
        "big" => text("x".repeat(number("bytes").and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0))),
        "stderr" => {
            let mut stderr = std::io::stderr().lock();
            for _ in 0..number("lines").unwrap_or(1) {
                let _ = writeln!(stderr, "{}", words("text"));
            }
            text("written")
        }
        "log" => {
            server.log(call, "info", words("text"));
            text("logged")
        }
        "babble" => {
            let data = "x".repeat(number("bytes").and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0));
            for _ in 0..number("count").unwrap_or(1) {
                server.notify("notifications/message", json!({"level": "info", "data": data}));
            }
            text("said")
        }
        "change" => {
            server.change_tools(call.modern);
            text("changed")
        }
        "eat" => {
            reach::eat(number("mib").and_then(|mib| usize::try_from(mib).ok()).unwrap_or(0));
            text("eaten")
        }
        "spawn" => match reach::spawn(number("count").unwrap_or(1)) {
            (started, Ok(())) => text(started.to_string()),
            (started, Err(error)) => text(format!("{started}: {error}")),
        },
        "read" => tried(reach::read(words("path"))),
        "write" => tried(reach::write(words("path"), words("text"))),
        "connect" => tried(reach::connect(words("address"))),
        "fail" => json!({"content": [{"type": "text", "text": "It failed, as asked"}], "isError": true}),
        "refuse" => return Err(refusal(-32603, "Refused, as asked")),
        other => return Err(refusal(-32602, format!("Unknown tool: {other}"))),
    })
}

fn text(text: impl Into<String>) -> Value {
    json!({"content": [{"type": "text", "text": text.into()}]})
}

/// What came of it, a failure as text too.
fn tried(result: std::io::Result<String>) -> Value {
    text(result.unwrap_or_else(|error| format!("failed: {error}")))
}

fn lossy(text: std::ffi::OsString) -> String {
    text.to_string_lossy().into_owned()
}

fn sleep(server: &Server, call: &Call, milliseconds: u64, steps: u64) -> Value {
    let pause = Duration::from_millis(milliseconds / steps.max(1));
    for step in 1..=steps.max(1) {
        if server.wait(call, pause) {
            return text("cancelled");
        }
        if let (true, Some(token)) = (steps > 0, call.meta("progressToken")) {
            let progress = json!({"progressToken": token, "progress": step, "total": steps});
            server.notify("notifications/progress", progress);
        }
    }
    text(format!("slept {milliseconds} ms"))
}

fn hold(server: &Server, call: &Call, path: &str) -> Value {
    while !fs::exists(path).unwrap_or(false) {
        if server.wait(call, Duration::from_millis(20)) {
            return text("cancelled");
        }
    }
    text("held")
}

/// Legacy: a request to the client while the call is open. Modern: the call ends with a question and comes again with
/// the answer.
fn ask(server: &Server, call: &Call, question: &str) -> Value {
    let params = json!({
        "messages": [{"role": "user", "content": {"type": "text", "text": question}}],
        "maxTokens": 100,
    });
    let answer = match call.modern {
        false => server.ask("sampling/createMessage", params).unwrap_or_default(),
        true => match call.params.get("inputResponses").and_then(|responses| responses.get("question")) {
            Some(answer) => answer.clone(),
            None => {
                let question = json!({"method": "sampling/createMessage", "params": params});
                return json!({"resultType": "input_required", "inputRequests": {"question": question}});
            }
        },
    };
    text(answer.pointer("/content/text").and_then(Value::as_str).unwrap_or("no answer"))
}

fn look_at_process() -> std::io::Result<Value> {
    let mut descriptors = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        // The one that reads this folder is gone when it is looked at through the next one.
        if let Ok(target) = fs::read_link(entry.path()) {
            descriptors.insert(lossy(entry.file_name()), lossy(target.into()));
        }
    }
    descriptors.retain(|_, target| !target.starts_with("/proc/"));
    let status = fs::read_to_string("/proc/self/status")?;
    let status: BTreeMap<_, _> = status.lines().filter_map(|line| line.split_once(":\t")).collect();
    Ok(json!({
        "directory": std::env::current_dir()?,
        "arguments": std::env::args().collect::<Vec<_>>(),
        "descriptors": descriptors,
        "status": status,
        "limits": fs::read_to_string("/proc/self/limits")?,
    }))
}
