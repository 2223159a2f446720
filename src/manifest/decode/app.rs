//! `app`, version v3.

use super::{
    Context, Fields, absolute_path, boolean, cpu,
    document::{self, filled, own_label_key, unsupported},
    duration_within, fields,
    identifier::{environment_name, host_user, secret_name},
    integer, list, map, one_of,
    server::{Endpoint, endpoint, remote},
    size, string, text,
};
use crate::{
    manifest::{
        Code,
        text::{Finding, Mark, quoted},
        yaml::{Entry, Node, Value},
    },
    resource::{
        App, AppSpec, Care, DynamicLabel, EnvValue, Health, Kind, Limits, Metadata, OnToolChange, RemoteTransport,
        Restart, RestartPolicy, Sandbox, Server, Sessions, Stdio, Stop, StopSignal,
    },
};
use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

/// Fields of the reference system's app that are about other things than MCP servers.
const NOT_FOR_MCP: &[&str] = &[
    "aws",
    "azure",
    "cloud",
    "cors",
    "gcp",
    "identity_center",
    "integration",
    "public_addr",
    "required_app_names",
    "tcp_ports",
    "use_any_proxy_public_addr",
    "user_groups",
];

/// Bounds of waiting times: long enough for anyone, short enough that no sum of them overflows.
const WAIT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(30 * 24 * 3600);

const SESSIONS: &[(&str, Sessions)] =
    &[("auto", Sessions::Auto), ("per_session", Sessions::PerSession), ("shared", Sessions::Shared)];

const TOOL_CHANGES: &[(&str, OnToolChange)] = &[("warn", OnToolChange::Warn), ("block", OnToolChange::Block)];

const POLICIES: &[(&str, RestartPolicy)] =
    &[("always", RestartPolicy::Always), ("on_failure", RestartPolicy::OnFailure), ("never", RestartPolicy::Never)];

const SIGNALS: &[(&str, StopSignal)] = &[
    ("SIGTERM", StopSignal::Term),
    ("SIGINT", StopSignal::Int),
    ("SIGQUIT", StopSignal::Quit),
    ("SIGHUP", StopSignal::Hup),
    ("SIGUSR1", StopSignal::Usr1),
    ("SIGUSR2", StopSignal::Usr2),
    ("SIGKILL", StopSignal::Kill),
];

/// Reads an app of the agent's own configuration: `metadata` and `spec`, as in a resource.
pub fn static_app(node: &Node, context: &Context) -> Option<App> {
    let mut f = fields(node, "apps", context)?;
    let metadata = f.required("metadata", |n, c| document::metadata(Kind::App, n, c));
    let spec = f.required("spec", |n, c| spec(metadata.as_ref(), n, c));
    f.finish();
    Some(app(metadata?, spec?))
}

pub fn app(metadata: Metadata, spec: AppSpec) -> App {
    App { metadata, spec }
}

/// The `spec` of an app with that metadata.
pub fn spec(metadata: Option<&Metadata>, node: &Node, context: &Context) -> Option<AppSpec> {
    let mut f = fields(node, "spec", context)?;
    let declared = f.has("uri");
    let endpoint = f.optional("uri", endpoint);
    let server = match endpoint {
        Some(Endpoint::Remote(transport, url)) => {
            let care = f.optional("mcp", remote_care).unwrap_or_else(Care::of_remote);
            Some(Server::Remote(Box::new(remote(transport, url, care, &mut f))))
        }
        None if declared => {
            // Whichever it should have been: what is there is checked.
            match child(node, "mcp").is_some_and(|mcp| says_nothing_of_a_process(&mcp.value)) {
                true => _ = f.optional("mcp", remote_care),
                false => _ = f.optional("mcp", stdio),
            }
            remote(RemoteTransport::StreamableHttp, String::new(), Care::of_remote(), &mut f);
            None
        }
        Some(Endpoint::Stdio) | None => {
            for name in ["rewrite", "insecure_skip_verify"] {
                f.refuse(
                    name,
                    Code::MisplacedField,
                    format!("`{name}` is for remote servers, and this one is stdio"),
                    None,
                );
            }
            if !f.has("mcp") {
                let message = "missing field `mcp` in `spec`";
                let help = "a stdio server has `mcp.command`, a remote one has a `uri`";
                context.report(Finding::error(Code::MissingField, f.mark(), message).help(help));
            }
            f.optional("mcp", stdio).map(|stdio| Server::Stdio(Box::new(stdio)))
        }
    };
    let labels = metadata.map(|m| &m.labels);
    let dynamic_labels = f.optional("dynamic_labels", map(|e, c| dynamic_label(labels, e, c))).unwrap_or_default();
    if let Some(Server::Stdio(stdio)) = &server {
        labels_stop_at_client(stdio, &dynamic_labels, f.given("dynamic_labels").unwrap_or(f.mark()), context);
    }
    unsupported(&mut f, NOT_FOR_MCP, "it is not about MCP servers");
    f.finish();
    Some(AppSpec { server: server?, dynamic_labels })
}

