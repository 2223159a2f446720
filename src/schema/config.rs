//! The agent's configuration.

use super::{
    app,
    form::{Form, any_of, boolean, defined, filled_text, integer, list, map, null, number, object, text, word},
    values::{HOST_USER, SECRET},
};
use serde_json::json;

/// The name of a header.
const HEADER: &str = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";

const KEY: &str = "An OpenSSH or armoured OpenPGP public key, or `{file: PATH}`.";

fn path() -> Form {
    filled_text()
}

fn address() -> Form {
    text().pattern(r"^(\[[0-9A-Fa-f:.%a-z]+\]|[0-9.]+):[0-9]{1,5}$")
}

fn count() -> Form {
    integer(1, 1_000_000)
}

fn keys() -> Form {
    list(&any_of(&[filled_text(), object(vec![("file!", path().about("The file with the key."))])])).default(json!([]))
}

/// The whole file.
pub fn config() -> Form {
    object(vec![
        ("version", word(&["v1"]).default("v1").about("The version of the configuration.")),
        ("agent_name", text().pattern("^[0-9A-Za-z._-]{1,64}$").about("What this agent is called where several are seen together. Left out: as its machine.").example("eu-1").or_null()),
        ("state_dir", path().about("Where the agent keeps its state. Left out: `/var/lib/mcpfleet` for root, else the XDG state folder.").or_null()),
        ("control_socket", path().about("The socket through which the command line reaches the agent.").or_null()),
        ("sources", list(&defined("source")).default(json!([])).about("Where resources come from; on a name clash the earlier wins.")),
        ("app_service", defined("app_service")),
        ("policy_source", null().about("Not yet supported.")),
        ("prune", object(vec![
            ("min_apps", integer(0, 1_000_000).default(4).about("The guard acts from so many running apps of a source up.")),
            ("max_fraction", number(0.0, 1.0).default(0.5).about("What part of them a snapshot may remove.")),
            ("allow_empty", boolean().default(false).about("Let all removals pass, always.")),
        ]).about("When removals are held.")),
        ("gateway", defined("gateway")),
        ("admin_listen", address().about("Where `/metrics`, `/healthz` and `/readyz` are served to whoever can reach it. Null: only by the gateway, `/metrics` to those who may read the agent.").example("127.0.0.1:7422").or_null()),
        ("webhook_listen", address().about("Where `webhooks` are served.").example("127.0.0.1:7421").or_null()),
        ("webhooks", list(&object(vec![
            ("name!", defined("name").about("It is served at `/hooks/NAME`.")),
            ("source!", text().about("The name of the source that is looked at.")),
            ("scheme!", word(&["hmac-sha256", "token"]).about("How the caller proves that it knows the secret.")),
            ("header", filled_text().about("Where the proof is. Left out: where the usual forges put it.").or_null()),
            ("secret_file!", path().about("The file with the secret.")),
        ])).default(json!([])).about("Calls that make the agent look at a source at once.")),
        ("notifications", list(&defined("notification")).default(json!([])).about("Whom the agent tells what becomes of commits, and what happens.")),
        ("audit", object(vec![
            ("file", path().about("Where it is written down who did what. Left out: the last records are kept in memory.").or_null()),
            ("arguments", boolean().default(false).about("Whether the arguments of calls are recorded.")),
            ("rotate", object(vec![
                ("size", defined("size").default("100Mi").about("The bytes of a file, 1Mi to 1Ti.")),
                ("age", defined("duration").default("720h").about("The age of a file's first record, a minute to ten years.")),
                ("keep", integer(0, 10_000).default(10).about("How many earlier files stay.")),
            ]).about("When another file begins.")),
        ]).about("What is written down of who did what.")),
        ("telemetry", object(vec![
            ("log", word(&["text", "json"]).default("text").about("The form of the log.")),
            ("otlp", defined("otlp").about("Where traces are sent. Left out: nowhere.").or_null()),
        ]).about("What the agent tells of itself.")),
    ])
    .about("The configuration of an agent of mcpfleet.")
}

