use super::*;
use serde_json::json;

fn status() -> Status {
    serde_json::from_value(json!({
        "agent": {
            "version": "0.1.0", "pid": 7, "started": "2026-11-23T10:00:00Z", "gateway": "http://127.0.0.1:7420",
            "auth": "open", "state": "Stalled", "message": "1 app does not start",
        },
        "sources": [{
            "name": "local", "kind": "directory", "location": "/etc/fleet", "watch": "native",
            "revision": "0123456789abcdef", "last_read": "2026-11-23T11:59:57Z", "files": 3, "resources": 4,
            "error": {"since": "2026-11-23T11:59:00Z", "message": "permission \u{1b}denied"},
            "diagnostics": [{
                "severity": "error", "code": "syntax", "message": "this is no YAML", "help": "look again",
                "path": "apps/b.yaml", "line": 3, "column": 5, "line_text": "    [", "length": 1,
            }],
        }],
        "apps": [
            app("a", json!("Ready"), json!([{"type": "Held", "code": "prune-guard", "message": "its file is gone"}])),
            app("b", json!("Backoff"), json!([{"type": "Invalid", "message": "apps/b.yaml is invalid"}])),
            app("c", json!(null), json!([{"type": "NotSelected", "message": "no selector matches"}])),
        ],
    }))
    .unwrap()
}

fn app(name: &str, state: serde_json::Value, conditions: serde_json::Value) -> serde_json::Value {
    let backoff = state == "Backoff";
    json!({
        "name": name, "description": null, "type": "stdio", "labels": {}, "command": ["x"], "state": state,
        "reason": backoff.then_some("exited with 1"), "since": "2026-11-23T11:00:00Z", "conditions": conditions,
        "source": "local", "path": "apps/x.yaml", "revision": null, "selected_by": null, "era": "modern",
        "server": null, "url": "http://127.0.0.1:7420/mcp/x", "sessions": 2, "restarts": 1,
        "next_attempt": backoff.then_some("2026-11-23T12:00:08Z"), "last_exit": backoff.then_some("exit status 1"),
        "last_exit_at": backoff.then_some("2026-11-23T11:57:00Z"),
        "instances": [{
            "id": "i1", "pid": 42, "role": "primary", "since": "2026-11-23T11:58:00Z", "spec": "abcdef", "draining": true,
        }],
    })
}

