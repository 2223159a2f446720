use super::*;
use crate::resource::{App, Limits, Resource};

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
        let plan = decide(&stdio(EVERYTHING), &all(), enforcement).unwrap();
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
    let error = decide(&stdio(EVERYTHING), &nothing(), Enforcement::Strict).unwrap_err();
    assert_eq!(
        error,
        "not enforceable on this host: `limits.memory: 64Mi` (no groups); `limits.cpu: 500m` (no groups); \
         `limits.processes: 32` (no groups); `sandbox: files` (no landlock); `sandbox.network: false` (no \
         namespaces); `app_service.enforcement: best_effort` runs it without"
    );
    let plan = decide(&stdio(EVERYTHING), &nothing(), Enforcement::BestEffort).unwrap();
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
    assert!(decide(&sandboxed, &old, Enforcement::Strict).unwrap_err().contains("truncated"));
    let plan = decide(&sandboxed, &old, Enforcement::BestEffort).unwrap();
    assert_eq!(plan.files.unwrap().landlock, 2);
    assert!(plan.measures[0].gap.as_ref().unwrap().contains("truncated"));

    let cut = stdio("sandbox: {network: false}");
    let rules_only = Offer { network: Err("no namespaces".into()), ..all() };
    assert!(decide(&cut, &rules_only, Enforcement::Strict).unwrap_err().contains("TCP only"));
    let plan = decide(&cut, &rules_only, Enforcement::BestEffort).unwrap();
    assert_eq!(plan.network, Network::NoTcp(7));
    let older = Offer { landlock: Ok(3), ..rules_only };
    assert_eq!(decide(&cut, &older, Enforcement::BestEffort).unwrap().network, Network::Host);
}

#[test]
fn what_is_not_asked_for_needs_nothing() {
    let plan = decide(&stdio("args: []"), &nothing(), Enforcement::Strict).unwrap();
    assert_eq!(plan, Plan::default());
}

#[test]
fn a_container_is_limited_by_its_engine() {
    for enforcement in [Enforcement::Strict, Enforcement::BestEffort] {
        let mut docker = Stdio { command: "docker".into(), args: vec!["run".into(), "x".into()], ..stdio("args: []") };
        docker.limits = Limits { memory: Some(1), open_files: Some(9), ..Limits::default() };
        let error = decide(&docker, &all(), enforcement).unwrap_err();
        assert!(error.contains("`--memory`, `--ulimit nofile=`") && error.contains("not the container"), "{error}");
        docker.limits = Limits { open_files: Some(9), ..Limits::default() };
        assert_eq!(decide(&docker, &all(), enforcement).unwrap().open_files, Some(9));
        docker.sandbox = stdio("sandbox: {}").sandbox;
        assert!(decide(&docker, &all(), enforcement).unwrap_err().contains("`--network none`"));
    }
}
