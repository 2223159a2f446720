//! A client on the bridge's other end.

use crate::client::{
    api::AgentClient,
    bridge::{self, Waits},
    endpoint::Endpoint,
    fake::LIMIT,
    http::HttpClient,
};
use serde_json::Value;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf},
    task::JoinHandle,
};

/// A bridge with its client's ends of the pipes.
pub struct Bridged {
    input: Option<WriteHalf<DuplexStream>>,
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
    bridge: JoinHandle<std::io::Result<()>>,
}

impl Bridged {
    pub fn start(agent: SocketAddr) -> Bridged {
        let waits = Waits { patience: Duration::from_millis(500), last_answers: LIMIT };
        Bridged::start_with(agent, waits)
    }

    pub fn start_with(agent: SocketAddr, waits: Waits) -> Bridged {
        let endpoint = Endpoint::Tcp { authority: agent.to_string(), prefix: String::new() };
        let client = AgentClient::new(HttpClient::new(vec![endpoint], None));
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (bridge_input, bridge_output) = tokio::io::split(theirs);
        let bridge = tokio::spawn(async move {
            bridge::run(client, "app", waits, bridge_input, bridge_output, std::future::pending()).await
        });
        let (output, input) = tokio::io::split(ours);
        Bridged { input: Some(input), output: BufReader::new(output).lines(), bridge }
    }

    pub async fn send(&mut self, line: &str) {
        self.input.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// The next line of the bridge's.
    pub async fn line(&mut self) -> String {
        let line = tokio::time::timeout(LIMIT, self.output.next_line()).await.expect("the bridge says something");
        line.unwrap().expect("the bridge is there")
    }

    pub async fn value(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    /// Closes stdin and waits for the bridge to end; gives back what it still said.
    pub async fn close(mut self) -> Vec<String> {
        let mut input = self.input.take().unwrap();
        input.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let reading = async {
            while let Some(line) = self.output.next_line().await.unwrap() {
                rest.push(line);
            }
        };
        tokio::time::timeout(LIMIT, reading).await.expect("the bridge ends");
        self.bridge.await.unwrap().unwrap();
        rest
    }
}
