use super::complain;
use crate::{
    cli::{
        Outcome, Output,
        agent_args::{AgentArgs, block_on},
        terminal::{escape, escape_json, escape_lines, print, print_structured},
    },
    client::mcp::McpClient,
};
use anyhow::Context;
use serde_json::Value;
use std::io::{IsTerminal, Read};

/// The most that arguments may take: what an agent accepts at most in one message.
const MAX_ARGUMENTS: u64 = 16 << 20;

/// Call a tool of an MCP server.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet mcp call demo add '{\"a\": 1, \"b\": 2}'
  echo '{\"message\": \"hello\"}' | mcpfleet mcp call demo echo -

Exit codes: 0 the tool's result is printed, 1 it is an error or the call is refused, 2 wrong usage, or no agent is found,
3 something went wrong")]
pub struct Args {
    /// The app.
    name: String,
    /// The tool.
    tool: String,
    /// The tool's arguments as a JSON object; `-` reads them from stdin.
    #[arg(value_name = "JSON", default_value = "{}")]
    arguments: String,
    /// How to print the result: what is text in it, or the whole as the server gave it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    agent: AgentArgs,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    let arguments = match read_arguments(&args.arguments)? {
        Ok(arguments) => arguments,
        Err(reason) => {
            complain(format_args!("the arguments must be a JSON object: {reason}"));
            return Ok(Outcome::Usage);
        }
    };
    let result = block_on(async {
        let client = McpClient::connect(agent, &args.name).await?;
        let result = client.call_tool(&args.tool, &arguments, &mut show_progress).await;
        client.close().await;
        Ok(result?)
    })?;
    let value: Value = serde_json::from_str(result.get())?;
    let outcome = if value["isError"] == true { Outcome::Findings } else { Outcome::Fine };
    match (args.output, outcome) {
        (Output::Json, _) => print(&escape_json(&format!("{}\n", result.get())))?,
        (Output::Yaml, _) => {
            print_structured(Output::Yaml, &value)?;
        }
        (Output::Text, _) if value["resultType"] == "input_required" => {
            complain(format_args!("{} asks for further input, which this command cannot give", args.tool));
            return Ok(Outcome::Findings);
        }
        (Output::Text, Outcome::Fine) => print(&escape_lines(&text(&value)))?,
        (Output::Text, _) => complain(format_args!("{} failed: {}", args.tool, text(&value).trim_end())),
    }
    Ok(outcome)
}

fn read_arguments(given: &str) -> anyhow::Result<Result<Value, String>> {
    let mut text = given.to_owned();
    if given == "-" {
        text.clear();
        std::io::stdin().take(MAX_ARGUMENTS).read_to_string(&mut text).context("stdin cannot be read")?;
    }
    Ok(match serde_json::from_str::<Value>(&text) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(other) => Err(format!("this is {}", noun(&other))),
        Err(error) => Err(error.to_string()),
    })
}

fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// What a result says, with a word for each part that is no text.
fn text(result: &Value) -> String {
    let parts: Vec<String> = result["content"].as_array().into_iter().flatten().map(part).collect();
    let text = match (&parts[..], &result["structuredContent"]) {
        ([], Value::Null) => return String::new(),
        ([], structured) => format!("{structured:#}"),
        (parts, _) => parts.join("\n"),
    };
    text + "\n"
}

fn part(part: &Value) -> String {
    let word = |key: &str| part[key].as_str().unwrap_or("?").to_owned();
    match part["type"].as_str() {
        Some("text") => part["text"].as_str().unwrap_or_default().to_owned(),
        Some(kind @ ("image" | "audio")) => format!("[{kind}: {}, {}]", word("mimeType"), size(&part["data"])),
        Some("resource_link") => format!("[link: {} {}]", word("name"), word("uri")),
        Some("resource") => match (&part["resource"]["text"], &part["resource"]["blob"]) {
            (Value::String(text), _) => text.clone(),
            (_, blob) => format!("[resource: {}, {}]", part["resource"]["uri"].as_str().unwrap_or("?"), size(blob)),
        },
        other => format!("[{}]", other.unwrap_or("content of no type")),
    }
}

/// The size of what base64 stands for.
fn size(base64: &Value) -> String {
    let length = base64.as_str().unwrap_or_default().trim_end_matches('=').len();
    format!("{} bytes", length * 3 / 4)
}

/// Shows a progress notification to a person who waits.
fn show_progress(notification: &Value) {
    if notification["method"] != "notifications/progress" || !std::io::stderr().is_terminal() {
        return;
    }
    let params = &notification["params"];
    let number = |value: &Value| value.as_f64().map(|number| number.to_string());
    let done = number(&params["progress"]).unwrap_or_default();
    let total = number(&params["total"]).map(|total| format!("/{total}")).unwrap_or_default();
    let message = params["message"].as_str().unwrap_or_default();
    anstream::eprintln!("{}", escape(&format!("[{done}{total}] {message}")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn results() {
        for (result, expected) in [
            (json!({"content": [{"type": "text", "text": "3"}]}), "3\n"),
            (json!({"content": [{"type": "text", "text": "a\nb"}, {"type": "text", "text": "c"}]}), "a\nb\nc\n"),
            (
                json!({"content": [{"type": "image", "mimeType": "image/png", "data": "AAAA"}]}),
                "[image: image/png, 3 bytes]\n",
            ),
            (
                json!({"content": [{"type": "audio", "mimeType": "audio/wav", "data": "AA=="}]}),
                "[audio: audio/wav, 1 bytes]\n",
            ),
            (json!({"content": [{"type": "resource", "resource": {"uri": "a://b", "text": "t"}}]}), "t\n"),
            (
                json!({"content": [{"type": "resource", "resource": {"uri": "a://b", "blob": "AAA="}}]}),
                "[resource: a://b, 2 bytes]\n",
            ),
            (json!({"content": [{"type": "resource_link", "name": "n", "uri": "a://b"}]}), "[link: n a://b]\n"),
            (json!({"content": [{"type": "hologram"}, {}]}), "[hologram]\n[content of no type]\n"),
            (json!({"content": [], "structuredContent": {"a": 1}}), "{\n  \"a\": 1\n}\n"),
            (json!({"content": [{"type": "text", "text": "x"}], "structuredContent": {"a": 1}}), "x\n"),
            (json!({"content": []}), ""),
            (json!({}), ""),
        ] {
            assert_eq!(text(&result), expected, "{result}");
        }
    }

    #[test]
    fn arguments() {
        assert_eq!(read_arguments(r#"{"a": 1}"#).unwrap(), Ok(json!({"a": 1})));
        for (given, reason) in
            [("[1]", "an array"), ("\"x\"", "a string"), ("{a: 1}", "key must be a string"), ("", "EOF")]
        {
            let refused = read_arguments(given).unwrap().unwrap_err();
            assert!(refused.contains(reason), "{given}: {refused}");
        }
    }
}
