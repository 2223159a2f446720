//! The end of an instance that stands for the server's stdout and stderr.

use crate::protocol::one_line;
use bytes::Bytes;
use tokio::{
    io::AsyncWriteExt,
    net::unix::pipe,
    sync::mpsc::{self, Receiver, Sender},
};

/// Messages that wait for their turn to be written. Whoever has more waits, and its server with it.
const WAITING: usize = 16;

/// The longest line of a log, in characters: with its end it goes into a pipe as a whole.
const MAX_LINE: usize = 1000;

#[derive(Clone, Debug)]
pub struct Outlet {
    lines: Sender<Bytes>,
    log: std::sync::Arc<pipe::Sender>,
}

/// Writes what an [`Outlet`] is given.
#[derive(Debug)]
pub struct Writer {
    lines: Receiver<Bytes>,
    stdout: pipe::Sender,
}

impl Outlet {
    pub fn new(stdout: pipe::Sender, stderr: pipe::Sender) -> (Outlet, Writer) {
        let (sender, lines) = mpsc::channel(WAITING);
        (Outlet { lines: sender, log: std::sync::Arc::new(stderr) }, Writer { lines, stdout })
    }

    /// Passes on a message. Cancel safe: it is passed on whole, or not at all.
    pub async fn message(&self, message: &str) {
        let mut line = Vec::with_capacity(message.len() + 1);
        one_line(message, &[], &mut line);
        line.push(b'\n');
        // Nobody reads any more: the instance is about to end.
        let _ = self.lines.send(line.into()).await;
    }

    /// Writes a line into the instance's log. What there is no room for is lost.
    pub fn say(&self, text: &str) {
        let clean = text.chars().take(MAX_LINE).map(|c| if c.is_control() { ' ' } else { c });
        let _ = self.log.try_write(clean.chain(['\n']).collect::<String>().as_bytes());
    }
}

impl Writer {
    /// Writes until there is nobody left who could have something to be written, or nobody who reads it.
    pub async fn run(mut self) {
        while let Some(line) = self.lines.recv().await {
            if self.stdout.write_all(&line).await.is_err() {
                return;
            }
        }
    }
}
