mod judging;
mod notification;
mod places;

use super::*;
use crate::manifest::{Diagnostic, yaml};
use std::path::Path;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPKHAXcpQSiPlqQYGsJhTWpjvmrDuhOEqEpyQ/fNmmx5";
const DOCUMENTED: &str = include_str!("../../docs/agent.yaml");

fn root() -> Environment {
    Environment { root: true, base: "/etc/mcpfleet".into(), ..Environment::default() }
}

fn read_with(text: &str, set: &[&str]) -> Decoded<Config> {
    let set: Vec<String> = set.iter().map(|option| option.to_string()).collect();
    Config::read("agent.yaml", text.as_bytes(), &set, &root())
}

fn directory(source: &SourceConfig) -> Option<&Path> {
    match &source.from {
        SourceFrom::Directory { directory } => Some(&directory.path),
        SourceFrom::Git { .. } => None,
    }
}

fn good(text: &str) -> Config {
    good_with(text, &[])
}

fn good_with(text: &str, set: &[&str]) -> Config {
    let read = read_with(text, set);
    read.value.unwrap_or_else(|| panic!("{text}: {:#?}", read.diagnostics))
}

/// The errors as `path:line:column code message`.
fn errors(text: &str, set: &[&str]) -> Vec<String> {
    let show = |d: &Diagnostic| {
        let position = d.position.map_or("-".to_owned(), |p| p.to_string());
        format!("{}:{position} {} {}", d.path, d.code, d.message)
    };
    let read = read_with(text, set);
    assert!(read.value.is_none(), "{text} {set:?} was accepted");
    read.diagnostics.iter().map(show).collect()
}

#[test]
fn the_documented_file_has_the_defaults() {
    let documented = good(DOCUMENTED);
    assert_eq!(documented, good(""));
    // The examples in its comments are good too.
    let mut lines = String::new();
    let mut example = false;
    for line in DOCUMENTED.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        let commented = text.strip_prefix("# ").unwrap_or_default();
        example = match commented {
            "sources:" | "resources:" | "webhooks:" | "notifications:" => true,
            "" => false,
            _ => example,
        };
        if example {
            lines.push_str(&format!("{}{commented}\n", " ".repeat(indent)));
        } else if !matches!(text, "sources: []" | "resources: []" | "webhooks: []" | "notifications: []") {
            lines.push_str(&format!("{line}\n"));
        }
    }
    let examples = good_with(&lines, &["webhook_listen=127.0.0.1:7421"]);
    let found = (examples.sources.len(), examples.app_service.resources.len(), examples.webhooks.len());
    assert_eq!((found, examples.notifications.len()), ((2, 3, 2), 3), "{lines}");
    // Where an example says nothing else it shows the defaults.
    let git = "sources: [{name: fleet, git: {url: 'https://git.example.com/platform/fleet.git', branch: main}}]";
    let plain = good(git);
    let (Some(SourceFrom::Git { git, authorization }), Some(SourceFrom::Git { git: plain_git, authorization: plain })) =
        (examples.sources.first().map(|s| &s.from), plain.sources.first().map(|s| &s.from))
    else {
        panic!("not git: {examples:?}");
    };
    assert_eq!(git, plain_git);
    assert!(authorization.root.is_some());
    assert_eq!(Authorization { root: None, ..Authorization::clone(authorization) }, **plain);
}

