use super::*;
use crate::resource::{App, Limits, Resource};

/// For a server of another user than the agent's.
fn decide_for(stdio: &Stdio, offer: &Offer, enforcement: Enforcement) -> Result<Plan, String> {
    decide(Subject { stdio, command: &stdio.command, as_agent: false }, offer, enforcement)
}

/// A host that has everything.
fn all() -> Offer {
    Offer {
        memory: Ok(Cgroup::V2),
        cpu: Ok(Cgroup::V2),
        processes: Ok(Cgroup::V1),
        landlock: Ok(7),
        network: Ok(Namespace::Plain),
    }
}

/// A host that has nothing.
fn nothing() -> Offer {
    let none = |what: &str| Err(format!("no {what}"));
    Offer {
        memory: Err("no groups".into()),
        cpu: Err("no groups".into()),
        processes: Err("no groups".into()),
        landlock: none("landlock").map(|()| 0),
        network: Err("no namespaces".into()),
    }
}

fn stdio(fields: &str) -> Stdio {
    let text = format!("kind: app\nversion: v3\nmetadata: {{name: a}}\nspec:\n  mcp: {{command: server, {fields}}}\n");
    let file = crate::manifest::parse_file("a.yaml", text.as_bytes());
    let app: std::sync::Arc<App> = match file.resources.first().map(|located| located.resource.clone()) {
        Some(Resource::App(app)) => app,
        _ => panic!("{:?}", file.diagnostics),
    };
    app.stdio().unwrap().clone()
}

const EVERYTHING: &str = "limits: {memory: 64Mi, cpu: 500m, processes: 32, open_files: 100}, \
                          sandbox: {read: [/srv], write: [/data], network: false}";

#[test]
fn a_host_that_has_everything_keeps_everything() {
    for enforcement in [Enforcement::Strict, Enforcement::BestEffort] {
        let plan = decide_for(&stdio(EVERYTHING), &all(), enforcement).unwrap();
        let grouped = Bounds { memory: Some(64 << 20), cpu_millis: Some(500), processes: Some(32) };
        assert_eq!((plan.grouped, plan.watched, plan.open_files), (grouped, Bounds::default(), Some(100)));
        let files = Files { read: vec!["/srv".into()], write: vec!["/data".into()], landlock: 7 };
        assert_eq!((plan.files, plan.network), (Some(files), Network::Own(Namespace::Plain)));
        let shown: Vec<String> = plan.measures.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "limits.memory: 64Mi by cgroup v2",
                "limits.cpu: 500m by cgroup v2",
                "limits.processes: 32 by cgroup v1",
                "limits.open_files: 100 by rlimit",
                "sandbox: files by landlock",
                "sandbox.network: false by a network namespace",
            ]
        );
    }
}

#[test]
fn a_host_that_has_nothing_is_an_error_or_told() {
    let error = decide_for(&stdio(EVERYTHING), &nothing(), Enforcement::Strict).unwrap_err();
    assert_eq!(
        error,
        "not enforceable on this host: `limits.memory: 64Mi` (no groups); `limits.cpu: 500m` (no groups); \
         `limits.processes: 32` (no groups); `sandbox: files` (no landlock); `sandbox.network: false` (no \
         namespaces); `app_service.enforcement: best_effort` runs it without"
    );
    let plan = decide_for(&stdio(EVERYTHING), &nothing(), Enforcement::BestEffort).unwrap();
    let watched = Bounds { memory: Some(64 << 20), cpu_millis: None, processes: Some(32) };
    assert_eq!((plan.grouped, plan.watched, plan.open_files), (Bounds::default(), watched, Some(100)));
    assert_eq!((plan.files, plan.network), (None, Network::Host));
    let shown: Vec<String> = plan.measures.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "limits.memory: 64Mi by a look each second (no groups)",
            "limits.cpu: 500m not enforced (no groups)",
            "limits.processes: 32 by a look each second (no groups)",
            "limits.open_files: 100 by rlimit",
            "sandbox: files not enforced (no landlock)",
            "sandbox.network: false not enforced (no namespaces)",
        ]
    );
}