#[test]
fn a_status() {
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let text = anstream::adapter::strip_str(&render(&status(), now, true)).to_string();
    insta::assert_snapshot!(text, @r"
    Stalled: 1 app does not start
    mcpfleet 0.1.0, process 7, up 2h
    gateway http://127.0.0.1:7420, authentication open

    SOURCE  KIND       REVISION      FILES  RESOURCES  WATCH   READ    LOCATION
    local   directory  0123456789ab  3      4          native  3s ago  /etc/fleet
    error: local cannot be read for 1m: permission \u{1b}denied

    error[syntax]: this is no YAML
     --> apps/b.yaml:3:5
      |
    3 |     [
      |     ^
      = help: look again

    APP  STATE    SINCE  ERA     SESSIONS  PROCESSES  RESTARTS  REASON
    a    Ready    1h     modern  2         1          1         Held: its file is gone
    b    Backoff  1h     modern  2         1          1         exited with 1; next start in 8s; Invalid: apps/b.yaml is invalid
    c    -        1h     modern  2         1          1         NotSelected: no selector matches

    APP  INSTANCE  PID  ROLE               SINCE  SPEC
    a    i1        42   primary, draining  2m     abcdef
    b    i1        42   primary, draining  2m     abcdef
    c    i1        42   primary, draining  2m     abcdef

    APP  LAST EXIT      ENDED   RESTARTS
    b    exit status 1  3m ago  1

    held: 1 would be removed: a. `mcpfleet reconcile --prune` lets them go.
    ");
}

#[test]
fn an_empty_status() {
    let mut empty = status();
    empty.apps.clear();
    let text = render(&empty, Timestamp::UNIX_EPOCH, false);
    assert!(text.contains("No apps.") && text.contains("up 0s"), "{text}");
}

#[test]
fn ages() {
    let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
    for (seconds, expected) in
        [(-5, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (7200, "2h"), (200_000, "2d")]
    {
        assert_eq!(age(at(1000), at(1000 + seconds)), expected);
    }
}

#[test]
fn a_git_source() {
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let change = |code: &str, verb: serde_json::Value, rule: serde_json::Value| {
        json!({
            "commit": "89abcdef0123456789abcdef0123456789abcdef", "author": "Mallory \u{1b}<m@example.com>",
            "signer": rule.is_string().then_some("mallory"), "path": "apps/a.yaml", "kind": verb.is_string().then_some("app"),
            "name": verb.is_string().then_some("a"), "verb": verb, "code": code, "rule": rule,
            "message": "no rule allows it; ask somebody with the right",
        })
    };
    let mut status = status();
    status.apps.truncate(1);
    status.apps[0].author = Some("Alice <alice@example.com>".into());
    status.apps[0].revision = Some("0123456789abcdef0123456789abcdef01234567".into());
    status.sources = serde_json::from_value(json!([{
        "name": "fleet", "kind": "git", "location": "https://git.example.com/fleet.git", "watch": "poll",
        "revision": "0123456789abcdef0123456789abcdef01234567", "last_read": "2026-11-23T11:59:57Z", "files": 3,
        "resources": 4, "diagnostics": [],
        "error": {
            "since": "2026-11-23T11:59:00Z", "code": "timeout", "message": "no answer",
            "next_attempt": "2026-11-23T12:00:08Z",
        },
        "git": {
            "follows": "branch main", "mode": "enforce", "seen": "fedcba9876543210fedcba9876543210fedcba98",
            "newest": "2026-11-23T11:00:00Z", "accepted": "0123456789abcdef0123456789abcdef01234567",
            "refused": [change("not-allowed", json!("update"), json!("role/x deny.rules[0]")), change("unsigned", json!(null), json!(null))],
            "refused_total": 22, "warnings": ["something to know"],
        },
    }]))
    .unwrap();
    let text = anstream::adapter::strip_str(&render(&status, now, false)).to_string();
    insta::assert_snapshot!(text, @r"
    Stalled: 1 app does not start
    mcpfleet 0.1.0, process 7, up 2h
    gateway http://127.0.0.1:7420, authentication open

    SOURCE  KIND  REVISION      FILES  RESOURCES  WATCH  READ    LOCATION
    fleet   git   0123456789ab  3      4          poll   3s ago  https://git.example.com/fleet.git
    error[timeout]: fleet cannot be read for 1m: no answer; next attempt in 8s
    fleet: branch main at fedcba9876, made 1h ago; judged up to 0123456789, mode enforce
    warning: fleet: something to know

    refused[not-allowed]: update of app/a in apps/a.yaml
      commit 89abcdef01 of Mallory \u{1b}<m@example.com>, signed by mallory
      rule role/x deny.rules[0]
      no rule allows it; ask somebody with the right

    refused[unsigned]: apps/a.yaml
      commit 89abcdef01 of Mallory \u{1b}<m@example.com>
      no rule allows it; ask somebody with the right

    and 20 refused changes more, see `mcpfleet status -o json`

    APP  STATE  SINCE  ERA     SESSIONS  PROCESSES  RESTARTS  COMMIT      AUTHOR  REASON
    a    Ready  1h     modern  2         1          1         0123456789  Alice   Held: its file is gone

    held: 1 would be removed: a. `mcpfleet reconcile --prune` lets them go.
    ");
}

#[test]
fn limits_and_what_is_not_in_force() {
    let mut status = status();
    status.apps.truncate(1);
    status.sources.clear();
    status.apps[0].conditions.clear();
    status.apps[0].confinement = serde_json::from_value(json!([
        {"what": "limits.memory: 64Mi", "by": "cgroup v2"},
        {"what": "limits.cpu: 500m", "by": null, "gap": "no \u{1b}groups"},
    ]))
    .unwrap();
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let last = |verbose: bool, lines: usize| {
        let text = anstream::adapter::strip_str(&render(&status, now, verbose)).to_string();
        let text: Vec<_> = text.lines().map(str::to_owned).collect();
        text[text.len() - lines..].join("\n")
    };
    insta::assert_snapshot!(last(true, 3), @r"
    APP  LIMIT OR SANDBOX     BY         NOT IN FORCE
    a    limits.memory: 64Mi  cgroup v2  -
    a    limits.cpu: 500m     nothing    no \u{1b}groups
    ");
    let warning = r"warning: a: not all of it is in force: limits.cpu: 500m not enforced (no \u{1b}groups)";
    assert_eq!(last(false, 1), warning);
}

#[test]
fn what_is_amiss_with_audit_and_certificate() {
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let mut status = status();
    let lines = |status: &Status| {
        let text = anstream::adapter::strip_str(&render(status, now, false)).to_string();
        text.lines().skip(3).take_while(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let file = "/etc/tls.crt".to_owned();
    let (since, expires) = (now, "2027-11-23T12:00:00Z".parse().ok());
    status.agent.tls = Some(TlsStatus { cert_file: file, since, expires, problem: None });
    status.agent.audit.written = 5;
    assert_eq!(lines(&status), [""; 0]);
    let tls = status.agent.tls.as_mut().unwrap();
    tls.problem = Some("not its \u{1b}key".into());
    tls.expires = "2026-11-25T12:00:00Z".parse().ok();
    (status.agent.audit.problem, status.agent.audit.dropped) = (Some("No space left".into()), 7);
    assert_eq!(
        lines(&status),
        [
            r"certificate: the one from before stays: not its \u{1b}key",
            "certificate: /etc/tls.crt ends in 2d",
            "audit: it cannot be written: No space left",
            "audit: 7 records came too fast and are missing",
        ]
    );
}

#[test]
fn notifications_that_do_not_get_through() {
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let mut status = status();
    status.agent.notifications = serde_json::from_value(json!([
        {"name": "fine", "kind": "gitea", "delivered": 7, "waiting": 1, "dropped": 0},
        {
            "name": "chat", "kind": "slack", "delivered": 7, "waiting": 2, "dropped": 3,
            "problem": {
                "since": "2026-11-23T11:58:00Z", "message": "it answers 500: \u{1b}[31m", "next_attempt": "2026-11-23T12:00:08Z",
            },
        },
    ]))
    .unwrap();
    let text = anstream::adapter::strip_str(&render(&status, now, false)).to_string();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("notification")).collect();
    let expected = [
        "notification chat (slack): since 2m, 2 wait: it answers 500: \\u{1b}[31m; next attempt in 8s",
        "notification chat (slack): 3 messages are lost",
    ];
    assert_eq!(lines, expected);
}
