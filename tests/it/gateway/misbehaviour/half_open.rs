//! Requests that never come to their end.

use super::{MIB, Scene, closed, modern, status};
use crate::support::PATIENCE;
use serde_json::json;
use tokio::{io::AsyncWriteExt, time::timeout};

#[tokio::test]
async fn heads_and_bodies_that_never_end() {
    let scene = Scene::new(&[]).await;
    let before = scene.memory();
    let whole = modern("echo", json!({ "text": "x" }));
    let head = whole.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let mut open = Vec::new();
    for number in 0..600 {
        open.push(match number % 4 {
            0 => scene.connect().await,
            1 => scene.send(&whole[..head / 2]).await,
            2 => scene.send(&whole[..head]).await,
            _ => scene.send(&whole[..whole.len() - 1]).await,
        });
        if number % 100 == 0 {
            scene.others_are_served().await;
        }
    }
    // A byte now and then changes nothing.
    for _ in 0..3 {
        for stream in open.iter_mut().skip(1).step_by(4) {
            stream.write_all(b"x").await.unwrap();
        }
        scene.others_are_served().await;
    }
    let grown = scene.memory().saturating_sub(before);
    assert!(grown < 48 * MIB, "{} connections take {} KiB each", open.len(), grown / 1024 / open.len() as u64);
    // Whoever goes on in time is served.
    let late = open.last_mut().unwrap();
    late.write_all(&whole[whole.len() - 1..]).await.unwrap();
    assert_eq!(status(late).await, Some(200));
    drop(open);
    scene.others_are_served().await;
    scene.agent.stop().await;
}

#[tokio::test]
async fn who_takes_too_long_is_told_or_disconnected() {
    let scene = Scene::new(&[]).await;
    let whole = modern("echo", json!({ "text": "x" }));
    let mut silent = scene.connect().await;
    let mut body = scene.send(&whole[..whole.len() - 1]).await;
    let mut head = scene.send(&whole[..20]).await;
    assert_eq!(timeout(PATIENCE * 2, status(&mut body)).await.expect("a limit for bodies"), Some(408));
    timeout(PATIENCE * 2, closed(&mut head)).await.expect("a limit for heads");
    timeout(PATIENCE * 2, closed(&mut silent)).await.expect("a limit for silence");
    scene.agent.stop().await;
}
