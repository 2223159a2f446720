use crate::{
    cli::{
        Outcome, Output,
        agent_args::{AgentArgs, block_on},
        terminal::{escape, escape_json, escape_lines, print, print_structured},
    },
    client::{
        api::ALL,
        mcp::{McpClient, Tool},
    },
};
use anyhow::Context;
use serde_json::{Value, value::RawValue};
use std::fmt::Write;

/// List the tools of an MCP server, or of all of them.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  mcpfleet mcp tools demo

Exit codes: 0 all is well, 1 the agent refuses it, 2 wrong usage, or no agent is found, 3 something went wrong")]
pub struct Args {
    /// The app; without it, the tools of all apps.
    name: Option<String>,
    /// How to print the list: as text, or the tools as the server describes them.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    agent: AgentArgs,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let agent = args.agent.client()?;
    let name = args.name.as_deref().unwrap_or(ALL);
    let tools = block_on(async {
        let client = McpClient::connect(agent, name).await?;
        let tools = client.list_tools().await;
        client.close().await;
        Ok(tools?)
    })?;
    match args.output {
        Output::Json => {
            let raw: Vec<&str> = tools.iter().map(|tool| tool.get()).collect();
            print(&escape_json(&format!("[{}]\n", raw.join(",\n"))))?;
        }
        Output::Yaml => {
            let values: Result<Vec<Value>, _> = tools.iter().map(|tool| serde_json::from_str(tool.get())).collect();
            print_structured(Output::Yaml, &values?)?;
        }
        Output::Text => print(&text(args.name.as_deref().unwrap_or("the agent"), &tools)?)?,
    }
    Ok(Outcome::Fine)
}

fn text(app: &str, tools: &[Box<RawValue>]) -> anyhow::Result<String> {
    if tools.is_empty() {
        return Ok(format!("{} offers no tools.\n", escape(app)));
    }
    let mut text = String::new();
    for raw in tools {
        let tool: Tool = serde_json::from_str(raw.get()).context("a tool is not described as the protocol says")?;
        describe(&tool, &mut text)?;
    }
    Ok(text)
}

/// A tool with its arguments, one a line, a star after those that must be given.
fn describe(tool: &Tool, text: &mut String) -> std::fmt::Result {
    let bold = anstyle::Style::new().bold();
    writeln!(text, "{bold}{}{bold:#}", escape(&tool.name))?;
    for described in tool.description.as_deref().unwrap_or_default().trim().lines() {
        writeln!(text, "    {}", escape_lines(described))?;
    }
    let required: Vec<&str> =
        tool.input_schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let arguments = tool.input_schema["properties"].as_object();
    let mut arguments: Vec<(&String, &Value)> = arguments.into_iter().flatten().collect();
    // Those that must be given come first, in the order in which the server names them.
    let place = |name: &str| required.iter().position(|required| *required == name).unwrap_or(usize::MAX);
    arguments.sort_by_key(|(name, _)| place(name));
    for (name, schema) in arguments {
        let star = if required.contains(&name.as_str()) { "*" } else { "" };
        write!(text, "    {}{star} ({})", escape(name), escape(&kind(schema)))?;
        if let Some(description) = schema["description"].as_str() {
            write!(text, ": {}", escape(description))?;
        }
        text.push('\n');
    }
    Ok(())
}

/// The type that a JSON schema asks for, in a word or two.
fn kind(schema: &Value) -> String {
    let kind = match (&schema["enum"], &schema["type"]) {
        (Value::Array(values), _) => values.iter().map(Value::to_string).collect::<Vec<_>>().join("|"),
        (_, Value::String(kind)) => kind.clone(),
        (_, Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|"),
        _ => "any".into(),
    };
    match &schema["default"] {
        Value::Null => kind,
        default => format!("{kind}, default {default}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn described(tool: Value) -> String {
        let raw = RawValue::from_string(tool.to_string()).unwrap();
        anstream::adapter::strip_str(&text("x", &[raw]).unwrap()).to_string()
    }

    #[test]
    fn tools() {
        let tool = json!({
            "name": "search",
            "description": "Finds things.\nSlowly.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "limit": {"type": ["integer", "null"], "default": 10},
                    "query": {"type": "string", "description": "What to\nfind."},
                    "where": {"enum": ["here", "there"]},
                    "all": true,
                },
                "required": ["where", "query"],
            },
        });
        assert_eq!(
            described(tool),
            "search\n    Finds things.\n    Slowly.\n    where* (\"here\"|\"there\")\n    \
             query* (string): What to\\nfind.\n    all (any)\n    limit (integer|null, default 10)\n"
        );
    }

    #[test]
    fn odd_tools_are_shown_harmlessly() {
        assert_eq!(described(json!({"name": "\u{1b}[2J"})), "\\u{1b}[2J\n");
        let schema = json!({"properties": [], "required": "x"});
        assert_eq!(described(json!({"name": "a", "inputSchema": schema})), "a\n");
    }
}
