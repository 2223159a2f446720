//! A client of streamable HTTP that does no more than is needed to measure, alike for all gateways.

use super::Result;
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Where calls go to.
#[derive(Clone, Debug)]
pub struct Target {
    /// `127.0.0.1:PORT`.
    pub address: String,
    pub path: &'static str,
    /// How the gateway calls the server's tool.
    pub tool: &'static str,
    /// Without sessions, by the protocol of 2026-07-28.
    pub stateless: bool,
}

/// What every call carries.
pub const TEXT: &str = "0123456789abcdef0123456789abcdef";

/// A gateway that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A call of the tool.
pub fn call(id: u64, tool: &str, stateless: bool) -> String {
    let meta = match stateless {
        true => {
            r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#
        }
        false => "",
    };
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"message":"{TEXT}"}}{meta}}}}}"#
    )
}

pub struct Client {
    stream: TcpStream,
    target: Target,
    /// The request line is not in it.
    head: String,
    buffer: Vec<u8>,
    calls: u64,
}

impl Client {
    /// Connects, and opens a session where the target has any.
    pub async fn connect(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(&target.address).await?;
        stream.set_nodelay(true)?;
        let address = &target.address;
        let head = format!(
            "host: {address}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n"
        );
        let mut client = Client { stream, target: target.clone(), head, buffer: Vec::with_capacity(4096), calls: 0 };
        if target.stateless {
            client.head += "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: echo\r\n";
            return Ok(client);
        }
        let initialize = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
        client.exchange("POST", initialize).await?;
        let answer = String::from_utf8_lossy(&client.buffer).into_owned();
        let value = |name: &str| {
            let mut lines = answer.lines().take_while(|line| !line.is_empty());
            lines.find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)))
        };
        let (_, session) = value("mcp-session-id").ok_or_else(|| format!("no session: {answer}"))?;
        let version = answer.split_once(r#""protocolVersion":""#).and_then(|(_, rest)| rest.get(..10));
        let version = version.ok_or_else(|| format!("no version: {answer}"))?;
        client.head += &format!("mcp-session-id: {session}\r\nmcp-protocol-version: {version}\r\n");
        client.exchange("POST", r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
        Ok(client)
    }

    /// A checked call; when its answer was there.
    pub async fn call(&mut self) -> Result<Instant> {
        self.calls += 1;
        let request = call(self.calls, self.target.tool, self.target.stateless);
        let answered = self.exchange("POST", &request).await?;
        let answer = String::from_utf8_lossy(&self.buffer);
        if !answer.contains(TEXT) || !answer.contains(&format!("\"id\":{}", self.calls)) {
            return Err(format!("wrong answer: {answer}").into());
        }
        Ok(answered)
    }

    pub async fn end(mut self) -> Result<()> {
        if !self.target.stateless {
            self.exchange("DELETE", "").await?;
        }
        Ok(())
    }

    /// Sends a request and reads its answer into the buffer; when the part that matters was there.
    async fn exchange(&mut self, method: &str, body: &str) -> Result<Instant> {
        let (path, head) = (self.target.path, &self.head);
        let request = format!("{method} {path} HTTP/1.1\r\n{head}content-length: {}\r\n\r\n{body}", body.len());
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let mut answered = None;
        loop {
            if timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await?? == 0 {
                return Err("the connection was closed".into());
            }
            let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let (head, body) = self.buffer.split_at(end + 4);
            let head = std::str::from_utf8(head)?;
            let status = head.get(9..12).unwrap_or_default();
            // A session may have ended by itself, or not be one that can be ended.
            if !status.starts_with('2') && method == "POST" {
                return Err(format!("{head}{}", String::from_utf8_lossy(body)).into());
            }
            let value = |name: &str| {
                let mut lines = head.lines().filter_map(|line| line.split_once(": "));
                lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            };
            let complete = match value("content-length") {
                Some(length) => body.len() >= length.parse()?,
                // In a stream the answer comes before the end.
                None if value("transfer-encoding") == Some("chunked") => {
                    if answered.is_none() && body.windows(8).any(|window| window == b"\"result\"") {
                        answered = Some(Instant::now());
                    }
                    body.ends_with(b"0\r\n\r\n")
                }
                None => status == "204" || status == "202",
            };
            if complete {
                return Ok(answered.unwrap_or_else(Instant::now));
            }
        }
    }
}
