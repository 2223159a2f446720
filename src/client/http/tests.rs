use super::*;
use crate::client::fake::{FakeAgent, json, status};
use futures_util::{StreamExt, stream};
use std::collections::HashSet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn tcp(address: std::net::SocketAddr) -> Endpoint {
    Endpoint::Tcp { authority: address.to_string(), prefix: String::new() }
}

async fn get(client: &HttpClient, path: &str) -> Result<Response, HttpError> {
    client.send(Method::GET, path, HeaderMap::new(), Bytes::new()).await
}

/// Answers every request on a listener with an empty 200 and tells over how many connections they came.
async fn count_connections(listener: tokio::net::TcpListener, connections: Arc<Mutex<HashSet<u16>>>, keep: bool) {
    loop {
        let (mut stream, peer) = listener.accept().await.unwrap();
        let connections = connections.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                connections.lock().unwrap().insert(peer.port());
                if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() || !keep {
                    return;
                }
            }
        });
    }
}

#[tokio::test]
async fn connections_are_used_again_unless_they_are_closed() {
    for (keep, expected) in [(true, 1), (false, 5)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = HttpClient::new(vec![tcp(listener.local_addr().unwrap())], None);
        let connections = Arc::new(Mutex::new(HashSet::new()));
        let server = tokio::spawn(count_connections(listener, connections.clone(), keep));
        for _ in 0..5 {
            let response = get(&client, "/").await.unwrap();
            assert_eq!(response.status, StatusCode::OK);
            response.body.read(0).await.unwrap();
        }
        assert_eq!(connections.lock().unwrap().len(), expected, "keep: {keep}");
        server.abort();
    }
}

#[tokio::test]
async fn the_first_that_answers_is_the_one() {
    let agent = FakeAgent::start(|_| async { json("{}") }).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let candidates = vec![Endpoint::Unix("/nowhere/agent.sock".into()), tcp(nobody), tcp(agent.address)];
    let client = HttpClient::new(candidates, Some(HeaderValue::from_static("Bearer t")));
    assert_eq!(client.endpoint(), None);
    get(&client, "/x").await.unwrap();
    assert_eq!(client.endpoint(), Some(&tcp(agent.address)));
    let seen = agent.seen().remove(0);
    assert_eq!(seen.header("authorization"), Some("Bearer t"));
    assert_eq!(seen.header("host"), Some(agent.address.to_string().as_str()));

    // An agent that restarts is waited for; another one is not taken for it.
    let gone = FakeAgent::start(|_| async { json("{}") }).await;
    let client = HttpClient::new(vec![tcp(gone.address), tcp(agent.address)], None);
    get(&client, "/").await.unwrap().body.read(100).await.unwrap();
    let (address, idle) = (gone.address, client.idle.clone());
    drop(gone);
    // The connection itself outlives the listener here.
    idle.lock().unwrap().clear();
    match get(&client, "/").await.unwrap_err() {
        HttpError::Unreachable(attempts) => {
            assert_eq!(attempts.iter().map(|(endpoint, _)| endpoint).collect::<Vec<_>>(), [&tcp(address)]);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn unix_sockets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let app = axum::Router::new()
        .fallback(async |headers: axum::http::HeaderMap| headers.get("host").unwrap().to_str().unwrap().to_owned());
    let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let client = HttpClient::new(vec![Endpoint::Unix(path)], None);
    assert_eq!(get(&client, "/").await.unwrap().body.read(100).await.unwrap(), b"localhost");
    server.abort();
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_whole() {
    let agent = FakeAgent::start(|seen| async move {
        match seen.path.as_str() {
            "/large" => json("x".repeat(1001)),
            "/broken" => {
                let first = stream::iter([Ok("data: x")]);
                let rest = stream::once(async {
                    // By then the head and the first piece are on their way.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Err(io::Error::other("as planned"))
                });
                axum::response::Response::builder()
                    .header("content-type", "Text/Event-Stream; charset=utf-8")
                    .body(axum::body::Body::from_stream(first.chain(rest)))
                    .unwrap()
            }
            _ => status(200, ""),
        }
    })
    .await;
    let client = agent.client().http;
    let large = get(&client, "/large").await.unwrap();
    assert!(matches!(large.body.read(1000).await, Err(HttpError::TooLarge(1000))));
    assert_eq!(get(&client, "/large").await.unwrap().body.read(1001).await.unwrap().len(), 1001);
    let broken = get(&client, "/broken").await.unwrap();
    assert_eq!(broken.media_type().as_deref(), Some("text/event-stream"));
    assert!(matches!(broken.body.read(1000).await, Err(HttpError::Lost(_))));
}
