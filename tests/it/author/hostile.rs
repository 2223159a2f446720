//! Names, paths and files that are out to do harm, or just unusual.

use super::world::{World, app};
use std::{fs, os::unix::fs::symlink};

#[tokio::test]
async fn names_and_paths_lead_nowhere_else() {
    let world = World::new().await;
    let before = world.state().await;
    for id in ["demo", "app/../demo", "app/", "/demo", "app/a b", "pod/demo", "app/a\u{1b}[31m", "app/-x"] {
        for command in ["rm", "edit", "history"] {
            let said = world.mcpfleet(&[command, "--", id]).await.bad(2);
            assert!(!said.contains('\u{1b}'), "{said:?}");
        }
        if id != "demo" {
            world.mcpfleet(&["get", "--", id]).await.bad(2);
        }
    }
    for path in ["../x.yaml", "/tmp/x.yaml", ".git/x.yaml", "apps/.x.yaml", "x.txt", "apps", "a\nb.yaml"] {
        let said = world.mcpfleet_with(&["create", "-", "--path", path], &app("web"), &[]).await.bad(2);
        assert!(said.contains("cannot be the path of a new file"), "{said}");
    }
    let hostile = "kind: app\nversion: v3\nmetadata: {name: ../../x}\nspec: {mcp: {command: x}}\n";
    assert!(world.mcpfleet_with(&["create", "-"], hostile, &[]).await.bad(1).contains("cannot be a name"));
    assert_eq!(world.state().await, before);
    world.mcpfleet(&["create", "nowhere.yaml"]).await.bad(2);
    world.mcpfleet(&["get", "--repo", "nowhere"]).await.bad(2);
    world.mcpfleet(&["get", "--repo", "README.md"]).await.bad(2);
}

#[tokio::test]
async fn nothing_is_written_through_links() {
    let world = World::new().await;
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("a.yaml"), app("a")).unwrap();
    symlink(&outside, world.folder().join("linked")).unwrap();
    symlink(outside.join("a.yaml"), world.folder().join("apps/a.yaml")).unwrap();
    let said = world.mcpfleet_with(&["create", "-", "--path", "linked/web.yaml"], &app("web"), &[]).await.bad(1);
    assert!(said.contains("linked is a symlink"), "{said}");
    let said = world.mcpfleet_with(&["create", "-"], &app("a"), &[]).await.bad(1);
    assert!(said.contains("apps/a.yaml is a symlink"), "{said}");

    // Committed links are no resources.
    world.git(&["add", "."]).await;
    world.git(&["commit", "--quiet", "-m", "Links"]).await;
    let said = world.mcpfleet_with(&["create", "-"], &app("a"), &[]).await.bad(1);
    assert!(said.contains("apps/a.yaml"), "{said}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(outside.join("a.yaml")).unwrap(), app("a"));
}

#[tokio::test]
async fn line_ends_and_marks_of_a_file_stay_what_they_are() {
    let world = World::new().await;
    let dos = format!("\u{feff}# head\n{}---\n{}", app("a"), app("b")).replace('\n', "\r\n");
    let open = format!("{}---\n{}", app("c"), app("d").trim_end());
    world.write("dos.yaml", &dos);
    world.write("open.yaml", &open);
    world.git(&["add", "."]).await;
    world.git(&["commit", "--quiet", "-m", "Files"]).await;

    let new = |name: &str| app(name).replace("command: x", "command: y");
    world.mcpfleet_with(&["create", "-f", "-"], &new("b"), &[]).await.good();
    let expected = dos.replace(&app("b").replace('\n', "\r\n"), &new("b").replace('\n', "\r\n"));
    assert_eq!(world.read("dos.yaml"), expected);
    // What comes with carriage returns and a mark goes into a file without.
    let input = format!("\u{feff}{}", new("c").replace('\n', "\r\n"));
    world.mcpfleet_with(&["create", "-f", "-"], &input, &[]).await.good();
    assert_eq!(world.read("open.yaml"), open.replace(&app("c"), &new("c")));
    world.mcpfleet_with(&["create", "-", "--path", "open.yaml"], app("e").trim_end(), &[]).await.good();
    let expected = format!("{}\n---\n{}", open.replace(&app("c"), &new("c")), app("e"));
    assert_eq!(world.read("open.yaml"), expected);
}

#[tokio::test]
async fn a_file_that_is_no_yaml_is_left_to_people() {
    let world = World::plain(&[("a.yaml", &format!("{}---\nx: [\n---\n{}", app("a"), app("b")))]);
    let said = world.mcpfleet(&["rm", "app/a"]).await.bad(1);
    assert!(said.contains("where its documents end cannot be told"), "{said}");
    // One that is YAML, and no valid resource, can be replaced.
    world.write("a.yaml", format!("{}---\n{}", app("a").replace("command", "comand"), app("b")));
    world.mcpfleet_with(&["create", "-f", "-"], &app("a"), &[]).await.good();
    assert_eq!(world.read("a.yaml"), format!("{}---\n{}", app("a"), app("b")));
}