fn stdio(node: &Node, context: &Context) -> Option<Stdio> {
    let mut f = fields(node, "spec.mcp", context)?;
    let command = f.required("command", command);
    let args = f.optional("args", list(string)).unwrap_or_default();
    let run_as_host_user = f.optional("run_as_host_user", host_user);
    let env = f.optional("env", map(env_entry)).unwrap_or_default();
    let working_directory = f.optional("working_directory", absolute_path);
    let care = care(Care::default(), &mut f);
    let limits = f.optional("limits", limits).unwrap_or_default();
    let sandbox = f.optional("sandbox", sandbox);
    let marks = [("limits", f.given("limits")), ("sandbox", f.given("sandbox"))];
    f.finish();
    let stdio = Stdio { command: command?, args, run_as_host_user, env, working_directory, care, limits, sandbox };
    if let Some(wrong) = stdio.stops_at_client(&stdio.command) {
        let mark = marks.iter().find(|(field, _)| *field == wrong.field).and_then(|(_, mark)| *mark);
        let finding = Finding::error(Code::StopsAtClient, mark.unwrap_or(node.mark), wrong.message);
        context.report(finding.help(wrong.help));
    }
    Some(stdio)
}

/// Fields of `mcp` that are about a process.
const OF_PROCESSES: &[&str] = &["args", "command", "env", "limits", "run_as_host_user", "sandbox", "working_directory"];

/// Fields of `mcp` that all servers have.
const OF_ALL: &[&str] = &[
    "health",
    "idle_timeout",
    "max_instances",
    "on_tool_change",
    "restart",
    "sessions",
    "startup_timeout",
    "stop",
    "warm",
];

fn says_nothing_of_a_process(mcp: &Node) -> bool {
    matches!(&mcp.value, Value::Map(entries) if entries.iter().all(|entry| OF_ALL.contains(&&*entry.key)))
}

/// `mcp` of a remote server.
fn remote_care(node: &Node, context: &Context) -> Option<Care> {
    let mut f = fields(node, "spec.mcp", context)?;
    for name in OF_PROCESSES {
        let message = format!("`mcp.{name}` is for stdio servers, but the `uri` is remote");
        f.refuse(name, Code::MisplacedField, message, Some("remove it, or make the `uri` `mcp+stdio://`"));
    }
    let care = care(Care::of_remote(), &mut f);
    if let Some(signal) = child(node, "stop").and_then(|stop| child(&stop.value, "signal")) {
        let message = "`mcp.stop.signal` is for stdio servers, but the `uri` is remote";
        context.report(Finding::error(Code::MisplacedField, signal.mark, message).help("remove it"));
    }
    f.finish();
    Some(care)
}

/// A field of a mapping, whoever reads it.
fn child<'n, 'a>(node: &'n Node<'a>, name: &str) -> Option<&'n Entry<'a>> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == name),
        _ => None,
    }
}

