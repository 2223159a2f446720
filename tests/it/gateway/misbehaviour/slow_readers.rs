//! Clients that do not read what they have asked for.

use super::{MIB, Scene, modern, request, status};
use crate::support::{Era, PlainClient, eventually, fake_app};
use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpStream};

/// Of one answer.
const BYTES: usize = 8_000_000;

#[tokio::test]
async fn answers_that_nobody_reads() {
    let scene = Scene::new(&["--era", "modern"]).await;
    let before = scene.memory();
    let call = modern("big", json!({ "bytes": BYTES }));
    let mut lazy = Vec::new();
    for _ in 0..64 {
        lazy.push(scene.send(&call).await);
    }
    // All have an answer, or are told that there is too much to be read; hardly anything of it arrives.
    let (mut refused, mut kept) = (0, Vec::new());
    for (number, mut stream) in lazy.into_iter().enumerate() {
        if is_refused(&mut stream).await {
            refused += 1;
        } else {
            kept.push(stream);
        }
        if number % 8 == 0 {
            scene.others_are_served().await;
        }
    }
    let grown = scene.memory().saturating_sub(before);
    assert!(grown < 400 * MIB && refused > 0, "{} MiB of 512, {refused} refused", grown / MIB);
    let mut first = kept.swap_remove(0);
    drop(kept);
    // Its head and the first of it have been read already.
    let mut rest = Vec::new();
    while rest.len() < BYTES - 1_000 {
        assert_ne!(first.read_buf(&mut rest).await.unwrap(), 0, "the whole answer is there for whoever comes back");
    }
    // What nobody will read any more takes no room from others.
    eventually("there is room again", async || (!is_refused(&mut scene.send(&call).await).await).then_some(())).await;
    scene.agent.stop().await;
}

/// Reads the beginning of an answer: whether it is that there is too much to be read.
async fn is_refused(stream: &mut TcpStream) -> bool {
    let mut beginning = Vec::with_capacity(400);
    while beginning.len() < 400 {
        assert_ne!(stream.read_buf(&mut beginning).await.expect("an answer"), 0, "{beginning:?}");
        if String::from_utf8_lossy(&beginning).contains("-32012") {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn streams_that_nobody_reads() {
    let scene =
        Scene::with(&fake_app("app", &["--era", "legacy"]), &["gateway.limits.sessions_per_principal=50"]).await;
    let before = scene.memory();
    let mut streams = Vec::new();
    for _ in 0..3 {
        let client = PlainClient::of_era(&scene.gateway(), "app", Era::Legacy).await.unwrap();
        let id = client.session().expect("a session").to_owned();
        let stream = scene.agent.listen.parse::<std::net::SocketAddr>().unwrap();
        // From where the session was opened: it is nobody else's.
        let mut stream = TcpStream::connect(stream).await.unwrap();
        let open = request("GET", "app", &format!("mcp-session-id: {id}\r\n"), "");
        tokio::io::AsyncWriteExt::write_all(&mut stream, &open).await.unwrap();
        assert_eq!(status(&mut stream).await, Some(200));
        streams.push((stream, client));
    }
    for (_, client) in &streams {
        assert_eq!(client.call("babble", json!({ "count": 1_500, "bytes": 20_000 })).await.text(), Some("said"));
        scene.others_are_served().await;
    }
    let grown = scene.memory().saturating_sub(before);
    assert!(grown < 80 * MIB, "{} MiB for 90 that were sent", grown / MIB);
    // The calls of one who does not read its stream are answered all the same.
    assert_eq!(streams[0].1.call("echo", json!({ "text": "x" })).await.text(), Some("x"));
    scene.agent.stop().await;
}
