//! What an app looks like in the configuration files of MCP clients, and where those are.

use crate::escape::escape_lines;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// A client whose configuration file is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    ClaudeDesktop,
    ClaudeCode,
    Cursor,
    #[value(name = "vscode")]
    VsCode,
}

/// How a client reaches an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It starts the bridge: the command and its arguments.
    Stdio { command: String, args: Vec<String> },
    /// It connects to the gateway by itself.
    Http { url: String },
}

impl Client {
    /// Whether the file can name a server's URL.
    pub fn knows_http(self) -> bool {
        self != Client::ClaudeDesktop
    }

    /// The key in the file under which servers stand by name.
    pub fn key(self) -> &'static str {
        match self {
            Client::VsCode => "servers",
            Client::ClaudeDesktop | Client::ClaudeCode | Client::Cursor => "mcpServers",
        }
    }

    /// The user's own file, which holds for all of their projects.
    pub fn file(self, home: &Path, config_home: Option<&Path>) -> PathBuf {
        let application_data = match (cfg!(target_os = "macos"), config_home) {
            (true, _) => home.join("Library/Application Support"),
            (false, Some(config)) => config.to_owned(),
            (false, None) => home.join(".config"),
        };
        match self {
            Client::ClaudeDesktop => application_data.join("Claude/claude_desktop_config.json"),
            Client::ClaudeCode => home.join(".claude.json"),
            Client::Cursor => home.join(".cursor/mcp.json"),
            Client::VsCode => application_data.join("Code/User/mcp.json"),
        }
    }

    /// Every client, in the order in which they are told of.
    pub const ALL: [Client; 4] = [Client::ClaudeCode, Client::ClaudeDesktop, Client::Cursor, Client::VsCode];

    /// As it is written on a command line.
    pub fn word(self) -> &'static str {
        match self {
            Client::ClaudeDesktop => "claude-desktop",
            Client::ClaudeCode => "claude-code",
            Client::Cursor => "cursor",
            Client::VsCode => "vscode",
        }
    }

    /// What belongs into the file for some apps.
    pub fn text(self, entries: Vec<(String, Map<String, Value>)>) -> String {
        let servers: Map<String, Value> =
            entries.into_iter().map(|(name, entry)| (name, Value::Object(entry))).collect();
        escape_lines(&format!("{:#}\n", json!({ self.key(): servers }))).into_owned()
    }

    /// An app as the file names it.
    pub fn entry(self, way: &Way) -> Map<String, Value> {
        let (kind, mut entry) = match way {
            Way::Stdio { command, args } => ("stdio", json!({ "command": command, "args": args })),
            Way::Http { url } => ("http", json!({ "url": url })),
        };
        let mut entry = entry.as_object_mut().map(std::mem::take).unwrap_or_default();
        if matches!(self, Client::ClaudeCode | Client::VsCode) {
            entry.insert("type".into(), kind.into());
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_have_the_words_of_the_command_line() {
        use clap::ValueEnum as _;
        for client in Client::ALL {
            assert_eq!(
                client.to_possible_value().map(|value| value.get_name().to_owned()).as_deref(),
                Some(client.word())
            );
        }
        assert_eq!(Client::value_variants().len(), Client::ALL.len());
    }

    #[test]
    fn clients() {
        let http = Way::Http { url: "http://127.0.0.1:7420/mcp/a".into() };
        let stdio =
            Way::Stdio { command: "/bin/mcpfleet".into(), args: vec!["mcp".into(), "connect".into(), "a".into()] };
        let bridge = json!({"command": "/bin/mcpfleet", "args": ["mcp", "connect", "a"]});
        let typed = json!({"type": "stdio", "command": "/bin/mcpfleet", "args": ["mcp", "connect", "a"]});
        let url = "http://127.0.0.1:7420/mcp/a";
        for (client, key, expected_stdio, expected_http) in [
            (Client::ClaudeDesktop, "mcpServers", &bridge, None),
            (Client::ClaudeCode, "mcpServers", &typed, Some(json!({"type": "http", "url": url}))),
            (Client::Cursor, "mcpServers", &bridge, Some(json!({"url": url}))),
            (Client::VsCode, "servers", &typed, Some(json!({"type": "http", "url": url}))),
        ] {
            assert_eq!(client.key(), key);
            assert_eq!(&Value::Object(client.entry(&stdio)), expected_stdio, "{client:?}");
            let written = client.knows_http().then(|| Value::Object(client.entry(&http)));
            assert_eq!(written, expected_http, "{client:?}");
        }
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn places() {
        let home = Path::new("/home/a");
        for (client, expected) in [
            (Client::ClaudeDesktop, "/home/a/.config/Claude/claude_desktop_config.json"),
            (Client::ClaudeCode, "/home/a/.claude.json"),
            (Client::Cursor, "/home/a/.cursor/mcp.json"),
            (Client::VsCode, "/home/a/.config/Code/User/mcp.json"),
        ] {
            assert_eq!(client.file(home, None), Path::new(expected));
        }
        assert_eq!(Client::VsCode.file(home, Some(Path::new("/xdg"))), Path::new("/xdg/Code/User/mcp.json"));
    }
}
