//! `app`, version v3.

use super::{
    form::{Form, any_of, boolean, defined, filled_text, integer, list, map, object, text, word},
    values::{OWN_LABEL_KEY, VARIABLE},
};
use serde_json::json;

const REMOTE: &str = r"^mcp\+(sse\+)?https?://[^/?#@]+([/?][^#]*)?$";
/// What a URI of a remote server begins with, whether or not the rest is right.
const REMOTE_SCHEME: &str = r"^mcp\+(sse\+)?https?://";

/// `metadata` of a resource; only apps expire.
pub fn metadata(expires: bool) -> Form {
    let mut fields = vec![
        ("name!", defined("name").about("The name: 1 to 128 letters, digits, `.`, `_` and `-`. It is part of URLs, file names and logs, and names of a kind that differ only in case are the same.")),
        ("description", text().about("What it is, for people.")),
        ("labels", map(OWN_LABEL_KEY, &text()).about("By what selectors choose it. Values are strings: quote numbers and booleans. Keys under `mcpfleet.dev/` belong to the agent.").example(json!({"env": "prod"}))),
    ];
    if expires {
        fields.push(("expires", text().pattern(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$").about("From this moment on the app counts as absent. RFC 3339.").example("2027-01-31T18:00:00Z")));
    }
    object(fields).about("What every resource has.")
}

/// `spec` of an app.
pub fn spec() -> Form {
    super::form::of_object("What runs, or where.").when(
        "uri",
        REMOTE_SCHEME,
        &defined("remote_spec"),
        &defined("stdio_spec"),
    )
}

/// What [`spec`] is made of.
pub fn definitions() -> Vec<(&'static str, Form)> {
    vec![
        ("stdio_spec", object(vec![
            ("uri", word(&["mcp+stdio://"]).about("How the server is reached: over stdin and stdout. May be left out.")),
            ("mcp!", defined("stdio")),
            ("dynamic_labels", defined("dynamic_labels")),
        ])),
        ("remote_spec", object(vec![
            ("uri!", text().pattern(REMOTE).about("Where the server is: `mcp+https://` or `mcp+http://` for streamable HTTP, `mcp+sse+https://` or `mcp+sse+http://` for the older transport. Its host must be in the agent's `remote_hosts`.").example("mcp+https://mcp.example.com/mcp")),
            ("mcp", object(care(false)).about("How the server is looked after.")),
            ("rewrite", object(vec![
                ("headers", list(&any_of(&[
                    text().pattern("^[^:]+:").example("X-Team: platform"),
                    object(vec![("name!", filled_text().about("The header's name.")), ("value!", any_of(&[text(), secret()]).about("A string, or `{secret: NAME}`."))]),
                ])).about("Headers that each request gets.").example(json!([{"name": "Authorization", "value": {"secret": "search-token"}}]))),
            ]).about("What is changed of requests to the server.")),
            ("insecure_skip_verify", boolean().default(false).about("Do not check the server's certificate: anyone on the way can read and change everything.")),
            ("dynamic_labels", defined("dynamic_labels")),
        ])),
        ("stdio", object(stdio()).about("How the server's process is run and looked after.")),
        ("dynamic_labels", map(OWN_LABEL_KEY, &object(vec![
            ("command!", list(&text()).filled().about("A program and its arguments, run as the app's user in its sandbox.").example(json!(["hostname", "-f"]))),
            ("period", defined("duration").default("1m").about("How often it is run: 1s to 30 days.")),
        ])).about("Commands whose output become labels, for `app_labels` and display only. A key cannot be a static label too.")),
    ]
}

fn secret() -> Form {
    object(vec![("secret!", defined("secret_name"))])
}

fn stdio() -> Vec<(&'static str, Form)> {
    let reference = object(vec![
        (
            "secret",
            defined("secret_name").about(
                "The content of this file in the agent's `secrets_dir`, if the agent's `secrets` grants it to the app.",
            ),
        ),
        (
            "from_agent",
            defined("variable").about("The agent's own variable of this name, if `allow_from_agent` has it."),
        ),
    ])
    .with_one_of(&["secret", "from_agent"]);
    let mut fields = vec![
        ("command!", filled_text().pattern(r"^(/|[^/\s]+$)").about("The executable: an absolute path, or a name that is looked up in the PATH. There is no shell. `mcpfleet` is the agent's own binary.").example("docker")),
        ("args", list(&text()).default(json!([])).about("Its arguments, as they are: nothing is interpolated.").example(json!(["run", "-i", "--rm", "mcp/everything"]))),
        ("run_as_host_user", defined("host_user").about("The user of the host as whom it runs; one that the agent's `host_users` grants to the app. An agent that is root uses its `default_host_user` for apps without one; any other runs apps as its own user.")),
        ("env", map(VARIABLE, &any_of(&[text(), reference])).about("Environment variables: a string, `{secret: NAME}` or `{from_agent: NAME}`. The agent's own environment is not passed on.").example(json!({"TOKEN": {"secret": "github-token"}}))),
        ("working_directory", defined("absolute_path").about("Where it runs; a private empty folder if it is left out.")),
        ("limits", object(vec![
            ("memory", defined("size").about("Bytes of memory of all its processes.")),
            ("cpu", defined("cpu").about("Processor time of all its processes.")),
            ("processes", integer(1, u64::from(u32::MAX)).about("How many processes and threads it may have.")),
            ("open_files", integer(1, u64::from(u32::MAX)).about("How many files a process may have open.")),
        ]).about("Limits of a process of the app and all that it starts. Left out: none.").example(json!({"memory": "512Mi", "cpu": "500m"}))),
        ("sandbox", object(vec![
            ("read", list(&defined("absolute_path")).default(json!([])).about("What it may read and execute besides the system's programs and libraries.")),
            ("write", list(&defined("absolute_path")).default(json!([])).about("What it may read and write besides its private folders.")),
            ("network", boolean().default(true).about("Whether it has a network.")),
        ]).about("What of the host it sees. Left out: all that its user may.").example(json!({"read": ["/usr"], "network": false}))),
    ];
    fields.extend(care(true));
    fields
}

/// What servers of all kinds have.
fn care(process: bool) -> Vec<(&'static str, Form)> {
    let mut stop = vec![
        (
            "grace_period",
            defined("duration").default("10s").about("How long it has between the signal and its end by force."),
        ),
        (
            "drain_timeout",
            defined("duration").about(
                "How long sessions may stay on an old version after an update. Left out: the agent's `drain_timeout`.",
            ),
        ),
    ];
    if process {
        stop.insert(
            0,
            (
                "signal",
                word(&["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL"])
                    .default("SIGTERM")
                    .about("What it is sent after its stdin is closed."),
            ),
        );
    }
    vec![
        ("sessions", word(&["auto", "per_session", "shared"]).default("auto").about("How many clients a process serves: `per_session` one session, `shared` all of them, `auto` all of the stateless era and one legacy session.")),
        ("warm", integer(0, 10_000).default(if process { 1 } else { 0 }).about("Processes kept started ahead of the next client.")),
        ("max_instances", integer(1, 10_000).default(32).about("The most processes for sessions at a time.")),
        ("idle_timeout", defined("duration").default("30m").about("After so long without a message a session, and its process, ends: 10ms to 30 days.")),
        ("restart", object(vec![
            ("policy", word(&["always", "on_failure", "never"]).default("always").about("After which ends it is started again.")),
            ("initial_backoff", defined("duration").default("1s").about("The pause after the first failure; it doubles with each.")),
            ("max_backoff", defined("duration").default("5m").about("The longest pause.")),
            ("reset_after", defined("duration").default("10m").about("A run this long makes the next failure count as the first.")),
        ]).about("What happens when a process ends.")),
        ("startup_timeout", defined("duration").default("1m").about("How long it may take to answer the protocol for the first time: 10ms to 30 days.")),
        ("health", object(vec![
            ("interval", defined("duration").default("30s").about("How often it is asked.")),
            ("timeout", defined("duration").default("5s").about("How long an answer may take.")),
            ("failures", integer(1, 1000).default(3).about("How many answers in a row may be missing before it is replaced.")),
        ]).about("Whether the server is asked at an interval if it still answers. Left out: a process is not, a remote server is.")),
        ("stop", object(stop).about("How a process is stopped.")),
        ("on_tool_change", word(&["warn", "block"]).default("warn").about("What to do when the server's tools change although its definition did not.")),
    ]
}