#[test]
fn what_is_shown_is_read_back() {
    let full = "
sources:
- name: local
  directory: {path: resources, watch: poll, window: 1s, resync: 1m30s}
  path: fleet/prod/
  ignore: ['drafts/**']
- name: fleet
  git:
    url: ssh://git@git.example.com:2222/platform/fleet.git
    tag: v1
    interval: 5m
    timeout: 10s
    username_file: u
    ssh_key_file: k
    ssh_passphrase_file: s
    known_hosts_file: h
  path: fleet
  authorization:
    mode: audit
    identity: author
    root: {commit: 0123456789abcdef0123456789abcdef01234567, signer: KEY}
    managed: ['apps/**']
    policy_dir: policy
    max_commits: 7
    forge_keys: [{file: forge.asc}]
    root_keys: ['KEY admin@example.com']
    denied_keys: ['SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'ABCDEF0123456789ABCDEF0123456789ABCDEF01']
    merge_approves: true
- name: mirror
  git: {url: mirrors/fleet.git, commit: 0123456789abcdef0123456789abcdef01234567}
  authorization: {trust_on_first_use: true}
- name: web
  git:
    url: https://git.example.com/platform/fleet.git
    branch: main
    username_file: u
    password_file: p
    ca_file: c
    proxy: http://proxy.example.com:3128
webhook_listen: 0.0.0.0:7421
webhooks:
- {name: github, source: fleet, scheme: hmac-sha256, secret_file: secret}
- {name: gitlab, source: local, scheme: token, header: X-Gitlab-Token, secret_file: /run/secret}
app_service:
  resources: [{labels: {env: [test, '^stag.*$'], '*': '*'}}]
  apps:
  - metadata: {name: everything, description: d, labels: {env: dev}, expires: 2030-01-01T00:00:00Z}
    spec:
      mcp:
        command: uvx
        args: [run]
        run_as_host_user: docker
        env: {A: b, S: {secret: s}, F: {from_agent: F}}
        working_directory: /srv
        health: {interval: 30s, timeout: 5s, failures: 3}
        stop: {signal: SIGINT, drain_timeout: 5m}
        limits: {memory: 1Gi, cpu: 0.5, processes: 10, open_files: 20}
        sandbox: {read: [/usr], write: [], network: false}
      dynamic_labels: {v: {command: [cat, /etc/hostname], period: 1m}}
  - metadata: {name: remote}
    spec:
      uri: mcp+sse+https://example.com/sse
      rewrite: {headers: [{name: A, value: {secret: s}}, 'B: c']}
      insecure_skip_verify: true
  secrets_dir: secrets
  secrets: {github-token: {team: platform}, db: {'*': '*'}}
  host_users: {docker: {team: platform}}
  remote_hosts: ['*.Example.com', '[::1]:8080']
  default_host_user: nobody
  allow_from_agent: [LANG]
  enforcement: best_effort
gateway:
  listen: '0.0.0.0:80'
  public_url: 'https://example.com/'
  tls: {cert_file: tls.crt, key_file: /etc/tls.key}
  allowed_hosts: [Example.org, '[::1]']
  limits:
    body: 1Mi
    sessions: 5
    sessions_per_principal: 4
    concurrent_requests: 3
    requests_per_second: 7
    connections: 9
    connections_per_address: 8
audit: {file: audit.jsonl, arguments: true, rotate: {size: 5Mi, age: 48h, keep: 3}}
telemetry:
  log: json
  otlp:
    endpoint: 'https://collector.example.com:4318/'
    headers: {Authorization: otlp-token}
    ca_file: ca.pem
    sample: 0.25
    timeout: 5s
    queue: 100
    service_name: fleet
    attributes: {zone: a}
";
    let full = full.replace("KEY", KEY);
    for text in ["", &full] {
        let config = good(text);
        let shown = yaml::to_string(&config).unwrap_or_default();
        assert_eq!(good(&shown), config, "{shown}");
        let json = serde_json::to_string(&config).unwrap_or_default();
        assert_eq!(good(&json), config, "{json}");
    }
    let config = good(&full);
    assert_eq!(config.sources.first().and_then(directory), Some("/etc/mcpfleet/resources".as_ref()));
    assert_eq!(config.sources.first().and_then(|s| s.path.as_deref()), Some("fleet/prod"));
    assert_eq!(config.gateway.public_url.as_deref(), Some("https://example.com"));
    assert_eq!(config.gateway.allowed_hosts, ["example.org", "[::1]"]);
}

#[test]
fn a_git_source_closes_what_a_directory_leaves_open() {
    let granted = |text: &str| good(text).app_service.host_users.map(|users| users.len());
    let (git, directory) = ("{name: a, git: {url: /srv/a.git}}", "{name: b, directory: {path: b}}");
    assert_eq!(granted(&format!("sources: [{directory}]")), None);
    assert_eq!(granted(&format!("sources: [{directory}, {git}]")), Some(0));
    let given = "app_service: {host_users: {docker: {'*': '*'}}}";
    assert_eq!(granted(&format!("sources: [{git}]\n{given}")), Some(1));
    let secrets = |text: &str| good(text).app_service.secrets.map(|secrets| secrets.len());
    assert_eq!(secrets(&format!("sources: [{directory}]")), None);
    assert_eq!(secrets(&format!("sources: [{directory}, {git}]")), Some(0));
    let given = "app_service: {secrets: {token: {'*': '*'}}}";
    assert_eq!(secrets(&format!("sources: [{git}]\n{given}")), Some(1));
    let hosts = |text: &str| good(text).app_service.remote_hosts.map(|hosts| hosts.len());
    assert_eq!(hosts(&format!("sources: [{directory}]")), None);
    assert_eq!(hosts(&format!("sources: [{directory}, {git}]")), Some(0));
    let given = "app_service: {remote_hosts: ['*.example.com', 'localhost:8080']}";
    assert_eq!(hosts(&format!("sources: [{git}]\n{given}")), Some(2));
}

#[test]
fn sections_are_shown_in_the_documented_order() {
    let shown = yaml::to_string(&good("")).unwrap_or_default();
    let keys: Vec<_> =
        shown.lines().filter(|l| !l.starts_with([' ', '-'])).filter_map(|l| l.split(':').next()).collect();
    assert_eq!(
        keys,
        [
            "version",
            "agent_name",
            "state_dir",
            "control_socket",
            "sources",
            "app_service",
            "policy_source",
            "prune",
            "gateway",
            "admin_listen",
            "webhook_listen",
            "webhooks",
            "notifications",
            "audit",
            "telemetry"
        ]
    );
}

#[test]
fn mistakes() {
    for (text, expected) in [
        ("version: v2", "1:10 unknown-version there is no version `v2` of the configuration"),
        ("gatway: {}", "1:1 unknown-field unknown field `gatway`"),
        ("sources: [{name: a}]", "1:11 missing-field a source needs `git` or a `directory`"),
        ("sources: [{name: a, directory: null}]", "1:11 missing-field a source needs `git` or a `directory`"),
        ("sources: [{name: a, git: {}}]", "1:26 missing-field missing field `url` in `git`"),
        (
            "sources: [{name: a, git: {url: x, branch: b, tag: t}}]",
            "1:46 misplaced-field a source follows one thing: either `branch` or `tag`",
        ),
        (
            "sources: [{name: a, git: {url: 'ftp://x/y'}}]",
            "1:27 invalid-uri `ftp://` is not a way to fetch that this version has: use https, ssh, git, file or a path",
        ),
        (
            "sources: [{name: a, git: {url: 'https://token@x/y'}}]",
            "1:27 invalid-uri a url with credentials in it is refused, because urls are shown: use `username_file` and \
             `password_file`",
        ),
        (
            "sources: [{name: a, git: {url: 'git@host:x.git'}}]",
            "1:26 missing-field ssh needs `known_hosts_file`: the keys of the hosts that are trusted, as `ssh-keyscan \
             HOST` prints them",
        ),
        (
            "sources: [{name: a, git: {url: 'https://x/y', ca_file: c, ssh_key_file: k}}]",
            "1:59 misplaced-field `ssh_key_file` is of no use for this url: remove it",
        ),
        (
            "sources: [{name: a, git: {url: x, branch: a..b}}]",
            "1:43 invalid-identifier `a..b` cannot be the name of a branch or tag",
        ),
        (
            "sources: [{name: a, git: {url: x, commit: abc1}}]",
            "1:43 invalid-identifier `abc1` is not the full id of a commit",
        ),
        (
            "sources: [{name: a, git: {url: 'http://x/y', proxy: y}}]",
            "1:46 invalid-uri `proxy` is to be `http://HOST:PORT`",
        ),
        (
            "sources: [{name: a, directory: {path: d}, authorization: {mode: off}}]",
            "1:43 misplaced-field a directory has no commits, and so no `authorization`",
        ),
        ("sources: [{name: a, directory: {path: d}, authorization: {}}]", ""),
        ("sources: [{name: a, git: {url: x}, authorization: {mode: of}}]", "1:58 unknown-value unknown value `of`"),
        (
            "sources: [{name: a, git: {url: x}, authorization: {managed: []}}]",
            "1:52 empty-value without a glob nothing would be judged",
        ),
        (
            "sources: [{name: a, git: {url: x}, authorization: {managed: ['a[']}}]",
            "1:62 invalid-glob `a[`: unclosed character class; missing ']'",
        ),
        (
            "sources: [{name: a, git: {url: x}, authorization: {root: {commit: \
             '0123456789abcdef0123456789abcdef01234567'}, trust_on_first_use: true}}]",
            "1:52 misplaced-field with a root of trust nothing is trusted on first use",
        ),
        (
            "sources: [{name: a, git: {url: x}, authorization: {root_keys: \
             ['0123456789abcdef0123456789abcdef01234567']}}]",
            "1:64 invalid-key `0123456789abcdef0123456789abcdef01234567` is a fingerprint, which does not do to verify \
             a signature",
        ),
        (
            "webhook_listen: 127.0.0.1:1\nwebhooks: [{name: a, source: b, scheme: token, secret_file: s}]",
            "2:30 unknown-value there is no source `b`",
        ),
        (
            "sources: [{name: b, directory: {path: d}}]\nwebhooks: [{name: a, source: b, scheme: token, \
             secret_file: s}]",
            "2:1 missing-field webhooks are served only where `webhook_listen` says",
        ),
        (
            "sources: [{name: b, directory: {path: d}}]\nwebhook_listen: 127.0.0.1:1\nwebhooks: [{name: a, source: b, \
             scheme: token}]",
            "3:12 missing-field missing field `secret_file` in `webhooks[]`",
        ),
        (
            "sources: [{name: a, git: {url: x}, directory: {path: d}}]",
            "1:21 misplaced-field a source has either `git` or `directory`",
        ),
        (
            "sources: [{name: a, directory: {path: d}}, {name: A, directory: {path: e}}]",
            "1:44 duplicate-value this entry is in the list already",
        ),
        ("sources: [{name: a, directory: {path: ''}}]", "1:39 invalid-path the path is empty"),
        (
            "sources: [{name: a, directory: {path: d, window: 100}}]",
            "1:50 invalid-duration a duration needs a unit, found `100`",
        ),
        (
            "sources: [{name: a, directory: {path: d}, path: ../x}]",
            "1:49 invalid-path `../x` is not a folder of the source",
        ),
        ("app_service: {resources: [{labels: {env: '^('}}]}", ""),
        (
            "app_service: {resources: [{labels: {env: '^($'}}]}",
            "1:42 invalid-selector `^($`: unclosed group (at character 2)",
        ),
        (
            "app_service: {default_host_user: root}",
            "1:15 misplaced-field `root` as the default needs `allow_root: true`",
        ),
        (
            "app_service: {remote_hosts: ['https://example.com']}",
            "1:30 invalid-uri `https://example.com` is no pattern of a host: it has a scheme",
        ),
        ("app_service: {secrets: {a/b: {}}}", "1:25 invalid-identifier `a/b` cannot be the name of a secret"),
        (
            "sources: [{name: a, git: {url: 'https://x/y', username_file: /c/u, password_file: /s/x/../t}}]
app_service: {secrets_dir: /s/}",
            "2:15 invalid-path `secrets_dir` /s/ has a credential of the agent in it: /s/x/../t of source `a`, \
             `password_file`",
        ),
        (
            "webhook_listen: '[::1]:7421'
webhooks: [{name: h, source: a, scheme: token, secret_file: /run/secrets/mcpfleet/below/h}]
sources: [{name: a, directory: {path: /a}}]",
            "1:1 invalid-path `secrets_dir` /run/secrets/mcpfleet has a credential of the agent in it: \
             /run/secrets/mcpfleet/below/h of webhook `h`, `secret_file`",
        ),
        ("app_service: {parallel_starts: 0}", "1:32 out-of-range 0 is not within 1 to 1024"),
        ("prune: {max_fraction: 1.5}", "1:23 out-of-range 1.5 is not within 0 to 1"),
        (
            "gateway: {auth: open, listen: '0.0.0.0:7420'}",
            "1:31 open-gateway an open gateway must not listen on 0.0.0.0:7420, where others can reach it",
        ),
        ("gateway: {listen: localhost}", "1:19 invalid-address `localhost` is not an address to listen on"),
        ("gateway: {tls: {cert_file: c}}", "1:16 missing-field missing field `key_file` in `gateway.tls`"),
        ("gateway: {limits: {requests_per_second: 0}}", "1:41 out-of-range 0 is not within 1 to 1000000"),
        ("audit: {rotate: {size: 1}}", "1:24 out-of-range a file of the audit has 1Mi to 1Ti"),
        ("audit: {rotate: {age: 1s}}", "1:23 out-of-range 1s is not within 1m to 87600h"),
        (
            "gateway: {tls: {cert_file: c, key_file: /run/secrets/mcpfleet/k}}",
            "1:1 invalid-path `secrets_dir` /run/secrets/mcpfleet has a credential of the agent in it: \
             /run/secrets/mcpfleet/k of `gateway.tls.key_file`",
        ),
        (
            "gateway: {public_url: 'ftp://x'}",
            "1:23 invalid-uri `ftp://x` is not a URL where clients could find the gateway",
        ),
        ("gateway: {allowed_hosts: ['a:80']}", "1:27 invalid-address `a:80` is not the name of a host"),
        ("a: 1\n---\nb: 1", "1:1 unknown-field unknown field `a`"),
    ] {
        if expected.is_empty() {
            good(text);
            continue;
        }
        let errors = errors(text, &[]);
        assert!(errors.iter().any(|e| *e == format!("agent.yaml:{expected}")), "{text}: {errors:#?}");
    }
}

#[test]
fn issuers() {
    let with = |oidc: &str| format!("gateway: {{oidc: {oidc}}}");
    let config = good(&with(
        "[{issuer: \"https://id.example/a/\", audience: fleet}, {issuer: \"http://127.0.0.1:1\", audience: b}]",
    ));
    let issuers: Vec<_> = config.gateway.oidc.iter().map(|oidc| (&*oidc.issuer, &*oidc.audience)).collect();
    assert_eq!(issuers, [("https://id.example/a/", "fleet"), ("http://127.0.0.1:1", "b")]);
    for bad in [
        "[{issuer: \"https://id.example\"}]",
        "[{audience: fleet}]",
        "[{issuer: \"https://id.example\", audience: \"\"}]",
        "[{issuer: \"http://id.example\", audience: fleet}]",
        "[{issuer: \"https://id.example?a\", audience: fleet}]",
        "[{issuer: \"https://id.example\", audience: a}, {issuer: \"https://id.example\", audience: b}]",
        "[{issuer: \"https://id.example\", audience: a, keys: []}]",
    ] {
        assert!(!errors(&with(bad), &[]).is_empty(), "{bad}");
    }
}

#[test]
fn settings_to_come_are_fine_with_their_defaults() {
    let text = "policy_source: null
admin_listen:
webhook_listen:
webhooks: []
notifications: null
telemetry: {otlp: null}
gateway: {tls: null, oidc: []}
app_service: {secrets_dir: /run/secrets/mcpfleet, secrets: null, remote_hosts: null}
";
    assert_eq!(good(text), good(""));
}

#[test]
fn options_take_the_place_of_settings() {
    let text = "sources: [{name: a, directory: {path: /d}}]\ngateway: {auth: open}";
    let config = good_with(
        text,
        &[
            "gateway.listen=127.0.0.1:0",
            "gateway.limits.body=1Mi",
            "sources[0].name=b",
            "sources.1.name=c",
            "sources[1].directory.path=d=e",
            "sources[1].ignore[0]=drafts/**",
            "app_service.resources[0].labels[\"a.b\"]=^x=.*$",
            "app_service.resources[0].labels.n=\"1\"",
            "app_service.allow_root=true",
            "app_service.default_host_user=root",
            "prune.max_fraction=0.25",
            "gateway.public_url=null",
        ],
    );
    assert_eq!(config.gateway.listen.port(), 0);
    assert_eq!(config.gateway.limits.body, 1 << 20);
    let names: Vec<_> = config.sources.iter().map(|s| (s.name.as_str(), directory(s).and_then(Path::to_str))).collect();
    assert_eq!(names, [("b", Some("/d")), ("c", Some("/etc/mcpfleet/d=e"))]);
    assert_eq!(config.sources.get(1).map(|s| s.ignore.as_slice()), Some(&["drafts/**".to_owned()][..]));
    assert_eq!(config.app_service.resources.first().map(|r| r.labels.to_string()).as_deref(), Some("a.b=^x=.*$, n=1"));
    assert_eq!(config.prune.max_fraction, 0.25);
    // Without any file.
    assert_eq!(good_with("", &["prune.min_apps=7"]).prune.min_apps, 7);
}

#[test]
fn mistakes_in_options_name_the_option() {
    let text = "prune: {min_apps: 1}\nsources: [{name: a, directory: {path: d}}]";
    for (option, expected) in [
        ("gatway.listen=x", "1:7 unknown-field unknown field `gatway`"),
        ("gateway.listen=x", "1:22 invalid-address `x` is not an address to listen on"),
        ("admin_listen=x", "1:20 invalid-address `x` is not an address to listen on"),
        ("prune.min_apps=many", "1:22 wrong-type expected a whole number, found the string `many`"),
        ("prune=null", "1:13 wrong-type this setting is a mapping; only single values can be set"),
        ("prune.min_apps.x=1", "1:22 wrong-type there is no `x` here: this setting is a number"),
        ("sources[2].name=a", "1:15 unknown-field `2` is not the place of an entry in this list"),
        ("sources.a.name=a", "1:15 unknown-field `a` is not the place of an entry in this list"),
        ("gateway.listen", "1:7 syntax an option has a path, `=` and a value"),
        ("=x", "1:7 syntax `` is not the path of a setting"),
        ("a..b=x", "1:8 syntax `a..b` is not the path of a setting"),
        ("a[=x", "1:8 syntax `a[` is not the path of a setting"),
        ("a[0]b=x", "1:11 syntax `a[0]b` is not the path of a setting"),
    ] {
        let errors = errors(text, &[option]);
        assert_eq!(errors, [format!("--set:{expected}")], "{option}");
    }
    // The second option, and a mistake of the file besides.
    let errors = errors("gateway: {auth: closed}", &["prune.min_apps=1", "prune.max_fraction=2"]);
    assert_eq!(
        errors,
        ["agent.yaml:1:17 unknown-value unknown value `closed`", "--set:2:26 out-of-range 2 is not within 0 to 1"]
    );
    let read = read_with(text, &["prune.min_apps=many"]);
    let shown = read.diagnostics.first().and_then(|d| d.line_text.clone());
    assert_eq!(shown.as_deref(), Some("--set prune.min_apps=many"));
}

proptest::proptest! {
    #[test]
    fn any_option_is_applied_or_refused(option in "[a-c.=\\[\\]\"0-9\\n\\x00é ]{0,24}") {
        let read = Config::read("agent.yaml", b"prune: {min_apps: 1}", std::slice::from_ref(&option), &root());
        proptest::prop_assert!(read.value.is_none());
        proptest::prop_assert!(!read.diagnostics.is_empty());
    }
}