/// What servers of all kinds have; `default` where nothing is written.
fn care(default: Care, f: &mut Fields) -> Care {
    let sessions = f.optional("sessions", one_of(SESSIONS)).unwrap_or(default.sessions);
    let max_instances = f.optional("max_instances", integer(1..=10_000)).unwrap_or(default.max_instances);
    Care {
        sessions,
        max_instances,
        warm: f.optional("warm", |n, c| warm(max_instances, n, c)).unwrap_or(default.warm),
        idle_timeout: f.optional("idle_timeout", duration_within(WAIT)).unwrap_or(default.idle_timeout),
        restart: f.optional("restart", restart).unwrap_or(default.restart),
        startup_timeout: f.optional("startup_timeout", duration_within(WAIT)).unwrap_or(default.startup_timeout),
        health: f.optional("health", health).or(default.health),
        stop: f.optional("stop", stop).unwrap_or(default.stop),
        on_tool_change: f.optional("on_tool_change", one_of(TOOL_CHANGES)).unwrap_or(default.on_tool_change),
    }
}

fn command(node: &Node, context: &Context) -> Option<String> {
    program(node, "there is no shell: put the arguments into `args`", context)
}

/// `no_shell` is what to do about arguments that are written behind the program.
fn program(node: &Node, no_shell: &str, context: &Context) -> Option<String> {
    let command = text(node, context)?;
    if command.trim().is_empty() {
        return context.error(Code::EmptyValue, node.mark, "the command is empty");
    }
    if !command.starts_with('/') && command.contains('/') {
        let message = format!("{} is a relative path", quoted(command));
        let help = "write an absolute path, or a name that is looked up in the PATH";
        return context.error_with_help(Code::InvalidPath, node.mark, message, help);
    }
    if command.contains(char::is_whitespace) && !command.starts_with('/') {
        let message = format!("{} is not the name of a program", quoted(command));
        return context.error_with_help(Code::InvalidPath, node.mark, message, no_shell);
    }
    Some(command.to_owned())
}

fn env_entry(entry: &Entry, context: &Context) -> Option<EnvValue> {
    let named = environment_name(&entry.key, entry.mark, context);
    let value = match &entry.value.value {
        Value::Map(_) => env_reference(&entry.value, context),
        _ => string(&entry.value, context).map(EnvValue::Literal),
    };
    value.filter(|_| named.is_some())
}

fn env_reference(node: &Node, context: &Context) -> Option<EnvValue> {
    let mut f = fields(node, "env", context)?;
    let errors = context.errors();
    let secret = f.optional("secret", secret_name);
    let from_agent = f.optional("from_agent", |n, c| environment_name(text(n, c)?, n.mark, c));
    f.finish();
    match (secret, from_agent) {
        (Some(name), None) => Some(EnvValue::Secret(name)),
        (None, Some(name)) => Some(EnvValue::FromAgent(name)),
        _ if context.errors() > errors => None,
        _ => context.error_with_help(
            Code::MissingField,
            node.mark,
            "exactly one of `secret` and `from_agent` is needed",
            "write a string, `{secret: NAME}` or `{from_agent: NAME}`",
        ),
    }
}

fn warm(max_instances: u32, node: &Node, context: &Context) -> Option<u32> {
    let warm = integer(0..=10_000)(node, context)?;
    if warm > max_instances {
        let message = format!("{warm} processes cannot be kept warm: `max_instances` is {max_instances}");
        return context.error(Code::OutOfRange, node.mark, message);
    }
    Some(warm)
}

fn restart(node: &Node, context: &Context) -> Option<Restart> {
    let mut f = fields(node, "spec.mcp.restart", context)?;
    let default = Restart::default();
    let policy = f.optional("policy", one_of(POLICIES)).unwrap_or(default.policy);
    let initial_backoff = f.optional("initial_backoff", duration_within(WAIT));
    let max_backoff = f.optional("max_backoff", duration_within(WAIT));
    let reset_after = f.optional("reset_after", duration_within(WAIT)).unwrap_or(default.reset_after);
    let mark = f.mark();
    f.finish();
    // A default gives way to what is written.
    let initial_backoff = initial_backoff.unwrap_or(default.initial_backoff.min(max_backoff.unwrap_or(Duration::MAX)));
    let max_backoff = max_backoff.unwrap_or(default.max_backoff.max(initial_backoff));
    if initial_backoff > max_backoff {
        return context.error(Code::OutOfRange, mark, "`initial_backoff` is longer than `max_backoff`");
    }
    Some(Restart { policy, initial_backoff, max_backoff, reset_after })
}