/// What [`config`] is made of, besides what resources are.
pub fn definitions() -> Vec<(&'static str, Form)> {
    vec![
        ("source", object(vec![
            ("name!", defined("name").about("What it is called in status and events.")),
            ("git", defined("git").about("A git repository.").or_null()),
            ("directory", object(vec![
                ("path!", path().about("The directory.")),
                ("watch", word(&["auto", "native", "poll"]).default("auto").about("How changes are noticed.")),
                ("window", defined("duration").default("100ms").about("How long changes are collected, 1ms to 1m.")),
                ("resync", defined("duration").default("1m").about("It is read again after so long, 1s to 24h.")),
            ]).about("A directory; whoever can write it is trusted.").or_null()),
            ("path", filled_text().about("Only apps below this folder are this agent's.").or_null()),
            ("ignore", list(&filled_text()).default(json!([])).about("Globs of files that are not read.").example(json!(["drafts/**"]))),
            ("authorization", any_of(&[defined("authorization"), null()]).about("Which commits take effect; for `git` only.")),
        ])),
        ("git", object(vec![
            ("url!", filled_text().about("An https, http, ssh, git or file URL without credentials, or a path.").example("https://git.example.com/platform/fleet.git")),
            ("branch", filled_text().about("The branch to follow. At most one of `branch`, `tag` and `commit`; without any, the default branch.").or_null()),
            ("tag", filled_text().about("The tag to follow.").or_null()),
            ("commit", text().pattern("^[0-9a-fA-F]{40}$").about("The commit to stay at.").or_null()),
            ("interval", defined("duration").default("30s").about("Between two looks, 1s to 24h.")),
            ("timeout", defined("duration").default("1m").about("How long the remote may be silent, 1s to 1h.")),
            ("username_file", path().about("A file with the user name.").or_null()),
            ("password_file", path().about("A file with a password or token.").or_null()),
            ("ssh_key_file", path().about("The private key.").or_null()),
            ("ssh_passphrase_file", path().about("A file with the key's passphrase.").or_null()),
            ("known_hosts_file", path().about("The hosts' keys; needed for ssh.").or_null()),
            ("ca_file", path().about("Certificates in PEM that may sign the remote's.").or_null()),
            ("proxy", text().about("An HTTP proxy.").example("http://proxy.example.com:3128").or_null()),
        ])),
        ("notification", notification()),
        ("authorization", object(vec![
            ("mode", word(&["enforce", "audit", "off"]).default("enforce").about("`audit` says what would be refused and applies it, `off` judges nothing.")),
            ("identity", word(&["signature", "author"]).default("signature").about("Whose a commit is: who signed it, or for servers that guarantee it, whose e-mail it has.")),
            ("root", object(vec![
                ("commit!", text().pattern("^[0-9a-fA-F]{40}$").about("What it holds is trusted, and every change since is judged.")),
                ("signer", filled_text().about("The key that must have signed it.").or_null()),
            ]).about("The root of trust.").or_null()),
            ("trust_on_first_use", boolean().default(false).about("Whatever the first fetch finds is the root.")),
            ("managed", list(&filled_text()).filled().default(json!(["**/*.yaml", "**/*.yml"])).about("Globs of the files that are judged.")),
            ("policy_dir", path().about("A folder of roles and users that rule instead of the repository's.").or_null()),
            ("max_commits", integer(1, 10_000_000).default(100_000).about("How many commits are judged at a time.")),
            ("forge_keys", keys().about(&format!("What these sign counts as its author's. {KEY}"))),
            ("root_keys", keys().about(&format!("Roles and users change only by commits that one of these signed. {KEY}"))),
            ("denied_keys", keys().about(&format!("What these sign is nobody's. {KEY}"))),
            ("merge_approves", boolean().default(false).about("Whether a merge may bring in refused work without a `Vouch-For`.")),
        ]).about("Which commits take effect.")),
        ("app_service", object(vec![
            ("enabled", boolean().default(true).about("Without it nothing runs.")),
            ("resources", list(&object(vec![("labels!", defined("selector"))])).default(json!([])).about("Which apps of the sources run here: those that any of these matches.")),
            ("apps", list(&object(vec![("metadata!", app::metadata(true)), ("spec!", app::spec())])).default(json!([])).about("Apps of the agent's own, not subject to selectors.")),
            ("secrets_dir", path().about("A folder with a file for each secret of apps.").or_null()),
            ("secrets", grants(SECRET, "Which apps may use which secret. Left out: any, or none where there is a git source.").or_null()),
            ("host_users", grants(HOST_USER, "Which apps may run as which user of the host. Left out: any, or none where there is a git source.").or_null()),
            ("default_host_user", defined("host_user").about("For apps that name no user, under an agent that is root.").or_null()),
            ("remote_hosts", list(&filled_text()).about("Where remote servers may be: hosts or `host:port`, with `*` for any run of characters. Left out: anywhere, or nowhere where there is a git source.").example(json!(["*.example.com"])).or_null()),
            ("allow_from_agent", list(&defined("variable")).default(json!([])).about("The agent's own environment variables that apps may take over.")),
            ("allow_root", boolean().default(false).about("Whether apps may run as root.")),
            ("enforcement", word(&["strict", "best_effort"]).default("strict").about("What to do where limits or a sandbox cannot be enforced.")),
            ("parallel_starts", integer(1, 1024).default(4).about("How many servers may be starting at a time.")),
            ("drain_timeout", defined("duration").default("1h").about("How long sessions may stay on an old version, up to 30 days.")),
            ("shutdown_timeout", defined("duration").default("30s").about("How long open calls have when the agent stops, up to 24h.")),
        ]).about("Which apps run here, and how.")),
        ("otlp", object(vec![
            ("endpoint!", text().pattern("^https?://[^@?#]+$").about("Of a collector that speaks OTLP over HTTP; spans are posted to `/v1/traces` below it.").example("http://127.0.0.1:4318")),
            ("headers", map(HEADER, &path()).default(json!({})).about("Sent with each request: by name, files with the values. Needs https, or a collector on this machine.").example(json!({"Authorization": "collector-authorization"}))),
            ("ca_file", path().about("Certificates in PEM that may sign the collector's. Left out: those that this machine has.").or_null()),
            ("sample", number(0.0, 1.0).default(1.0).about("What part of the traces that begin here is sent.")),
            ("timeout", defined("duration").default("10s").about("Of a request, 100ms to 1m.")),
            ("queue", integer(64, 1_000_000).default(4096).about("The most spans that wait to be sent; what comes on top is dropped.")),
            ("service_name", filled_text().about("Left out: `OTEL_SERVICE_NAME` of the environment, else `mcpfleet`.").or_null()),
            ("attributes", map(".+", &filled_text()).default(json!({})).about("What else is said of this agent. `OTEL_RESOURCE_ATTRIBUTES` adds to it.").example(json!({"deployment.environment.name": "prod"}))),
        ])),
        ("gateway", object(vec![
            ("auth", word(&["required", "open"]).default("required").about("`required` lets users of the sources in, `open` everybody, on a loopback address only.")),
            ("listen", address().default("127.0.0.1:7420").about("Where clients reach it.")),
            ("public_url", text().pattern("^https?://[^#?]+$").about("Where clients find it, if that is elsewhere.").example("https://mcp.example.com").or_null()),
            ("tls", object(vec![
                ("cert_file!", path().about("The certificate, then those that lead to an authority, in PEM.")),
                ("key_file!", path().about("Its key, in PEM.")),
            ]).about("The gateway speaks TLS.").or_null()),
            ("allowed_hosts", list(&filled_text()).default(json!([])).about("Names by which it may be called, besides loopback's and that of `public_url`.")),
            ("oidc", list(&object(vec![
                ("issuer!", text().pattern("^https?://[^?#]+$").about("Exactly as tokens have it.")),
                ("audience!", filled_text().about("For whom tokens must have been made.")),
            ])).default(json!([])).about("Issuers whose signed tokens are accepted.")),
            ("limits", object(vec![
                ("body", defined("size").default("4Mi").about("Bytes of a request, 1Ki to 1Gi.")),
                ("sessions", count().default(10_000).about("Sessions in all.")),
                ("sessions_per_principal", count().default(1000).about("Sessions of one user, or address.")),
                ("concurrent_requests", count().default(1000).about("Open requests of one user, streams included.")),
                ("requests_per_second", count().about("Of one user, on average.").or_null()),
                ("connections", count().default(10_000).about("Connections at a time.")),
                ("connections_per_address", count().default(4000).about("Those of one address.")),
            ]).about("How much clients may take.")),
        ]).about("How clients reach the servers.")),
    ]
}

