//! The manifests: what kustomize makes of them is what Kubernetes takes, and what the agent is given there works.

use super::{ended, file, project, says};
use crate::support::{Home, eventually, missing, outside};
use serde_json::Value;
use std::{
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

/// What is put together of the folder's own parts.
const WITH_COMPONENTS: &str = "apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../git]
components: [../../components/state, ../../components/metrics]
";

/// Each document of a folder, as kustomize makes them; nothing if there is no kustomize of this decade.
fn built(test: &str, folder: &str) -> Option<Vec<Value>> {
    // In a copy: it has one more overlay, and does not lead to the rest of the project.
    let copy = tempfile::tempdir().expect("a folder");
    says(Command::new("cp").args(["-r"]).arg(project().join("deploy/kubernetes")).arg(copy.path()));
    let all = copy.path().join("kubernetes/overlays/all");
    std::fs::create_dir(&all).expect("a folder");
    std::fs::write(all.join("kustomization.yaml"), WITH_COMPONENTS).expect("a file");
    let (program, arguments): (&str, &[&str]) = match () {
        () if works("kustomize", &["version"]) => ("kustomize", &["build"]),
        () if works("kubectl", &["kustomize", "--help"]) => ("kubectl", &["kustomize"]),
        () => {
            missing(test, "there is no kustomize or kubectl");
            return None;
        }
    };
    let made = says(Command::new(program).args(arguments).arg(copy.path().join("kubernetes").join(folder)));
    let documents = made.split("\n---\n").map(|text| serde_yaml::from_str(text).expect("YAML"));
    Some(documents.collect())
}

fn works(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    documents.iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

const FOLDERS: [&str; 3] = ["base", "overlays/git", "overlays/all"];

#[test]
fn they_are_what_kubernetes_takes() {
    const TEST: &str = "packages::kubernetes::they_are_what_kubernetes_takes";
    let Some(validate) = outside(TEST, "MCPFLEET_TEST_KUBERNETES_VALIDATE") else { return };
    for folder in FOLDERS {
        let Some(documents) = built(TEST, folder) else { return };
        let work = tempfile::tempdir().expect("a folder");
        let mut check = Command::new(&validate);
        check.arg("--strict");
        for (number, document) in documents.iter().enumerate() {
            // Of an operator, whose schema is not that of Kubernetes.
            if document["kind"] == "ServiceMonitor" {
                assert_eq!(document["spec"]["endpoints"][0]["port"], "metrics");
                continue;
            }
            let path = work.path().join(format!("{number}.yaml"));
            std::fs::write(&path, document.to_string()).expect("a file");
            check.arg(&path);
        }
        says(&mut check);
        // It does find mistakes.
        let wrong = work.path().join("wrong.yaml");
        let service = of_kind(&documents, "Service").to_string().replace("targetPort", "targetport");
        std::fs::write(&wrong, service).expect("a file");
        assert_ne!(ended(Command::new(&validate).arg("--strict").arg(wrong)).code, Some(0));
    }
}

#[test]
fn the_agent_is_closed_in() {
    for folder in FOLDERS {
        let Some(documents) = built("packages::kubernetes::the_agent_is_closed_in", folder) else { return };
        let deployment = &of_kind(&documents, "Deployment")["spec"];
        assert_eq!((&deployment["replicas"], &deployment["strategy"]["type"]), (&1.into(), &"Recreate".into()));
        let pod = &deployment["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let container = &pod["containers"][0]["securityContext"];
        assert_eq!(container["readOnlyRootFilesystem"], true);
        assert_eq!(container["allowPrivilegeEscalation"], false);
        assert_eq!(container["capabilities"]["drop"], serde_json::json!(["ALL"]));
        assert_eq!(of_kind(&documents, "ServiceAccount")["automountServiceAccountToken"], false);
        assert!(!documents.iter().any(|document| document["kind"].as_str().is_some_and(|kind| kind.contains("Role"))));
        // Everything selects the agent, and the rule for DNS something else alone.
        let labels = serde_json::json!({"app.kubernetes.io/name": "mcpfleet"});
        assert_eq!(deployment["selector"]["matchLabels"], labels);
        assert_eq!(of_kind(&documents, "Service")["spec"]["selector"], labels);
        let policy = &of_kind(&documents, "NetworkPolicy")["spec"];
        assert_eq!(policy["podSelector"]["matchLabels"], labels);
        let dns = &policy["egress"][0]["to"][0]["podSelector"]["matchLabels"];
        assert_eq!(dns, &serde_json::json!({"k8s-app": "kube-dns"}));
        // Each volume is there once, and whatever is mounted is there.
        let volumes = pod["volumes"].as_array().expect("volumes");
        let mounts = pod["containers"][0]["volumeMounts"].as_array().expect("mounts");
        for volume in volumes {
            assert!(mounts.iter().any(|mount| mount["name"] == volume["name"]), "{folder}: {volume}");
            assert_eq!(volume.as_object().expect("a map").len(), 2, "{folder}: {volume}");
        }
        assert_eq!(volumes.len(), mounts.len(), "{folder}");
    }
}

/// What is put into a folder as Kubernetes does it: a ConfigMap's files behind a symlink that is replaced.
fn mount(folder: &Path, version: &str, files: &serde_json::Map<String, Value>) {
    let data = folder.join(format!("..{version}"));
    std::fs::create_dir_all(&data).expect("a folder");
    for (name, text) in files {
        std::fs::write(data.join(name), text.as_str().expect("a text")).expect("a file");
        let link = folder.join(name);
        if !link.is_symlink() {
            symlink(format!("..data/{name}"), link).expect("a link");
        }
    }
    let next = folder.join("..data_tmp");
    symlink(format!("..{version}"), &next).expect("a link");
    std::fs::rename(next, folder.join("..data")).expect("a swap");
}

#[tokio::test]
async fn the_base_works_for_an_agent() {
    let Some(documents) = built("packages::kubernetes::the_base_works_for_an_agent", "base") else { return };
    let home = Home::new();
    let maps = documents.iter().filter(|document| document["kind"] == "ConfigMap");
    let map = |start: &str| {
        let of = |map: &&Value| map["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(start));
        maps.clone().find(of).unwrap_or_else(|| panic!("no {start}"))["data"].as_object().expect("files").clone()
    };
    let folder = home.path().join("resources");
    let mut resources = map("mcpfleet-resources");
    mount(&folder, "1", &resources);
    let here = |path: &str| home.path().join(path).display().to_string();
    // A number that was free just now.
    let admin = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let config = map("mcpfleet-config")["agent.yaml"].as_str().expect("a text").to_owned();
    let config = config
        .replace("/var/lib/mcpfleet", &here("state"))
        .replace("/etc/mcpfleet/resources", &here("resources"))
        .replace("/etc/mcpfleet/secrets", &here("secrets"))
        .replace("0.0.0.0:7420", "127.0.0.1:0")
        .replace("0.0.0.0:7422", &format!("127.0.0.1:{admin}"))
        .replace("app_service:\n", "app_service:\n  default_host_user: nobody\n")
        .replace("public_url: http://mcpfleet.mcpfleet:7420", "public_url: null");
    std::fs::write(home.path().join("agent.yaml"), config).expect("a file");
    let mut agent = home.mcpfleet(["run", "-c", "agent.yaml"]);
    agent.env("PATH", crate::ci::path_with_mcpfleet()).stdout(Stdio::null()).stderr(Stdio::null());
    let _agent = agent.spawn().expect("it starts");
    let socket = here("state/control.sock");
    let status = async || {
        let asked = home.mcpfleet(["status", "-o", "json"]).env("MCPFLEET_AGENT", &socket).output().await.ok()?;
        serde_json::from_slice::<Value>(&asked.stdout).ok()
    };
    eventually("an agent that is ready", async || (status().await?["agent"]["state"] == "Ready").then_some(())).await;

    // As the kubelet asks: by the address of the pod, which is no name of the gateway's.
    let container = &of_kind(&documents, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let get = &container[probe]["httpGet"];
        assert_eq!(get["port"], "admin", "{probe}");
        let url = format!("http://127.0.0.1:{admin}{}", get["path"].as_str().expect("a path"));
        let answer = reqwest::Client::new().get(&url).header("Host", "10.1.2.3:7422").send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{probe}");
    }

    let demo = file("deploy/kubernetes/base/resources/demo.yaml").replace("name: demo", "name: another");
    resources.insert("demo.yaml".into(), demo.into());
    mount(&folder, "2", &resources);
    eventually("what is in the map now", async || {
        let apps = status().await?["apps"].clone();
        let names: Vec<&str> = apps.as_array()?.iter().filter_map(|app| app["name"].as_str()).collect();
        (names == ["another"]).then_some(())
    })
    .await;
}

/// The overlay's configuration is that of this version, once its credentials are there.
#[test]
fn the_overlay_for_git_is_good() {
    let home = tempfile::tempdir().expect("a folder");
    let config = file("deploy/kubernetes/overlays/git/agent.yaml");
    std::fs::write(home.path().join("agent.yaml"), config).expect("a file");
    let mut show = Command::new(env!("CARGO_BIN_EXE_mcpfleet"));
    show.args(["config", "show", "-o", "json", "-c", "agent.yaml"]).current_dir(home.path());
    let config: Value = serde_json::from_str(&says(&mut show)).expect("JSON");
    assert_eq!(config["gateway"]["auth"], "required");
    assert!(config["sources"][0]["authorization"]["root"]["commit"].is_string());
    let base = file("deploy/kubernetes/base/resources/demo.yaml");
    assert_eq!(base, file("example-repo/apps/demo.yaml"), "the base shows what the example does");
}
