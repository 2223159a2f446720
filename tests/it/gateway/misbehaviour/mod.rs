//! Clients and servers that do not do as they should: the agent's memory stays bounded, and others are served.

mod clients;
mod connections;
mod half_open;
mod idle_sessions;
mod servers;
mod slow_readers;

use crate::support::{Agent, Era, Got, PlainClient, fake_app};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

const MIB: u64 = 1 << 20;

/// From where those misbehave, for whom there are no names: an address that nobody else has.
const BAD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// An agent with two apps: `app`, with which something is done, and `other`, whose clients must not notice.
struct Scene {
    agent: Agent,
    pid: u32,
}

impl Scene {
    async fn with(app: &str, settings: &[&str]) -> Scene {
        let files = [("app.yaml", app), ("other.yaml", &*fake_app("other", &[]))];
        let mut agent = Agent::start_with(&files, settings).await;
        let status = agent.ready().await;
        let pid = status["agent"]["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a process");
        let scene = Scene { agent, pid };
        // What is needed once is not what is measured.
        scene.others_are_served().await;
        scene
    }

    async fn new(flags: &[&str]) -> Scene {
        Scene::with(&fake_app("app", flags), &[]).await
    }

    fn gateway(&self) -> String {
        format!("http://{}", self.agent.listen)
    }

    fn client(&self, app: &str) -> PlainClient {
        PlainClient::new(&self.gateway(), app)
    }

    /// That those who behave get their answers, in both eras.
    async fn others_are_served(&self) {
        for era in [Era::Modern, Era::Legacy] {
            let client = PlainClient::of_era(&self.gateway(), "other", era).await.expect("a client is let in");
            for number in 0..5 {
                let text = format!("for another {number}");
                assert_eq!(client.call("echo", json!({ "text": text })).await, Got::Text(text), "{}", self.agent.log());
            }
            client.delete().await;
        }
    }

    /// Of the agent alone, in bytes.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("the agent runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// A connection of somebody who misbehaves.
    async fn connect(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        // As little as possible is to wait in the kernel.
        socket.set_recv_buffer_size(4096).unwrap();
        socket.bind(SocketAddr::from((BAD, 0))).unwrap();
        socket.connect(self.agent.listen.parse().unwrap()).await.expect("the agent listens")
    }

    /// The same, with something sent.
    async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        stream
    }
}

/// A request of HTTP/1.1 with a message of the stateless era.
fn modern(tool: &str, arguments: Value) -> Vec<u8> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let head = format!("mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\n");
    request("POST", "app", &head, &body)
}

fn request(method: &str, app: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} /mcp/{app} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The status of the answer that comes next; `None` if the connection ends before.
async fn status(stream: &mut TcpStream) -> Option<u16> {
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.ok()?;
    std::str::from_utf8(&head).ok()?.strip_prefix("HTTP/1.1 ")?.parse().ok()
}

/// Waits until the other end has closed a connection.
async fn closed(stream: &mut TcpStream) {
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}