/// One of `notifications`: by its kind it has other fields.
fn notification() -> Form {
    let usual = |kinds: &[&str], about: &str, own: Vec<(&'static str, Form)>| {
        let mut fields = vec![
            ("name!", defined("name").about("What it is called in status and events.")),
            ("kind!", word(kinds).about(about)),
        ];
        fields.extend(own);
        fields.extend([
            ("ca_file", path().about("Certificates in PEM that may sign the server's.").or_null()),
            ("proxy", text().about("An HTTP proxy.").example("http://proxy.example.com:3128").or_null()),
            ("timeout", defined("duration").default("10s").about("How long sending a message may take, 1s to 2m.")),
        ]);
        object(fields)
    };
    let told = |level: &str| {
        let kind = text().pattern("^[a-z]+(-[a-z]+)*$");
        [
            ("sources", list(&text()).default(json!([])).about("Of which sources. Without any: of all.")),
            ("level", word(&["info", "warning"]).default(level).about("The least that is told.")),
            (
                "events",
                list(&kind)
                    .default(json!([]))
                    .about("Of which kinds of events. Without any: of all.")
                    .example(json!(["commit-failure", "backoff"])),
            ),
        ]
    };
    let forge = vec![
        ("source", text().about("The git source whose commits it has. Left out: the only one.").or_null()),
        (
            "api_url",
            text()
                .pattern("^https?://[^?#]+$")
                .about("Its API. Left out: as the URL of the source tells.")
                .example("https://git.example.com/api/v1")
                .or_null(),
        ),
        (
            "repository",
            text()
                .about("The path of the repository there. Left out: as the URL of the source tells.")
                .example("platform/fleet")
                .or_null(),
        ),
        ("token_file!", path().about("The file with the token, which is read at each message.")),
        (
            "context",
            text()
                .pattern("^[ -~]{1,100}$")
                .about("Under which name the forge shows it. Left out: `mcpfleet/` and the name of the agent.")
                .or_null(),
        ),
    ];
    let mut slack = vec![("url_file!", path().about("The file with the URL, which is a secret."))];
    slack.extend(told("warning"));
    slack.push((
        "interval",
        defined("duration").default("5m").about("Nobody is told of the same thing more often, 1s to 24h."),
    ));
    let mut webhook = vec![
        (
            "url!",
            text()
                .pattern("^https?://[^#]+$")
                .about("Where messages are sent.")
                .example("https://hooks.example.com/mcpfleet"),
        ),
        ("secret_file!", path().about("The file with the secret that signs messages.")),
    ];
    webhook.extend(told("info"));
    any_of(&[
        usual(&["github", "gitlab", "gitea"], "A forge, which is told what becomes of each commit.", forge),
        usual(&["slack"], "People, by an incoming webhook.", slack),
        usual(&["webhook"], "A program, by signed JSON.", webhook),
    ])
}

fn grants(name: &str, about: &str) -> Form {
    map(name, &defined("selector")).about(about)
}