fn health(node: &Node, context: &Context) -> Option<Health> {
    let mut f = fields(node, "spec.mcp.health", context)?;
    let default = Health::default();
    let interval = f.optional("interval", duration_within(WAIT)).unwrap_or(default.interval);
    let timeout = f.optional("timeout", duration_within(WAIT)).unwrap_or(default.timeout);
    let failures = f.optional("failures", integer(1..=1000)).unwrap_or(default.failures);
    f.finish();
    Some(Health { interval, timeout, failures })
}

fn stop(node: &Node, context: &Context) -> Option<Stop> {
    let mut f = fields(node, "spec.mcp.stop", context)?;
    let default = Stop::default();
    let signal = f.optional("signal", one_of(SIGNALS)).unwrap_or(default.signal);
    let any = Duration::ZERO..=*WAIT.end();
    let grace_period = f.optional("grace_period", duration_within(any.clone())).unwrap_or(default.grace_period);
    let drain_timeout = f.optional("drain_timeout", duration_within(any));
    f.finish();
    Some(Stop { signal, grace_period, drain_timeout })
}

fn limits(node: &Node, context: &Context) -> Option<Limits> {
    let mut f = fields(node, "spec.mcp.limits", context)?;
    let memory = f.optional("memory", |n, c| positive(size(n, c)?, n, c));
    let cpu_millis = f.optional("cpu", |n, c| positive(cpu(n, c)?, n, c));
    let processes = f.optional("processes", integer(1..=u64::from(u32::MAX)));
    let open_files = f.optional("open_files", integer(1..=u64::from(u32::MAX)));
    f.finish();
    Some(Limits { memory, cpu_millis, processes, open_files })
}

fn positive(value: u64, node: &Node, context: &Context) -> Option<u64> {
    if value == 0 { context.error(Code::OutOfRange, node.mark, "a limit is more than zero") } else { Some(value) }
}

fn sandbox(node: &Node, context: &Context) -> Option<Sandbox> {
    let mut f = fields(node, "spec.mcp.sandbox", context)?;
    let read = f.optional("read", list(absolute_path)).unwrap_or_default();
    let write = f.optional("write", list(absolute_path)).unwrap_or_default();
    let network = f.optional("network", boolean).unwrap_or(true);
    f.finish();
    Some(Sandbox { read, write, network })
}

/// A program and its arguments.
fn words(node: &Node, context: &Context) -> Option<Vec<String>> {
    let words = filled(list(string))(node, context)?;
    let help = "there is no shell: write each argument as an entry of the list";
    match &node.value {
        Value::List(nodes) => nodes.first().and_then(|first| program(first, help, context)).map(|_| words),
        _ => Some(words),
    }
}

/// Limits and sandbox are those of an app's labels too.
fn labels_stop_at_client(stdio: &Stdio, labels: &BTreeMap<String, DynamicLabel>, mark: Mark, context: &Context) {
    for (key, label) in labels {
        if let Some(wrong) = label.command.first().and_then(|command| stdio.stops_at_client(command)) {
            let message = format!("of the command of `{key}`, {}", wrong.message);
            context.report(Finding::error(Code::StopsAtClient, mark, message).help(wrong.help));
        }
    }
}

fn dynamic_label(labels: Option<&BTreeMap<String, String>>, entry: &Entry, context: &Context) -> Option<DynamicLabel> {
    own_label_key(entry, context);
    if labels.is_some_and(|labels| labels.contains_key(&*entry.key)) {
        let message = format!("{} is also a static label", quoted(&entry.key));
        context.report(Finding::error(Code::DuplicateKey, entry.mark, message).help("choose another key"));
    }
    let mut f = fields(&entry.value, "spec.dynamic_labels", context)?;
    let command = f.required("command", words);
    let period = duration_within(Duration::from_secs(1)..=*WAIT.end());
    let period = f.optional("period", period).unwrap_or(Duration::from_secs(60));
    unsupported(&mut f, &["result"], "the agent fills it in");
    f.finish();
    Some(DynamicLabel { command: command?, period })
}
