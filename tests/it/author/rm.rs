//! `mcpfleet rm`.

use super::world::{World, app};

#[tokio::test]
async fn a_document_goes_and_the_others_stay() {
    let world = World::new().await;
    let file = format!("# head\n{}--- # b\n{}\n---\n# c\n{}", app("a"), app("b"), app("c"));
    world.mcpfleet_with(&["create", "-", "--path", "all.yaml"], &file, &[]).await.good();
    let said = world.mcpfleet(&["rm", "app/b"]).await.good();
    assert!(said.starts_with("deleted app/b in all.yaml\n"), "{said}");
    assert_eq!(world.read("all.yaml"), format!("# head\n{}---\n# c\n{}", app("a"), app("c")));
    assert_eq!(world.git(&["log", "-1", "--format=%s"]).await, "Delete app/b");
    world.mcpfleet(&["rm", "app/a", "app/c", "-m", "All of it"]).await.good();
    assert!(!world.has("all.yaml"));
    assert_eq!(world.git(&["status", "--porcelain"]).await, "");
    assert_eq!(world.git(&["log", "-1", "--format=%s"]).await, "All of it");
}

#[tokio::test]
async fn what_is_needed_or_not_there_is_not_removed() {
    let world = World::new().await;
    let before = world.state().await;
    let said = world.mcpfleet(&["rm", "role/admins"]).await.bad(1);
    assert!(said.contains("role `admins` does not exist") && said.contains("nothing has been written"), "{said}");
    assert_eq!(world.mcpfleet(&["rm", "app/dmo"]).await.bad(1), "error: there is no app/dmo; did you mean app/demo?\n");
    assert_eq!(world.state().await, before);
    // Both together are fine.
    let user = world.files().into_keys().find_map(|path| path.strip_prefix("users/").map(str::to_owned)).unwrap();
    let user = format!("user/{}", user.trim_end_matches(".yaml"));
    world.mcpfleet(&["rm", "role/admins", &user, "--dry-run"]).await.good();
}

#[tokio::test]
async fn two_files_with_the_same_resource_are_for_people_to_sort_out() {
    let world = World::plain(&[("a.yaml", &app("same")), ("b.yaml", &app("same"))]);
    let said = world.mcpfleet(&["rm", "app/same"]).await.bad(1);
    assert_eq!(said, "error: app/same is in both a.yaml and b.yaml: remove one of them by hand\n");
}
