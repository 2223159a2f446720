//! `notifications`: what is derived, what is refused, and that it is written as it is read.

use super::*;
use crate::config::{Forge, Notification, Target};

const GIT: &str = "sources: [{name: fleet, git: {url: \"URL\"}}]\n";

fn with(url: &str, notification: &str) -> String {
    format!("{}notifications: [{notification}]\n", GIT.replace("URL", url))
}

fn only(config: &Config) -> &Notification {
    config.notifications.first().expect("one notification")
}

fn forge(config: &Config) -> &Forge {
    match &only(config).target {
        Target::Github(forge) | Target::Gitlab(forge) | Target::Gitea(forge) => forge,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_url_of_the_source_tells_where_the_forge_is() {
    for (kind, url, api_url, repository) in [
        ("github", "https://github.com/platform/fleet.git", "https://api.github.com", "platform/fleet"),
        ("github", "https://ghe.example.com/platform/fleet", "https://ghe.example.com/api/v3", "platform/fleet"),
        ("gitlab", "https://gitlab.com/a/b/c/fleet.git", "https://gitlab.com/api/v4", "a/b/c/fleet"),
        ("gitlab", "https://git.example.com:8443/a/fleet", "https://git.example.com:8443/api/v4", "a/fleet"),
        ("gitea", "https://example.com/git/platform/fleet.git", "https://example.com/git/api/v1", "platform/fleet"),
        ("gitea", "http://127.0.0.1:3000/me/fleet", "http://127.0.0.1:3000/api/v1", "me/fleet"),
    ] {
        let config = good(&with(url, &format!("{{name: f, kind: {kind}, token_file: t}}")));
        let forge = forge(&config);
        assert_eq!((&*forge.api_url, &*forge.repository, &*forge.source), (api_url, repository, "fleet"), "{url}");
        assert_eq!(forge.token_file, Path::new("/etc/mcpfleet/t"));
    }
    let ssh = "sources: [{name: fleet, git: {url: 'git@github.com:platform/fleet.git', ssh_key_file: k, known_hosts_file: h}}]\n\
               notifications: [{name: f, kind: github, token_file: t}]";
    assert_eq!(forge(&good(ssh)).api_url, "https://api.github.com");
    // What is written counts.
    let config = good(&with(
        "/srv/fleet.git",
        "{name: f, kind: gitea, token_file: t, api_url: 'https://git.example.com/api/v1/', repository: a/b, context: x}",
    ));
    assert_eq!((&*forge(&config).api_url, &*forge(&config).repository), ("https://git.example.com/api/v1", "a/b"));
}

#[test]
fn what_is_shown_of_notifications_is_read_back() {
    let text = with(
        "https://git.example.com/a/b",
        "{name: a, kind: gitlab, token_file: t, ca_file: ca, proxy: 'http://proxy:3128', timeout: 1m}, \
         {name: b, kind: slack, url_file: u, interval: 1h, events: [commit-failure, backoff], sources: [fleet]}, \
         {name: c, kind: webhook, url: 'http://hooks/x?a=b', secret_file: s, level: warning}",
    );
    let config = good(&(text + "agent_name: eu-1\n"));
    let shown = yaml::to_string(&config).expect("YAML");
    assert_eq!(good(&shown), config, "{shown}");
    let credentials: Vec<String> = config.credentials().iter().map(|credential| credential.setting.clone()).collect();
    let expected =
        ["notification `a`, `token_file`", "notification `b`, `url_file`", "notification `c`, `secret_file`"];
    assert_eq!(credentials, expected);
}

#[test]
fn credentials_are_not_where_apps_get_theirs() {
    for (kind, setting) in
        [("slack", "url_file"), ("gitea", "token_file"), ("webhook, url: 'https://x/y'", "secret_file")]
    {
        let text = with("https://git.example.com/a/b", &format!("{{name: n, kind: {kind}, {setting}: secrets/x}}"));
        let errors = errors(&(text + "app_service: {secrets_dir: secrets}\n"), &[]);
        assert!(errors[0].contains("has a credential of the agent in it"), "{errors:?}");
    }
}

#[test]
fn mistakes_in_notifications() {
    let git = "https://git.example.com/a/b";
    for (url, notification, expected) in [
        (git, "{name: f}", "missing-field missing field `kind`"),
        (git, "{name: f, kind: teams}", "unknown-value"),
        (git, "{name: f, kind: gitea}", "missing-field missing field `token_file`"),
        (git, "{name: f, kind: gitea, token_file: t, url: 'https://x/y'}", "unknown-field unknown field `url`"),
        (git, "{name: f, kind: gitea, token_file: t, token: abc}", "unknown-field unknown field `token`"),
        (git, "{name: f, kind: gitea, token_file: t, source: other}", "unknown-value there is no source `other`"),
        (git, "{name: f, kind: gitea, token_file: t, api_url: 'http://git.example.com/api/v1'}", "invalid-uri"),
        (git, "{name: f, kind: gitea, token_file: t, api_url: 'https://u:p@git.example.com'}", "invalid-uri"),
        (git, "{name: f, kind: gitea, token_file: t, repository: a}", "invalid-identifier"),
        (git, "{name: f, kind: gitea, token_file: t, repository: a/b/c}", "invalid-identifier"),
        (git, "{name: f, kind: gitlab, token_file: t, repository: a/../c}", "invalid-identifier"),
        (git, "{name: f, kind: gitlab, token_file: t, repository: 'a/b?x'}", "invalid-identifier"),
        (git, "{name: f, kind: gitea, token_file: t, context: \"a\\nb\"}", "invalid-identifier"),
        (git, "{name: f, kind: gitea, token_file: t, proxy: 'http://u:p@proxy:1'}", "invalid-uri"),
        (git, "{name: f, kind: gitea, token_file: t, timeout: 10m}", "out-of-range"),
        ("/srv/fleet.git", "{name: f, kind: gitea, token_file: t}", "missing-field missing field `api_url`"),
        (
            "http://git.example.com/a/b",
            "{name: f, kind: gitea, token_file: t}",
            "missing-field missing field `api_url`",
        ),
        (git, "{name: f, kind: slack, url: 'https://hooks.slack.com/x'}", "missing-field missing field `url_file`"),
        (git, "{name: f, kind: slack, url_file: u, events: [commit-failed]}", "unknown-value"),
        (git, "{name: f, kind: slack, url_file: u, events: [notification-failed]}", "unknown-value"),
        (git, "{name: f, kind: webhook, url: 'ftp://x', secret_file: s}", "invalid-uri"),
        (git, "{name: f, kind: slack, url_file: u}, {name: F, kind: slack, url_file: u}", "duplicate-value"),
        (git, "{name: f, kind: gitea, token_file: t}, {name: g, kind: gitea, token_file: t}", "duplicate-value"),
    ] {
        let errors = errors(&with(url, notification), &[]);
        assert!(errors.iter().any(|error| error.contains(expected)), "{notification}: {errors:?}");
    }
    let two = "sources: [{name: a, git: {url: 'https://x/a/b'}}, {name: b, git: {url: 'https://x/a/c'}}]\n\
               notifications: [{name: f, kind: gitea, token_file: t}]";
    assert!(errors(two, &[])[0].contains("there is not just one git source"), "{:?}", errors(two, &[]));
    assert!(errors("agent_name: 'a b'", &[])[0].contains("cannot be the name of an agent"));
}
