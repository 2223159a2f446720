//! The form in which an app is written in a file, every default filled in.

use crate::resource::{
    App, Care, DynamicLabel, EnvValue, HeaderValue, Health, Metadata, OnToolChange, Remote, RemoteTransport, Restart,
    Sandbox, Server, Sessions, Stdio, StopSignal,
    quantity::{format_duration, format_size},
};
use serde::Serialize;
use std::{collections::BTreeMap, path::Path};

/// `metadata` and `spec` of an app as a file has them. Reading what this serializes to gives the same app.
#[derive(Serialize)]
pub struct Written<'a> {
    metadata: &'a Metadata,
    spec: Spec<'a>,
}

#[derive(Serialize)]
struct Spec<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mcp: Option<Mcp<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rewrite: Option<Rewrite<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    insecure_skip_verify: Option<bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dynamic_labels: &'a BTreeMap<String, DynamicLabel>,
}

#[derive(Serialize)]
struct Mcp<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_as_host_user: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<&'a str, Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_directory: Option<&'a Path>,
    sessions: Sessions,
    warm: u32,
    max_instances: u32,
    idle_timeout: String,
    restart: &'a Restart,
    startup_timeout: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<&'a Health>,
    stop: Stop,
    on_tool_change: OnToolChange,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Limits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sandbox: Option<&'a Sandbox>,
}

/// A text, or where it is to be taken from.
#[derive(Serialize)]
#[serde(untagged)]
enum Text<'a> {
    Literal(&'a str),
    Secret { secret: &'a str },
    FromAgent { from_agent: &'a str },
}

#[derive(Serialize)]
struct Stop {
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<StopSignal>,
    grace_period: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    drain_timeout: Option<String>,
}

#[derive(Serialize)]
struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_files: Option<u64>,
}

#[derive(Serialize)]
struct Rewrite<'a> {
    headers: Vec<Header<'a>>,
}

#[derive(Serialize)]
struct Header<'a> {
    name: &'a str,
    value: Text<'a>,
}

impl<'a> Written<'a> {
    pub fn of(app: &'a App) -> Written<'a> {
        let dynamic_labels = &app.spec.dynamic_labels;
        let spec = match &app.spec.server {
            Server::Stdio(stdio) => {
                Spec { uri: None, mcp: Some(Mcp::of(stdio)), rewrite: None, insecure_skip_verify: None, dynamic_labels }
            }
            Server::Remote(remote) => Spec {
                uri: Some(uri(remote)),
                mcp: Some(Mcp::with(&remote.care)),
                rewrite: Rewrite::of(remote),
                insecure_skip_verify: Some(remote.insecure_skip_verify),
                dynamic_labels,
            },
        };
        Written { metadata: &app.metadata, spec }
    }
}

impl<'a> Mcp<'a> {
    fn of(stdio: &'a Stdio) -> Mcp<'a> {
        let env = |value: &'a EnvValue| match value {
            EnvValue::Literal(text) => Text::Literal(text),
            EnvValue::Secret(name) => Text::Secret { secret: name },
            EnvValue::FromAgent(name) => Text::FromAgent { from_agent: name },
        };
        let with = Mcp::with(&stdio.care);
        Mcp {
            command: Some(&stdio.command),
            args: Some(&stdio.args),
            run_as_host_user: stdio.run_as_host_user.as_deref(),
            env: stdio.env.iter().map(|(name, value)| (name.as_str(), env(value))).collect(),
            working_directory: stdio.working_directory.as_deref(),
            stop: Stop { signal: Some(stdio.care.stop.signal), ..with.stop },
            limits: (!stdio.limits.is_empty()).then(|| Limits {
                memory: stdio.limits.memory.map(format_size),
                cpu: stdio.limits.cpu_millis.map(|millis| format!("{millis}m")),
                processes: stdio.limits.processes,
                open_files: stdio.limits.open_files,
            }),
            sandbox: stdio.sandbox.as_ref(),
            ..with
        }
    }

    /// What a remote server has too.
    fn with(care: &'a Care) -> Mcp<'a> {
        Mcp {
            command: None,
            args: None,
            run_as_host_user: None,
            env: BTreeMap::new(),
            working_directory: None,
            sessions: care.sessions,
            warm: care.warm,
            max_instances: care.max_instances,
            idle_timeout: format_duration(care.idle_timeout),
            restart: &care.restart,
            startup_timeout: format_duration(care.startup_timeout),
            health: care.health.as_ref(),
            stop: Stop {
                signal: None,
                grace_period: format_duration(care.stop.grace_period),
                drain_timeout: care.stop.drain_timeout.map(format_duration),
            },
            on_tool_change: care.on_tool_change,
            limits: None,
            sandbox: None,
        }
    }
}

impl<'a> Rewrite<'a> {
    fn of(remote: &'a Remote) -> Option<Rewrite<'a>> {
        let header = |header: &'a crate::resource::Header| Header {
            name: &header.name,
            value: match &header.value {
                HeaderValue::Literal(text) => Text::Literal(text),
                HeaderValue::Secret(name) => Text::Secret { secret: name },
            },
        };
        (!remote.headers.is_empty()).then(|| Rewrite { headers: remote.headers.iter().map(header).collect() })
    }
}

fn uri(remote: &Remote) -> String {
    let prefix = match remote.transport {
        RemoteTransport::StreamableHttp => "mcp+",
        RemoteTransport::Sse => "mcp+sse+",
    };
    format!("{prefix}{}", remote.url)
}
