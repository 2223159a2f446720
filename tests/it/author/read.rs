//! `mcpfleet get` and `mcpfleet history`.

use super::world::{World, app};
use mcpfleet::manifest::{parse_file, write};
use std::{fs, path::Path};

#[tokio::test]
async fn resources_are_listed_as_they_are_committed() {
    let world = World::new().await;
    world.write("apps/draft.yaml", app("draft"));
    let said = world.mcpfleet(&["get", "apps"]).await.good();
    assert_eq!(
        said,
        "KIND  NAME  DESCRIPTION                            LABELS                 FILE\n\
         app   demo  A small MCP server to try things with  env=dev,team=platform  apps/demo.yaml\n"
    );
    let all = world.mcpfleet(&["get"]).await.good();
    let kinds: Vec<&str> = all.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(kinds, ["app", "role", "role", "user"]);
    assert_eq!(world.mcpfleet(&["get", "app/nope"]).await.bad(1), "error: there is no app/nope\n");
    assert!(world.mcpfleet(&["get", "pods"]).await.bad(2).contains("a resource is an `app`, a `role` or a `user`"));
}

#[tokio::test]
async fn what_get_prints_is_what_create_reads() {
    let world = World::new().await;
    for output in ["yaml", "json"] {
        let one = world.mcpfleet(&["get", "app/demo", "-o", output]).await.good();
        let same = parse_file("f.yaml", one.as_bytes());
        assert_eq!(same.diagnostics, []);
        let file = world.read("apps/demo.yaml");
        assert_eq!(same.resources[0].resource, parse_file("f.yaml", file.as_bytes()).resources[0].resource);
        world.mcpfleet_with(&["create", "-f", "-"], &one, &[]).await.good();
        world.git(&["reset", "--quiet", "--hard", "HEAD~1"]).await;
    }
    let all = world.mcpfleet(&["get", "-o", "yaml"]).await.good();
    assert_eq!(parse_file("f.yaml", all.as_bytes()).resources.len(), 4);
    let all: serde_json::Value = serde_json::from_str(&world.mcpfleet(&["get", "-o", "json"]).await.good()).unwrap();
    assert_eq!(all.as_array().map(Vec::len), Some(4));
}

#[test]
fn whatever_is_valid_can_be_written_and_read_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/valid");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        for located in parse_file("f.yaml", &fs::read(&path).unwrap()).resources {
            let written = write(&located.resource).unwrap();
            let again = parse_file("f.yaml", written.as_bytes());
            assert_eq!(again.resources.len(), 1, "{written}\n{:?}", again.diagnostics);
            assert_eq!(again.resources[0].resource, located.resource, "{written}");
            seen += 1;
        }
    }
    assert!(seen > 15, "only {seen} resources");
}

#[tokio::test]
async fn the_history_follows_a_resource_wherever_it_is_kept() {
    let world = World::new().await;
    world.mcpfleet_with(&["create", "-"], &app("web"), &[]).await.good();
    world.mcpfleet_with(&["create", "-f", "-"], &app("web").replace("command: x", "command: y"), &[]).await.good();
    fs::create_dir(world.folder().join("moved")).unwrap();
    world.git(&["mv", "apps/web.yaml", "moved/all.yaml"]).await;
    world.git(&["commit", "--quiet", "--no-gpg-sign", "-m", "Move it"]).await;
    // The unsigned commit is held against those that build on it.
    let on_top = ["create", "-", "--path", "moved/all.yaml", "--anyway"];
    world.mcpfleet_with(&on_top, &app("other"), &[]).await.good();
    world.git(&["checkout", "--quiet", "-b", "side", "HEAD~1"]).await;
    world.write("apps/side.yaml", app("side"));
    world.mcpfleet(&["create", "apps/side.yaml", "--anyway"]).await.good();
    world.git(&["merge", "--quiet", "--no-edit", "main"]).await;
    world.mcpfleet(&["rm", "app/web", "--anyway"]).await.good();

    let said = world.mcpfleet(&["history", "app/web", "-o", "json"]).await.good();
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let lines: Vec<String> = report["commits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| format!("{} {} {} {}", c["verb"], c["subject"], c["path"], c["signed"]))
        .collect();
    assert_eq!(
        lines,
        [
            r#""delete" "Delete app/web" "moved/all.yaml" true"#,
            r#""update" "Move it" "moved/all.yaml" false"#,
            r#""update" "Update app/web" "apps/web.yaml" true"#,
            r#""create" "Create app/web" "apps/web.yaml" true"#,
        ]
    );
    let said = world.mcpfleet(&["history", "app/web", "-n", "1"]).await.good();
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(world.mcpfleet(&["history", "app/nope"]).await.bad(1).contains("there is no app/nope, and never was"));
}