#[test]
fn half_a_landlock_is_no_landlock_unless_told() {
    let old = Offer { landlock: Ok(2), ..all() };
    let sandboxed = stdio("sandbox: {}");
    assert!(decide_for(&sandboxed, &old, Enforcement::Strict).unwrap_err().contains("truncated"));
    let plan = decide_for(&sandboxed, &old, Enforcement::BestEffort).unwrap();
    assert_eq!(plan.files.unwrap().landlock, 2);
    assert!(plan.measures[0].gap.as_ref().unwrap().contains("truncated"));

    let cut = stdio("sandbox: {network: false}");
    let rules_only = Offer { network: Err("no namespaces".into()), ..all() };
    assert!(decide_for(&cut, &rules_only, Enforcement::Strict).unwrap_err().contains("TCP only"));
    let plan = decide_for(&cut, &rules_only, Enforcement::BestEffort).unwrap();
    assert_eq!(plan.network, Network::NoTcp(7));
    let older = Offer { landlock: Ok(3), ..rules_only };
    assert_eq!(decide_for(&cut, &older, Enforcement::BestEffort).unwrap().network, Network::Host);
}

#[test]
fn what_is_not_asked_for_needs_nothing() {
    let plan = decide_for(&stdio("args: []"), &nothing(), Enforcement::Strict).unwrap();
    assert_eq!(plan, Plan::default());
}

#[test]
fn a_container_is_limited_by_its_engine() {
    for enforcement in [Enforcement::Strict, Enforcement::BestEffort] {
        let mut docker = Stdio { command: "docker".into(), ..stdio("args: []") };
        docker.limits = Limits { memory: Some(1), open_files: Some(9), ..Limits::default() };
        // However it comes to a container.
        for words in ["run x", "-Dl debug run x", "exec -i x y", "compose run x", "start -ai x", "mcp gateway run", ""]
        {
            docker.args = words.split_whitespace().map(Into::into).collect();
            let error = decide_for(&docker, &all(), enforcement).unwrap_err();
            assert!(
                error.contains("`--memory`, `--ulimit nofile=`") && error.contains("not its containers"),
                "{error}"
            );
        }
        docker.limits = Limits { open_files: Some(9), ..Limits::default() };
        assert_eq!(decide_for(&docker, &all(), enforcement).unwrap().open_files, Some(9));
        docker.sandbox = stdio("sandbox: {}").sandbox;
        assert!(decide_for(&docker, &all(), enforcement).unwrap_err().contains("`--network none`"));
    }
}

#[test]
fn the_command_of_a_label_is_judged_by_its_own_words() {
    let limited = stdio("limits: {memory: 1Gi}");
    let label =
        |command| decide(Subject { stdio: &limited, command, as_agent: false }, &all(), Enforcement::BestEffort);
    assert_eq!(label("git").unwrap().grouped.memory, Some(1 << 30));
    assert!(label("/usr/bin/podman").unwrap_err().contains("the client `podman`"));
}

#[test]
fn a_server_of_the_agents_user_needs_a_landlock_that_knows_of_sockets() {
    let sandboxed = stdio("sandbox: {}");
    for (version, as_agent, expected) in [
        (2, false, &["truncated"][..]),
        (3, false, &[]),
        (7, false, &[]),
        (2, true, &["truncated", "control socket", "signals"]),
        (3, true, &["control socket", "signals"]),
        (5, true, &["control socket", "signals"]),
        (6, true, &["control socket"]),
        (8, true, &["control socket"]),
        (9, true, &[]),
        (10, true, &[]),
    ] {
        let offer = Offer { landlock: Ok(version), ..all() };
        let decide = |enforcement| {
            decide(Subject { stdio: &sandboxed, command: &sandboxed.command, as_agent }, &offer, enforcement)
        };
        let gap = decide(Enforcement::BestEffort).unwrap().measures.remove(0).gap.unwrap_or_default();
        let told: Vec<&str> =
            ["truncated", "control socket", "signals"].into_iter().filter(|what| gap.contains(what)).collect();
        assert_eq!(told, expected, "{version} {as_agent}: {gap}");
        assert_eq!(decide(Enforcement::Strict).is_ok(), expected.is_empty(), "{version} {as_agent}");
    }
}
