//! Many connections, floods of requests, and bodies that are too large.

use super::{MIB, Scene, closed, modern, request, status};
use crate::support::{PATIENCE, eventually, fake_app};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let scene = Scene::with(&fake_app("app", &[]), &["gateway.limits.connections_per_address=50"]).await;
    let call = modern("echo", json!({ "text": "x" }));
    let mut open = Vec::new();
    for _ in 0..50 {
        open.push(scene.connect().await);
    }
    for _ in 0..50 {
        timeout(PATIENCE, closed(&mut scene.connect().await)).await.expect("it is closed at once");
    }
    scene.others_are_served().await;
    assert!(scene.agent.log().contains("connections were refused"), "{}", scene.agent.log());
    let mut last = open.pop().unwrap();
    last.write_all(&call).await.unwrap();
    assert_eq!(status(&mut last).await, Some(200), "those that were let in are served");
    drop((open, last));
    eventually("there is room again", async || {
        let mut stream = scene.connect().await;
        stream.write_all(&call).await.ok()?;
        (status(&mut stream).await == Some(200)).then_some(())
    })
    .await;
    scene.agent.stop().await;
}

#[tokio::test]
async fn floods_of_requests() {
    let scene = Scene::new(&["--era", "modern"]).await;
    let before = scene.memory();
    let call = modern("echo", json!({ "text": "x".repeat(2_000) }));
    // Each sends as fast as it goes, one after the other without waiting, and reads as little as it can.
    let floods: Vec<_> = futures_util::future::join_all((0..30).map(|_| scene.connect())).await;
    let floods: Vec<_> = floods
        .into_iter()
        .map(|stream| {
            let call = call.clone();
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.into_split();
                let sending = async { while writer.write_all(&call).await.is_ok() {} };
                let reading = async { while reader.read(&mut [0; 512]).await.is_ok_and(|read| read > 0) {} };
                tokio::join!(sending, reading);
            })
        })
        .collect();
    for _ in 0..10 {
        scene.others_are_served().await;
    }
    let grown = scene.memory().saturating_sub(before);
    assert!(grown < 64 * MIB, "{} MiB", grown / MIB);
    floods.iter().for_each(|flood| flood.abort());
    scene.agent.stop().await;
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let scene = Scene::with(&fake_app("app", &[]), &["gateway.limits.body=64Ki"]).await;
    let before = scene.memory();
    let mut refused = 0;
    for number in 0..40 {
        let mut stream = match number % 2 {
            // Said beforehand.
            0 => scene.send(&request("POST", "app", "", &"x".repeat(100_000))[..70_000]).await,
            // Found out: pieces without an end.
            _ => {
                let head = "POST /mcp/app HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                            transfer-encoding: chunked\r\n\r\n";
                let mut stream = scene.send(head.as_bytes()).await;
                let piece = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
                // It may be closed in the middle.
                for _ in 0..20 {
                    if stream.write_all(piece.as_bytes()).await.is_err() {
                        break;
                    }
                }
                stream
            }
        };
        refused += u64::from(timeout(PATIENCE, status(&mut stream)).await.expect("an answer") == Some(413));
    }
    // Where the client still writes when the connection is closed, the answer may be lost on the way.
    assert!(refused >= 20, "{refused}");
    scene.others_are_served().await;
    assert!(scene.memory().saturating_sub(before) < 32 * MIB);
    scene.agent.stop().await;
}

#[tokio::test]
async fn heads_that_are_too_large() {
    let scene = Scene::new(&[]).await;
    let before = scene.memory();
    for _ in 0..20 {
        let mut stream = scene.send(b"GET /mcp/app HTTP/1.1\r\nhost: localhost\r\n").await;
        let line = format!("x-{}: {}\r\n", "y".repeat(100), "z".repeat(8_000));
        for _ in 0..200 {
            if stream.write_all(line.as_bytes()).await.is_err() {
                break;
            }
        }
        let answer = timeout(PATIENCE, status(&mut stream)).await.expect("an answer, or an end");
        assert!(matches!(answer, None | Some(431)), "{answer:?}");
    }
    scene.others_are_served().await;
    assert!(scene.memory().saturating_sub(before) < 32 * MIB);
    scene.agent.stop().await;
}
