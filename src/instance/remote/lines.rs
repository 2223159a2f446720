//! The end of an instance that stands for the server's stdin.

use bytes::{Bytes, BytesMut};
use tokio::{io::AsyncReadExt, net::unix::pipe};

/// What the gateway has to say, line by line. It bounds them itself.
#[derive(Debug)]
pub struct Lines {
    stdin: pipe::Receiver,
    buffer: BytesMut,
    /// So far there is no line end in it.
    searched: usize,
}

impl Lines {
    pub fn new(stdin: pipe::Receiver) -> Self {
        Lines { stdin, buffer: BytesMut::new(), searched: 0 }
    }

    /// The next line, without its end; `None` when there are no more. Cancel safe.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(end) = memchr::memchr(b'\n', unsearched) {
                let mut line = self.buffer.split_to(self.searched + end + 1);
                self.searched = 0;
                line.truncate(line.len().saturating_sub(1));
                return Some(line.freeze());
            }
            self.searched = self.buffer.len();
            self.buffer.reserve(8 << 10);
            if !matches!(self.stdin.read_buf(&mut self.buffer).await, Ok(1..)) {
                return None;
            }
        }
    }
}
