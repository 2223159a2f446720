//! A ConfigMap mounted as a folder, updated as a kubelet does it, under a running agent.

use super::world::{World, app, condition, only_pid};
use crate::support::eventually;
use mcpfleet::status::model::ConditionKind;
use serde_json::json;
use std::{fs, os::unix::fs::symlink};

/// Writes version `n` next to the present one and flips `..data` to it.
fn publish(world: &World, n: u32) {
    let mut app = world.app("one", &[]);
    app["spec"]["mcp"]["env"]["VERSION"] = json!(n.to_string());
    let folder = format!("..2026_{n}");
    world.put(&format!("{folder}/one.yaml"), &app);
    symlink(&folder, world.file("..data_tmp")).unwrap();
    fs::rename(world.file("..data_tmp"), world.file("..data")).unwrap();
    if n == 0 {
        symlink("..data/one.yaml", world.file("one.yaml")).unwrap();
    } else {
        fs::remove_dir_all(world.file(&format!("..2026_{}", n - 1))).unwrap();
    }
}

#[tokio::test]
async fn a_mount_is_updated_atomically_many_times_in_a_row() {
    const LAST: u32 = 20;
    let world = World::new();
    publish(&world, 0);
    let mut agent = world.run();
    let mut pid = agent.pid("one").await;
    for n in 1..=LAST {
        publish(&world, n);
        // In force before the next one, or overtaken by it.
        let waits = n % 4 == 0;
        for looked in 0.. {
            let status = agent.status().await.unwrap();
            let row = app(&status, "one").unwrap_or_else(|| panic!("version {n}: the app is missing\n{status:#?}"));
            assert!(!row.instances.is_empty(), "version {n}: no process\n{row:#?}");
            assert_eq!(condition(row, ConditionKind::Invalid), None, "version {n}");
            let replaced = only_pid(row).filter(|new| *new != pid);
            if (waits && replaced.is_some()) || (!waits && looked == 5) {
                pid = replaced.unwrap_or(pid);
                break;
            }
            assert!(looked < 10_000, "version {n} is never in force");
            tokio::task::yield_now().await;
        }
    }
    let last = format!(r#""VERSION":"{LAST}""#);
    eventually("the last version", async || {
        agent.call("one", "env", json!({})).await.ok().filter(|environment| environment.contains(&last))
    })
    .await;
    let status = agent.ready().await;
    assert_eq!((status.sources[0].files, status.apps.len()), (1, 1));
    agent.stop().await;
}
